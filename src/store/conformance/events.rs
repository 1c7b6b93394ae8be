//! The event log and timelines.

use super::support::*;
use crate::canonical::event::{EventType, SnapshotKind, SnapshotRef};
use crate::canonical::inbox::Disposition;
use crate::canonical::job::Lane;
use crate::flow::change::ChangeSet;
use crate::store::{Scope, Store};
use std::sync::Arc;

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
