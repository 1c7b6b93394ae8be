//! Events on a stream of a real NATS server: in order, each once, through whatever dies.

mod limits;
mod logins;
mod nodes;
mod tls;

use super::support::broker::{Broker, Message, Setup};
use super::support::gateway::PATIENCE;
use super::support::{Gateway, orders};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

struct House {
    data: TempDir,
    _store: TempDir,
    gateway: Gateway,
    broker: Broker,
    hook: String,
}

/// A gateway with a shop, and a broker that has no stream yet.
async fn start(setup: Setup) -> House {
    start_with(setup, &[]).await
}

async fn start_with(setup: Setup, env: &[(&str, &str)]) -> House {
    let (data, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = Broker::start(store.path(), setup).await;
    let gateway = Gateway::start(data.path(), env).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    House {
        data,
        _store: store,
        gateway,
        broker,
        hook,
    }
}

/// Subscribes with `from: start`, so that what is on the stream is the whole log.
async fn subscribe(house: &House, more: Value) -> Value {
    let mut body = json!({"url": house.broker.url("wh"), "from": "start"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    house.gateway.post("/v1/subscriptions", body).await
}

fn external_id(event: &Value) -> &str {
    event["data"]["order"]["external_id"].as_str().unwrap_or("")
}

async fn change(house: &House, ids: std::ops::Range<u64>, second: u32) {
    for id in ids {
        let mut order = orders::order(id, second);
        order["customer_note"] = json!(format!("at {second}"));
        let told = house.gateway.webhook(&house.hook, &order.to_string()).await;
        assert_eq!(told, Some(200));
    }
}

/// Everything of the log is on the stream once, as it is in the log, in order for each order.
async fn all_is_there(house: &House) -> Vec<Message> {
    house.gateway.settled(&house.hook).await;
    let events = house.gateway.all_events().await;
    let messages = house.broker.read(events.len()).await;
    assert_eq!(house.broker.count().await, events.len() as u64);
    let log: BTreeMap<&str, &Value> = events
        .iter()
        .map(|event| (event["id"].as_str().unwrap(), event))
        .collect();
    let ids: BTreeSet<&str> = messages.iter().map(|m| m.id.as_str()).collect();
    assert_eq!(ids, log.keys().copied().collect());
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for message in &messages {
        let event = &message.event;
        assert_eq!(&event, &log[message.id.as_str()]);
        let (merchant, kind) = (&event["merchant_id"], &event["type"]);
        let subject = format!(
            "wh.{}.{}",
            merchant.as_str().unwrap(),
            kind.as_str().unwrap()
        );
        assert_eq!(message.subject, subject);
        assert_eq!(message.sequence, event["sequence"].to_string());
        assert_eq!(message.content_type, "application/json");
        let sequence = event["sequence"].as_u64().unwrap();
        let before = last.insert(external_id(event), sequence);
        let of_an_order = !external_id(event).is_empty();
        assert!(!of_an_order || before < Some(sequence), "{message:?}");
    }
    messages
}

/// Waits until an attempt failed for this reason; the delivery's row says it too.
async fn fails(house: &House, subscription: &Value, why: &str) {
    let failed = |line: &str| {
        let told = line.contains("a delivery failed") || line.contains("still down");
        told && line.contains(why)
    };
    house.gateway.log.wait_for(1, failed).await;
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/v1/deliveries?subscription_id={id}");
    let told = |rows: &Value| {
        let rows = rows["data"].as_array().unwrap();
        rows.iter()
            .any(|row| row["last_error"].as_str().is_some_and(|e| e.contains(why)))
    };
    // The row is written after the log's line, with whatever else has come back.
    let written = async { while !told(&house.gateway.get(&path).await) {} };
    tokio::time::timeout(PATIENCE, written)
        .await
        .expect("the row in time");
}

#[tokio::test]
async fn orders_come_on_the_stream_in_order() {
    let house = start(Setup::default()).await;
    house.broker.make_stream(-1).await;
    let subscription = subscribe(&house, json!({})).await;
    assert_eq!(subscription["secret"], Value::Null);
    for second in 0..3 {
        change(&house, 1..6, second).await;
    }
    let messages = all_is_there(&house).await;
    let of = |kind: &str| messages.iter().filter(|m| m.event["type"] == kind).count();
    assert_eq!(of("order.received"), 6); // and the one that settles
    assert!(of("order.updated") >= 1);
    assert!(house.gateway.stop().await.success());
}

#[tokio::test]
async fn a_broker_that_is_killed_loses_nothing_and_gets_nothing_twice() {
    let mut house = start(Setup::default()).await;
    house.broker.make_stream(-1).await;
    let subscription = subscribe(&house, json!({})).await;
    change(&house, 1..11, 0).await;
    house.broker.read(10).await;
    let dead = house.broker.kill().await;
    house.broker = {
        for id in 11..21 {
            let order = orders::order(id, 0).to_string();
            assert_eq!(house.gateway.webhook(&house.hook, &order).await, Some(200));
        }
        let down = |line: &str| line.contains("a delivery failed") && line.contains("broker");
        house.gateway.log.wait_for(1, down).await;
        dead.start().await
    };
    change(&house, 1..21, 1).await;
    all_is_there(&house).await;
    let id = subscription["id"].as_str().unwrap();
    let open = house.gateway.get(&format!("/v1/subscriptions/{id}")).await;
    assert_eq!(open["state"], "active");
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_gateway_that_dies_after_publishing_publishes_again_and_the_stream_keeps_one() {
    let mut house = start(Setup::default()).await;
    house.broker.make_stream(-1).await;
    subscribe(&house, json!({})).await;
    change(&house, 1..6, 0).await;
    house.broker.read(5).await;
    house.gateway.kill().await;
    let armed = [("CROSSDOCK_FAILPOINT", "egress.before_progress:1")];
    house.gateway = Gateway::start(house.data.path(), &armed).await;
    // It may die of what it publishes again at its start, before this order.
    let order = orders::order(77, 0).to_string();
    let _ = house.gateway.webhook(&house.hook, &order).await;
    house.gateway.ended().await;
    house.gateway = Gateway::start(house.data.path(), &[]).await;
    change(&house, 77..79, 1).await;
    all_is_there(&house).await;
}

#[tokio::test]
async fn without_a_stream_everything_waits_and_drains_when_there_is_one() {
    let house = start(Setup::default()).await;
    let subscription = subscribe(&house, json!({})).await;
    change(&house, 1..6, 0).await;
    fails(&house, &subscription, "no stream takes this subject").await;
    house.broker.make_stream(-1).await;
    all_is_there(&house).await;
    let back = |line: &str| line.contains("the endpoint is back");
    house.gateway.log.wait_for(1, back).await;
}

#[tokio::test]
async fn private_brokers_are_refused_unless_allowed() {
    let (data, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = Broker::start(store.path(), Setup::default()).await;
    broker.make_stream(-1).await;
    let strict = [("CROSSDOCK_ALLOW_PRIVATE_TARGETS", "false")];
    let gateway = Gateway::start(data.path(), &strict).await;
    let body = json!({"url": broker.url("wh"), "from": "start"});
    gateway.post("/v1/subscriptions", body).await;
    let (_, hook) = gateway.shop("https://shop.example", "active").await;
    let order = orders::order(1, 0).to_string();
    assert_eq!(gateway.webhook(&hook, &order).await, Some(200));
    let blocked = |line: &str| {
        line.contains("a delivery failed") && line.contains("blocked: the broker's address")
    };
    gateway.log.wait_for(1, blocked).await;
    assert_eq!(broker.count().await, 0);
}

#[tokio::test]
async fn a_replay_is_kept_beside_what_it_repeats() {
    let house = start(Setup::default()).await;
    house.broker.make_stream(-1).await;
    let subscription = subscribe(&house, json!({})).await;
    change(&house, 1..3, 0).await;
    let first = all_is_there(&house).await;
    let span = json!({
        "subscription_id": subscription["id"], "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z",
    });
    let replay = house.gateway.post("/v1/replays", span).await;
    let n = first.len();
    assert_eq!(replay["count"], n, "{replay}");
    let all = house.broker.read(2 * n).await;
    let ids: BTreeSet<&str> = all.iter().map(|m| m.id.as_str()).collect();
    assert_eq!(ids.len(), 2 * n);
    for again in &all[n..] {
        let of = again.replay_of.as_deref().unwrap();
        assert_eq!(again.event["replay_of"], of);
        let original = first.iter().find(|m| m.id == of).unwrap();
        assert_eq!(original.replay_of, None);
        assert_eq!(again.subject, original.subject);
        assert_eq!(again.sequence, original.sequence);
        assert_eq!(again.event["data"], original.event["data"]);
    }
}
