//! The label was refused, or nobody knows whether it was bought.
//!
//! What always holds: nothing is asked for twice by itself; lines of a failed label come back at
//! once; what was bought before the refusal is void, and its numbers stay visible.

use super::{
    LabelFailure, ShipmentStatus, awaited, find, find_mut, fulfillment, give_back, numbers,
    problem, replace, void, whole,
};
use crate::canonical::ShipmentId;
use crate::canonical::problem::Class;
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;

/// The request was refused: nothing more is bought by it.
pub(super) fn failed(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    failure: LabelFailure,
) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    if awaited(shipment) {
        return fail(draft, id, failure);
    }
    without_papers(draft, id, &failure)
}

/// The answer was lost, and the carrier cannot be asked.
pub(super) fn unknown(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    failure: LabelFailure,
) -> Result<(), FlowError> {
    let shipment = find_mut(draft, id)?;
    if !awaited(shipment) {
        return without_papers(draft, id, &failure);
    }
    if shipment.status == ShipmentStatus::OutcomeUnknown {
        return Ok(());
    }
    shipment.status = ShipmentStatus::OutcomeUnknown;
    shipment.failure = Some(failure.clone());
    let reference = shipment.reference.clone().unwrap_or_default();
    let hint = format!(
        "look at the carrier whether it has {reference}, then POST /v1/shipments/{id}/resolve"
    );
    let failure = LabelFailure {
        class: Class::Ambiguous,
        ..failure
    };
    problem(draft, id, "label_outcome_unknown", &failure, &hint);
    Ok(())
}

/// Every number is there, and a later step failed: the label is bought, its papers are missing.
fn without_papers(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    failure: &LabelFailure,
) -> Result<(), FlowError> {
    let now = draft.now();
    let shipment = find_mut(draft, id)?;
    if !whole(shipment) || shipment.label_ready_at.is_some() {
        return Ok(());
    }
    shipment.label_ready_at = Some(now);
    let hint = "the label is bought: print it at the carrier, or replace it";
    problem(draft, id, "label_document_missing", failure, hint);
    Ok(())
}

/// Ends the request: its lines come back, what was bought of it is void.
pub(super) fn fail(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    failure: LabelFailure,
) -> Result<(), FlowError> {
    let shipment = find_mut(draft, id)?;
    let counted = fulfillment::counts(shipment);
    let wanted = !shipment.voiding;
    shipment.status = ShipmentStatus::Failed;
    shipment.failure = Some(failure.clone());
    shipment.voiding = false;
    let bought = numbers(shipment);
    let replaces = shipment.replaces.is_some();
    if replaces {
        replace::restore(draft, id)?;
    } else if counted {
        give_back(draft, id)?;
    }
    if wanted {
        let hint = if replaces {
            "the old label stays valid: mend what is named and replace it again"
        } else {
            hint(failure.class)
        };
        problem(draft, id, "label_refused", &failure, hint);
    }
    if bought.is_empty() {
        return Ok(());
    }
    void::unwanted(draft, id, &bought)
}

/// What the warehouse or an operator can do.
const fn hint(class: Class) -> &'static str {
    match class {
        Class::Invalid => {
            "correct the named fields (address, phone, point, parcels), then `ship` again with the same shipment_ref"
        }
        Class::Rejected | Class::Gone => {
            "`ship` again with the same shipment_ref and another service or carrier_connection_id"
        }
        Class::AuthBroken | Class::AuthExpired => {
            "mend the credentials of the carrier account, then `ship` again with the same shipment_ref"
        }
        Class::BrokenContract => {
            "look at the carrier whether it made a label, mend the connector's mapping, then `ship` again with the same shipment_ref"
        }
        _ => "`ship` again with the same shipment_ref",
    }
}

/// Ends the request of a label that is not to be bought again (nobody wants it any more).
pub(super) fn not_bought(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let failure = find(&draft.state, id)?.failure.clone();
    let failure = failure.unwrap_or_else(|| {
        super::failure(
            Class::Ambiguous,
            "not_purchased",
            "the carrier does not have it",
        )
    });
    fail(draft, id, failure)
}
