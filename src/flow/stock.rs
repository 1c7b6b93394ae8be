//! What stock levels mean: what is newer, what a channel is told, and whether an order can be
//! promised.
//!
//! What always holds: quantities are exact; a channel is never told less than nothing; what does not
//! fit into a number is refused, never rounded.

use super::fulfillment;
use super::settings::FlowSettings;
use crate::canonical::connection::Connection;
use crate::canonical::stock::StockLevel;
use crate::canonical::{Order, Quantity};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a channel calls an article, in the attributes of its orders' lines.
const OFFER: &str = "product_id";

/// What a told level comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Quantities differ: stored, an event tells of it.
    Changed,
    /// The quantities are as they were.
    Unchanged,
    /// It is older than what is known: nothing is stored.
    Stale,
}

/// `on_hand − reserved − unavailable − buffer`; `None` when it does not fit into a number.
pub fn available(
    on_hand: Quantity,
    reserved: Quantity,
    unavailable: Quantity,
    buffer: Quantity,
) -> Option<Quantity> {
    on_hand.minus(reserved)?.minus(unavailable)?.minus(buffer)
}

/// What a level comes to over the one that is stored. The warehouse's own numbers decide where both
/// have one, else the moments; equal is not older.
pub fn told(stored: Option<&StockLevel>, new: &StockLevel) -> Told {
    let Some(stored) = stored else {
        return Told::Changed;
    };
    let older = match (stored.sequence, new.sequence) {
        (Some(stored), Some(new)) => new < stored,
        _ => new.as_of < stored.as_of,
    };
    if older {
        Told::Stale
    } else if stored.quantities() == new.quantities() {
        Told::Unchanged
    } else {
        Told::Changed
    }
}

/// Which articles a channel is told of (setting `push_stock` of its connection).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushStock {
    /// None: the shop keeps its own numbers.
    #[default]
    Off,
    /// Those that it is known to sell: seen in its orders, or read from it.
    Listed,
    /// All of the merchant's.
    All,
}

/// What is told to a channel. Off where the setting cannot be read.
pub fn push_stock(connection: &Connection) -> PushStock {
    let set = connection.settings.get("push_stock");
    set.and_then(|value| PushStock::deserialize(value).ok())
        .unwrap_or_default()
}

/// The places whose stock a channel sells (setting `stock_locations`); `None`: all.
fn locations(connection: &Connection) -> Option<BTreeSet<String>> {
    let set = connection.settings.get("stock_locations")?;
    BTreeSet::deserialize(set).ok()
}

/// One row of what `stock.push` is given: the sum over the places that the channel sells from, not
/// below zero. `None` when the sums do not fit. An article that lies at none of these places is told
/// as nothing.
pub fn offer(
    connection: &Connection,
    sku: &str,
    external_id: Option<&str>,
    place: u64,
    levels: &[StockLevel],
) -> Option<Value> {
    let only = locations(connection);
    let sold = |level: &&StockLevel| only.as_ref().is_none_or(|of| of.contains(&level.location));
    let levels: Vec<&StockLevel> = levels.iter().filter(sold).collect();
    let sum = |of: fn(&StockLevel) -> Quantity| {
        let mut all = levels.iter().map(|level| of(level));
        all.try_fold(Quantity::ZERO, Quantity::plus)
    };
    let available = sum(|level| level.available)?;
    let available = if available.is_negative() {
        Quantity::ZERO
    } else {
        available
    };
    let location = match levels.as_slice() {
        [one] => Value::from(one.location.as_str()),
        _ => Value::Null,
    };
    Some(json!({
        "sku": sku,
        "external_id": external_id,
        "location": location,
        "on_hand": sum(|level| level.on_hand)?,
        "reserved": sum(|level| level.reserved)?,
        "unavailable": sum(|level| level.unavailable)?,
        "buffer": sum(|level| level.buffer)?,
        "incoming": sum(|level| level.incoming)?,
        "available": available,
        "sequence": place,
    }))
}

/// What an order tells of what its channel sells: article and the channel's own id of it.
pub fn listings(order: &Order) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for line in order.facts.lines() {
        let Some(sku) = line.sku.text().filter(|sku| !sku.is_empty()) else {
            continue;
        };
        let attributes = line.attributes.value();
        let offer = match attributes.and_then(|all| all.get(OFFER)) {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        };
        let known = found.entry(sku.to_owned()).or_insert(None);
        *known = known.take().or(offer);
    }
    found
}

/// What the warehouse is asked for by an order, by article; `None` when an article is not named, or
/// nothing is asked for.
pub fn asked(settings: &FlowSettings, order: &Order) -> Option<BTreeMap<String, Quantity>> {
    let mut asked: BTreeMap<String, Quantity> = BTreeMap::new();
    for demand in fulfillment::demands(settings, order) {
        let sku = demand.sku.filter(|sku| !sku.is_empty())?;
        let sum = asked.entry(sku).or_default();
        *sum = sum.plus(demand.wanted)?;
    }
    (!asked.is_empty()).then_some(asked)
}

/// Whether all that is asked for is free.
pub fn covers(free: &BTreeMap<String, Quantity>, asked: &BTreeMap<String, Quantity>) -> bool {
    let covered = |(sku, wanted): (&String, &Quantity)| free.get(sku).is_some_and(|n| n >= wanted);
    asked.iter().all(covered)
}
