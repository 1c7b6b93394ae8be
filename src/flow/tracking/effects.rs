//! What follows from where a parcel is: the hand-over, the shop's news, the timeline.
//!
//! What always holds: everything follows from a change between two readings, so that nothing is
//! done twice; a label that does not count hands nothing over.

use super::project::Reading;
use super::{Place, parcel, shipment};
use crate::canonical::problem::Class;
use crate::canonical::shipment::{Direction, Parcel, Shipment};
use crate::canonical::tracking::{ParcelState, TrackingStatus};
use crate::canonical::{ParcelId, ProblemId};
use crate::flow::change::{NewProblem, OrderState};
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::{fulfillment, jobs, shipping};
use serde_json::json;

/// How it was before the answer.
pub(super) struct Before {
    parcel: ParcelState,
    outcome: Option<TrackingStatus>,
}

impl Before {
    pub fn of(state: &OrderState, place: Place) -> Self {
        Self {
            parcel: parcel(state, place)
                .map(|parcel| parcel.tracking.clone())
                .unwrap_or_default(),
            outcome: shipment(state, place.shipment).and_then(outcome),
        }
    }
}

/// Does what follows. `fresh` are the statuses of new events.
pub(super) fn follow(
    draft: &mut Draft<'_>,
    place: Place,
    before: &Before,
    reading: &Reading,
    fresh: &[TrackingStatus],
) -> Result<(), FlowError> {
    let (was, now) = (&before.parcel, &reading.state);
    let Some(shipment) = shipment(&draft.state, place.shipment) else {
        return Ok(());
    };
    if shipping::void_label(&draft.state, shipment) {
        if fresh.iter().any(|status| status.scanned()) {
            scan_on_void_label(draft, place);
        }
        return Ok(());
    }
    if shipment.direction == Direction::Return {
        return Ok(());
    }
    if let Some(first) = now.first_scan_at.filter(|_| was.first_scan_at.is_none()) {
        shipping::scanned(draft, place.shipment, first)?;
    }
    if now.returning && !was.returning {
        let changed = &mut draft.notes.changed;
        changed.push("shipments.returning".to_owned());
        let id = json!(place.shipment);
        draft.notes.updated.insert("shipment_id".to_owned(), id);
    }
    tell_the_shop(draft, place, before, now, fresh);
    Ok(())
}

pub(super) fn scan_on_void_label(draft: &mut Draft<'_>, place: Place) {
    let connection_id = shipment(&draft.state, place.shipment).and_then(|s| s.connection_id);
    draft.problems.push(NewProblem {
        id: ProblemId::new(),
        class: Class::Rejected,
        code: "scan_on_void_label".to_owned(),
        subject: place.shipment.to_string(),
        connection_id,
        message: "the carrier scanned a parcel with a label that is void or replaced".to_owned(),
        detail: json!({
            "order_id": draft.state.order.meta.id, "shipment_id": place.shipment,
            "parcel_id": place.parcel,
        }),
        hint: Some(
            "the wrong label is on the parcel: stop it at the carrier, or let it run".to_owned(),
        ),
    });
}

/// Parcels of which the carrier can tell.
fn numbered(shipment: &Shipment) -> impl Iterator<Item = &Parcel> {
    let parcels = shipment.parcels.iter();
    parcels.filter(|parcel| parcel.tracking_number.is_some())
}

/// Delivered when every parcel is; returned when every one has ended and one came back.
fn outcome(shipment: &Shipment) -> Option<TrackingStatus> {
    use TrackingStatus as S;
    let statuses: Vec<S> = numbered(shipment)
        .map(|parcel| parcel.tracking.status)
        .collect();
    if statuses.iter().all(|status| *status == S::Delivered) {
        Some(S::Delivered)
    } else if statuses.iter().all(|status| status.terminal()) && statuses.contains(&S::Returned) {
        Some(S::Returned)
    } else {
        None
    }
}

/// What is new for the customer: how the shipment ended, or a step of this parcel that none of the
/// shipment's took before.
fn news(
    state: &OrderState,
    shipment: &Shipment,
    before: &Before,
    now: &ParcelState,
    fresh: &[TrackingStatus],
) -> Option<TrackingStatus> {
    use TrackingStatus as S;
    if let Some(after) = outcome(shipment) {
        return Some(after).filter(|after| before.outcome != Some(*after));
    }
    let step = matches!(
        now.status,
        S::OutForDelivery | S::FailedAttempt | S::AvailableForPickup
    );
    if !step || now.status == before.parcel.status {
        return None;
    }
    let of_it = |status: &&TrackingStatus| **status == now.status;
    let ours = |id: ParcelId| shipment.parcels.iter().any(|parcel| parcel.id == id);
    let scans = state.tracking.iter();
    let scans = scans.filter(|scan| scan.status == now.status && ours(scan.parcel_id));
    (scans.count() <= fresh.iter().filter(of_it).count()).then_some(now.status)
}

fn tell_the_shop(
    draft: &mut Draft<'_>,
    place: Place,
    before: &Before,
    now: &ParcelState,
    fresh: &[TrackingStatus],
) {
    let Some(shipment) = shipment(&draft.state, place.shipment) else {
        return;
    };
    let news = news(&draft.state, shipment, before, now, fresh);
    let Some(status) = news.filter(|news| draft.settings.delivery_push.contains(news)) else {
        return;
    };
    let told = jobs::News {
        status,
        occurred_at: now.since.unwrap_or(draft.ctx.now),
        complete: complete(&draft.state),
    };
    let job = jobs::delivery_push(&draft.ctx, &draft.state, shipment, &told);
    draft.enqueue(job);
}

/// Nothing of the order is left to ship, or still on its way as far as carriers tell.
fn complete(state: &OrderState) -> bool {
    let ended = |parcel: &Parcel| parcel.tracking.status.terminal();
    let counting = || {
        let shipments = state.shipments.iter();
        shipments.filter(|shipment| fulfillment::counts(shipment))
    };
    !state.fulfillment_orders.iter().any(fulfillment::live)
        && counting().all(|shipment| numbered(shipment).all(ended))
}
