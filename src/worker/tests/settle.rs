//! Clocks and changed connections.

use super::support::{House, house, order};
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::event::EventType;
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::order::OrderStatus;
use crate::store::Scope;
use serde_json::json;
use std::time::Duration;

impl House {
    async fn events(&self, kind: EventType) -> usize {
        self.store
            .events(Scope::All, 0, 500, &[kind])
            .await
            .unwrap()
            .data
            .len()
    }
}

#[tokio::test]
async fn an_edit_window_ends_by_the_clock() {
    let house = house().await;
    house.set("edit_window_minutes", json!(10)).await;
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    let part = |state: &crate::flow::change::OrderState| state.fulfillment_orders[0].status;
    assert_eq!(
        part(&house.order("1").await.unwrap()),
        FulfillmentStatus::Scheduled
    );
    let settler = house.settler();
    settler.tick().await.unwrap();
    assert_eq!(
        part(&house.order("1").await.unwrap()),
        FulfillmentStatus::Scheduled
    );
    house.clock.advance(Duration::from_secs(601));
    settler.tick().await.unwrap();
    let state = house.order("1").await.unwrap();
    assert_eq!(part(&state), FulfillmentStatus::Submitted);
    settler.tick().await.unwrap();
    assert_eq!(house.order("1").await.unwrap(), state);
    assert_eq!(house.events(EventType::FulfillmentSubmitted).await, 1);
}

#[tokio::test]
async fn activation_releases_what_came_while_observing() {
    let house = House::at("http://shop.invalid", ConnectionState::Observing).await;
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    assert!(!house.order("1").await.unwrap().order.meta.released);
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    assert!(!house.order("1").await.unwrap().order.meta.released);
    house.set_state(ConnectionState::Active).await;
    watcher.tick().await.unwrap();
    let state = house.order("1").await.unwrap();
    assert!(state.order.meta.released);
    assert_eq!(state.order.meta.status, OrderStatus::Open);
    assert_eq!(
        state.fulfillment_orders[0].status,
        FulfillmentStatus::Submitted
    );
}

#[tokio::test]
async fn a_deadline_is_warned_of_once() {
    let house = house().await;
    let at = crate::clock::after(
        crate::clock::Clock::now(house.clock.as_ref()),
        Duration::from_secs(5 * 3_600),
    );
    let mapping = super::support::ORDER.replace(
        "charges: [],",
        &format!("charges: [], deadlines: {{ship_by: \"{at}\"}},"),
    );
    house.folder(super::support::MANIFEST, &mapping);
    assert!(house.registry.reload_if_changed());
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    let settler = house.settler();
    settler.tick().await.unwrap();
    assert_eq!(house.events(EventType::OrderDeadlineNear).await, 0);
    house.clock.advance(Duration::from_secs(4 * 3_600));
    settler.tick().await.unwrap();
    settler.tick().await.unwrap();
    // Another process remembers it, too.
    house.settler().tick().await.unwrap();
    assert_eq!(house.events(EventType::OrderDeadlineNear).await, 1);
}

#[tokio::test]
async fn a_provider_that_went_quiet_is_told_of_once() {
    let house = house().await;
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    house.settler().tick().await.unwrap();
    house.clock.advance(Duration::from_secs(25 * 3_600));
    house.settler().tick().await.unwrap();
    house.settler().tick().await.unwrap();
    assert_eq!(house.events(EventType::ConnectionQuiet).await, 1);
}

#[tokio::test]
async fn changed_settings_evaluate_open_orders_anew() {
    let house = house().await;
    let mut connection: Connection = house.connection().await;
    connection
        .settings
        .insert("require_sku".into(), json!(true));
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    let mut body = order(1, 1, "new");
    body["items"][0]["sku"] = json!(null);
    house.set("require_sku", json!(true)).await;
    house.hook("order.changed", &body).await;
    house.apply().await;
    assert_eq!(
        house.order("1").await.unwrap().order.meta.status,
        OrderStatus::OnHold
    );
    house.set("require_sku", json!(false)).await;
    watcher.tick().await.unwrap();
    assert_eq!(
        house.order("1").await.unwrap().order.meta.status,
        OrderStatus::Open
    );
}
