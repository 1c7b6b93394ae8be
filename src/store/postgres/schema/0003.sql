-- The keys of all that grows with a merchant's orders begin with the merchant, so that these tables can
-- be spread over machines by it. What is looked for by an id alone has an index of its own.

ALTER TABLE snapshots ADD COLUMN merchant_id uuid;
UPDATE snapshots s SET merchant_id = o.merchant_id
  FROM (SELECT id, merchant_id, 0 AS kind FROM orders
        UNION ALL SELECT id, merchant_id, 1 FROM fulfillment_orders
        UNION ALL SELECT id, merchant_id, 2 FROM shipments
        UNION ALL SELECT t.id, o.merchant_id, 3
          FROM tracking_events t JOIN orders o ON o.id = t.order_id
        UNION ALL SELECT id, merchant_id, 4 FROM cod_items) o
  WHERE o.id = s.object_id AND o.kind = s.kind;
UPDATE snapshots SET merchant_id = '00000000-0000-0000-0000-000000000000' WHERE merchant_id IS NULL;
ALTER TABLE snapshots ALTER COLUMN merchant_id SET NOT NULL, DROP CONSTRAINT snapshots_pkey,
  ADD PRIMARY KEY (merchant_id, object_id, kind, version);
CREATE INDEX snapshots_object ON snapshots (object_id, kind, version);

ALTER TABLE tracking_events ADD COLUMN merchant_id uuid;
UPDATE tracking_events t SET merchant_id = o.merchant_id FROM orders o WHERE o.id = t.order_id;
UPDATE tracking_events SET merchant_id = '00000000-0000-0000-0000-000000000000'
  WHERE merchant_id IS NULL;
ALTER TABLE tracking_events ALTER COLUMN merchant_id SET NOT NULL,
  DROP CONSTRAINT tracking_events_pkey, ADD PRIMARY KEY (merchant_id, order_id, id);
CREATE INDEX tracking_events_order ON tracking_events (order_id, n);

ALTER TABLE attempts ADD COLUMN merchant_id uuid;
UPDATE attempts a SET merchant_id = j.merchant_id FROM jobs j WHERE j.id = a.job_id;
UPDATE attempts SET merchant_id = '00000000-0000-0000-0000-000000000000' WHERE merchant_id IS NULL;
ALTER TABLE attempts ALTER COLUMN merchant_id SET NOT NULL, DROP CONSTRAINT attempts_pkey,
  ADD PRIMARY KEY (merchant_id, id);

ALTER TABLE dedupe ADD COLUMN merchant_id uuid;
UPDATE dedupe d SET merchant_id = i.merchant_id FROM inbox i WHERE i.id = d.record_id;
UPDATE dedupe SET merchant_id = '00000000-0000-0000-0000-000000000000' WHERE merchant_id IS NULL;
ALTER TABLE dedupe ALTER COLUMN merchant_id SET NOT NULL, DROP CONSTRAINT dedupe_pkey,
  ADD PRIMARY KEY (merchant_id, key);

DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY ARRAY['ledger', 'refused', 'subjects', 'listings'] LOOP
    EXECUTE format('ALTER TABLE %I ADD COLUMN merchant_id uuid', t);
    EXECUTE format('UPDATE %I t SET merchant_id = c.merchant_id FROM connections c
                    WHERE c.id = t.connection_id', t);
    EXECUTE format('UPDATE %I SET merchant_id = ''00000000-0000-0000-0000-000000000000''
                    WHERE merchant_id IS NULL', t);
    EXECUTE format('ALTER TABLE %1$I ALTER COLUMN merchant_id SET NOT NULL,
                    DROP CONSTRAINT %2$I', t, t || '_pkey');
  END LOOP;
END $$;
ALTER TABLE ledger ADD PRIMARY KEY (merchant_id, connection_id, day, disposition);
ALTER TABLE refused ADD PRIMARY KEY (merchant_id, connection_id, day, reason);
ALTER TABLE subjects ADD PRIMARY KEY (merchant_id, connection_id, external_id, kind);
ALTER TABLE listings ADD PRIMARY KEY (merchant_id, connection_id, sku);

ALTER TABLE events DROP CONSTRAINT events_pkey;
DROP INDEX events_id, events_merchant;
ALTER TABLE events ADD PRIMARY KEY (merchant_id, sequence);
CREATE INDEX events_sequence ON events (sequence);
CREATE INDEX events_id ON events (id);

ALTER TABLE wire_open DROP CONSTRAINT wire_open_pkey;
DROP INDEX wire_open_raw;
ALTER TABLE wire_open ADD PRIMARY KEY (merchant_id, place);
CREATE INDEX wire_open_place ON wire_open (place);
CREATE INDEX wire_open_raw ON wire_open (raw_id);

DROP INDEX orders_external;
CREATE UNIQUE INDEX orders_external ON orders (merchant_id, external_id, connection_id);
CREATE INDEX orders_found ON orders (external_id, connection_id);
