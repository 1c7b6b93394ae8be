//! What must be true when the week is over.

use super::city::{City, Party};
use super::floor::Floor;
use super::street::Street;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// A label in a courier's own books.
pub struct MadeLabel {
    pub number: String,
    pub reference: String,
    pub void: bool,
    pub collected: Decimal,
}

impl MadeLabel {
    /// The label of this shipment of ours; couriers that make one a parcel add its number.
    pub fn of(&self, reference: &str) -> bool {
        self.reference == reference
            || self
                .reference
                .strip_prefix(reference)
                .is_some_and(|rest| rest.starts_with('-'))
    }
}

pub struct Books {
    pub labels: Vec<MadeLabel>,
}

/// What a courier has made and collected, by its own account: `GET /_sim/books`.
pub async fn books(city: &City, courier: &Party) -> Books {
    let (status, told) = city
        .control(courier, "GET", "/_sim/books", Value::Null)
        .await;
    assert_eq!(status, 200, "{} has no books: {told}", courier.connector);
    let labels = told["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| MadeLabel {
            number: label["tracking_number"].as_str().unwrap().to_owned(),
            reference: label["reference"].as_str().unwrap().to_owned(),
            void: label["void"].as_bool().unwrap(),
            collected: label["collected"]
                .as_str()
                .map_or(Decimal::ZERO, |text| Decimal::from_str(text).unwrap()),
        });
    Books {
        labels: labels.collect(),
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn amount(money: &Value) -> Decimal {
    money["amount"]
        .as_str()
        .map_or(Decimal::ZERO, |text| Decimal::from_str(text).unwrap())
}

/// Everything; prints the counts.
#[allow(clippy::print_stdout)]
pub async fn all(city: &City, street: &Street<'_>, floor: &Floor<'_>) {
    let mut faults = Vec::new();
    let orders = city.all("/v1/orders").await;
    let mut stands: BTreeMap<String, u32> = BTreeMap::new();
    for head in &orders {
        let order = city
            .ask(
                "GET",
                &format!("/v1/orders/{}", text(head, "id")),
                Value::Null,
            )
            .await;
        *stands.entry(text(&order, "status").to_owned()).or_default() += 1;
        reasons(&order, &mut faults);
        quantities(&order, &mut faults);
        let before = faults.len();
        cancelled(&order, &mut faults);
        if faults.len() > before {
            faults.push(story(city, &order).await);
        }
    }
    if orders.len() != usize::try_from(street.happened.orders).unwrap() {
        faults.push(format!(
            "{} orders were placed, {} are known",
            street.happened.orders,
            orders.len()
        ));
    }
    let labels = labels(city, &mut faults).await;
    let cash = cash(city, &mut faults).await;
    let events = events(city, &mut faults).await;
    let records = ledger(city, &mut faults).await;
    let problems = problems(city).await;
    let counts = format!(
        "week: {} shops, {} couriers, {} h\n  orders {} (edits {}, cancellations {}, refunds {}): {stands:?}\n  warehouse {:?}\n  labels {labels}\n  cash {cash}\n  events {events}, records {records}\n  faults put in {:?}\n  open problems {problems:?}",
        city.shops.len(),
        city.couriers.len(),
        city.scale.hours,
        street.happened.orders,
        street.happened.edits,
        street.happened.cancellations,
        street.happened.refunds,
        floor.done.by,
        street.happened.faults,
    );
    println!("{counts}");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}\nopen problems: {problems:?}",
        faults.len(),
        faults
            .iter()
            .take(40)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// What happened to an order, for whoever looks for the fault.
async fn story(city: &City, order: &Value) -> String {
    let path = format!("/v1/orders/{}/timeline", text(order, "id"));
    let told = city.ask("GET", &path, Value::Null).await;
    let told = told["data"].as_array().unwrap();
    let told: Vec<String> = told.iter().map(Value::to_string).collect();
    format!(
        "parts {}, shipments {}:\n    {}",
        order["fulfillment_orders"],
        order["shipments"],
        told.join("\n    ")
    )
}

/// Where an order stands has a reason that people can read.
fn reasons(order: &Value, faults: &mut Vec<String>) {
    let parts = order["fulfillment_orders"].as_array().unwrap();
    let holds = |of: &Value| {
        of["holds"]
            .as_array()
            .is_some_and(|holds| !holds.is_empty())
    };
    let said = match text(order, "status") {
        "fulfilled" => true,
        "cancelled" | "closed" => !order["closed_reason"].is_null(),
        "pending_payment" | "on_hold" => holds(order) || parts.iter().any(holds),
        // Still with the warehouse: a part of it waits there, in sight on its work list.
        _ => {
            parts.iter().any(|part| {
                holds(part)
                    || ["submitted", "in_progress", "incomplete"].contains(&text(part, "status"))
            }) || holds(order)
        }
    };
    if !said {
        faults.push(format!(
            "{} is {} without a reason",
            text(order, "id"),
            text(order, "status")
        ));
    }
}

fn alive(shipment: &Value) -> bool {
    !["failed", "voided"].contains(&text(shipment, "status")) && shipment["replaced_by"].is_null()
}

/// No line left more often than it was ordered.
fn quantities(order: &Value, faults: &mut Vec<String>) {
    let mut left: BTreeMap<&str, f64> = BTreeMap::new();
    let shipments = order["shipments"].as_array().unwrap();
    for shipment in shipments.iter().filter(|s| alive(s) && s["packed"] == true) {
        for line in shipment["lines"].as_array().unwrap() {
            *left.entry(text(line, "line_id")).or_default() += line["quantity"].as_f64().unwrap();
        }
    }
    for line in order["lines"].as_array().unwrap() {
        let ordered = line["quantity"].as_f64().unwrap();
        let shipped = left.get(text(line, "id")).copied().unwrap_or(0.0);
        if shipped > ordered {
            faults.push(format!(
                "{} shipped {shipped} of {ordered}",
                text(order, "id")
            ));
        }
    }
}

/// Shipped though cancelled only with a reason on record: refused by the warehouse, too late, or
/// overridden.
fn cancelled(order: &Value, faults: &mut Vec<String>) {
    let gone = order["shipments"]
        .as_array()
        .unwrap()
        .iter()
        .any(|s| text(s, "status") == "handed_over");
    if text(order, "channel_state") != "cancelled" || !gone {
        return;
    }
    for shipment in order["shipments"].as_array().unwrap() {
        if text(shipment, "status") != "handed_over" || !alive(shipment) {
            continue;
        }
        let parts = order["fulfillment_orders"].as_array().unwrap();
        let part = parts
            .iter()
            .find(|part| part["id"] == shipment["fulfillment_order_id"]);
        let request = &part.unwrap()["request"];
        let reason = text(request, "kind") == "cancel"
            && match text(request, "state") {
                "refused" => !request["answer"].is_null(),
                // Agreed for what was left: this one had gone before it was asked.
                "accepted" => text(shipment, "created_at") <= text(request, "asked_at"),
                _ => false,
            };
        if !reason {
            faults.push(format!(
                "{} was shipped though cancelled, and nobody says why: {request}",
                text(order, "id")
            ));
        }
    }
}

async fn labels(city: &City, faults: &mut Vec<String>) -> String {
    let shipments = city.all("/v1/shipments").await;
    let mut known: BTreeSet<String> = BTreeSet::new();
    for shipment in &shipments {
        for parcel in shipment["parcels"].as_array().unwrap() {
            known.extend(parcel["tracking_number"].as_str().map(str::to_owned));
        }
        let former = shipment["former_numbers"].as_array();
        known.extend(
            former
                .into_iter()
                .flatten()
                .filter_map(|number| number.as_str().map(str::to_owned)),
        );
    }
    let (mut made, mut void) = (0, 0);
    for courier in &city.couriers {
        let books = books(city, courier).await;
        let mut live: BTreeMap<&str, u32> = BTreeMap::new();
        for label in &books.labels {
            made += 1;
            void += u32::from(label.void);
            if !known.contains(&label.number) {
                faults.push(format!(
                    "{}: the label {} for {} is unknown to us",
                    courier.connector, label.number, label.reference
                ));
            }
            if !label.void {
                *live.entry(&label.reference).or_default() += 1;
            }
        }
        for (reference, n) in live.into_iter().filter(|(_, n)| *n > 1) {
            faults.push(format!("{}: {n} labels for {reference}", courier.connector));
        }
    }
    format!("{made} made, {void} void, {} shipments", shipments.len())
}

/// Every cent that was due is in exactly one state, and what couriers collected is what we say.
async fn cash(city: &City, faults: &mut Vec<String>) -> String {
    let items = city.all("/v1/cod/items").await;
    let mut by: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut collected: BTreeMap<&str, Decimal> = BTreeMap::new();
    for item in &items {
        *by.entry(text(item, "status").to_owned()).or_default() += amount(&item["due"]);
        if !item["collected"].is_null() {
            *collected.entry(text(item, "connection_id")).or_default() +=
                amount(&item["collected"]);
        }
    }
    let statement = city.ask("GET", "/v1/cod/statement", Value::Null).await;
    let stated: Decimal = statement["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| amount(&line["due"]))
        .sum();
    let born: Decimal = by.values().sum();
    if stated != born {
        faults.push(format!("the statement says {stated}, the items {born}"));
    }
    for courier in &city.couriers {
        let books: Decimal = books(city, courier)
            .await
            .labels
            .iter()
            .map(|label| label.collected)
            .sum();
        let ours = collected
            .get(courier.connection.as_str())
            .copied()
            .unwrap_or_default();
        if books != ours && tells_cash(city, courier).await {
            faults.push(format!(
                "{} collected {books}, we say {ours}",
                courier.connector
            ));
        }
    }
    let shipments = city.all("/v1/shipments").await;
    let lost: Vec<&str> = shipments
        .iter()
        .filter(|s| {
            !s["cod_due"].is_null()
                && ["purchased", "printed", "manifested", "handed_over"]
                    .contains(&text(s, "status"))
        })
        .filter(|s| !items.iter().any(|item| item["shipment_id"] == s["id"]))
        .map(|s| text(s, "id"))
        .collect();
    if !lost.is_empty() {
        faults.push(format!("cash without an account: {lost:?}"));
    }
    format!("{} items, {by:?}", items.len())
}

/// Some couriers tell of the cash by bank statement only.
async fn tells_cash(city: &City, courier: &Party) -> bool {
    let (_, told) = city
        .control(courier, "GET", "/_sim/books", Value::Null)
        .await;
    told["tells_cash"].as_bool().unwrap_or(true)
}

/// In order within each order, nothing left out, doubled under one id only.
async fn events(city: &City, faults: &mut Vec<String>) -> usize {
    let feed = city.all("/v1/events").await;
    let taken = city.warehouse.taken();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (id, event) in &taken {
        if !seen.insert(id.clone()) {
            continue;
        }
        let order = event["data"]["order"]["id"]
            .as_str()
            .or(event["data"]["order_id"].as_str());
        let Some(order) = order else { continue };
        let sequence = event["sequence"].as_u64().unwrap();
        let before = last.insert(order.to_owned(), sequence).unwrap_or(0);
        if before > sequence {
            faults.push(format!("{order}: event {sequence} came after {before}"));
        }
    }
    for event in &feed {
        if !seen.contains(text(event, "id")) {
            faults.push(format!(
                "event {} never reached the warehouse",
                event["sequence"]
            ));
        }
    }
    feed.len()
}

async fn ledger(city: &City, faults: &mut Vec<String>) -> u64 {
    let lines = city.ask("GET", "/v1/ledger", Value::Null).await;
    let mut received = 0;
    for line in lines["data"].as_array().unwrap() {
        let n = |key: &str| line[key].as_u64().unwrap();
        let rest = [
            "pending",
            "applied",
            "unchanged",
            "stale",
            "duplicate",
            "ignored",
            "problem",
        ];
        if n("received") != rest.iter().map(|key| n(key)).sum::<u64>() || n("pending") > 0 {
            faults.push(format!("the ledger does not add up: {line}"));
        }
        received += n("received");
    }
    received
}

async fn problems(city: &City) -> BTreeMap<String, u32> {
    let mut open = BTreeMap::new();
    for problem in city.all("/v1/problems?status=open").await {
        let name = format!("{} {}", text(&problem, "class"), text(&problem, "code"));
        *open.entry(name).or_default() += 1;
    }
    open
}
