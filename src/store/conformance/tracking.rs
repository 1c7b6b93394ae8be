//! Tracking and cash of an order: kept, told in events and timelines.

use super::shipping::*;
use super::support::*;
use crate::canonical::cod::CodStatus;
use crate::canonical::event::{EventType, SnapshotKind};
use crate::canonical::tracking::TrackingStatus;
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::{Scope, Store};
use std::sync::Arc;

async fn read(store: &Arc<dyn Store>, state: &OrderState) -> OrderState {
    let found = store.order(Scope::All, state.order.meta.id).await;
    found.unwrap().unwrap()
}

pub async fn tracking_is_only_added_to(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.shipped("1", "N1");
    let parcel = state.shipments[0].parcels[0].clone();
    // The later scan reached us first, and an id says nothing of the order of arrival.
    let (old, new) = (
        told(&parcel, TrackingStatus::InTransit, 100),
        told(&parcel, TrackingStatus::Delivered, 200),
    );
    state.tracking = vec![new.clone(), old.clone()];
    let mut state = bench.put(state).await;
    assert_eq!(read(&store, &state).await, state);
    state
        .tracking
        .push(told(&parcel, TrackingStatus::Info, 150));
    let mut state = bench.put(state).await;
    assert_eq!(read(&store, &state).await, state);
    // What is stored stays as it is.
    let stored = state.tracking.clone();
    state.tracking[0].carrier_text = Some("changed".to_owned());
    state
        .tracking
        .push(told(&parcel, TrackingStatus::Returned, 300));
    let state = bench.put(state).await;
    let found = read(&store, &state).await.tracking;
    assert_eq!(found[..3], stored[..]);
    assert_eq!(found[3], state.tracking[3]);
    assert_eq!(found.len(), 4);
}

pub async fn cash_is_kept_by_version(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.shipped("1", "N1");
    let due = money("25.50", "EUR");
    state.cod = vec![
        bench.cod(&state.shipments[0], due),
        bench.cod(&state.shipments[0], due),
    ];
    let mut state = bench.put(state).await;
    assert_eq!(read(&store, &state).await, state, "oldest first");
    state.cod[0].status = CodStatus::Collected;
    state.cod[0].collected = Some(due);
    state.cod[0].version = 2;
    let state = bench.put(state).await;
    assert_eq!(read(&store, &state).await, state);
}

pub async fn events_carry_tracking_and_cash(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.shipped("1", "N1");
    let scan = told(
        &state.shipments[0].parcels[0],
        TrackingStatus::Delivered,
        100,
    );
    let mut item = bench.cod(&state.shipments[0], money("25.50", "EUR"));
    state.tracking = vec![scan.clone()];
    state.cod = vec![item.clone()];
    let shipment = (SnapshotKind::Shipment, state.shipments[0].id.uuid(), 1);
    let mut label = bench.about(&state, EventType::ShipmentLabelCreated, shipment);
    label.extra = serde_json::json!({});
    let tracking = (SnapshotKind::Tracking, scan.id.uuid(), 1);
    let cod = (SnapshotKind::Cod, item.id.uuid(), 2);
    let set = ChangeSet {
        events: vec![
            label,
            bench.about(&state, EventType::TrackingUpdated, tracking),
        ],
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    item.status = CodStatus::Collected;
    item.version = 2;
    state.cod = vec![item.clone()];
    state.lock = 1;
    let set = ChangeSet {
        events: vec![bench.about(&state, EventType::CodCollected, cod)],
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap().data;
    let data: Vec<_> = events
        .iter()
        .map(|event| parsed(&event.json)["data"].clone())
        .collect();
    let order = state.order.meta.id.to_string();
    assert_eq!(data[0]["shipment"]["id"], shipment_id(&state));
    assert_eq!(data[0]["order_id"], order);
    assert_eq!(data[1]["tracking"], serde_json::to_value(&scan).unwrap());
    assert_eq!(data[2]["cod"], serde_json::to_value(&item).unwrap());
    for told in &data[1..] {
        assert_eq!(told["tracking_number"], "N1");
        assert_eq!(told["shipment_id"], shipment_id(&state));
        assert_eq!(told["order_id"], order);
        assert_eq!(told.as_object().unwrap().len(), 4);
    }
}

fn shipment_id(state: &OrderState) -> String {
    state.shipments[0].id.to_string()
}

pub async fn a_timeline_tells_each_once(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.shipped("1", "N1");
    let parcel = state.shipments[0].parcels[0].clone();
    let scan = told(&parcel, TrackingStatus::InTransit, 100);
    state.tracking = vec![scan.clone(), told(&parcel, TrackingStatus::Info, 110)];
    state.cod = vec![bench.cod(&state.shipments[0], money("25.50", "EUR"))];
    let tracking = (SnapshotKind::Tracking, scan.id.uuid(), 1);
    let set = ChangeSet {
        events: vec![bench.about(&state, EventType::TrackingUpdated, tracking)],
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    state.lock = 1;
    state.cod[0].status = CodStatus::Collected;
    state.cod[0].version = 2;
    let cod = (SnapshotKind::Cod, state.cod[0].id.uuid(), 2);
    let set = ChangeSet {
        events: vec![bench.about(&state, EventType::CodCollected, cod)],
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let timeline = store.timeline(Scope::All, state.order.meta.id).await;
    let timeline = timeline.unwrap();
    let mut texts: Vec<&str> = timeline.iter().map(|e| e.text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(
        texts,
        [
            "cod.collected",
            "cod: expected",
            "tracking.updated",
            "tracking: info"
        ]
    );
    let updated = timeline.iter().find(|e| e.text == "tracking.updated");
    assert_eq!(updated.unwrap().detail["status"], "in_transit");
    let text = serde_json::to_string(&timeline).unwrap();
    assert!(!text.contains("Eleni"), "no personal data");
}
