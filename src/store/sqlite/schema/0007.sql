-- What lies in the warehouse, one row a merchant, article and place. `place` is where the row stands in the
-- order of changes of all levels and listings: a channel's position in it is one number.
CREATE TABLE stock_levels (
  merchant_id BLOB NOT NULL, sku TEXT NOT NULL, location TEXT NOT NULL, place INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (merchant_id, sku, location)) WITHOUT ROWID;
CREATE UNIQUE INDEX stock_levels_place ON stock_levels (place);
CREATE INDEX stock_levels_of_merchant ON stock_levels (merchant_id, place);
-- What a channel is known to sell, and what it calls it.
CREATE TABLE listings (
  connection_id BLOB NOT NULL, sku TEXT NOT NULL, external_id TEXT, place INTEGER NOT NULL,
  PRIMARY KEY (connection_id, sku)) WITHOUT ROWID;
CREATE INDEX listings_place ON listings (connection_id, place);
CREATE TABLE stock_places (id INTEGER PRIMARY KEY CHECK (id = 1), place INTEGER NOT NULL);
INSERT INTO stock_places (id, place) VALUES (1, 0);
