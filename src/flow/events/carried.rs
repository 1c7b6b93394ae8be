//! Events of what carriers told: scans, and cash.
//!
//! What always holds: one event a stored scan, in order of the scans' time; one for every state
//! that cash reaches.

use super::event;
use crate::canonical::cod::{CodItem, CodStatus};
use crate::canonical::event::{EventType, NewEvent, SnapshotKind, SnapshotRef};
use crate::canonical::tracking::TrackingEvent;
use crate::flow::draft::Draft;
use serde_json::json;

/// What is stored with this decision.
pub(super) fn tracked(draft: &Draft<'_>, events: &mut Vec<NewEvent>) {
    let known = draft
        .before
        .as_ref()
        .map_or(0, |state| state.tracking.len());
    let mut fresh: Vec<&TrackingEvent> = draft.state.tracking.iter().skip(known).collect();
    fresh.sort_by_key(|scan| scan.occurred_at);
    for scan in fresh {
        let snapshot = SnapshotRef {
            kind: SnapshotKind::Tracking,
            id: scan.id.uuid(),
            version: 1,
        };
        let parcel = draft.state.shipments.iter().find_map(|shipment| {
            let mut parcels = shipment.parcels.iter();
            let parcel = parcels.find(|parcel| parcel.id == scan.parcel_id)?;
            Some((shipment.id, parcel.tracking_number.clone()))
        });
        let (shipment_id, number) = parcel.unzip();
        let extra = json!({
            "tracking_number": number.flatten(),
            "shipment_id": shipment_id,
            "order_id": draft.state.order.meta.id,
        });
        let kind = EventType::TrackingUpdated;
        events.push(event(draft, kind, vec![snapshot], extra));
    }
}

/// What became of the cash.
pub(super) fn cash(draft: &Draft<'_>, events: &mut Vec<NewEvent>) {
    for item in &draft.state.cod {
        let before = draft.before.as_ref();
        let was = before
            .and_then(|state| state.cod.iter().find(|old| old.id == item.id))
            .map(|old| old.status);
        if was == Some(item.status) {
            continue;
        }
        for kind in reached(was, item) {
            let snapshot = SnapshotRef {
                kind: SnapshotKind::Cod,
                id: item.id.uuid(),
                version: item.version,
            };
            let extra = json!({ "order_id": item.order_id });
            events.push(event(draft, kind, vec![snapshot], extra));
        }
    }
}

fn reached(was: Option<CodStatus>, item: &CodItem) -> Vec<EventType> {
    use CodStatus as S;
    match item.status {
        S::Collected => vec![EventType::CodCollected],
        S::Remitted if was == Some(S::Collected) => vec![EventType::CodRemitted],
        // The carrier said nothing in between.
        S::Remitted => vec![EventType::CodCollected, EventType::CodRemitted],
        S::ShortPaid | S::OverPaid | S::Disputed => vec![EventType::CodDisputed],
        S::Settled => vec![EventType::CodSettled],
        S::Expected | S::PaidOut | S::NotDue | S::Overdue | S::WrittenOff => Vec::new(),
    }
}
