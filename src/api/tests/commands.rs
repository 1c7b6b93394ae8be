//! Orders and fulfillment orders through their commands.

use super::house::{ADMIN, House, house, order, text};
use serde_json::{Value, json};

async fn submitted(house: &House) -> (Value, String) {
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let order = house.order(&shop, "1").await;
    let part = format!(
        "/v1/fulfillment-orders/{}",
        text(&order["fulfillment_orders"][0]["id"])
    );
    (order, part)
}

#[actix_web::test]
async fn an_order_is_held_released_corrected_and_cancelled() {
    let house = house();
    let (order, _) = submitted(&house).await;
    let path = format!("/v1/orders/{}", text(&order["id"]));
    let held = house
        .post(
            &format!("{path}/hold"),
            json!({"reason": "high_risk_of_fraud"}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(held["status"], "on_hold");
    let list = house.get("/v1/orders?status=on_hold").await.json();
    assert_eq!(list["data"][0]["id"], order["id"]);
    let released = house
        .ask(ADMIN, "POST", &format!("{path}/release"), None)
        .await
        .is(200)
        .json();
    assert_ne!(released["status"], "on_hold");
    let body = json!({"set": {"ship_to.postal_code": "10564"}, "reason": "the customer called"});
    let corrected = house.patch(&path, body).await.is(200).json();
    assert_eq!(corrected["ship_to"]["postal_code"], "10564");
    assert_eq!(corrected["overrides"][0]["by"], "admin");
    house
        .patch(&path, json!({"set": {}, "reason": "x"}))
        .await
        .refused(422, "invalid_body");
    house
        .patch(&path, json!({"set": {"note": "x"}, "reason": " "}))
        .await
        .refused(422, "invalid_body");
    let audit = house
        .get(&format!("/v1/audit?subject={}", text(&order["id"])))
        .await
        .json();
    let actions: Vec<_> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| text(&a["action"]))
        .collect();
    assert_eq!(
        actions,
        [
            "order.override",
            "order.release",
            "order.hold",
            "order.create"
        ]
    );
    assert!(
        !audit.to_string().contains("10564"),
        "the audit log has paths, no values"
    );
    let cancelled = house
        .post(&format!("{path}/cancel"), json!({"reason": "changed mind"}))
        .await
        .is(200)
        .json();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(house.get(&path).await.json(), cancelled);
    let story = house.get(&format!("{path}/timeline")).await.is(200).json();
    assert!(story["data"].as_array().unwrap().len() >= 5, "{story}");
}

#[actix_web::test]
async fn the_warehouse_accepts_and_ships_once() {
    let house = house();
    let (order, part) = submitted(&house).await;
    let warehouse = house.token("warehouse", None).await;
    let work = house
        .ask(
            &warehouse,
            "GET",
            "/v1/fulfillment-orders?awaiting=accept&sort=cut_off_at",
            None,
        )
        .await;
    let work = work.is(200).json();
    assert_eq!(work["data"][0]["order_id"], order["id"]);
    let revision = &work["data"][0]["revision"];
    let say = |verb: &str, body: Value| {
        let path = format!("{part}/{verb}");
        let (house, warehouse) = (&house, &warehouse);
        async move { house.ask(warehouse, "POST", &path, Some(body)).await }
    };
    let stale = say("accept", json!({"revision": 99}))
        .await
        .refused(409, "stale_revision")
        .json();
    assert_eq!(stale["current"]["revision"], *revision);
    let accepted = say("accept", json!({"revision": revision, "wms_ref": "W-1"}))
        .await
        .is(200)
        .json();
    assert_eq!(
        (&accepted["status"], &accepted["wms_ref"]),
        (&json!("in_progress"), &json!("W-1"))
    );
    let ship =
        json!({"shipment_ref": "S-1", "parcels": [{"tracking_number": "T1", "weight_g": 300}]});
    let mut bought = ship.clone();
    bought["carrier_connection_id"] = json!("con_0123456789abcdef0123456789abcdef");
    say("ship", bought).await.refused(422, "invalid_body");
    let first = say("ship", ship.clone()).await.is(201).json();
    assert_eq!(first["parcels"][0]["tracking_number"], "T1");
    let again = say("ship", ship.clone()).await.is(200).json();
    assert_eq!(first, again);
    let mut other = ship;
    other["parcels"][0]["tracking_number"] = json!("T2");
    say("ship", other).await.refused(409, "exists");
    assert_eq!(house.get(&part).await.is(200).json()["status"], "closed");
    let told = house
        .get(&format!("/v1/orders/{}", text(&order["id"])))
        .await
        .json();
    assert_eq!(told["shipments"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn after_an_accept_the_warehouse_is_asked() {
    let house = house();
    let (order, part) = submitted(&house).await;
    let revision = house.get(&part).await.json()["revision"].clone();
    house
        .post(&format!("{part}/accept"), json!({"revision": revision}))
        .await
        .is(200);
    house
        .ask(
            ADMIN,
            "POST",
            &format!("/v1/orders/{}/cancel", text(&order["id"])),
            None,
        )
        .await
        .is(200);
    let asked = house
        .get("/v1/fulfillment-orders?awaiting=answer")
        .await
        .json();
    let request = text(&asked["data"][0]["request"]["id"]);
    let ship = json!({"shipment_ref": "S-1"});
    let told = house
        .post(&format!("{part}/ship"), ship)
        .await
        .refused(409, "request_pending")
        .json();
    assert_eq!(told["current"]["request"]["id"], request);
    let answer = json!({"revision": asked["data"][0]["revision"]});
    let path = format!("{part}/requests/{request}/accept");
    let done = house.post(&path, answer).await.is(200).json();
    assert_eq!(done["status"], "cancelled");
}

#[actix_web::test]
async fn shortage_and_rejection_name_their_revision() {
    let house = house();
    let (order, part) = submitted(&house).await;
    house
        .post(&format!("{part}/reject"), json!({}))
        .await
        .refused(422, "invalid_body");
    house
        .post(
            &format!("{part}/short"),
            json!({"revision": 1, "lines": []}),
        )
        .await
        .refused(422, "invalid_body");
    let revision = house.get(&part).await.json()["revision"].clone();
    let body =
        json!({"revision": revision, "reason": "inventory_out_of_stock", "note": "none left"});
    let rejected = house
        .post(&format!("{part}/reject"), body)
        .await
        .is(200)
        .json();
    assert_eq!(rejected["status"], "on_hold");
    assert_eq!(order["fulfillment_orders"][0]["id"], rejected["id"]);
}

#[actix_web::test]
async fn an_order_entered_twice_waits_where_the_merchant_wants_that() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    house.order(&shop, "1").await;
    let second = house.order(&shop, "2").await;
    assert_eq!(second["status"], "open", "the setting is off");
    let path = format!("/v1/connections/{shop}");
    let settings = json!({"settings": {"duplicate_window_minutes": 10}});
    house.patch(&path, settings).await.is(200);
    let third = house.order(&shop, "3").await;
    assert_eq!(third["holds"][0]["reason"], "suspected_duplicate");
    assert!(text(&third["duplicate_of"]).starts_with("ord_"));
    let released = house
        .post(
            &format!("/v1/orders/{}/release", text(&third["id"])),
            json!({}),
        )
        .await
        .is(200)
        .json();
    assert_eq!(released["status"], "open");
}

#[actix_web::test]
async fn a_new_orders_faults_are_named() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let mut body = order(&shop, "1");
    body["order"].as_object_mut().unwrap().remove("currency");
    let told = house
        .post("/v1/orders", body)
        .await
        .refused(422, "invalid_body")
        .json();
    assert!(
        told["fields"].to_string().contains("order.currency"),
        "{told}"
    );
    let mut body = order(&shop, "1");
    body["order"]["colour"] = json!("red");
    house
        .post("/v1/orders", body)
        .await
        .refused(422, "invalid_body");
    let body = order("con_0123456789abcdef0123456789abcdef", "1");
    house
        .post("/v1/orders", body)
        .await
        .refused(422, "invalid_body");
}
