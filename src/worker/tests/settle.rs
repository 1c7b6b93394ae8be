//! Clocks and changed connections.

use super::support::{House, audit, house, order, secrets};
use crate::canonical::connection::{Connection, ConnectionKind, ConnectionState};
use crate::canonical::event::EventType;
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::hold::HoldReason;
use crate::canonical::order::OrderStatus;
use crate::canonical::{ConnectionId, MerchantId};
use crate::flow::change::ChangeSet;
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
async fn a_marketplaces_question_is_warned_of_answered_and_in_the_end_read() {
    use super::jobs::{answers, mount};
    let server = wiremock::MockServer::start().await;
    let house = House::at(&server.uri(), ConnectionState::Active).await;
    let clock = || crate::clock::Clock::now(house.clock.as_ref());
    let at = crate::clock::after(clock(), Duration::from_secs(5 * 3_600));
    let asked = format!(
        "charges: [], acceptance: {{state: \"pending\"}}, deadlines: {{accept_by: \"{at}\"}},"
    );
    house.folder(
        super::support::MANIFEST,
        &super::support::ORDER.replace("charges: [],", &asked),
    );
    assert!(house.registry.reload_if_changed());
    house.set("refuse", json!("before_deadline")).await;
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    let waiting = |until: Option<crate::canonical::Timestamp>| {
        let filter = crate::store::query::OrderFilter {
            awaiting_answer: true,
            answer_until: until,
            ..Default::default()
        };
        let page = crate::store::query::PageRequest {
            limit: 10,
            after: None,
        };
        let store = house.store.clone();
        async move {
            store
                .orders(Scope::All, filter, page)
                .await
                .unwrap()
                .data
                .len()
        }
    };
    assert_eq!(waiting(None).await, 1);
    assert_eq!(waiting(Some(clock())).await, 0);
    let settler = house.settler();
    settler.tick().await.unwrap();
    assert_eq!(house.events(EventType::OrderDeadlineNear).await, 0);
    house.clock.advance(Duration::from_secs(4 * 3_600));
    settler.tick().await.unwrap();
    house.settler().tick().await.unwrap();
    assert_eq!(house.events(EventType::OrderDeadlineNear).await, 1);
    assert_eq!(house.order("1").await.unwrap().order.meta.answer, None);
    house.clock.advance(Duration::from_secs(45 * 60));
    settler.tick().await.unwrap();
    settler.tick().await.unwrap();
    let answer = house.order("1").await.unwrap().order.meta.answer.unwrap();
    assert!(!answer.accept);
    // This channel cannot be told; what became of the order it is asked, once.
    house.run_jobs().await;
    mount(&server, "GET", "/orders/1", answers(404)).await;
    house.clock.advance(Duration::from_secs(17 * 60));
    settler.tick().await.unwrap();
    settler.tick().await.unwrap();
    house.run_jobs().await;
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
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

impl House {
    /// A carrier account of this merchant. No folder is behind it: it buys nothing.
    async fn carrier(&self) -> Connection {
        let carrier = Connection {
            id: ConnectionId::new(),
            connector: "testpost".into(),
            name: "post".into(),
            kind: ConnectionKind::Carrier,
            settings: serde_json::Map::new(),
            ..self.connection().await
        };
        let change = ChangeSet::of(self.merchant.id);
        self.store
            .insert_connection(&carrier, &secrets(&[]), change, audit())
            .await
            .unwrap();
        carrier
    }
    async fn rules(&self, of: MerchantId, rules: serde_json::Value) {
        let found = self.store.merchant(Scope::All, of).await.unwrap();
        let mut merchant = found.unwrap();
        merchant.settings.insert("carrier_rules".into(), rules);
        self.store
            .update_merchant(&merchant, audit())
            .await
            .unwrap();
    }
    async fn holds(&self, id: &str) -> Vec<HoldReason> {
        let holds = self.order(id).await.unwrap().order.meta.holds;
        holds.iter().map(|hold| hold.reason).collect()
    }
}

#[tokio::test]
async fn carrier_rules_that_change_evaluate_what_waited_for_them() {
    let house = house().await;
    let carrier = house.carrier().await;
    let to = |country: &str| json!([{"country": [country], "connection_id": carrier.id}]);
    house.rules(house.merchant.id, to("GR")).await;
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    assert_eq!(house.holds("1").await, [HoldReason::MethodUnmapped]);
    watcher.tick().await.unwrap();
    assert_eq!(house.holds("1").await, [HoldReason::MethodUnmapped]);
    house.rules(house.merchant.id, to("LV")).await;
    watcher.tick().await.unwrap();
    let state = house.order("1").await.unwrap();
    assert_eq!(state.order.meta.status, OrderStatus::Open);
    let plan = state.fulfillment_orders[0].carrier_plan.as_ref().unwrap();
    assert_eq!(plan.connection_id, Some(carrier.id));
    // Changed while nobody ran: what waits for it is made up for at the start.
    house.rules(house.merchant.id, to("GR")).await;
    house.hook("order.changed", &order(2, 1, "new")).await;
    house.apply().await;
    assert_eq!(house.holds("2").await, [HoldReason::MethodUnmapped]);
    house.rules(house.merchant.id, json!([])).await;
    house.rules(MerchantId::OPERATOR, to("LV")).await;
    house.watcher().tick().await.unwrap();
    assert!(house.holds("2").await.is_empty());
}

#[tokio::test]
async fn the_operators_rules_and_accounts_are_everybodys() {
    let house = house().await;
    let carrier = house.carrier().await;
    house
        .rules(
            MerchantId::OPERATOR,
            json!([{"country": ["GR"], "connection_id": carrier.id}]),
        )
        .await;
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    assert_eq!(house.holds("1").await, [HoldReason::MethodUnmapped]);
    house
        .rules(
            MerchantId::OPERATOR,
            json!([{"country": ["LV"], "connection_id": carrier.id}]),
        )
        .await;
    watcher.tick().await.unwrap();
    assert!(house.holds("1").await.is_empty());
}

#[tokio::test]
async fn a_directory_that_is_read_evaluates_what_waited_for_its_points() {
    let house = house().await;
    let carrier = house.carrier().await;
    let delivery =
        r#"delivery: {mode: "pickup_point", pickup_point: {network: "net", id: .point}},"#;
    let mapping =
        super::support::ORDER.replace("charges: [],", &format!("charges: [], {delivery}"));
    house.folder(super::support::MANIFEST, &mapping);
    assert!(house.registry.reload_if_changed());
    let read = async |reading: u64, ids: &[&str]| {
        let point = |id: &&str| {
            serde_json::from_value(json!({
                "network": "net", "point_id": id, "kind": "locker", "name": id,
                "address": { "line1": "Street 1", "city": "Riga", "country": "LV" },
            }))
            .unwrap()
        };
        let points = ids.iter().map(point).collect();
        house
            .store
            .put_points(carrier.id, reading, points)
            .await
            .unwrap();
        let at = crate::clock::Clock::now(house.clock.as_ref());
        house
            .store
            .finish_points(carrier.id, reading, at)
            .await
            .unwrap();
        house.clock.advance(Duration::from_secs(60));
    };
    read(1, &["1"]).await;
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    let mut body = order(1, 1, "new");
    body["point"] = json!("7");
    house.hook("order.changed", &body).await;
    house.apply().await;
    assert_eq!(house.holds("1").await, [HoldReason::PickupPointInvalid]);
    read(2, &["1", "7"]).await;
    watcher.tick().await.unwrap();
    assert!(house.holds("1").await.is_empty());
    assert_eq!(
        house.order("1").await.unwrap().order.meta.status,
        OrderStatus::Open
    );
}
