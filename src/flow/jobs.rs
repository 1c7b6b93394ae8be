//! What must be done at providers, as jobs.
//!
//! What always holds: a job's key comes from what it is for, so that the same wish twice is one
//! job; inputs carry ids, numbers and quantities. Names and addresses are in those jobs only that
//! cannot do without: a label's (see `shipping::request`), and the shipment that a channel is told of.

use super::FlowContext;
use super::change::OrderState;
use super::wire;
use crate::canonical::job::{Lane, NewJob};
use crate::canonical::shipment::{Shipment, ShippedLine};
use crate::canonical::tracking::TrackingStatus;
use crate::canonical::{ConnectionId, Field, Order, OrderId, Quantity, Timestamp};
use serde_json::{Value, json};

/// The key under which reads of one order are one job. With the connection: two shops of a
/// merchant number their orders alike.
pub fn orders_get_key(connection_id: ConnectionId, external_id: &str) -> String {
    format!("orders.get:{connection_id}:{external_id}")
}

/// Reads the order anew; its answer decides.
pub fn orders_get(ctx: &FlowContext<'_>, order_id: Option<OrderId>, external_id: &str) -> NewJob {
    let key = orders_get_key(ctx.connection.id, external_id);
    NewJob {
        merchant_id: ctx.connection.merchant_id,
        kind: "orders.get".to_owned(),
        connection_id: ctx.connection.id,
        order_id,
        lane: Lane::OrderImport,
        ordering_key: order_id.map_or_else(|| key.clone(), |id| id.to_string()),
        key,
        run_at: ctx.now,
        input: json!({ "external_id": external_id }),
    }
}

/// One call about a whole order: `orders.ack`, `orders.refuse`, `orders.cancel`.
pub(super) fn about_order(ctx: &FlowContext<'_>, order: &Order, kind: &str, more: Value) -> NewJob {
    let mut input = json!({ "external_id": external_id(order), "order": brief(order) });
    if let (Value::Object(input), Value::Object(more)) = (&mut input, more) {
        input.extend(more);
    }
    NewJob {
        merchant_id: order.meta.merchant_id,
        kind: kind.to_owned(),
        connection_id: order.meta.connection_id,
        order_id: Some(order.meta.id),
        lane: Lane::Acknowledgement,
        key: format!("{kind}:{}", order.meta.id),
        ordering_key: order.meta.id.to_string(),
        run_at: ctx.now,
        input,
    }
}

/// Tells the channel what left: `{order, shipment, lines: [{line_id, external_id, sku, name,
/// quantity}], complete, tracking: [{tracking_number, tracking_url, carrier, status}]}`. `complete` is
/// true when nothing of the order is left to ship.
pub fn fulfillment_push(
    ctx: &FlowContext<'_>,
    state: &OrderState,
    shipment: &Shipment,
    complete: bool,
) -> NewJob {
    let order = &state.order;
    let tracking = numbers(shipment);
    NewJob {
        merchant_id: order.meta.merchant_id,
        kind: "fulfillment.push".to_owned(),
        connection_id: order.meta.connection_id,
        order_id: Some(order.meta.id),
        lane: Lane::StatusPush,
        key: format!("fulfillment.push:{}", shipment.id),
        ordering_key: order.meta.id.to_string(),
        run_at: ctx.now,
        input: json!({
            "order": brief(order),
            "shipment": without_address(shipment),
            "lines": lines(order, &shipment.lines),
            "complete": complete,
            "tracking": tracking,
        }),
    }
}

/// News of a shipment's way.
pub(super) struct News {
    /// What happened: `out_for_delivery`, `failed_attempt` or `available_for_pickup` of one parcel,
    /// `delivered` or `returned` of the whole.
    pub status: TrackingStatus,
    /// When, by the carrier's clock.
    pub occurred_at: Timestamp,
    /// Nothing of the order is left to ship or on its way.
    pub complete: bool,
}

/// Tells the channel of a shipment's way: `{order, shipment, tracking: [{tracking_number,
/// tracking_url, carrier, status}], status, occurred_at, complete}`.
pub(super) fn delivery_push(
    ctx: &FlowContext<'_>,
    state: &OrderState,
    shipment: &Shipment,
    told: &News,
) -> NewJob {
    let order = &state.order;
    let status = wire(&told.status);
    NewJob {
        merchant_id: order.meta.merchant_id,
        kind: "delivery.push".to_owned(),
        connection_id: order.meta.connection_id,
        order_id: Some(order.meta.id),
        lane: Lane::StatusPush,
        key: format!("delivery.push:{}:{status}", shipment.id),
        ordering_key: order.meta.id.to_string(),
        run_at: ctx.now,
        input: json!({
            "order": brief(order),
            "shipment": without_address(shipment),
            "tracking": numbers(shipment),
            "status": status,
            "occurred_at": told.occurred_at,
            "complete": told.complete,
        }),
    }
}

/// A shipment but for where it goes: jobs carry no names and addresses.
fn without_address(shipment: &Shipment) -> Value {
    let mut json = serde_json::to_value(shipment).unwrap_or(Value::Null);
    if let Value::Object(json) = &mut json {
        json.remove("ship_to");
    }
    json
}

/// Its parcels as customers follow them.
fn numbers(shipment: &Shipment) -> Vec<Value> {
    let numbered = shipment
        .parcels
        .iter()
        .filter(|parcel| parcel.tracking_number.is_some());
    numbered
        .map(|parcel| {
            json!({
                "tracking_number": parcel.tracking_number,
                "tracking_url": parcel.tracking_url,
                "carrier": shipment.carrier,
                "status": parcel.tracking.status,
            })
        })
        .collect()
}

/// Lines as a channel knows them.
pub(super) fn lines(order: &Order, quantities: &[ShippedLine]) -> Vec<Value> {
    quantities
        .iter()
        .map(|part| {
            let line = order
                .facts
                .lines()
                .iter()
                .find(|line| line.id.value() == Some(&part.line_id));
            json!({
                "line_id": part.line_id,
                "external_id": line.and_then(|l| l.external_id.text()),
                "sku": line.and_then(|l| l.sku.text()),
                "name": line.and_then(|l| l.name.text()),
                "quantity": json_quantity(part.quantity),
                "attributes": line.and_then(|l| l.attributes.value()),
            })
        })
        .collect()
}

fn json_quantity(quantity: Quantity) -> Value {
    serde_json::to_value(quantity).unwrap_or(Value::Null)
}

/// What a connector needs to name the order, without personal data.
fn brief(order: &Order) -> Value {
    let text = |field: &Field<String>| field.text().map(str::to_owned);
    json!({
        "id": order.meta.id,
        "external_id": text(&order.facts.external_id),
        "external_number": text(&order.facts.external_number),
        "currency": order.facts.currency.value(),
        "channel_status": text(&order.facts.channel_status),
        "attributes": order.facts.attributes.value(),
    })
}

/// The channel's id of an order.
pub(super) fn external_id(order: &Order) -> &str {
    order.facts.external_id.text().unwrap_or_default()
}
