//! Keys begin with the merchant, so that tables can be spread over machines by it.

use super::*;
use std::collections::BTreeSet;
use tokio_postgres::{Client, NoTls};

/// Tables that do not grow with orders: every machine would have them whole.
const EVERYWHERE: [&str; 22] = [
    "audit",
    "connections",
    "credentials",
    "crossdock_schemas",
    "cursors",
    "data_keys",
    "directories",
    "event_log",
    "idempotency",
    "merchants",
    "meta",
    "nodes",
    "placements",
    "point_data",
    "point_networks",
    "point_seen",
    "point_words",
    "points",
    "stock_places",
    "subscriptions",
    "tokens",
    // Numbers that a replaced label had: few.
    "former_numbers",
];

/// Unique over all merchants: what a shared carrier's account has, one lease of an ordering key, and a
/// level's place in the order of changes.
const OVER_ALL: [&str; 3] = ["parcels_held", "jobs_leased_once", "stock_levels_place"];

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_begin_with_the_merchant() {
    let url = server::fresh_url().await;
    let at = url.clone();
    let store = aside(move || open(&at, options(), true).unwrap()).await;
    let client = client(&url).await;
    let rows = client
        .query(
            "SELECT t.relname::text, i.relname::text, a.attname::text, a.attnotnull
             FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
               JOIN pg_class i ON i.oid = x.indexrelid
               JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
             WHERE x.indisunique AND t.relnamespace = current_schema()::regnamespace",
            &[],
        )
        .await
        .unwrap();
    let mut spread = BTreeSet::new();
    for row in rows {
        let (table, index): (String, String) = (row.get(0), row.get(1));
        if EVERYWHERE.contains(&table.as_str()) || OVER_ALL.contains(&index.as_str()) {
            continue;
        }
        let first: (&str, bool) = (row.get(2), row.get(3));
        assert_eq!(first, ("merchant_id", true), "{index} of {table}");
        spread.insert(table);
    }
    let known = client
        .query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()",
            &[],
        )
        .await
        .unwrap();
    let all: BTreeSet<String> = known.iter().map(|row| row.get(0)).collect();
    let everywhere = EVERYWHERE.iter().map(|table| (*table).to_owned());
    let judged: BTreeSet<String> = spread.into_iter().chain(everywhere).collect();
    assert_eq!(all, judged);
    Store::close(&store).await;
}

/// Undoes `schema/0003.sql`.
const BEFORE: &str = "
    DROP INDEX snapshots_object, tracking_events_order, events_sequence, events_id, orders_external,
      orders_found, wire_open_place, wire_open_raw;
    ALTER TABLE events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (sequence);
    CREATE UNIQUE INDEX events_id ON events (id);
    CREATE INDEX events_merchant ON events (merchant_id, sequence);
    ALTER TABLE wire_open DROP CONSTRAINT wire_open_pkey, ADD PRIMARY KEY (place);
    CREATE UNIQUE INDEX wire_open_raw ON wire_open (raw_id);
    CREATE UNIQUE INDEX orders_external ON orders (external_id, connection_id);
    ALTER TABLE snapshots DROP COLUMN merchant_id, ADD PRIMARY KEY (object_id, kind, version);
    ALTER TABLE tracking_events DROP COLUMN merchant_id, ADD PRIMARY KEY (order_id, id);
    ALTER TABLE attempts DROP COLUMN merchant_id, ADD PRIMARY KEY (id);
    ALTER TABLE dedupe DROP COLUMN merchant_id, ADD PRIMARY KEY (key);
    ALTER TABLE ledger DROP COLUMN merchant_id, ADD PRIMARY KEY (connection_id, day, disposition);
    ALTER TABLE refused DROP COLUMN merchant_id, ADD PRIMARY KEY (connection_id, day, reason);
    ALTER TABLE subjects DROP COLUMN merchant_id,
      ADD PRIMARY KEY (connection_id, external_id, kind);
    ALTER TABLE listings DROP COLUMN merchant_id, ADD PRIMARY KEY (connection_id, sku);
    DELETE FROM crossdock_schemas WHERE version >= 3";

/// The merchants of a table's rows.
async fn merchants(client: &Client, table: &str) -> Vec<(uuid::Uuid, i64)> {
    let sql = format!("SELECT merchant_id, count(*) FROM {table} GROUP BY 1 ORDER BY 1");
    let rows = client.query(&sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_before_get_their_merchant() {
    let (url, options) = (server::fresh_url().await, options());
    let store: Arc<dyn Store> = Arc::new(open(&url, options.clone(), true).unwrap());
    for _ in 0..2 {
        let bench = Bench::new(&store).await;
        bench.put(bench.shipped("1", "N1")).await;
        bench.appended("{}").await;
        let reason = "signature";
        let of = bench.connection.id;
        store.count_refused(of, at(0), reason, 2).await.unwrap();
    }
    let ledger = store.ledger(Scope::All, Default::default()).await.unwrap();
    store.close().await;
    let client = client(&url).await;
    let mut before = Vec::new();
    for table in ["snapshots", "ledger", "refused"] {
        let of = merchants(&client, table).await;
        assert_eq!(of.len(), 2, "{table}");
        before.push((table, of));
    }
    client.batch_execute(BEFORE).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(open(&url, options, true).unwrap());
    for (table, of) in before {
        assert_eq!(merchants(&client, table).await, of, "{table}");
    }
    let again = store.ledger(Scope::All, Default::default()).await.unwrap();
    assert_eq!(again, ledger);
    let page = crate::store::query::PageRequest {
        limit: 10,
        after: None,
    };
    let orders = store.orders(Scope::All, Default::default(), page).await;
    assert_eq!(orders.unwrap().data.len(), 2);
    store.close().await;
}
