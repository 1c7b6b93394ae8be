//! The process is killed: at every kill point ([`points`]), and at any moment under load ([`load`]).
//! Nothing that was acknowledged is lost, nothing has its effect twice, the ledger adds up.

pub mod load;
#[cfg(feature = "failpoints")]
mod points;

use super::support::{Gateway, Warehouse, orders};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const TYPES: [&str; 2] = ["order.received", "order.updated"];

/// A gateway that knows a shop and a warehouse; the shop's hook.
pub async fn set_up(data: &Path, warehouse: &Warehouse) -> String {
    let gateway = Gateway::start(data, &[]).await;
    let body = json!({"url": warehouse.url(), "event_types": TYPES});
    let subscription = gateway.post("/v1/subscriptions", body).await;
    warehouse.trust(subscription["secret"].as_str().unwrap());
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    assert!(gateway.stop().await.success());
    hook
}

/// One revision of an order, as the shop tells it.
pub fn revision(id: u64, n: u32) -> String {
    let mut order = orders::order(id, n);
    order["customer_note"] = json!(format!("revision {n}"));
    order.to_string()
}

fn external_id(event: &Value) -> &str {
    event["data"]["order"]["external_id"].as_str().unwrap_or("")
}

/// What the ledger says of each day adds up, with nothing pending and no problem.
pub fn adds_up(ledger: &Value) -> u64 {
    let mut received = 0;
    for line in ledger["data"].as_array().unwrap() {
        let n = |key: &str| line[key].as_u64().unwrap();
        let decided = ["applied", "unchanged", "stale", "duplicate", "ignored"];
        let sum: u64 = decided.iter().map(|part| n(part)).sum();
        assert_eq!(n("received"), sum, "{line}");
        assert_eq!((n("pending"), n("problem")), (0, 0), "{line}");
        received += n("received");
    }
    received
}

/// The whole log, in sequence; each of these orders was received once and handed over once.
pub async fn each_once(gateway: &Gateway, ids: impl IntoIterator<Item = u64>) -> Vec<Value> {
    let events = gateway.all_events().await;
    let sequences: Vec<u64> = events
        .iter()
        .map(|e| e["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for event in &events {
        let kind = event["type"].as_str().unwrap();
        *seen.entry((kind, external_id(event))).or_default() += 1;
    }
    for id in ids {
        let id = id.to_string();
        for kind in ["order.received", "fulfillment_order.submitted"] {
            let n = seen.get(&(kind, id.as_str())).copied();
            assert_eq!(n, Some(1), "{kind} of order {id}");
        }
    }
    events
}

/// The warehouse was told of every event: signed, and of each order in order.
pub async fn told_in_order(warehouse: &Warehouse, events: &[Value]) {
    let wanted: Vec<&Value> = events
        .iter()
        .filter(|e| TYPES.contains(&e["type"].as_str().unwrap()))
        .collect();
    warehouse.wait_for_distinct(wanted.len()).await;
    assert!(warehouse.refused().is_empty());
    let place: BTreeMap<&str, u64> = wanted
        .iter()
        .map(|e| (e["id"].as_str().unwrap(), e["sequence"].as_u64().unwrap()))
        .collect();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (id, event) in warehouse.taken() {
        if !seen.insert(id.clone()) {
            continue; // at least once: again, under the same id
        }
        let sequence = place[id.as_str()];
        let before = last.insert(external_id(&event).to_owned(), sequence);
        assert!(
            before.is_none_or(|before| before < sequence),
            "{id} overtook"
        );
    }
    assert_eq!(seen.len(), wanted.len());
}

/// Everything that was acknowledged is there, once, in order, at the warehouse too.
pub async fn check(
    data: &Path,
    hook: &str,
    warehouse: &Warehouse,
    newest: &BTreeMap<u64, u32>,
    acknowledged: u64,
) {
    let gateway = Gateway::start(data, &[]).await;
    let received = adds_up(&gateway.settled(hook).await);
    assert!(received > acknowledged, "{received} of {acknowledged}");
    let events = each_once(&gateway, newest.keys().copied()).await;
    for (id, n) in newest {
        let list = gateway.get(&format!("/v1/orders?external_id={id}")).await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        let note = format!("revision {n}");
        assert_eq!(list["data"][0]["note"], note, "the newest one won");
    }
    told_in_order(warehouse, &events).await;
    assert!(gateway.stop().await.success());
}
