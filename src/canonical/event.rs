//! Events: the append-only log that everything downstream reads.
//!
//! What always holds: `sequence` rises in commit order and is stamped by the store; `data` holds
//! whole objects, which are stored once per version and put in when the event is read.

use super::order::wire_enum;
use super::{EventId, MerchantId, OrderId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The types an event can have. The text is the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum EventType {
    #[serde(rename = "order.received")]
    OrderReceived,
    #[serde(rename = "order.updated")]
    OrderUpdated,
    #[serde(rename = "order.held")]
    OrderHeld,
    #[serde(rename = "order.released")]
    OrderReleased,
    #[serde(rename = "order.cancelled")]
    OrderCancelled,
    #[serde(rename = "order.closed")]
    OrderClosed,
    #[serde(rename = "order.deadline_near")]
    OrderDeadlineNear,
    #[serde(rename = "fulfillment_order.submitted")]
    FulfillmentSubmitted,
    #[serde(rename = "fulfillment_order.accepted")]
    FulfillmentAccepted,
    #[serde(rename = "fulfillment_order.change_requested")]
    FulfillmentChangeRequested,
    #[serde(rename = "fulfillment_order.incomplete")]
    FulfillmentIncomplete,
    #[serde(rename = "fulfillment_order.closed")]
    FulfillmentClosed,
    #[serde(rename = "fulfillment_order.cancelled")]
    FulfillmentCancelled,
    #[serde(rename = "shipment.label_created")]
    ShipmentLabelCreated,
    #[serde(rename = "shipment.voided")]
    ShipmentVoided,
    #[serde(rename = "shipment.manifested")]
    ShipmentManifested,
    #[serde(rename = "shipment.handed_over")]
    ShipmentHandedOver,
    #[serde(rename = "tracking.updated")]
    TrackingUpdated,
    #[serde(rename = "cod.collected")]
    CodCollected,
    #[serde(rename = "cod.remitted")]
    CodRemitted,
    #[serde(rename = "cod.settled")]
    CodSettled,
    #[serde(rename = "cod.disputed")]
    CodDisputed,
    #[serde(rename = "stock.changed")]
    StockChanged,
    #[serde(rename = "return.requested")]
    ReturnRequested,
    #[serde(rename = "return.received")]
    ReturnReceived,
    #[serde(rename = "return.inspected")]
    ReturnInspected,
    #[serde(rename = "problem.opened")]
    ProblemOpened,
    #[serde(rename = "problem.resolved")]
    ProblemResolved,
    #[serde(rename = "connection.suspended")]
    ConnectionSuspended,
    #[serde(rename = "connection.resumed")]
    ConnectionResumed,
    #[serde(rename = "connection.quiet")]
    ConnectionQuiet,
}

impl EventType {
    /// The text of the contract, such as `order.received`.
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => text,
            _ => String::new(),
        }
    }
    /// Reads the text of the contract.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(Value::String(text.to_owned())).ok()
    }
}

wire_enum! {
    /// Kinds of objects of which whole versions are stored for events.
    SnapshotKind { #[default] Order, FulfillmentOrder, Shipment, Tracking, Cod }
}

/// A whole object, by version: put into `data` under its kind's name when the event is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRef {
    /// Which kind.
    pub kind: SnapshotKind,
    /// The object's UUID.
    pub id: uuid::Uuid,
    /// The version (an order's, a fulfillment order's, a shipment's `version`).
    pub version: u64,
}

/// An event to be appended; the store stamps its sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Ours, and the `webhook-id` of every attempt to deliver it.
    pub id: EventId,
    /// What happened.
    pub kind: EventType,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub merchant_id: MerchantId,
    /// Orders' events are delivered in order per order; others per `subject`.
    pub order_id: Option<OrderId>,
    /// The ordering key where there is no order: the id of what it is about.
    pub subject: String,
    /// Objects stored by version.
    pub snapshots: Vec<SnapshotRef>,
    /// The rest of `data`, such as `{"changed": [...]}`: small, no personal data.
    pub extra: Value,
}
