//! A delivery's records get their dispositions.
//!
//! What always holds: a delivery is decided once; the ledger's counters move with the rows, in one
//! transaction; a dedupe key belongs to one record for seven days.

use super::codec::{Result, corrupt, day_of, micros};
use super::conn::{Conn, OptionalExtension};
use super::connections;
use super::problems::Opened;
use super::value::params;
use super::writer::WriteCtx;
use crate::canonical::ConnectionId;
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::flow::change::DeliveryResult;
use crate::store::StoreError;

/// How long a provider's delivery id is remembered.
pub(in crate::store) const DEDUPE_DAYS: i64 = 7;
pub(in crate::store) const DAY_MICROS: i64 = 86_400_000_000;

/// Writes what a delivery came to; it is no longer pending.
pub(in crate::store) fn decide(
    ctx: &mut WriteCtx<'_>,
    result: &DeliveryResult,
    dedupe: Option<[u8; 16]>,
    opened: &Opened,
) -> Result<()> {
    let slot = ctx
        .inbox
        .take(ctx.conn, ctx.shared, &mut ctx.local, result.raw_id)?;
    let unchanged = i64::try_from(result.unchanged.len()).unwrap_or(i64::MAX);
    let rows = i64::try_from(result.records.len()).unwrap_or(i64::MAX);
    if unchanged.saturating_add(rows) == 0 {
        return Err(corrupt(
            "a delivery was decided without any record: it would be lost",
        ));
    }
    count(ctx, slot.connection_id, slot.day, "pending", -1);
    count(
        ctx,
        slot.connection_id,
        slot.day,
        "received",
        rows + unchanged - 1,
    );
    count(ctx, slot.connection_id, slot.day, "reread", unchanged);
    for record in &result.records {
        if record.raw_id != result.raw_id || record.connection_id != slot.connection_id {
            return Err(corrupt(
                "a record names another delivery or connection than its own",
            ));
        }
        insert(ctx, record, opened)?;
        count(
            ctx,
            slot.connection_id,
            slot.day,
            record.disposition.as_str(),
            1,
        );
    }
    remember(ctx, result)?;
    if let (Some(key), Some((_, _, record))) = (dedupe, &result.dedupe) {
        claim(ctx, key, *record, result)?;
    }
    if result.found_by_sweep > 0 {
        connections::found_by_sweep(ctx, result.connection_id, result.found_by_sweep)?;
    }
    Ok(())
}

/// Writes a record's new disposition after a retry.
pub(in crate::store) fn decide_again(
    ctx: &mut WriteCtx<'_>,
    record: &InboxRecord,
    opened: &Opened,
) -> Result<()> {
    let before = ctx
        .conn
        .prepare_cached("SELECT disposition, connection_id, received_at FROM inbox WHERE id = ?")?
        .query_row(params![record.id.as_bytes()], |row| {
            Ok((
                row.get::<String>(0)?,
                row.get::<[u8; 16]>(1)?,
                row.get::<i64>(2)?,
            ))
        })
        .optional()?;
    let Some((before, connection, received_at)) = before else {
        return Err(StoreError::NotFound(record.id.to_string()));
    };
    let connection = ConnectionId::from_uuid(uuid::Uuid::from_bytes(connection));
    let day = day_of(super::codec::timestamp(received_at)?);
    let before = Disposition::ALL.iter().find(|d| d.as_str() == before);
    let before = before.ok_or_else(|| corrupt("an unknown disposition"))?;
    count(ctx, connection, day, before.as_str(), -1);
    count(ctx, connection, day, record.disposition.as_str(), 1);
    ctx.conn
        .prepare_cached(
            "UPDATE inbox SET kind = ?, external_id = ?, disposition = ?, reason = ?, subject = ?,
               duplicate_of = ?, problem_id = ?, mapping_version = ?, decided_at = ? WHERE id = ?",
        )?
        .run(params![
            record.kind,
            record.external_id,
            record.disposition.as_str(),
            record.reason,
            record.subject,
            record.duplicate_of,
            record.problem_id.map(|id| *opened.stored(id).as_bytes()),
            record.mapping_version,
            record.decided_at.map(micros),
            record.id.as_bytes(),
        ])
}

