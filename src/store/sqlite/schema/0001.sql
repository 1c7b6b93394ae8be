-- The first schema. Ids are 16 bytes (UUIDv7, so that new rows go to the right edge of their tree),
-- times are microseconds since 1970 UTC, enums are their JSON words, `sealed` columns are
-- ciphertexts of store/vault.rs.

CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- One data key a merchant (the newest seals), wrapped by the master key. Deleting it erases.
CREATE TABLE data_keys (
  key_id INTEGER PRIMARY KEY AUTOINCREMENT, merchant_id BLOB NOT NULL, wrapped BLOB NOT NULL,
  created_at INTEGER NOT NULL);
CREATE INDEX data_keys_merchant ON data_keys (merchant_id, key_id);

CREATE TABLE merchants (id BLOB PRIMARY KEY, name TEXT NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;

-- `data` is the Connection as JSON; the columns beside it are what queries and checks need.
CREATE TABLE connections (
  id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL,
  epoch INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX connections_merchant ON connections (merchant_id, id);
CREATE TABLE credentials (
  connection_id BLOB NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
  PRIMARY KEY (connection_id, name)) WITHOUT ROWID;
CREATE TABLE cursors (
  connection_id BLOB NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (connection_id, name)) WITHOUT ROWID;

-- What came over the wire: all deliveries of one group commit in one row. `head` lists them (see
-- inbox.rs), `body` is their ciphertexts side by side. Place of a delivery = place × 65536 + index.
CREATE TABLE wire_batches (place INTEGER PRIMARY KEY, head BLOB NOT NULL, body BLOB NOT NULL);
-- Batches with deliveries that still wait: how many, and a bit for each that is done.
CREATE TABLE wire_open (place INTEGER PRIMARY KEY, open INTEGER NOT NULL, done BLOB NOT NULL);
-- Where a decided delivery lies (pending ones are found through wire_open).
CREATE TABLE wire_index (raw_id BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE inbox (
  id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, connection_id BLOB NOT NULL,
  raw_id BLOB NOT NULL, idx INTEGER NOT NULL, source TEXT NOT NULL, topic TEXT NOT NULL,
  received_at INTEGER NOT NULL, kind TEXT, external_id TEXT, disposition TEXT NOT NULL,
  reason TEXT, subject TEXT, duplicate_of TEXT, problem_id BLOB, mapping_version TEXT,
  decided_at INTEGER) WITHOUT ROWID;
CREATE INDEX inbox_connection ON inbox (connection_id, id);
CREATE INDEX inbox_external ON inbox (external_id, connection_id) WHERE external_id IS NOT NULL;
CREATE INDEX inbox_subject ON inbox (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX inbox_problem ON inbox (problem_id, id) WHERE problem_id IS NOT NULL;
-- Counters, moved in the transaction that moves the rows. Besides the dispositions: `received`, and
-- `reread` (unchanged records of polls, which are no rows).
CREATE TABLE ledger (
  connection_id BLOB NOT NULL, day INTEGER NOT NULL, disposition TEXT NOT NULL,
  n INTEGER NOT NULL, PRIMARY KEY (connection_id, day, disposition)) WITHOUT ROWID;
CREATE TABLE refused (
  connection_id BLOB NOT NULL, day INTEGER NOT NULL, reason TEXT NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (connection_id, day, reason)) WITHOUT ROWID;
CREATE TABLE subjects (
  connection_id BLOB NOT NULL, kind TEXT NOT NULL, external_id TEXT NOT NULL, hash BLOB NOT NULL,
  last_seen_at INTEGER NOT NULL, PRIMARY KEY (connection_id, external_id, kind)) WITHOUT ROWID;
-- `key` is the first half of a keyed hash of connection, topic and the provider's delivery id.
CREATE TABLE dedupe (key BLOB PRIMARY KEY, record_id BLOB NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX dedupe_at ON dedupe (at);

-- Index columns of the current state; the object is the snapshot of that version.
CREATE TABLE orders (
  id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, connection_id BLOB NOT NULL,
  external_id TEXT NOT NULL, status TEXT NOT NULL, number TEXT, placed_at INTEGER,
  updated_at INTEGER NOT NULL, lock INTEGER NOT NULL, version INTEGER NOT NULL,
  email INTEGER, phone INTEGER) WITHOUT ROWID;
CREATE UNIQUE INDEX orders_external ON orders (external_id, connection_id);
CREATE INDEX orders_merchant ON orders (merchant_id, id);
CREATE INDEX orders_status ON orders (status, id);
CREATE INDEX orders_number ON orders (number) WHERE number IS NOT NULL;
CREATE INDEX orders_email ON orders (email) WHERE email IS NOT NULL;
CREATE INDEX orders_phone ON orders (phone) WHERE phone IS NOT NULL;
CREATE TABLE fulfillment_orders (
  id BLOB PRIMARY KEY, order_id BLOB NOT NULL, merchant_id BLOB NOT NULL, status TEXT NOT NULL,
  location TEXT NOT NULL, cut_off_at INTEGER NOT NULL, priority INTEGER NOT NULL,
  request_pending INTEGER NOT NULL, remaining INTEGER NOT NULL, active INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX fulfillment_orders_order ON fulfillment_orders (order_id, id);
CREATE INDEX fulfillment_orders_merchant ON fulfillment_orders (merchant_id, id);
CREATE INDEX fulfillment_orders_work ON fulfillment_orders (cut_off_at, id) WHERE active = 1;
CREATE TABLE shipments (
  id BLOB PRIMARY KEY, order_id BLOB NOT NULL, merchant_id BLOB NOT NULL,
  fulfillment_order_id BLOB NOT NULL, shipment_ref TEXT NOT NULL, connection_id BLOB,
  status TEXT NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX shipments_order ON shipments (order_id, id);
CREATE UNIQUE INDEX shipments_ref ON shipments (fulfillment_order_id, shipment_ref);
-- Whole objects by version, as the API shows them. kind: 0 order, 1 fulfillment order, 2 shipment.
CREATE TABLE snapshots (
  row INTEGER PRIMARY KEY, object_id BLOB NOT NULL, kind INTEGER NOT NULL,
  version INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE UNIQUE INDEX snapshots_object ON snapshots (object_id, kind, version);

-- `refs`: 25 bytes a snapshot (kind, id, version); `extra`: the rest of `data` as JSON.
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL, type TEXT NOT NULL,
  at INTEGER NOT NULL, merchant_id BLOB NOT NULL, order_id BLOB, subject TEXT NOT NULL,
  cut_off_at INTEGER, refs BLOB NOT NULL, extra TEXT NOT NULL);
CREATE UNIQUE INDEX events_id ON events (id);
CREATE INDEX events_merchant ON events (merchant_id, sequence);
CREATE INDEX events_order ON events (order_id, sequence) WHERE order_id IS NOT NULL;

-- open = 1 while not done or dead; rerun = 1: runs once more when it is done.
CREATE TABLE jobs (
  id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, kind TEXT NOT NULL,
  connection_id BLOB NOT NULL, order_id BLOB, lane INTEGER NOT NULL, key TEXT NOT NULL,
  ordering_key TEXT NOT NULL, run_at INTEGER NOT NULL, attempts INTEGER NOT NULL,
  lease_owner TEXT, lease_until INTEGER, epoch INTEGER NOT NULL, step INTEGER NOT NULL,
  checkpoint BLOB, input BLOB NOT NULL, state TEXT NOT NULL, open INTEGER NOT NULL,
  rerun INTEGER NOT NULL, problem_id BLOB, created_at INTEGER NOT NULL,
  done_at INTEGER) WITHOUT ROWID;
CREATE UNIQUE INDEX jobs_key ON jobs (merchant_id, kind, key) WHERE open = 1;
CREATE INDEX jobs_due ON jobs (lane, run_at, connection_id) WHERE state = 'ready';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'leased';
CREATE INDEX jobs_ordering ON jobs (ordering_key, id) WHERE open = 1;
CREATE INDEX jobs_connection ON jobs (connection_id, id);
CREATE INDEX jobs_order ON jobs (order_id, id) WHERE order_id IS NOT NULL;
CREATE TABLE attempts (
  id BLOB PRIMARY KEY, job_id BLOB NOT NULL, n INTEGER NOT NULL, step TEXT NOT NULL,
  started_at INTEGER NOT NULL, sent_at INTEGER, class TEXT, reason TEXT, status INTEGER,
  duration_ms INTEGER, next_at INTEGER) WITHOUT ROWID;
CREATE INDEX attempts_job ON attempts (job_id, id);

CREATE TABLE problems (
  id BLOB PRIMARY KEY, merchant_id BLOB NOT NULL, class TEXT NOT NULL, code TEXT NOT NULL,
  subject TEXT NOT NULL, connection_id BLOB, first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL, count INTEGER NOT NULL, message TEXT NOT NULL,
  detail TEXT NOT NULL, hint TEXT, status TEXT NOT NULL, resolved_at INTEGER) WITHOUT ROWID;
CREATE UNIQUE INDEX problems_open ON problems (merchant_id, subject, code, class) WHERE status = 'open';
CREATE INDEX problems_subject ON problems (subject, id);
CREATE INDEX problems_status ON problems (status, id);

CREATE TABLE subscriptions (
  id BLOB PRIMARY KEY, merchant_id BLOB, url TEXT NOT NULL, event_types TEXT NOT NULL,
  state TEXT NOT NULL, disabled_reason TEXT, cursor INTEGER NOT NULL, created_at INTEGER NOT NULL,
  secret BLOB) WITHOUT ROWID;
CREATE TABLE deliveries (
  id BLOB PRIMARY KEY, subscription_id BLOB NOT NULL, merchant_id BLOB NOT NULL,
  event_id BLOB NOT NULL, sequence INTEGER NOT NULL, ordering_key TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL, first_at INTEGER NOT NULL, next_at INTEGER,
  last_status INTEGER, last_error TEXT, replay_of BLOB) WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (subscription_id, sequence, id) WHERE state = 'waiting';
CREATE INDEX deliveries_event ON deliveries (event_id);
CREATE INDEX deliveries_ordering ON deliveries (ordering_key);

CREATE TABLE tokens (
  id BLOB PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, scope TEXT NOT NULL,
  merchant_id BLOB, created_at INTEGER NOT NULL, revoked_at INTEGER) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE TABLE idempotency (
  scope TEXT NOT NULL, key TEXT NOT NULL, body_hash BLOB NOT NULL, status INTEGER, answer BLOB,
  at INTEGER NOT NULL, PRIMARY KEY (scope, key)) WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at);
CREATE TABLE audit (
  id BLOB PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  subject TEXT NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX audit_subject ON audit (subject, id);
