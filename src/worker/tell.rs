//! What is told of each order that a delivery changed or spoke of.
//!
//! What always holds: it is told after it was written, never before; what a delivery brought stands in
//! the trace of each order that it concerned, and points at the delivery's own.

use super::mapped::Mapped;
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, OrderId, RawId, Timestamp, word};
use crate::clock::{after, between};
use crate::flow::change::ChangeSet;
use crate::telemetry::told;
use crate::telemetry::trace::{Kind, Traces};
use std::time::Duration;
use tracing::field::display;

/// When a delivery was mapped, and how long that took.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The start.
    pub began: Timestamp,
    /// For all of its records.
    pub took: Duration,
}

/// One order, and what it was to it.
struct Concerned {
    order: OrderId,
    /// It was not known before.
    new: bool,
    disposition: &'static str,
}

/// What will be told of a delivery once it is written.
pub(super) struct Heard {
    raw: RawId,
    connection: ConnectionId,
    connector: String,
    source: Source,
    received_at: Timestamp,
    mapping_version: Option<String>,
    records: usize,
    mapped: Option<Timing>,
    orders: Vec<Concerned>,
}

/// What is known before a decision takes it over.
pub(super) fn timing(mapped: Option<&Mapped>) -> Option<Timing> {
    mapped?.timing
}

impl Heard {
    /// Of what was decided; nothing where nobody listens or no order is concerned.
    pub(super) fn of(
        traces: &Traces,
        change: &ChangeSet,
        connector: &str,
        mapped: Option<Timing>,
    ) -> Option<Self> {
        if !traces.is_on() && !tracing::enabled!(tracing::Level::DEBUG) {
            return None;
        }
        let decided = change.delivery.iter().flat_map(|result| &result.records);
        let records: Vec<_> = decided.chain(&change.retried_record).collect();
        let first = records.first()?;
        let mut orders: Vec<Concerned> = Vec::new();
        for state in &change.states {
            orders.push(Concerned {
                order: state.order.meta.id,
                new: state.lock == 0,
                disposition: "applied",
            });
        }
        for record in &records {
            let order = record.subject.as_ref().and_then(|text| text.parse().ok());
            let Some(order) = order else { continue };
            let disposition = record.disposition.as_str();
            if !orders.iter().any(|known| known.order == order) {
                orders.push(Concerned {
                    order,
                    new: false,
                    disposition,
                });
            }
        }
        (!orders.is_empty()).then(|| Self {
            raw: first.raw_id,
            connection: first.connection_id,
            connector: connector.to_owned(),
            source: first.source,
            received_at: first.received_at,
            mapping_version: first.mapping_version.clone(),
            records: records.len(),
            mapped,
            orders,
        })
    }

    /// It is written.
    pub(super) fn told(&self, traces: &Traces, now: Timestamp) {
        for concerned in &self.orders {
            self.tell(traces, concerned, now);
        }
    }

    fn tell(&self, traces: &Traces, concerned: &Concerned, now: Timestamp) {
        let trace = traces.of(concerned.order.uuid());
        if let (Some(trace), true) = (&trace, concerned.new) {
            let mut root = trace.first("order", Kind::Internal, self.received_at);
            root.link(self.raw.uuid());
            root.set("order", &display(concerned.order));
            root.set("connection", &display(self.connection));
            root.set("connector", &self.connector);
            root.end(now);
        }
        let waited = between(self.received_at, now);
        let span = trace.map(|trace| {
            let mut span = trace.span("apply", Kind::Internal, self.received_at);
            span.link(self.raw.uuid());
            if let Some(Timing { began, took }) = self.mapped {
                let map = span.inside().span("map", Kind::Internal, began);
                map.end(after(began, took));
            }
            if concerned.disposition == "problem" {
                span.fail("problem");
            }
            span
        });
        told!(debug, span, now, "applied", {
            order = display(concerned.order),
            raw = display(self.raw),
            connection = display(self.connection),
            connector = self.connector.as_str(),
            source = word(&self.source),
            disposition = concerned.disposition,
            new = concerned.new,
            mapping_version = self.mapping_version.as_deref(),
            records = self.records,
            duration_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        });
    }
}
