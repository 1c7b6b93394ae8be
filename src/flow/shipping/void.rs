//! Labels that are not needed: void at the carrier, or as good as it gets.
//!
//! What always holds: a label that is being bought cannot be void yet; it is as soon as it comes;
//! what the carrier has on its list, or in its hands, is void no more (a recall is another thing);
//! lines come back when the label is void, not when that is asked.

use super::{
    FulfillmentOrderId, LabelFailure, ended, failure, find, find_mut, fulfillment, give_back,
    in_house, mended, numbers, part_of, problem, purchase, request, whole,
};
use crate::canonical::ShipmentId;
use crate::canonical::problem::Class;
use crate::canonical::shipment::{Shipment, ShipmentStatus};
use crate::flow::cod;
use crate::flow::command::CommandAnswer;
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::wire;

/// The reason of a label that the carrier was not asked to void, because it voids none.
pub(super) const NO_CANCELLATION: &str = "carrier_has_no_cancellation";
/// The problem of a label that is valid though nobody wants it.
const NOT_VOIDED: &str = "label_not_voided";
/// The problem of a channel that shows a label that is void.
const TOLD_VOID: &str = "channel_told_of_void_label";
const NOT_VOIDED_HINT: &str = "cancel it at the carrier by hand, or see that it is not used";

/// The warehouse does not need the label.
pub(super) fn command(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    reason: Option<String>,
) -> Result<CommandAnswer, FlowError> {
    use ShipmentStatus as S;
    let shipment = find(&draft.state, id)?;
    let status = shipment.status;
    if shipment.voiding || matches!(status, S::VoidRequested | S::Voided) {
        return Ok(CommandAnswer::Shipment(id));
    }
    if shipment.replaced_by.is_some() {
        return Err(FlowError::illegal(
            "it is replaced: its label goes by itself",
        ));
    }
    match status {
        S::Draft | S::Requested | S::Purchased | S::Printed | S::VoidRefused => {}
        S::OutcomeUnknown => {
            return Err(FlowError::illegal(
                "nobody knows whether the label was bought: resolve that first",
            ));
        }
        S::Failed => return Err(FlowError::illegal("there is no label: it failed")),
        S::Manifested | S::HandedOver | S::VoidRequested | S::Voided => {
            let status = wire(&status);
            return Err(FlowError::illegal(format!(
                "it is {status}: the parcel can only be called back"
            )));
        }
    }
    let reason = reason.unwrap_or_else(|| "requested".to_owned());
    if status == S::VoidRefused {
        find_mut(draft, id)?.void_reason = Some(reason);
        start(draft, id)?;
    } else {
        want(draft, id, &reason)?;
    }
    Ok(CommandAnswer::Shipment(id))
}

/// The label is to be void: now, or as soon as it is there as a whole.
pub(super) fn want(draft: &mut Draft<'_>, id: ShipmentId, reason: &str) -> Result<(), FlowError> {
    use ShipmentStatus as S;
    let shipment = find_mut(draft, id)?;
    let open = matches!(
        shipment.status,
        S::Draft | S::Requested | S::OutcomeUnknown | S::Purchased | S::Printed
    );
    if shipment.voiding || !open {
        return Ok(());
    }
    shipment.void_reason = Some(reason.to_owned());
    if whole(shipment) {
        return start(draft, id);
    }
    shipment.voiding = true;
    Ok(())
}

/// Asks the carrier to void a bought label; where it voids none, it is void for us.
pub(super) fn start(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    if !voids(draft, find(&draft.state, id)?) {
        return end(draft, id, Some(NO_CANCELLATION.to_owned()));
    }
    let shipment = find_mut(draft, id)?;
    shipment.status = ShipmentStatus::VoidRequested;
    shipment.voiding = true;
    let numbers = numbers(shipment);
    request::cancel(draft, id, &numbers, None)
}

/// The account of the shipment can be asked; one that we cannot see is asked, too.
fn voids(draft: &Draft<'_>, shipment: &Shipment) -> bool {
    shipment
        .connection_id
        .and_then(|account| draft.ctx.world.carrier(account))
        .is_none_or(|account| account.voids)
}

