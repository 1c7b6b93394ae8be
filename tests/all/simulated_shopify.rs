//! A whole gateway beside the simulated shop: webhooks are hints that are read back, what they miss the poll brings, money is the
//! customer's, fulfillments are told by part and once, and a budget of points is kept to.

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
    async fn open(options: Value) -> Self {
        Self(Provider::open("shopify", options).await)
    }

    /// A call of the Admin API with one of the folder's own documents.
    async fn api(&self, document: &str, operation: &str, variables: Value) -> Value {
        let query = self.folder.documents.get(document).unwrap();
        let body = json!({"query": query, "operationName": operation, "variables": variables});
        let token = self.handle.credentials["access_token"].clone();
        self.ask(&token, body).await.1
    }

    async fn ask(&self, token: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/admin/api/2026-07/graphql.json", self.handle.url());
        let request = self.http.post(url).header("x-shopify-access-token", token);
        let request = request.header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap(),
        )
    }

    /// So many orders are placed; their ids.
    async fn orders(&self, count: usize) -> Vec<String> {
        let body = json!({"count": count, "quiet": true});
        let made = self.sim("POST", "/orders", body).await;
        let ids = made["ids"].as_array().unwrap();
        ids.iter().map(Value::to_string).collect()
    }

    /// An order in the words of webhooks.
    async fn touch(&self, order: &str) -> Value {
        self.sim("POST", &format!("/orders/{order}/touch"), json!({}))
            .await
    }

    async fn act(&self, order: &str, what: &str) {
        self.sim("POST", &format!("/orders/{order}/{what}"), json!({}))
            .await;
    }

    /// Plugs it into this gateway and waits until its webhooks are registered.
    async fn plug(&self, gateway: &Gateway) -> String {
        let merchant = gateway.post("/v1/merchants", json!({"name": "Shop"})).await;
        let connection = json!({"merchant_id": merchant["id"], "connector": "shopify", "name": "Shop", "state": "active",
            "release_from": "2020-01-01T00:00:00Z", "settings": self.handle.settings, "credentials": self.handle.credentials});
        let made = gateway.post("/v1/connections", connection).await;
        let id = made["id"].as_str().unwrap().to_owned();
        self.until(|state| {
            state["state"]["hooks"]
                .as_object()
                .is_some_and(|hooks| hooks.len() == 3)
        })
        .await;
        id
    }

    fn mapped(&self, payload: &Value) -> Value {
        let registry = Registry::load(None);
        let connector = registry.catalogue().get("shopify").unwrap();
        let body = payload.to_string();
        let mapped = map(&connector, "order", body.as_bytes(), &MapInput::default());
        assert_eq!(mapped.failures, vec![]);
        assert_eq!(mapped.warnings, vec![], "amounts add up, no unknown codes");
        mapped.json()
    }
}

async fn start() -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    (data, gateway)
}

async fn no_problems(gateway: &Gateway) {
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
}

async fn order(gateway: &Gateway, id: &str) -> Value {
    let found = gateway.get(&format!("/v1/orders?external_id={id}")).await;
    found["data"][0].clone()
}

/// The fulfillments that the shop knows of an order.
fn fulfillments<'a>(state: &'a Value, order: &str) -> &'a [Value] {
    let all = &state["state"]["orders"][order]["fulfillments"];
    all.as_array().unwrap()
}

async fn poll(gateway: &Gateway, connection: &str) {
    let path = format!("/v1/connections/{connection}/pull");
    gateway.post(&path, json!({})).await;
}

#[actix_web::test]
async fn it_speaks_as_the_admin_api_does() {
    let shop = Shop::open(json!({"points": 400})).await;
    let (status, refused) = shop
        .ask("shpat_other", json!({"query": "{ shop { name } }"}))
        .await;
    assert_eq!(status, 401, "{refused}");
    shop.orders(12).await;
    let query = json!({"query": "updated_at:>='2020-01-01T00:00:00Z'", "after": null});
    let first = shop.api("orders", "Page", query.clone()).await;
    let info = &first["data"]["orders"]["pageInfo"];
    assert_eq!(info["hasNextPage"], true);
    let mut next = query.clone();
    next["after"] = info["endCursor"].clone();
    let second = shop.api("orders", "Page", next).await;
    let rest = second["data"]["orders"]["nodes"].as_array().unwrap();
    assert_eq!(rest.len(), 2);
    shop.sim("POST", "/points/0", Value::Null).await;
    let throttled = shop.api("orders", "Page", query).await;
    assert_eq!(throttled["errors"][0]["extensions"]["code"], "THROTTLED");
    assert!(throttled["data"].is_null() && throttled["extensions"]["cost"].is_object());
    shop.sim("POST", "/points/400", Value::Null).await;
    let unkeyed = json!({"query": "mutation Set($input: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $input) { userErrors { message } } }",
        "variables": {"input": {"quantities": []}}});
    let token = shop.handle.credentials["access_token"].clone();
    let (status, answer) = shop.ask(&token, unkeyed).await;
    assert_eq!(
        (status, &answer["errors"][0]["extensions"]["code"]),
        (200, &json!("BAD_REQUEST"))
    );
    shop.0.handle.stop().await;
}

