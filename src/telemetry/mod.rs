//! Logs, metrics and traces: a readable message plus fields with units; never bodies, secrets or
//! personal data.
//!
//! What always holds: metric names are listed in [`METRICS`] (docs/operate.md shows the same list,
//! and a test compares them); log fields are ids, codes, counts and durations.

mod told;
pub mod trace;

pub(crate) use told::told;

use crate::settings::LogFormat;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// What kind of numbers a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// As it is now.
    Gauge,
    /// In buckets.
    Histogram,
}

/// A metric's name, kind and meaning.
pub type MetricDoc = (&'static str, Kind, &'static str);

/// Every metric of the gateway.
pub const METRICS: &[MetricDoc] = &[
    (
        "crossdock_intake_total",
        Kind::Counter,
        "webhook requests by outcome (accepted, refused, challenge, unavailable)",
    ),
    (
        "crossdock_intake_seconds",
        Kind::Histogram,
        "time to verify a webhook and make it durable",
    ),
    (
        "crossdock_records_total",
        Kind::Counter,
        "inbox records by disposition",
    ),
    (
        "crossdock_apply_seconds",
        Kind::Histogram,
        "time from arrival to disposition",
    ),
    (
        "crossdock_mapping_seconds",
        Kind::Histogram,
        "time to map one record",
    ),
    (
        "crossdock_mapping_warnings_total",
        Kind::Counter,
        "warnings of mappings, by connector",
    ),
    (
        "crossdock_inbox_pending",
        Kind::Gauge,
        "deliveries without a disposition",
    ),
    (
        "crossdock_inbox_age_seconds",
        Kind::Gauge,
        "age of the oldest delivery without a disposition",
    ),
    (
        "crossdock_attempts_total",
        Kind::Counter,
        "requests to providers by connector, operation and class (ok when none)",
    ),
    (
        "crossdock_attempt_seconds",
        Kind::Histogram,
        "time from a request's first byte to its answer's last, by connector",
    ),
    (
        "crossdock_limiter_wait_seconds",
        Kind::Histogram,
        "time that requests waited for their pace, by connector",
    ),
    (
        "crossdock_circuits_open",
        Kind::Gauge,
        "connections whose provider is left alone for a while, by connector",
    ),
    (
        "crossdock_queue_depth",
        Kind::Gauge,
        "jobs that wait, by lane",
    ),
    (
        "crossdock_queue_age_seconds",
        Kind::Gauge,
        "how long the oldest job that waits has been due, by lane",
    ),
    (
        "crossdock_deliveries_total",
        Kind::Counter,
        "webhook deliveries by outcome",
    ),
    (
        "crossdock_delivery_lag_seconds",
        Kind::Histogram,
        "time from an event to its delivery",
    ),
    (
        "crossdock_undelivered_age_seconds",
        Kind::Gauge,
        "age of the oldest event that a subscriber has not got, by subscription",
    ),
    (
        "crossdock_store_seconds",
        Kind::Histogram,
        "time of the store's calls, by call",
    ),
    (
        "crossdock_problems_open",
        Kind::Gauge,
        "problems that are open, by class",
    ),
    ("crossdock_connections", Kind::Gauge, "connections by state"),
    (
        "crossdock_placed",
        Kind::Gauge,
        "what this node has, by kind (connection, subscription, clocks)",
    ),
    (
        "crossdock_http_requests_total",
        Kind::Counter,
        "API requests by method, route pattern and status",
    ),
    (
        "crossdock_http_seconds",
        Kind::Histogram,
        "time of API requests by route pattern",
    ),
    (
        "crossdock_spans_total",
        Kind::Counter,
        "spans of traces by outcome (sent, queue_full, refused, unsent)",
    ),
    (
        "crossdock_build_info",
        Kind::Gauge,
        "always 1; the label says the version",
    ),
];

/// Starts logging. Does nothing when a subscriber is there already (tests).
pub fn init_logs(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // What strangers send that is no HTTP is no error of ours: they must not fill the log with it.
    let filter = match "actix_http::h1=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let done = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(done);
}

/// Installs the metrics recorder and returns what `/metrics` renders; `None` when one is there
/// already (several gateways in one test process share the first).
pub fn init_metrics() -> Option<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&[
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
        ])
        .ok()?
        .install_recorder()
        .ok()?;
    for (name, kind, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
    metrics::gauge!("crossdock_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Some(handle)
}

/// How often measured values are put into their buckets when nobody asks for `/metrics`.
const UPKEEP: std::time::Duration = std::time::Duration::from_secs(5);

/// Puts measured values into their buckets, for ever: until then each takes memory of its own.
pub async fn maintain(handle: Option<PrometheusHandle>) {
    while let Some(handle) = &handle {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}
