-- The order that this one repeats (flow::duplicates): found again when that one is cancelled.
ALTER TABLE orders ADD COLUMN duplicate_of BLOB;
CREATE INDEX orders_duplicate_of ON orders (duplicate_of, id) WHERE duplicate_of IS NOT NULL;
