//! The embedded store, copied to a server.
//!
//! What always holds: nobody else has either of them open; the copy is one transaction into a store
//! that is empty, so that it is there wholly or not at all; every row is counted on both sides.

use super::open::{StoreOptions, sqlite_path};
use super::sql::codec::{Result, corrupt, int, micros, word};
use super::sql::conn::Conn;
use super::sql::points::NewPoint;
use super::sql::value::{Value, params, params_from_iter};
use super::sql::wire;
use super::{Scope, Store, StoreError, postgres, sqlite};

/// Tables that are alike on both sides; a table's columns are those of the server's.
const TABLES: [&str; 35] = [
    "meta",
    "data_keys",
    "merchants",
    "connections",
    "credentials",
    "cursors",
    "inbox",
    "ledger",
    "refused",
    "subjects",
    "dedupe",
    "orders",
    "fulfillment_orders",
    "shipments",
    "snapshots",
    "parcels",
    "former_numbers",
    "tracking_events",
    "cod_items",
    "documents",
    "events",
    "jobs",
    "attempts",
    "problems",
    "subscriptions",
    "deliveries",
    "tokens",
    "idempotency",
    "audit",
    "points",
    "point_data",
    "point_seen",
    "point_networks",
    "directories",
    "stock_levels",
];
/// As [`TABLES`]; with a row that the server's schema begins with.
const MORE: [&str; 2] = ["listings", "stock_places"];

/// What numbers go on from.
const COUNTERS: [&str; 5] = [
    "SELECT setval(pg_get_serial_sequence('data_keys', 'key_id'), coalesce(max(key_id), 1)) FROM data_keys",
    "SELECT setval(pg_get_serial_sequence('points', 'row'), coalesce(max(row), 1)) FROM points",
    "SELECT setval(pg_get_serial_sequence('point_networks', 'number'), coalesce(max(number), 1)) FROM point_networks",
    "SELECT setval('wire_places', coalesce(max(place), 1)) FROM wire_open",
    "UPDATE event_log SET last = (SELECT coalesce(max(sequence), 0) FROM events) RETURNING last",
];

/// Copies an embedded store (`sqlite://…`) into an empty one on a server (`postgres://…`); yields how
/// many rows each table has. Nobody may have them open.
///
/// # Errors
/// `Unavailable` when one of them is open elsewhere; `Exists` when the server's is not empty;
/// `Corrupt` when the counts differ: then nothing was copied.
pub fn copy(from: &str, to: &str, options: &StoreOptions) -> Result<Vec<(&'static str, u64)>> {
    let source = sqlite::exclusive(&sqlite_path(from, options.clone())?)?;
    postgres::fill(to, options.clone(), move |target| {
        let source = Conn::Sqlite(&source.conn);
        empty(target)?;
        let mut counts = Vec::new();
        for table in TABLES.into_iter().chain(MORE) {
            counts.push((table, rows(source, target, table)?));
        }
        counts.push(("wire", deliveries(source, target)?));
        points(target)?;
        for counter in COUNTERS {
            target.prepare_cached(counter)?.query(params![])?;
        }
        target.settle()?;
        for (table, n) in &counts {
            let there = count(target, table)?;
            if there != *n {
                return Err(corrupt("a table has another count of rows than was copied"));
            }
        }
        Ok(counts)
    })
}

/// Whether two stores tell the same: the ledger, also counted anew, and the end of the event log.
///
/// # Errors
/// `Corrupt` when they do not; what reading them says.
pub async fn compare(from: &dyn Store, to: &dyn Store) -> Result<()> {
    let all = super::query::LedgerFilter::default;
    let same = from.last_sequence().await? == to.last_sequence().await?
        && from.ledger(Scope::All, all()).await? == to.ledger(Scope::All, all()).await?
        && from.recount_ledger().await? == to.recount_ledger().await?;
    if same {
        Ok(())
    } else {
        Err(corrupt("the copy's ledger or event log is another one"))
    }
}

fn count(conn: Conn<'_>, table: &str) -> Result<u64> {
    let n: i64 = conn
        .prepare_cached(&format!("SELECT count(*) FROM {table}"))?
        .query_row(params![], |row| row.get(0))?;
    Ok(u64::try_from(n).unwrap_or(0))
}

/// Takes out what a new store begins with; anything more is somebody's.
fn empty(target: Conn<'_>) -> Result<()> {
    let used = count(target, "merchants")? > 1
        || count(target, "events")? > 0
        || count(target, "connections")? > 0
        || count(target, "tokens")? > 0;
    if used {
        return Err(StoreError::Exists(
            "the store to copy to is not empty".to_owned(),
        ));
    }
    for table in ["meta", "data_keys", "merchants", "stock_places"] {
        target
            .prepare_cached(&format!("DELETE FROM {table}"))?
            .execute(params![])?;
    }
    Ok(())
}

