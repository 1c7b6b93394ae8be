//! A whole gateway beside the simulated marketplace: what arrives is acknowledged once it is stored, waybills are issued once, what
//! eMAG finalises is not sent again, and a 200 is never believed.

use super::support::Gateway;
use super::support::dock::{numbers, settled};
use super::support::gateway::TOKEN;
use super::support::provider::Provider;
use serde_json::{Value, json};

struct Market(Provider);

impl std::ops::Deref for Market {
    type Target = Provider;

    fn deref(&self) -> &Provider {
        &self.0
    }
}

impl Market {
    async fn open(options: Value) -> Self {
        Self(Provider::open("emag", options).await)
    }

    /// A call of the seller API.
    async fn api(&self, route: &str, body: Value) -> (u16, Value) {
        let credentials = &self.handle.credentials;
        let answer = self
            .http
            .post(format!("{}/api-3/{route}", self.handle.url()))
            .basic_auth(&credentials["username"], Some(&credentials["password"]))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// So many orders are placed; their numbers.
    async fn orders(&self, count: usize) -> Vec<String> {
        let made = self.sim("POST", "/orders", json!({"count": count})).await;
        let ids = made["ids"].as_array().unwrap();
        ids.iter().map(Value::to_string).collect()
    }

    /// Plugs it into this gateway; the connection.
    async fn plug(&self, gateway: &Gateway, settings: Value) -> Value {
        let merchant = gateway
            .post("/v1/merchants", json!({"name": "Seller"}))
            .await;
        let mut all = json!(self.handle.settings);
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        let sender = json!({"name": "Depozit", "company": "Fulfilment", "line1": "Str. Depozitului 3", "city": "Voluntari",
            "country": "RO", "phone": "+40700000001"});
        let connection = json!({"merchant_id": merchant["id"], "connector": "emag", "name": "eMAG", "state": "active",
            "release_from": "2020-01-01T00:00:00Z", "settings": all, "credentials": self.handle.credentials,
            "contracts": {"default": {"cod_payee": "merchant", "sender": sender}}});
        gateway.post("/v1/connections", connection).await
    }
}

async fn start() -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    (data, gateway)
}

fn calls(state: &Value, route: &str) -> u64 {
    let counter = &state["counters"][format!("request.{route}")];
    counter.as_u64().unwrap_or(0)
}

fn standing(state: &Value, order: &str) -> i64 {
    state["state"]["orders"][order]["status"].as_i64().unwrap()
}

async fn no_problems(gateway: &Gateway) {
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
}

