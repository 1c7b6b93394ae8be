//! The fulfillment order: the unit of work of the warehouse.
//!
//! What always holds: `revision` rises with every change a warehouse could have seen differently;
//! while a request is pending neither label nor `ship` passes without `override`; lines never have
//! `remaining` above `quantity`.

use super::hold::Hold;
use super::order::{Delivery, wire_enum};
use super::{
    Address, ConnectionId, FulfillmentOrderId, LineId, MerchantId, Money, OrderId, Quantity,
    RequestId, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// Where it stands.
    FulfillmentStatus { Scheduled, #[default] Open, OnHold, Submitted, InProgress, Incomplete, Closed, Cancelled }
}
wire_enum! {
    /// What the channel (or an operator) asks of the warehouse.
    RequestKind { Cancel, #[default] Change, Hold }
}
wire_enum! {
    /// How far it is.
    RequestState { #[default] Pending, Accepted, Refused, Expired }
}

/// A change that the warehouse must agree to, because it already works on the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeRequest {
    /// Ours.
    pub id: RequestId,
    /// What is asked.
    pub kind: RequestKind,
    /// The wanted state: `{lines: [...]}`, `{ship_to: …}`, or null for a cancellation.
    pub wanted: Value,
    /// How far it is.
    pub state: RequestState,
    /// Until when an answer helps.
    pub answer_by: Option<Timestamp>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Why it was refused (`already_shipped`, or the warehouse's words).
    #[serde(default)]
    pub answer: Option<String>,
}

/// One line to pick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FulfillmentLine {
    /// The order's line.
    pub line_id: LineId,
    /// The SKU to pick, resolved and frozen when submitted.
    pub sku: Option<String>,
    /// The SKU as the channel wrote it.
    pub channel_sku: Option<String>,
    /// What to pick.
    pub name: Option<String>,
    /// How much of it.
    pub quantity: Quantity,
    /// How much is not shipped, short or cancelled yet.
    pub remaining: Quantity,
}

/// By whom it is to be shipped, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CarrierPlan {
    /// The carrier account.
    pub connection_id: Option<ConnectionId>,
    /// Its service.
    pub service: Option<String>,
    /// `rule`, `channel`, `operator`.
    pub decided_by: String,
    /// In words.
    pub why: String,
}

/// The unit of work of the warehouse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // MODEL.md's names
pub struct FulfillmentOrder {
    pub id: FulfillmentOrderId,
    pub order_id: OrderId,
    pub merchant_id: MerchantId,
    pub location: String,
    pub status: FulfillmentStatus,
    /// From 1; rises with every change that the warehouse must see; its answers name it.
    pub revision: u64,
    /// From 1; rises with every change whatever, its own answers too (which stored version it is).
    pub version: u64,
    pub holds: Vec<Hold>,
    pub request: Option<ChangeRequest>,
    pub fulfill_at: Option<Timestamp>,
    pub ship_by: Option<Timestamp>,
    pub cut_off_at: Option<Timestamp>,
    /// Higher goes first.
    pub priority: i32,
    pub lines: Vec<FulfillmentLine>,
    pub ship_to: Option<Address>,
    pub delivery: Delivery,
    /// What is to be collected at the door with this part.
    pub cod: Option<Money>,
    pub carrier_plan: Option<CarrierPlan>,
    pub wms_ref: Option<String>,
    pub supported_actions: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub submitted_at: Option<Timestamp>,
}
