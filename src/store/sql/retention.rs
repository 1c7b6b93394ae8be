//! What is not kept for ever: payloads' bytes, and the personal data of orders that have ended.
//!
//! What always holds: an order is gone over whole, in one commit, over the lock that was read.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, int, json_error, micros};
use super::conn::{Conn, OptionalExtension};
use super::reader::Reader;
use super::value::params;
use crate::canonical::event::SnapshotKind;
use crate::canonical::{MerchantId, OrderId, Timestamp};
use crate::flow::retention::anonymise;
use crate::store::{Stripped, postgres, sqlite};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

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

impl SqlStore {
    pub(in crate::store) async fn erasable_orders(
        &self,
        merchant: MerchantId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<OrderId>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT id FROM orders
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

    pub(in crate::store) async fn erase_order(
        &self,
        order: OrderId,
        at: Timestamp,
    ) -> Result<bool> {
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
                .prepare_cached(&format!(
                    "SELECT lock FROM orders WHERE id = ?{}",
                    ctx.conn.for_update()
                ))?
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
                    .run(params![sealed, of.id.as_bytes(), of.kind, int(of.version)])?;
                ctx.local
                    .after
                    .push(Box::new(move |shared| shared.snapshots().put(of, json)));
            }
            forget_beside(ctx.conn, order, at)?;
            Ok(true)
        })
        .await
    }

    pub(in crate::store) async fn strip_payloads(
        &self,
        before: BTreeMap<MerchantId, Timestamp>,
        after: u64,
    ) -> Result<Stripped> {
        self.write(1 << 20, move |ctx| match ctx.conn {
            Conn::Sqlite(conn) => sqlite::retention::strip(conn, &before, int(after)),
            Conn::Postgres(_) => postgres::inbox::strip(ctx.conn, &before, after),
        })
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
        let sealed = row.blob(1)?;
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
fn forget_beside(conn: Conn<'_>, order: OrderId, at: Timestamp) -> Result<()> {
    let order = order.as_bytes();
    for sql in [
        "DELETE FROM documents WHERE shipment_id IN (SELECT id FROM shipments WHERE order_id = ?)",
        "DELETE FROM attempts WHERE job_id IN (SELECT id FROM jobs WHERE order_id = ? AND open = 0)",
        "DELETE FROM jobs WHERE order_id = ? AND open = 0",
    ] {
        conn.prepare_cached(sql)?.run(params![order])?;
    }
    conn.prepare_cached("UPDATE orders SET email = NULL, phone = NULL, erased_at = ? WHERE id = ?")?
        .run(params![micros(at), order])
}
