-- Parcels of one shipment may share a number (one label for all of them); that no other shipment
-- has it at the same account is seen to when it is written.
DROP INDEX parcels_number;
CREATE INDEX parcels_number ON parcels (tracking_number, connection_id)
  WHERE tracking_number IS NOT NULL;
