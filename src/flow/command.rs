//! What people and warehouses tell us, and what they get for it.
//!
//! What always holds: a command that was carried out before answers the same again and changes
//! nothing; one that cannot be carried out changes nothing and says why.

use super::change::{OrderState, Outcome};
use super::draft::Draft;
use super::error::FlowError;
use super::{FlowContext, acceptance, answer, operator, shipping};
use crate::canonical::hold::HoldReason;
use crate::canonical::shipment::{LabelFormat, ShippedLine};
use crate::canonical::{
    ConnectionId, FulfillmentOrderId, LineId, OrderId, Quantity, RequestId, ShipmentId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Whose word counts where channel and operator disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The operator's correction stays.
    Ours,
    /// The channel's value; the correction is dropped.
    Theirs,
}

/// What is missing of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShortLine {
    /// The order's line.
    pub line_id: LineId,
    /// How much of it cannot be shipped.
    pub quantity: Quantity,
}

/// Why a marketplace's order is not taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Refusal {
    /// One of ours (`out_of_stock`, `limited_quantity`, `wrong_price`, `discontinued`,
    /// `wrong_category`, `other`), one of the channel's options, or words.
    pub reason: String,
    /// In words.
    pub note: Option<String>,
    /// Only these lines are why; all of them when left out.
    pub lines: Option<Vec<RefusedLine>>,
}

/// A line that is not taken.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedLine {
    /// The order's line.
    pub line_id: LineId,
    /// Why, where it is not the refusal's reason.
    pub reason: Option<String>,
    /// How much there is.
    pub available: Option<Quantity>,
}

/// A parcel as the warehouse packed it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct NewParcel {
    pub weight_g: Option<u64>,
    pub length_mm: Option<u64>,
    pub width_mm: Option<u64>,
    pub height_mm: Option<u64>,
    pub sscc: Option<String>,
    pub tracking_number: Option<String>,
    pub tracking_url: Option<String>,
    /// The carrier of this parcel, where it is not the shipment's.
    pub carrier: Option<String>,
}

/// What became of a label request whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum Resolution {
    /// The carrier has it.
    Purchased {
        /// What is printed on it; one a parcel, in their order, or one for all.
        tracking_numbers: Vec<String>,
    },
    /// The carrier does not have it: it is asked for again.
    NotPurchased,
}

/// What is to be done with an order.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Command {
    /// Nothing goes on until it is released. Already in progress: the warehouse is asked.
    Hold {
        reason: HoldReason,
        detail: Option<String>,
    },
    /// Clears holds (`None`: all, and lets an order go that would not go by itself). A hold whose
    /// cause the gateway sees stays cleared until that cause has gone once.
    Release { reasons: Option<Vec<HoldReason>> },
    /// Cancels what is not shipped. Already in progress: the warehouse is asked.
    Cancel { reason: Option<String> },
    /// Corrections by dotted path, laid over the channel's revisions.
    Override {
        set: BTreeMap<String, Value>,
        reason: String,
    },
    /// Tells a marketplace yes; `choice`: what of its options, in its own words.
    AcceptOrder { choice: Option<Map<String, Value>> },
    /// Tells a marketplace no.
    RefuseOrder(Refusal),
    /// Ends a `conflict` hold.
    ResolveConflict { path: String, choose: Choice },
    /// The warehouse works on it.
    FulfillmentAccept {
        id: FulfillmentOrderId,
        revision: u64,
        wms_ref: Option<String>,
    },
    /// The warehouse has too little.
    FulfillmentShort {
        id: FulfillmentOrderId,
        revision: u64,
        lines: Vec<ShortLine>,
        note: Option<String>,
    },
    /// The warehouse cannot work on it.
    FulfillmentReject {
        id: FulfillmentOrderId,
        revision: u64,
        reason: HoldReason,
        note: Option<String>,
    },
    /// It left. `lines: None` is all that remains.
    Ship {
        id: FulfillmentOrderId,
        revision: Option<u64>,
        shipment_ref: String,
        lines: Option<Vec<ShippedLine>>,
        parcels: Vec<NewParcel>,
        carrier: Option<String>,
        service: Option<String>,
        /// Buy the label from this account; `None`: as planned, or the warehouse ships by itself.
        carrier_connection_id: Option<ConnectionId>,
        /// What the label is printed on.
        label_format: LabelFormat,
        override_request: bool,
    },
    /// A label ahead of packing: nothing leaves yet.
    CreateShipment {
        id: FulfillmentOrderId,
        revision: Option<u64>,
        shipment_ref: String,
        lines: Option<Vec<ShippedLine>>,
        parcels: Vec<NewParcel>,
        service: Option<String>,
        carrier_connection_id: Option<ConnectionId>,
        label_format: LabelFormat,
        override_request: bool,
    },
    /// The label is not needed.
    VoidShipment {
        id: ShipmentId,
        reason: Option<String>,
    },
    /// Another label in its place: address, point, carrier, parcels or cash have changed. What is
    /// left out stays as it is; address and point are the order's of now.
    ReplaceShipment {
        id: ShipmentId,
        shipment_ref: Option<String>,
        parcels: Option<Vec<NewParcel>>,
        service: Option<String>,
        carrier_connection_id: Option<ConnectionId>,
        override_request: bool,
    },
    /// A person says what became of a request whose answer was lost.
    ResolveShipment { id: ShipmentId, outcome: Resolution },
    /// The label was given out for printing.
    PrintShipment { id: ShipmentId },
    /// It is on the list that goes with the carrier; with `handed_over` the carrier has it.
    ManifestShipment { id: ShipmentId, handed_over: bool },
    /// The warehouse's answer to a change request.
    AnswerRequest {
        fulfillment_id: FulfillmentOrderId,
        request_id: RequestId,
        accept: bool,
        revision: u64,
        note: Option<String>,
    },
}

