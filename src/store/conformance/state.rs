//! Orders: written over their lock, read whole.

use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::job::Lane;
use crate::canonical::{ConnectionId, Field};
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::query::OrderFilter;
use crate::store::{Scope, Store, StoreError};
use std::sync::Arc;

async fn read(store: &Arc<dyn Store>, state: &OrderState) -> OrderState {
    store
        .order(Scope::All, state.order.meta.id)
        .await
        .unwrap()
        .unwrap()
}

pub async fn an_order_reads_back_whole(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.order("1");
    let part = bench.part(&state, Some(60));
    state.shipments = vec![bench.shipment(&state, &part, "box-1")];
    state.fulfillment_orders = vec![part.clone()];
    let set = ChangeSet {
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let expected = OrderState {
        lock: 1,
        ..state.clone()
    };
    assert_eq!(read(&store, &state).await, expected);
    let keys = [
        (bench.connection.id, "none".to_owned()),
        (bench.connection.id, "1".to_owned()),
        (ConnectionId::new(), "1".to_owned()),
    ];
    let found = store.orders_by_external(&keys).await.unwrap();
    assert_eq!(found, vec![None, Some(expected.clone()), None]);
    let by_part = store
        .order_of_fulfillment(Scope::All, part.id)
        .await
        .unwrap();
    assert_eq!(by_part, Some(expected));
}

pub async fn a_lock_conflict_fails_alone(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let (one, two) = (bench.stored("1").await, bench.stored("2").await);
    let stale = changed(&one, "too late");
    let set = |state: OrderState| ChangeSet {
        events: vec![bench.event(&state, EventType::OrderUpdated)],
        states: vec![state],
        ..ChangeSet::of(bench.merchant)
    };
    let before = store.last_sequence().await.unwrap();
    let results = store
        .apply(vec![
            set(changed(&one, "first")),
            set(stale),
            set(changed(&two, "second")),
        ])
        .await
        .unwrap();
    assert_eq!(results[0].as_ref().unwrap().last_sequence, before + 1);
    assert!(matches!(results[1], Err(StoreError::Conflict(_))));
    assert_eq!(results[2].as_ref().unwrap().last_sequence, before + 2);
    let stored = read(&store, &one).await;
    assert_eq!(
        (stored.lock, stored.order.facts.note.text()),
        (2, Some("first"))
    );
    assert_eq!(
        read(&store, &two).await.order.facts.note.text(),
        Some("second")
    );
}

pub async fn the_same_external_id_twice_is_a_conflict(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let set = |state| ChangeSet {
        states: vec![state],
        ..ChangeSet::of(bench.merchant)
    };
    let both = vec![set(bench.order("1")), set(bench.order("1"))];
    let results = store.apply(both).await.unwrap();
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(StoreError::Conflict(_))));
    let listed = store
        .orders(Scope::All, OrderFilter::default(), page(10))
        .await
        .unwrap();
    assert_eq!(listed.data.len(), 1);
}

pub async fn a_poison_set_does_not_touch_its_neighbours(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let good = |external: &str| {
        let state = bench.order(external);
        ChangeSet {
            events: vec![bench.event(&state, EventType::OrderReceived)],
            states: vec![state],
            ..ChangeSet::of(bench.merchant)
        }
    };
    // Fails at its last step, after it wrote an order, an event and a job.
    let mut poison = good("poison");
    poison.jobs = vec![bench.job("orders.get", "k", "o", Lane::OrderImport)];
    poison.problems = vec![bench.problem("code", "subject")];
    let entry = audit("x");
    poison.audit = vec![entry.clone(), entry];
    let unknown_merchant = {
        let mut set = good("other");
        set.states[0].order.meta.merchant_id = crate::canonical::MerchantId::new();
        set
    };
    let results = store
        .apply(vec![good("1"), poison, unknown_merchant, good("2")])
        .await
        .unwrap();
    assert!(results[0].is_ok() && results[1].is_err());
    assert!(matches!(results[2], Err(StoreError::NotFound(_))));
    assert!(results[3].is_ok());
    let listed = store
        .orders(Scope::All, OrderFilter::default(), page(10))
        .await
        .unwrap();
    assert_eq!(listed.data.len(), 2);
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    let sequences: Vec<u64> = events.data.iter().map(|e| e.sequence).collect();
    assert_eq!(sequences, vec![1, 2]);
    assert!(
        store
            .jobs(Scope::All, Default::default(), page(10))
            .await
            .unwrap()
            .data
            .is_empty()
    );
    let problems = store
        .problems(Scope::All, Default::default(), page(10))
        .await
        .unwrap();
    assert!(problems.data.is_empty());
}

pub async fn a_rewritten_version_replaces_its_bytes(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut state = bench.stored("1").await;
    // Bookkeeping moves without a new version (DECISIONS 4).
    state.order.facts.source_updated_at = Field::Value(at(99));
    let set = ChangeSet {
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let stored = read(&store, &state).await;
    assert_eq!((stored.order, stored.lock), (state.order, 2));
}
