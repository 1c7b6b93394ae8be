//! What must be true when a run is at rest.
//!
//! What always holds: nothing here repairs or repeats anything; every difference is told with what it
//! is about.

use super::load::Shop;
use super::reader::Seen;
use super::rest::books;
use super::town::{Town, list};
use crate::support::gateway::KEY;
use crossdock::store::query::LedgerFilter;
use crossdock::store::vault::MasterKey;
use crossdock::store::{Scope, StoreOptions};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the table shows.
#[derive(Default, Debug)]
pub struct Figures {
    pub webhooks: u64,
    pub acknowledged: u64,
    pub stored: u64,
    pub orders: u64,
    pub polled_orders: u64,
    pub lost: u64,
    pub doubled: u64,
    pub shipments: u64,
    pub labels: u64,
    pub bought_twice: u64,
    pub told_shops: u64,
    pub events: u64,
    pub deliveries: u64,
    pub delivered_again: u64,
    pub out_of_order: u64,
    pub skipped: u64,
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn more(a: u32, b: u32) -> u64 {
    u64::from(a.saturating_sub(b))
}

/// Everything; the figures, and what is wrong.
pub async fn all(town: &Town) -> (Figures, Vec<String>) {
    let (mut figures, mut wrong) = (Figures::default(), Vec::new());
    let orders = town.client.all("/v1/orders").await;
    let mut known: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    for order in &orders {
        let key = (text(order, "connection_id"), text(order, "external_id"));
        if known.insert(key, order).is_some() {
            figures.doubled += 1;
            wrong.push(format!("two orders are {key:?}"));
        }
    }
    figures.orders = u64::try_from(orders.len()).unwrap();
    let ledger = town.client.ask("GET", "/v1/ledger", &Value::Null).await;
    for shop in &town.load.shops {
        let rows = format!("/v1/inbox?connection_id={}", shop.connection);
        let rows = town.client.all(&rows).await;
        told(shop, &rows, &known, &mut figures, &mut wrong);
        counted(shop, &rows, &ledger, &mut wrong);
    }
    balanced(&ledger, &mut wrong);
    polled(town, &known, &mut figures, &mut wrong).await;
    labels(town, &mut figures, &mut wrong).await;
    let log = log(town).await;
    read(&town.reader.seen(), &log, &mut figures, &mut wrong);
    once(&log, &mut wrong);
    delivered(&log, &town.warehouse.taken(), &mut figures, &mut wrong);
    wrong.extend(town.warehouse.refused().into_iter().take(3));
    wrong.extend(town.reader.wrong.lock().unwrap().iter().take(5).cloned());
    wrong.extend(town.packer.wrong.lock().unwrap().iter().take(5).cloned());
    wrong.extend(town.wrong.lock().unwrap().iter().cloned());
    (figures, wrong)
}

/// What a shop told and was acknowledged is stored, each time once.
fn told(
    shop: &Shop,
    rows: &[Value],
    known: &BTreeMap<(&str, &str), &Value>,
    figures: &mut Figures,
    wrong: &mut Vec<String>,
) {
    let mut stored: BTreeMap<&str, u32> = BTreeMap::new();
    for row in rows {
        *stored.entry(text(row, "external_id")).or_default() += 1;
    }
    let book = shop.book.lock().unwrap();
    wrong.extend(book.wrong.iter().take(5).cloned());
    let garbled = (String::new(), book.garbled);
    let orders = book.orders.iter().map(|(id, told)| (id.to_string(), *told));
    for (id, told) in orders.chain([garbled]) {
        let n = stored.remove(id.as_str()).unwrap_or(0);
        figures.webhooks += u64::from(told.tries);
        figures.acknowledged += u64::from(told.acknowledged);
        figures.stored += u64::from(n);
        let (lost, doubled) = (more(told.acknowledged, n), more(n, told.tries));
        figures.lost += lost;
        figures.doubled += doubled;
        if lost + doubled > 0 {
            wrong.push(format!(
                "order `{id}`: told {} times, acknowledged {}, stored {n}",
                told.tries, told.acknowledged
            ));
        }
        if id.is_empty() {
            continue;
        }
        let Some(order) = known.get(&(shop.connection.as_str(), id.as_str())) else {
            figures.lost += 1;
            wrong.push(format!("order {id} was acknowledged and is not there"));
            continue;
        };
        if text(order, "note") != format!("revision {}", told.newest) {
            wrong.push(format!(
                "order {id} says `{}`, its newest revision is {}",
                text(order, "note"),
                told.newest
            ));
        }
    }
    for (id, n) in stored {
        wrong.push(format!("{n} rows of `{id}`, which nobody told"));
    }
}

/// The ledger's counters are the rows.
fn counted(shop: &Shop, rows: &[Value], ledger: &Value, wrong: &mut Vec<String>) {
    let mut by_rows: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *by_rows.entry(text(row, "disposition")).or_default() += 1;
    }
    let lines = list(&ledger["data"]).iter();
    let lines: Vec<&Value> = lines
        .filter(|line| line["connection_id"] == shop.connection.as_str())
        .collect();
    let sum = |key: &str| -> u64 { lines.iter().filter_map(|line| line[key].as_u64()).sum() };
    for key in [
        "applied",
        "unchanged",
        "stale",
        "duplicate",
        "ignored",
        "problem",
    ] {
        let rows = by_rows.get(key).copied().unwrap_or(0);
        if sum(key) != rows {
            wrong.push(format!(
                "the ledger says {} {key}, there are {rows}",
                sum(key)
            ));
        }
    }
    let all = u64::try_from(rows.len()).unwrap();
    if sum("received") != all {
        wrong.push(format!(
            "the ledger received {}, there are {all}",
            sum("received")
        ));
    }
}

