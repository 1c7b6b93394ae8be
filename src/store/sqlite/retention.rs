//! What is not kept for ever: payloads' bytes, and the personal data of orders that have ended.
//!
//! What always holds: an order is gone over whole, in one commit, over the lock that was read; a
//! batch of deliveries keeps its head, so that places and the ledger stay; progress over old
//! batches is stored and never passes one that still holds bytes.

use super::SqliteStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, corrupt, int, json_error, micros, uint};
use super::reader::Reader;
use super::wire::{self, Entry};
use crate::canonical::event::SnapshotKind;
use crate::canonical::{MerchantId, OrderId, Timestamp};
use crate::flow::retention::anonymise;
use crate::store::Stripped;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;

/// Batches of one turn.
const BATCHES: i64 = 50;
/// Where the next turn begins.
const STRIPPED_TO: &str = "stripped_to";

/// Where the objects of an order are.
const OBJECTS: [(SnapshotKind, &str); 5] = [
    (SnapshotKind::Order, "SELECT id FROM orders WHERE id = ?"),
    (
        SnapshotKind::FulfillmentOrder,
        "SELECT id FROM fulfillment_orders WHERE order_id = ?",
    ),
    (
        SnapshotKind::Shipment,
        "SELECT id FROM shipments WHERE order_id = ?",
    ),
    (
        SnapshotKind::Tracking,
        "SELECT id FROM tracking_events WHERE order_id = ?",
    ),
    (
        SnapshotKind::Cod,
        "SELECT id FROM cod_items WHERE order_id = ?",
    ),
];

/// What was read of an order: its lock, and what is left of every version.
struct Left {
    merchant: MerchantId,
    lock: i64,
    versions: Vec<(SnapshotKey, Bytes)>,
}

