//! The conservation ledger: counters, and the count from rows that checks them.
//!
//! What always holds: `received` is a counter of its own, so that `received = the sum of the rest`
//! is a check and no tautology; what polls read again without change is counted as `unchanged`.

use super::SqliteStore;
use super::codec::{Columns, Result, corrupt, day_number, day_of, day_text, timestamp, uint};
use super::reader::Reader;
use super::wire;
use crate::canonical::inbox::LedgerLine;
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::store::Scope;
use crate::store::query::LedgerFilter;
use rusqlite::params;
use std::collections::{BTreeMap, HashMap};

type Lines = BTreeMap<(ConnectionId, i64), LedgerLine>;

fn add(lines: &mut Lines, connection: ConnectionId, day: i64, what: &str, n: u64) -> Result<()> {
    let line = lines
        .entry((connection, day))
        .or_insert_with(|| LedgerLine {
            connection_id: connection.to_string(),
            day: day_text(day),
            ..LedgerLine::default()
        });
    let counter = match what {
        "received" => &mut line.received,
        "pending" => &mut line.pending,
        "applied" => &mut line.applied,
        "unchanged" | "reread" => &mut line.unchanged,
        "stale" => &mut line.stale,
        "duplicate" => &mut line.duplicate,
        "ignored" => &mut line.ignored,
        "problem" => &mut line.problem,
        _ => return Err(corrupt("an unknown counter in the ledger")),
    };
    *counter = counter.saturating_add(n);
    Ok(())
}

/// Which connections a scope sees.
fn owners(reader: &Reader<'_>) -> Result<HashMap<ConnectionId, MerchantId>> {
    let mut query = reader
        .conn
        .prepare_cached("SELECT id, merchant_id FROM connections")?;
    let mut rows = query.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        found.insert(
            ConnectionId::from_uuid(row.uuid(0)?),
            MerchantId::from_uuid(row.uuid(1)?),
        );
    }
    Ok(found)
}

fn recount(reader: &Reader<'_>) -> Result<Lines> {
    let mut lines = Lines::new();
    let mut query = reader
        .conn
        .prepare("SELECT connection_id, received_at, disposition FROM inbox")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let connection = ConnectionId::from_uuid(row.uuid(0)?);
        let day = day_of(timestamp(row.get(1)?)?);
        let what = row.text(2)?;
        add(&mut lines, connection, day, &what, 1)?;
        add(&mut lines, connection, day, "received", 1)?;
    }
    let mut query = reader
        .conn
        .prepare("SELECT connection_id, day, n FROM ledger WHERE disposition = 'reread'")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let connection = ConnectionId::from_uuid(row.uuid(0)?);
        let (day, n) = (row.get(1)?, row.number(2)?);
        add(&mut lines, connection, day, "reread", n)?;
        add(&mut lines, connection, day, "received", n)?;
    }
    let mut query = reader
        .conn
        .prepare("SELECT o.done, w.head FROM wire_open o JOIN wire_batches w USING (place)")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let done: Vec<u8> = row.get(0)?;
        let head: Vec<u8> = row.get(1)?;
        for (index, entry) in wire::read_head(&head)?.into_iter().enumerate() {
            let decided = done
                .get(index / 8)
                .is_some_and(|bits| bits & (1 << (index % 8)) != 0);
            if !decided {
                let day = day_of(entry.received_at);
                add(&mut lines, entry.connection_id, day, "pending", 1)?;
                add(&mut lines, entry.connection_id, day, "received", 1)?;
            }
        }
    }
    Ok(lines)
}

impl SqliteStore {
    pub(super) async fn ledger(
        &self,
        scope: Scope,
        filter: LedgerFilter,
    ) -> Result<Vec<LedgerLine>> {
        self.read(move |reader| {
            // A text that is no day has no lines.
            let day = filter
                .day
                .as_deref()
                .map(|text| day_number(text).unwrap_or(i64::MIN));
            let owners = owners(reader)?;
            let mut query = reader.conn.prepare_cached(
                "SELECT connection_id, day, disposition, n FROM ledger
                 WHERE (?1 IS NULL OR connection_id = ?1) AND (?2 IS NULL OR day = ?2)",
            )?;
            let connection = filter.connection_id.map(|id| *id.as_bytes());
            let mut rows = query.query(params![connection, day])?;
            let mut lines = Lines::new();
            while let Some(row) = rows.next()? {
                let id = ConnectionId::from_uuid(row.uuid(0)?);
                let visible = match scope {
                    Scope::All => true,
                    Scope::Merchant(own) => owners.get(&id) == Some(&own),
                };
                if visible {
                    let n: i64 = row.get(3)?;
                    add(&mut lines, id, row.get(1)?, &row.text(2)?, uint(n))?;
                }
            }
            Ok(lines.into_values().collect())
        })
        .await
    }

    pub(super) async fn recount_ledger(&self) -> Result<Vec<LedgerLine>> {
        self.read(|reader| Ok(recount(reader)?.into_values().collect()))
            .await
    }

    pub(super) async fn count_refused(
        &self,
        connection_id: ConnectionId,
        day: Timestamp,
        reason: &str,
        n: u64,
    ) -> Result<()> {
        let (reason, day) = (reason.to_owned(), day_of(day));
        self.write(64, move |ctx| {
            ctx.conn
                .prepare_cached(
                    "INSERT INTO refused (connection_id, day, reason, n) VALUES (?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET n = n + excluded.n",
                )?
                .execute(params![
                    connection_id.as_bytes(),
                    day,
                    reason,
                    super::codec::int(n)
                ])?;
            Ok(())
        })
        .await
    }
}
