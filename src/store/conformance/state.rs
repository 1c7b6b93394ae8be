//! Orders, lists, events.

use super::support::*;
use crate::canonical::event::{EventType, SnapshotKind, SnapshotRef};
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::inbox::Disposition;
use crate::canonical::job::Lane;
use crate::canonical::order::OrderStatus;
use crate::canonical::{ConnectionId, Field};
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::query::{Awaiting, FulfillmentFilter, OrderFilter, PageRequest};
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
            .jobs(Default::default(), page(10))
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

pub async fn lists_filter_and_page(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let other = Bench::new(&store).await;
    for n in 0..5 {
        bench.stored(&format!("10{n}")).await;
    }
    let mut held = other.order("200");
    held = with_status(held, OrderStatus::OnHold);
    let set = ChangeSet {
        states: vec![held],
        ..ChangeSet::of(other.merchant)
    };
    other.apply(set).await.unwrap();
    let count = async |filter: OrderFilter| {
        store
            .orders(Scope::All, filter, page(50))
            .await
            .unwrap()
            .data
            .len()
    };
    let none = OrderFilter::default;
    assert_eq!(count(none()).await, 6);
    assert_eq!(
        count(OrderFilter {
            merchant_id: Some(other.merchant),
            ..none()
        })
        .await,
        1
    );
    let connection_id = Some(bench.connection.id);
    assert_eq!(
        count(OrderFilter {
            connection_id,
            ..none()
        })
        .await,
        5
    );
    let status = Some(OrderStatus::OnHold);
    assert_eq!(count(OrderFilter { status, ..none() }).await, 1);
    let external_id = Some("103".to_owned());
    assert_eq!(
        count(OrderFilter {
            external_id,
            ..none()
        })
        .await,
        1
    );
    let q = |q: &str| OrderFilter {
        q: Some(q.to_owned()),
        ..none()
    };
    for (text, expected) in [
        ("10", 5),
        ("N20", 1),
        ("eleni+103@example.gr", 1),
        ("eleni", 0),
        ("00306912345678", 6),
        ("+30 691 234 5678", 6),
        ("6912345678", 0),
        ("%", 0),
    ] {
        assert_eq!(count(q(text)).await, expected, "q={text}");
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let request = PageRequest { limit: 2, after };
        let found = store.orders(Scope::All, none(), request).await.unwrap();
        let number = |json: &bytes::Bytes| parsed(json)["external_id"].as_str().unwrap().to_owned();
        seen.extend(found.data.iter().map(number));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["200", "104", "103", "102", "101", "100"]);
}

pub async fn the_work_list_is_sorted_by_cut_off(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    for (external, cut_off) in [
        ("a", Some(300)),
        ("b", None),
        ("c", Some(100)),
        ("d", Some(200)),
    ] {
        let mut state = bench.order(external);
        let mut part = bench.part(&state, cut_off);
        if external == "d" {
            part.status = FulfillmentStatus::InProgress;
        }
        part.wms_ref = Some(external.to_owned());
        state.fulfillment_orders = vec![part];
        let set = ChangeSet {
            states: vec![state],
            ..ChangeSet::of(bench.merchant)
        };
        bench.apply(set).await.unwrap();
    }
    let list = async |filter: FulfillmentFilter, limit: usize| {
        let (mut after, mut seen) = (None, String::new());
        loop {
            let request = PageRequest { limit, after };
            let found = store
                .fulfillment_orders(Scope::All, filter.clone(), request)
                .await
                .unwrap();
            for json in &found.data {
                seen.push_str(parsed(json)["wms_ref"].as_str().unwrap());
            }
            after = found.next;
            if after.is_none() {
                return seen;
            }
        }
    };
    let all = FulfillmentFilter {
        by_cut_off: true,
        ..Default::default()
    };
    assert_eq!(list(all.clone(), 1).await, "cdab");
    assert_eq!(list(all.clone(), 10).await, "cdab");
    assert_eq!(list(FulfillmentFilter::default(), 2).await, "abcd");
    let accept = FulfillmentFilter {
        awaiting: vec![Awaiting::Accept],
        ..all.clone()
    };
    assert_eq!(list(accept, 2).await, "cab");
    let ship = FulfillmentFilter {
        awaiting: vec![Awaiting::Ship],
        ..all.clone()
    };
    assert_eq!(list(ship, 2).await, "d");
    let answer = FulfillmentFilter {
        awaiting: vec![Awaiting::Answer],
        ..all.clone()
    };
    assert_eq!(list(answer, 2).await, "");
    let elsewhere = FulfillmentFilter {
        location: Some("skg".to_owned()),
        ..all
    };
    assert_eq!(list(elsewhere, 2).await, "");
}

