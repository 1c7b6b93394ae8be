//! From a delivery's bytes to mapped records. Pure but for the connector's programs; runs on the
//! mapping pool.
//!
//! What always holds: whatever the bytes are, every delivery comes to at least one record, and each
//! record to orders, to a parcel's scans, to "ignored" or to a failure with a stable code; failures
//! name places and kinds, never values.

mod hints;
pub mod parcels;

use super::connectors::Loaded;
use super::memory::Kind;
use super::reading::{self, ASKED, Reading};
use super::tell::Timing;
use crate::canonical::MappedOrder;
use crate::canonical::connection::Connection;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::tracking::TrackingAnswer;
use crate::connector::records;
use crate::mapping::{Drift, MapError, Scope, Val, from_serde, shape, to_json};
use crate::operation::Provider;
use crate::operation::value::{object, scalar, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// A delivery and what is needed to map it.
pub struct ToMap {
    /// What came over the wire.
    pub wire: WireDelivery,
    /// Its connection's settings, as `$connection`.
    pub settings: Arc<Val>,
    /// Its connector; `None` when the folder is missing or refused at the moment.
    pub connector: Option<Loaded>,
}

/// What a delivery was mapped to.
#[derive(Debug)]
pub struct Mapped {
    /// The topic, also where the body tells it.
    pub topic: String,
    /// Once a mapping was chosen.
    pub kind: Option<Kind>,
    /// Which mapping.
    pub mapping_version: Option<Arc<str>>,
    /// In the delivery's order; at least one.
    pub records: Vec<MappedRecord>,
    /// A topic that the manifest does not name.
    pub unknown_topic: bool,
    /// Texts of `warn(…)`.
    pub warnings: usize,
    /// When and how long, where someone measured it.
    pub timing: Option<Timing>,
}

/// One record.
#[derive(Debug)]
pub struct MappedRecord {
    /// The subject's id: an order's at the channel, a parcel's number.
    pub external_id: Option<String>,
    /// Under which name its hash is remembered, where that is not the subject's id.
    pub known_as: Option<String>,
    /// Keyed hash of the record's canonical bytes; none when it could not be sliced.
    pub hash: Option<[u8; 32]>,
    /// What it says.
    pub content: Content,
    /// Codes that no table knows.
    pub drift: Vec<Drift>,
}

impl MappedRecord {
    /// Under which name its hash is remembered.
    pub fn known_as(&self) -> Option<&String> {
        self.known_as.as_ref().or(self.external_id.as_ref())
    }
}

/// What a record says.
#[derive(Debug)]
pub enum Content {
    /// Orders; nearly always one.
    Orders(Vec<MappedOrder>),
    /// What a carrier tells of one parcel.
    Parcel(Box<TrackingAnswer>),
    /// Only that something happened to the order that the record names: it is read anew.
    Hint,
    /// Nothing for us, and why.
    Ignored(&'static str),
    /// It cannot be read.
    Failed(Failure),
}

/// Why a record cannot be read: what becomes the problem.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Failure {
    pub code: String,
    pub message: String,
    pub detail: Value,
    pub hint: &'static str,
}

const MEND_MAPPING: &str = "The bytes are kept. Mend the connector's mapping; the record is then mapped again by itself, or by retrying this problem.";
const MEND_FOLDER: &str =
    "Put the connector's folder right; the record is then mapped again by itself.";

impl Failure {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            detail: Value::Null,
            hint: MEND_MAPPING,
        }
    }
    fn by_mapping(mapping: &str, error: &MapError) -> Self {
        let mut failure = Self::new(error.code(), error.message());
        failure.detail = match error {
            MapError::Missing(path) => json!({ "mapping": mapping, "path": path }),
            _ => json!({ "mapping": mapping }),
        };
        failure
    }
    /// The mapping or a decision panicked: a fault of ours that must not stop the neighbours.
    pub fn internal(stage: &'static str) -> Self {
        Self {
            code: "internal_fault".to_owned(),
            message: format!("the gateway failed while it was {stage}"),
            detail: json!({ "stage": stage }),
            hint: "The bytes are kept. Please report this with the record's id; retry after an update.",
        }
    }
}

