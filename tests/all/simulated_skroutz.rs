//! A whole gateway beside the simulated marketplace: hints that nothing proves make it read the order, orders are accepted with a
//! pickup window or refused with a reason, the voucher is the label, and the courier is told when it is packed.

use super::support::Gateway;
use super::support::dock::{numbers, settled};
use super::support::gateway::TOKEN;
use super::support::provider::Provider;
use serde_json::{Value, json};

const ORDERS: &str = "/merchants/ecommerce/orders";

struct Market(Provider);

impl std::ops::Deref for Market {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.0
    }
}

impl Market {
    async fn open(options: Value) -> Self {
        Self(Provider::open("skroutz", options).await)
    }

    async fn api(&self, verb: &str, route: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{ORDERS}{route}", self.handle.url());
        let answer = self
            .http
            .request(verb.parse().unwrap(), url)
            .bearer_auth(&self.handle.credentials["token"])
            .header("accept", "application/vnd.skroutz+json; version=3.0")
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    /// An order is placed; its code.
    async fn order(&self, with: Value) -> String {
        let body = json!({"count": 1, "quiet": true, "with": with});
        let made = self.sim("POST", "/orders", body).await;
        made["codes"][0].as_str().unwrap().to_owned()
    }

    /// Plugs it into this gateway and types the hook's address into its panel.
    async fn plug(&self, gateway: &Gateway, settings: Value) -> String {
        let body = json!({"name": "Shop"});
        let merchant = gateway.post("/v1/merchants", body).await;
        let mut all = json!(self.handle.settings);
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        let connection = json!({"merchant_id": merchant["id"], "connector": "skroutz", "name": "Skroutz", "state": "active",
            "release_from": "2020-01-01T00:00:00Z", "settings": all, "credentials": self.handle.credentials});
        let made = gateway.post("/v1/connections", connection).await;
        let id = made["id"].as_str().unwrap().to_owned();
        let url = gateway.url(&format!("/hooks/{id}"));
        self.sim("PUT", "/hook", json!({"url": url})).await;
        id
    }
}

async fn start() -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    (data, gateway)
}

fn standing(state: &Value, code: &str) -> String {
    let state = &state["state"]["orders"][code]["state"];
    state.as_str().unwrap_or_default().to_owned()
}

fn calls(state: &Value, route: &str) -> u64 {
    let counter = &state["counters"][format!("request.{route}")];
    counter.as_u64().unwrap_or(0)
}

/// The order, once an event says that it is as wanted.
async fn order(gateway: &Gateway, code: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let of = |event: &Value| {
        let order = &event["data"]["order"];
        order["external_id"] == code && fits(order)
    };
    let events = gateway.wait_for_event(of).await;
    let found = events.into_iter().rfind(of).unwrap();
    let id = found["data"]["order"]["id"].as_str().unwrap().to_owned();
    gateway.get(&format!("/v1/orders/{id}")).await
}

fn acceptance(wanted: &'static str) -> impl Fn(&Value) -> bool {
    move |order| order["acceptance"]["state"] == wanted
}

async fn no_problems(gateway: &Gateway) {
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
}