pub async fn events_carry_the_objects_of_their_version(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut bell = store.wake().events();
    bell.mark_unchanged();
    let mut state = bench.order("1");
    let part = bench.part(&state, Some(60));
    state.fulfillment_orders = vec![part.clone()];
    let mut event = bench.event(&state, EventType::FulfillmentSubmitted);
    event.snapshots.push(SnapshotRef {
        kind: SnapshotKind::FulfillmentOrder,
        id: part.id.uuid(),
        version: 1,
    });
    let set = ChangeSet {
        states: vec![state.clone()],
        events: vec![event.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    assert!(bell.has_changed().unwrap());
    state.lock = 1;
    let next = changed(&state, "second");
    let mut bare = bench.event(&next, EventType::TrackingUpdated);
    bare.snapshots.clear();
    let set = ChangeSet {
        events: vec![bench.event(&next, EventType::OrderUpdated), bare],
        states: vec![next],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let all = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    assert_eq!(all.data.len(), 3);
    let first = parsed(&all.data[0].json);
    assert_eq!(first["id"], event.id.to_string());
    assert_eq!(first["sequence"], 1);
    assert_eq!(first["type"], "fulfillment_order.submitted");
    assert_eq!(first["timestamp"], at(2).to_string());
    assert_eq!(first["merchant_id"], bench.merchant.to_string());
    assert_eq!(first["data"]["order"]["version"], 1);
    assert_eq!(first["data"]["order"]["note"], "Παρακαλώ κουδούνι");
    assert_eq!(
        first["data"]["fulfillment_order"]["id"],
        part.id.to_string()
    );
    assert_eq!(first["data"]["changed"][0], "note");
    assert_eq!(all.data[0].cut_off_at, Some(at(60)));
    assert_eq!(all.data[0].ordering_key, state.order.meta.id.to_string());
    let second = parsed(&all.data[1].json);
    assert_eq!(second["data"]["order"]["note"], "second");
    let third = parsed(&all.data[2].json);
    assert_eq!(third["data"]["order_id"], state.order.meta.id.to_string());

    let only = store
        .events(Scope::All, 0, 10, &[EventType::OrderUpdated])
        .await
        .unwrap();
    assert_eq!((only.data.len(), only.next), (1, 3));
    let limited = store.events(Scope::All, 0, 1, &[]).await.unwrap();
    assert_eq!((limited.data.len(), limited.next), (1, 1));
    let end = store.events(Scope::All, 3, 10, &[]).await.unwrap();
    assert_eq!((end.data.len(), end.next), (0, 3));
    let one = store.event(Scope::All, event.id).await.unwrap().unwrap();
    assert_eq!(one.json, all.data[0].json);
}

pub async fn events_are_gapless_under_concurrency(store: Arc<dyn Store>) {
    let bench = Arc::new(Bench::new(&store).await);
    let contended = bench.stored("contended").await;
    let mut tasks = Vec::new();
    for n in 0..8 {
        let (bench, contended) = (Arc::clone(&bench), contended.clone());
        tasks.push(tokio::spawn(async move {
            for k in 0..10 {
                let state = bench.order(&format!("{n}-{k}"));
                let event = bench.event(&state, EventType::OrderReceived);
                let good = ChangeSet {
                    states: vec![state],
                    events: vec![event],
                    ..ChangeSet::of(bench.merchant)
                };
                // Only one of all these can win; the others leave no gap.
                let lost = ChangeSet {
                    states: vec![changed(&contended, "x")],
                    events: vec![bench.event(&contended, EventType::OrderUpdated)],
                    ..ChangeSet::of(bench.merchant)
                };
                let _ = bench.store.apply(vec![lost, good]).await.unwrap();
            }
        }));
    }
    let mut after = 0;
    let mut seen = Vec::new();
    while seen.len() < 82 {
        let found = store.events(Scope::All, after, 7, &[]).await.unwrap();
        after = found.next;
        seen.extend(found.data.iter().map(|e| e.sequence));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(seen, (1..=82).collect::<Vec<u64>>());
    assert_eq!(store.last_sequence().await.unwrap(), 82);
}

pub async fn an_order_has_a_timeline(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let delivery = bench.appended("a").await;
    let state = bench.order("1");
    let id = state.order.meta.id;
    let mut record = bench.record(&delivery, 0, Disposition::Applied);
    record.subject = Some(id.to_string());
    let mut set = bench.decided(&delivery, vec![record]);
    set.events = vec![bench.event(&state, EventType::OrderReceived)];
    set.states = vec![state];
    let mut job = bench.job("orders.get", "k", "o", Lane::OrderImport);
    job.order_id = Some(id);
    set.jobs = vec![job];
    set.problems = vec![bench.problem("code", &id.to_string())];
    set.audit = vec![audit(id)];
    bench.apply(set).await.unwrap();
    let timeline = store.timeline(Scope::All, id).await.unwrap();
    let mut kinds: Vec<&str> = timeline.iter().map(|e| e.kind.as_str()).collect();
    assert!(timeline.windows(2).all(|pair| pair[0].at <= pair[1].at));
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["audit", "event", "event", "job", "problem", "received"]
    );
    let text = serde_json::to_string(&timeline).unwrap();
    assert!(!text.contains("Eleni"), "no personal data");
}
