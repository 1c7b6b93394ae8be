//! Shipments and parcels: listed, found by number, asked for in time.

use super::shipping::*;
use super::support::*;
use crate::canonical::connection::ConnectionState;
use crate::canonical::shipment::ShipmentStatus;
use crate::canonical::tracking::TrackingStatus;
use crate::canonical::{ConnectionId, ParcelId};
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::query::*;
use crate::store::{Scope, Store, StoreError};
use std::sync::Arc;

pub async fn orders_are_found_by_shipment_and_number(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let one = bench.put(bench.shipped("1", "N1")).await;
    let two = bench.put(bench.shipped("2", "N2")).await;
    let account = bench.connection.id;
    let keys = [
        (account, "N2".to_owned()),
        (account, "unknown".to_owned()),
        (ConnectionId::new(), "N1".to_owned()),
        (account, "N1".to_owned()),
    ];
    let found = store.orders_by_tracking(&keys).await.unwrap();
    assert_eq!(
        found,
        vec![Some(two), None, None, Some(one.clone())],
        "in the order asked"
    );
    let found = store
        .order_of_shipment(Scope::All, one.shipments[0].id)
        .await
        .unwrap();
    assert_eq!(found, Some(one));
    let none = crate::canonical::ShipmentId::new();
    let found = store.order_of_shipment(Scope::All, none).await.unwrap();
    assert_eq!(found, None);
}

pub async fn a_number_is_one_shipments_at_an_account(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    bench.put(bench.shipped("1", "N1")).await;
    let set = |state| ChangeSet {
        states: vec![state],
        ..ChangeSet::of(bench.merchant)
    };
    let again = bench.shipped("2", "N1");
    let its = again.shipments[0].parcels[0].id;
    let Err(StoreError::Conflict(text)) = bench.apply(set(again)).await else {
        panic!("two shipments with one number")
    };
    assert!(text.contains(&its.to_string()) && !text.contains("N1"));
    let listed = store.orders(Scope::All, Default::default(), page(9)).await;
    assert_eq!(listed.unwrap().data.len(), 1, "nothing of it was written");
    // Elsewhere, or without an account, the same number is another's.
    let mut elsewhere = bench.shipped("3", "N1");
    elsewhere.shipments[0].connection_id = Some(ConnectionId::new());
    let mut by_hand = [bench.shipped("4", "N1"), bench.shipped("5", "N1")];
    for state in &mut by_hand {
        state.shipments[0].connection_id = None;
    }
    let [four, five] = by_hand;
    for state in [elsewhere, four, five] {
        bench.apply(set(state)).await.unwrap();
    }
    let filter = ShipmentFilter {
        tracking_number: Some("N1".to_owned()),
        ..Default::default()
    };
    let listed = store.shipments(Scope::All, filter, page(9)).await.unwrap();
    assert_eq!(listed.data.len(), 4);
    // One label for two parcels.
    let mut shared = bench.shipped("6", "N6");
    shared.shipments[0].parcels.push(parcel(Some("N6")));
    let shared = bench.put(shared).await;
    let key = [(bench.connection.id, "N6".to_owned())];
    let found = store.orders_by_tracking(&key).await.unwrap();
    assert_eq!(found, [Some(shared)]);
}

pub async fn parcels_of_a_shipment_swap_their_numbers(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.shipped("1", "N1");
    state.shipments[0].parcels.push(parcel(Some("N2")));
    state.shipments[0].parcels.push(parcel(Some("N2")));
    let mut state = bench.put(state).await;
    let numbers = |state: &mut OrderState, numbers: [Option<&str>; 3]| {
        let shipment = &mut state.shipments[0];
        shipment.version += 1;
        for (parcel, number) in shipment.parcels.iter_mut().zip(numbers) {
            parcel.tracking_number = number.map(str::to_owned);
        }
    };
    for now in [
        [Some("N2"), Some("N1"), Some("N2")],
        [Some("N2"), Some("N2"), Some("N1")],
        [None, Some("N1"), Some("N1")],
        [Some("N1"), None, Some("N1")],
    ] {
        numbers(&mut state, now);
        state = bench.put(state).await;
        let other = bench.shipped("2", "N1");
        let set = ChangeSet {
            states: vec![other],
            ..ChangeSet::of(bench.merchant)
        };
        let taken = bench.apply(set).await;
        assert!(matches!(taken, Err(StoreError::Conflict(_))), "{now:?}");
    }
    // Nobody has it any more.
    bench.put(bench.shipped("3", "N2")).await;
}

