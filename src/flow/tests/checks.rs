//! What must hold of what a decision writes: version numbers and snapshots.
use super::*;
use crate::canonical::event::{NewEvent, SnapshotKind};

/// Numbers rise by one where something changed, and only there.
pub fn numbers(old: Option<&OrderState>, new: &OrderState) {
    let Some(old) = old else {
        assert_eq!(new.order.meta.version, 1);
        return;
    };
    let rise = new.order.meta.version - old.order.meta.version;
    assert!(rise <= 1);
    let content = |state: &OrderState| {
        let mut facts = state.order.facts.clone();
        facts.source_updated_at = crate::canonical::Field::Absent;
        facts.source_revision = crate::canonical::Field::Absent;
        (
            facts,
            state.order.meta.holds.clone(),
            state.order.meta.status,
        )
    };
    if content(old) != content(new) {
        assert_eq!(rise, 1, "a visible change has a version");
    }
    for part in &new.fulfillment_orders {
        let was = old.fulfillment_orders.iter().find(|was| was.id == part.id);
        if let Some(was) = was {
            assert!(part.revision - was.revision <= 1 && part.version - was.version <= 1);
            assert_eq!(part != was, part.version != was.version);
            assert!(part.version > was.version || part.revision == was.revision);
            assert!(was.request.is_none() || part.request.is_some() || was.version < part.version);
        } else {
            assert_eq!((part.revision, part.version), (1, 1));
        }
    }
    assert!(new.tracking.starts_with(&old.tracking), "only added to");
    for item in &new.cod {
        let Some(was) = old.cod.iter().find(|was| was.id == item.id) else {
            assert_eq!(item.version, 1);
            continue;
        };
        assert!(item.version - was.version <= 1);
        assert_eq!(item != was, item.version != was.version);
        assert_eq!((item.due, item.order_amount), (was.due, was.order_amount));
    }
    assert!(old.cod.iter().all(|c| new.cod.iter().any(|n| n.id == c.id)));
    let kept = |id: FulfillmentOrderId| new.fulfillment_orders.iter().any(|part| part.id == id);
    assert!(old.fulfillment_orders.iter().all(|part| kept(part.id)));
    assert!(
        old.shipments
            .iter()
            .all(|s| new.shipments.iter().any(|n| n.id == s.id))
    );
}

/// Snapshots name what is stored with the same decision.
pub fn events(state: &OrderState, events: &[NewEvent]) {
    for event in events {
        assert!(event.extra.is_object());
        for snapshot in &event.snapshots {
            let version = match snapshot.kind {
                SnapshotKind::Order => {
                    assert_eq!(snapshot.id, state.order.meta.id.uuid());
                    state.order.meta.version
                }
                SnapshotKind::FulfillmentOrder => {
                    let parts = &state.fulfillment_orders;
                    let part = parts.iter().find(|part| part.id.uuid() == snapshot.id);
                    part.unwrap().version
                }
                SnapshotKind::Shipment => {
                    let found = state.shipments.iter().find(|s| s.id.uuid() == snapshot.id);
                    found.unwrap().version
                }
                SnapshotKind::Tracking => {
                    assert!(state.tracking.iter().any(|t| t.id.uuid() == snapshot.id));
                    1
                }
                SnapshotKind::Cod => {
                    let found = state.cod.iter().find(|item| item.id.uuid() == snapshot.id);
                    found.unwrap().version
                }
            };
            assert_eq!(snapshot.version, version);
        }
    }
}
