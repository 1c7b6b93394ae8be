//! The server dies under a running gateway, and comes back.

use super::Database;
use crate::durability::{check, revision, set_up};
use crate::support::gateway::{PATIENCE, SECRET};
use crate::support::{Gateway, Warehouse, orders};
use std::collections::BTreeMap;
use tokio::sync::watch;
use tokio::time::Instant;

const SENDERS: u64 = 4;
/// The order of what is sent while the server is away.
const AWAY: u64 = 900;

/// A webhook: the status, and how long to wait before it is sent again.
async fn sent(gateway: &Gateway, hook: &str, body: &str) -> (u16, Option<String>) {
    let request = gateway
        .http
        .post(gateway.url(hook))
        .header("content-type", "application/json")
        .header("x-wc-webhook-topic", "order.updated")
        .header("x-wc-webhook-signature", orders::sign(SECRET, body))
        .body(body.to_owned())
        .timeout(PATIENCE);
    let answer = request.send().await.expect("the gateway answers always");
    let wait = answer.headers().get("retry-after");
    let wait = wait.map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), wait)
}

/// Sends revisions of an order, one after the other, each until it is taken; the last one.
async fn send(
    gateway: &Gateway,
    hook: &str,
    id: u64,
    taken: &watch::Sender<u64>,
    done: &watch::Sender<bool>,
) -> u32 {
    let mut n = 0;
    while !*done.borrow() {
        n += 1;
        let body = revision(id, n);
        loop {
            match sent(gateway, hook, &body).await {
                (200, _) => break,
                (503, Some(seconds)) => assert!(seconds.parse::<u32>().unwrap() > 0),
                other => panic!("the gateway answered {other:?}"),
            }
            tokio::task::yield_now().await;
        }
        taken.send_modify(|n| *n += 1);
    }
    n
}

async fn ready(gateway: &Gateway) -> (u16, String) {
    let answer = gateway.try_call("GET", "/readyz", None).await.unwrap();
    (answer.status, answer.json["code"].to_string())
}

/// Dies and comes back while shops send; what is seen while it is away.
async fn dies(database: &Database, gateway: &Gateway, hook: &str, how: fn(&Database)) {
    tokio::task::block_in_place(|| how(database));
    // Sessions may outlive their server's main process by a moment.
    let limit = Instant::now() + PATIENCE;
    let mut seen = ready(gateway).await;
    while seen.0 == 200 {
        assert!(Instant::now() < limit, "ready without a store");
        seen = ready(gateway).await;
    }
    assert_eq!((seen.0, seen.1.as_str()), (503, "\"not_ready\""));
    let (mut status, mut wait) = sent(gateway, hook, &revision(AWAY, 1)).await;
    while status == 200 {
        assert!(Instant::now() < limit, "taken without a store");
        (status, wait) = sent(gateway, hook, &revision(AWAY, 1)).await;
    }
    assert_eq!(status, 503);
    assert!(wait.is_some());
    let api = gateway.try_call("GET", "/v1/orders", None).await.unwrap();
    assert_eq!(
        (api.status, api.json["code"].as_str()),
        (503, Some("store_unavailable"))
    );
    assert_eq!(
        gateway.text("/healthz").await,
        "ok",
        "no reason to start it anew"
    );
    tokio::task::block_in_place(|| database.begin(""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_costs_nothing_that_was_acknowledged() {
    let database = tokio::task::block_in_place(Database::start);
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("store-url"), database.url("127.0.0.1")).unwrap();
    let warehouse = Warehouse::start().await;
    let hook = set_up(data.path(), &warehouse).await;
    let gateway = Gateway::start(data.path(), &[]).await;
    let (taken, done) = (watch::channel(0).0, watch::channel(false).0);
    let sending = (1..=SENDERS).map(|id| send(&gateway, &hook, id, &taken, &done));
    let faults = async {
        let mut seen = taken.subscribe();
        for how in [Database::cut, Database::kill, Database::cut] {
            let enough = *seen.borrow_and_update() + 20;
            seen.wait_for(|n| *n >= enough).await.unwrap();
            dies(&database, &gateway, &hook, how).await;
        }
        let enough = *seen.borrow_and_update() + 20;
        seen.wait_for(|n| *n >= enough).await.unwrap();
        done.send_replace(true);
    };
    let (newest, ()) = tokio::join!(futures_util::future::join_all(sending), faults);
    let limit = Instant::now() + PATIENCE;
    while ready(&gateway).await.0 != 200 {
        assert!(Instant::now() < limit, "it takes orders and is not ready");
    }
    // It goes on by itself: what it took last is applied.
    let newest: BTreeMap<u64, u32> = (1..).zip(newest).collect();
    for (id, n) in &newest {
        let (id, note) = (id.to_string(), format!("revision {n}"));
        gateway
            .wait_for_event(|event| {
                let order = &event["data"]["order"];
                order["external_id"] == id.as_str() && order["note"] == note.as_str()
            })
            .await;
    }
    assert!(gateway.stop().await.success());
    let acknowledged = *taken.borrow();
    check(data.path(), &hook, &warehouse, &newest, acknowledged).await;
}
