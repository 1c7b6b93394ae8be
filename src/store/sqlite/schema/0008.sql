-- When an order's personal data was taken out.
ALTER TABLE orders ADD COLUMN erased_at INTEGER;
CREATE INDEX orders_erasable ON orders (merchant_id, updated_at)
  WHERE erased_at IS NULL AND status IN ('fulfilled', 'closed', 'cancelled');
CREATE INDEX documents_shipment ON documents (shipment_id);
