-- Numbers that a former request of a shipment bought (their labels are void): what a carrier tells of
-- them finds the order.
CREATE TABLE former_numbers (
  tracking_number TEXT NOT NULL, connection_id BLOB NOT NULL, order_id BLOB NOT NULL,
  merchant_id BLOB NOT NULL, PRIMARY KEY (tracking_number, connection_id)) WITHOUT ROWID;
