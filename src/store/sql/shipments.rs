//! Shipments: their rows, and the lists of them.
//!
//! What always holds: a shipment's parcels are written with it; lists are as in
//! [`orders_lists`](super::orders_lists).

use super::SqlStore;
use super::codec::{Filter, Result, blob, int, micros, word};
use super::conn::Conn;
use super::orders::found;
use super::orders_lists::newest_first;
use super::parcels;
use super::value::{Value, params};
use crate::canonical::ShipmentId;
use crate::canonical::event::SnapshotKind;
use crate::canonical::shipment::Shipment;
use crate::flow::change::OrderState;
use crate::store::Scope;
use crate::store::query::{Page, PageRequest, ShipmentFilter};
use bytes::Bytes;

/// Writes a shipment's row and its parcels'.
pub(in crate::store) fn write(conn: Conn<'_>, shipment: &Shipment) -> Result<()> {
    conn.prepare_cached(&format!(
        "INSERT INTO shipments (id, order_id, merchant_id, fulfillment_order_id, shipment_ref,
           connection_id, status, updated_at, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT ({}) DO UPDATE SET connection_id = excluded.connection_id,
           status = excluded.status, updated_at = excluded.updated_at, version = excluded.version",
        conn.key()
    ))?
    .run(params![
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

fn conditions(scope: Scope, filter: ShipmentFilter) -> Filter {
    let mut conditions = Filter::seen_by(scope, filter.merchant_id);
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

impl SqlStore {
    pub(in crate::store) async fn shipments(
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

    pub(in crate::store) async fn order_of_shipment(
        &self,
        scope: Scope,
        id: ShipmentId,
    ) -> Result<Option<OrderState>> {
        self.read(move |reader| {
            let sql = "SELECT order_id FROM shipments WHERE id = ?";
            found(reader, scope, sql, &params![id.as_bytes()])
        })
        .await
    }
}