/// Numbers of a shipment that has ended already: they are on record, and void.
pub(super) fn unwanted(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    numbers: &[String],
) -> Result<(), FlowError> {
    if !voids(draft, find(&draft.state, id)?) {
        let message = "a label was bought that nobody wants, and the carrier voids none";
        let failure = failure(Class::Rejected, NO_CANCELLATION, message);
        problem(draft, id, NOT_VOIDED, &failure, NOT_VOIDED_HINT);
        return Ok(());
    }
    let shipment = find_mut(draft, id)?;
    // The first of a shipment is asked under its request's number, what comes later beside it.
    let more = shipment.voiding || shipment.status == ShipmentStatus::Voided;
    shipment.voiding = true;
    let mark = more.then(|| purchase::seen(shipment).len());
    request::cancel(draft, id, numbers, mark)
}

/// The carrier says that it is void.
pub(super) fn voided(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    note: Option<String>,
) -> Result<(), FlowError> {
    use ShipmentStatus as S;
    let shipment = find_mut(draft, id)?;
    match shipment.status {
        S::VoidRequested | S::Purchased | S::Printed | S::VoidRefused => end(draft, id, note),
        S::Failed | S::Voided if shipment.voiding => {
            shipment.voiding = false;
            mended(draft, id, &[NOT_VOIDED]);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn end(draft: &mut Draft<'_>, id: ShipmentId, note: Option<String>) -> Result<(), FlowError> {
    let shipment = find_mut(draft, id)?;
    let counted = fulfillment::counts(shipment);
    shipment.status = ShipmentStatus::Voided;
    shipment.voiding = false;
    shipment.void_reason = note.or(shipment.void_reason.take());
    let replaced = shipment.replaced_by.is_some();
    let parcels: Vec<_> = shipment.parcels.iter().map(|parcel| parcel.id).collect();
    cod::not_due(draft, id, "voided");
    if counted {
        give_back(draft, id)?;
    }
    mended(draft, id, &[NOT_VOIDED]);
    told_of(draft, id)?;
    // A replaced label that is scanned is a mistake in the warehouse: it is still looked at.
    if !replaced {
        draft
            .track
            .extend(parcels.into_iter().map(|parcel| (parcel, None)));
    }
    Ok(())
}

/// The channel was told of the label already (`fulfillment_push = label`), and no channel takes that
/// back by itself: a person sees it.
fn told_of(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    if shipment.told_at.is_none() {
        return Ok(());
    }
    let (message, hint) = if shipment.replaced_by.is_some() {
        (
            "the channel was told of a label that another one has replaced since",
            "see that the channel shows the customer the new tracking number only",
        )
    } else {
        (
            "the channel was told of a label that is void now",
            "take the shipment back at the channel, or ship the goods with a new label",
        )
    };
    let failure = failure(Class::Conflict, "channel_told", message);
    problem(draft, id, TOLD_VOID, &failure, hint);
    Ok(())
}

/// The carrier does not void it: the label is valid.
pub(super) fn refused(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    failure: &LabelFailure,
) -> Result<(), FlowError> {
    use ShipmentStatus as S;
    let shipment = find_mut(draft, id)?;
    if !shipment.voiding || !matches!(shipment.status, S::VoidRequested | S::Failed | S::Voided) {
        return Ok(());
    }
    shipment.voiding = false;
    if shipment.status == S::VoidRequested {
        shipment.status = S::VoidRefused;
        shipment.void_reason = Some(failure.code.clone());
    }
    let valid = shipment.status == S::VoidRefused && fulfillment::counts(shipment);
    problem(draft, id, NOT_VOIDED, failure, NOT_VOIDED_HINT);
    if valid {
        // One that was to be void before it came has no item yet.
        cod::born(draft, id);
    }
    Ok(())
}

/// The warehouse agreed to a cancellation: what is still in the house is not packed any more.
pub(in crate::flow) fn withdraw(draft: &mut Draft<'_>, part: FulfillmentOrderId) {
    for shipment in &mut draft.state.shipments {
        let ours = shipment.connection_id.is_some();
        if shipment.fulfillment_order_id == part && ours && in_house(shipment.status) {
            shipment.packed = false;
        }
    }
}

/// Labels of goods that do not leave, because their fulfillment order has ended, are void.
pub(super) fn reconcile(draft: &mut Draft<'_>) -> Result<(), FlowError> {
    let idle = |shipment: &&Shipment| {
        let part = part_of(&draft.state, shipment);
        shipment.connection_id.is_some() && !shipment.packed && part.is_some_and(ended)
    };
    let shipments = draft.state.shipments.iter().filter(idle);
    let idle: Vec<ShipmentId> = shipments.map(|shipment| shipment.id).collect();
    for id in idle {
        want(draft, id, "the goods do not leave")?;
    }
    Ok(())
}
