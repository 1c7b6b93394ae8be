//! Traces: one order is one trace, whichever node adds to it; a collector that is down or slow costs
//! spans and nothing else.

use super::postgres::server;
use super::support::collector::{Collector, Told};
use super::support::courier::Courier;
use super::support::dock::{Dock, settled};
use super::support::gateway::{Gateway, TOKEN, free_addr};
use super::support::{Warehouse, orders};
use serde_json::{Value, json};
use uuid::Uuid;

/// The UUID in an id of ours.
fn uuid(id: &str) -> Uuid {
    let (_, uuid) = id.split_once('_').unwrap();
    Uuid::try_parse(uuid).unwrap()
}

fn in_trace(all: &[Told], of: Uuid) -> Vec<Told> {
    let ours = all
        .iter()
        .filter(|told| told.span.trace_id == of.as_bytes());
    ours.cloned().collect()
}

fn named<'a>(all: &'a [Told], name: &str) -> Vec<&'a Told> {
    all.iter().filter(|told| told.span.name == name).collect()
}

fn one<'a>(all: &'a [Told], name: &str) -> &'a Told {
    let found = named(all, name);
    let names: Vec<&str> = all.iter().map(|told| told.span.name.as_str()).collect();
    assert_eq!(found.len(), 1, "{name} in {names:?}");
    found[0]
}

const ROUTE: &str = "/v1/fulfillment-orders/{id}/ship";

