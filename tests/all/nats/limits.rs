//! What a broker does not take: too large, not permitted.

use super::*;
use crate::support::broker::Login;

#[tokio::test]
async fn what_is_larger_than_the_stream_takes_is_given_up_at_once_and_stops_nothing() {
    let house = start(Setup::default()).await;
    house.broker.make_stream(20_000).await;
    too_large(house, "the event is larger than the stream takes").await;
}

#[tokio::test]
async fn what_is_larger_than_the_server_takes_is_given_up_at_once_and_stops_nothing() {
    let house = start(Setup::conf("max_payload: 20000", Login::Nobody)).await;
    house.broker.make_stream(-1).await;
    too_large(
        house,
        "the event is larger than the broker takes (20000 bytes",
    )
    .await;
}

/// One order of three is too large.
async fn too_large(house: House, why: &str) {
    let types = json!({"event_types": ["order.received"]});
    let subscription = subscribe(&house, types).await;
    let mut large = orders::order(1, 0);
    large["customer_note"] = json!("x".repeat(30_000));
    let told = house.gateway.webhook(&house.hook, &large.to_string()).await;
    assert_eq!(told, Some(200));
    change(&house, 2..4, 0).await;
    let messages = house.broker.read(2).await;
    let ids: BTreeSet<&str> = messages.iter().map(|m| external_id(&m.event)).collect();
    assert_eq!(ids, BTreeSet::from(["2", "3"]));
    let dead = |event: &Value| {
        let problem = &event["data"]["problem"];
        event["type"] == "problem.opened" && problem["code"] == "delivery_dead"
    };
    house.gateway.wait_for_event(dead).await;
    let id = subscription["id"].as_str().unwrap();
    let path = format!("/v1/deliveries?subscription_id={id}");
    let rows = house.gateway.get(&path).await;
    assert_eq!(rows["data"][0]["state"], "dead");
    assert_eq!(rows["data"][0]["last_status"], 413);
    let told = rows["data"][0]["last_error"].as_str().unwrap();
    assert!(told.starts_with(why), "{told}");
}

#[tokio::test]
async fn what_a_user_may_not_publish_is_said_and_comes_when_it_may() {
    let conf = |denied: &str| {
        format!(
            "authorization {{ users: [
               {{user: all, password: all-word}}
               {{user: gw, password: gw-word, permissions: {{publish: {{deny: \"{denied}\"}}}}}}
             ] }}"
        )
    };
    let setup = |denied| Setup::conf(conf(denied), Login::user("all", "all-word"));
    let mut house = start(setup("wh.>")).await;
    house.broker.make_stream(-1).await;
    let credentials = Login::user("gw", "gw-word").credentials();
    let subscription = subscribe(&house, json!({"credentials": credentials})).await;
    change(&house, 1..3, 0).await;
    fails(
        &house,
        &subscription,
        "does not let this user publish to this subject",
    )
    .await;
    assert_eq!(house.broker.count().await, 0);
    house.broker = house.broker.kill().await.start_as(setup("other.>")).await;
    all_is_there(&house).await;
}
