//! From deliveries to orders: chains, repeats, problems, the ledger.

use super::support::{House, ORDER, house, order};
use crate::canonical::inbox::Disposition::{self, *};
use crate::canonical::order::{OrderStatus, Source};
use crate::canonical::problem::Class;
use crate::canonical::{RawId, inbox::WireDelivery};
use crate::worker::apply::Applier;
use crate::worker::turns::Turns;
use serde_json::{Value, json};

fn count(all: &[Disposition], one: Disposition) -> usize {
    all.iter().filter(|d| **d == one).count()
}

impl House {
    /// A page as the poller stores it.
    async fn page(&self, body: &Value) {
        let wire = WireDelivery {
            id: RawId::new(),
            merchant_id: self.merchant.id,
            connection_id: self.connection,
            source: Source::Poll,
            topic: "orders.pull".into(),
            received_at: crate::clock::Clock::now(self.clock.as_ref()),
            dedupe_key: None,
            headers: vec![],
            body: body.to_string().into(),
        };
        self.store.append_inbox(vec![wire], None).await.unwrap();
    }
}

#[tokio::test]
async fn an_order_arrives_and_is_released() {
    let house = house().await;
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        202
    );
    assert_eq!(house.apply().await, 1);
    let state = house.order("1").await.unwrap();
    assert_eq!(state.order.meta.status, OrderStatus::Open);
    assert_eq!(state.fulfillment_orders.len(), 1);
    let record = house.records().await.remove(0);
    assert_eq!(record.disposition, Applied);
    assert_eq!(record.subject, Some(state.order.meta.id.to_string()));
    assert_eq!(record.external_id.as_deref(), Some("1"));
    assert_eq!(state.order.meta.payload_ref, Some(record.id));
    assert_eq!(
        record.mapping_version,
        Some(house.registry.get("testshop").unwrap().version().to_owned())
    );
    assert!(house.connection().await.health.last_received_at.is_some());
    assert_eq!(house.apply().await, 0);
    house.assert_balanced().await;
}

#[tokio::test]
async fn updates_repeats_and_late_ones_in_one_batch_chain() {
    let house = house().await;
    for (minute, status) in [(1, "new"), (3, "new"), (2, "new"), (3, "new"), (4, "void")] {
        let mut body = order(1, minute, status);
        body["buyer"] = json!(format!(
            "Buyer {}",
            if status == "void" { 3 } else { minute }
        ));
        house.hook("order.changed", &body).await;
        house.hook("order.changed", &order(2, 1, "new")).await;
    }
    assert_eq!(house.apply().await, 10);
    let mut records = house.records().await;
    records.reverse();
    let of = |id: &str| -> Vec<Disposition> {
        records
            .iter()
            .filter(|r| r.external_id.as_deref() == Some(id))
            .map(|r| r.disposition)
            .collect()
    };
    assert_eq!(of("1"), [Applied, Applied, Stale, Unchanged, Applied]);
    assert_eq!(
        of("2"),
        [Applied, Unchanged, Unchanged, Unchanged, Unchanged]
    );
    let state = house.order("1").await.unwrap();
    assert_eq!(state.order.meta.status, OrderStatus::Cancelled);
    assert_eq!(state.order.meta.version, 3);
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_provider_delivery_id_counts_once() {
    let house = house().await;
    for minute in [1, 2] {
        let body = order(1, minute, "new").to_string().into_bytes();
        house
            .hook_bytes("order.changed", body, &[("x-shop-delivery", "d-1")])
            .await;
    }
    house.apply().await;
    let body = order(1, 3, "new").to_string().into_bytes();
    house
        .hook_bytes("order.changed", body, &[("x-shop-delivery", "d-1")])
        .await;
    house.apply().await;
    let mut records = house.records().await;
    records.reverse();
    let first = records[0].id.to_string();
    assert_eq!(records[0].disposition, Applied);
    for later in &records[1..] {
        assert_eq!(later.disposition, Duplicate);
        assert_eq!(later.duplicate_of.as_ref(), Some(&first));
    }
    house.assert_balanced().await;
}

#[tokio::test]
async fn topics_that_are_ignored_or_unknown() {
    let house = house().await;
    house.hook("basket.changed", &json!({"x": 1})).await;
    house.hook("comet.seen", &json!({"x": 1})).await;
    house.hook("comet.seen", &json!({"x": 2})).await;
    house.hook("order.changed", &order(1, 1, "basket")).await;
    house.hook("orders.changed", &json!({"orders": []})).await;
    house.apply().await;
    assert_eq!(house.dispositions().await, [Ignored; 5]);
    let problems = house.problems().await;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].class, problems[0].count), (Class::Drift, 2));
    assert_eq!(problems[0].subject, "topic:comet.seen");
    house.assert_balanced().await;
}

