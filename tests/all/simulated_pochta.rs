//! Labels of the Russian post, end to end: an order is made once whatever becomes of the answer, its form is a PDF, the tracking service is
//! asked by SOAP until the parcel is handed over, and then for the money.

use super::support::dock::{numbers, settled};
use super::support::gateway::{PATIENCE, TOKEN, client};
use super::support::{Gateway, orders};
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options};
use serde_json::{Value, json};

/// Two simulated days pass in a few seconds.
const QUICK: u64 = 60_000;
/// The post is quick to scan it.
const ENDS: [&str; 3] = ["purchased", "printed", "handed_over"];

struct Post {
    handle: Handle,
    http: reqwest::Client,
}

/// A gateway with a shop and an account at the post; what a hook and a ship need.
struct Depot {
    gateway: Gateway,
    hook: String,
    account: Value,
    // Removed when the test ends.
    _data: tempfile::TempDir,
}

impl Post {
    async fn open(options: Value) -> Self {
        let named = |source: &Source| source.name() == "pochta-rossii";
        let source = Source::built_in().into_iter().find(named).unwrap();
        let options = Options {
            options: options.as_object().unwrap().clone(),
            ..Options::default()
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let handle = simulator::serve(&Folder::load(source).unwrap(), listen, options).await;
        Self {
            handle: handle.unwrap(),
            http: client(),
        }
    }

    async fn control(&self, verb: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/_sim{path}", self.handle.url());
        let request = self.http.request(verb.parse().unwrap(), url);
        let request = request.header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{verb} {path}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    async fn depot(&self) -> Depot {
        let data = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(data.path(), &[]).await;
        let (shop, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
        let shop = gateway.get(&format!("/v1/connections/{shop}")).await;
        let mut settings = json!(self.handle.settings);
        settings["tracking_every_s"] = json!(1);
        let sender = json!({"name": "Склад", "line1": "ул. Складская 1", "postal_code": "109012", "city": "Москва", "country": "RU"});
        let account = json!({
            "merchant_id": shop["merchant_id"], "connector": "pochta-rossii", "name": "Post", "state": "active",
            "settings": settings, "credentials": self.handle.credentials, "contracts": {"default": {"sender": sender}},
        });
        let account = gateway.post("/v1/connections", account).await["id"].clone();
        Depot {
            gateway,
            hook,
            account,
            _data: data,
        }
    }
}

/// Paid at the door, in roubles.
fn order(id: u64) -> Value {
    let mut order = orders::order(id, 1);
    let address = json!({
        "first_name": "Иван", "last_name": "Примеров", "company": "", "address_1": "ул. Ленина 12-5", "address_2": "",
        "city": "Новосибирск", "state": "", "postcode": "630099", "country": "RU", "email": "ivan@example.test",
        "phone": "+79161234567",
    });
    order["billing"] = address.clone();
    order["shipping"] = address;
    order["currency"] = json!("RUB");
    order["payment_method"] = json!("cod");
    order["payment_method_title"] = json!("Cash on delivery");
    order["date_paid"] = Value::Null;
    order["date_paid_gmt"] = Value::Null;
    order
}

impl Depot {
    /// Ships an order of one parcel; the shipment's id.
    async fn ship(&self, id: u64) -> String {
        let body = order(id).to_string();
        let sent = self.gateway.webhook(&self.hook, &body).await;
        assert_eq!(sent, Some(200));
        let part = self.gateway.submitted(&id.to_string()).await;
        let body = json!({"shipment_ref": format!("W-{id}"), "parcels": [{"weight_g": 900}], "carrier_connection_id": self.account});
        let path = format!("/v1/fulfillment-orders/{part}/ship");
        let shipped = self.gateway.post(&path, body).await;
        shipped["id"].as_str().unwrap().to_owned()
    }

    /// The label's file, once it is there.
    async fn label(&self, id: &str) -> String {
        let url = self.gateway.url(&format!("/v1/shipments/{id}/label"));
        let limit = tokio::time::Instant::now() + PATIENCE;
        loop {
            let label = self.gateway.http.get(&url).bearer_auth(TOKEN).send();
            let label = label.await.unwrap();
            if label.status().is_success() {
                return label.text().await.unwrap();
            }
            assert!(tokio::time::Instant::now() < limit, "no file");
            // A long poll of the feed is the pause.
            self.gateway.get("/v1/events?after=999999999&wait=1").await;
        }
    }

    async fn tracked(&self, number: &str, status: &str) {
        let fits = |event: &Value| {
            let data = &event["data"];
            let told = data["tracking"]["status"] == status && data["tracking_number"] == number;
            event["type"] == "tracking.updated" && told
        };
        self.gateway.wait_for_event(fits).await;
    }
}

#[tokio::test]
async fn a_parcel_is_bought_once_tracked_and_its_money_followed() {
    let post = Post::open(json!({"speed": QUICK})).await;
    let depot = post.depot().await;
    let lost = json!({"route": "create", "drop_answer": true});
    post.control("POST", "/faults", lost).await;
    let id = depot.ship(1).await;
    let shipment = settled(&depot.gateway, &id, &ENDS).await;
    let made = post.control("GET", "/labels", Value::Null).await;
    assert_eq!(made["total"], 1, "once, though the answer was lost: {made}");
    let number = numbers(&shipment).remove(0);
    assert_eq!(made["labels"][0]["barcode"], number.as_str());
    assert_eq!(made["labels"][0]["payment"], 2852, "kopecks");
    let label = depot.label(&id).await;
    assert!(label.starts_with("%PDF") && label.contains("(COD 28.52 RUB)"));

    depot.tracked(&number, "delivered").await;
    let kinds = ["cod.collected", "cod.remitted"];
    let mut waiting: Vec<&str> = kinds.to_vec();
    let all_told = |event: &Value| {
        waiting.retain(|kind| event["type"] != *kind);
        waiting.is_empty()
    };
    depot.gateway.wait_for_event(all_told).await;
    let problems = depot.gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
    post.handle.stop().await;
}

#[tokio::test]
async fn a_parcel_that_nobody_fetches_comes_back_and_owes_nothing() {
    let post = Post::open(json!({"speed": QUICK, "unclaimed_every": 1})).await;
    let depot = post.depot().await;
    let id = depot.ship(2).await;
    let shipment = settled(&depot.gateway, &id, &ENDS).await;
    let number = numbers(&shipment).remove(0);
    depot.tracked(&number, "returned").await;
    let items = depot.gateway.get("/v1/cod/items").await;
    assert_eq!(items["data"][0]["status"], "not_due", "{items:#}");
    post.handle.stop().await;
}

#[tokio::test]
async fn a_void_deletes_the_order() {
    let post = Post::open(json!({})).await;
    let depot = post.depot().await;
    let id = depot.ship(3).await;
    let shipment = settled(&depot.gateway, &id, &ENDS).await;
    let path = format!("/v1/shipments/{id}/void");
    depot.gateway.post(&path, json!({})).await;
    settled(&depot.gateway, &id, &["voided"]).await;
    let made = post.control("GET", "/labels", Value::Null).await;
    assert_eq!(made["deleted"], json!(numbers(&shipment)));
    post.handle.stop().await;
}
