//! The simulated Omniva speaks OMX and moves its parcels: what the folder's own requests come to there, and that the folder's own
//! mappings read its answers.

use crossdock::canonical::Timestamp;
use crossdock::clock::TestClock;
use crossdock::connector::map::{MapInput, map};
use crossdock::connector::{Connector, Registry};
use crossdock::manifest::{Folder, Source};
use crossdock::simulator::{self, Handle, Options, SimClock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HOUR: u64 = 3_600;

struct Omniva {
    handle: Handle,
    clock: Arc<TestClock>,
    http: reqwest::Client,
    connector: Arc<Connector>,
    requests: Value,
}

impl Omniva {
    async fn open(options: Value) -> Self {
        let clock = Arc::new(TestClock::at(Timestamp::constant(1_772_000_000, 0)));
        let source = Source::built_in()
            .into_iter()
            .find(|source| source.name() == "omniva")
            .unwrap();
        let folder = Folder::load(source).unwrap();
        let requests = folder
            .source
            .text("fixtures/call-create-machine-cod/expect-request.json")
            .unwrap();
        let options = Options {
            options: options.as_object().unwrap().clone(),
            clock: SimClock(clock.clone()),
            ..Options::default()
        };
        let address = "127.0.0.1:0".parse().unwrap();
        let handle = simulator::serve(&folder, address, options).await.unwrap();
        Self {
            handle,
            clock,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            connector: Registry::load(None).catalogue().get("omniva").unwrap(),
            requests: serde_json::from_str(&requests).unwrap(),
        }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self
            .http
            .request(method, format!("{}{path}", self.handle.url()))
            .basic_auth("client71", Some("simulated-password"));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn json(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, text) = self.call(method, path, body).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The fixture's request, to another machine and under another name.
    fn request(&self, reference: &str, machine: &str) -> Value {
        let mut body = self.requests[0]["body"].clone();
        body["shipments"][0]["partnerShipmentId"] = reference.into();
        body["shipments"][0]["receiverAddressee"]["address"]["offloadPostcode"] = machine.into();
        body
    }

    async fn register(&self, body: &Value) -> (u16, Value) {
        let path = "/api/v01/omx/shipments/business-to-client";
        self.json("POST", path, Some(body)).await
    }

    async fn bought(&self, reference: &str) -> String {
        let (status, answer) = self.register(&self.request(reference, "9210")).await;
        assert_eq!(status, 200, "{answer}");
        let found = self.mapped("label", &answer.to_string());
        found[0]["tracking_number"].as_str().unwrap().to_owned()
    }

    fn mapped(&self, mapping: &str, body: &str) -> Value {
        let mapped = map(
            &self.connector,
            mapping,
            body.as_bytes(),
            &MapInput::default(),
        );
        assert_eq!(mapped.failures, [], "{body}");
        mapped.json()
    }

    /// What the feed tells of all parcels, by number: the statuses in order.
    async fn statuses(&self, number: &str) -> Vec<String> {
        let path = "/epteavitus/events/from/2026-01-01T00:00:00+00:00/for-client-code/71000";
        let (status, feed) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "{feed}");
        let all = self.mapped("tracking", &feed);
        let one = all
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["tracking_number"] == number)
            .unwrap();
        let events = one["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["status"].as_str().unwrap().to_owned())
            .collect()
    }

    fn hours(&self, hours: u64) {
        self.clock.advance(Duration::from_secs(hours * HOUR));
    }
}

/// UPU S10.
fn check_digit(number: &str) -> u32 {
    let digits = number[2..10].bytes().map(|byte| u32::from(byte - b'0'));
    let weights = [8, 6, 4, 2, 3, 5, 9, 7];
    let sum: u32 = digits
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum();
    match 11 - sum % 11 {
        10 => 0,
        11 => 5,
        digit => digit,
    }
}

#[actix_web::test]
async fn labels_are_made_counted_and_open_as_pdfs() {
    let omniva = Omniva::open(json!({})).await;
    let number = omniva.bought("R-1").await;
    assert!(
        number.starts_with("CE") && number.ends_with("EE"),
        "{number}"
    );
    assert_eq!(number[10..11], check_digit(&number).to_string());
    // OMX promises no idempotence: the same request again is another label, and the counters tell.
    assert_ne!(omniva.bought("R-1").await, number);
    omniva.bought("R-2").await;
    let (_, made) = omniva.json("GET", "/_sim/labels", None).await;
    assert_eq!(made["by_reference"], json!({"R-1": 2, "R-2": 1}));
    assert_eq!(made["twice"], json!(["R-1"]));
    let mut wanted = omniva.requests[1]["body"].clone();
    wanted["barcodes"] = json!([{"barcode": number}, {"barcode": "CE000000000EE"}]);
    let path = "/api/v01/omx/shipments/package-labels";
    let (_, cards) = omniva.json("POST", path, Some(&wanted)).await;
    assert_eq!(cards["failedAddressCards"][0]["barcode"], "CE000000000EE");
    let document = &omniva.mapped("label", &cards.to_string())[0]["documents"][0];
    use base64::Engine as _;
    let file = base64::engine::general_purpose::STANDARD
        .decode(document["content_base64"].as_str().unwrap())
        .unwrap();
    let text = String::from_utf8(file).unwrap();
    assert!(text.starts_with("%PDF-1.4") && text.ends_with("%%EOF\n"));
    let start = text.rsplit("startxref\n").next().unwrap();
    let start: usize = start.lines().next().unwrap().parse().unwrap();
    assert!(text[start..].starts_with("xref\n0 6\n"));
    assert!(
        text.contains(&format!("({number}) Tj")),
        "the number is on it"
    );
    omniva.handle.stop().await;
}

#[actix_web::test]
async fn what_omx_refuses_is_refused_in_its_words() {
    let omniva = Omniva::open(json!({})).await;
    let good = omniva.request("R-1", "9210");
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        let (status, answer) = omniva.register(&body).await;
        (
            status,
            omniva.mapped("error", &answer.to_string())[0].clone(),
        )
    };
    let (status, error) = refused(&|body| {
        body["shipments"][0]["mainService"] = Value::Null;
        body["shipments"][0]["addServices"][0]["params"]["COD_BANK_ACCOUNT_NO"] =
            "EE471000001020145685".into();
        body["shipments"][0]["addServices"][0]["params"]["COD_REFERENCE_NO"] = "100118".into();
    })
    .await;
    assert_eq!((status, &error["class"]), (400, &json!("invalid")));
    let fields: Vec<_> = error["fields"].as_array().unwrap().iter().collect();
    assert_eq!(fields[0]["field"], "shipments[0].mainService");
    let reference = "shipments[0].addServices[0].params.COD_REFERENCE_NO";
    assert_eq!(fields[1]["field"], reference);
    let (status, error) = refused(&|body| body["customerCode"] = "00000".into()).await;
    assert_eq!((status, &error["class"]), (400, &json!("rejected")));
    let (status, error) = refused(&|body| body["shipments"][0]["city"] = "Riga".into()).await;
    assert_eq!((status, &error["class"]), (500, &json!("invalid")));
    omniva.call("DELETE", "/_sim/points/9210", None).await;
    let (status, error) = refused(&|_| {}).await;
    assert_eq!((status, &error["class"]), (200, &json!("invalid")));
    let stranger = omniva
        .http
        .get(format!("{}/api/v01/omx/shipments", omniva.handle.url()));
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    omniva.handle.stop().await;
}