#[tokio::test]
async fn one_bad_record_of_a_page_is_alone() {
    let house = house().await;
    let mut bad = order(2, 1, "new");
    bad.as_object_mut().unwrap().remove("total");
    house
        .hook(
            "orders.changed",
            &json!({"orders": [order(1, 1, "new"), bad, order(3, 1, "new")]}),
        )
        .await;
    house
        .hook_bytes(
            "order.changed",
            b"{\"id\": 4, \"buyer\": \"J\xc4".to_vec(),
            &[],
        )
        .await;
    house
        .hook_bytes("orders.changed", b"[]".to_vec(), &[])
        .await;
    house.apply().await;
    let all = house.dispositions().await;
    assert_eq!(
        (count(&all, Applied), count(&all, Problem)),
        (2, 3),
        "{all:?}"
    );
    let problems = house.problems().await;
    let mut codes: Vec<&str> = problems.iter().map(|p| p.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        ["body_malformed", "mapping_missing", "records_missing"]
    );
    for problem in &problems {
        assert_eq!(problem.class, Class::BrokenContract);
        assert!(!format!("{problem:?}").contains("Jānis"), "{problem:?}");
    }
    let missing = problems
        .iter()
        .find(|p| p.code == "mapping_missing")
        .unwrap();
    assert_eq!(missing.detail["path"], "total");
    assert_eq!(missing.detail["external_id"], "2");
    house.assert_balanced().await;
}

#[tokio::test]
async fn what_a_poll_reads_again_is_counted_and_no_row() {
    let house = house().await;
    let page = json!({"orders": [order(1, 1, "new"), order(2, 1, "new")]});
    house.page(&page).await;
    house.page(&page).await;
    house.apply().await;
    assert_eq!(house.dispositions().await, [Applied, Applied]);
    house
        .page(&json!({"orders": [order(1, 1, "new"), order(2, 5, "void")]}))
        .await;
    house.apply().await;
    assert_eq!(house.dispositions().await, [Applied, Applied, Applied]);
    // A → B → A is three changes, whichever way each came.
    let mut newer = order(1, 7, "new");
    newer["buyer"] = json!("Another buyer");
    house.hook("order.changed", &newer).await;
    house.page(&json!({"orders": [order(1, 1, "new")]})).await;
    house.apply().await;
    assert_eq!(house.dispositions().await[3..], [Applied, Stale]);
    let line = house
        .store
        .ledger(crate::store::Scope::All, Default::default())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (line.received, line.applied, line.unchanged, line.stale),
        (8, 4, 3, 1)
    );
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_thousand_orders_and_their_updates() {
    let house = house().await;
    for minute in [1, 2] {
        let status = if minute == 1 { "new" } else { "void" };
        let bodies: Vec<Value> = (0..500).map(|id| order(id, minute, status)).collect();
        let sent = bodies.iter().map(|body| house.hook("order.changed", body));
        let replies = futures_util::future::join_all(sent).await;
        assert!(replies.iter().all(|reply| reply.status == 202));
    }
    assert_eq!(house.apply().await, 1000);
    let all = house.dispositions().await;
    assert_eq!(count(&all, Applied), all.len());
    let state = house.order("499").await.unwrap();
    assert_eq!(state.order.meta.status, OrderStatus::Cancelled);
    house.assert_balanced().await;
}