/// `$connection`: the settings, with the form's defaults and the manifest's zone.
pub fn settings(connection: &Connection, connector: Option<&Loaded>) -> Val {
    let settings = match connector {
        Some(connector) => {
            crate::connector::map::settings(connector.provider.manifest(), &connection.settings)
        }
        None => connection.settings.clone(),
    };
    from_serde(&settings).unwrap_or_default()
}

/// The store's keyed hash.
pub type Hasher<'a> = &'a dyn Fn(&[u8]) -> [u8; 32];

/// Maps one delivery.
pub fn map(job: &ToMap, hash: Hasher<'_>) -> Mapped {
    let mut mapped = Mapped {
        topic: job.wire.topic.clone(),
        kind: None,
        mapping_version: None,
        records: Vec::new(),
        unknown_topic: false,
        warnings: 0,
        timing: None,
    };
    let outcome = match &job.connector {
        Some(connector) => {
            mapped.mapping_version = Some(connector.version.clone());
            read_delivery(job, connector.provider.as_ref(), hash, &mut mapped)
        }
        None => Err(Box::new(Failure {
            hint: MEND_FOLDER,
            ..Failure::new(
                "connector_unavailable",
                "the connector's folder is missing or refused",
            )
        })),
    };
    match outcome {
        Ok(()) if mapped.records.is_empty() => mapped
            .records
            .push(whole(Content::Ignored("no records in it"))),
        Ok(()) => {}
        Err(failure) => {
            // The delivery as a whole is one record, of no kind yet.
            mapped.kind = None;
            mapped.records.push(whole(Content::Failed(*failure)));
        }
    }
    mapped
}

/// A record of which nothing is known but what it comes to.
pub(super) fn whole(content: Content) -> MappedRecord {
    MappedRecord {
        external_id: None,
        known_as: None,
        hash: None,
        content,
        drift: Vec::new(),
    }
}

fn read_delivery(
    job: &ToMap,
    provider: &dyn Provider,
    hash: Hasher<'_>,
    mapped: &mut Mapped,
) -> Result<(), Box<Failure>> {
    let manifest = provider.manifest();
    let wire = &job.wire;
    let mut body = None;
    if wire.source == Source::Webhook
        && wire.topic.is_empty()
        && let Some(expression) = reading::topic_in_body(manifest)
    {
        let decoded = decode(job, provider)?;
        let topic = provider
            .eval(expression, &decoded)
            .map_err(|e| Box::new(Failure::by_mapping("topic", &e)))?;
        mapped.topic = scalar(&topic).map(|t| t.into_owned()).unwrap_or_default();
        body = Some(decoded);
    }
    let (mapping, path, key) = match reading::reading(manifest, wire.source, &mapped.topic) {
        Reading::Map {
            mapping,
            records,
            key,
        } => (mapping, records, key),
        Reading::Refetch { records, key } => {
            let body = match body {
                Some(body) => body,
                None => decode(job, provider)?,
            };
            return hints::read(provider, &body, records, key, mapped);
        }
        Reading::Ignore => {
            mapped
                .records
                .push(whole(Content::Ignored("topic ignored by the manifest")));
            return Ok(());
        }
        Reading::Unknown => {
            mapped.unknown_topic = true;
            mapped.records.push(whole(Content::Ignored(
                "the manifest does not know this topic",
            )));
            return Ok(());
        }
    };
    let Some(kind) = Kind::of_mapping(mapping) else {
        let why = "this gateway does not read such deliveries";
        return Err(Box::new(Failure {
            detail: json!({ "mapping": mapping }),
            ..Failure::new("mapping_not_read", why)
        }));
    };
    mapped.kind = Some(kind);
    let body = match body {
        Some(body) => body,
        None => decode(job, provider)?,
    };
    let slices = sliced(path, &body)?;
    let scope = scope(job, &mapped.topic);
    mapped.records.reserve(slices.len());
    if kind == Kind::Tracking {
        parcels::read(provider, mapping, key, &slices, &scope, hash, mapped);
        return Ok(());
    }
    for slice in slices {
        let mut record = read_record(provider, mapping, key, slice, &scope, &mut mapped.warnings);
        record.hash = Some(hash(&to_json(slice)));
        mapped.records.push(record);
    }
    Ok(())
}

