//! Where a parcel is, read off its events.
//!
//! What always holds: a reading of the events alone, whatever the order in which they came (but for
//! those of one moment, which keep the carrier's order); a terminal status is left by a return only,
//! and only after `delivered`.

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
    reading.state.returning = matches!(
        reading.state.status,
        TrackingStatus::ReturnInTransit | TrackingStatus::Returned
    );
    reading
}

fn take(reading: &mut Reading, event: &TrackingEvent) {
    let state = &mut reading.state;
    if event.status == TrackingStatus::Exception {
        let reason = event.reason.clone().unwrap_or_else(|| "other".to_owned());
        state.exception = Some(reason);
        return;
    }
    if event.status.scanned() {
        state.exception = None;
        state.first_scan_at = state.first_scan_at.or(Some(event.occurred_at));
    }
    let Some(group) = event.status.group().filter(|group| *group > 0) else {
        return;
    };
    let reached = state.status.group().unwrap_or(0);
    let new_leg = state.status == TrackingStatus::Delivered
        && event.status == TrackingStatus::ReturnInTransit;
    if group >= reached || new_leg {
        state.status = event.status;
        state.since = Some(event.occurred_at);
    }
    reading.delivered_once |= event.status == TrackingStatus::Delivered;
}
