//! Two versions of every order in the wrong order, and the same one twice, through the worker over
//! the embedded store: the newer one stays, the older one is `stale`, nobody is told of it.
//!
//! The versions are made from the fixtures: those places of a payload are moved by a day by which
//! the mapping tells the order's revision. Where webhooks prove nothing and the order is read from
//! the channel instead, an answer is as old as its question (DECISIONS 4).

use super::house::{House, Way};
use super::{cases, connectors};
use crossdock::canonical::inbox::Disposition::{Applied, Ignored, Stale, Unchanged};
use crossdock::connector::Connector;
use crossdock::connector::map::{MapInput, map};
use crossdock::connector::records;
use crossdock::manifest::fixture::{Case, Kind, Outcome};
use crossdock::mapping::to_json;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What tells the revision of an order.
const TOLD: [&str; 2] = ["source_updated_at", "source_revision"];

/// An order of a fixture in two versions.
struct Versions {
    older: Value,
    newer: Value,
}

fn order(connector: &Connector, case: &Case, record: &Value) -> Option<Value> {
    let input = MapInput {
        settings: case.settings.clone(),
        headers: case.headers.clone(),
        records: Some(".".to_owned()),
    };
    let mapped = map(connector, "order", record.to_string().as_bytes(), &input);
    let orders = mapped.json();
    let order = orders.as_array()?.first()?.clone();
    (mapped.failures.is_empty() && order["lines"].is_array()).then_some(order)
}

/// The records of a mapping fixture that are JSON.
fn records(connector: &Connector, case: &Case) -> Vec<Value> {
    let bytes = case.bytes("input").unwrap().unwrap_or_default();
    let manifest = connector.manifest();
    let Ok(payload) = records::decode_for(manifest, "order", &bytes) else {
        return Vec::new();
    };
    let Ok(found) = records::of_mapping(manifest, "order", &payload) else {
        return Vec::new();
    };
    let json = |record: &&_| serde_json::from_slice(&to_json(record)).unwrap();
    found.iter().map(json).collect()
}

/// Every leaf of a payload, as a JSON pointer.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{n}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(field, &format!("{at}/{name}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// A moment (or a number that may count revisions) a day later; nothing for other values.
fn later(value: &Value) -> Option<Value> {
    if let Some(text) = value.as_str() {
        let day: jiff::civil::Date = text.get(..10)?.parse().ok()?;
        let next = day.tomorrow().ok()?;
        return Some(json!(format!("{next}{}", &text[10..])));
    }
    value.as_u64().map(|number| json!(number + 86_400))
}

/// A newer version of this record, if its mapping tells revisions.
fn newer(connector: &Connector, case: &Case, record: &Value) -> Option<Value> {
    let told = |order: &Value| TOLD.map(|key| order[key].clone());
    let now = told(&order(connector, case, record)?);
    let mut all = Vec::new();
    leaves(record, "", &mut all);
    let mut moved = record.clone();
    for at in all {
        let Some(value) = record.pointer(&at).and_then(later) else {
            continue;
        };
        let mut alone = record.clone();
        *alone.pointer_mut(&at).unwrap() = value.clone();
        if order(connector, case, &alone).is_some_and(|order| told(&order) != now) {
            *moved.pointer_mut(&at).unwrap() = value;
        }
    }
    let then = told(&order(connector, case, &moved)?);
    (then != now).then_some(moved)
}

/// The same record with another word in the texts of which the order's names are made, so that the
/// versions differ in more than their age.
fn renamed(connector: &Connector, case: &Case, record: &Value) -> Value {
    let Some(told) = order(connector, case, record) else {
        return record.clone();
    };
    let names = ["/customer/name", "/ship_to/name", "/lines/0/name"];
    let names = names.map(|at| told.pointer(at).and_then(Value::as_str).unwrap_or_default());
    let mut all = Vec::new();
    leaves(record, "", &mut all);
    for at in all {
        let text = record.pointer(&at).and_then(Value::as_str).unwrap_or("");
        if text.len() < 3 || !names.iter().any(|name| name.contains(text)) {
            continue;
        }
        let mut other = record.clone();
        *other.pointer_mut(&at).unwrap() = json!(format!("{text} Senior"));
        if order(connector, case, &other).is_some_and(|order| order != told) {
            return other;
        }
    }
    panic!("{}/{}: no name can be changed", connector.id(), case.name);
}

fn versions(connector: &Connector, case: &Case, dated: bool) -> Vec<Versions> {
    let made = |record: Value| {
        let newer = match dated {
            true => newer(connector, case, &record)?,
            false => order(connector, case, &record).map(|_| record.clone())?,
        };
        let newer = renamed(connector, case, &newer);
        Some(Versions {
            older: record,
            newer,
        })
    };
    let all = records(connector, case).into_iter();
    all.filter_map(made).take(3).collect()
}

/// Only what is asked for counts at this provider.
fn refetches(connector: &Connector) -> bool {
    let hooks = connector.manifest().webhooks.as_ref();
    hooks.is_some_and(|hooks| hooks.topics.values().any(|topic| topic.refetch))
}

