//! What is shown of stored objects: whole, with what belongs to them.

use crate::canonical::connection::Connection;
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::canonical::shipment::Shipment;
use crate::canonical::{FulfillmentOrderId, Order, ShipmentId};
use crate::flow::change::OrderState;
use serde::Serialize;

/// An order with its parts and what left.
#[derive(Debug, Serialize)]
pub struct OrderView<'a> {
    #[serde(flatten)]
    order: &'a Order,
    fulfillment_orders: &'a [FulfillmentOrder],
    shipments: &'a [Shipment],
}

impl<'a> OrderView<'a> {
    /// Of a state.
    pub fn of(state: &'a OrderState) -> Self {
        Self {
            order: &state.order,
            fulfillment_orders: &state.fulfillment_orders,
            shipments: &state.shipments,
        }
    }
}

/// A connection with the address that its provider calls.
#[derive(Debug, Serialize)]
pub struct ConnectionView<'a> {
    #[serde(flatten)]
    connection: &'a Connection,
    hook_url: String,
}

impl<'a> ConnectionView<'a> {
    /// Of a connection; `public_url` has no slash at its end.
    pub fn of(connection: &'a Connection, public_url: &str) -> Self {
        Self {
            connection,
            hook_url: hook_url(public_url, connection),
        }
    }
}

/// Where a connection's provider sends its webhooks.
pub fn hook_url(public_url: &str, connection: &Connection) -> String {
    format!("{public_url}/hooks/{}", connection.id)
}

/// A part of an order's state.
pub fn fulfillment_order(state: &OrderState, id: FulfillmentOrderId) -> Option<&FulfillmentOrder> {
    state.fulfillment_orders.iter().find(|part| part.id == id)
}

/// A shipment of an order's state.
pub fn shipment(state: &OrderState, id: ShipmentId) -> Option<&Shipment> {
    state.shipments.iter().find(|shipment| shipment.id == id)
}