fn balanced(ledger: &Value, wrong: &mut Vec<String>) {
    for line in list(&ledger["data"]) {
        let n = |key: &str| line[key].as_u64().unwrap();
        let rest = [
            "applied",
            "unchanged",
            "stale",
            "duplicate",
            "ignored",
            "problem",
        ];
        let sum: u64 = rest.iter().map(|key| n(key)).sum();
        if n("received") != sum || n("pending") != 0 {
            wrong.push(format!("the ledger does not add up: {line}"));
        }
    }
}

/// What the polled shops have is known once, and each shipment was told to its shop once.
async fn polled(
    town: &Town,
    known: &BTreeMap<(&str, &str), &Value>,
    figures: &mut Figures,
    wrong: &mut Vec<String>,
) {
    let shipped = town.packer.shipped.lock().unwrap().clone();
    let mut notes = 0;
    for channel in &town.channels {
        let state = channel.sim.sim("GET", "/state", Value::Null).await;
        let state = &state["state"];
        for id in state["orders"].as_object().unwrap().keys() {
            figures.polled_orders += 1;
            if !known.contains_key(&(channel.connection.as_str(), id.as_str())) {
                figures.lost += 1;
                wrong.push(format!("order {id} of a polled shop is not there"));
            }
        }
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for note in state["notes"].as_object().unwrap().values().flat_map(list) {
            let Some(part) = shipped
                .keys()
                .find(|part| text(note, "note").contains(*part))
            else {
                continue;
            };
            notes += 1;
            if !told.insert(part) {
                wrong.push(format!("the shop was told twice of {part}"));
            }
        }
    }
    figures.told_shops = notes;
    let parts = u64::try_from(shipped.len()).unwrap();
    if notes != parts {
        wrong.push(format!(
            "{parts} were shipped, the shops were told of {notes}"
        ));
    }
}

/// One label a shipment, and we know its number.
async fn labels(town: &Town, figures: &mut Figures, wrong: &mut Vec<String>) {
    let shipments = town.client.all("/v1/shipments").await;
    figures.shipments = u64::try_from(shipments.len()).unwrap();
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for label in books(town).await {
        figures.labels += 1;
        let of = format!("{} {}", label.courier, label.of);
        made.entry(of).or_default().push(label.number);
    }
    for (of, numbers) in &made {
        if numbers.len() > 1 {
            figures.bought_twice += u64::try_from(numbers.len() - 1).unwrap();
            wrong.push(format!("{of} was bought {} times", numbers.len()));
        }
    }
    let mut ours: Vec<&str> = Vec::new();
    for shipment in &shipments {
        ours.extend(
            list(&shipment["parcels"])
                .iter()
                .map(|p| text(p, "tracking_number")),
        );
    }
    let theirs: BTreeSet<&str> = made.values().flatten().map(String::as_str).collect();
    let set: BTreeSet<&str> = ours.iter().copied().collect();
    if set.len() != ours.len() || set != theirs {
        let unknown: Vec<_> = theirs.symmetric_difference(&set).collect();
        wrong.push(format!("labels that only one side knows: {unknown:?}"));
    }
}