fn count(
    ctx: &mut WriteCtx<'_>,
    connection: ConnectionId,
    day: i64,
    disposition: &'static str,
    n: i64,
) {
    if n != 0 {
        ctx.local.ledger.push((connection, day, disposition, n));
    }
}

fn insert(ctx: &WriteCtx<'_>, record: &InboxRecord, opened: &Opened) -> Result<()> {
    let problem = record.problem_id.map(|id| *opened.stored(id).as_bytes());
    ctx.conn
        .prepare_cached(
            "INSERT INTO inbox (id, merchant_id, connection_id, raw_id, idx, source, topic,
               received_at, kind, external_id, disposition, reason, subject, duplicate_of,
               problem_id, mapping_version, decided_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .run(params![
            record.id.as_bytes(),
            record.merchant_id.as_bytes(),
            record.connection_id.as_bytes(),
            record.raw_id.as_bytes(),
            record.index,
            super::codec::word(&record.source),
            record.topic,
            micros(record.received_at),
            record.kind,
            record.external_id,
            record.disposition.as_str(),
            record.reason,
            record.subject,
            record.duplicate_of,
            problem,
            record.mapping_version,
            record.decided_at.map(micros),
        ])
}

/// Content hashes, and when the subjects of re-reads were last seen.
fn remember(ctx: &WriteCtx<'_>, result: &DeliveryResult) -> Result<()> {
    let at = micros(result.received_at);
    let owner = ctx.conn.owner_of_connection("?1");
    let mut upsert = ctx.conn.prepare_cached(&format!(
        "INSERT INTO subjects ({0}connection_id, kind, external_id, hash, last_seen_at)
         VALUES ({1}?1, ?2, ?3, ?4, ?5)
         ON CONFLICT ({0}connection_id, external_id, kind) DO UPDATE SET hash = excluded.hash,
           last_seen_at = CASE WHEN subjects.last_seen_at > excluded.last_seen_at
             THEN subjects.last_seen_at ELSE excluded.last_seen_at END",
        owner.column, owner.value
    ))?;
    for (kind, external_id, hash) in &result.hashes {
        upsert.run(params![
            result.connection_id.as_bytes(),
            kind,
            external_id,
            hash,
            at
        ])?;
    }
    for external_id in &result.unchanged {
        seen(ctx.conn, result.connection_id, None, external_id, at)?;
    }
    Ok(())
}

/// Moves `last_seen_at` of a subject (of every kind when `None`).
pub(in crate::store) fn seen(
    conn: Conn<'_>,
    connection: ConnectionId,
    kind: Option<&str>,
    external_id: &str,
    at: i64,
) -> Result<()> {
    conn.prepare_cached(&format!(
        "UPDATE subjects SET last_seen_at = ?4
         WHERE {}connection_id = ?1 AND external_id = ?3 AND kind = coalesce(?2, kind)
           AND last_seen_at < ?4",
        conn.owner_of_connection("?1").is
    ))?
    .run(params![connection.as_bytes(), kind, external_id, at])
}

/// Gives a dedupe key to a record. Two deliveries with one key, decided side by side: the second
/// is to be decided again, as a duplicate.
fn claim(
    ctx: &WriteCtx<'_>,
    key: [u8; 16],
    record: crate::canonical::InboxId,
    result: &DeliveryResult,
) -> Result<()> {
    let at = micros(result.received_at);
    let owner = ctx.conn.owner_of_connection("?5");
    let connection = result.connection_id;
    let since = at.saturating_sub(DEDUPE_DAYS * DAY_MICROS);
    let record_id = record.as_bytes();
    let mut args = params![key, record_id, at, since].to_vec();
    args.extend(ctx.conn.owner_arg(connection.as_bytes()));
    ctx.conn
        .prepare_cached(&format!(
            "INSERT INTO dedupe ({0}key, record_id, at) VALUES ({1}?1, ?2, ?3)
             ON CONFLICT ({0}key) DO UPDATE SET record_id = excluded.record_id, at = excluded.at
             WHERE dedupe.at < ?4 OR dedupe.record_id = excluded.record_id",
            owner.column, owner.value
        ))?
        .must(args, || {
            StoreError::Conflict("a record with this dedupe key was first".to_owned())
        })
}
