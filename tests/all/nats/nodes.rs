//! Several nodes and one stream: whoever dies, another publishes on, and the stream keeps one of each.

use super::*;
use crate::postgres::server;
use tempfile::tempdir;

/// Revisions of so many orders, each by the node that its number leads to; without a pause.
async fn told_to(nodes: &[&Gateway], hook: &str, second: u32) {
    for id in 1..=20 {
        let mut order = orders::order(id, second);
        order["customer_note"] = json!(format!("at {second}"));
        let node = nodes[usize::try_from(id).unwrap() % nodes.len()];
        assert_eq!(node.webhook(hook, &order.to_string()).await, Some(200));
    }
}

#[tokio::test]
async fn each_node_dies_in_turn_and_the_stream_has_everything_once() {
    let url = server::fresh_url().await;
    let (one, two, store) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    for place in [&one, &two] {
        std::fs::write(place.path().join("store-url"), &url).unwrap();
    }
    let broker = Broker::start(store.path(), Setup::default()).await;
    broker.make_stream(-1).await;
    let first = Gateway::start(one.path(), &[]).await;
    let (_, hook) = first.shop("http://127.0.0.1:9", "active").await;
    let second = Gateway::start(two.path(), &[]).await;
    let body = json!({"url": broker.url("wh"), "from": "start"});
    first.post("/v1/subscriptions", body).await;
    told_to(&[&first, &second], &hook, 0).await;
    broker.read(20).await;
    told_to(&[&first, &second], &hook, 1).await;
    first.kill().await;
    told_to(&[&second], &hook, 2).await;
    let first = Gateway::start(one.path(), &[]).await;
    told_to(&[&first, &second], &hook, 3).await;
    second.kill().await;
    told_to(&[&first], &hook, 4).await;
    let house = House {
        data: one,
        _store: store,
        gateway: first,
        broker,
        hook,
    };
    all_is_there(&house).await;
    assert!(house.gateway.stop().await.success());
}