/// The whole log.
async fn log(town: &Town) -> Vec<Seen> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/v1/events?after={after}&limit=500");
        let page = town.client.ask("GET", &path, &Value::Null).await;
        let data: Vec<Seen> = list(&page["data"]).iter().map(Seen::of).collect();
        let Some(last) = data.last() else {
            return all;
        };
        after = last.sequence;
        all.extend(data);
    }
}

/// The reader by cursor saw the log, all of it, as it is.
pub fn read(seen: &[Seen], log: &[Seen], figures: &mut Figures, wrong: &mut Vec<String>) {
    figures.events = u64::try_from(log.len()).unwrap();
    for (event, n) in log.iter().zip(1..) {
        if event.sequence != n {
            wrong.push(format!("the {n}th event has sequence {}", event.sequence));
            break;
        }
    }
    let by_reader: BTreeMap<u64, &Seen> = seen.iter().map(|e| (e.sequence, e)).collect();
    for event in log {
        match by_reader.get(&event.sequence) {
            None => {
                figures.skipped += 1;
                wrong.push(format!("the reader skipped {}", event.sequence));
            }
            Some(seen) if *seen != event => {
                wrong.push(format!("the reader saw {seen:?}, the log says {event:?}"));
            }
            Some(_) => {}
        }
    }
    if seen.len() > log.len() {
        wrong.push(format!(
            "the reader saw {} events, the log has {}",
            seen.len(),
            log.len()
        ));
    }
}

/// What happens once is in the log once.
pub fn once(log: &[Seen], wrong: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    let mut received = BTreeSet::new();
    for event in log {
        if !ids.insert(&event.id) {
            wrong.push(format!("event {} is in the log twice", event.id));
        }
        let once = [
            "order.received",
            "fulfillment_order.submitted",
            "shipment.label_created",
        ];
        if once.contains(&event.kind.as_str()) && !received.insert((&event.kind, &event.order)) {
            wrong.push(format!(
                "{} of {:?} happened twice",
                event.kind, event.order
            ));
        }
    }
}

/// The warehouse was told of everything, of each order in order.
pub fn delivered(
    log: &[Seen],
    taken: &[(String, Value)],
    figures: &mut Figures,
    wrong: &mut Vec<String>,
) {
    figures.deliveries = u64::try_from(taken.len()).unwrap();
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for (id, event) in taken {
        let event = Seen::of(event);
        if event.id != *id {
            wrong.push(format!("{id} carries the event {}", event.id));
        }
        if !seen.insert(id.as_str()) {
            figures.delivered_again += 1;
            continue;
        }
        let Some(order) = event.order else { continue };
        let before = last.insert(order.clone(), event.sequence).unwrap_or(0);
        if before > event.sequence {
            figures.out_of_order += 1;
            wrong.push(format!(
                "{order}: event {} came after {before}",
                event.sequence
            ));
        }
    }
    let missing = log.iter().filter(|event| !seen.contains(event.id.as_str()));
    let missing: Vec<u64> = missing.map(|event| event.sequence).collect();
    if !missing.is_empty() {
        wrong.push(format!("the warehouse was not told of {missing:?}"));
    }
}

/// The counters equal a recount of the rows, in the closed store.
pub async fn recounted(town: &Town, wrong: &mut Vec<String>) {
    let options = StoreOptions::new(MasterKey::from_base64(KEY).unwrap());
    let store = crossdock::store::open_read_only(&town.store_url, options).unwrap();
    let lines = store
        .ledger(Scope::All, LedgerFilter::default())
        .await
        .unwrap();
    let rows = store.recount_ledger().await.unwrap();
    for line in lines {
        let same = |other: &&crossdock::canonical::inbox::LedgerLine| {
            (&other.connection_id, &other.day) == (&line.connection_id, &line.day)
        };
        let mut counted = rows.iter().find(same).cloned().unwrap_or_default();
        // Records that were read again and had not changed are counted and have no row.
        let again = line.unchanged.saturating_sub(counted.unchanged);
        counted.unchanged += again;
        counted.received += again;
        (counted.connection_id, counted.day) = (line.connection_id.clone(), line.day.clone());
        if counted != line {
            wrong.push(format!("the ledger says {line:?}, its rows {counted:?}"));
        }
    }
    store.close().await;
}
