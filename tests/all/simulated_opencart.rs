//! A whole gateway beside a simulated OpenCart shop with our extension: signed calls and events, pages of changed orders, and
//! shipments that are told once although the answer is lost.

use super::support::Gateway;
use super::support::provider::Provider;
use crossdock::connector::Registry;
use crossdock::connector::map::{MapInput, map};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

const CALL: &str = "/index.php?route=extension%2Fcrossdock%2Fapi&call=";

struct Cart(Provider);

impl std::ops::Deref for Cart {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.0
    }
}

impl Cart {
    async fn open(version: &str) -> Self {
        Self(Provider::open("opencart", json!({"version": version})).await)
    }

    /// A call signed as the extension wants it, at a moment so many seconds away.
    async fn signed(&self, method: &str, query: &str, body: Value, off: i64) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let target = format!("{CALL}{query}");
        let moment = (jiff::Timestamp::now().as_second() + off).to_string();
        let secret = self.handle.credentials["api_secret"].as_bytes();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret).unwrap();
        mac.update([method, &target, &moment, &body].join("\n").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = self
            .http
            .request(
                method.parse().unwrap(),
                format!("{}{target}", self.handle.url()),
            )
            .header("content-type", "application/json")
            .header("x-crossdock-timestamp", moment)
            .header("x-crossdock-signature", format!("v1={signature}"));
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn call(&self, method: &str, query: &str, body: Value) -> (u16, Value) {
        self.signed(method, query, body, 0).await
    }

    /// So many orders are placed and nothing else happens to them; their numbers.
    async fn orders(&self, count: usize) -> Vec<String> {
        let wish = json!({"count": count, "quiet": true});
        let made = self.sim("POST", "/orders", wish).await;
        let ids = made["ids"].as_array().unwrap();
        ids.iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect()
    }

    /// One more order, cash on delivery or paid, so that it is released at once; its number.
    async fn released(&self) -> String {
        loop {
            let id = self.orders(1).await.remove(0);
            let state = self.sim("GET", "/state", Value::Null).await;
            let order = &state["state"]["orders"][&id];
            let code = order["payment_code"]
                .as_str()
                .or_else(|| order["payment_method"]["code"].as_str());
            if !code.unwrap().starts_with("bank") {
                return id;
            }
        }
    }

    /// Plugs it into this gateway and waits until it knows where events go; the connection's id.
    async fn plug(&self, gateway: &Gateway) -> String {
        let merchant = gateway
            .post("/v1/merchants", json!({"name": "Pottery"}))
            .await;
        let connection = json!({"merchant_id": merchant["id"], "connector": "opencart", "name": "Shop", "state": "active",
            "release_from": "2020-01-01T00:00:00Z", "settings": self.handle.settings, "credentials": self.handle.credentials});
        let connection = gateway.post("/v1/connections", connection).await;
        self.until(|state| state["state"]["hooks"] != json!({}))
            .await;
        connection["id"].as_str().unwrap().to_owned()
    }
}

async fn start() -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    (data, gateway)
}

async fn order(gateway: &Gateway, id: &str) -> Value {
    let found = gateway.get(&format!("/v1/orders?external_id={id}")).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1, "{found:#}");
    found["data"][0].clone()
}

async fn no_problems(gateway: &Gateway) {
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
}

#[actix_web::test]
async fn it_speaks_as_the_extension_does() {
    let cart = Cart::open("3").await;
    let stranger = cart.http.get(format!("{}{CALL}ping", cart.handle.url()));
    assert_eq!(stranger.send().await.unwrap().status().as_u16(), 401);
    let old = cart.signed("GET", "ping", Value::Null, -301).await;
    assert_eq!((old.0, &old.1["error"]["code"]), (401, &json!("signature")));
    let ids = cart.orders(5).await;
    let (mut read, mut query) = (
        Vec::new(),
        "orders&limit=2&modified_from=2020-01-01T00:00:00Z&after_id=0".to_owned(),
    );
    loop {
        let (status, page) = cart.call("GET", &query, Value::Null).await;
        assert_eq!(status, 200);
        let orders = page["orders"].as_array().unwrap();
        assert!(orders.len() <= 2);
        read.extend(
            orders
                .iter()
                .map(|order| order["order_id"].as_str().unwrap().to_owned()),
        );
        let next = &page["next"];
        if next.is_null() {
            break;
        }
        let from = next["modified_from"].as_str().unwrap();
        query = format!(
            "orders&limit=2&modified_from={from}&after_id={}",
            next["after_id"]
        );
    }
    assert_eq!(read, ids, "each order once, by change");
    let shipped =
        json!({"order_id": ids[0], "order_status_id": "3", "comment": "x", "idempotency_key": "k"});
    let (_, first) = cart.call("POST", "history", shipped.clone()).await;
    let (_, again) = cart.call("POST", "history", shipped).await;
    assert_eq!(
        (&first["repeated"], &again["repeated"]),
        (&json!(false), &json!(true))
    );
    let outside = json!({"order_id": ids[0], "order_status_id": "21", "idempotency_key": "k2"});
    let (status, refused) = cart.call("POST", "history", outside).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (422, &json!("would_restock"))
    );
    let levels =
        json!({"levels": [{"sku": "BREAD-400", "quantity": 7}, {"sku": "nobody", "quantity": 1}]});
    let (status, set) = cart.call("POST", "stock", levels).await;
    assert_eq!(
        (status, &set["results"][0]["product_id"]),
        (200, &json!("74"))
    );
    assert_eq!(set["results"][1]["error"]["code"], "product_missing");
    let state = cart.until(|_| true).await;
    assert_eq!(state["state"]["stock"]["74"], 7);
    cart.0.handle.stop().await;
}

