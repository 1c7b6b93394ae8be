//! A span under way, and what may be said of it.
//!
//! What always holds: of a trace that is not kept nothing is written down; a span is handed over once,
//! by [`Span::end`].

use super::{Collecting, SpanId, Trace, TraceId, first_span};
use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{self as proto, span::Link, span::SpanKind, status};
use std::fmt::Display;
use std::sync::Arc;
use tracing::field::DisplayValue;
use uuid::Uuid;

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work of our own.
    Internal,
    /// A request that came in.
    Server,
    /// A request that went out.
    Client,
}

impl Kind {
    const fn code(self) -> i32 {
        match self {
            Kind::Internal => SpanKind::Internal as i32,
            Kind::Server => SpanKind::Server as i32,
            Kind::Client => SpanKind::Client as i32,
        }
    }
}

/// Its context is known to be random enough to be sampled by, and was kept.
const KEPT: u32 = 0b11;

/// A span that has begun.
pub struct Span {
    to: Arc<Collecting>,
    trace: TraceId,
    id: SpanId,
    /// None where the trace is not kept.
    told: Option<Box<proto::Span>>,
}

impl Span {
    pub(super) fn begin(at: &Trace, id: SpanId, name: &str, kind: Kind, start: Timestamp) -> Self {
        let told = at.to.keeps(&at.id).then(|| {
            Box::new(proto::Span {
                trace_id: at.id.to_vec(),
                span_id: id.to_vec(),
                parent_span_id: at.parent.map(|id| id.to_vec()).unwrap_or_default(),
                flags: KEPT,
                name: name.to_owned(),
                kind: kind.code(),
                start_time_unix_nano: nanos(start),
                ..proto::Span::default()
            })
        });
        Self {
            to: at.to.clone(),
            trace: at.id,
            id,
            told,
        }
    }

    /// The place under this span.
    pub fn inside(&self) -> Trace {
        Trace {
            to: self.to.clone(),
            id: self.trace,
            parent: Some(self.id),
        }
    }

    /// What another program is given so that its spans stand under this one: W3C's `traceparent`.
    pub fn traceparent(&self) -> String {
        let flags = if self.told.is_some() { 3 } else { 2 };
        format!(
            "00-{}-{}-{flags:02x}",
            hex::encode(self.trace),
            hex::encode(self.id)
        )
    }

    /// Points at the first span of this UUID's trace, where that is kept.
    pub fn link(&mut self, to: Uuid) {
        if self.to.keeps(to.as_bytes()) {
            self.add_link(to.as_bytes().to_vec(), first_span(&to).to_vec());
        }
    }

    /// Points at the caller's span, as its `traceparent` names it; anything else says nothing.
    pub fn link_caller(&mut self, traceparent: &str) {
        if let Some((trace, span)) = caller(traceparent) {
            self.add_link(trace.to_vec(), span.to_vec());
        }
    }

    fn add_link(&mut self, trace_id: Vec<u8>, span_id: Vec<u8>) {
        if let Some(told) = &mut self.told {
            told.links.push(Link {
                trace_id,
                span_id,
                ..Link::default()
            });
        }
    }

    /// Says something of it, under the name of the log's field.
    pub fn set(&mut self, field: &'static str, value: &impl Attribute) {
        let Some(told) = &mut self.told else { return };
        let Some(value) = value.value() else { return };
        told.attributes.push(attribute(&name_of(field), value));
    }

    /// What it stands for failed, for this reason (a class or code).
    pub fn fail(&mut self, class: &str) {
        let Some(told) = &mut self.told else { return };
        let class = class.to_owned();
        told.attributes
            .push(attribute("error.type", Value::StringValue(class)));
        told.status = Some(proto::Status {
            code: status::StatusCode::Error as i32,
            message: String::new(),
        });
    }

    /// It is over.
    pub fn end(self, at: Timestamp) {
        if let Some(mut told) = self.told {
            told.end_time_unix_nano = nanos(at).max(told.start_time_unix_nano);
            self.to.take(*told);
        }
    }
}

/// What the log calls it, as OpenTelemetry does; our own words under our own name.
fn name_of(field: &str) -> String {
    match field {
        "method" => "http.request.method".to_owned(),
        "status" => "http.response.status_code".to_owned(),
        "route" => "http.route".to_owned(),
        "host" => "server.address".to_owned(),
        own => format!("crossdock.{own}"),
    }
}

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

/// The ids of a `traceparent`: of any version, lower-case hex, neither of them zero.
fn caller(traceparent: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = traceparent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if version.len() != 2 || version == "ff" || ![version, trace, span].into_iter().all(plain) {
        return None;
    }
    let (mut trace_id, mut span_id) = (TraceId::default(), SpanId::default());
    hex::decode_to_slice(trace, &mut trace_id).ok()?;
    hex::decode_to_slice(span, &mut span_id).ok()?;
    (trace_id != TraceId::default() && span_id != SpanId::default()).then_some((trace_id, span_id))
}

/// What a span can be told.
pub trait Attribute {
    /// As it is written; none when there is nothing to say.
    fn value(&self) -> Option<Value>;
}

macro_rules! whole_numbers {
    ($($kind:ty),+) => {$(
        impl Attribute for $kind {
            fn value(&self) -> Option<Value> {
                i64::try_from(*self).ok().map(Value::IntValue)
            }
        }
    )+};
}
whole_numbers!(u16, u32, u64, usize);

impl Attribute for f64 {
    fn value(&self) -> Option<Value> {
        Some(Value::DoubleValue(*self))
    }
}
impl Attribute for bool {
    fn value(&self) -> Option<Value> {
        Some(Value::BoolValue(*self))
    }
}
impl Attribute for str {
    fn value(&self) -> Option<Value> {
        Some(Value::StringValue(self.to_owned()))
    }
}
impl Attribute for String {
    fn value(&self) -> Option<Value> {
        self.as_str().value()
    }
}
impl<T: Attribute + ?Sized> Attribute for &T {
    fn value(&self) -> Option<Value> {
        (**self).value()
    }
}
impl<T: Attribute> Attribute for Option<T> {
    fn value(&self) -> Option<Value> {
        self.as_ref().and_then(Attribute::value)
    }
}
impl<T: Display> Attribute for DisplayValue<T> {
    fn value(&self) -> Option<Value> {
        Some(Value::StringValue(self.to_string()))
    }
}
