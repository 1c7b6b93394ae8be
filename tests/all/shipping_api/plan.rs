//! Rules that choose the carrier, as a merchant's settings.

use super::desk::{Desk, error, text};
use serde_json::{Value, json};

async fn merchant(desk: &Desk) -> String {
    let own = desk
        .gateway
        .get(&format!("/v1/connections/{}", desk.dock.account))
        .await;
    format!("/v1/merchants/{}", text(&own["merchant_id"]))
}

#[tokio::test]
async fn a_rule_plans_the_carrier_and_ship_follows_it() {
    let desk = Desk::at("owlpost").await;
    let path = merchant(&desk).await;
    let rules = |rules: Value| json!({"settings": {"carrier_rules": rules}});
    for bad in [
        json!("owlpost"),
        json!([{"name": "x", "conection_id": desk.dock.account}]),
        json!([{"name": "x", "connection_id": "owlpost"}]),
        json!([{"countries": "GR", "connection_id": desk.dock.account}]),
        json!([7]),
    ] {
        let told = desk.call("PATCH", &path, rules(bad.clone())).await;
        let (status, code, paths) = error(&told);
        assert_eq!((status, code), (422, "invalid_body"), "{bad}");
        assert!(paths[0].starts_with("settings.carrier_rules"), "{paths:?}");
    }
    let good =
        rules(json!([{"name": "all", "connection_id": desk.dock.account, "service": "DAY"}]));
    let told = desk.call("PATCH", &path, good).await;
    assert_eq!(told.status, 200, "{}", told.json);
    let part = desk.part(1).await;
    assert_eq!(part["carrier_plan"]["connection_id"], desk.dock.account);
    assert_eq!(part["carrier_plan"]["service"], "DAY");
    let path_of =
        |part: &Value| format!("/v1/fulfillment-orders/{}/ship?wait=8", text(&part["id"]));
    let body = json!({"shipment_ref": "S-1", "parcels": [{"weight_g": 700}]});
    let shipped = desk.call("POST", &path_of(&part), body).await;
    assert_eq!(shipped.status, 201, "{}", shipped.json);
    assert_eq!(shipped.json["service"], "DAY");
    assert_eq!(desk.courier.made().await.len(), 1);
    // Why stands on the timeline.
    let timeline = format!("/v1/orders/{}/timeline", text(&part["order_id"]));
    let timeline = desk.gateway.get(&timeline).await;
    let mut told = timeline["data"].as_array().unwrap().iter();
    let told = told.find(|entry| entry["text"] == "fulfillment_order.submitted");
    assert_eq!(
        told.unwrap()["detail"]["carrier_plan"]["why"],
        "rule 1: all"
    );
    // Null takes them away.
    let told = desk
        .call("PATCH", &path, json!({"settings": {"carrier_rules": null}}))
        .await;
    assert_eq!(told.json["settings"].get("carrier_rules"), None);
    let part = desk.part(2).await;
    assert_eq!(part["carrier_plan"], Value::Null);
}