#[actix_web::test]
async fn made_orders_of_both_versions_map_and_add_up() {
    for version in ["3", "4"] {
        let cart = Cart::open(version).await;
        cart.sim("POST", "/orders", json!({"count": 90})).await;
        let query = "orders&modified_from=2020-01-01T00:00:00Z&after_id=0&limit=100";
        let (_, page) = cart.call("GET", query, Value::Null).await;
        let registry = Registry::load(None);
        let connector = registry.catalogue().get("opencart").unwrap();
        let body = page.to_string();
        let mapped = map(&connector, "order", body.as_bytes(), &MapInput::default());
        assert_eq!(mapped.failures, vec![]);
        assert_eq!(mapped.warnings, vec![], "amounts add up, no unknown codes");
        let orders = mapped.json();
        let orders = orders.as_array().unwrap();
        assert_eq!(orders.len(), 90);
        for (pointer, value) in [
            ("/payment/method", "cod"),
            ("/payment/status", "paid"),
            ("/channel_state", "pending_payment"),
            ("/channel_state", "cancelled"),
            ("/delivery/mode", "pickup_point"),
            ("/currency", "HUF"),
            ("/ship_to/country", "GR"),
        ] {
            let has = |order: &Value| order.pointer(pointer) == Some(&json!(value));
            assert!(
                orders.iter().any(has),
                "no made order has {value} at {pointer}"
            );
        }
        cart.0.handle.stop().await;
    }
}

#[actix_web::test]
async fn events_come_in_and_a_shipment_is_told_once() {
    let cart = Cart::open("4").await;
    let (_data, gateway) = start().await;
    cart.plug(&gateway).await;
    let id = cart.released().await;
    let part = gateway.submitted(&id).await;
    assert_eq!(order(&gateway, &id).await["source"], "webhook");
    let lost = json!({"route": "history", "drop_answer": true});
    cart.sim("POST", "/faults", lost).await;
    let shipped = gateway.ship(&part, "W-1").await.unwrap();
    assert_eq!(shipped.status, 201, "{}", shipped.json);
    // The answer was lost, so it is asked for again, under the same key.
    let state = cart
        .until(|state| state["counters"]["request.history"] == 2)
        .await;
    let commands = state["state"]["commands"].as_object().unwrap();
    let told: Vec<&Value> = commands.values().collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let comment = told[0]["comment"].as_str().unwrap();
    assert!(
        comment.contains("TN-W-1") && comment.contains("(W-1)"),
        "{comment}"
    );
    let order = &state["state"]["orders"][&id];
    let statuses: Vec<&Value> = order["histories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["order_status_id"])
        .collect();
    assert_eq!(statuses.len(), 2, "placed and shipped: {statuses:?}");
    assert_eq!(order["order_status_id"], "3");
    let closed = |event: &Value| {
        event["type"] == "order.closed" && event["data"]["order"]["external_id"] == id.as_str()
    };
    let seen = gateway.all_events().await;
    assert!(
        !seen
            .iter()
            .any(|event| closed(event)
                && event["data"]["order"]["closed_reason"] == "closed_elsewhere"),
        "our own push that comes back closes nothing"
    );
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    cart.0.handle.stop().await;
}

#[actix_web::test]
async fn what_no_event_told_is_read_by_pages() {
    let cart = Cart::open("3").await;
    // More than two pages, all changed within a second or two.
    let ids = cart.orders(210).await;
    let (_data, gateway) = start().await;
    let connection = cart.plug(&gateway).await;
    let last = ids.last().unwrap().clone();
    let received = |id: String| {
        move |event: &Value| {
            event["type"] == "order.received"
                && event["data"]["order"]["external_id"] == id.as_str()
        }
    };
    gateway.wait_for_event(received(last)).await;
    let ledger = gateway.get("/v1/ledger").await;
    assert_eq!(ledger["data"][0]["received"], 210, "{ledger:#}");
    let drop_it = json!({"drop_webhooks": true});
    cart.sim("POST", "/faults", drop_it).await;
    let id = cart.orders(1).await.remove(0);
    let pull = format!("/v1/connections/{connection}/pull");
    gateway.post(&pull, json!({})).await;
    gateway.wait_for_event(received(id.clone())).await;
    assert_eq!(order(&gateway, &id).await["source"], "poll");
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    cart.0.handle.stop().await;
}

#[actix_web::test]
async fn what_the_shop_cancels_or_deletes_is_cancelled() {
    let cart = Cart::open("3").await;
    let (_data, gateway) = start().await;
    cart.plug(&gateway).await;
    for how in ["status/7", "delete"] {
        let id = cart.released().await;
        gateway.submitted(&id).await;
        let route = format!("/orders/{id}/{how}");
        cart.sim("POST", &route, Value::Null).await;
        let cancelled = |event: &Value| {
            event["type"] == "order.cancelled"
                && event["data"]["order"]["external_id"] == id.as_str()
        };
        gateway.wait_for_event(cancelled).await;
    }
    assert!(gateway.stop().await.success());
    cart.0.handle.stop().await;
}
