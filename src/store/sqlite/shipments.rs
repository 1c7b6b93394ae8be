//! Shipments: their rows, and the lists of them.
//!
//! What always holds: a list is filtered and paged on index columns; only what is shown is opened.

use super::SqliteStore;
use super::cache::SnapshotKey;
use super::codec::{
    Columns, Filter, Result, blob, cursor_id, cursor_of, int, limit_of, micros, word,
};
use super::orders::{load, snapshot};
use super::parcels;
use super::reader::Reader;
use crate::canonical::event::SnapshotKind;
use crate::canonical::shipment::Shipment;
use crate::canonical::{OrderId, ShipmentId};
use crate::flow::change::OrderState;
use crate::store::Scope;
use crate::store::query::{Page, PageRequest, ShipmentFilter};
use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use uuid::Uuid;

/// Writes a shipment's row and its parcels'.
pub(super) fn write(conn: &Connection, shipment: &Shipment) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO shipments (id, order_id, merchant_id, fulfillment_order_id, shipment_ref,
           connection_id, status, updated_at, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET connection_id = excluded.connection_id,
           status = excluded.status, updated_at = excluded.updated_at, version = excluded.version",
    )?
    .execute(params![
        shipment.id.as_bytes(),
        shipment.order_id.as_bytes(),
        shipment.merchant_id.as_bytes(),
        shipment.fulfillment_order_id.as_bytes(),
        shipment.shipment_ref,
        shipment.connection_id.as_ref().map(|id| *id.as_bytes()),
        word(&shipment.status),
        micros(shipment.updated_at),
        int(shipment.version),
    ])?;
    parcels::write(conn, shipment)
}

/// A page of objects by falling id, as the stored JSON of each; `conditions` has all but the page.
pub(super) fn newest_first(
    reader: &Reader<'_>,
    table: &str,
    kind: SnapshotKind,
    mut conditions: Filter,
    page: &PageRequest,
) -> Result<Page<Bytes>> {
    if let Some(after) = cursor_id(page.after.as_deref())? {
        conditions.and("id < ?", blob(after));
    }
    let limit = limit_of(page.limit);
    conditions.args.push(Value::Integer(int(limit as u64)));
    let sql = format!(
        "SELECT id, version FROM {table}{} ORDER BY id DESC LIMIT ?",
        conditions.sql()
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(conditions.args))?;
    let mut data = Vec::new();
    let (mut last, mut seen) = (None, 0usize);
    while let Some(row) = rows.next()? {
        let id = row.uuid(0)?;
        seen += 1;
        last = Some(cursor_of(id));
        // What was erased is not shown.
        data.extend(snapshot(
            reader,
            SnapshotKey::new(kind, id, row.number(1)?),
        )?);
    }
    let next = last.filter(|_| seen == limit);
    Ok(Page { data, next })
}

fn conditions(scope: Scope, filter: ShipmentFilter) -> Filter {
    let mut conditions = Filter::default();
    if let Scope::Merchant(merchant) = scope {
        conditions.and("merchant_id = ?", blob(merchant.uuid()));
    }
    if let Some(merchant) = filter.merchant_id {
        conditions.and("merchant_id = ?", blob(merchant.uuid()));
    }
    if let Some(order) = filter.order_id {
        conditions.and("order_id = ?", blob(order.uuid()));
    }
    if let Some(part) = filter.fulfillment_order_id {
        conditions.and("fulfillment_order_id = ?", blob(part.uuid()));
    }
    if let Some(connection) = filter.connection_id {
        conditions.and("connection_id = ?", blob(connection.uuid()));
    }
    if !filter.status.is_empty() {
        let marks = vec!["?"; filter.status.len()].join(", ");
        conditions.raw(&format!("status IN ({marks})"));
        let words = filter.status.iter().map(|status| word(status).to_owned());
        conditions.args.extend(words.map(Value::Text));
    }
    if let Some(reference) = filter.shipment_ref {
        conditions.and("shipment_ref = ?", reference);
    }
    if let Some(number) = filter.tracking_number {
        conditions.and(
            "id IN (SELECT shipment_id FROM parcels WHERE tracking_number = ?)",
            number,
        );
    }
    conditions
}

impl SqliteStore {
    pub(super) async fn shipments(
        &self,
        scope: Scope,
        filter: ShipmentFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>> {
        self.read(move |reader| {
            let conditions = conditions(scope, filter);
            newest_first(
                reader,
                "shipments",
                SnapshotKind::Shipment,
                conditions,
                &page,
            )
        })
        .await
    }

    pub(super) async fn order_of_shipment(
        &self,
        scope: Scope,
        id: ShipmentId,
    ) -> Result<Option<OrderState>> {
        self.read(move |reader| {
            let order: Option<[u8; 16]> = reader
                .conn
                .prepare_cached("SELECT order_id FROM shipments WHERE id = ?")?
                .query_row(params![id.as_bytes()], |row| row.get(0))
                .optional()?;
            match order {
                Some(order) => load(reader, scope, OrderId::from_uuid(Uuid::from_bytes(order))),
                None => Ok(None),
            }
        })
        .await
    }
}
