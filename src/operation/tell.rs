//! What is told of each request to a provider, and of each run: one wide log event, the numbers, and
//! the spans.
//!
//! What always holds: ids, codes, counts and durations only; never a URL's query, a header or a body.
//! What is about an order stands in the order's trace, everything else in one of its own.

use super::call::{Call, Ended, RunError};
use super::engine::{Engine, Exchange, Line};
use crate::canonical::problem::Class;
use crate::canonical::{Timestamp, word};
use crate::clock::{Clock, before};
use crate::telemetry::told;
use crate::telemetry::trace::{Kind, Span, Trace};
use std::sync::Arc;
use std::time::Duration;
use tracing::field::display;

/// Told after an answer, or after it was found missing.
pub(super) fn attempt(
    line: &Line<'_>,
    step: &str,
    exchange: &Exchange,
    waited: Duration,
    now: Timestamp,
) {
    let outcome = &exchange.outcome;
    let class = outcome.class.map_or("ok", Class::as_str);
    let connector = connector(line);
    let operation = line.operation.to_owned();
    metrics::counter!(
        "crossdock_attempts_total",
        "connector" => connector.clone(), "operation" => operation, "class" => class
    )
    .increment(1);
    metrics::histogram!("crossdock_attempt_seconds", "connector" => connector.clone())
        .record(exchange.duration.as_secs_f64());
    let span = line.trace.as_ref().map(|trace| {
        let (id, start) = (exchange.attempt.uuid(), before(now, exchange.duration));
        let mut span = trace.span_of(id, &format!("attempt {step}"), Kind::Client, start);
        if outcome.class.is_some() {
            span.fail(class);
        }
        span
    });
    told!(info, span, now, "attempt", {
        order = line.order.map(display),
        connection = display(line.connection),
        connector = connector,
        operation = line.operation,
        step = step,
        attempt = display(exchange.attempt),
        lane = word(&line.lane),
        method = exchange.request.method.as_str(),
        host = exchange.request.url.host_str().unwrap_or_default(),
        status = outcome.status,
        class = class,
        code = outcome.code.as_str(),
        retry_after_ms = outcome.retry_after.map(millis),
        waited_ms = millis(waited),
        duration_ms = millis(exchange.duration),
        answer_bytes = exchange.answer.as_ref().map(|answer| answer.body.len()),
        frozen_until = exchange.frozen_until.map(display),
    });
}

/// Told after a request waited for its pace, whether it was let through or not.
pub(super) fn waited(line: &Line<'_>, waited: Duration) {
    metrics::histogram!("crossdock_limiter_wait_seconds", "connector" => connector(line))
        .record(waited.as_secs_f64());
}

/// A run under way: what it sends stands under its span. One that is broken off (the node stops)
/// tells that when it is dropped.
pub(super) struct Running {
    span: Option<Span>,
    clock: Arc<dyn Clock>,
}

impl Running {
    /// Begins the span of a run, where traces are wanted.
    pub(super) fn of(engine: &Engine, call: &Call<'_>) -> Self {
        let trace = engine
            .traces
            .of_or_fresh(call.order.map(|order| order.uuid()));
        let span = trace.map(|trace| {
            let name = format!("run {}", call.operation);
            let mut span = trace.span(&name, Kind::Internal, engine.clock.now());
            span.set("connector", &call.provider.manifest().id);
            span.set("connection", &display(call.connection));
            span.set("operation", &call.operation);
            span.set("order", &call.order.map(display));
            span.set("job", &call.job.map(display));
            span
        });
        Self {
            span,
            clock: engine.clock.clone(),
        }
    }

    /// Where its requests stand.
    pub(super) fn inside(&self) -> Option<Trace> {
        self.span.as_ref().map(Span::inside)
    }

    /// Told when the run is over.
    pub(super) fn ended(mut self, ended: &Result<Ended, RunError>) {
        let Some(mut span) = self.span.take() else {
            return;
        };
        match ended {
            Ok(Ended::Finished(_)) => {}
            Ok(Ended::Stopped(stopped)) => {
                span.set("step", &stopped.step);
                span.set("code", &stopped.outcome.code);
                span.fail(stopped.outcome.class.map_or("stopped", Class::as_str));
            }
            Err(RunError::Refused(_)) => span.fail("refused"),
            Err(RunError::UnknownOperation(_)) => span.fail("unknown_operation"),
        }
        span.end(self.clock.now());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut span) = self.span.take() {
            span.fail("cut_off");
            span.end(self.clock.now());
        }
    }
}

fn connector(line: &Line<'_>) -> String {
    line.provider.manifest().id.clone()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
