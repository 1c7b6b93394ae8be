//! The simulated courier speaks its provider's protocol: refusals with 517, one label a call whatever becomes of the answer, a file
//! that opens, a life that the connector's own mappings read.

use crossdock::canonical::problem::Class;
use crossdock::connector::Registry;
use crossdock::connector::map::{MapInput, map};
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options};
use serde_json::{Value, json};

const CREATE: &str = "/Shipments/LabelService.createLabel.json";
const DELETE: &str = "/Shipments/LabelService.deleteLabels.json";
const STATUSES: &str = "/Shipments/ShipmentService.getShipmentStatuses.json";
const OFFICES: &str = "/Nomenclatures/NomenclaturesService.getOffices.json";

struct Courier {
    handle: Handle,
    http: reqwest::Client,
}

impl Courier {
    /// `day_s` of 0: a parcel's whole life is over the moment it begins.
    async fn open(options: Value) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let source = Source::built_in()
            .into_iter()
            .find(|source| source.name() == "econt")
            .unwrap();
        let options = Options {
            options: options.as_object().unwrap().clone(),
            ..Options::default()
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let folder = Folder::load(source).unwrap();
        let handle = simulator::serve(&folder, listen, options).await.unwrap();
        Self {
            handle,
            http: reqwest::Client::new(),
        }
    }

    fn call(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let credentials = &self.handle.credentials;
        self.http
            .post(format!("{}{path}", self.handle.url()))
            .basic_auth(&credentials["username"], Some(&credentials["password"]))
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    async fn ask(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.call(path, &body).send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn number(&self, label: Value) -> String {
        let (status, answer) = self.ask(CREATE, create(label)).await;
        assert_eq!(status, 200, "{answer}");
        let number = &answer["label"]["shipmentNumber"];
        number.as_str().unwrap().to_owned()
    }

    async fn control(&self, verb: &str, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/_sim{path}", self.handle.url());
        let request = self.http.request(verb.parse().unwrap(), url);
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let bytes = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    }
}

fn create(label: Value) -> Value {
    json!({"mode": "create", "label": label})
}

/// To an office, with cash.
fn label(reference: &str) -> Value {
    json!({
        "senderClient": {"name": "Фенер ООД", "phones": ["+359888000000"]}, "senderOfficeCode": "1040",
        "receiverClient": {"name": "Иван Примеров", "phones": ["+359888123456"]}, "receiverOfficeCode": "1127",
        "packCount": 1, "shipmentType": "pack", "weight": 1.2, "orderNumber": reference, "paymentSenderMethod": "credit",
        "services": {"cdAmount": 48.90, "cdType": "get", "cdCurrency": "EUR"},
    })
}

fn with(mut label: Value, changes: Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        label[key] = value.clone();
    }
    label
}

/// What the connector's mapping makes of an answer; it must not fail.
fn mapped(mapping: &str, answer: &Value) -> Value {
    let registry = Registry::load(None);
    let connector = registry.catalogue().get("econt").unwrap();
    let body = answer.to_string();
    let mapped = map(&connector, mapping, body.as_bytes(), &MapInput::default());
    assert!(mapped.failures.is_empty(), "{:?}", mapped.failures);
    assert!(
        !mapped.warnings.iter().any(|w| w.class == Class::Drift),
        "{:?}",
        mapped.warnings
    );
    mapped.json()
}

#[actix_web::test]
async fn refusals_are_517_and_say_why_deep_inside() {
    let courier = Courier::open(json!({})).await;
    let url = format!("{}{CREATE}", courier.handle.url());
    let stranger = courier
        .http
        .post(url)
        .basic_auth("simulated", Some("other"));
    let answer = stranger.body("{}").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 517);
    let body = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(mapped("error", &body)[0]["class"], "auth_broken");

