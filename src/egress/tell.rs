//! What is told of each delivery to a subscriber: a log event, the numbers, and a span in the trace of
//! the event's order.
//!
//! What always holds: ids, codes, counts and durations only; never an address, a body or an answer.
//! The subscriber is told the span's place (`traceparent`), so that its own spans can stand under it.

use super::plan::After;
use super::sender::Verdict;
use crate::canonical::{EventId, OrderId, SubscriptionId, Timestamp, word};
use crate::store::query::{DeliveryRow, RenderedEvent};
use crate::telemetry::told;
use crate::telemetry::trace::{Kind, Span, Traces};
use std::time::Duration;
use tracing::field::display;

/// A delivery under way.
pub(super) struct Delivery {
    event: EventId,
    kind: &'static str,
    order: Option<OrderId>,
    at: Timestamp,
    /// From 1.
    attempt: u32,
    span: Option<Span>,
}

/// An endpoint's state around a delivery.
pub(super) struct Endpoint {
    /// Whose it is.
    pub subscription: SubscriptionId,
    /// It was down before.
    pub was_down: bool,
    /// Deliveries that wait for it.
    pub waiting: usize,
}

impl Delivery {
    /// One that is about to be sent; a row is there from the second attempt on, and for replays.
    pub(super) fn begin(
        traces: &Traces,
        event: &RenderedEvent,
        row: Option<&DeliveryRow>,
        now: Timestamp,
    ) -> Self {
        let kind = word(&event.kind);
        let trace = traces.of_or_fresh(event.order_id.map(|order| order.uuid()));
        Self {
            event: event.id,
            kind,
            order: event.order_id,
            at: event.at,
            attempt: row.map_or(0, |row| row.attempts).saturating_add(1),
            span: trace.map(|trace| trace.span(&format!("deliver {kind}"), Kind::Client, now)),
        }
    }

    /// What the subscriber is told of its place.
    pub(super) fn traceparent(&self) -> Option<String> {
        self.span.as_ref().map(Span::traceparent)
    }

    /// Told after its answer, or after that was found missing.
    pub(super) fn ended(
        self,
        endpoint: &Endpoint,
        (verdict, after): (&Verdict, After),
        duration: Duration,
        now: Timestamp,
    ) {
        let outcome = outcome(after);
        metrics::counter!("crossdock_deliveries_total", "outcome" => outcome).increment(1);
        if after == After::Delivered {
            let lag = now.duration_since(self.at).as_secs_f64().max(0.0);
            metrics::histogram!("crossdock_delivery_lag_seconds").record(lag);
        }
        let mut span = self.span;
        if let (Some(span), false) = (&mut span, after == After::Delivered) {
            span.fail(outcome);
        }
        let (status, code) = seen(verdict);
        // One macro call each: the level of an event is part of its code.
        macro_rules! tell {
            ($level:ident, $message:literal) => {
                told!($level, span, now, $message, {
                    order = self.order.map(display),
                    subscription = display(endpoint.subscription),
                    event = display(self.event),
                    event_type = self.kind,
                    attempt = self.attempt,
                    outcome = outcome,
                    status = status,
                    code = code,
                    waiting = endpoint.waiting,
                    duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                })
            };
        }
        match after {
            After::Delivered if endpoint.was_down => tell!(info, "the endpoint is back: draining"),
            After::Delivered => tell!(debug, "delivered"),
            After::EndpointDown if endpoint.was_down => tell!(debug, "still down"),
            _ => tell!(warn, "a delivery failed"),
        }
    }
}

const fn outcome(after: After) -> &'static str {
    match after {
        After::Delivered => "delivered",
        After::WillRetry => "refused",
        After::Dead => "dead",
        After::EndpointDown => "down",
        After::Disable => "gone",
    }
}

/// The status of an answer, and why there was none.
fn seen(verdict: &Verdict) -> (Option<u16>, Option<&str>) {
    match verdict {
        Verdict::Delivered => (None, None),
        Verdict::Refused { status } => (Some(*status), None),
        Verdict::Down { status, why, .. } => (*status, Some(why)),
        Verdict::Never { status, why } => (Some(*status), Some(why)),
        Verdict::Gone => (Some(410), None),
    }
}
