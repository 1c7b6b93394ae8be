//! News of a parcel reach the customer through the shop: a note each, once, and the order is done
//! when the shop says that it is.

use super::support::courier::{self, Courier};
use super::support::{Gateway, Shop, orders};
use serde_json::{Value, json};

struct Way {
    courier: Courier,
    shop: Shop,
    gateway: Gateway,
    number: String,
    _data: tempfile::TempDir,
}

impl Way {
    /// An order of a simulated shop with these settings, under a label of a simulated carrier.
    async fn begun(settings: Value) -> Self {
        let (courier, shop) = (Courier::start("owlpost").await, Shop::open(json!({})).await);
        shop.put(&orders::order(7, 0)).await;
        let data = tempfile::tempdir().unwrap();
        let folders = courier::folders().display().to_string();
        let gateway = Gateway::start(data.path(), &[("CROSSDOCK_CONNECTORS_DIR", &folders)]).await;
        let (connection, _) = gateway.shop_of(&shop, "active").await;
        let path = format!("/v1/connections/{connection}");
        let connection = gateway
            .call("PATCH", &path, Some(json!({"settings": settings})))
            .await;
        let account = courier.connection(&connection["merchant_id"]);
        let account = gateway.post("/v1/connections", account).await;
        let part = gateway.submitted("7").await;
        let body = json!({"shipment_ref": "W-1", "parcels": [{"weight_g": 700}], "carrier_connection_id": account["id"]});
        let ship = format!("/v1/fulfillment-orders/{part}/ship?wait=8");
        let shipped = gateway.post(&ship, body).await;
        let number = shipped["parcels"][0]["tracking_number"].as_str().unwrap();
        Self {
            number: number.to_owned(),
            courier,
            shop,
            gateway,
            _data: data,
        }
    }

    /// A scan; waits for the note that ends with this mark, and yields the shop's state.
    async fn scan(&self, code: &str, mark: &str) -> Value {
        let path = format!("/scan/{}", self.number);
        self.courier.sim("POST", &path, json!({"code": code})).await;
        let there = |state: &Value| notes(state).iter().any(|note| text(note).ends_with(mark));
        self.shop.until(there).await
    }
}

fn notes(state: &Value) -> &[Value] {
    let notes = state["state"]["notes"]["7"].as_array();
    notes.map_or(&[], Vec::as_slice)
}

fn text(note: &Value) -> &str {
    note["note"].as_str().unwrap()
}

#[actix_web::test]
async fn each_step_is_a_note_and_the_door_completes_where_it_is_set() {
    let settings = json!({
        "customer_news": "delivered", "complete_when_shipped": false, "complete_when_delivered": true,
    });
    let way = Way::begun(settings).await;
    // The first scan is the hand-over: the shipment is told before its news.
    way.scan("taken", "(W-1)").await;
    let state = way.scan("out", "(W-1, out_for_delivery)").await;
    assert_eq!(state["state"]["orders"]["7"]["status"], "processing");
    way.scan("given", "(W-1, delivered)").await;
    let done = |state: &Value| state["state"]["orders"]["7"]["status"] == "completed";
    let state = way.shop.until(done).await;
    let mailed: Vec<bool> = notes(&state)
        .iter()
        .map(|note| note["customer_note"] == true)
        .collect();
    assert_eq!(mailed, [true, false, true], "{state:#}");
    assert!(
        notes(&state)
            .iter()
            .all(|note| text(note).contains(&way.number))
    );
    let problems = way.gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
    way.shop.handle.stop().await;
}

#[actix_web::test]
async fn only_the_news_that_the_setting_names_are_told() {
    let way = Way::begun(json!({"delivery_push": ["delivered"]})).await;
    way.scan("taken", "(W-1)").await;
    let path = format!("/scan/{}", way.number);
    way.courier.sim("POST", &path, json!({"code": "out"})).await;
    let out = |event: &Value| event["data"]["tracking"]["status"] == "out_for_delivery";
    way.gateway.wait_for_event(out).await;
    let state = way.scan("given", "(W-1, delivered)").await;
    let told: Vec<&str> = notes(&state).iter().map(text).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(state["state"]["orders"]["7"]["status"], "completed");
    way.shop.handle.stop().await;
}
