//! Where a parcel is, and its cash, until it is at the door.

use super::desk::{Desk, cod_order, error, text};
use crate::support::dock::numbers;
use serde_json::{Value, json};

#[tokio::test]
async fn cash_is_expected_and_collected_at_the_door() {
    let desk = Desk::at("owlpost").await;
    let part = desk.dock.order(&desk.gateway, cod_order(1)).await;
    let shipped = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(shipped.status, 201, "{}", shipped.json);
    let number = numbers(&shipped.json).remove(0);
    let order = text(&part["order_id"]);
    let items = format!("/v1/cod/items?order_id={order}");
    let item = &desk.gateway.get(&items).await["data"][0];
    assert_eq!(
        (&item["status"], &item["tracking_number"]),
        (&json!("expected"), &json!(number))
    );
    assert_eq!(item["due"], json!({"amount": "28.52", "currency": "EUR"}));
    for (code, status) in [("taken", "in_transit"), ("given", "delivered")] {
        let paid = (code == "given").then_some("28.52");
        let scan = json!({"code": code, "paid": paid});
        desk.courier
            .sim("POST", &format!("/scan/{number}"), scan)
            .await;
        desk.gateway
            .wait_for_event(|event| {
                event["type"] == "tracking.updated" && event["data"]["tracking"]["status"] == status
            })
            .await;
    }
    desk.gateway
        .wait_for_event(|event| event["type"] == "cod.collected")
        .await;
    let history = desk.gateway.get(&format!("/v1/tracking/{number}")).await;
    let history = &history["data"][0];
    assert_eq!(history["state"]["status"], "delivered");
    assert_eq!(
        (&history["shipment_id"], &history["order_id"]),
        (&shipped.json["id"], &json!(order))
    );
    let events = history["events"].as_array().unwrap();
    let statuses: Vec<&Value> = events.iter().map(|event| &event["status"]).collect();
    assert_eq!(statuses, ["in_transit", "delivered"]);
    let collected = desk.gateway.get(&format!("{items}&status=collected")).await;
    assert_eq!(collected["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        desk.gateway.get(&format!("{items}&status=expected")).await["data"],
        json!([])
    );
    let sums = desk.gateway.get("/v1/cod/statement").await;
    let sum = &sums["data"][0];
    assert_eq!(
        (&sum["status"], &sum["count"]),
        (&json!("collected"), &json!(1))
    );
    assert_eq!(sum["collected"]["amount"], "28.52");
    // Scanned, it has left: no list and no void any more.
    assert_eq!(
        desk.shipment(text(&shipped.json["id"])).await["status"],
        "handed_over"
    );
    let void = format!("/v1/shipments/{}/void", text(&shipped.json["id"]));
    assert_eq!(
        error(&desk.call("POST", &void, json!({})).await).1,
        "invalid_state"
    );
}