/// How the embedded store finds the merchant of a row of a table that has none there; the operator's
/// where it does not.
fn merchant_of(table: &str) -> Option<&'static str> {
    const OF_CONNECTION: &str =
        "SELECT c.merchant_id FROM connections c WHERE c.id = t.connection_id";
    match table {
        "ledger" | "refused" | "subjects" | "listings" => Some(OF_CONNECTION),
        "attempts" => Some("SELECT j.merchant_id FROM jobs j WHERE j.id = t.job_id"),
        "tracking_events" => Some("SELECT o.merchant_id FROM orders o WHERE o.id = t.order_id"),
        "dedupe" => Some("SELECT i.merchant_id FROM inbox i WHERE i.id = t.record_id"),
        "snapshots" => Some(
            "CASE t.kind
               WHEN 0 THEN (SELECT merchant_id FROM orders WHERE id = t.object_id)
               WHEN 1 THEN (SELECT merchant_id FROM fulfillment_orders WHERE id = t.object_id)
               WHEN 2 THEN (SELECT merchant_id FROM shipments WHERE id = t.object_id)
               WHEN 3 THEN (SELECT o.merchant_id FROM tracking_events e
                              JOIN orders o ON o.id = e.order_id WHERE e.id = t.object_id)
               WHEN 4 THEN (SELECT merchant_id FROM cod_items WHERE id = t.object_id) END",
        ),
        _ => None,
    }
}

fn rows(source: Conn<'_>, target: Conn<'_>, table: &str) -> Result<u64> {
    let columns = target
        .prepare_cached(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = current_schema() AND CAST(table_name AS text) = ?
             ORDER BY ordinal_position",
        )?
        .query_map(params![table], |row| row.get::<String>(0))?
        .collect::<Result<Vec<_>>>()?;
    let marks = vec!["?"; columns.len()].join(", ");
    let list = columns.join(", ");
    let mut insert =
        target.prepare_cached(&format!("INSERT INTO {table} ({list}) VALUES ({marks})"))?;
    let read: Vec<String> = columns
        .iter()
        .map(|column| match (column.as_str(), merchant_of(table)) {
            ("merchant_id", Some(found)) => {
                format!("coalesce(({found}), zeroblob(16)) AS merchant_id")
            }
            _ => format!("t.{column}"),
        })
        .collect();
    let mut query = source.prepare_cached(&format!("SELECT {} FROM {table} t", read.join(", ")))?;
    let mut rows = query.query(params![])?;
    let mut n = 0;
    while let Some(row) = rows.next()? {
        let values = (0..columns.len())
            .map(|at| row.get::<Value>(at))
            .collect::<Result<Vec<_>>>()?;
        insert.run(params_from_iter(&values))?;
        n += 1;
    }
    Ok(n)
}

/// Deliveries out of their batches; places stay as they are.
fn deliveries(source: Conn<'_>, target: Conn<'_>) -> Result<u64> {
    let mut wire_row = target.prepare_cached(
        "INSERT INTO wire (merchant_id, raw_id, connection_id, source, topic, received_at,
           dedupe_key, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut open_row = target.prepare_cached(
        "INSERT INTO wire_open (place, merchant_id, raw_id, connection_id, received_at)
         VALUES (?, ?, ?, ?, ?)",
    )?;
    let mut query = source.prepare_cached(
        "SELECT w.place, w.head, w.body, o.done FROM wire_batches w
         LEFT JOIN wire_open o ON o.place = w.place ORDER BY w.place",
    )?;
    let mut rows = query.query(params![])?;
    let mut n = 0;
    while let Some(row) = rows.next()? {
        let place: i64 = row.get(0)?;
        let (body, done) = (row.blob(2)?, row.get::<Option<Vec<u8>>>(3)?);
        for (index, entry) in (0u16..).zip(wire::read_head(row.blob(1)?)?) {
            let (merchant, raw) = (entry.merchant_id.as_bytes(), entry.raw_id.as_bytes());
            let connection = entry.connection_id.as_bytes();
            let at = micros(entry.received_at);
            let source = word(&entry.source);
            let sealed = entry.of(body)?;
            wire_row.run(params![
                merchant,
                raw,
                connection,
                source,
                entry.topic,
                at,
                entry.dedupe_key,
                sealed
            ])?;
            if done.as_ref().is_some_and(|done| sqlite::waits(done, index)) {
                let place = (place << 16) | i64::from(index);
                open_row.run(params![place, merchant, raw, connection, at])?;
            }
            n += 1;
        }
    }
    Ok(n)
}

/// Makes the points that are there findable.
fn points(target: Conn<'_>) -> Result<()> {
    let (mut after, limit) = (0, int(500));
    loop {
        let mut query = target.prepare_cached(
            "SELECT p.row, d.data FROM points p JOIN point_data d ON d.row = p.row
             WHERE p.gone_at IS NULL AND p.row > ? ORDER BY p.row LIMIT ?",
        )?;
        let mut rows = query.query(params![after, limit])?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            after = row.get(0)?;
            seen += 1;
            let point = super::sql::codec::from_json(row.str(1)?.as_bytes())?;
            postgres::point_index::list(target, after, &NewPoint::of(&point)?)?;
        }
        if seen < limit {
            return Ok(());
        }
    }
}
