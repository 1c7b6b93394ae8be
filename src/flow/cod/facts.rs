//! What becomes of the cash by what carriers tell.
//!
//! What always holds: nothing is guessed from silence; told twice is told once; an amount that
//! differs, or comes where none was due, is disputed and never dropped.

use super::rates;
use crate::canonical::cod::{CodItem, CodStatus};
use crate::canonical::problem::Class;
use crate::canonical::tracking::{CodFactStatus, ParcelCod, ParcelState, TrackingStatus};
use crate::canonical::{Money, ParcelId, ProblemId, ShipmentId, Timestamp};
use crate::flow::change::{NewProblem, ResolveProblems};
use crate::flow::draft::Draft;
use serde_json::json;
use std::cmp::Ordering;

/// Why an item is not due: the parcel travels back.
const RETURN_BEGUN: &str = "return_begun";
const RETURNED: &str = "returned";
const CANCELLED: &str = "cancelled";
/// The carrier itself says that it collects nothing.
const SAID: &str = "carrier_says_not_due";
/// The problem of an amount that differs.
const DISPUTED: &str = "cod_disputed";

/// Follows where the parcel is. What was delivered once was paid at the door, also when it comes
/// back later.
pub(in crate::flow) fn follow(
    draft: &mut Draft<'_>,
    parcel: ParcelId,
    state: &ParcelState,
    delivered_once: bool,
) {
    let reason = match state.status {
        _ if delivered_once => return due_again(draft, parcel),
        TrackingStatus::ReturnInTransit => RETURN_BEGUN,
        TrackingStatus::Returned => RETURNED,
        TrackingStatus::Cancelled => CANCELLED,
        _ => return,
    };
    end(draft, parcel, reason);
}

fn of_parcel<'s>(
    draft: &'s mut Draft<'_>,
    parcel: ParcelId,
) -> impl Iterator<Item = &'s mut CodItem> {
    let items = draft.state.cod.iter_mut();
    items.filter(move |item| item.parcel_id == parcel)
}

fn end(draft: &mut Draft<'_>, parcel: ParcelId, reason: &str) {
    for item in of_parcel(draft, parcel) {
        super::end(item, reason);
    }
}

/// A delivery is told late, behind the return or the cancellation that followed it or that it
/// overtook: what was ended by those is due, as if it had been told in time.
fn due_again(draft: &mut Draft<'_>, parcel: ParcelId) {
    for item in of_parcel(draft, parcel) {
        let by_tracking = [RETURN_BEGUN, RETURNED, CANCELLED];
        let reason = item.reason.as_deref();
        let ended = reason.is_some_and(|reason| by_tracking.contains(&reason));
        if item.status == CodStatus::NotDue && ended {
            item.status = CodStatus::Expected;
            item.reason = None;
        }
    }
}

/// Takes in what the carrier tells of the cash.
pub(in crate::flow) fn told(
    draft: &mut Draft<'_>,
    shipment: ShipmentId,
    parcel: ParcelId,
    cash: &ParcelCod,
    at: Timestamp,
) {
    match cash.status {
        CodFactStatus::Expected => {}
        CodFactStatus::NotDue => end(draft, parcel, SAID),
        CodFactStatus::Collected | CodFactStatus::Remitted => {
            collected(draft, shipment, parcel, cash, at);
        }
    }
}

fn collected(
    draft: &mut Draft<'_>,
    shipment: ShipmentId,
    parcel: ParcelId,
    cash: &ParcelCod,
    at: Timestamp,
) {
    let now = draft.now();
    let items = &mut draft.state.cod;
    // Of several parcels the carrier may tell it for any: the shipment has one item.
    let place = items
        .iter()
        .position(|item| item.parcel_id == parcel)
        .or_else(|| items.iter().position(|item| item.shipment_id == shipment));
    let Some(item) = place.and_then(|place| items.get_mut(place)) else {
        without_item(draft, shipment, parcel, cash, at);
        return;
    };
    let was = item.status;
    let remitted = cash.status == CodFactStatus::Remitted;
    let Some((status, reason)) = next(item, cash.amount, remitted, now) else {
        return;
    };
    let same = (item.status, &item.reason) == (status, &reason);
    // What a remittance names may be net of fees: it is no other amount collected.
    let keeps = cash.amount.is_none() || (remitted && was == CodStatus::Collected);
    if same && (keeps || item.collected == cash.amount) {
        return;
    }
    item.status = status;
    item.reason = reason;
    if !keeps {
        item.collected = cash.amount;
    }
    item.collected_at = item.collected_at.or(Some(at));
    let item = item.clone();
    report(draft, was, &item);
}

