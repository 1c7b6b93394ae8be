//! `crossdock rehearse`: what was received, mapped by another version of the connector's folder, and
//! what would be different, in orders and in money.
//!
//! What always holds: nothing is changed anywhere; both versions read the same bytes in the same
//! way as the gateway does; a record that one of them cannot read is a difference, never left out.

use super::difference::{Difference, between};
use super::remote::{Remote, block_on};
use super::{FOUND, OK, Streams, find};
use crate::canonical::connection::Connection;
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::canonical::{OrderFacts, RawId, Timestamp};
use crate::connector::{Connector, Registry};
use crate::manifest::scalar::Span;
use crate::settings::Settings;
use crate::worker::connectors::Loaded;
use crate::worker::mapped::{self, Content, MappedRecord, ToMap};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the command line said.
#[derive(Debug, Clone)]
pub struct RehearseCommand {
    /// `con_…`.
    pub connection: String,
    /// How far back, `7d`.
    pub since: String,
    /// The other version's folder.
    pub with: String,
    /// For programs.
    pub json: bool,
}

/// What a rehearsal found.
#[derive(Debug, Default)]
struct Found {
    deliveries: usize,
    records: usize,
    same: usize,
    differences: Vec<Value>,
    /// By currency: the sum of totals and of cash on delivery, before and after.
    money: BTreeMap<String, [rust_decimal::Decimal; 4]>,
    /// Deliveries whose bytes are past their retention.
    gone: usize,
}

/// Prints the differences; 1 when there are any.
pub fn run(
    settings: &Settings,
    registry: &Registry,
    command: &RehearseCommand,
    streams: &mut Streams<'_>,
) -> u8 {
    let found = block_on(rehearse(settings, registry, command));
    match found {
        Ok((before, after, found)) => {
            let code = if found.differences.is_empty() {
                OK
            } else {
                FOUND
            };
            match command.json {
                true => streams.line(&as_json(&before, &after, &found).to_string()),
                false => print(&before, &after, &found, streams),
            }
            code
        }
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}

type Rehearsed = (Arc<str>, Arc<str>, Found);

async fn rehearse(
    settings: &Settings,
    registry: &Registry,
    command: &RehearseCommand,
) -> Result<Rehearsed, String> {
    let span = Span::parse(&command.since)
        .ok_or_else(|| format!("`{}` is no span such as 7d, 12h or 30m", command.since))?;
    let since = crate::clock::before(Timestamp::now(), span.0);
    let remote = Remote::new(settings)?;
    let path = format!("/v1/connections/{}", command.connection);
    let connection = remote.call(reqwest::Method::GET, &path, None).await?;
    let connection: Connection = serde_json::from_value(connection)
        .map_err(|error| format!("the gateway's connection cannot be read: {error}"))?;
    let before = loaded(find(registry, &connection.connector)?);
    let other = match command.with.contains(std::path::is_separator) {
        true => command.with.clone(),
        // A plain name is a folder here, never a connector that is installed.
        false => format!("./{}", command.with),
    };
    let after = loaded(find(registry, &other)?);
    let (one, two) = (before.provider.manifest(), after.provider.manifest());
    if one.id != two.id {
        return Err(format!(
            "{} is the folder of `{}`, not of `{}`",
            command.with, two.id, one.id
        ));
    }
    let mut found = Found::default();
    for record in deliveries(&remote, &connection, since).await? {
        match delivery(&remote, &connection, &record).await? {
            Some(wire) => compare(&connection, wire, &before, &after, &mut found),
            None => found.gone += 1,
        }
    }
    Ok((before.version, after.version, found))
}

fn loaded(connector: Arc<Connector>) -> Loaded {
    let version = connector.version().into();
    Loaded {
        provider: connector,
        version,
    }
}

/// One record of each delivery that arrived since then, oldest first.
async fn deliveries(
    remote: &Remote,
    connection: &Connection,
    since: Timestamp,
) -> Result<Vec<InboxRecord>, String> {
    let (mut seen, mut firsts) = (BTreeSet::<RawId>::new(), Vec::new());
    let mut after = String::new();
    loop {
        let path = format!("/v1/inbox?connection_id={}&limit=500{after}", connection.id);
        let page = remote.call(reqwest::Method::GET, &path, None).await?;
        let data = page.get("data").cloned().unwrap_or_default();
        let records: Vec<InboxRecord> = serde_json::from_value(data)
            .map_err(|error| format!("the gateway's inbox cannot be read: {error}"))?;
        let old = records.iter().any(|record| record.received_at < since);
        for record in records {
            let wanted = record.received_at >= since && record.disposition != Disposition::Pending;
            if wanted && seen.insert(record.raw_id) {
                firsts.push(record);
            }
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) if !old => after = format!("&after={next}"),
            _ => break,
        }
    }
    firsts.reverse();
    Ok(firsts)
}

/// The delivery of a record; `None` when its bytes are past their retention.
async fn delivery(
    remote: &Remote,
    connection: &Connection,
    record: &InboxRecord,
) -> Result<Option<WireDelivery>, String> {
    let path = format!("/v1/inbox/{}/payload", record.id);
    let Some((headers, body)) = remote.bytes(&path).await? else {
        return Ok(None);
    };
    let kept = headers
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(crate::api::KEPT)?, value)))
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    let topic = headers.iter().find(|(name, _)| name == crate::api::TOPIC);
    Ok(Some(WireDelivery {
        id: record.raw_id,
        merchant_id: record.merchant_id,
        connection_id: connection.id,
        source: record.source,
        // As it was stored: where the body tells the topic, the record has it and the delivery not.
        topic: topic.map_or_else(|| record.topic.clone(), |(_, topic)| topic.clone()),
        received_at: record.received_at,
        dedupe_key: None,
        headers: kept,
        body,
    }))
}

