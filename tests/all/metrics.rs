//! What `/metrics` shows after one order went from the shop to its label.

use super::support::courier::Courier;
use super::support::dock::{Dock, settled};
use crossdock::telemetry::{Kind, METRICS};
use serde_json::json;

/// The values of a metric's lines, by their labels as printed.
fn values<'t>(page: &'t str, metric: &str) -> Vec<(&'t str, f64)> {
    let of = |line: &'t str| {
        let rest = line.strip_prefix(metric)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        let whole = labels.is_empty() || labels.starts_with('{');
        whole.then(|| (labels, value.parse().unwrap()))
    };
    page.lines().filter_map(of).collect()
}

fn value(page: &str, metric: &str, labels: &str) -> f64 {
    let all = values(page, metric);
    let found = all.iter().find(|(of, _)| *of == labels);
    found
        .unwrap_or_else(|| panic!("{metric}{labels}: {all:?}"))
        .1
}

#[tokio::test]
async fn the_numbers_tell_of_an_order_and_of_nobody() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = Dock::with(&courier).await;
    let subscription = json!({"url": "http://127.0.0.1:9", "event_types": []});
    gateway.post("/v1/subscriptions", subscription).await;
    let part = dock.plain_order(&gateway, 1).await;
    let shipment = dock.ship(&gateway, &part, 1, 8).await.unwrap();
    settled(
        &gateway,
        shipment.json["id"].as_str().unwrap(),
        &["purchased", "printed"],
    )
    .await;
    let forged = gateway.signed(&dock.hook, "another secret", "{}").await;
    assert_eq!(forged, Some(401));

    // Gauges are looked at now and then; the long poll is the pause between two looks at them.
    let page = loop {
        let page = gateway.text("/metrics").await;
        let shown = values(&page, "crossdock_placed").contains(&(r#"{kind="connection"}"#, 2.0))
            && !values(&page, "crossdock_undelivered_age_seconds").is_empty();
        if shown {
            break page;
        }
        gateway.get("/v1/events?after=1000000&wait=1").await;
    };
    for (name, kind, meaning) in METRICS {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        if page.contains(&format!("# TYPE {name} ")) {
            assert!(page.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
            assert!(
                page.contains(&format!("# HELP {name} {meaning}\n")),
                "{name}"
            );
        }
    }
    let once = [
        ("crossdock_intake_total", r#"{outcome="accepted"}"#),
        ("crossdock_intake_total", r#"{outcome="refused"}"#),
        ("crossdock_records_total", r#"{disposition="applied"}"#),
        ("crossdock_placed", r#"{kind="clocks"}"#),
        ("crossdock_placed", r#"{kind="subscription"}"#),
        ("crossdock_placed", r#"{kind="connection"}"#),
        ("crossdock_queue_depth", r#"{lane="label"}"#),
        ("crossdock_connections", r#"{state="active"}"#),
        ("crossdock_circuits_open", r#"{connector="hornpost"}"#),
        ("crossdock_build_info", r#"{version="0.1.0"}"#),
    ];
    let told: Vec<f64> = once
        .iter()
        .map(|(metric, labels)| value(&page, metric, labels))
        .collect();
    assert_eq!(
        told,
        [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 2.0, 0.0, 1.0],
        "{page}"
    );
    let bought = values(&page, "crossdock_attempts_total");
    assert!(
        bought
            .iter()
            .any(|(labels, n)| labels.contains(r#"connector="hornpost""#)
                && labels.contains(r#"operation="shipment.create""#)
                && labels.contains(r#"class="ok""#)
                && *n >= 1.0),
        "{bought:?}"
    );
    for (histogram, labels) in [
        ("crossdock_intake_seconds_count", ""),
        ("crossdock_apply_seconds_count", ""),
        (
            "crossdock_attempt_seconds_count",
            r#"{connector="hornpost"}"#,
        ),
        (
            "crossdock_limiter_wait_seconds_count",
            r#"{connector="hornpost"}"#,
        ),
        ("crossdock_store_seconds_count", r#"{call="append_inbox"}"#),
    ] {
        assert!(value(&page, histogram, labels) >= 1.0, "{histogram}");
    }
    // Nobody's name, address or number.
    for word in ["Παππά", "Ερμού", "+30210", "@"] {
        assert!(!page.contains(word), "{word}");
    }
}
