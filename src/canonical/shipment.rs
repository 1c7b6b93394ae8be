//! Shipments and parcels: what left, or is to leave, the warehouse.
//!
//! What always holds: a shipment made by the warehouse is known by the warehouse's own
//! `shipment_ref`, unique per fulfillment order, so that the same `ship` twice is one shipment.

use super::order::wire_enum;
use super::{
    ConnectionId, DocumentId, FulfillmentOrderId, LineId, MerchantId, Money, OrderId, ParcelId,
    Quantity, ShipmentId, Timestamp,
};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// Where it stands.
    ShipmentStatus {
        #[default] Draft, Requested, OutcomeUnknown, Purchased, Printed, Manifested, HandedOver,
        Failed, VoidRequested, Voided, VoidRefused,
    }
}
wire_enum! {
    /// Which way it travels.
    Direction { #[default] Outbound, Return }
}

/// How much of which line is inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippedLine {
    /// The order's line.
    pub line_id: LineId,
    /// How much of it.
    pub quantity: Quantity,
}

/// The label of a parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// `pdf`, `zpl` or `png`.
    pub format: String,
    /// Paper, such as `a6`.
    #[serde(default)]
    pub size: Option<String>,
    /// Where the bytes are.
    pub document_id: DocumentId,
}

/// One parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Parcel {
    pub id: ParcelId,
    pub tracking_number: Option<String>,
    pub tracking_url: Option<String>,
    pub weight_g: Option<u64>,
    pub length_mm: Option<u64>,
    pub width_mm: Option<u64>,
    pub height_mm: Option<u64>,
    pub sscc: Option<String>,
    pub label: Option<Label>,
}

/// What left, or is to leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Shipment {
    pub id: ShipmentId,
    pub order_id: OrderId,
    pub merchant_id: MerchantId,
    pub fulfillment_order_id: FulfillmentOrderId,
    /// The carrier account; null when the warehouse ships by itself.
    pub connection_id: Option<ConnectionId>,
    pub carrier: Option<String>,
    pub service: Option<String>,
    pub direction: Direction,
    pub status: ShipmentStatus,
    /// The warehouse's own key: the same `ship` twice is one shipment.
    pub shipment_ref: String,
    pub lines: Vec<ShippedLine>,
    pub parcels: Vec<Parcel>,
    pub cod: Option<Money>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}