#[actix_web::test]
async fn both_shapes_of_an_order_say_the_same() {
    let shop = Shop::open(json!({"points": 100_000})).await;
    let ids = shop.orders(18).await;
    for (id, what) in ids
        .iter()
        .zip(["edit", "refund", "cancel", "edit", "refund"])
    {
        shop.act(id, what).await;
    }
    let mut currencies = Vec::new();
    for id in &ids {
        let rest = shop.touch(id).await;
        let variables = json!({"id": format!("gid://shopify/Order/{id}")});
        let graphql = shop.api("orders", "One", variables).await;
        let (hook, read) = (shop.mapped(&rest), shop.mapped(&graphql));
        let (hook, read) = (&hook[0], &read[0]);
        for pointer in [
            "/channel_state",
            "/payment/method",
            "/payment/status",
            "/ship_to/name",
            "/delivery",
            "/currency",
        ] {
            assert_eq!(hook.pointer(pointer), read.pointer(pointer), "{id}");
        }
        let cents = |order: &Value, pointer: &str| {
            let text = order.pointer(pointer).and_then(Value::as_str);
            text.map(|text| (text.parse::<f64>().unwrap() * 100.0).round())
        };
        for pointer in ["/totals/total/amount", "/payment/cod_amount/amount"] {
            assert_eq!(cents(hook, pointer), cents(read, pointer), "{id} {pointer}");
        }
        for (line, same) in hook["lines"]
            .as_array()
            .unwrap()
            .iter()
            .zip(read["lines"].as_array().unwrap())
        {
            assert_eq!(line["cancelled_quantity"], same["cancelled_quantity"]);
            assert_eq!(
                cents(line, "/total/amount"),
                cents(same, "/total/amount"),
                "{id}"
            );
        }
        currencies.push(read["currency"].clone());
    }
    assert!(currencies.contains(&json!("PLN")) && currencies.contains(&json!("EUR")));
    shop.0.handle.stop().await;
}

#[actix_web::test]
async fn orders_are_read_back_and_shipments_told_by_part() {
    let shop = Shop::open(json!({})).await;
    let (_data, gateway) = start().await;
    shop.plug(&gateway).await;
    // The fourth is in two parts.
    let ids = shop.orders(4).await;
    let id = &ids[3];
    let part = gateway.submitted(id).await;
    let stored = order(&gateway, id).await;
    assert_eq!(stored["details_missing"], false);
    let told = gateway.get(&format!("/v1/fulfillment-orders/{part}")).await;
    let lines = told["lines"].as_array().unwrap();
    assert!(lines[0]["quantity"].as_i64().unwrap() >= 2);
    // One piece first, from the first part alone; the rest goes from both.
    let path = format!("/v1/fulfillment-orders/{part}/ship");
    let piece = json!([{"line_id": lines[0]["line_id"], "quantity": 1}]);
    let parcel = |number: &str| json!([{"weight_g": 500, "tracking_number": number}]);
    let body = json!({"shipment_ref": "W-1", "carrier": "Omniva", "lines": piece, "parcels": parcel("CE1LV")});
    gateway.post(&path, body).await;
    let state = shop.until(|state| fulfillments(state, id).len() == 1).await;
    let parts = &state["state"]["orders"][id]["parts"];
    assert_eq!(
        (&parts[0]["status"], &parts[1]["status"]),
        (&json!("CLOSED"), &json!("OPEN"))
    );
    let rest = json!({"shipment_ref": "W-2", "carrier": "Omniva", "parcels": parcel("CE2LV")});
    gateway.post(&path, rest).await;
    let state = shop.until(|state| fulfillments(state, id).len() == 2).await;
    let numbers: Vec<&Value> = fulfillments(&state, id)
        .iter()
        .map(|one| &one["trackingInfo"][0]["number"])
        .collect();
    assert_eq!(numbers, ["CE1LV", "CE2LV"]);
    assert_eq!(state["state"]["orders"][id]["parts"][1]["status"], "CLOSED");
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    shop.0.handle.stop().await;
}

#[actix_web::test]
async fn what_webhooks_miss_the_poll_brings_and_a_hold_holds() {
    let shop = Shop::open(json!({})).await;
    let (_data, gateway) = start().await;
    let connection = shop.plug(&gateway).await;
    let faults = json!({"drop_webhooks": true, "times": 2});
    shop.sim("POST", "/faults", faults).await;
    let id = &shop.orders(1).await[0];
    shop.act(id, "hold").await;
    poll(&gateway, &connection).await;
    let received = |event: &Value| {
        event["type"] == "order.received" && event["data"]["order"]["external_id"] == id.as_str()
    };
    gateway.wait_for_event(received).await;
    let stored = order(&gateway, id).await;
    assert_eq!(
        (&stored["channel_state"], &stored["status"]),
        (&json!("on_hold"), &json!("on_hold"))
    );
    // Its webhook says nothing of holds: it is read back, and is free.
    shop.act(id, "release").await;
    gateway.submitted(id).await;
    shop.act(id, "cancel").await;
    let cancelled = |event: &Value| {
        event["type"] == "order.cancelled" && event["data"]["order"]["external_id"] == id.as_str()
    };
    gateway.wait_for_event(cancelled).await;
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    shop.0.handle.stop().await;
}

#[actix_web::test]
async fn a_lost_answer_is_looked_up_and_an_empty_budget_is_waited_for() {
    let shop = Shop::open(json!({"points": 20_000})).await;
    let (_data, gateway) = start().await;
    shop.plug(&gateway).await;
    let id = &shop.orders(1).await[0];
    let part = gateway.submitted(id).await;
    let lost = json!({"route": "fulfillments.create", "drop_answer": true});
    shop.sim("POST", "/faults", lost).await;
    shop.sim("POST", "/points/0", Value::Null).await;
    let answer = gateway.ship(&part, "W-1").await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.json);
    let done = |line: &str| {
        line.contains("result is written")
            && line.contains("fulfillment.push")
            && line.contains("Done")
    };
    gateway.log.wait_for(1, done).await;
    let state = shop.until(|_| true).await;
    assert_eq!(fulfillments(&state, id).len(), 1, "told once");
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    shop.0.handle.stop().await;
}