/// `ship`, by a caller who has a trace of its own.
async fn ship(gateway: &Gateway, part: &Value, account: &str, caller: &str) -> Value {
    let part = part["id"].as_str().unwrap();
    let path = format!("/v1/fulfillment-orders/{part}/ship");
    let body = json!({
        "shipment_ref": "W-1", "parcels": [{"weight_g": 900}], "carrier_connection_id": account,
    });
    let request = gateway.http.post(gateway.url(&path)).bearer_auth(TOKEN);
    let request = request
        .header("traceparent", caller)
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn an_order_is_one_trace_on_whichever_node() {
    let (courier, collector) = (Courier::start("hornpost").await, Collector::start().await);
    let warehouse = Warehouse::start().await;
    let (dock, gateway) = Dock::with(&courier).await;
    let subscription = json!({"url": warehouse.url(), "event_types": []});
    let subscription = gateway.post("/v1/subscriptions", subscription).await;
    warehouse.trust(subscription["secret"].as_str().unwrap());
    // Nothing is made where no collector is named.
    dock.plain_order(&gateway, 1).await;
    warehouse.wait_for_distinct(1).await;
    assert!(warehouse.places().is_empty());
    let page = gateway.text("/metrics").await;
    assert!(!page.contains("crossdock_spans_total{"), "{page}");
    assert!(gateway.stop().await.success());

    // The order comes to one node …
    let endpoint = collector.endpoint();
    let env = [
        ("CROSSDOCK_OTLP_ENDPOINT", endpoint.as_str()),
        ("CROSSDOCK_OTLP_HEADERS", "authorization=Bearer%20key"),
    ];
    let gateway = dock.restart(&env).await.unwrap();
    let part = dock.plain_order(&gateway, 2).await;
    let order = uuid(part["order_id"].as_str().unwrap());
    let submitted = "deliver fulfillment_order.submitted";
    let there = |all: &[Told]| !named(&in_trace(all, order), submitted).is_empty();
    collector.wait(there).await;
    assert!(gateway.stop().await.success());
    assert_eq!(collector.key().unwrap(), "Bearer key");

    // … its label is bought on another, later, asked for by a warehouse that has its own trace.
    let gateway = dock.restart(&env).await.unwrap();
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let shipment = ship(&gateway, &part, &dock.account, caller).await;
    let id = shipment["id"].as_str().unwrap();
    settled(&gateway, id, &["purchased", "printed"]).await;
    let shipped = "deliver shipment.label_created";
    let all = collector
        .wait(|all| {
            let ours = in_trace(all, order);
            let has = |name: &str| !named(&ours, name).is_empty();
            has("run shipment.create") && has(&format!("POST {ROUTE}")) && has(shipped)
        })
        .await;
    assert!(gateway.stop().await.success());
    check(&all, order, &warehouse);
    collector.stop().await;
}

fn check(all: &[Told], order: Uuid, warehouse: &Warehouse) {
    let ours = in_trace(all, order);
    let root = one(&ours, "order");
    assert_eq!(root.span.span_id, order.as_bytes()[8..]);
    assert!(root.span.parent_span_id.is_empty());

    // What came in is a trace of its own, at which the order's points.
    let apply = one(&ours, "apply");
    let raw = uuid(&apply.says("crossdock.raw").unwrap());
    let arrived = in_trace(all, raw);
    let intake = one(&arrived, "intake");
    assert!(intake.span.parent_span_id.is_empty());
    for span in [&root.span, &apply.span] {
        assert_eq!(span.links.len(), 1, "{}", span.name);
        assert_eq!(span.links[0].trace_id, intake.span.trace_id);
        assert_eq!(span.links[0].span_id, intake.span.span_id);
    }
    assert_eq!(apply.says("crossdock.disposition").unwrap(), "applied");
    let map = one(&ours, "map");
    assert_eq!(map.span.parent_span_id, apply.span.span_id);

    // The call that asked for the label points at its caller.
    let command = one(&ours, &format!("POST {ROUTE}"));
    assert_eq!(command.says("http.route").unwrap(), ROUTE);
    assert_eq!(
        hex::encode(&command.span.links[0].span_id),
        "b7ad6b7169203331"
    );

    // The job and its requests, on the other node.
    let run = one(&ours, "run shipment.create");
    for (name, status) in [("attempt create", "201"), ("attempt file", "200")] {
        let attempt = one(&ours, name);
        assert_eq!(attempt.span.parent_span_id, run.span.span_id, "{name}");
        assert_eq!(attempt.says("crossdock.class").unwrap(), "ok");
        assert_eq!(attempt.says("http.response.status_code").unwrap(), status);
        let id = uuid(&attempt.says("crossdock.attempt").unwrap());
        assert_eq!(attempt.span.span_id, id.as_bytes()[8..]);
    }
    assert_ne!(run.node, root.node);
    assert_eq!(run.node, command.node);
    let delivered = one(&ours, "deliver fulfillment_order.submitted");
    assert_eq!(delivered.node, root.node);
    for told in [apply, command, run, delivered] {
        assert_eq!(told.span.parent_span_id, root.span.span_id);
    }

    // The warehouse was told where each delivery stands.
    let places = warehouse.places();
    let deliveries = ours.iter().filter(|t| t.span.name.starts_with("deliver "));
    for told in deliveries {
        let place = &places[&told.says("crossdock.event").unwrap()];
        let id = hex::encode(&told.span.span_id);
        assert_eq!(place, &format!("00-{}-{id}-03", order.simple()));
    }

    // Ids and codes; nobody's name, address, number or URL.
    let all = format!("{all:?}");
    for word in ["Παππά", "Ερμού", "30210", "@", "://", "hp_", "Bearer"] {
        assert!(!all.contains(word), "{word}");
    }
}

#[tokio::test]
async fn what_one_node_takes_in_another_adds_to() {
    let (collector, url) = (Collector::start().await, server::fresh_url().await);
    let endpoint = collector.endpoint();
    let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for place in &places {
        std::fs::write(place.path().join("store-url"), &url).unwrap();
    }
    let env = |role| {
        [
            ("CROSSDOCK_OTLP_ENDPOINT", endpoint.as_str()),
            ("CROSSDOCK_ROLE", role),
        ]
    };
    let front = Gateway::start(places[0].path(), &env("api")).await;
    let back = Gateway::start(places[1].path(), &env("worker")).await;
    let (_, hook) = front.shop("http://127.0.0.1:9", "active").await;
    let body = orders::order(7, 1).to_string();
    assert_eq!(front.webhook(&hook, &body).await, Some(200));
    let part = front.submitted("7").await;
    assert_eq!(front.ship(&part, "W-1").await.unwrap().status, 201);
    let list = front.get("/v1/orders?external_id=7").await;
    let order = uuid(list["data"][0]["id"].as_str().unwrap());
    let all = collector
        .wait(|all| {
            let ours = in_trace(all, order);
            let has = |name: &str| !named(&ours, name).is_empty();
            has("apply") && has(&format!("POST {ROUTE}")) && !named(all, "intake").is_empty()
        })
        .await;
    let ours = in_trace(&all, order);
    let (root, apply) = (one(&ours, "order"), one(&ours, "apply"));
    let command = one(&ours, &format!("POST {ROUTE}"));
    let raw = uuid(&apply.says("crossdock.raw").unwrap());
    let arrived = in_trace(&all, raw);
    assert_eq!(one(&arrived, "intake").node, command.node);
    assert_eq!(root.node, apply.node);
    assert_ne!(root.node, command.node);
    assert_eq!(command.span.parent_span_id, root.span.span_id);
    assert!(front.stop().await.success() && back.stop().await.success());
    collector.stop().await;
}

/// Orders come and go to the warehouse while the collector takes nothing.
async fn orders_go_on(dock: &Dock, gateway: &Gateway, ids: std::ops::Range<u64>) {
    for id in ids {
        dock.order(gateway, orders::order(id, 1)).await;
    }
}

#[tokio::test]
async fn a_collector_that_does_not_answer_costs_spans() {
    let (courier, collector) = (Courier::start("hornpost").await, Collector::silent().await);
    let (dock, gateway) = Dock::with(&courier).await;
    assert!(gateway.stop().await.success());
    let endpoint = collector.endpoint();
    let env = [
        ("CROSSDOCK_OTLP_ENDPOINT", endpoint.as_str()),
        ("CROSSDOCK_OTLP_QUEUE", "2"),
    ];
    let gateway = dock.restart(&env).await.unwrap();
    orders_go_on(&dock, &gateway, 1..2).await;
    collector.asked(1).await;
    orders_go_on(&dock, &gateway, 2..5).await;
    let page = gateway.text("/metrics").await;
    let line = page
        .lines()
        .find(|line| line.starts_with(r#"crossdock_spans_total{outcome="queue_full"}"#));
    let lost = line.unwrap_or_else(|| panic!("none are counted: {page}"));
    assert!(!lost.ends_with(" 0"), "{lost}");
    // What is left is given up in a bounded time.
    assert!(gateway.stop().await.success());
    collector.stop().await;
}

#[tokio::test]
async fn a_collector_that_is_down_is_said_once() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = Dock::with(&courier).await;
    assert!(gateway.stop().await.success());
    let endpoint = format!("http://{}", free_addr());
    let env = [("CROSSDOCK_OTLP_ENDPOINT", endpoint.as_str())];
    let gateway = dock.restart(&env).await.unwrap();
    orders_go_on(&dock, &gateway, 1..3).await;
    let down = |line: &str| line.contains("the collector takes no traces now");
    gateway.log.wait_for(1, down).await;
    assert!(gateway.stop().await.success());
    let log = std::fs::read_to_string(dock.data.path().join("log")).unwrap();
    assert_eq!(log.lines().filter(|line| down(line)).count(), 1);
    assert!(log.contains("spans were given up"), "{log}");
}

#[tokio::test]
async fn a_setting_that_does_not_fit_stops_the_start() {
    let data = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("CROSSDOCK_OTLP_ENDPOINT", "collector:4318"),
        ("CROSSDOCK_OTLP_HEADERS", "top-secret"),
        ("CROSSDOCK_OTLP_RATIO", "1.5"),
        ("CROSSDOCK_OTLP_QUEUE", "0"),
    ] {
        let env = [
            ("CROSSDOCK_OTLP_ENDPOINT", "http://127.0.0.1:9"),
            (name, value),
        ];
        assert!(Gateway::try_start(data.path(), &env).await.is_none());
        let log = std::fs::read_to_string(data.path().join("log")).unwrap();
        let key = name.trim_start_matches("CROSSDOCK_").to_lowercase();
        assert!(log.contains(&key) && !log.contains("top-secret"), "{log}");
    }
}
