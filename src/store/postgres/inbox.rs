//! Where deliveries wait in the server's store: one row each.
//!
//! What always holds: places rise in the order of commits; a delivery is taken once, by whoever
//! deletes its row of those that wait.

use super::session::Session;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::{ConnectionId, MerchantId, RawId, Timestamp};
use crate::store::query::{PendingDelivery, PendingPlace};
use crate::store::sql::Shared;
use crate::store::sql::codec::{Columns, Result, corrupt, day_of, int, micros, word};
use crate::store::sql::conn::{Conn, OptionalExtension};
use crate::store::sql::inbox::{unseal, waiting};
use crate::store::sql::reader::Reader;
use crate::store::sql::row::Row;
use crate::store::sql::value::{Value, params, params_from_iter};
use crate::store::sql::wire::Entry;
use crate::store::sql::writer::{Inbox, Local, Slot};
use crate::store::{StoreError, Stripped};
use std::collections::BTreeMap;
use uuid::Uuid;

/// So many are shown at a time.
const PAGE: usize = 500;

/// See the module.
pub(super) struct Rows;

fn session(conn: Conn<'_>) -> Result<&Session> {
    match conn {
        Conn::Postgres(session) => Ok(session),
        Conn::Sqlite(_) => Err(corrupt("a connection of another store")),
    }
}