fn sliced<'b>(path: &str, body: &'b Val) -> Result<Vec<&'b Val>, Box<Failure>> {
    records::by_path(path, body).map_err(|e| {
        Box::new(Failure {
            detail: json!({ "path": e.path }),
            ..Failure::new("records_missing", e.to_string())
        })
    })
}

fn decode(job: &ToMap, provider: &dyn Provider) -> Result<Val, Box<Failure>> {
    reading::decode(provider.manifest(), &job.wire).map_err(|error| {
        Box::new(Failure {
            detail: json!({ "format": error.format, "line": error.line, "column": error.column }),
            ..Failure::new("body_malformed", error.to_string())
        })
    })
}

fn scope(job: &ToMap, topic: &str) -> Scope {
    let headers = job
        .wire
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), text(value)));
    let source = match job.wire.source {
        Source::Webhook => "webhook",
        _ => "poll",
    };
    let mut context = vec![
        ("topic", text(topic)),
        ("source", text(source)),
        ("received_at", text(&job.wire.received_at.to_string())),
    ];
    context.extend(asked(&job.wire).map(|input| ("input", input)));
    Scope {
        connection: Val::clone(&job.settings),
        headers: object(headers),
        context: object(context),
    }
}

/// `$context.input` of an answer about parcels: the numbers that were asked for, in that order.
fn asked(wire: &WireDelivery) -> Option<Val> {
    if wire.source == Source::Webhook {
        return None;
    }
    let (_, numbers) = wire.headers.iter().find(|(name, _)| name == ASKED)?;
    let numbers: Vec<&str> = numbers.split(',').collect();
    from_serde(&json!({ "numbers": numbers })).ok()
}

/// The subject's id, as the manifest's `key` reads it from a record. Numbers are written as text.
pub fn key_of(provider: &dyn Provider, key: &str, record: &Val) -> Option<String> {
    let value = provider.eval(key, record).ok()?;
    scalar(&value)
        .map(|id| id.into_owned())
        .filter(|id| !id.is_empty())
}

fn read_record(
    provider: &dyn Provider,
    mapping: &str,
    key: Option<&str>,
    record: &Val,
    scope: &Scope,
    warnings: &mut usize,
) -> MappedRecord {
    let (content, drift) = match provider.map(mapping, record.clone(), scope) {
        Err(error) => (
            Content::Failed(Failure::by_mapping(mapping, &error)),
            Vec::new(),
        ),
        Ok(yielded) => {
            *warnings += yielded.notes.warnings.len();
            (orders(mapping, &yielded.values), yielded.notes.drift)
        }
    };
    let mapped_id = match &content {
        Content::Orders(orders) => orders
            .first()
            .and_then(|o| o.external_id.text().map(str::to_owned)),
        _ => None,
    };
    // `key` costs a jq run: it is asked only where the mapping does not tell.
    let external_id = mapped_id.or_else(|| key_of(provider, key?, record));
    MappedRecord {
        external_id,
        known_as: None,
        hash: None,
        content,
        drift,
    }
}

/// A mapping may yield objects one by one, or one array of them.
fn orders(mapping: &str, values: &[Val]) -> Content {
    let mut orders = Vec::with_capacity(1);
    for value in values {
        let items: &[Val] = match value {
            Val::Arr(items) => items,
            one => std::slice::from_ref(one),
        };
        for item in items {
            match shape::<MappedOrder>(item) {
                Ok(order) if order.external_id.text().is_none_or(str::is_empty) => {
                    return Content::Failed(Failure {
                        detail: json!({ "mapping": mapping, "path": "external_id" }),
                        ..Failure::new("mapping_missing", "the mapped order has no external_id")
                    });
                }
                Ok(order) => orders.push(order),
                Err(error) => {
                    return Content::Failed(Failure {
                        detail: json!({ "mapping": mapping, "path": error.path }),
                        ..Failure::new("mapping_shape", error.to_string())
                    });
                }
            }
        }
    }
    match orders.is_empty() {
        true => Content::Ignored("the mapping yields no order for it"),
        false => Content::Orders(orders),
    }
}
