//! After the label: void, another one in its place, what the carrier refused, and what nobody knows.

use super::desk::{Desk, bytes, cod_order, error, text};
use crate::support::courier::Courier;
use crate::support::dock::{numbers, settled};
use crate::support::orders;
use serde_json::json;

const BOUGHT: [&str; 2] = ["purchased", "printed"];

#[tokio::test]
async fn a_void_label_gives_its_goods_back() {
    let desk = Desk::at("hornpost").await;
    let part = desk.part(1).await;
    let shipped = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    let id = text(&shipped.json["id"]);
    let void = format!("/v1/shipments/{id}/void");
    let asked = desk
        .call("POST", &void, json!({"reason": "box broke"}))
        .await;
    assert_eq!(asked.status, 200, "{}", asked.json);
    let gone = settled(&desk.gateway, id, &["voided"]).await;
    assert_eq!(gone["void_reason"], "box broke");
    assert_eq!(desk.courier.state().await["void"], json!(numbers(&gone)));
    // Told again: nothing more.
    assert_eq!(desk.call("POST", &void, json!({})).await.status, 200);
    // Nobody prints it any more; the merchant may look at it.
    let printed = desk
        .call("GET", &format!("/v1/shipments/{id}/label"), json!(null))
        .await;
    assert_eq!(error(&printed).1, "invalid_state");
    let merchant = desk.token("merchant", &gone["merchant_id"]).await;
    let path = format!("/v1/shipments/{id}/label");
    assert_eq!(bytes(&desk.gateway, &merchant, &path).await.0, 200);
    // Told again it is the same, without a label; the goods are a new piece of work.
    let again = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(
        (again.status, &again.json["status"]),
        (200, &json!("voided"))
    );
    assert_eq!(again.json.get("label"), None);
    let other = desk.ship(&part, "S-2", json!([{"weight_g": 900}])).await;
    assert_eq!(error(&other).1, "invalid_state");
    let anew = |event: &serde_json::Value| {
        let data = &event["data"]["fulfillment_order"];
        event["type"] == "fulfillment_order.submitted" && data["id"] != part["id"]
    };
    let events = desk.gateway.wait_for_event(anew).await;
    let part = events.iter().find(|event| anew(event)).unwrap();
    let part = &part["data"]["fulfillment_order"];
    let next = desk.ship(part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(next.status, 201, "{}", next.json);
    assert_eq!(desk.courier.made().await.len(), 2);
}

#[tokio::test]
async fn another_label_takes_its_place() {
    let desk = Desk::at("hornpost").await;
    let owl = Courier::start("owlpost").await;
    let account = desk
        .gateway
        .get(&format!("/v1/connections/{}", desk.dock.account))
        .await;
    let owls = desk
        .gateway
        .post("/v1/connections", owl.connection(&account["merchant_id"]))
        .await;
    let part = desk.part(1).await;
    let first = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    let first = text(&first.json["id"]);
    // Two parcels.
    let replace = |id: &str| format!("/v1/shipments/{id}/replace?wait=8");
    let parcels = json!({"parcels": [{"weight_g": 500}, {"weight_g": 400}]});
    let second = desk.call("POST", &replace(first), parcels).await;
    assert_eq!(second.status, 201, "{}", second.json);
    assert_eq!(second.json["replaces"], first);
    assert_eq!(second.json["shipment_ref"], "S-1~2");
    assert_eq!(numbers(&second.json).len(), 2);
    let old = settled(&desk.gateway, first, &["voided"]).await;
    assert_eq!(old["replaced_by"], second.json["id"]);
    // The old one again: the same replacement.
    let again = desk.call("POST", &replace(first), json!({})).await;
    assert_eq!((again.status, &again.json["id"]), (200, &second.json["id"]));
    // Another carrier.
    let second = text(&second.json["id"]);
    let owls = json!({"carrier_connection_id": owls["id"]});
    let third = desk.call("POST", &replace(second), owls.clone()).await;
    assert_eq!(third.status, 201, "{}", third.json);
    assert_eq!(numbers(&third.json), owl.made().await);
    settled(&desk.gateway, second, &["voided"]).await;
    let third = text(&third.json["id"]);
    // Another address: asked of the warehouse first, unless somebody says so.
    let order = text(&part["order_id"]);
    let change = json!({"set": {"ship_to.city": "Patra"}, "reason": "the customer called"});
    let told = desk
        .call("PATCH", &format!("/v1/orders/{order}"), change)
        .await;
    assert_eq!(told.status, 200, "{}", told.json);
    let fourth = desk
        .call("POST", &replace(third), json!({"override": true}))
        .await;
    assert_eq!(fourth.status, 201, "{}", fourth.json);
    assert_eq!(fourth.json["ship_to"]["city"], "Patra");
    assert_eq!(fourth.json["packed"], true);
    let live = desk.gateway.get("/v1/shipments?status=purchased").await;
    assert_eq!(live["data"].as_array().unwrap().len(), 1, "one counts");
}

#[tokio::test]
async fn another_amount_at_the_door_is_another_label() {
    let desk = Desk::at("hornpost").await;
    let part = desk.dock.order(&desk.gateway, cod_order(1)).await;
    let first = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(first.status, 201, "{}", first.json);
    let id = text(&first.json["id"]);
    let less = json!({"amount": "7.50", "currency": first.json["cod"]["currency"]});
    assert_ne!(first.json["cod"], less);
    let change = json!({"set": {"payment.cod_amount": less}, "reason": "a voucher"});
    let order = format!("/v1/orders/{}", text(&part["order_id"]));
    let told = desk.call("PATCH", &order, change).await;
    assert_eq!(told.status, 200, "{}", told.json);
    let path = format!("/v1/shipments/{id}/replace?wait=8");
    let second = desk.call("POST", &path, json!({"override": true})).await;
    assert_eq!(second.status, 201, "{}", second.json);
    assert_eq!(second.json["cod"], less);
    assert_eq!(second.json["replaces"], id);
    let old = settled(&desk.gateway, id, &["voided"]).await;
    assert_eq!(old["replaced_by"], second.json["id"]);
    assert_eq!(
        old["cod"], first.json["cod"],
        "the old label says what it said"
    );
}

#[tokio::test]
async fn another_pickup_point_is_another_label() {
    let desk = Desk::at("hornpost").await;
    let part = desk.part(1).await;
    let order = format!("/v1/orders/{}", text(&part["order_id"]));
    let to = |point: &str| {
        json!({"set": {
            "delivery.mode": "pickup_point",
            "delivery.pickup_point": {"network": "hornpost", "id": point, "name": point},
        }, "reason": "the customer called"})
    };
    assert_eq!(desk.call("PATCH", &order, to("H-1")).await.status, 200);
    let path = format!("/v1/fulfillment-orders/{}", text(&part["id"]));
    let part = desk.gateway.get(&path).await;
    let first = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(first.status, 201, "{}", first.json);
    assert_eq!(first.json["pickup_point"]["id"], "H-1");
    assert_eq!(desk.call("PATCH", &order, to("H-2")).await.status, 200);
    let id = text(&first.json["id"]);
    let path = format!("/v1/shipments/{id}/replace?wait=8");
    let second = desk.call("POST", &path, json!({"override": true})).await;
    assert_eq!(second.status, 201, "{}", second.json);
    assert_eq!(second.json["pickup_point"]["id"], "H-2");
    let old = settled(&desk.gateway, id, &["voided"]).await;
    assert_eq!(old["replaced_by"], second.json["id"]);
    assert_eq!(old["pickup_point"]["id"], "H-1");
}

#[tokio::test]
async fn what_the_carrier_refuses_is_said_and_can_be_mended() {
    let desk = Desk::at("hornpost").await;
    let mut order = orders::order(1, 1);
    order["shipping"]["city"] = json!("Nowhere");
    let part = desk.dock.order(&desk.gateway, order).await;
    let refused = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(error(&refused), (422, "label_refused", vec!["city"]));
    assert_eq!(refused.json["detail"], "bad_city: no such town");
    let id = text(&refused.json["current"]["id"]);
    let (status, _, _) = super::desk::label(&desk, id, "").await;
    assert_eq!(status, 404);
    let set = json!({"set": {"ship_to.city": "Athens"}, "reason": "a typo"});
    let path = format!("/v1/orders/{}", text(&part["order_id"]));
    assert_eq!(desk.call("PATCH", &path, set).await.status, 200);
    // The warehouse works on it: it is asked before anything leaves.
    let gate = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(error(&gate).1, "request_pending", "{}", gate.json);
    let now = &gate.json["current"];
    let accept = format!(
        "/v1/fulfillment-orders/{}/requests/{}/accept",
        text(&now["id"]),
        text(&now["request"]["id"])
    );
    let yes = json!({"revision": now["revision"]});
    assert_eq!(desk.call("POST", &accept, yes).await.status, 200);
    let again = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(
        (again.status, text(&again.json["id"])),
        (201, id),
        "{}",
        again.json
    );
    assert_eq!(desk.courier.made().await.len(), 1);
}

#[tokio::test]
async fn a_person_says_what_became_of_a_lost_answer() {
    let desk = Desk::at("hornpost").await;
    let part = desk.part(1).await;
    desk.courier.lose_answers("labels.post", 1).await;
    let lost = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    let id = text(&lost.json["id"]);
    settled(&desk.gateway, id, &["outcome_unknown"]).await;
    let void = format!("/v1/shipments/{id}/void");
    let void = desk.call("POST", &void, json!({})).await;
    assert_eq!(error(&void).1, "invalid_state");
    let resolve = format!("/v1/shipments/{id}/resolve");
    for (bad, code) in [
        (json!({}), "invalid_body"),
        (json!({"outcome": "lost"}), "invalid_body"),
        (json!({"outcome": "purchased"}), "invalid_body"),
        (
            json!({"outcome": "purchased", "tracking_numbers": [""]}),
            "invalid_body",
        ),
        (
            json!({"outcome": "purchased", "tracking_numbers": ["A", "B"]}),
            "invalid_body",
        ),
        (
            json!({"outcome": "not_purchased", "tracking_number": "A"}),
            "invalid_body",
        ),
    ] {
        let told = desk.call("POST", &resolve, bad.clone()).await;
        assert_eq!((told.status, error(&told).1), (422, code), "{bad}");
    }
    let word = json!({"outcome": "not_purchased"});
    assert_eq!(desk.call("POST", &resolve, word).await.status, 200);
    let shipment = settled(&desk.gateway, id, &BOUGHT).await;
    assert_eq!(
        desk.courier.calls("labels.post").await,
        2,
        "on a person's word"
    );
    // What is known is not said otherwise.
    let late = json!({"outcome": "purchased", "tracking_number": "HP-other"});
    assert_eq!(
        error(&desk.call("POST", &resolve, late).await).1,
        "invalid_state"
    );
    let same = json!({"outcome": "purchased", "tracking_number": numbers(&shipment)[0]});
    assert_eq!(desk.call("POST", &resolve, same).await.status, 200);
}