#[actix_web::test]
async fn it_speaks_as_the_marketplace_does() {
    let market = Market::open(json!({})).await;
    let stranger = market
        .http
        .post(format!("{}/api-3/order/read", market.handle.url()));
    assert_eq!(stranger.send().await.unwrap().status().as_u16(), 403);
    let ids = market.orders(3).await;
    let read = |body: Value| market.api("order/read", body);
    let (_, page) = read(json!({"itemsPerPage": 2, "currentPage": 2})).await;
    assert_eq!(page["results"].as_array().unwrap().len(), 1);
    let wanted: i64 = ids[0].parse().unwrap();
    let (_, one) = read(json!({"id": wanted})).await;
    assert_eq!(one["results"].as_array().unwrap().len(), 1);
    let (_, all) = read(json!({"data": {"id": wanted}})).await;
    assert_eq!(
        all["results"].as_array().unwrap().len(),
        3,
        "below data filters are passed over"
    );
    let acknowledge = format!("order/acknowledge/{wanted}");
    let waybill = |locality: &str| {
        json!({"data": {"order_id": wanted, "is_oversize": 0, "envelope_number": 0, "parcel_number": 1, "cod": 0,
            "sender": {"name": "Depozit", "phone1": "0700000001", "address_id": "7002"},
            "receiver": {"name": "Ana", "contact": "Ana", "phone1": "0700123456", "locality_id": locality.parse::<i64>().unwrap(), "street": "Str. 1"},
            "locker_id": one["results"][0]["details"]["locker_id"]}})
    };
    let customer = &one["results"][0]["customer"];
    let locality = customer["shipping_locality_id"].as_str().unwrap();
    let (status, early) = market.api("awb/save", waybill(locality)).await;
    assert_eq!((status, &early["isError"]), (200, &json!(true)));
    assert_eq!(market.api(&acknowledge, Value::Null).await.0, 200);
    let (status, again) = market.api(&acknowledge, Value::Null).await;
    assert_eq!(
        (status, &again["messages"][0]),
        (400, &json!("Order is already in progress."))
    );
    let (status, refused) = market.api("awb/save", waybill("1")).await;
    assert_eq!((status, &refused["isError"]), (200, &json!(true)));
    let (_, first) = market.api("awb/save", waybill(locality)).await;
    let (_, second) = market.api("awb/save", waybill(locality)).await;
    let number = |made: &Value| made["results"]["awb"][0]["awb_number"].clone();
    assert_ne!(number(&first), number(&second), "there is no key");
    let (_, finalised) = read(json!({"id": wanted})).await;
    assert_eq!(finalised["results"][0]["status"], 4);
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn orders_are_acknowledged_and_go_by_its_waybills() {
    let market = Market::open(json!({})).await;
    let ids = market.orders(15).await;
    let (_data, gateway) = start().await;
    let connection = market.plug(&gateway, json!({})).await;
    // The last of them is the one with cash and a locker.
    let locker = market
        .until(|state| ids.iter().all(|id| standing(state, id) >= 2))
        .await;
    assert_eq!(calls(&locker, "order.acknowledge"), 15, "once each");
    let orders = locker["state"]["orders"].as_object().unwrap();
    let cash = |order: &&Value| order["payment_mode_id"] == 1 && order["delivery_mode"] == "pickup";
    let order = orders.values().find(cash).unwrap();
    let id = order["id"].to_string();
    let part = gateway.submitted(&id).await;
    let path = format!("/v1/fulfillment-orders/{part}");
    let told = gateway.get(&path).await;
    assert_eq!(told["carrier_plan"]["decided_by"], "channel");
    let body = json!({"shipment_ref": "W-1", "parcels": [{"weight_g": 800}, {"weight_g": 500}]});
    let shipped = gateway.post(&format!("{path}/ship?wait=20"), body).await;
    let shipment = settled(
        &gateway,
        shipped["id"].as_str().unwrap(),
        &["purchased", "printed"],
    )
    .await;
    assert_eq!(shipment["connection_id"], connection["id"]);
    assert_eq!(
        shipment["documents"].as_array().unwrap().len(),
        2,
        "a paper for each parcel: {shipment:#}"
    );
    let waybills = market.sim("GET", "/awbs", Value::Null).await;
    let made = &waybills[0];
    assert_eq!(
        numbers(&shipment),
        vec![made["awb_number"].as_str().unwrap(); 2]
    );
    assert_eq!(made["locker_id"], order["details"]["locker_id"]);
    let street = made["receiver"]["street"].as_str().unwrap();
    assert!(
        street.contains("[EasyBox #"),
        "the locker's tag stays: {street}"
    );
    let due = shipment["cod_due"]["amount"].as_str().unwrap();
    assert_eq!(
        made["cod"].to_string(),
        due.trim_end_matches('0').trim_end_matches('.')
    );
    let items = gateway.get("/v1/cod/items").await;
    assert_eq!(items["data"][0]["payee"], "merchant");
    let label = gateway
        .http
        .get(gateway.url(&format!(
            "/v1/shipments/{}/label",
            shipment["id"].as_str().unwrap()
        )))
        .bearer_auth(TOKEN);
    let label = label.send().await.unwrap().text().await.unwrap();
    assert!(label.starts_with("%PDF"));
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn parcels_of_other_carriers_finalise_the_order() {
    let market = Market::open(json!({})).await;
    let ids = market.orders(1).await;
    let (_data, gateway) = start().await;
    market.plug(&gateway, json!({"labels": "carrier"})).await;
    let part = gateway.submitted(&ids[0]).await;
    let answer = gateway.ship(&part, "W-1").await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.json);
    let state = market.until(|state| standing(state, &ids[0]) == 4).await;
    assert_eq!(calls(&state, "awb.save"), 0);
    assert_eq!(calls(&state, "order.save"), 1);
    let told = &state["state"]["orders"][&ids[0]];
    assert!(
        told["customer"]["shipping_street"].is_string() && told["products"][0]["id"].is_number(),
        "all fields went back"
    );
    no_problems(&gateway).await;
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn lost_answers_acknowledge_again_and_issue_no_second_waybill() {
    let market = Market::open(json!({})).await;
    let lost = |route: &str| json!({"route": route, "drop_answer": true});
    market
        .sim("POST", "/faults", lost("order.acknowledge"))
        .await;
    let ids = market.orders(1).await;
    let (_data, gateway) = start().await;
    market.plug(&gateway, json!({})).await;
    // The second time the marketplace says that it knows: that is a success.
    let part = gateway.submitted(&ids[0]).await;
    market.sim("POST", "/faults", lost("awb.save")).await;
    let body = json!({"shipment_ref": "W-1", "parcels": [{"weight_g": 800}]});
    let path = format!("/v1/fulfillment-orders/{part}/ship?wait=20");
    let shipped = gateway.post(&path, body).await;
    let id = shipped["id"].as_str().unwrap();
    settled(&gateway, id, &["outcome_unknown"]).await;
    let state = market.until(|_| true).await;
    assert_eq!(calls(&state, "order.acknowledge"), 2);
    assert_eq!(calls(&state, "awb.save"), 1, "nothing is sent again");
    let waybills = market.sim("GET", "/awbs", Value::Null).await;
    let outcome = json!({"outcome": "purchased", "tracking_numbers": [waybills[0]["awb_number"]]});
    gateway
        .post(&format!("/v1/shipments/{id}/resolve"), outcome)
        .await;
    settled(&gateway, id, &["purchased", "printed"]).await;
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

#[actix_web::test]
async fn a_refusal_in_a_200_suspends_and_is_no_empty_page() {
    let market = Market::open(json!({"ip_blocked": true})).await;
    market.orders(1).await;
    let (_data, gateway) = start().await;
    let connection = market.plug(&gateway, json!({})).await;
    let id = connection["id"].as_str().unwrap().to_owned();
    let suspended = |event: &Value| {
        event["type"] == "connection.suspended" && event["data"]["connection"]["id"] == id.as_str()
    };
    gateway.wait_for_event(suspended).await;
    let now = gateway.get(&format!("/v1/connections/{id}")).await;
    let why = now["health"]["suspended_reason"].as_str().unwrap();
    assert!(why.contains("Invalid vendor ip"), "{why}");
    assert!(gateway.stop().await.success());
    market.0.handle.stop().await;
}

/// Wherever the gateway dies, eMAG has heard of no order that was not stored, and hears of all.
#[cfg(feature = "failpoints")]
#[actix_web::test]
async fn nothing_is_acknowledged_that_was_not_stored() {
    const POINTS: [&str; 5] = [
        "poll.after_page",
        "apply.before_commit",
        "apply.after_commit",
        "job.after_attempt",
        "job.before_report",
    ];
    for point in POINTS {
        let market = Market::open(json!({})).await;
        let data = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(data.path(), &[]).await;
        let id = market.plug(&gateway, json!({})).await["id"].clone();
        let path = format!("/v1/connections/{}", id.as_str().unwrap());
        gateway.post(&format!("{path}/pause"), json!({})).await;
        assert!(gateway.stop().await.success());
        let ids = market.orders(3).await;
        let armed = [("CROSSDOCK_FAILPOINT", point)];
        if let Some(mut gateway) = Gateway::try_start(data.path(), &armed).await {
            let resume = format!("{path}/resume");
            gateway.try_call("POST", &resume, Some(json!({}))).await;
            let pull = format!("{path}/pull");
            gateway.try_call("POST", &pull, Some(json!({}))).await;
            gateway.ended().await;
        }
        let heard = market.until(|_| true).await;
        let gateway = Gateway::start(data.path(), &[]).await;
        let state = gateway.get(&path).await["state"].clone();
        if state == "paused" {
            gateway.post(&format!("{path}/resume"), json!({})).await;
        }
        let stored = gateway.get("/v1/orders?limit=100").await;
        let stored: Vec<&str> = stored["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|order| order["external_id"].as_str().unwrap())
            .collect();
        for id in ids.iter().filter(|id| standing(&heard, id) >= 2) {
            assert!(stored.contains(&id.as_str()), "{point}: {id}");
        }
        gateway.post(&format!("{path}/pull"), json!({})).await;
        market
            .until(|state| ids.iter().all(|id| standing(state, id) == 2))
            .await;
        for id in &ids {
            let order = gateway.get(&format!("/v1/orders?external_id={id}")).await;
            assert_eq!(order["data"].as_array().unwrap().len(), 1, "{point}");
        }
        assert!(gateway.stop().await.success());
        market.0.handle.stop().await;
    }
}
