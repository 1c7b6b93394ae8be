//! Suspected duplicates through the applier and the clocks.

use super::support::{House, MANIFEST, ORDER, house, order};
use crate::canonical::hold::HoldReason;
use crate::canonical::order::OrderStatus;
use serde_json::json;

/// A shop that tells its customers' phones and wants duplicates looked for.
async fn watchful() -> House {
    let house = house().await;
    let told = ORDER.replace(
        "customer: {name: .buyer}",
        "customer: {name: .buyer, phone: \"+37120000000\"}",
    );
    assert_ne!(told, ORDER);
    house.folder(MANIFEST, &told);
    assert!(house.registry.reload_if_changed());
    house.set("duplicate_window_minutes", json!(30)).await;
    house
}

async fn suspected(house: &House, external_id: &str) -> bool {
    let state = house.order(external_id).await.unwrap();
    let holds = &state.order.meta.holds;
    holds
        .iter()
        .any(|hold| hold.reason == HoldReason::SuspectedDuplicate)
}

#[tokio::test]
async fn a_checkout_sent_twice_is_seen_within_one_batch_and_after_it() {
    let house = watchful().await;
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.hook("order.changed", &order(2, 1, "new")).await;
    let mut other = order(3, 1, "new");
    other["items"][0]["sku"] = json!("B-1");
    house.hook("order.changed", &other).await;
    assert_eq!(house.apply().await, 3);
    house.hook("order.changed", &order(4, 1, "new")).await;
    house.apply().await;
    assert!(!suspected(&house, "1").await);
    assert!(suspected(&house, "2").await);
    assert!(!suspected(&house, "3").await);
    assert!(suspected(&house, "4").await);
    house.assert_balanced().await;
}

#[tokio::test]
async fn it_goes_by_itself_when_the_other_one_is_cancelled() {
    let house = watchful().await;
    for id in [1, 2] {
        house.hook("order.changed", &order(id, 1, "new")).await;
        house.apply().await;
    }
    let settler = house.settler();
    settler.tick().await.unwrap();
    assert!(suspected(&house, "2").await);
    house.hook("order.changed", &order(1, 2, "void")).await;
    house.apply().await;
    settler.tick().await.unwrap();
    let state = house.order("2").await.unwrap();
    assert_eq!(state.order.meta.status, OrderStatus::Open);
    assert!(state.order.meta.duplicate_of.is_none());
    settler.tick().await.unwrap();
    assert_eq!(house.order("2").await.unwrap(), state);
}

#[tokio::test]
async fn a_setting_that_is_taken_back_lets_it_go() {
    let house = watchful().await;
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    for id in [1, 2] {
        house.hook("order.changed", &order(id, 1, "new")).await;
    }
    house.apply().await;
    assert!(suspected(&house, "2").await);
    house.set("duplicate_window_minutes", json!(0)).await;
    watcher.tick().await.unwrap();
    assert!(!suspected(&house, "2").await);
}