/// What the item becomes, and why; `None`: it is past what a carrier's word moves.
fn next(
    item: &CodItem,
    told: Option<Money>,
    remitted: bool,
    now: Timestamp,
) -> Option<(CodStatus, Option<String>)> {
    use CodStatus as S;
    let because = |status: S, why: &str| Some((status, Some(why.to_owned())));
    match item.status {
        S::Collected if remitted => return Some((S::Remitted, None)),
        S::Expected | S::Overdue | S::Collected | S::ShortPaid | S::OverPaid => {}
        S::NotDue => return because(S::Disputed, "collected_after_not_due"),
        S::Remitted | S::Settled | S::PaidOut | S::Disputed | S::WrittenOff => return None,
    }
    let good = if remitted { S::Remitted } else { S::Collected };
    let Some(told) = told else {
        // Without an amount nobody can say that a dispute has ended.
        let disputed = matches!(item.status, S::ShortPaid | S::OverPaid);
        return (!disputed).then_some((good, None));
    };
    match compared(told, item.due, now) {
        Some(Ordering::Equal) => Some((good, None)),
        Some(Ordering::Less) => because(S::ShortPaid, "less_collected_than_due"),
        Some(Ordering::Greater) => because(S::OverPaid, "more_collected_than_due"),
        None => because(S::Disputed, "collected_in_another_currency"),
    }
}

/// `None` where the law fixes no rate between the two.
fn compared(told: Money, due: Money, now: Timestamp) -> Option<Ordering> {
    let told = rates::by_law(told, due.currency, now)?;
    Some(told.amount.cmp(&due.to_minor_unit().amount))
}

fn report(draft: &mut Draft<'_>, was: CodStatus, item: &CodItem) {
    use CodStatus as S;
    match item.status {
        S::Collected | S::Remitted if was != S::Expected => {
            for code in [DISPUTED, super::OVERDUE] {
                draft.resolve.push(ResolveProblems {
                    subject: item.id.to_string(),
                    code: Some(code.to_owned()),
                });
            }
        }
        S::ShortPaid | S::OverPaid | S::Disputed if was != item.status => {
            let detail = json!({
                "order_id": item.order_id, "shipment_id": item.shipment_id, "due": item.due,
                "collected": item.collected, "reason": item.reason,
            });
            draft.problems.push(NewProblem {
                id: ProblemId::new(),
                class: Class::TotalsMismatch,
                code: DISPUTED.to_owned(),
                subject: item.id.to_string(),
                connection_id: Some(item.connection_id),
                message: "the carrier collected another amount than was due".to_owned(),
                detail,
                hint: Some("ask the carrier for its record of this parcel".to_owned()),
            });
        }
        _ => {}
    }
}

/// Money that nobody asked for: a carrier collected on a parcel that carries no cash. From now on it
/// has an account, disputed, so that it is told once and a person can settle it.
fn without_item(
    draft: &mut Draft<'_>,
    shipment: ShipmentId,
    parcel: ParcelId,
    cash: &ParcelCod,
    at: Timestamp,
) {
    let Some(collected) = cash.amount.filter(|amount| !amount.amount.is_zero()) else {
        return;
    };
    let Some(mut item) = super::stray(draft, shipment, parcel, collected.currency) else {
        return;
    };
    item.collected = Some(collected);
    item.collected_at = Some(at);
    draft.problems.push(NewProblem {
        id: ProblemId::new(),
        class: Class::TotalsMismatch,
        code: "cod_without_item".to_owned(),
        subject: item.id.to_string(),
        connection_id: Some(item.connection_id),
        message: "the carrier collected cash on a parcel that carries none".to_owned(),
        detail: json!({
            "order_id": item.order_id, "shipment_id": shipment, "collected": collected,
        }),
        hint: Some("ask the carrier for its record of this parcel".to_owned()),
    });
    draft.state.cod.push(item);
}
