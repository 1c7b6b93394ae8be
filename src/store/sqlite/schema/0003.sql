-- Parcels, tracking, cash on delivery, documents and pickup points. What is sealed here or in
-- `snapshots` is the merchant's; the columns beside it are what queries need.

-- Parcels of shipments. `since`: when it got its status (before any scan: when its label was
-- bought); `track_at`: when the carrier is asked for it next, NULL when it is not any more.
CREATE TABLE parcels (
  id BLOB PRIMARY KEY, shipment_id BLOB NOT NULL, order_id BLOB NOT NULL, merchant_id BLOB NOT NULL,
  connection_id BLOB, tracking_number TEXT, status TEXT NOT NULL, since INTEGER NOT NULL,
  track_at INTEGER) WITHOUT ROWID;
-- A number is one parcel's at an account; without an account (the warehouse ships) it may repeat.
CREATE UNIQUE INDEX parcels_number ON parcels (tracking_number, connection_id)
  WHERE tracking_number IS NOT NULL;
CREATE INDEX parcels_shipment ON parcels (shipment_id);
CREATE INDEX parcels_due ON parcels (connection_id, track_at, id) WHERE track_at IS NOT NULL;
CREATE INDEX shipments_merchant ON shipments (merchant_id, id);
CREATE INDEX shipments_connection ON shipments (connection_id, id) WHERE connection_id IS NOT NULL;
CREATE INDEX shipments_status ON shipments (status, id);
CREATE INDEX shipments_reference ON shipments (shipment_ref, id);
-- Shipments of older schemas: their parcels are read out of their snapshots when the keys are there.
INSERT INTO meta (name, value) SELECT 'parcels_unread', x'01' WHERE EXISTS (SELECT 1 FROM shipments);

-- What carriers told of an order's parcels; `n` is the order of arrival. Snapshot kind 3, version 1.
CREATE TABLE tracking_events (
  order_id BLOB NOT NULL, id BLOB NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (order_id, id)) WITHOUT ROWID;

-- The COD ledger's items. Snapshot kind 4 by version. Amounts are units of 10^-scale, so that they
-- are summed exactly; `collected` is NULL when nothing was, or another currency.
CREATE TABLE cod_items (
  id BLOB PRIMARY KEY, order_id BLOB NOT NULL, merchant_id BLOB NOT NULL,
  connection_id BLOB NOT NULL, status TEXT NOT NULL, currency TEXT NOT NULL,
  due INTEGER NOT NULL, due_scale INTEGER NOT NULL, collected INTEGER, collected_scale INTEGER,
  version INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX cod_items_order ON cod_items (order_id, id);
CREATE INDEX cod_items_merchant ON cod_items (merchant_id, id);
CREATE INDEX cod_items_connection ON cod_items (connection_id, id);
CREATE INDEX cod_items_status ON cod_items (status, id);

-- Labels and other papers; `about` is the reference as JSON, `sealed` the bytes.
CREATE TABLE documents (
  row INTEGER PRIMARY KEY, id BLOB NOT NULL, merchant_id BLOB NOT NULL, shipment_id BLOB NOT NULL,
  about TEXT NOT NULL, created_at INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE UNIQUE INDEX documents_id ON documents (id);

-- Pickup points, no personal data. `points` is what is searched, `point_data` the whole point, and
-- `point_seen` which account's directory had it last: a reading without news rewrites only that.
CREATE TABLE points (
  row INTEGER PRIMARY KEY, network TEXT NOT NULL, point_id TEXT NOT NULL, country TEXT,
  kind TEXT NOT NULL, takes_cod INTEGER NOT NULL, lat REAL, lon REAL, hash BLOB NOT NULL,
  gone_at INTEGER);
CREATE UNIQUE INDEX points_id ON points (network, point_id);
CREATE INDEX points_country ON points (country, network, point_id) WHERE gone_at IS NULL;
CREATE TABLE point_data (row INTEGER PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE point_seen (
  row INTEGER PRIMARY KEY, connection_id BLOB NOT NULL, reading INTEGER NOT NULL);
-- Words of the points that are there. `tags` holds network, country, kind and `cod` as made-up words.
CREATE VIRTUAL TABLE point_words USING fts5 (
  name, city, code, street, tags, content = '', contentless_delete = 1, prefix = '1 2 3',
  tokenize = 'unicode61 remove_diacritics 2');
-- Places of the points that are there: latitude and longitude in degrees, then the network's and
-- the country's number, so that a search within one network meets no other.
CREATE VIRTUAL TABLE point_places USING rtree (
  row, lat0, lat1, lon0, lon1, network0, network1, country0, country1);
CREATE TABLE point_networks (number INTEGER PRIMARY KEY, network TEXT NOT NULL UNIQUE);
CREATE TABLE directories (
  connection_id BLOB NOT NULL, network TEXT NOT NULL, points INTEGER NOT NULL,
  loaded_at INTEGER NOT NULL, PRIMARY KEY (connection_id, network)) WITHOUT ROWID;