#[tokio::test]
async fn without_its_folder_a_connection_still_receives() {
    let house = house().await;
    // The endpoint is known; then the folder goes.
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    std::fs::remove_dir_all(house.dir.path().join("connectors/testshop")).unwrap();
    house.registry.reload_if_changed();
    assert_eq!(
        house
            .hook("order.changed", &order(2, 1, "new"))
            .await
            .status,
        202
    );
    house.apply().await;
    assert_eq!(house.dispositions().await, [Applied, Problem]);
    assert_eq!(house.problems().await[0].code, "connector_unavailable");
    house.folder(super::support::MANIFEST, ORDER);
    house.registry.reload_if_changed();
    let version = house.registry.get("testshop").unwrap().version().to_owned();
    let retried = house
        .applier
        .retry_broken(house.connection, &version)
        .await
        .unwrap();
    assert_eq!((retried.mended, retried.left), (1, 0));
    assert_eq!(house.dispositions().await, [Applied, Applied]);
    assert!(house.problems().await.is_empty());
    house.assert_balanced().await;
}

#[tokio::test]
async fn what_makes_mapping_panic_is_alone() {
    let house = house().await;
    for id in 1..=3 {
        house.hook("order.changed", &order(id, 1, "new")).await;
    }
    let mut batch = house
        .applier
        .fetch(&mut Turns::default())
        .await
        .unwrap()
        .unwrap();
    batch.mapped[1] = None;
    house.applier.write(batch).await;
    assert_eq!(house.dispositions().await, [Applied, Problem, Applied]);
    let problem = house.problems().await.remove(0);
    assert_eq!(
        (problem.code.as_str(), problem.class),
        ("internal_fault", Class::BrokenContract)
    );
    assert_eq!(house.apply().await, 0);
    house
        .applier
        .retry_problem(crate::store::Scope::All, problem.id)
        .await
        .unwrap();
    assert_eq!(house.dispositions().await, [Applied; 3]);
    house.assert_balanced().await;
}

#[tokio::test]
async fn two_that_apply_the_same_deliveries_apply_each_once() {
    let house = house().await;
    for id in 0..40 {
        house
            .hook("order.changed", &order(id % 10, 1 + id / 10, "new"))
            .await;
    }
    let second = Applier::new(
        house.store.clone(),
        house.folders.clone(),
        house.pool.clone(),
        house.worlds.clone(),
        house.clock.clone(),
        house.stop.clone(),
    );
    let (one, two) = tokio::join!(house.applier.drain(), second.drain());
    assert_eq!((one.unwrap(), two.unwrap()), (40, 40));
    let all = house.dispositions().await;
    assert_eq!(
        (all.len(), count(&all, Applied) + count(&all, Unchanged)),
        (40, 40)
    );
    assert!(house.problems().await.is_empty());
    assert_eq!(
        house.store.pending_deliveries(0, 10).await.unwrap().len(),
        0
    );
    house.assert_balanced().await;
}

#[tokio::test]
async fn the_applier_wakes_by_the_bell_and_ends_promptly() {
    let house = house().await;
    let applier = house.applier.clone();
    let running = tokio::spawn(async move { applier.run().await });
    for id in 0..20 {
        house.hook("order.changed", &order(id, 1, "new")).await;
    }
    let mut bell = house.store.wake().events();
    while house.order("19").await.is_none() {
        bell.changed().await.unwrap();
    }
    house.stopper.stop();
    running.await.unwrap();
    assert_eq!(count(&house.dispositions().await, Applied), 20);
    house.assert_balanced().await;
}
