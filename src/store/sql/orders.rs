//! Orders: the aggregate, read whole.
//!
//! What always holds: an order comes with all its fulfillment orders, shipments, tracking and cash,
//! as of one state of the database, and with the lock that a write over it must name.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, corrupt, from_json, int, json_error};
use super::conn::OptionalExtension;
use super::reader::Reader;
use super::tracking;
use super::value::{Arg, ToArg, params};
use crate::canonical::event::SnapshotKind;
use crate::canonical::{ConnectionId, FulfillmentOrderId, MerchantId, Order, OrderId};
use crate::flow::change::OrderState;
use crate::store::Scope;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use uuid::Uuid;

/// An object's JSON of one version; `None` when it was never stored or its merchant was erased.
pub(in crate::store) fn snapshot(reader: &Reader<'_>, key: SnapshotKey) -> Result<Option<Bytes>> {
    if let Some(json) = reader.shared.snapshots().get(&key) {
        return Ok(Some(json));
    }
    if let Some(known) = reader.ahead.borrow().get(&key) {
        return Ok(known.clone());
    }
    let sealed: Option<Vec<u8>> = reader
        .conn
        .prepare_cached(SNAPSHOT)?
        .query_row(
            params![key.id.as_bytes(), key.kind, int(key.version)],
            |row| row.get(0),
        )
        .optional()?;
    opened(reader, key, sealed)
}

const SNAPSHOT: &str =
    "SELECT sealed FROM snapshots WHERE object_id = ? AND kind = ? AND version = ?";

fn opened(reader: &Reader<'_>, key: SnapshotKey, sealed: Option<Vec<u8>>) -> Result<Option<Bytes>> {
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let json = reader.open_unless_erased("snapshots", &key.row(), &sealed)?;
    Ok(json.map(Bytes::from))
}

/// Looks up many objects at once: [`snapshot`] then finds them.
pub(in crate::store) fn look_ahead(reader: &Reader<'_>, keys: HashSet<SnapshotKey>) -> Result<()> {
    let mut wanted = Vec::with_capacity(keys.len());
    {
        let (cached, ahead) = (reader.shared.snapshots(), reader.ahead.borrow());
        let missing = |key: &SnapshotKey| cached.get(key).is_none() && !ahead.contains_key(key);
        wanted.extend(keys.into_iter().filter(missing).map(|key| {
            let (kind, version) = (i64::from(key.kind), int(key.version));
            (key, kind, version)
        }));
    }
    let each: Vec<Vec<Arg<'_>>> = wanted
        .iter()
        .map(|(key, kind, version)| vec![key.id.as_bytes().arg(), kind.arg(), version.arg()])
        .collect();
    let mut query = reader.conn.prepare_cached(SNAPSHOT)?;
    let found: Vec<Option<Vec<u8>>> = query.first_of_each(&each, |row| row.get(0))?;
    for ((key, ..), sealed) in wanted.iter().zip(found) {
        let json = opened(reader, *key, sealed)?;
        reader.ahead.borrow_mut().insert(*key, json);
    }
    Ok(())
}

/// As [`snapshot`], for what must be there.
pub(in crate::store) fn object(
    reader: &Reader<'_>,
    kind: SnapshotKind,
    id: uuid::Uuid,
    version: u64,
) -> Result<Bytes> {
    snapshot(reader, SnapshotKey::new(kind, id, version))?
        .ok_or_else(|| corrupt("an object's stored version is missing or was erased"))
}

fn parts<T: DeserializeOwned>(
    reader: &Reader<'_>,
    sql: &str,
    kind: SnapshotKind,
    order: OrderId,
) -> Result<Vec<T>> {
    let mut query = reader.conn.prepare_cached(sql)?;
    let mut rows = query.query(params![order.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json(&object(
            reader,
            kind,
            row.uuid(0)?,
            row.number(1)?,
        )?)?);
    }
    Ok(found)
}