#[actix_web::test]
async fn it_speaks_as_the_marketplace_does() {
    let market = Market::open(json!({"accept_s": 3_600})).await;
    let url = format!("{}{ORDERS}/DEMO-OPEN", market.handle.url());
    let stranger = market.http.get(url).send().await.unwrap();
    assert_eq!(stranger.status().as_u16(), 401);
    let express = market.order(json!({"express": true})).await;
    let code = market.order(json!({})).await;
    let (_, shown) = market.api("GET", &format!("/{code}"), Value::Null).await;
    let options = &shown["order"]["accept_options"];
    let body = json!({"pickup_location": options["pickup_location"][0]["id"], "pickup_window": options["pickup_window"][1]["id"]});
    let accept = |code: &str, body: &Value| {
        let (route, body) = (format!("/{code}/accept"), body.clone());
        let market = &market;
        async move { market.api("POST", &route, body).await }
    };
    assert_eq!(accept(&express, &body).await.0, 422);
    let stale = json!({"pickup_location": body["pickup_location"], "pickup_window": 0});
    let (status, answer) = accept(&code, &stale).await;
    assert_eq!(
        (status, &answer["errors"][0]["code"]),
        (422, &json!("pickup_window"))
    );
    assert_eq!(accept(&code, &body).await, (200, json!({"success": true})));
    let (status, answer) = accept(&code, &body).await;
    let said = &answer["errors"][0]["messages"][0];
    assert_eq!((status, said), (422, &json!("Order already accepted.")));
    let (_, shown) = market.api("GET", &format!("/{code}"), Value::Null).await;
    let order = &shown["order"];
    assert!(order["accept_options"].is_null());
    let (status, _) = market
        .api("POST", &format!("/{code}/set_as_ready"), Value::Null)
        .await;
    assert_eq!(status, 422, "this shop need not say so");
    let voucher = order["courier_voucher"].as_str().unwrap();
    let file = market
        .http
        .get(voucher)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(file.starts_with("%PDF"));
    let (_, shown) = market.api("GET", &format!("/{code}"), Value::Null).await;
    assert_eq!(
        shown["order"]["is_ready_for_dispatch"], true,
        "by reading it"
    );
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn an_order_is_accepted_by_setting_labelled_by_voucher_and_set_ready() {
    let market = Market::open(json!({"set_as_ready": true, "dispatch": false})).await;
    let (_data, gateway) = start().await;
    let id = market
        .plug(
            &gateway,
            json!({"accept": "auto", "pickup_location": "Πειραιώς"}),
        )
        .await;
    let code = market.order(json!({})).await;
    market
        .until(|state| standing(state, &code) == "accepted")
        .await;
    let order = order(&gateway, &code, acceptance("accepted")).await;
    assert_eq!(order["answer"]["accept"], true);
    assert!(
        order["attributes"]["pickup_address"]
            .as_str()
            .unwrap()
            .contains("Πειραιώς")
    );
    let part = gateway.submitted(&code).await;
    let path = format!("/v1/fulfillment-orders/{part}");
    let plan = gateway.get(&path).await["carrier_plan"].clone();
    assert_eq!(plan["decided_by"], "channel");
    let state = market.sim("GET", "/state", Value::Null).await;
    assert_eq!(
        calls(&state, "voucher"),
        0,
        "reading it says that it is packed"
    );
    let body = json!({"shipment_ref": "W-1", "parcels": [{"weight_g": 800}]});
    let shipped = gateway.post(&format!("{path}/ship?wait=20"), body).await;
    let shipment = settled(
        &gateway,
        shipped["id"].as_str().unwrap(),
        &["purchased", "printed"],
    )
    .await;
    assert_eq!(shipment["connection_id"], json!(id));
    let state = market
        .until(|state| state["state"]["orders"][&code]["is_ready_for_dispatch"] == true)
        .await;
    let made = &state["state"]["orders"][&code];
    assert_eq!(json!(numbers(&shipment)), made["courier_tracking_codes"]);
    assert_eq!(calls(&state, "orders.accept"), 1);
    assert_eq!(calls(&state, "orders.ready"), 1);
    let label = format!("/v1/shipments/{}/label", shipment["id"].as_str().unwrap());
    let label = gateway.http.get(gateway.url(&label)).bearer_auth(TOKEN);
    assert!(
        label
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .starts_with("%PDF")
    );
    // Hints change nothing by themselves and are counted all the same.
    let ledger = gateway.get("/v1/ledger").await;
    assert!(
        ledger["data"][0]["ignored"].as_u64().unwrap() >= 2,
        "{ledger}"
    );
    assert_eq!(ledger["data"][0]["problem"], 0);
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn a_person_answers_with_a_choice_or_a_reason() {
    let market = Market::open(json!({})).await;
    let (_data, gateway) = start().await;
    market.plug(&gateway, json!({})).await;
    let (yes, no) = (market.order(json!({})).await, market.order(json!({})).await);
    let taken = order(&gateway, &yes, acceptance("pending")).await;
    let waiting = gateway.get("/v1/orders?awaiting=acceptance").await;
    assert!(!waiting["data"].as_array().unwrap().is_empty());
    let options = &taken["acceptance"]["options"]["accept"];
    let choice = json!({"pickup_location": options["pickup_location"][1]["id"], "pickup_window": options["pickup_window"][3]["id"], "number_of_parcels": 2});
    let path = format!("/v1/orders/{}", taken["id"].as_str().unwrap());
    gateway
        .post(&format!("{path}/accept"), json!({"choice": choice}))
        .await;
    let taken = order(&gateway, &yes, acceptance("accepted")).await;
    assert_eq!(taken["attributes"]["number_of_parcels"], 2);
    let left = order(&gateway, &no, acceptance("pending")).await;
    let path = format!("/v1/orders/{}", left["id"].as_str().unwrap());
    gateway
        .post(&format!("{path}/refuse"), json!({"reason": "out_of_stock"}))
        .await;
    let left = order(&gateway, &no, acceptance("refused")).await;
    assert_eq!(left["status"], "cancelled");
    assert_eq!(left["answer"]["reason"], "out_of_stock");
    let state = market.sim("GET", "/state", Value::Null).await;
    assert_eq!(standing(&state, &no), "rejected");
    let lines = state["state"]["orders"][&no]["line_items"]
        .as_array()
        .unwrap();
    assert!(
        lines
            .iter()
            .all(|line| line["rejection_reason"].is_string()),
        "{lines:#?}"
    );
    let again = gateway
        .try_call("POST", &format!("{path}/accept"), Some(json!({})))
        .await
        .unwrap();
    assert_eq!(again.status, 409);
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn a_lost_answer_accepts_once_and_a_vouchers_delay_is_waited_out() {
    let market = Market::open(json!({"voucher_s": 2})).await;
    market
        .sim(
            "POST",
            "/faults",
            json!({"route": "orders.accept", "drop_answer": true}),
        )
        .await;
    market
        .sim("POST", "/faults", json!({"double_webhooks": true}))
        .await;
    let (_data, gateway) = start().await;
    market.plug(&gateway, json!({"accept": "auto"})).await;
    let code = market.order(json!({})).await;
    order(&gateway, &code, acceptance("accepted")).await;
    let part = gateway.submitted(&code).await;
    let body = json!({"shipment_ref": "W-1", "parcels": [{"weight_g": 800}]});
    let shipped = gateway
        .post(&format!("/v1/fulfillment-orders/{part}/ship"), body)
        .await;
    settled(
        &gateway,
        shipped["id"].as_str().unwrap(),
        &["purchased", "printed"],
    )
    .await;
    let accepted = market.sim("GET", "/accepted", Value::Null).await;
    assert_eq!(accepted[&code], 1);
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn who_is_not_on_the_list_is_not_heard() {
    let market = Market::open(json!({})).await;
    let (_data, gateway) = start().await;
    let id = market
        .plug(&gateway, json!({"hook_networks": "185.6.76.0/22"}))
        .await;
    let body = json!({"event_type": "new_order", "order": {"code": "1-1"}});
    let hook = gateway.http.post(gateway.url(&format!("/hooks/{id}")));
    let hook = hook.header("x-forwarded-for", "185.6.76.1");
    let answer = hook.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    let inbox = gateway.get("/v1/inbox").await;
    assert_eq!(inbox["data"], json!([]));
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}
