//! Traces for an OpenTelemetry collector: spans that follow one order, whichever node adds them.
//!
//! What always holds: an order's trace id is its UUID, and the id of its first span is that UUID's
//! last eight bytes, so that every node adds to the same trace at any time and nothing has to be
//! carried along; whether a trace is kept depends on its id alone, so all nodes decide alike; nobody
//! waits: a span that finds the queue full is counted and dropped; switched off, nothing is made.

mod export;
mod settings;
mod span;

pub use export::{Exporter, TIMEOUT, Waiting};
pub use settings::prepare;
pub use span::{Attribute, Kind, Span};

use jiff::Timestamp;
use opentelemetry_proto::tonic::trace::v1 as proto;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// A trace's id.
type TraceId = [u8; 16];
/// A span's id.
type SpanId = [u8; 8];

/// Where spans go, if anywhere. Cheap to clone; `default()` is switched off.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Collecting>>);

struct Collecting {
    queue: mpsc::Sender<proto::Span>,
    /// Traces whose id ends with a number from here on are kept.
    threshold: u64,
}

impl Collecting {
    fn keeps(&self, trace: &TraceId) -> bool {
        randomness(trace) >= self.threshold
    }

    /// Hands a finished span over, or counts it.
    fn take(&self, span: proto::Span) {
        if self.queue.try_send(span).is_err() {
            count("queue_full", 1);
        }
    }
}

/// Adds to the spans of this outcome.
fn count(outcome: &'static str, spans: u64) {
    metrics::counter!("crossdock_spans_total", "outcome" => outcome).increment(spans);
}

/// The part of a trace's id by which it is kept or not: its last 56 bits, as W3C has it. They are
/// random in a UUIDv7.
fn randomness(trace: &TraceId) -> u64 {
    let [.., a, b, c, d, e, f, g] = *trace;
    u64::from_be_bytes([0, a, b, c, d, e, f, g])
}

/// From which [`randomness`] on this share of all traces is kept.
fn threshold(ratio: f64) -> u64 {
    const ALL: u64 = 1 << 56;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let dropped = ((1.0 - ratio.clamp(0.0, 1.0)) * ALL as f64) as u64;
    dropped.min(ALL)
}

/// The id of the first span of a thing's trace.
fn first_span(of: &Uuid) -> SpanId {
    let [.., a, b, c, d, e, f, g, h] = *of.as_bytes();
    [a, b, c, d, e, f, g, h]
}

impl Traces {
    /// Traces that end up in this queue, and the share of them that is kept.
    fn into(queue: mpsc::Sender<proto::Span>, ratio: f64) -> Self {
        Self(Some(Arc::new(Collecting {
            queue,
            threshold: threshold(ratio),
        })))
    }

    /// Whether spans are wanted at all.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The trace of what has this UUID: an order, a delivery that came in.
    pub fn of(&self, uuid: Uuid) -> Option<Trace> {
        let to = self.0.as_ref()?;
        Some(Trace {
            to: to.clone(),
            id: *uuid.as_bytes(),
            parent: Some(first_span(&uuid)),
        })
    }

    /// A trace of its own, for what belongs to no order.
    pub fn fresh(&self) -> Option<Trace> {
        let to = self.0.as_ref()?;
        Some(Trace {
            to: to.clone(),
            id: *Uuid::new_v4().as_bytes(),
            parent: None,
        })
    }

    /// The trace of this order, or one of its own where there is none.
    pub fn of_or_fresh(&self, order: Option<Uuid>) -> Option<Trace> {
        match order {
            Some(order) => self.of(order),
            None => self.fresh(),
        }
    }
}

/// A place in a trace to which spans are added.
#[derive(Clone)]
pub struct Trace {
    to: Arc<Collecting>,
    id: TraceId,
    parent: Option<SpanId>,
}

impl Trace {
    /// The trace's first span: the one under which all others stand.
    pub fn first(&self, name: &str, kind: Kind, start: Timestamp) -> Span {
        let id = first_span(&Uuid::from_bytes(self.id));
        let root = Self {
            parent: None,
            ..self.clone()
        };
        root.with(id, name, kind, start)
    }

    /// A span here.
    pub fn span(&self, name: &str, kind: Kind, start: Timestamp) -> Span {
        let id = rand::random::<SpanId>();
        self.with(id, name, kind, start)
    }

    /// A span here whose id is the end of this UUID.
    pub fn span_of(&self, uuid: Uuid, name: &str, kind: Kind, start: Timestamp) -> Span {
        self.with(first_span(&uuid), name, kind, start)
    }

    fn with(&self, id: SpanId, name: &str, kind: Kind, start: Timestamp) -> Span {
        Span::begin(self, id, name, kind, start)
    }
}

#[cfg(test)]
mod tests;
