//! Logs and metrics: a readable message plus fields with units; never bodies, secrets or personal
//! data.
//!
//! What always holds: metric names are listed in [`METRICS`] (docs/operate.md shows the same list,
//! and a test compares them); log fields are ids, codes, counts and durations.

use crate::settings::LogFormat;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// A metric's name, unit and meaning.
pub type MetricDoc = (&'static str, &'static str);

/// Every metric of the gateway.
pub const METRICS: &[MetricDoc] = &[
    (
        "crossdock_intake_total",
        "webhook requests by result (accepted, refused, challenge, unavailable)",
    ),
    ("crossdock_records_total", "inbox records by disposition"),
    (
        "crossdock_apply_seconds",
        "time from arrival to disposition",
    ),
    (
        "crossdock_mapping_warnings_total",
        "warnings of mappings, by connector",
    ),
    ("crossdock_mapping_seconds", "time to map one record"),
    (
        "crossdock_attempts_total",
        "provider calls by operation and class (ok when none)",
    ),
    ("crossdock_deliveries_total", "webhook deliveries by result"),
    (
        "crossdock_delivery_lag_seconds",
        "time from an event to its delivery",
    ),
    (
        "crossdock_http_requests_total",
        "API requests by route pattern and status",
    ),
    (
        "crossdock_http_seconds",
        "time of API requests by route pattern",
    ),
    ("crossdock_jobs_waiting", "jobs that wait, by lane"),
    (
        "crossdock_inbox_pending",
        "deliveries without a disposition",
    ),
];

/// Starts logging. Does nothing when a subscriber is there already (tests).
pub fn init_logs(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
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
    for (name, help) in METRICS {
        if name.ends_with("_total") {
            metrics::describe_counter!(*name, *help);
        } else if name.ends_with("_seconds") {
            metrics::describe_histogram!(*name, *help);
        } else {
            metrics::describe_gauge!(*name, *help);
        }
    }
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
