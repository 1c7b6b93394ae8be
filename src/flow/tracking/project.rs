//! Where a parcel is, read off its events.
//!
//! What always holds: a reading of the events alone, whatever the order in which they came (but for
//! those of one moment, which keep the carrier's order); a terminal status is left by a return only,
//! and only after `delivered`; once a return has begun nothing is delivered any more, so that a
//! hand-over to the sender never passes for the customer's.

use crate::canonical::tracking::{ParcelState, TrackingEvent, TrackingStatus};

/// What the events of one parcel say.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Reading {
    /// Where it is.
    pub state: ParcelState,
    /// It was delivered, whatever came after.
    pub delivered_once: bool,
}

/// Reads the events of one parcel, given in the order in which they were stored.
pub(super) fn read<'e>(events: impl IntoIterator<Item = &'e TrackingEvent>) -> Reading {
    let mut events: Vec<&TrackingEvent> = events.into_iter().collect();
    // Stable: equal times keep the carrier's order.
    events.sort_by_key(|event| event.occurred_at);
    let mut reading = Reading::default();
    for event in events {
        take(&mut reading, event);
    }
    reading
}

/// What a scan means in its place: behind the beginning of a return every arrival is on the way
/// back, and the hand-over is the sender's. A carrier whose feed tells only what is new cannot say
/// so itself: its mapping does not see the return that an earlier answer told.
pub(super) const fn on_leg(returning: bool, told: TrackingStatus) -> TrackingStatus {
    use TrackingStatus as S;
    match told {
        S::Delivered if returning => S::Returned,
        S::InTransit | S::OutForDelivery | S::FailedAttempt | S::AvailableForPickup
            if returning =>
        {
            S::ReturnInTransit
        }
        told => told,
    }
}

/// True for a scan that says that the parcel travels back, or came back.
pub(super) const fn begins_return(status: TrackingStatus) -> bool {
    matches!(
        status,
        TrackingStatus::ReturnInTransit | TrackingStatus::Returned
    )
}

fn take(reading: &mut Reading, event: &TrackingEvent) {
    let state = &mut reading.state;
    let status = on_leg(state.returning, event.status);
    state.returning |= begins_return(status);
    if status == TrackingStatus::Exception {
        let reason = event.reason.clone().unwrap_or_else(|| "other".to_owned());
        state.exception = Some(reason);
        return;
    }
    if status.scanned() {
        state.exception = None;
        state.first_scan_at = state.first_scan_at.or(Some(event.occurred_at));
    }
    let Some(group) = status.group().filter(|group| *group > 0) else {
        return;
    };
    let reached = state.status.group().unwrap_or(0);
    let new_leg =
        state.status == TrackingStatus::Delivered && status == TrackingStatus::ReturnInTransit;
    if group >= reached || new_leg {
        state.status = status;
        state.since = Some(event.occurred_at);
    }
    reading.delivered_once |= status == TrackingStatus::Delivered;
}
