#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! Ids, sampling, what is written down, and a queue that is full.

use super::settings::{read_headers, traces_url};
use super::*;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tracing::field::display;

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn traces(ratio: f64, room: usize) -> (Traces, mpsc::Receiver<proto::Span>) {
    let (queue, spans) = mpsc::channel(room);
    (Traces::into(queue, ratio), spans)
}

#[test]
fn every_node_gives_an_order_the_same_trace_and_first_span() {
    let order = Uuid::now_v7();
    let ((here, mut one), (there, mut two)) = (traces(1.0, 8), traces(1.0, 8));
    here.of(order)
        .unwrap()
        .first("order", Kind::Internal, moment(1))
        .end(moment(2));
    let later = there.of(order).unwrap();
    later.span("run", Kind::Internal, moment(9)).end(moment(8));
    let (first, added) = (one.try_recv().unwrap(), two.try_recv().unwrap());
    assert_eq!(first.trace_id, order.as_bytes());
    assert_eq!(first.span_id, order.as_bytes()[8..]);
    assert!(first.parent_span_id.is_empty());
    assert_eq!(added.trace_id, first.trace_id);
    assert_eq!(added.parent_span_id, first.span_id);
    // A clock that was set back makes no negative time.
    assert_eq!(added.end_time_unix_nano, added.start_time_unix_nano);
}

#[test]
fn a_share_is_kept_by_the_id_alone() {
    let orders: Vec<Uuid> = (0..2_000).map(|_| Uuid::new_v4()).collect();
    let ((half, _a), (other, _b)) = (traces(0.5, 1), traces(0.5, 1));
    let kept = |traces: &Traces, order: &Uuid| {
        let span = traces
            .of(*order)
            .unwrap()
            .first("order", Kind::Internal, moment(1));
        span.traceparent().ends_with("-03")
    };
    let n = orders.iter().filter(|order| kept(&half, order)).count();
    assert!((800..1_200).contains(&n), "{n}");
    assert!(orders.iter().all(|o| kept(&half, o) == kept(&other, o)));
    let ((all, _c), (none, mut spans)) = (traces(1.0, 1), traces(0.0, 1));
    assert!(orders.iter().all(|o| kept(&all, o) && !kept(&none, o)));
    let dropped = none
        .of(orders[0])
        .unwrap()
        .first("order", Kind::Internal, moment(1));
    assert!(dropped.traceparent().ends_with("-02"));
    dropped.end(moment(2));
    assert!(spans.try_recv().is_err());
}

#[test]
fn what_is_said_is_written_under_the_names_of_opentelemetry() {
    let (traces, mut spans) = traces(1.0, 1);
    let mut span = traces.fresh().unwrap().span("x", Kind::Client, moment(1));
    let (raw, none) = (Uuid::now_v7(), None::<u16>);
    span.set("status", &200u16);
    span.set("code", &none);
    span.set("connection", &display("con_1"));
    span.link(raw);
    span.link_caller("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    for bad in [
        "",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7-b7-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        span.link_caller(bad);
    }
    span.fail("transient");
    span.end(moment(2));
    let span = spans.try_recv().unwrap();
    let told: Vec<(&str, &Value)> = span
        .attributes
        .iter()
        .map(|a| {
            (
                a.key.as_str(),
                a.value.as_ref().unwrap().value.as_ref().unwrap(),
            )
        })
        .collect();
    let text = |text: &str| Value::StringValue(text.to_owned());
    assert_eq!(
        told,
        [
            ("http.response.status_code", &Value::IntValue(200)),
            ("crossdock.connection", &text("con_1")),
            ("error.type", &text("transient")),
        ]
    );
    assert_eq!(span.links.len(), 2);
    assert_eq!(span.links[0].span_id, raw.as_bytes()[8..]);
    assert_eq!(hex::encode(&span.links[1].span_id), "b7ad6b7169203331");
}

#[test]
fn a_full_queue_costs_the_span_and_nothing_else() {
    let (traces, mut spans) = traces(1.0, 1);
    let trace = traces.of(Uuid::now_v7()).unwrap();
    for _ in 0..3 {
        trace.span("x", Kind::Internal, moment(1)).end(moment(2));
    }
    assert!(spans.try_recv().is_ok());
    assert!(spans.try_recv().is_err());
}

#[test]
fn switched_off_there_is_nothing() {
    let traces = Traces::default();
    assert!(!traces.is_on());
    assert!(traces.of(Uuid::now_v7()).is_none() && traces.fresh().is_none());
}

#[test]
fn settings_that_do_not_fit_are_named_without_their_values() {
    let url = traces_url("https://collector.example/otlp/").unwrap();
    assert_eq!(url.as_str(), "https://collector.example/otlp/v1/traces");
    for bad in [
        "collector:4318",
        "ftp://collector",
        "http://me:secret@collector",
        "http://collector?key=secret",
    ] {
        let error = traces_url(bad).unwrap_err().to_string();
        assert!(
            error.contains("otlp_endpoint") && !error.contains("secret"),
            "{error}"
        );
    }
    let headers = read_headers("api-key=a%2Cb, x=y").unwrap();
    assert_eq!(headers["api-key"], "a,b");
    assert_eq!(headers["x"], "y");
    for bad in ["secret", "a=1,=secret", "a=secret%00"] {
        let error = read_headers(bad).unwrap_err().to_string();
        assert!(
            error.contains("otlp_headers") && !error.contains("secret"),
            "{error}"
        );
    }
}
