-- Of the parcels of a shipment that share a number at an account, one holds it: no other shipment can,
-- whichever nodes write at the same moment.
ALTER TABLE parcels ADD COLUMN holds bigint NOT NULL DEFAULT 0;
UPDATE parcels SET holds = 1
  WHERE tracking_number IS NOT NULL AND connection_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM parcels o WHERE o.tracking_number = parcels.tracking_number
      AND o.connection_id = parcels.connection_id AND o.id < parcels.id);
CREATE UNIQUE INDEX parcels_held ON parcels (tracking_number, connection_id) WHERE holds = 1;