pub async fn parcels_follow_their_shipment(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.shipped("1", "N1");
    state.shipments[0].parcels[0].tracking_number = None;
    let mut state = bench.put(state).await;
    let old = state.shipments[0].parcels[0].id;
    // Another parcel instead, and then its number.
    state.shipments[0].parcels = vec![parcel(None)];
    state.shipments[0].version = 2;
    let mut state = bench.put(state).await;
    state.shipments[0].parcels[0].tracking_number = Some("N1".to_owned());
    state.shipments[0].version = 3;
    let state = bench.put(state).await;
    let key = [(bench.connection.id, "N1".to_owned())];
    let found = store.orders_by_tracking(&key).await.unwrap();
    assert_eq!(found, vec![Some(state)]);
    let set = ChangeSet {
        track: vec![(old, Some(at(1)))],
        ..ChangeSet::of(bench.merchant)
    };
    assert!(
        matches!(bench.apply(set).await, Err(StoreError::NotFound(_))),
        "a parcel that is not there is not tracked"
    );
}

async fn due(bench: &Bench, now: i64, limit: usize) -> Vec<DueParcel> {
    let account = bench.connection.id;
    let due = bench.store.due_parcels(account, at(now), limit).await;
    due.unwrap()
}

async fn track(bench: &Bench, track: Vec<(ParcelId, Option<crate::canonical::Timestamp>)>) {
    let set = ChangeSet {
        track,
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
}

pub async fn a_former_number_still_finds_its_order(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.put(bench.shipped("1", "N1")).await;
    let account = state.shipments[0].connection_id.unwrap();
    // Another request, from another account: the number is the first one's.
    let shipment = &mut state.shipments[0];
    shipment.former_numbers = vec!["N1".to_owned()];
    shipment.parcels[0].tracking_number = None;
    shipment.connection_id = Some(ConnectionId::new());
    shipment.version += 1;
    let state = bench.put(state).await;
    let key = |account, number: &str| (account, number.to_owned());
    let other = state.shipments[0].connection_id.unwrap();
    let keys = [key(account, "N1"), key(other, "N1"), key(account, "N2")];
    let found = store.orders_by_tracking(&keys).await.unwrap();
    let ids: Vec<_> = found
        .iter()
        .map(|f| f.as_ref().map(|s| s.order.meta.id))
        .collect();
    assert_eq!(ids, [Some(state.order.meta.id), None, None]);
    // A label in use goes before a former one.
    let second = bench.put(bench.shipped("2", "N1")).await;
    assert_eq!(second.shipments[0].connection_id, Some(account));
    let found = store.orders_by_tracking(&keys[..1]).await.unwrap();
    assert_eq!(
        found[0].as_ref().unwrap().order.meta.id,
        second.order.meta.id
    );
}

pub async fn parcels_come_due_and_are_asked_for(store: Arc<dyn Store>) {
    let (bench, other) = (Bench::new(&store).await, Bench::new(&store).await);
    let mut jobs = store.wake().jobs();
    let one = bench.shipped("1", "N1");
    let mut two = bench.shipped("2", "N2");
    two.shipments[0].parcels[0].tracking.status = TrackingStatus::InTransit;
    two.shipments[0].parcels[0].tracking.since = Some(at(30));
    let mut unnumbered = bench.shipped("3", "N3");
    unnumbered.shipments[0].parcels[0].tracking_number = None;
    let theirs = other.shipped("4", "N1");
    let id = |state: &OrderState| state.shipments[0].parcels[0].id;
    let (a, b, c, d) = (id(&one), id(&two), id(&unnumbered), id(&theirs));
    assert_eq!(store.next_parcel_at().await.unwrap(), None);
    jobs.mark_unchanged();
    let mut later = two.clone();
    // With the state that brings them.
    let set = ChangeSet {
        states: vec![one, two, unnumbered],
        track: vec![(a, Some(at(200))), (b, Some(at(100))), (c, Some(at(1)))],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    assert!(
        jobs.has_changed().unwrap(),
        "whoever waits for parcels is told"
    );
    other.put(theirs).await;
    track(&other, vec![(d, Some(at(150)))]).await;

    assert_eq!(store.next_parcel_at().await.unwrap(), Some(at(100)));
    assert!(due(&bench, 99, 9).await.is_empty());
    let first = due(&bench, 100, 9).await;
    assert_eq!(
        first,
        [DueParcel {
            parcel_id: b,
            tracking_number: "N2".to_owned(),
            status: TrackingStatus::InTransit,
            since: at(30),
            track_at: at(100),
        }]
    );
    let both = due(&bench, 300, 9).await;
    assert_eq!([both[0].parcel_id, both[1].parcel_id], [b, a]);
    assert_eq!(both[1].since, at(10), "before any scan: when it was bought");
    assert_eq!(due(&bench, 300, 1).await.len(), 1);

    let asked = vec![(b, Some(at(500))), (a, None), (ParcelId::new(), None)];
    store.parcels_asked(asked).await.unwrap();
    assert!(due(&bench, 300, 9).await.is_empty());
    assert_eq!(store.next_parcel_at().await.unwrap(), Some(at(150)));
    // Another version of the shipment does not touch it.
    later.lock = 1;
    later.shipments[0].version = 2;
    bench.put(later).await;
    assert_eq!(due(&bench, 500, 9).await.len(), 1);
    // Who may not be asked is not waited for.
    let mut paused = other.connection.clone();
    paused.state = ConnectionState::Paused;
    let change = ChangeSet::of(other.merchant);
    store
        .update_connection(&paused, None, change, audit(paused.id))
        .await
        .unwrap();
    assert_eq!(store.next_parcel_at().await.unwrap(), Some(at(500)));
}

pub async fn shipments_are_listed_newest_first(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut all = Vec::new();
    for n in 1..=5 {
        let mut state = bench.shipped(&n.to_string(), &format!("N{n}"));
        state.shipments[0].shipment_ref = format!("box-{n}");
        if n > 3 {
            state.shipments[0].status = ShipmentStatus::Voided;
        }
        all.push(bench.put(state).await.shipments.remove(0));
    }
    let ids = |page: Page<bytes::Bytes>| -> Vec<String> {
        let id = |json: &bytes::Bytes| parsed(json)["id"].as_str().unwrap().to_owned();
        page.data.iter().map(id).collect()
    };
    let id = |n: usize| all[n - 1].id.to_string();
    let list = |filter: ShipmentFilter| {
        let store = Arc::clone(&store);
        async move { ids(store.shipments(Scope::All, filter, page(50)).await.unwrap()) }
    };
    let none = ShipmentFilter::default;
    assert_eq!(list(none()).await, [id(5), id(4), id(3), id(2), id(1)]);
    let filter = ShipmentFilter {
        status: vec![ShipmentStatus::Purchased, ShipmentStatus::Printed],
        merchant_id: Some(bench.merchant),
        connection_id: Some(bench.connection.id),
        ..none()
    };
    assert_eq!(list(filter).await, [id(3), id(2), id(1)]);
    let second = &all[1];
    for filter in [
        ShipmentFilter {
            order_id: Some(second.order_id),
            ..none()
        },
        ShipmentFilter {
            fulfillment_order_id: Some(second.fulfillment_order_id),
            ..none()
        },
        ShipmentFilter {
            shipment_ref: Some("box-2".to_owned()),
            ..none()
        },
        ShipmentFilter {
            tracking_number: Some("N2".to_owned()),
            ..none()
        },
    ] {
        assert_eq!(list(filter).await, [id(2)]);
    }
    let filter = ShipmentFilter {
        tracking_number: Some("N2".to_owned()),
        status: vec![ShipmentStatus::Voided],
        ..none()
    };
    assert!(list(filter).await.is_empty());
    let first = store.shipments(Scope::All, none(), page(3)).await.unwrap();
    let request = PageRequest {
        limit: 3,
        after: first.next.clone(),
    };
    let rest = store.shipments(Scope::All, none(), request).await.unwrap();
    assert_eq!(ids(first), [id(5), id(4), id(3)]);
    assert_eq!((rest.next.clone(), ids(rest)), (None, vec![id(2), id(1)]));
}
