//! A shop without webhooks, end to end: orders are found by polling with signed calls, shipments are made once with their numbers and
//! only the rows that were packed, whatever becomes of the answers.

use super::support::Gateway;
use super::support::provider::Provider;
use crossdock::connector::Registry;
use crossdock::connector::map::{MapInput, map};
use serde_json::{Value, json};

struct Shop(Provider);

impl std::ops::Deref for Shop {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.0
    }
}

impl Shop {
    async fn open() -> Self {
        Self(Provider::open("magento", json!({})).await)
    }

    async fn state(&self) -> Value {
        self.sim("GET", "/state", Value::Null).await["state"].clone()
    }

    async fn put(&self, id: u64, order: Value) {
        self.sim("PUT", &format!("/orders/{id}"), order).await;
    }

    /// Waits until the shop's state fits.
    async fn until(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let all = self.0.until(|all| fits(&all["state"])).await;
        all["state"].clone()
    }

    /// An active connection to it; its id.
    async fn connected(&self, gateway: &Gateway) -> String {
        let named = json!({"name": "Test merchant"});
        let merchant = gateway.post("/v1/merchants", named).await;
        let connection = json!({
            "merchant_id": merchant["id"], "connector": "magento", "name": "Shop", "state": "active",
            "release_from": "2020-01-01T00:00:00Z", "settings": {"base_url": self.handle.url()},
            "credentials": self.handle.credentials,
        });
        let connection = gateway.post("/v1/connections", connection).await;
        connection["id"].as_str().unwrap().to_owned()
    }
}

fn row(id: u64, kind: &str, sku: &str, quantity: u64, price: u64) -> Value {
    json!({
        "item_id": id, "product_type": kind, "sku": sku, "name": sku, "qty_ordered": quantity, "qty_canceled": 0,
        "qty_refunded": 0, "qty_shipped": 0, "qty_invoiced": quantity, "is_virtual": 0, "price": price,
        "price_incl_tax": price, "row_total": price * quantity, "row_total_incl_tax": price * quantity,
        "tax_amount": 0, "tax_percent": 0, "discount_amount": 0,
    })
}

/// A paid order: a configurable of two and a mug.
fn order(id: u64) -> Value {
    let mut child = row(id * 10 + 2, "simple", "TEE-M-BLU", 2, 0);
    child["parent_item_id"] = json!(id * 10 + 1);
    let address = json!({
        "firstname": "Ελένη", "lastname": "Παππά", "street": ["Ερμού 12"], "city": "Αθήνα", "postcode": "105 63",
        "country_id": "GR", "telephone": "+302101234567", "email": "eleni@example.test",
    });
    json!({
        "increment_id": format!("{id:09}"), "state": "processing", "status": "processing", "order_currency_code": "EUR",
        "base_currency_code": "EUR", "grand_total": 53, "total_paid": 53, "total_due": 0, "tax_amount": 0,
        "shipping_amount": 3, "shipping_tax_amount": 0, "discount_amount": 0, "is_virtual": 0,
        "created_at": "2026-11-22 10:00:00", "customer_email": "eleni@example.test",
        "items": [row(id * 10 + 1, "configurable", "TEE-M-BLU", 2, 20), child, row(id * 10 + 3, "simple", "MUG-1", 1, 10)],
        "billing_address": address, "payment": {"method": "stripe"}, "status_histories": [],
        "extension_attributes": {"shipping_assignments": [{"shipping": {"address": address, "method": "flatrate_flatrate"}}]},
    })
}

fn shipments(state: &Value) -> Vec<Value> {
    let all = state["shipments"].as_object().unwrap();
    all.values().cloned().collect()
}