/// Newer, older, newer again; in one batch or one by one. True when the way took the order at all.
async fn late(house: &House, case: &Case, ways: [&Way; 2], made: &Versions, batch: bool) -> bool {
    let at = format!("{}/{} by {ways:?}", house.connector.id(), case.name);
    let connection = house.connect(&case.settings).await;
    let before = house.clock_now();
    house.clock.advance(std::time::Duration::from_secs(60));
    let (asked, told) = (house.clock_now(), house.last_event().await);
    house.deliver(connection, ways[0], &made.newer, asked).await;
    if batch {
        house
            .deliver(connection, ways[1], &made.older, before)
            .await;
        house.deliver(connection, ways[0], &made.newer, asked).await;
    }
    house.applier.drain().await.unwrap();
    let first = house.dispositions(connection).await.first().copied();
    if first != Some(Applied) {
        return false;
    }
    let (stays, said) = (house.order(connection).await, house.last_event().await);
    assert!(said > told, "{at}: nobody is told of an order");
    if !batch {
        house
            .deliver(connection, ways[1], &made.older, before)
            .await;
        house.applier.drain().await.unwrap();
        house.deliver(connection, ways[0], &made.newer, asked).await;
        house.applier.drain().await.unwrap();
    }
    let dispositions = house.dispositions(connection).await;
    // A poll that reads the same bytes again is counted and makes no row (DECISIONS 2).
    let rows: &[&[_]] = &[&[Applied, Stale, Unchanged], &[Applied, Stale]];
    assert!(
        rows.contains(&dispositions.as_slice()),
        "{at}: {dispositions:?}"
    );
    assert_eq!(
        house.order(connection).await,
        stays,
        "{at}: the newer one stays"
    );
    assert_eq!(house.last_event().await, said, "{at}: an event follows");
    let line = house.ledger(connection).await;
    assert_eq!(
        (
            line.received,
            line.applied,
            line.stale,
            line.unchanged,
            line.pending
        ),
        (3, 1, 1, 1, 0),
        "{at}: {line:?}"
    );
    assert!(line.balances(), "{at}: {line:?}");
    true
}

/// In their own order both count.
async fn in_time(house: &House, case: &Case, way: &Way, made: &Versions) {
    let connection = house.connect(&case.settings).await;
    for version in [&made.older, &made.newer] {
        house.clock.advance(std::time::Duration::from_secs(60));
        let now = house.clock_now();
        house.deliver(connection, way, version, now).await;
        house.applier.drain().await.unwrap();
    }
    let dispositions = house.dispositions(connection).await;
    assert_eq!(
        dispositions,
        [Applied, Applied],
        "{}/{} by {way:?}",
        house.connector.id(),
        case.name
    );
}

#[tokio::test]
async fn of_two_versions_in_the_wrong_order_the_newer_stays() {
    for connector in connectors() {
        let orders = cases(&connector, Kind::Mapping).into_iter();
        let orders: Vec<Case> = orders
            .filter(|case| case.mapping.as_deref() == Some("order"))
            .collect();
        if orders.is_empty() {
            continue;
        }
        let house = House::of(&connector).await;
        let ways = Way::all(&connector);
        let mut taken = BTreeSet::new();
        let mut batch = false;
        for case in &orders {
            for made in versions(&connector, case, !refetches(&connector)) {
                // The last way (a poll, where there is one) is late, or the first.
                for pair in [
                    [&ways[0], &ways[ways.len() - 1]],
                    [&ways[ways.len() - 1], &ways[0]],
                ] {
                    batch = !batch;
                    if late(&house, case, pair, &made, batch).await {
                        taken.insert(format!("{:?}", pair[0]));
                        in_time(&house, case, pair[0], &made).await;
                    }
                }
            }
        }
        assert!(
            taken.len() >= ways.len().min(2),
            "{}: of {ways:?} only {taken:?} took an order in two versions",
            connector.id()
        );
    }
}

#[tokio::test]
async fn a_hint_decides_nothing_and_has_the_order_read_once() {
    for connector in connectors().iter().filter(|c| refetches(c)) {
        let house = House::of(connector).await;
        for case in cases(connector, Kind::Webhook) {
            if case.outcome != Some(Outcome::Accepted) {
                continue;
            }
            let at = format!("{}/{}", connector.id(), case.name);
            let connection = house.connect(&case.settings).await;
            let told = house.last_event().await;
            let hint = serde_json::from_slice(&case.bytes("input").unwrap().unwrap()).unwrap();
            let way = Way::hook(case.topic.as_deref().unwrap_or_default());
            let now = house.clock_now();
            for _ in 0..2 {
                house.deliver(connection, &way, &hint, now).await;
            }
            house.applier.drain().await.unwrap();
            assert_eq!(
                house.dispositions(connection).await,
                [Ignored, Ignored],
                "{at}"
            );
            assert_eq!(house.last_event().await, told, "{at}: an event follows");
            assert_eq!(house.reads(connection).await, 1, "{at}: one read for both");
        }
    }
}