    let door =
        json!({"city": {"name": "София", "postCode": "9000"}, "street": "ул. Шипка", "num": "1"});
    let cases = [
        (
            json!({"receiverOfficeCode": "9999"}),
            json!(["officeCode", "receiver"]),
        ),
        (
            json!({"receiverOfficeCode": null, "receiverAddress": door}),
            json!(["postCode", "receiver"]),
        ),
        (
            json!({"receiverOfficeCode": null, "receiverAddress": {"city": {"name": "София", "postCode": "1000"}}}),
            json!(["num", "receiver", "street"]),
        ),
        (
            json!({"senderClient": {"name": "", "phones": []}}),
            json!(["name", "sender"]),
        ),
        (json!({"shipmentType": "balloon"}), json!(["shipmentType"])),
        (json!({"shipmentType": "document"}), json!(["weight"])),
        (json!({"packCount": 0}), json!(["packCount"])),
        (
            json!({"services": {"cdAmount": 5, "cdType": "get"}}),
            json!(["cdCurrency"]),
        ),
        (
            json!({"receiverOfficeCode": "950120", "shipmentType": "cargo"}),
            json!([]),
        ),
        (
            json!({"paymentSenderMethod": null}),
            json!(["paymentSenderMethod"]),
        ),
    ];
    for (change, fields) in cases {
        let (status, answer) = courier.ask(CREATE, create(with(label("R"), change))).await;
        assert_eq!(status, 517, "{answer}");
        let error = &mapped("error", &answer)[0];
        assert_eq!(
            (&error["class"], &error["fields"]),
            (&json!("invalid"), &fields),
            "{error}"
        );
    }
    let asked = with(create(label("R")), json!({"mode": "calculate"}));
    let (_, priced) = courier.ask(CREATE, asked).await;
    let priced = &mapped("label", &priced)[0];
    assert_eq!(priced["tracking_number"], Value::Null);
    assert_eq!(priced["charges"][0]["total"]["amount"], "7.72");
    assert_eq!(courier.control("GET", "/labels", None).await["labels"], 0);
}