/// An order with all that belongs to it.
pub(in crate::store) fn load(
    reader: &Reader<'_>,
    scope: Scope,
    id: OrderId,
) -> Result<Option<OrderState>> {
    let found = reader
        .conn
        .prepare_cached("SELECT merchant_id, lock, version FROM orders WHERE id = ?")?
        .query_row(params![id.as_bytes()], |row| {
            Ok((row.get::<[u8; 16]>(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((merchant, lock, version)) = found else {
        return Ok(None);
    };
    if !scope.sees(MerchantId::from_uuid(uuid::Uuid::from_bytes(merchant))) {
        return Ok(None);
    }
    let json = object(
        reader,
        SnapshotKind::Order,
        id.uuid(),
        super::codec::uint(version),
    )?;
    let shipments = parts(
        reader,
        "SELECT id, version FROM shipments WHERE order_id = ? ORDER BY id",
        SnapshotKind::Shipment,
        id,
    )?;
    // Most orders on their way in have none: nothing more is read for them.
    let shipped = !shipments.is_empty();
    Ok(Some(OrderState {
        order: Order::from_json(&json).map_err(json_error)?,
        fulfillment_orders: parts(
            reader,
            "SELECT id, version FROM fulfillment_orders WHERE order_id = ? ORDER BY id",
            SnapshotKind::FulfillmentOrder,
            id,
        )?,
        shipments,
        tracking: match shipped {
            true => tracking::of_order(reader, id)?,
            false => Vec::new(),
        },
        cod: match shipped {
            true => parts(
                reader,
                "SELECT id, version FROM cod_items WHERE order_id = ? ORDER BY id",
                SnapshotKind::Cod,
                id,
            )?,
            false => Vec::new(),
        },
        lock: super::codec::uint(lock),
    }))
}

/// The order whose id a query yields, as far as the scope sees it.
pub(in crate::store) fn found(
    reader: &Reader<'_>,
    scope: Scope,
    sql: &str,
    params: &[Arg<'_>],
) -> Result<Option<OrderState>> {
    let id: Option<[u8; 16]> = reader
        .conn
        .prepare_cached(sql)?
        .query_row(params, |row| row.get(0))
        .optional()?;
    match id {
        Some(id) => load(reader, scope, OrderId::from_uuid(Uuid::from_bytes(id))),
        None => Ok(None),
    }
}

/// The orders whose ids a query of a text and a connection yields, in the order asked.
pub(in crate::store) fn of_connections(
    reader: &Reader<'_>,
    sql: &str,
    keys: &[(ConnectionId, String)],
) -> Result<Vec<Option<OrderState>>> {
    let each: Vec<Vec<Arg<'_>>> = keys
        .iter()
        .map(|(connection, text)| vec![text.arg(), connection.as_bytes().arg()])
        .collect();
    let mut query = reader.conn.prepare_cached(sql)?;
    let ids: Vec<Option<Uuid>> = query.first_of_each(&each, |row| row.uuid(0))?;
    ids.into_iter()
        .map(|id| match id {
            Some(id) => load(reader, Scope::All, OrderId::from_uuid(id)),
            None => Ok(None),
        })
        .collect()
}

impl SqlStore {
    pub(in crate::store) async fn orders_by_external(
        &self,
        keys: &[(ConnectionId, String)],
    ) -> Result<Vec<Option<OrderState>>> {
        let keys = keys.to_vec();
        self.read(move |reader| {
            let sql = "SELECT id FROM orders WHERE external_id = ? AND connection_id = ?";
            of_connections(reader, sql, &keys)
        })
        .await
    }

    pub(in crate::store) async fn order(
        &self,
        scope: Scope,
        id: OrderId,
    ) -> Result<Option<OrderState>> {
        self.read(move |reader| load(reader, scope, id)).await
    }

    pub(in crate::store) async fn order_of_fulfillment(
        &self,
        scope: Scope,
        id: FulfillmentOrderId,
    ) -> Result<Option<OrderState>> {
        self.read(move |reader| {
            let sql = "SELECT order_id FROM fulfillment_orders WHERE id = ?";
            found(reader, scope, sql, &params![id.as_bytes()])
        })
        .await
    }
}
