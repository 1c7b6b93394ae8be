//! What is told of each request to a provider: one wide log event, and the numbers.
//!
//! What always holds: ids, codes, counts and durations only; never a URL's query, a header or a body.

use super::engine::{Exchange, Line};
use crate::canonical::problem::Class;
use crate::canonical::word;
use std::time::Duration;

/// Told after an answer, or after it was found missing.
pub(super) fn attempt(line: &Line<'_>, step: &str, exchange: &Exchange, waited: Duration) {
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
    tracing::info!(
        connection = %line.connection,
        connector,
        operation = line.operation,
        step,
        attempt = %exchange.attempt,
        lane = word(&line.lane),
        method = exchange.request.method.as_str(),
        host = exchange.request.url.host_str().unwrap_or_default(),
        status = outcome.status,
        class,
        code = outcome.code,
        retry_after_ms = outcome.retry_after.map(millis),
        waited_ms = millis(waited),
        duration_ms = millis(exchange.duration),
        answer_bytes = exchange.answer.as_ref().map(|answer| answer.body.len()),
        frozen_until = exchange.frozen_until.map(tracing::field::display),
        "attempt"
    );
}

/// Told after a request waited for its pace, whether it was let through or not.
pub(super) fn waited(line: &Line<'_>, waited: Duration) {
    metrics::histogram!("crossdock_limiter_wait_seconds", "connector" => connector(line))
        .record(waited.as_secs_f64());
}

fn connector(line: &Line<'_>) -> String {
    line.provider.manifest().id.clone()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
