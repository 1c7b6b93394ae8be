//! A shipment is told to the shop in the way that the shop has, once.

use super::support::{Gateway, Shop, orders};
use serde_json::{Value, json};

/// Ships an order of such a shop, and yields what the shop has of it then.
async fn shipped(options: Value) -> (Shop, Value) {
    shipped_from(tempfile::tempdir().unwrap(), options).await
}

/// The same with this data directory.
pub async fn shipped_from(data: tempfile::TempDir, options: Value) -> (Shop, Value) {
    let shop = Shop::open(options).await;
    shop.put(&orders::order(7, 0)).await;
    let gateway = Gateway::start(data.path(), &[]).await;
    gateway.shop_of(&shop, "active").await;
    // What the shop can do is found out by the check of the connection.
    let done = |operation: &'static str| {
        move |line: &str| line.contains("result is written") && line.contains(operation)
    };
    gateway.log.wait_for(1, done("connection.check")).await;
    let part = gateway.submitted("7").await;
    let answer = gateway.ship(&part, "W-1").await.unwrap();
    assert_eq!(answer.status, 201, "{}", answer.json);
    gateway.log.wait_for(1, done("fulfillment.push")).await;
    let state = shop
        .until(|state| state["state"]["orders"]["7"]["status"] == "completed")
        .await;
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]));
    assert!(gateway.stop().await.success());
    (shop, state["state"].clone())
}

pub fn of<'a>(state: &'a Value, what: &str) -> &'a [Value] {
    state[what]["7"].as_array().map_or(&[], Vec::as_slice)
}

#[actix_web::test]
async fn by_core_fulfillments_where_they_are_on() {
    let (shop, state) = shipped(json!({"fulfillments": true})).await;
    let told = of(&state, "fulfillments");
    assert_eq!(told.len(), 1, "{told:?}");
    let meta = |key: &str| {
        let all = told[0]["meta_data"].as_array().unwrap();
        let found = all.iter().find(|meta| meta["key"] == key);
        found.map(|meta| meta["value"].clone())
    };
    assert_eq!(meta("_tracking_number"), Some(json!("TN-W-1")));
    assert_eq!(meta("_items").unwrap()[0]["qty"], 2);
    assert!(of(&state, "notes").is_empty() && of(&state, "trackings").is_empty());
    shop.handle.stop().await;
}

#[actix_web::test]
async fn by_the_tracking_extension_where_it_is() {
    let (shop, state) = shipped(json!({"shipment_tracking": true})).await;
    let told = of(&state, "trackings");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["tracking_number"], "TN-W-1");
    assert!(of(&state, "notes").is_empty() && of(&state, "fulfillments").is_empty());
    shop.handle.stop().await;
}

#[actix_web::test]
async fn by_a_note_where_there_is_neither() {
    let (shop, state) = shipped(json!({})).await;
    let told = of(&state, "notes");
    assert_eq!(told.len(), 1, "{told:?}");
    let text = told[0]["note"].as_str().unwrap();
    assert!(
        text.contains("TN-W-1") && text.contains("Courier"),
        "{text}"
    );
    shop.handle.stop().await;
}
