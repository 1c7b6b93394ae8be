//! How long payloads and personal data are kept, and what is left of an object when they are gone.
//!
//! What always holds: what is left reads back as the same kind of object, with its ids, states,
//! lines, amounts and times: ledgers and statements add up as before; nothing that names, reaches or
//! finds a person is left; an object that is gone over twice stays as it is.

use crate::canonical::Timestamp;
use crate::canonical::connection::Merchant;
use crate::canonical::event::SnapshotKind;
use serde_json::{Map, Value, json};

/// How many days a merchant's data is kept; `None`: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeps {
    /// Raw payloads, from their arrival (`keep_payloads_days`).
    pub payloads_days: Option<u32>,
    /// Personal data, from the last change of an order that has ended (`keep_personal_days`).
    pub personal_days: Option<u32>,
}

/// The merchant's settings, else the operator's.
pub fn keeps(merchant: &Merchant, operator: Option<&Merchant>) -> Keeps {
    let days = |name: &str| {
        let of = |whose: &Merchant| whose.settings.get(name)?.as_u64();
        let days = of(merchant).or_else(|| operator.and_then(of))?;
        u32::try_from(days).ok().filter(|days| *days > 0)
    };
    Keeps {
        payloads_days: days("keep_payloads_days"),
        personal_days: days("keep_personal_days"),
    }
}

/// Of an address, what tells where to, and not to whom.
const PLACE: [&str; 2] = ["country", "region"];
/// Of a customer, what is no person.
const CUSTOMER: [&str; 1] = ["language"];
/// Of what is bought, what may be the customer's words (an engraving).
const OFFER: [&str; 1] = ["product_id"];

/// Takes the personal data out of an object's stored JSON.
pub fn anonymise(kind: SnapshotKind, object: &mut Value, at: Timestamp) {
    let Value::Object(object) = object else {
        return;
    };
    match kind {
        SnapshotKind::Order => order(object, at),
        SnapshotKind::FulfillmentOrder => {
            keep_only(object, "ship_to", &PLACE);
            without(object, "delivery", "instructions");
            // What was wanted of the address, and the warehouse's words.
            without(object, "request", "wanted");
            without(object, "request", "answer");
            holds(object);
        }
        SnapshotKind::Shipment => {
            keep_only(object, "ship_to", &PLACE);
            // The carrier's words may repeat the address.
            blank(object, &["failure", "void_reason"]);
        }
        // Who signed, and where.
        SnapshotKind::Tracking => blank(object, &["carrier_text", "place"]),
        SnapshotKind::Cod => {}
    }
}

fn order(order: &mut Map<String, Value>, at: Timestamp) {
    keep_only(order, "customer", &CUSTOMER);
    keep_only(order, "ship_to", &PLACE);
    keep_only(order, "bill_to", &PLACE);
    without(order, "delivery", "instructions");
    blank(order, &["note", "internal_note"]);
    for (key, empty) in [
        ("attributes", json!({})),
        ("tags", json!([])),
        ("overrides", json!([])),
    ] {
        if order.contains_key(key) {
            order.insert(key.to_owned(), empty);
        }
    }
    holds(order);
    if let Some(Value::Array(lines)) = order.get_mut("lines") {
        for line in lines.iter_mut().filter_map(Value::as_object_mut) {
            keep_only(line, "attributes", &OFFER);
        }
    }
    order.entry("erased_at").and_modify(|old| {
        if old.is_null() {
            *old = json!(at);
        }
    });
    order.entry("erased_at").or_insert_with(|| json!(at));
}

fn holds(object: &mut Map<String, Value>) {
    if let Some(Value::Array(holds)) = object.get_mut("holds") {
        for hold in holds.iter_mut().filter_map(Value::as_object_mut) {
            blank(hold, &["detail"]);
        }
    }
}

/// Leaves these members of an inner object.
fn keep_only(object: &mut Map<String, Value>, key: &str, kept: &[&str]) {
    if let Some(Value::Object(inner)) = object.get_mut(key) {
        inner.retain(|name, _| kept.contains(&name.as_str()));
    }
}

fn without(object: &mut Map<String, Value>, key: &str, member: &str) {
    if let Some(Value::Object(inner)) = object.get_mut(key) {
        blank(inner, &[member]);
    }
}

fn blank(object: &mut Map<String, Value>, keys: &[&str]) {
    for key in keys {
        if let Some(value) = object.get_mut(*key) {
            *value = Value::Null;
        }
    }
}