impl Inbox for Rows {
    fn append(
        &mut self,
        conn: Conn<'_>,
        _local: &mut Local,
        deliveries: Vec<(Entry, Vec<u8>)>,
    ) -> Result<()> {
        if deliveries.is_empty() {
            return Ok(());
        }
        conn.prepare_cached("SELECT pg_advisory_xact_lock(?)")?
            .run(params![session(conn)?.locks().inbox])?;
        let mut wire = conn.prepare_cached(
            "INSERT INTO wire (merchant_id, raw_id, connection_id, source, topic, received_at,
               dedupe_key, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut open = conn.prepare_cached(
            "INSERT INTO wire_open (merchant_id, raw_id, connection_id, received_at)
             VALUES (?, ?, ?, ?)",
        )?;
        for (entry, sealed) in deliveries {
            let (merchant, raw) = (entry.merchant_id.as_bytes(), entry.raw_id.as_bytes());
            let connection = entry.connection_id.as_bytes();
            let at = micros(entry.received_at);
            wire.run(params![
                merchant,
                raw,
                connection,
                word(&entry.source),
                entry.topic,
                at,
                entry.dedupe_key,
                sealed,
            ])?;
            open.run(params![merchant, raw, connection, at])?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        conn: Conn<'_>,
        _shared: &Shared,
        local: &mut Local,
        id: RawId,
    ) -> Result<Slot> {
        if let Some(slot) = local.ahead.remove(&id) {
            return Ok(slot);
        }
        let taken = conn
            .prepare_cached(&taking("raw_id = ?"))?
            .query_row(params![id.as_bytes()], slot)
            .optional()?;
        if let Some(slot) = taken {
            return Ok(slot);
        }
        let known = conn
            .prepare_cached("SELECT 1 FROM wire WHERE raw_id = ?")?
            .exists(params![id.as_bytes()])?;
        Err(if known {
            StoreError::Conflict(format!("{id} is decided already"))
        } else {
            StoreError::NotFound(id.to_string())
        })
    }

    fn take_all(&mut self, conn: Conn<'_>, local: &mut Local, ids: &[RawId]) -> Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(RawId::uuid).collect();
        let mut query = conn.prepare_cached(&taking(&asked("raw_id", "?")))?;
        for taken in query.query_map(params![ids], slot)? {
            let taken = taken?;
            local.ahead.insert(taken.raw_id, taken);
        }
        Ok(())
    }
}

/// The condition that a column has one of many ids. It makes a join: a server that still believes the
/// table to be small would hold each of its rows against each id.
fn asked(column: &str, mark: &str) -> String {
    format!("{column} IN (SELECT id FROM unnest({mark}::uuid[]) AS asked(id))")
}

/// Takes those out of what waits of which a condition holds.
fn taking(condition: &str) -> String {
    format!("DELETE FROM wire_open WHERE {condition} RETURNING raw_id, connection_id, received_at")
}

fn slot(row: Row<'_>) -> Result<Slot> {
    Ok(Slot {
        raw_id: RawId::from_uuid(row.uuid(0)?),
        connection_id: ConnectionId::from_uuid(row.uuid(1)?),
        day: day_of(row.time(2)?),
    })
}

const COLUMNS: &str =
    "w.merchant_id, w.raw_id, w.connection_id, w.source, w.topic, w.received_at, w.dedupe_key";

fn entry(row: Row<'_>) -> Result<Entry> {
    Ok(Entry {
        merchant_id: MerchantId::from_uuid(row.uuid(0)?),
        raw_id: RawId::from_uuid(row.uuid(1)?),
        connection_id: ConnectionId::from_uuid(row.uuid(2)?),
        source: row.word(3)?,
        topic: row.text(4)?,
        received_at: row.time(5)?,
        dedupe_key: row.opt_text(6)?,
        offset: 0,
        length: 0,
    })
}

/// The condition that a waiting delivery's connection is this node's, where that is not all, and
/// what its mark is bound to.
fn placed(reader: &Reader<'_>, mark: &str) -> (String, Option<Value>) {
    match reader.shared.placement.things() {
        Some(things) => (
            format!("AND {}", reader.conn.any("o.connection_id", mark)),
            Some(Value::Ids(things.into_iter().map(|t| t.0).collect())),
        ),
        None => (String::new(), None),
    }
}

/// Reads deliveries that wait, with what follows `WHERE` in `condition`.
fn those(reader: &Reader<'_>, condition: &str, args: &[Value]) -> Result<Vec<PendingDelivery>> {
    let sql = format!(
        "SELECT {COLUMNS}, w.sealed, o.place FROM wire_open o
           JOIN wire w ON w.merchant_id = o.merchant_id AND w.raw_id = o.raw_id
         WHERE {condition}"
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(args))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(PendingDelivery {
            place: row.number(8)?,
            wire: waiting(reader, entry(row)?, row.blob(7)?)?,
        });
    }
    Ok(found)
}

/// The first that wait above a place, of what is this node's.
pub(in crate::store) fn pending(
    reader: &Reader<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<PendingDelivery>> {
    let (placed, things) = placed(reader, "?3");
    let mut args = vec![
        Value::Integer(int(after)),
        Value::Integer(int(limit as u64)),
    ];
    args.extend(things);
    let condition = format!("o.place > ?1 {placed} ORDER BY o.place LIMIT ?2");
    those(reader, &condition, &args)
}

/// Where they wait.
pub(in crate::store) fn places(
    reader: &Reader<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<PendingPlace>> {
    let (placed, things) = placed(reader, "?3");
    let mut args = vec![
        Value::Integer(int(after)),
        Value::Integer(int(limit as u64)),
    ];
    args.extend(things);
    let sql = format!(
        "SELECT o.place, o.raw_id, o.connection_id FROM wire_open o
         WHERE o.place > ?1 {placed} ORDER BY o.place LIMIT ?2"
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&args))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(PendingPlace {
            place: row.number(0)?,
            id: RawId::from_uuid(row.uuid(1)?),
            connection_id: ConnectionId::from_uuid(row.uuid(2)?),
        });
    }
    Ok(found)
}

/// Those of these that still wait.
pub(in crate::store) fn pending_at(
    reader: &Reader<'_>,
    places: &[PendingPlace],
) -> Result<Vec<PendingDelivery>> {
    let ids = places.iter().map(|place| place.id.uuid()).collect();
    let condition = format!("{} ORDER BY o.place", asked("o.raw_id", "?1"));
    those(reader, &condition, &[Value::Ids(ids)])
}

/// A delivery, decided or not.
pub(in crate::store) fn stored(reader: &Reader<'_>, id: RawId) -> Result<Option<WireDelivery>> {
    let sql = format!("SELECT {COLUMNS}, w.sealed FROM wire w WHERE w.raw_id = ?");
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![id.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let sealed = row.blob(7)?;
    if sealed.is_empty() {
        return Ok(None); // Its time was over.
    }
    unseal(reader, entry(row)?, sealed)
}

/// A turn's work on bytes that nobody needs any more: those of decided deliveries of which no record
/// is a problem. The rows stay.
pub(in crate::store) fn strip(
    conn: Conn<'_>,
    before: &BTreeMap<MerchantId, Timestamp>,
    turn: u64,
) -> Result<Stripped> {
    let mut update = conn.prepare_cached(
        "UPDATE wire SET sealed = '' WHERE merchant_id = ?1 AND raw_id IN (
           SELECT w.raw_id FROM wire w
           WHERE w.merchant_id = ?1 AND w.received_at < ?2 AND length(w.sealed) > 0
             AND NOT EXISTS (SELECT 1 FROM wire_open o WHERE o.raw_id = w.raw_id)
             AND NOT EXISTS (SELECT 1 FROM inbox i
                             WHERE i.raw_id = w.raw_id AND i.disposition = 'problem')
           LIMIT ?3)",
    )?;
    let mut done = 0;
    for (merchant, moment) in before {
        let left = PAGE.saturating_sub(done);
        if left > 0 {
            let left = int(left as u64);
            done += update.execute(params![merchant.as_bytes(), micros(*moment), left])?;
        }
    }
    Ok(Stripped {
        deliveries: done as u64,
        next: (done >= PAGE).then_some(turn.saturating_add(1)),
    })
}

/// Shows pending deliveries with a place below this one, newest first, until one says `false`.
pub(in crate::store) fn each_pending(
    conn: Conn<'_>,
    below: u64,
    visit: &mut dyn FnMut(u64, Entry) -> Result<bool>,
) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS}, o.place FROM wire_open o
           JOIN wire w ON w.merchant_id = o.merchant_id AND w.raw_id = o.raw_id
         WHERE o.place < ?1 ORDER BY o.place DESC LIMIT ?2"
    );
    let mut query = conn.prepare_cached(&sql)?;
    let mut below = below;
    loop {
        let mut rows = query.query(params![int(below), int(PAGE as u64)])?;
        let mut shown = 0;
        while let Some(row) = rows.next()? {
            shown += 1;
            below = row.number(7)?;
            if !visit(below, entry(row)?)? {
                return Ok(());
            }
        }
        if shown < PAGE {
            return Ok(());
        }
    }
}

/// How many wait, and since when the first.
pub(in crate::store) fn backlog(conn: Conn<'_>) -> Result<(u64, Option<Timestamp>)> {
    let waiting = conn
        .prepare_cached("SELECT count(*) FROM wire_open")?
        .query_row(params![], |row| row.number(0))?;
    let oldest = conn
        .prepare_cached("SELECT received_at FROM wire_open ORDER BY place LIMIT 1")?
        .query_row(params![], |row| row.time(0))
        .optional()?;
    Ok((waiting, oldest))
}