impl SqliteStore {
    pub(super) async fn erasable_orders(
        &self,
        merchant: MerchantId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<OrderId>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT id FROM orders INDEXED BY orders_erasable
                 WHERE merchant_id = ? AND updated_at < ? AND erased_at IS NULL
                   AND status IN ('fulfilled', 'closed', 'cancelled')
                 ORDER BY updated_at LIMIT ?",
            )?;
            let mut rows = query.query(params![
                merchant.as_bytes(),
                micros(before),
                int(limit as u64)
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(OrderId::from_uuid(row.uuid(0)?));
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn erase_order(&self, order: OrderId, at: Timestamp) -> Result<bool> {
        let Some(left) = self.read(move |reader| left(reader, order, at)).await? else {
            return Ok(false);
        };
        let key = self.key_of(left.merchant).await?;
        let sealed: Vec<Vec<u8>> = left
            .versions
            .iter()
            .map(|(of, json)| key.seal("snapshots", &of.row(), json))
            .collect();
        let bytes = sealed.iter().map(Vec::len).sum::<usize>();
        self.write(bytes, move |ctx| {
            let lock: Option<i64> = ctx
                .conn
                .prepare_cached("SELECT lock FROM orders WHERE id = ?")?
                .query_row(params![order.as_bytes()], |row| row.get(0))
                .optional()?;
            if lock != Some(left.lock) {
                return Ok(false);
            }
            for ((of, json), sealed) in left.versions.into_iter().zip(sealed) {
                ctx.conn
                    .prepare_cached(
                        "UPDATE snapshots SET sealed = ?
                         WHERE object_id = ? AND kind = ? AND version = ?",
                    )?
                    .execute(params![sealed, of.id.as_bytes(), of.kind, int(of.version)])?;
                ctx.local
                    .after
                    .push(Box::new(move |shared| shared.snapshots().put(of, json)));
            }
            forget_beside(ctx.conn, order, at)?;
            Ok(true)
        })
        .await
    }

    pub(super) async fn strip_payloads(
        &self,
        before: BTreeMap<MerchantId, Timestamp>,
        after: u64,
    ) -> Result<Stripped> {
        self.write(1 << 20, move |ctx| strip(ctx.conn, &before, int(after)))
            .await
    }
}

/// What is left of an order; `None` when it is not there or its merchant was erased.
fn left(reader: &Reader<'_>, order: OrderId, at: Timestamp) -> Result<Option<Left>> {
    let found: Option<([u8; 16], i64)> = reader
        .conn
        .prepare_cached("SELECT merchant_id, lock FROM orders WHERE id = ?")?
        .query_row(params![order.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((merchant, lock)) = found else {
        return Ok(None);
    };
    let mut versions = Vec::new();
    for (kind, sql) in OBJECTS {
        let mut query = reader.conn.prepare_cached(sql)?;
        let mut rows = query.query(params![order.as_bytes()])?;
        while let Some(row) = rows.next()? {
            if !versions_of(reader, kind, row.uuid(0)?, at, &mut versions)? {
                return Ok(None);
            }
        }
    }
    Ok(Some(Left {
        merchant: MerchantId::from_uuid(Uuid::from_bytes(merchant)),
        lock,
        versions,
    }))
}

/// Every stored version of an object, gone over; `false` when its merchant was erased.
fn versions_of(
    reader: &Reader<'_>,
    kind: SnapshotKind,
    id: Uuid,
    at: Timestamp,
    versions: &mut Vec<(SnapshotKey, Bytes)>,
) -> Result<bool> {
    let number = SnapshotKey::new(kind, id, 0).kind;
    let mut query = reader
        .conn
        .prepare_cached("SELECT version, sealed FROM snapshots WHERE object_id = ? AND kind = ?")?;
    let mut rows = query.query(params![id.as_bytes(), number])?;
    while let Some(row) = rows.next()? {
        let key = SnapshotKey::new(kind, id, row.number(0)?);
        let sealed = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let Some(json) = reader.open_unless_erased("snapshots", &key.row(), sealed)? else {
            return Ok(false);
        };
        let mut object: Value = serde_json::from_slice(&json).map_err(json_error)?;
        anonymise(kind, &mut object, at);
        let json = serde_json::to_vec(&object).map_err(json_error)?;
        versions.push((key, Bytes::from(json)));
    }
    Ok(true)
}

/// What lies beside the objects: papers, what was asked of providers, what the order is found by.
fn forget_beside(conn: &Connection, order: OrderId, at: Timestamp) -> Result<()> {
    let order = order.as_bytes();
    for sql in [
        "DELETE FROM documents WHERE shipment_id IN (SELECT id FROM shipments WHERE order_id = ?)",
        "DELETE FROM attempts WHERE job_id IN (SELECT id FROM jobs WHERE order_id = ? AND open = 0)",
        "DELETE FROM jobs WHERE order_id = ? AND open = 0",
    ] {
        conn.prepare_cached(sql)?.execute(params![order])?;
    }
    conn.prepare_cached(
        "UPDATE orders SET email = NULL, phone = NULL, erased_at = ? WHERE id = ?",
    )?
    .execute(params![micros(at), order])?;
    Ok(())
}

/// One turn over old batches.
fn strip(
    conn: &Connection,
    before: &BTreeMap<MerchantId, Timestamp>,
    after: i64,
) -> Result<Stripped> {
    let mut turn = Stripped {
        deliveries: 0,
        next: None,
    };
    let Some(newest) = before.values().max().copied() else {
        return Ok(turn);
    };
    let needed = needed(conn)?;
    let begin = stripped_to(conn)?;
    // Where nothing is left before the turn's begin, the stored progress moves.
    let (mut nothing_left, mut whole_until) = (begin >= after, begin);
    let mut batches = conn.prepare_cached(
        "SELECT w.place, w.head, o.place IS NOT NULL FROM wire_batches w
         LEFT JOIN wire_open o ON o.place = w.place
         WHERE w.place > ? AND length(w.body) > 0 ORDER BY w.place LIMIT ?",
    )?;
    let heads = batches
        .query_map(params![begin.max(after), BATCHES], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, Vec<u8>, bool)>>>()?;
    let full = heads.len() as i64 == BATCHES;
    for (place, head, open) in heads {
        let entries = wire::read_head(&head)?;
        if entries.iter().all(|entry| entry.received_at >= newest) {
            // Everything behind it arrived later.
            turn.next = None;
            break;
        }
        let keep = |entry: &Entry| {
            let moment = before.get(&entry.merchant_id);
            let young = moment.is_none_or(|moment| entry.received_at >= *moment);
            entry.length > 0 && (open || young || needed.contains(entry.raw_id.as_bytes()))
        };
        let goes = entries.iter().filter(|e| e.length > 0 && !keep(e)).count();
        let stays = entries.iter().any(keep);
        if goes > 0 {
            rewrite(conn, place, entries, keep)?;
            turn.deliveries += goes as u64;
        }
        nothing_left &= !stays;
        if nothing_left {
            whole_until = place;
        }
        turn.next = full.then(|| uint(place));
    }
    if whole_until > begin {
        conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?
            .execute(params![STRIPPED_TO, whole_until.to_le_bytes()])?;
    }
    Ok(turn)
}

fn stripped_to(conn: &Connection) -> Result<i64> {
    let stored: Option<Vec<u8>> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([STRIPPED_TO], |row| row.get(0))
        .optional()?;
    let Some(bytes) = stored else {
        return Ok(0);
    };
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| corrupt("stripped_to"))?;
    Ok(i64::from_le_bytes(bytes))
}

/// Writes a batch anew, without the bytes of what does not stay.
fn rewrite(
    conn: &Connection,
    place: i64,
    entries: Vec<Entry>,
    keep: impl Fn(&Entry) -> bool,
) -> Result<()> {
    let body: Vec<u8> = conn
        .prepare_cached("SELECT body FROM wire_batches WHERE place = ?")?
        .query_row(params![place], |row| row.get(0))?;
    let (mut new_head, mut new_body) = (Vec::new(), Vec::new());
    for mut entry in entries {
        if keep(&entry) {
            let sealed = entry.of(&body)?;
            entry.offset = u32::try_from(new_body.len()).map_err(|_| corrupt("a batch"))?;
            new_body.extend_from_slice(sealed);
        } else {
            (entry.offset, entry.length) = (0, 0);
        }
        wire::put_entry(&mut new_head, &entry);
    }
    conn.prepare_cached("UPDATE wire_batches SET head = ?, body = ? WHERE place = ?")?
        .execute(params![new_head, new_body, place])?;
    Ok(())
}

/// Deliveries of which a record is a problem: their bytes are needed when that is mended.
fn needed(conn: &Connection) -> Result<HashSet<[u8; 16]>> {
    let mut query = conn.prepare_cached(
        "SELECT raw_id FROM inbox INDEXED BY inbox_problem
         WHERE problem_id IS NOT NULL AND disposition = 'problem'",
    )?;
    let rows = query.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
