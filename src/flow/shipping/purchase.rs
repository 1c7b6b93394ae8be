//! The label is bought: what follows of it.
//!
//! What always holds: a label is `purchased` with its first number; cash, tracking and the end of a
//! replaced label follow when all its numbers are there, once; a label that nobody wants any more
//! when it comes is recorded and void at once.

use super::{
    ShipmentStatus, ahead, documents, failure, find, find_mut, fulfillment, mended, numbers,
    part_of, replace, void, whole,
};
use crate::canonical::problem::Class;
use crate::canonical::shipment::Shipment;
use crate::canonical::{LineId, Quantity, ShipmentId, Timestamp};
use crate::flow::allocate::minus;
use crate::flow::cod;
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::tracking;

/// Problems that end with the label.
pub(super) const LABEL_PROBLEMS: [&str; 2] = ["label_refused", "label_outcome_unknown"];

/// Brings the shipment in line with what came, compared with what was there before.
pub(super) fn follow(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    before: &Shipment,
) -> Result<(), FlowError> {
    let had = seen(before);
    let fresh: Vec<String> = seen(find(&draft.state, id)?)
        .into_iter()
        .filter(|number| !had.contains(number))
        .collect();
    if !fresh.is_empty() {
        bought(draft, id, &fresh)?;
    }
    if whole(find(&draft.state, id)?) && !whole(before) {
        settled(draft, id)?;
    }
    let now = draft.now();
    let shipment = find_mut(draft, id)?;
    if shipment.label_ready_at.is_none() && whole(shipment) && documents::labelled(shipment) {
        shipment.label_ready_at = Some(now);
    }
    Ok(())
}

/// Every number that is known of a shipment.
pub(super) fn seen(shipment: &Shipment) -> Vec<String> {
    let related = shipment
        .parcels
        .iter()
        .flat_map(|parcel| &parcel.tracking.related)
        .map(|other| other.tracking_number.clone());
    numbers(shipment).into_iter().chain(related).collect()
}

/// A number came that was not known.
fn bought(draft: &mut Draft<'_>, id: ShipmentId, fresh: &[String]) -> Result<(), FlowError> {
    let now = draft.now();
    let status = find(&draft.state, id)?.status;
    match status {
        ShipmentStatus::Draft | ShipmentStatus::Requested | ShipmentStatus::OutcomeUnknown => {
            purchased(draft, id, now)
        }
        ShipmentStatus::Failed => late(draft, id, fresh, now),
        // It came after its end: nobody will use it.
        ShipmentStatus::Voided => void::unwanted(draft, id, fresh),
        _ => Ok(()),
    }
}

fn purchased(draft: &mut Draft<'_>, id: ShipmentId, now: Timestamp) -> Result<(), FlowError> {
    let shipment = find_mut(draft, id)?;
    shipment.status = ShipmentStatus::Purchased;
    shipment.purchased_at = Some(now);
    shipment.failure = None;
    mended(draft, id, &LABEL_PROBLEMS);
    Ok(())
}

/// A label that had failed came after all. Where its lines still wait for one it is theirs, else
/// it is void.
fn late(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    fresh: &[String],
    now: Timestamp,
) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    if shipment.voiding || shipment.replaces.is_some() || !fits(draft, shipment) {
        return void::unwanted(draft, id, fresh);
    }
    let packed = shipment.packed;
    purchased(draft, id, now)?;
    if packed {
        super::leave(draft, id)?;
    }
    Ok(())
}

fn fits(draft: &Draft<'_>, shipment: &Shipment) -> bool {
    let state = &draft.state;
    let taken = ahead::labelled(state, shipment.fulfillment_order_id);
    let Some(part) = part_of(state, shipment) else {
        return false;
    };
    let free = |line: LineId| {
        let inside = part.lines.iter().find(|inside| inside.line_id == line);
        let remaining = inside.map_or(Quantity::ZERO, |inside| inside.remaining);
        let taken = taken.get(&line).copied().unwrap_or_default();
        minus(remaining, taken)
    };
    (part.status == super::FulfillmentStatus::Submitted || fulfillment::at_work(part))
        && shipment.lines.iter().all(|l| l.quantity <= free(l.line_id))
}

/// Every number is there: from here on the label counts, or goes.
fn settled(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    let replaced = shipment
        .replaces
        .and_then(|old| find(&draft.state, old).ok())
        .filter(|old| old.replaced_by == Some(id));
    let gone = |old: &Shipment| {
        use ShipmentStatus as S;
        matches!(old.status, S::Manifested | S::HandedOver)
    };
    // What has left with the old label cannot leave with the new one.
    let too_late = replaced.is_some_and(gone);
    let replaced = replaced.map(|old| old.id);
    if too_late {
        let shipment = find_mut(draft, id)?;
        shipment.voiding = true;
        shipment.void_reason = Some("the parcel left with the old label".to_owned());
    }
    if find(&draft.state, id)?.voiding {
        replace::restore(draft, id)?;
        return void::start(draft, id);
    }
    if let Some(old) = replaced {
        cod::not_due(draft, old, "replaced");
        void::want(draft, old, "replaced")?;
    }
    cod::born(draft, id);
    tracking::schedule(draft, id);
    Ok(())
}

/// Every step of the request is done: nothing more is to come.
pub(super) fn complete(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    let before = shipment.clone();
    if shipment.status.under_way() && numbers(shipment).is_empty() {
        let message = "the carrier's answer names no number";
        let failure = failure(Class::BrokenContract, "tracking_number_missing", message);
        return super::failure::failed(draft, id, failure);
    }
    if !before.status.bought() || before.label_ready_at.is_some() {
        return Ok(());
    }
    let now = draft.now();
    find_mut(draft, id)?.label_ready_at = Some(now);
    if !whole(&before) {
        settled(draft, id)?;
    }
    Ok(())
}
