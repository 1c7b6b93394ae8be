//! Whether what a job is about to ask of a carrier is still wanted.
//!
//! What always holds: the stored shipment decides, not the job: a request that was withdrawn,
//! answered by a person, or made anew since is not sent.

use super::change::OrderState;
use crate::canonical::ShipmentId;
use crate::canonical::shipment::{Shipment, ShipmentStatus};

/// What may be done for a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Ask for it.
    Ask,
    /// It is bought, in part at least: do the rest of the request.
    Finish,
    /// Nobody knows whether it was bought: only what asks for nothing may be done.
    Unclear,
    /// It is to be void: buy no more.
    Withdrawn,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// What may be done for request `number` of a shipment.
pub fn wanted(state: &OrderState, id: ShipmentId, number: u32) -> Wanted {
    let Some(shipment) = find(state, id) else {
        return Wanted::Nothing("the shipment does not exist");
    };
    if shipment.request_number != number {
        return Wanted::Nothing("the label was asked for anew since");
    }
    match shipment.status {
        ShipmentStatus::Failed => Wanted::Nothing("the request has failed"),
        ShipmentStatus::Voided => Wanted::Nothing("the label is void"),
        ShipmentStatus::OutcomeUnknown => Wanted::Unclear,
        _ if shipment.voiding => Wanted::Withdrawn,
        ShipmentStatus::Draft | ShipmentStatus::Requested => Wanted::Ask,
        _ => Wanted::Finish,
    }
}

/// True while a label of a shipment is to be void: its only one, or what was bought of it before
/// a refusal.
pub fn void_wanted(state: &OrderState, id: ShipmentId) -> bool {
    find(state, id).is_some_and(|shipment| shipment.voiding)
}

fn find(state: &OrderState, id: ShipmentId) -> Option<&Shipment> {
    state.shipments.iter().find(|shipment| shipment.id == id)
}
