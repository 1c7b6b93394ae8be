//! The process is killed at every kill point, and at random moments under load. Nothing that was
//! acknowledged is lost, nothing is applied twice, the ledger adds up.

use super::support::{Gateway, Warehouse, orders};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const ORDERS: u64 = 6;

/// A gateway with a shop and a warehouse; what the later starts need.
async fn set_up(data: &Path, warehouse: &Warehouse) -> String {
    let gateway = Gateway::start(data, &[]).await;
    let body = json!({"url": warehouse.url(), "event_types": ["order.received", "order.updated"]});
    let subscription = gateway.post("/v1/subscriptions", body).await;
    warehouse.trust(subscription["secret"].as_str().unwrap());
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    assert!(gateway.stop().await.success());
    hook
}

/// Sends like a shop that sends again until it is told 200; false when the gateway died meanwhile.
async fn send_all(
    gateway: &mut Gateway,
    hook: &str,
    second: u32,
    sent: &mut BTreeMap<u64, u32>,
) -> bool {
    for id in 1..=ORDERS {
        if sent.get(&id).is_some_and(|done| *done >= second) {
            continue;
        }
        let mut order = orders::order(id, second);
        order["customer_note"] = json!(format!("revision {second}"));
        match gateway.webhook(hook, &order.to_string()).await {
            Some(200) => {
                sent.insert(id, second);
            }
            Some(status) => panic!("the gateway answered {status}"),
            None => return false,
        }
    }
    true
}

/// Everything that was acknowledged is there, once, in order, at the warehouse too.
async fn check(data: &Path, hook: &str, warehouse: &Warehouse) {
    let gateway = Gateway::start(data, &[]).await;
    let ledger = gateway.settled(hook).await;
    for line in ledger["data"].as_array().unwrap() {
        let parts = [
            "applied",
            "unchanged",
            "stale",
            "duplicate",
            "ignored",
            "problem",
        ];
        let sum: u64 = parts.iter().map(|part| line[part].as_u64().unwrap()).sum();
        assert_eq!(line["received"].as_u64().unwrap(), sum, "{line}");
        assert_eq!(line["problem"], 0, "{line}");
    }
    let events = gateway.all_events().await;
    let sequences: Vec<u64> = events
        .iter()
        .map(|e| e["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
    for id in 1..=ORDERS {
        let of = |kind: &str| -> Vec<&Value> {
            events
                .iter()
                .filter(|e| {
                    e["type"] == kind
                        && e["data"]["order"]["external_id"].as_str()
                            == Some(id.to_string().as_str())
                })
                .collect()
        };
        assert_eq!(of("order.received").len(), 1, "order {id}");
        assert_eq!(of("fulfillment_order.submitted").len(), 1, "order {id}");
        let list = gateway.get(&format!("/v1/orders?external_id={id}")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        assert_eq!(
            list["data"][0]["note"], "revision 2",
            "the newest revision won"
        );
    }
    // At least once at the warehouse, and once by the dedupe key.
    let wanted = events
        .iter()
        .filter(|e| e["type"] == "order.received" || e["type"] == "order.updated")
        .count();
    let taken = warehouse
        .wait(|all| {
            all.iter()
                .map(|(id, _)| id)
                .collect::<std::collections::BTreeSet<_>>()
                .len()
                >= wanted
        })
        .await;
    let distinct: std::collections::BTreeSet<&String> = taken.iter().map(|(id, _)| id).collect();
    assert_eq!(distinct.len(), wanted);
    assert!(warehouse.refused().is_empty());
    assert!(gateway.stop().await.success());
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn killed_at_every_point_nothing_is_lost_and_nothing_twice() {
    for point in crossdock::failpoint::ALL {
        if ["poll.after_page", "job.after_report"].contains(point) {
            // Needs a provider that answers; the worker's own tests cover it.
            continue;
        }
        let data = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::start().await;
        let hook = set_up(data.path(), &warehouse).await;
        let mut sent = BTreeMap::new();
        let mut died = false;
        let armed = [("CROSSDOCK_FAILPOINT", *point)];
        let mut gateway = Gateway::try_start(data.path(), &armed).await;
        for second in [1, 2] {
            loop {
                let Some(running) = gateway.as_mut() else {
                    died = true;
                    gateway = Gateway::try_start(data.path(), &[]).await;
                    continue;
                };
                if send_all(running, &hook, second, &mut sent).await {
                    break;
                }
                running.ended().await;
                gateway = None;
            }
        }
        if !died {
            // A point behind intake: it is reached by the work that follows.
            if let Some(mut running) = gateway.take() {
                running.ended().await;
            }
        }
        if let Some(running) = gateway {
            running.kill().await;
        }
        check(data.path(), &hook, &warehouse).await;
    }
}

#[tokio::test]
async fn kill_nine_under_load_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::start().await;
    let hook = set_up(data.path(), &warehouse).await;
    let mut sent = BTreeMap::new();
    for round in 0..8u64 {
        let gateway = Gateway::start(data.path(), &[]).await;
        // Part of the load is acknowledged, then the process dies with the rest on its way.
        let second = if round < 4 { 1 } else { 2 };
        let killed_after = round % 4;
        for id in 1..=killed_after + 1 {
            let mut order = orders::order(id, second);
            order["customer_note"] = json!(format!("revision {second}"));
            if gateway.webhook(&hook, &order.to_string()).await == Some(200) {
                sent.insert(id, second);
            }
        }
        let late = orders::order(ORDERS, second).to_string();
        let racing = gateway.http.post(gateway.url(&hook)).body(late).send();
        let (_, ()) = tokio::join!(racing, gateway.kill());
    }
    let mut gateway = Gateway::start(data.path(), &[]).await;
    for second in [1, 2] {
        assert!(send_all(&mut gateway, &hook, second, &mut sent).await);
    }
    gateway.kill().await;
    check(data.path(), &hook, &warehouse).await;
}
