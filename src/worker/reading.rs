//! How a delivery is read: by the manifest's topic for webhooks, by the operation's step for what
//! was polled or fetched.
//!
//! What always holds: the same delivery is read the same way when it is retried; a sweep's and a
//! fetch's deliveries are known by their topic.

use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::connector::records;
use crate::manifest::model::{Format, Manifest, Step, Topic};
use crate::mapping::{ReadError, Val};

/// What stands behind the operation's name in the topic of a sweep's pages.
pub const SWEEP: &str = "#sweep";
/// The operation that reads one order.
pub const ORDERS_GET: &str = "orders.get";
/// The operation that reads the changed orders.
pub const ORDERS_PULL: &str = "orders.pull";

/// The operation that asks carriers about parcels.
pub const TRACKING_PULL: &str = "tracking.pull";
/// The operation that reads a carrier's pickup points.
pub const POINTS_LIST: &str = "points.list";
/// The header under which an answer keeps the numbers that were asked for.
pub const ASKED: &str = "crossdock-asked";
/// The operations that are polled, where the manifest says how.
pub const POLLED: [&str; 2] = [ORDERS_PULL, TRACKING_PULL];

/// True for what a call about one order brought (it was read, acknowledged, …), not a poll's page.
pub fn fetched(source: Source, topic: &str) -> bool {
    let name = topic.strip_suffix(SWEEP).unwrap_or(topic);
    source == Source::Poll && !POLLED.contains(&name)
}

/// The topic of a polled page.
pub fn poll_topic(operation: &str, sweep: bool) -> String {
    match sweep {
        true => format!("{operation}{SWEEP}"),
        false => operation.to_owned(),
    }
}

/// How the records of a delivery are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'m> {
    /// Sliced by `records`, each read by `mapping`.
    Map {
        /// The mapping's name.
        mapping: &'m str,
        /// The simple path to the records.
        records: &'m str,
        /// jq over one record → the subject's external id.
        key: Option<&'m str>,
    },
    /// Sliced by `records`; each only names an order, which is then read from the channel.
    Refetch {
        /// The simple path to the records.
        records: &'m str,
        /// jq over one record → the order's external id.
        key: &'m str,
    },
    /// Of no interest, says the manifest.
    Ignore,
    /// The manifest does not name it.
    Unknown,
}

/// How this topic of this source is read.
pub fn reading<'m>(manifest: &'m Manifest, source: Source, topic: &str) -> Reading<'m> {
    if source == Source::Webhook {
        let rules = manifest.webhooks.as_ref().map(|w| &w.topics);
        return match rules.and_then(|rules| rules.get(topic).or_else(|| rules.get("default"))) {
            None => Reading::Unknown,
            Some(rule) => match (&rule.mapping, rule.key.as_deref()) {
                _ if rule.ignore => Reading::Ignore,
                (_, Some(key)) if rule.refetch => Reading::Refetch {
                    records: &rule.records,
                    key,
                },
                (Some(mapping), key) => Reading::Map {
                    mapping,
                    records: &rule.records,
                    key,
                },
                _ => Reading::Ignore,
            },
        };
    }
    let name = topic.strip_suffix(SWEEP).unwrap_or(topic);
    let Some(operation) = manifest.operations.get(name) else {
        return Reading::Unknown;
    };
    match operation
        .steps
        .iter()
        .rev()
        .find_map(|step| step.mapping.as_deref().map(|m| (step, m)))
    {
        None => Reading::Unknown,
        Some((step, mapping)) => Reading::Map {
            mapping,
            records: records_of(step),
            key: operation.poll.as_ref().map(|poll| poll.key.as_str()),
        },
    }
}

/// The path to a step's records. What a step composes itself is the record.
pub fn records_of(step: &Step) -> &str {
    match step.input {
        Some(_) => ".",
        None => &step.records,
    }
}

/// The format of a delivery: the transport's for webhooks, else that of the step's answer. What a
/// step composes itself is JSON, whatever its answer was.
fn format(manifest: &Manifest, source: Source, topic: &str) -> Format {
    let name = topic.strip_suffix(SWEEP).unwrap_or(topic);
    let operation = manifest.operations.get(name);
    let step = operation.and_then(|o| o.steps.iter().rev().find(|s| s.mapping.is_some()));
    match step {
        Some(step) if source != Source::Webhook && step.input.is_some() => Format::Json,
        Some(step) if source != Source::Webhook => manifest.transport.answer_format(step),
        _ => manifest.transport.format,
    }
}

/// The topic where the body tells it, read from the decoded body; else the stored one.
pub fn topic_in_body(manifest: &Manifest) -> Option<&str> {
    match manifest.webhooks.as_ref().map(|w| &w.topic) {
        Some(Topic::Jq(expression)) => Some(expression),
        _ => None,
    }
}

/// Decodes a delivery's bytes in their format.
///
/// # Errors
/// [`ReadError`] with the place, without payload.
pub fn decode(manifest: &Manifest, wire: &WireDelivery) -> Result<Val, ReadError> {
    let format = format(manifest, wire.source, &wire.topic);
    records::decode_as(manifest, format, &wire.body)
}