#[actix_web::test]
async fn parcels_are_fetched_or_come_back() {
    let omniva = Omniva::open(json!({"unclaimed_every": 0})).await;
    let (fetched, left) = (omniva.bought("R-1").await, omniva.bought("R-2").await);
    omniva
        .call("POST", &format!("/_sim/labels/{left}/return"), None)
        .await;
    assert_eq!(omniva.statuses(&fetched).await, ["pre_transit"]);
    omniva.hours(30);
    let waits = [
        "pre_transit",
        "in_transit",
        "in_transit",
        "in_transit",
        "available_for_pickup",
        "info",
    ];
    assert_eq!(omniva.statuses(&left).await, waits);
    omniva.hours(20);
    assert_eq!(omniva.statuses(&fetched).await.last().unwrap(), "delivered");
    omniva.hours(200);
    let all = omniva.statuses(&left).await;
    let back = [
        "available_for_pickup",
        "return_in_transit",
        "return_in_transit",
        "return_in_transit",
        "returned",
    ];
    assert_eq!(all[6..], back);
    // The same, asked for one barcode by OMX.
    let path = format!("/api/v01/omx/shipments/{left}");
    let (_, answer) = omniva.json("GET", &path, None).await;
    let one = &omniva.mapped("tracking", &answer.to_string())[0];
    assert_eq!(one["events"].as_array().unwrap().len(), all.len());
    omniva.handle.stop().await;
}

#[actix_web::test]
async fn parcels_may_wait_for_the_warehouse() {
    let omniva = Omniva::open(json!({"hand_over": "control", "speed": 100})).await;
    let number = omniva.bought("R-1").await;
    omniva.hours(100);
    assert_eq!(omniva.statuses(&number).await, ["pre_transit"]);
    let path = format!("/_sim/labels/{number}/hand-over");
    assert_eq!(omniva.call("POST", &path, None).await.0, 200);
    omniva.hours(1);
    assert_eq!(omniva.statuses(&number).await.last().unwrap(), "delivered");
    omniva.handle.stop().await;
}

#[actix_web::test]
async fn the_list_of_points_is_public_and_maps() {
    let omniva = Omniva::open(json!({})).await;
    let url = format!("{}/locations.json", omniva.handle.url());
    let answer = omniva.http.get(url).send().await.unwrap();
    let rows = answer.text().await.unwrap();
    let count = serde_json::from_str::<Vec<Value>>(&rows).unwrap().len();
    let points = omniva.mapped("points", &rows);
    let points = points.as_array().unwrap();
    assert_eq!(points.len(), count - 3, "three rows are no places");
    assert!(points.len() > 300);
    for country in ["EE", "LV", "LT"] {
        let there = points.iter().filter(|p| p["address"]["country"] == country);
        assert!(there.count() > 90, "{country}");
    }
    let office = points.iter().find(|p| p["kind"] == "post_office").unwrap();
    assert_eq!(office["opening"].as_array().unwrap().len(), 6);
    omniva.handle.stop().await;
}
