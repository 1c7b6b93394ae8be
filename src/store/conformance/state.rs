//! Orders: written over their lock, read whole.

use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::job::Lane;
use crate::canonical::{ConnectionId, Field};
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::query::OrderFilter;
use crate::store::{Scope, Store, StoreError};
use std::collections::BTreeSet;
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

/// As many at once as come in when there is much to do: with deliveries, one of which is decided
/// twice, with subjects that repeat, and with one that was changed elsewhere.
pub async fn many_sets_are_written_as_if_each_were_alone(store: Arc<dyn Store>) {
    const MANY: usize = 300;
    let bench = Bench::new(&store).await;
    let old = bench.stored("old").await;
    let (mut sets, mut bad) = (Vec::new(), BTreeSet::new());
    for n in 0..MANY {
        let delivery = bench.appended(&n.to_string()).await;
        let record = bench.record(&delivery, 0, Disposition::Applied);
        let id = record.id;
        let mut set = bench.decided(&delivery, vec![record]);
        let hash = store.content_hash(n.to_string().as_bytes());
        let subject = format!("ext-{}", n % 7);
        if let Some(result) = &mut set.delivery {
            result.hashes = vec![("order".to_owned(), subject, hash)];
            result.dedupe = Some(("t".to_owned(), n.to_string(), id));
        }
        let state = match n {
            100 | 200 => changed(&old, &n.to_string()),
            _ => bench.order(&n.to_string()),
        };
        set.events = vec![bench.event(&state, EventType::OrderUpdated)];
        set.states = vec![state];
        set.jobs = vec![bench.job("orders.get", &n.to_string(), "o", Lane::OrderImport)];
        sets.push(set);
    }
    // Decided before, and changed before.
    sets[50].delivery = sets[49].delivery.clone();
    bad.extend([50, 200]);
    let before = store.last_sequence().await.unwrap();
    let results = store.apply(sets).await.unwrap();
    let mut sequence = before;
    for (n, result) in results.into_iter().enumerate() {
        if bad.contains(&n) {
            assert!(matches!(result, Err(StoreError::Conflict(_))), "{n}");
            continue;
        }
        sequence += 1;
        assert_eq!(result.unwrap().last_sequence, sequence, "{n}");
    }
    let orders = store
        .orders(Scope::All, OrderFilter::default(), page(MANY))
        .await
        .unwrap();
    assert_eq!(
        orders.data.len(),
        MANY - 2,
        "the old one, and all but three"
    );
    assert_eq!(
        read(&store, &old).await.order.facts.note.text(),
        Some("100")
    );
    let waiting = store.pending_deliveries(0, MANY).await.unwrap();
    assert_eq!(
        waiting.len(),
        2,
        "that of 50, which named another, and that of 200"
    );
    let subjects: Vec<String> = (0..7).map(|n| format!("ext-{n}")).collect();
    let of = bench.connection.id;
    let hashes = store.content_hashes(of, "order", &subjects).await.unwrap();
    for (n, hash) in hashes.into_iter().enumerate() {
        let last = (0..MANY).rev().find(|i| i % 7 == n && !bad.contains(i));
        let last = last.unwrap().to_string();
        assert_eq!(hash, Some(store.content_hash(last.as_bytes())), "ext-{n}");
    }
    let ledger = store.ledger(Scope::All, Default::default()).await.unwrap();
    assert_eq!(ledger, store.recount_ledger().await.unwrap());
}
