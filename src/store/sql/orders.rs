//! Orders: the aggregate, read whole.
//!
//! What always holds: an order comes with all its fulfillment orders, shipments, tracking and cash,
//! as of one state of the database, and with the lock that a write over it must name.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, corrupt, from_json, int, json_error};
use super::conn::OptionalExtension;
use super::reader::Reader;
use super::value::{Arg, ToArg, params};
use crate::canonical::event::SnapshotKind;
use crate::canonical::{ConnectionId, FulfillmentOrderId, MerchantId, Order, OrderId};
use crate::flow::change::OrderState;
use crate::store::Scope;
use bytes::Bytes;
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
    if wanted.is_empty() {
        return Ok(());
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
fn stored(reader: &Reader<'_>, key: SnapshotKey) -> Result<Bytes> {
    snapshot(reader, key)?
        .ok_or_else(|| corrupt("an object's stored version is missing or was erased"))
}

/// The order and all that belongs to it: what each is, its id and version; the order's lock and owner.
const WHOLE: &str = "
    SELECT 0, id, version, 0 AS n, lock, merchant_id FROM orders WHERE id = ?1
    UNION ALL SELECT 1, id, version, 0, 0, NULL FROM fulfillment_orders WHERE order_id = ?1
    UNION ALL SELECT 2, id, version, 0, 0, NULL FROM shipments WHERE order_id = ?1
    UNION ALL SELECT 3, id, 1, n, 0, NULL FROM tracking_events WHERE order_id = ?1
    UNION ALL SELECT 4, id, version, 0, 0, NULL FROM cod_items WHERE order_id = ?1
    ORDER BY 1, 4, 2";

/// What belongs to an order.
struct Whole {
    lock: u64,
    merchant: MerchantId,
    keys: Vec<SnapshotKey>,
}

fn whole(reader: &Reader<'_>, id: OrderId) -> Result<Option<Whole>> {
    let mut query = reader.conn.prepare_cached(WHOLE.trim_start())?;
    let mut rows = query.query(params![id.as_bytes()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    if row.get::<i64>(0)? != 0 {
        return Err(corrupt("parts of an order that there is not"));
    }
    let mut whole = Whole {
        lock: row.number(4)?,
        merchant: MerchantId::from_uuid(row.uuid(5)?),
        keys: vec![SnapshotKey::new(
            SnapshotKind::Order,
            row.uuid(1)?,
            row.number(2)?,
        )],
    };
    while let Some(row) = rows.next()? {
        let kind = match row.get::<i64>(0)? {
            1 => SnapshotKind::FulfillmentOrder,
            2 => SnapshotKind::Shipment,
            3 => SnapshotKind::Tracking,
            _ => SnapshotKind::Cod,
        };
        let key = SnapshotKey::new(kind, row.uuid(1)?, row.number(2)?);
        whole.keys.push(key);
    }
    Ok(Some(whole))
}

/// An order with all that belongs to it.
pub(in crate::store) fn load(
    reader: &Reader<'_>,
    scope: Scope,
    id: OrderId,
) -> Result<Option<OrderState>> {
    let Some(whole) = whole(reader, id)?.filter(|whole| scope.sees(whole.merchant)) else {
        return Ok(None);
    };
    look_ahead(reader, whole.keys.iter().copied().collect())?;
    let (mut order, mut fulfillment_orders) = (None, Vec::new());
    let (mut shipments, mut tracking, mut cod) = (Vec::new(), Vec::new(), Vec::new());
    for key in whole.keys {
        let json = stored(reader, key)?;
        match key.kind {
            0 => order = Some(Order::from_json(&json).map_err(json_error)?),
            1 => fulfillment_orders.push(from_json(&json)?),
            2 => shipments.push(from_json(&json)?),
            3 => tracking.push(from_json(&json)?),
            _ => cod.push(from_json(&json)?),
        }
    }
    let order = order.ok_or_else(|| corrupt("an order without its object"))?;
    Ok(Some(OrderState {
        order,
        fulfillment_orders,
        shipments,
        tracking,
        cod,
        lock: whole.lock,
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