#[actix_web::test]
async fn made_orders_map_and_add_up() {
    let shop = Shop::open().await;
    let stranger = format!("{}/rest/V1/orders", shop.handle.url());
    let answer = shop.http.get(stranger).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    shop.sim("POST", "/orders", json!({"count": 60})).await;
    let orders: Vec<Value> = shop.state().await["orders"]
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect();
    let page = json!({"items": orders, "search_criteria": {}, "total_count": 60}).to_string();
    let registry = Registry::load(None);
    let connector = registry.catalogue().get("magento").unwrap();
    let mapped = map(&connector, "order", page.as_bytes(), &MapInput::default());
    assert_eq!(mapped.failures, vec![]);
    assert_eq!(mapped.warnings, vec![], "amounts add up, no unknown codes");
    let mapped = mapped.json();
    let all = mapped.as_array().unwrap();
    assert_eq!(all.len(), 60);
    for (pointer, value) in [
        ("/payment/method", "cod"),
        ("/payment/status", "paid"),
        ("/channel_state", "cancelled"),
        ("/channel_state", "open"),
        ("/delivery/mode", "pickup_point"),
        ("/attributes/base_currency", "USD"),
    ] {
        let has = |order: &Value| order.pointer(pointer) == Some(&json!(value));
        assert!(
            all.iter().any(has),
            "no made order has {value} at {pointer}"
        );
    }
    let kinds = |order: &Value| order["lines"][0]["kind"] == "bundle";
    assert!(all.iter().any(kinds), "no made order begins with a bundle");
    shop.0.handle.stop().await;
}

#[actix_web::test]
async fn orders_are_polled_and_parts_of_them_shipped_once() {
    let shop = Shop::open().await;
    for id in [7, 8] {
        shop.put(id, order(id)).await;
    }
    // More than a page of them, changed in the same seconds.
    let many = json!({"count": 130, "quiet": true});
    shop.sim("POST", "/orders", many).await;
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let connection = shop.connected(&gateway).await;
    let part = gateway.submitted("7").await;
    gateway.submitted("8").await;
    let last = shop.state().await["next"].to_string();
    let received = |event: &Value| {
        event["type"] == "order.received" && event["data"]["order"]["external_id"] == last.as_str()
    };
    let events = gateway.wait_for_event(received).await;
    let received = |event: &&Value| event["type"] == "order.received";
    assert_eq!(events.iter().filter(received).count(), 132);

    // One of the two shirts goes; the answer to it is lost.
    let lost = json!({"route": "ship", "drop_answer": true});
    shop.sim("POST", "/faults", lost).await;
    let path = format!("/v1/fulfillment-orders/{part}");
    let known = gateway.get(&path).await;
    let shirt = known["lines"][0]["line_id"].clone();
    let parcels = json!([{"weight_g": 400, "tracking_number": "TN-1"}, {"weight_g": 300, "tracking_number": "TN-2"}]);
    let body = json!({"shipment_ref": "W-1", "carrier": "DHL", "parcels": parcels, "lines": [{"line_id": shirt, "quantity": 1}]});
    gateway.post(&format!("{path}/ship"), body).await;
    let done = |line: &str| line.contains("result is written") && line.contains("fulfillment.push");
    gateway.log.wait_for(1, done).await;
    let state = shop.until(|state| !shipments(state).is_empty()).await;
    let made = shipments(&state);
    assert_eq!(made.len(), 1, "once, though the answer was lost: {made:?}");
    assert_eq!(made[0]["items"], json!([{"order_item_id": 71, "qty": 1}]));
    let tracks: Vec<&Value> = made[0]["tracks"].as_array().unwrap().iter().collect();
    let numbers: Vec<&Value> = tracks.iter().map(|track| &track["track_number"]).collect();
    assert_eq!(numbers, ["TN-1", "TN-2"]);
    assert_eq!(tracks[0]["carrier_code"], "dhl");
    let items = &state["orders"]["7"]["items"];
    let sent = |index: usize| items[index]["qty_shipped"].clone();
    assert_eq!(
        [sent(0), sent(1), sent(2)],
        [1, 1, 0],
        "the child goes along"
    );

    // The shop cancels the other order: the next poll tells.
    shop.sim(
        "POST",
        "/orders/8/edit",
        json!({"state": "canceled", "status": "canceled", "total_due": 53}),
    )
    .await;
    gateway
        .post(&format!("/v1/connections/{connection}/pull"), json!({}))
        .await;
    gateway
        .wait_for_event(|event| {
            event["type"] == "order.cancelled" && event["data"]["order"]["external_id"] == "8"
        })
        .await;
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
    assert!(gateway.stop().await.success());
    shop.0.handle.stop().await;
}