#[actix_web::test]
async fn a_lost_answer_leaves_one_label_and_a_refused_call_none() {
    let courier = Courier::open(json!({})).await;
    let lost = json!({"route": "create", "drop_answer": true});
    courier.control("POST", "/faults", Some(lost)).await;
    let answer = courier.call(CREATE, &create(label("LOST"))).send().await;
    // The connection breaks, wherever the caller notices.
    let read = match answer {
        Ok(answer) => answer.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(read.is_err());
    for fault in [
        json!({"route": "create", "status": 503}),
        json!({"route": "create", "status": 429}),
    ] {
        courier.control("POST", "/faults", Some(fault)).await;
        let answer = courier
            .call(CREATE, &create(label("DOWN")))
            .send()
            .await
            .unwrap();
        assert!(!answer.status().is_success());
    }
    courier.number(label("TWICE")).await;
    courier.number(label("TWICE")).await;
    let counts = courier.control("GET", "/labels", None).await;
    assert_eq!(
        counts,
        json!({"labels": 3, "made": {"LOST": 1, "TWICE": 2}, "deleted": []})
    );
}

#[actix_web::test]
async fn the_file_of_a_label_is_a_pdf_whose_parts_are_where_it_says() {
    let courier = Courier::open(json!({})).await;
    let (_, answer) = courier.ask(CREATE, create(label("R (1)"))).await;
    let url = mapped("label", &answer)[0]["documents"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let get = |url: String| async { courier.http.get(url).send().await.unwrap() };
    assert_eq!(
        get(format!("{url}0")).await.status().as_u16(),
        404,
        "a wrong key"
    );
    let answer = get(url).await;
    assert_eq!(answer.headers()["content-type"], "application/pdf");
    let bytes = answer.bytes().await.unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.is_ascii() && text.starts_with("%PDF-1.4\n") && text.ends_with("%%EOF\n"));
    assert!(text.contains("(COD 48.90 EUR)") && text.contains("(To: Ivan Primerov)"));
    let table = text.rsplit("startxref\n").next().unwrap();
    let table: usize = table.lines().next().unwrap().parse().unwrap();
    let offsets = text[table..]
        .lines()
        .skip(3)
        .take(5)
        .map(|line| line[..10].parse::<usize>().unwrap());
    for (number, offset) in (1..).zip(offsets) {
        assert!(
            text[offset..].starts_with(&format!("{number} 0 obj\n")),
            "object {number}"
        );
    }
    let length: usize = text
        .split("/Length ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let page = text.split_once("stream\n").unwrap().1;
    assert!(
        page[length..].starts_with("endstream"),
        "as long as it says"
    );
}

#[actix_web::test]
async fn a_parcel_lives_to_the_door_or_back_and_its_cash_with_it() {
    let courier = Courier::open(json!({"day_s": 0, "refused_every": 2})).await;
    let (refused, kept) = (
        courier.number(label("1")).await,
        courier.number(label("2")).await,
    );
    let (_, told) = courier
        .ask(STATUSES, json!({"shipmentNumbers": [kept, refused, "123"]}))
        .await;
    assert_eq!(told["shipmentStatuses"][2]["status"], Value::Null);
    let parcels = mapped("tracking", &told);
    let statuses = |parcel: &Value| -> Vec<String> {
        let events = parcel["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["status"].as_str().unwrap().to_owned())
            .collect()
    };
    let way = [
        "pre_transit",
        "in_transit",
        "in_transit",
        "in_transit",
        "available_for_pickup",
    ];
    let ends: [(&Value, &[&str], &str); 2] = [
        (&parcels[0], &["delivered"], "remitted"),
        (
            &parcels[1],
            &["return_in_transit", "return_in_transit", "returned"],
            "not_due",
        ),
    ];
    for (parcel, end, cash) in ends {
        assert_eq!(statuses(parcel), [&way[..], end].concat());
        assert_eq!(parcel["cod"]["status"], cash);
    }
    assert_eq!(
        parcels[0]["cod"]["amount"],
        json!({"amount": "48.90", "currency": "EUR"})
    );
    assert_eq!(parcels.as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_label_can_be_deleted_until_the_courier_has_the_parcel() {
    let courier = Courier::open(json!({})).await;
    let (first, second) = (
        courier.number(label("1")).await,
        courier.number(label("2")).await,
    );
    courier
        .control("POST", &format!("/labels/{second}/in_pickup_courier"), None)
        .await;
    let (_, answer) = courier
        .ask(DELETE, json!({"shipmentNumbers": [first, second, "123"]}))
        .await;
    let refused = |index: usize| answer["results"][index]["error"]["message"].as_str();
    assert_eq!(refused(0), None);
    assert!(
        refused(1).unwrap().contains("приета") && refused(2).unwrap().contains("Не е намерена")
    );
    let (_, told) = courier
        .ask(STATUSES, json!({"shipmentNumbers": [first]}))
        .await;
    let parcel = &mapped("tracking", &told)[0];
    assert_eq!(parcel["events"][1]["status"], "cancelled");
    assert_eq!(parcel["cod"]["status"], "not_due");
    assert_eq!(
        courier.control("GET", "/labels", None).await["deleted"],
        json!([first])
    );
    courier
        .control("POST", &format!("/labels/{second}/client"), None)
        .await;
    let (_, told) = courier
        .ask(STATUSES, json!({"shipmentNumbers": [second]}))
        .await;
    assert_eq!(mapped("tracking", &told)[0]["cod"]["status"], "collected");
}

#[actix_web::test]
async fn every_office_is_a_point_that_a_label_can_go_to() {
    let courier = Courier::open(json!({})).await;
    for (country, code, least) in [("BGR", "BG", 300), ("GRC", "GR", 20)] {
        let (_, offices) = courier.ask(OFFICES, json!({"countryCode": country})).await;
        let points = mapped("points", &offices);
        let points = points.as_array().unwrap();
        assert!(points.len() >= least, "{}", points.len());
        assert!(points.iter().all(|point| point["address"]["country"] == code && point["geo"]["lat"].is_number()));
        let ids: std::collections::BTreeSet<_> = points
            .iter()
            .map(|point| point["point_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), points.len(), "a code is one office");
        for id in [ids.first().unwrap(), ids.last().unwrap()] {
            courier
                .number(with(label("R"), json!({"receiverOfficeCode": id})))
                .await;
        }
    }
}
