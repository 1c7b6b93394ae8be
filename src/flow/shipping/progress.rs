//! From the label to the carrier's hands: printed, on the list, handed over; and the channel told.
//!
//! What always holds: each step is taken once; the channel is told of a shipment once, at the
//! moment that the setting `fulfillment_push` names, or at the first scan if that comes before.

use super::{ShipmentStatus, find, find_mut, fulfillment, leave, whole};
use crate::canonical::shipment::{Printed, Shipment};
use crate::canonical::{ShipmentId, Timestamp};
use crate::flow::change::OrderState;
use crate::flow::command::CommandAnswer;
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::settings::FulfillmentPush;
use crate::flow::{jobs, wire};

/// The label was given out for printing; a reprint is on record and is no new label. A void label
/// is not given out: a parcel would travel with it.
pub(super) fn print(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    actor: &str,
) -> Result<CommandAnswer, FlowError> {
    use ShipmentStatus as S;
    let now = draft.now();
    let shipment = find(&draft.state, id)?;
    if void_label(&draft.state, shipment) {
        let instead = shipment.replaced_by.map_or_else(
            || "nothing may travel with it".to_owned(),
            |new| format!("{new} took its place"),
        );
        return Err(FlowError::illegal(format!("its label is void: {instead}")));
    }
    let shipment = find_mut(draft, id)?;
    match shipment.status {
        S::Purchased if whole(shipment) && !shipment.voiding => shipment.status = S::Printed,
        S::Printed | S::Manifested | S::HandedOver | S::VoidRefused => {}
        status => return Err(not_in("print", status)),
    }
    shipment.printed.push(Printed {
        at: now,
        by: actor.to_owned(),
    });
    Ok(CommandAnswer::Shipment(id))
}

fn not_in(action: &str, status: ShipmentStatus) -> FlowError {
    let status = wire(&status);
    FlowError::illegal(format!("{action} is not possible while it is {status}"))
}

/// It is on the list that goes with the carrier, or the carrier has it.
pub(super) fn manifest(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    handed_over: bool,
) -> Result<CommandAnswer, FlowError> {
    use ShipmentStatus as S;
    let now = draft.now();
    let shipment = find_mut(draft, id)?;
    match shipment.status {
        S::HandedOver => return Ok(CommandAnswer::Shipment(id)),
        S::Manifested if !handed_over => return Ok(CommandAnswer::Shipment(id)),
        S::Purchased | S::Printed | S::VoidRefused | S::Manifested if whole(shipment) => {}
        status => return Err(not_in("manifest", status)),
    }
    if shipment.voiding {
        return Err(FlowError::illegal("its label is being voided"));
    }
    if shipment.replaced_by.is_some() {
        return Err(FlowError::illegal("its label is replaced: use the new one"));
    }
    if !shipment.packed {
        return Err(FlowError::illegal(
            "it is not packed: `ship` with its shipment_ref first",
        ));
    }
    shipment.status = if handed_over {
        shipment.handed_over_at = Some(now);
        S::HandedOver
    } else {
        S::Manifested
    };
    Ok(CommandAnswer::Shipment(id))
}

/// The carrier scanned it for the first time: it has left, whether the warehouse said so or not;
/// and whatever the setting, the channel is told now if it was not before.
pub(in crate::flow) fn scanned(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    at: Timestamp,
) -> Result<(), FlowError> {
    use ShipmentStatus as S;
    let shipment = find_mut(draft, id)?;
    let in_house = matches!(
        shipment.status,
        S::Purchased | S::Printed | S::Manifested | S::VoidRefused
    );
    if in_house {
        shipment.status = S::HandedOver;
        shipment.handed_over_at = Some(at);
        let ahead = !std::mem::replace(&mut shipment.packed, true);
        draft.notes.first_scan.push(id);
        if ahead {
            leave(draft, id)?;
        }
    }
    draft.notes.tell.push(id);
    Ok(())
}

/// A label that no parcel may travel with: void, to be void, or another took its place. As long
/// as that other one is being bought, the old one is good.
pub(in crate::flow) fn void_label(state: &OrderState, shipment: &Shipment) -> bool {
    use ShipmentStatus as S;
    let ended = matches!(shipment.status, S::VoidRequested | S::Voided | S::Failed);
    let replaced = shipment
        .replaced_by
        .and_then(|new| find(state, new).ok())
        .is_some_and(whole);
    // What the carrier had before the new label came has left with this one.
    ended || shipment.voiding || (replaced && shipment.status != S::HandedOver)
}

/// The moment at which the channel is told has come.
fn moment(setting: FulfillmentPush, shipment: &Shipment) -> bool {
    let handed_over = shipment.status == ShipmentStatus::HandedOver;
    fulfillment::counts(shipment)
        && match setting {
            FulfillmentPush::Label => shipment.label_ready_at.is_some() || handed_over,
            FulfillmentPush::Handover => handed_over,
            FulfillmentPush::FirstScan => false,
        }
}

/// Tells the channel of what has come to that point with this decision.
pub(super) fn tell(draft: &mut Draft<'_>) {
    let setting = draft.settings.fulfillment_push;
    let was = |id: ShipmentId| {
        let before = draft.before.as_ref();
        let before = before.and_then(|state| find(state, id).ok());
        before.is_some_and(|shipment| moment(setting, shipment))
    };
    let due = |shipment: &&Shipment| {
        let now = moment(setting, shipment) && !was(shipment.id);
        let scanned = draft.notes.tell.contains(&shipment.id) && fulfillment::counts(shipment);
        shipment.told_at.is_none() && (now || scanned)
    };
    let due: Vec<ShipmentId> = draft
        .state
        .shipments
        .iter()
        .filter(due)
        .map(|shipment| shipment.id)
        .collect();
    for id in due {
        push(draft, id);
    }
}

fn push(draft: &mut Draft<'_>, id: ShipmentId) {
    let Ok(shipment) = find(&draft.state, id) else {
        return;
    };
    let complete = complete(&draft.state);
    let job = jobs::fulfillment_push(&draft.ctx, &draft.state, shipment, complete);
    let (before, now) = (draft.jobs.len(), draft.now());
    draft.enqueue(job);
    if draft.jobs.len() > before
        && let Ok(shipment) = find_mut(draft, id)
    {
        shipment.told_at = Some(now);
    }
}

/// True when nothing of the order is left to ship.
fn complete(state: &OrderState) -> bool {
    let parts = &state.fulfillment_orders;
    !parts
        .iter()
        .any(|part| fulfillment::live(part) || fulfillment::awaits_label(state, part))
}