/// What a command was about, for the API's answer. The object itself is in `Outcome::state`, or,
/// when nothing changed (`state` is `None`), in the state that was passed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandAnswer {
    /// The order.
    Order(OrderId),
    /// A fulfillment order.
    FulfillmentOrder(FulfillmentOrderId),
    /// A shipment.
    Shipment(ShipmentId),
}

/// Carries a command out on an order. `actor` is a token's name.
///
/// # Errors
/// [`FlowError`]: nothing is changed then.
pub fn command(
    ctx: &FlowContext<'_>,
    state: OrderState,
    command: Command,
    actor: &str,
) -> Result<(Outcome, CommandAnswer), FlowError> {
    let mut draft = Draft::over(ctx, state);
    let order_id = draft.state.order.meta.id;
    match command {
        Command::Hold { reason, detail } => operator::hold(&mut draft, reason, detail, actor)?,
        Command::Release { reasons } => operator::release(&mut draft, reasons.as_deref(), actor)?,
        Command::Cancel { reason } => operator::cancel(&mut draft, reason, actor)?,
        Command::Override { set, reason } => {
            operator::correct(&mut draft, &set, &reason, actor)?;
        }
        Command::AcceptOrder { choice } => acceptance::accept(&mut draft, choice, actor)?,
        Command::RefuseOrder(refusal) => acceptance::refuse(&mut draft, &refusal, actor)?,
        Command::ResolveConflict { path, choose } => {
            operator::resolve_conflict(&mut draft, &path, choose)?;
        }
        other => return warehouse(draft, other, actor),
    }
    Ok((draft.finish()?, CommandAnswer::Order(order_id)))
}

fn warehouse(
    mut draft: Draft<'_>,
    command: Command,
    actor: &str,
) -> Result<(Outcome, CommandAnswer), FlowError> {
    let answer = match command {
        Command::FulfillmentAccept {
            id,
            revision,
            wms_ref,
        } => answer::accept(&mut draft, id, revision, wms_ref)?,
        Command::FulfillmentShort {
            id,
            revision,
            lines,
            note,
        } => answer::short(&mut draft, id, revision, &lines, note, actor)?,
        Command::FulfillmentReject {
            id,
            revision,
            reason,
            note,
        } => answer::reject(&mut draft, id, revision, reason, note, actor)?,
        Command::AnswerRequest {
            fulfillment_id,
            request_id,
            accept,
            revision,
            note,
        } => answer::request(
            &mut draft,
            fulfillment_id,
            request_id,
            revision,
            accept,
            note,
        )?,
        other => {
            let order = CommandAnswer::Order(draft.state.order.meta.id);
            // Everything else is the order's and was carried out before.
            shipping::command(&mut draft, other, actor)?.unwrap_or(order)
        }
    };
    Ok((draft.finish()?, answer))
}