fn compare(
    connection: &Connection,
    wire: WireDelivery,
    before: &Loaded,
    after: &Loaded,
    found: &mut Found,
) {
    let read = |by: &Loaded| {
        let item = ToMap {
            wire: wire.clone(),
            settings: Arc::new(mapped::settings(connection, Some(by))),
            connector: Some(by.clone()),
        };
        mapped::map(&item, &|_| [0; 32]).records
    };
    let (one, two) = (read(before), read(after));
    found.deliveries += 1;
    for n in 0..one.len().max(two.len()) {
        found.records += 1;
        let (one, two) = (one.get(n), two.get(n));
        let (was, is) = (one.map(said), two.map(said));
        for (side, value) in [(0, &was), (2, &is)] {
            sum(&mut found.money, side, value.as_ref());
        }
        let differences = between(was.as_ref(), is.as_ref());
        if differences.is_empty() {
            found.same += 1;
            continue;
        }
        let subject = one.or(two).and_then(|record| record.external_id.clone());
        let subject = subject.or_else(|| two.and_then(|record| record.external_id.clone()));
        found.differences.push(json!({
            "raw_id": wire.id, "record": n, "topic": wire.topic, "received_at": wire.received_at,
            "external_id": subject, "differences": differences,
        }));
    }
}

/// What a record says, as JSON.
fn said(record: &MappedRecord) -> Value {
    match &record.content {
        Content::Orders(orders) => {
            let facts = orders.iter().cloned().map(OrderFacts::from);
            json!({ "orders": facts.collect::<Vec<_>>() })
        }
        Content::Parcel(answer) => json!({ "parcel": answer }),
        Content::Hint => json!({ "read_anew": record.external_id }),
        Content::Ignored(why) => json!({ "ignored": why }),
        Content::Failed(failure) => {
            json!({ "failed": { "code": failure.code, "message": failure.message, "detail": failure.detail } })
        }
    }
}

/// Adds an order's money: totals at `side`, cash on delivery after it.
fn sum(
    money: &mut BTreeMap<String, [rust_decimal::Decimal; 4]>,
    side: usize,
    said: Option<&Value>,
) {
    let orders = said.and_then(|said| said.get("orders")?.as_array());
    for order in orders.into_iter().flatten() {
        let amounts = [
            order.pointer("/totals/total"),
            order.pointer("/payment/cod_amount"),
        ];
        for (place, amount) in (side..).zip(amounts) {
            let Some((amount, currency)) = amount.and_then(amount_of) else {
                continue;
            };
            if let Some(cell) = money.entry(currency).or_default().get_mut(place) {
                *cell = cell.saturating_add(amount);
            }
        }
    }
}

fn amount_of(money: &Value) -> Option<(rust_decimal::Decimal, String)> {
    let amount = money.get("amount")?.as_str()?.parse().ok()?;
    Some((amount, money.get("currency")?.as_str()?.to_owned()))
}

fn money_json(found: &Found) -> Vec<Value> {
    let line =
        |(currency, [total, cod, new_total, new_cod]): (&String, &[rust_decimal::Decimal; 4])| {
            json!({
                "currency": currency,
                "total": { "before": total.to_string(), "after": new_total.to_string() },
                "cod": { "before": cod.to_string(), "after": new_cod.to_string() },
            })
        };
    found.money.iter().map(line).collect()
}

fn as_json(before: &str, after: &str, found: &Found) -> Value {
    json!({
        "before": before, "after": after, "deliveries": found.deliveries, "records": found.records,
        "same": found.same, "different": found.differences.len(), "past_retention": found.gone,
        "money": money_json(found), "differences": found.differences,
    })
}

fn print(before: &str, after: &str, found: &Found, streams: &mut Streams<'_>) {
    streams.line(&format!("before {before}\nafter  {after}"));
    for record in &found.differences {
        let word = |key: &str| {
            record
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or("?")
                .to_owned()
        };
        let id = word("external_id");
        streams.line(&format!("{} {} {id}", word("received_at"), word("topic")));
        let fields = record.get("differences").and_then(Value::as_array);
        for field in fields.into_iter().flatten() {
            if let Ok(Difference {
                path,
                before,
                after,
            }) = serde_json::from_value(field.clone())
            {
                let show = |value: Option<Value>| {
                    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
                };
                streams.line(&format!("  {path}: {} → {}", show(before), show(after)));
            }
        }
    }
    for (currency, [total, cod, new_total, new_cod]) in &found.money {
        streams.line(&format!(
            "{currency}: totals {total} → {new_total}, cash on delivery {cod} → {new_cod}"
        ));
    }
    streams.line(&format!(
        "{} deliveries, {} records: {} the same, {} different{}",
        found.deliveries,
        found.records,
        found.same,
        found.differences.len(),
        match found.gone {
            0 => String::new(),
            gone => format!("; {gone} deliveries are past their retention"),
        }
    ));
}
