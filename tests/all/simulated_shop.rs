//! The simulated shop speaks its provider's protocol: signatures that prove, webhooks that switch off, refunds that hide lines.

use base64::Engine;
use crossdock::connector::Registry;
use crossdock::connector::map::{MapInput, map};
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options, warehouse};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{header_exists, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const HOOK_SECRET: &str = "a secret of sixteen";

fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

struct Shop {
    handle: Handle,
    http: reqwest::Client,
}

impl Shop {
    async fn open(options: Value) -> Self {
        let source = Source::built_in()
            .into_iter()
            .find(|source| source.name() == "woocommerce")
            .unwrap();
        let options = Options {
            options: options.as_object().unwrap().clone(),
            ..Options::default()
        };
        let handle = simulator::serve(
            &Folder::load(source).unwrap(),
            "127.0.0.1:0".parse().unwrap(),
            options,
        )
        .await
        .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            handle,
            http: reqwest::Client::new(),
        }
    }

    /// A call signed by OAuth 1.0a, as the shop wants it on plain http.
    async fn api(
        &self,
        verb: &str,
        route: &str,
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> reqwest::Response {
        let url = format!("{}/wp-json/wc/v3{route}", self.handle.url());
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let now = jiff::Timestamp::now().as_second().to_string();
        let mut params: Vec<(String, String)> = query
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let key = self.handle.credentials["consumer_key"].as_str();
        for (name, value) in [
            ("oauth_consumer_key", key),
            ("oauth_nonce", "n0nce"),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", &now),
        ] {
            params.push((name.to_owned(), value.to_owned()));
        }
        params.sort();
        let joined = params
            .iter()
            .map(|(n, v)| format!("{}={}", encode(n), encode(v)))
            .collect::<Vec<_>>()
            .join("&");
        let base = format!("{verb}&{}&{}", encode(&url), encode(&joined));
        let signature = hmac(
            format!("{}&", self.handle.credentials["consumer_secret"]).as_bytes(),
            base.as_bytes(),
        );
        let request = self.http.request(
            verb.parse().unwrap(),
            format!("{url}?{joined}&oauth_signature={}", encode(&signature)),
        );
        match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        }
        .send()
        .await
        .unwrap()
    }

    async fn sim(&self, verb: &str, route: &str, body: Value) -> Value {
        let request = self.http.request(
            verb.parse().unwrap(),
            format!("{}/_sim{route}", self.handle.url()),
        );
        let answer = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert!(
            answer.status().is_success(),
            "{verb} {route}: {}",
            answer.text().await.unwrap()
        );
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    async fn register(&self, receiver: &MockServer) -> Value {
        let hook = json!({"topic": "order.created", "delivery_url": receiver.uri(), "secret": HOOK_SECRET, "status": "active"});
        json_of(self.api("POST", "/webhooks", &[], Some(hook)).await).await
    }

    /// Waits until no webhook is queued.
    async fn settled(&self) -> Value {
        for _ in 0..600 {
            let state = self.sim("GET", "/state", Value::Null).await;
            if state["webhooks"]["waiting"] == 0 {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("webhooks still wait")
    }
}

async fn json_of(answer: reqwest::Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn receiver(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(header_exists("x-wc-webhook-signature"))
        .respond_with(ResponseTemplate::new(status))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    server
}

#[actix_web::test]
async fn callers_are_proved_and_lists_are_paged() {
    let shop = Shop::open(json!({})).await;
    let stranger = shop
        .http
        .get(format!("{}/wp-json/wc/v3/orders", shop.handle.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(
        json_of(stranger).await["code"],
        "woocommerce_rest_cannot_view"
    );
    shop.sim("POST", "/orders", json!({"count": 7, "quiet": true}))
        .await;
    let page = shop
        .api(
            "GET",
            "/orders",
            &[
                ("per_page", "5"),
                ("orderby", "modified"),
                ("order", "asc"),
                ("status", "any"),
            ],
            None,
        )
        .await;
    assert_eq!(page.headers()["x-wp-total"], "7");
    assert_eq!(page.headers()["x-wp-totalpages"], "2");
    assert_eq!(json_of(page).await.as_array().unwrap().len(), 5);
    assert_eq!(
        shop.api("GET", "/orders", &[("per_page", "101")], None)
            .await
            .status(),
        400
    );
    assert_eq!(
        shop.api("GET", "/orders/7/fulfillments", &[], None)
            .await
            .status(),
        404,
        "the feature is off"
    );
    shop.handle.stop().await;
}

#[actix_web::test]
async fn made_orders_map_and_add_up() {
    let shop = Shop::open(json!({})).await;
    shop.sim("POST", "/orders", json!({"count": 60})).await;
    let orders = shop
        .api(
            "GET",
            "/orders",
            &[("per_page", "100"), ("status", "any")],
            None,
        )
        .await
        .bytes()
        .await
        .unwrap();
    let registry = Registry::load(None);
    let mapped = map(
        &registry.catalogue().get("woocommerce").unwrap(),
        "order",
        &orders,
        &MapInput::default(),
    );
    assert_eq!(mapped.failures, vec![]);
    assert_eq!(mapped.warnings, vec![], "amounts add up, no unknown codes");
    let mapped = mapped.json();
    assert_eq!(mapped.as_array().unwrap().len(), 60);
    let has = |pointer: &str, value: &str| {
        mapped
            .as_array()
            .unwrap()
            .iter()
            .any(|order| order.pointer(pointer) == Some(&json!(value)))
    };
    for (pointer, value) in [
        ("/payment/method", "cod"),
        ("/payment/status", "paid"),
        ("/payment/status", "partially_refunded"),
        ("/channel_state", "cancelled"),
        ("/channel_state", "pending_payment"),
        ("/delivery/mode", "pickup_point"),
        ("/ship_to/country", "GR"),
        ("/ship_to/country", "BG"),
    ] {
        assert!(
            has(pointer, value),
            "no made order has {value} at {pointer}"
        );
    }
    shop.handle.stop().await;
}

#[actix_web::test]
async fn webhooks_are_signed_and_pinged_and_switched_off() {
    let shop = Shop::open(json!({})).await;
    let (good, bad) = (receiver(200).await, receiver(500).await);
    shop.register(&good).await;
    let hook = shop.register(&bad).await;
    shop.sim("POST", "/orders", json!({"count": 8, "quiet": true}))
        .await;
    let state = shop.settled().await;
    let received = good.received_requests().await.unwrap();
    assert_eq!(received.len(), 9, "a ping and eight orders");
    assert!(
        received[0].body.starts_with(b"webhook_id="),
        "the ping is a form"
    );
    for request in &received[1..] {
        assert_eq!(
            request.headers["x-wc-webhook-signature"],
            hmac(HOOK_SECRET.as_bytes(), &request.body).as_str()
        );
        assert_eq!(request.headers["x-wc-webhook-topic"], "order.created");
    }
    assert_eq!(
        bad.received_requests().await.unwrap().len(),
        7,
        "a ping and six failures, then it is off"
    );
    assert_eq!(
        state["state"]["webhooks"][hook["id"].to_string()]["status"],
        "disabled"
    );
    let again = shop
        .api(
            "PUT",
            &format!("/webhooks/{}", hook["id"]),
            &[],
            Some(json!({"status": "active"})),
        )
        .await;
    assert_eq!(json_of(again).await["status"], "active");
    shop.handle.stop().await;
}

#[actix_web::test]
async fn faults_come_when_asked_for() {
    let shop = Shop::open(json!({})).await;
    let receiver = receiver(200).await;
    shop.register(&receiver).await;
    shop.sim(
        "POST",
        "/faults",
        json!({"route": "orders.list", "status": 429, "headers": {"Retry-After": "7"}, "times": 1}),
    )
    .await;
    let throttled = shop.api("GET", "/orders", &[], None).await;
    assert_eq!(
        (
            throttled.status().as_u16(),
            &throttled.headers()["retry-after"]
        ),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(
        shop.api("GET", "/orders", &[], None).await.status(),
        200,
        "once only"
    );
    shop.settled().await;
    shop.sim("POST", "/faults", json!({"double_webhooks": true}))
        .await;
    shop.sim("POST", "/faults", json!({"reorder_webhooks": true}))
        .await;
    shop.sim("POST", "/orders", json!({"count": 3, "quiet": true}))
        .await;
    shop.settled().await;
    let ids: Vec<Value> = receiver.received_requests().await.unwrap()[1..]
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], ids[1], "the first came twice");
    assert!(
        ids[2].as_i64() > ids[3].as_i64(),
        "the second came after the third"
    );
    shop.handle.stop().await;
}

#[actix_web::test]
async fn a_refund_hides_its_lines_in_the_order_and_tells_them_apart() {
    let shop = Shop::open(json!({})).await;
    let made = shop
        .sim("POST", "/orders", json!({"count": 1, "quiet": true}))
        .await;
    let id = made["ids"][0].to_string();
    shop.sim("POST", &format!("/orders/{id}/refund"), Value::Null)
        .await;
    let order = json_of(shop.api("GET", &format!("/orders/{id}"), &[], None).await).await;
    let refunds = json_of(
        shop.api("GET", &format!("/orders/{id}/refunds"), &[], None)
            .await,
    )
    .await;
    let registry = Registry::load(None);
    let connector = registry.catalogue().get("woocommerce").unwrap();
    let mapped = |payload: Value| {
        map(
            &connector,
            "order",
            payload.to_string().as_bytes(),
            &MapInput::default(),
        )
    };
    let plain = mapped(order.clone());
    assert_eq!(plain.json()[0]["details_missing"], true);
    let both = mapped(json!({"order": order, "refunds": refunds}));
    assert_eq!(
        (both.failures.len(), both.warnings.len()),
        (0, 0),
        "reduced lines and totals add up"
    );
    assert_eq!(both.json()[0]["details_missing"], false);
    assert_eq!(both.json()[0]["lines"][0]["cancelled_quantity"], 1);
    shop.handle.stop().await;
}

/// A gateway that knows one fulfillment order, for the warehouse to work on.
async fn gateway() -> MockServer {
    let server = MockServer::start().await;
    let order = |status: &str| json!({"id": "ful_1", "revision": 3, "status": status, "request": null, "lines": []});
    let get = || Mock::given(method("GET")).and(path("/v1/fulfillment-orders/ful_1"));
    get()
        .respond_with(ResponseTemplate::new(200).set_body_json(order("submitted")))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    get()
        .respond_with(ResponseTemplate::new(200).set_body_json(order("in_progress")))
        .mount(&server)
        .await;
    for answer in ["accept", "ship"] {
        let at = format!("/v1/fulfillment-orders/ful_1/{answer}");
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
            .mount(&server)
            .await;
    }
    server
}

#[actix_web::test]
async fn the_warehouse_believes_signed_deliveries_only_and_answers_them() {
    let gateway = gateway().await;
    let none = Duration::ZERO;
    let options = warehouse::Options {
        gateway: gateway.uri(),
        accept_after: none,
        ship_after: none,
        ..warehouse::Options::default()
    };
    let wms = warehouse::serve("127.0.0.1:0".parse().unwrap(), options)
        .await
        .unwrap();
    let secret = crossdock::egress::sign::new_secret();
    wms.trust(secrecy::ExposeSecret::expose_secret(&secret));
    let body = json!({"type": "fulfillment_order.submitted", "data": {"fulfillment_order": {"id": "ful_1", "revision": 3}}}).to_string();
    let now = jiff::Timestamp::now().as_second();
    let signature =
        crossdock::egress::sign::Signer::new(&secret)
            .unwrap()
            .sign("evt_1", now, body.as_bytes());
    let http = reqwest::Client::new();
    let deliver = |signature: String| {
        let request = http
            .post(format!("http://{}/events", wms.addr))
            .header("webhook-id", "evt_1")
            .header("webhook-timestamp", now.to_string());
        request
            .header("webhook-signature", signature)
            .body(body.clone())
            .send()
    };
    assert_eq!(deliver("v1,bm8=".into()).await.unwrap().status(), 401);
    assert_eq!(deliver(signature.clone()).await.unwrap().status(), 204);
    assert_eq!(deliver(signature).await.unwrap().status(), 204);
    for _ in 0..600 {
        if wms.counters()["shipped"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let counters = wms.counters();
    assert_eq!(
        (
            &counters["refused"],
            &counters["received"],
            &counters["repeated"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        (&counters["accepted"], &counters["shipped"]),
        (&json!(1), &json!(1))
    );
    let told = gateway.received_requests().await.unwrap();
    let shipped = told
        .iter()
        .find(|request| request.url.path().ends_with("/ship"))
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&shipped.body).unwrap()["revision"],
        3
    );
    wms.stop().await;
}
