//! Shipments and parcels: what left, or is to leave, the warehouse.
//!
//! What always holds: a shipment made by the warehouse is known by the warehouse's own
//! `shipment_ref`, unique per fulfillment order, so that the same `ship` twice is one shipment;
//! what was asked of the carrier (address, point, parcels, cash) is kept with the shipment and not
//! changed after the label is bought: a change is a replacement.

use super::document::DocumentRef;
use super::line::Charge;
use super::order::{PickupPointRef, wire_enum};
use super::problem::Class;
use super::tracking::ParcelState;
use super::{
    Address, ConnectionId, DocumentId, FulfillmentOrderId, LineId, MerchantId, Money, OrderId,
    ParcelId, Quantity, ShipmentId, Timestamp,
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

wire_enum! {
    /// What labels are printed on.
    LabelFormat { #[default] Pdf, Zpl }
}

impl ShipmentStatus {
    /// The carrier has made (or may have made) a label that is not known to be void.
    pub const fn bought(self) -> bool {
        matches!(
            self,
            Self::Purchased
                | Self::Printed
                | Self::Manifested
                | Self::HandedOver
                | Self::VoidRequested
                | Self::VoidRefused
        )
    }
    /// The label is being bought, or nobody knows whether it was.
    pub const fn under_way(self) -> bool {
        matches!(self, Self::Draft | Self::Requested | Self::OutcomeUnknown)
    }
    /// Nothing of it goes to the customer.
    pub const fn ended(self) -> bool {
        matches!(self, Self::Failed | Self::Voided)
    }
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
    /// Where it is.
    #[serde(default)]
    pub tracking: ParcelState,
}

/// Why a label could not be bought.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelFailure {
    /// Whose fault it is.
    pub class: Class,
    /// The carrier's code.
    pub code: String,
    /// In words, without personal data.
    pub message: String,
    /// The refused fields, as the carrier names them.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// A label was printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Printed {
    pub at: Timestamp,
    /// A token's name.
    pub by: String,
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
    /// What is to be collected with it, in the order's currency.
    pub cod: Option<Money>,
    /// The same in the currency in which the carrier collects; on the label.
    #[serde(default)]
    pub cod_due: Option<Money>,
    /// The warehouse said `ship`: it is packed. False for a label ahead of packing.
    #[serde(default = "yes")]
    pub packed: bool,
    /// Where it goes, as asked of the carrier.
    #[serde(default)]
    pub ship_to: Option<Address>,
    #[serde(default)]
    pub pickup_point: Option<PickupPointRef>,
    #[serde(default)]
    pub insured: Option<Money>,
    /// What the warehouse prints on.
    #[serde(default)]
    pub label_format: LabelFormat,
    #[serde(default)]
    pub documents: Vec<DocumentRef>,
    /// What the carrier asks for it.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Each time that the label was printed; a reprint is no new label.
    #[serde(default)]
    pub printed: Vec<Printed>,
    /// Our name for it at the carrier.
    #[serde(default)]
    pub reference: Option<String>,
    /// How often the carrier was asked for a label: 1 and more after a person said that the last
    /// request did not happen, or corrected what was refused.
    #[serde(default)]
    pub request_number: u32,
    /// Why the last request failed.
    #[serde(default)]
    pub failure: Option<LabelFailure>,
    /// When the label was there: all numbers, and the first paper or the end of the request.
    #[serde(default)]
    pub label_ready_at: Option<Timestamp>,
    /// A label of it is to be void: as soon as it is known, or the carrier is asked already. Also
    /// of a failed one of which parts had been bought.
    #[serde(default)]
    pub voiding: bool,
    /// Numbers that were bought for it by former requests; their labels are void or refused to be.
    #[serde(default)]
    pub former_numbers: Vec<String>,
    /// When the channel was told that it left; it is told once.
    #[serde(default)]
    pub told_at: Option<Timestamp>,
    #[serde(default)]
    pub replaces: Option<ShipmentId>,
    #[serde(default)]
    pub replaced_by: Option<ShipmentId>,
    /// Why it was voided, or could not be.
    #[serde(default)]
    pub void_reason: Option<String>,
    #[serde(default)]
    pub purchased_at: Option<Timestamp>,
    #[serde(default)]
    pub handed_over_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

impl Shipment {
    /// A draft without anything in it.
    pub fn draft(
        order_id: OrderId,
        merchant_id: MerchantId,
        fulfillment_order_id: FulfillmentOrderId,
        shipment_ref: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id: ShipmentId::new(),
            order_id,
            merchant_id,
            fulfillment_order_id,
            connection_id: None,
            carrier: None,
            service: None,
            direction: Direction::Outbound,
            status: ShipmentStatus::Draft,
            shipment_ref,
            lines: Vec::new(),
            parcels: Vec::new(),
            cod: None,
            cod_due: None,
            packed: false,
            ship_to: None,
            pickup_point: None,
            insured: None,
            label_format: LabelFormat::Pdf,
            documents: Vec::new(),
            charges: Vec::new(),
            printed: Vec::new(),
            reference: None,
            request_number: 0,
            failure: None,
            label_ready_at: None,
            voiding: false,
            former_numbers: Vec::new(),
            told_at: None,
            replaces: None,
            replaced_by: None,
            void_reason: None,
            purchased_at: None,
            handed_over_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }
}

const fn yes() -> bool {
    true
}
