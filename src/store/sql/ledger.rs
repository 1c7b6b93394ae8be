//! The conservation ledger: counters, and the count from rows that checks them.
//!
//! What always holds: `received` is a counter of its own, so that `received = the sum of the rest`
//! is a check and no tautology; what polls read again without change is counted as `unchanged`.

use super::SqlStore;
use super::codec::{
    Columns, Filter, Result, blob, corrupt, day_number, day_of, day_text, timestamp, uint,
};
use super::inbox;
use super::reader::Reader;
use super::value::{params, params_from_iter};
use crate::canonical::inbox::LedgerLine;
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::store::Scope;
use crate::store::query::LedgerFilter;
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
        .prepare_cached("SELECT connection_id, received_at, disposition FROM inbox")?;
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
        .prepare_cached("SELECT connection_id, day, n FROM ledger WHERE disposition = 'reread'")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let connection = ConnectionId::from_uuid(row.uuid(0)?);
        let (day, n) = (row.get(1)?, row.number(2)?);
        add(&mut lines, connection, day, "reread", n)?;
        add(&mut lines, connection, day, "received", n)?;
    }
    inbox::each_pending(reader.conn, u64::MAX >> 1, &mut |_, entry| {
        let day = day_of(entry.received_at);
        add(&mut lines, entry.connection_id, day, "pending", 1)?;
        add(&mut lines, entry.connection_id, day, "received", 1)?;
        Ok(true)
    })?;
    Ok(lines)
}

impl SqlStore {
    pub(in crate::store) async fn ledger(
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
            let mut conditions = Filter::default();
            if let Some(id) = filter.connection_id {
                conditions.and("connection_id = ?", blob(id.uuid()));
            }
            if let Some(day) = day {
                conditions.and("day = ?", day);
            }
            let owners = owners(reader)?;
            let mut query = reader.conn.prepare_cached(&format!(
                "SELECT connection_id, day, disposition, n FROM ledger{}",
                conditions.sql()
            ))?;
            let mut rows = query.query(params_from_iter(&conditions.args))?;
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

    pub(in crate::store) async fn recount_ledger(&self) -> Result<Vec<LedgerLine>> {
        self.read(|reader| Ok(recount(reader)?.into_values().collect()))
            .await
    }

    pub(in crate::store) async fn count_refused(
        &self,
        connection_id: ConnectionId,
        day: Timestamp,
        reason: &str,
        n: u64,
    ) -> Result<()> {
        let (reason, day) = (reason.to_owned(), day_of(day));
        self.write(64, move |ctx| {
            let owner = ctx.conn.owner_of_connection("?1");
            ctx.conn
                .prepare_cached(&format!(
                    "INSERT INTO refused ({0}connection_id, day, reason, n)
                     VALUES ({1}?1, ?2, ?3, ?4)
                     ON CONFLICT ({0}connection_id, day, reason)
                       DO UPDATE SET n = refused.n + excluded.n",
                    owner.column, owner.value
                ))?
                .run(params![
                    connection_id.as_bytes(),
                    day,
                    reason,
                    super::codec::int(n)
                ])
        })
        .await
    }
}
