//! What does not fit is refused with its place, and does nothing.

use super::desk::{Desk, error, text};
use serde_json::{Value, json};

#[tokio::test]
async fn bad_bodies_are_named_by_their_places() {
    let desk = Desk::at("hornpost").await;
    let part = desk.part(1).await;
    let line = &part["lines"][0]["line_id"];
    let ship = format!("/v1/fulfillment-orders/{}/ship", text(&part["id"]));
    let account = desk.dock.account.as_str();
    let unknown = "con_01900000-0000-7000-8000-000000000009";
    let long = "x".repeat(201);
    let bad: Vec<(Value, &str)> = vec![
        (json!({"parcels": []}), "shipment_ref"),
        (json!({"shipment_ref": " "}), "shipment_ref"),
        (json!({"shipment_ref": "a\u{7}"}), "shipment_ref"),
        (json!({"shipment_ref": long}), "shipment_ref"),
        (json!({"shipment_ref": 7}), "shipment_ref"),
        (json!({"shipment_ref": "S", "parcel": []}), "parcel"),
        (
            json!({"shipment_ref": "S", "parcels": [{"weight_g": 0}]}),
            "parcels.0.weight_g",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{"weight_g": -1}]}),
            "parcels.0.weight_g",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{"weight_g": 1.5}]}),
            "parcels.0.weight_g",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{}, {"height_mm": 90_000}]}),
            "parcels.1.height_mm",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{"wight_g": 1}]}),
            "parcels.0.wight_g",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{"sscc": "a\nb"}]}),
            "parcels.0.sscc",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{"tracking_number": long}]}),
            "parcels.0.tracking_number",
        ),
        (
            json!({"shipment_ref": "S", "parcels": [{"tracking_url": "javascript:alert(1)"}]}),
            "parcels.0.tracking_url",
        ),
        (
            json!({"shipment_ref": "S", "lines": [{"line_id": line, "quantity": 3}]}),
            "lines.0.quantity",
        ),
        (
            json!({"shipment_ref": "S", "lines": [{"line_id": line, "quantity": 0}]}),
            "lines.0.quantity",
        ),
        (
            json!({"shipment_ref": "S", "lines": [{"line_id": "lin_01900000-0000-7000-8000-000000000009", "quantity": 1}]}),
            "lines.0.line_id",
        ),
        (
            json!({"shipment_ref": "S", "carrier_connection_id": "hornpost"}),
            "carrier_connection_id",
        ),
        (
            json!({"shipment_ref": "S", "carrier_connection_id": unknown}),
            "carrier_connection_id",
        ),
        (
            json!({"shipment_ref": "S", "label_format": "epl"}),
            "label_format",
        ),
        (
            json!({"shipment_ref": "S", "carrier_connection_id": account, "parcels": [{"tracking_number": "OWN"}]}),
            "parcels.0.tracking_number",
        ),
    ];
    for (body, place) in bad {
        let told = desk.call("POST", &ship, body.clone()).await;
        assert_eq!(
            error(&told),
            (422, "invalid_body", vec![place]),
            "{body}: {}",
            told.json
        );
    }
    let many: Vec<Value> = (0..501).map(|_| json!({})).collect();
    let told = desk
        .call("POST", &ship, json!({"shipment_ref": "S", "parcels": many}))
        .await;
    assert_eq!(error(&told), (422, "invalid_body", vec!["parcels"]));
    for body in [json!([]), json!("S"), Value::Null] {
        let told = desk.call("POST", &ship, body.clone()).await;
        assert_eq!(told.status, 422, "{body}: {}", told.json);
    }
    let shipments = desk.gateway.get("/v1/shipments").await;
    assert_eq!(shipments["data"], json!([]));
    assert_eq!(desk.courier.calls("labels.post").await, 0);
    addresses(&desk).await;
}

async fn addresses(desk: &Desk) {
    let unknown = "shp_01900000-0000-7000-8000-000000000009";
    for (path, status, code) in [
        ("/v1/shipments?status=lost", 400, "invalid_parameter"),
        ("/v1/shipments?stat=draft", 400, "unknown_parameter"),
        ("/v1/shipments?limit=0", 400, "invalid_parameter"),
        ("/v1/shipments?after=x", 400, "invalid_parameter"),
        ("/v1/shipments?order_id=1", 400, "invalid_parameter"),
        ("/v1/shipments/1", 404, "not_found"),
        (&format!("/v1/shipments/{unknown}"), 404, "not_found"),
        (&format!("/v1/shipments/{unknown}/label"), 404, "not_found"),
        (
            &format!("/v1/shipments/{unknown}/label?format=epl"),
            400,
            "invalid_parameter",
        ),
        ("/v1/tracking/NONE", 404, "not_found"),
        ("/v1/cod/items?status=paid", 400, "invalid_parameter"),
        ("/v1/cod/statement?limit=3", 400, "unknown_parameter"),
        ("/v1/pickup-points?near=Sofia", 400, "invalid_parameter"),
        ("/v1/pickup-points?near=91,23", 400, "invalid_parameter"),
        ("/v1/pickup-points?near=NaN,23", 400, "invalid_parameter"),
        ("/v1/pickup-points?limit=101", 400, "invalid_parameter"),
        ("/v1/pickup-points?kind=shop", 400, "invalid_parameter"),
        ("/v1/pickup-points?country=Greece", 400, "invalid_parameter"),
        ("/v1/pickup-points?q=", 400, "invalid_parameter"),
        ("/v1/pickup-points?cod=yes", 400, "invalid_parameter"),
    ] {
        let told = desk.call("GET", path, Value::Null).await;
        assert_eq!(
            (told.status, error(&told).1),
            (status, code),
            "{path}: {}",
            told.json
        );
    }
    let cut = desk.gateway.http.post(desk.gateway.url("/v1/manifests"));
    let cut = cut
        .bearer_auth(crate::support::gateway::TOKEN)
        .header("content-type", "application/json")
        .body("{\"carrier_connection_id\": \"con")
        .send()
        .await
        .unwrap();
    assert_eq!(cut.status(), 400);
    for (path, body, place) in [
        ("/v1/manifests", json!({}), "carrier_connection_id"),
        (
            "/v1/manifests",
            json!({"carrier_connection_id": "con_01900000-0000-7000-8000-000000000009"}),
            "carrier_connection_id",
        ),
        (
            "/v1/manifests",
            json!({"carrier_connection_id": desk.dock.account, "shipment_ids": ["x"]}),
            "shipment_ids.0",
        ),
        (
            "/v1/shipments",
            json!({"shipment_ref": "S", "parcels": []}),
            "fulfillment_order_id",
        ),
    ] {
        let told = desk.call("POST", path, body.clone()).await;
        assert_eq!(
            error(&told),
            (422, "invalid_body", vec![place]),
            "{body}: {}",
            told.json
        );
    }
    for action in ["void", "replace"] {
        let path = format!("/v1/shipments/{unknown}/{action}");
        let told = desk.call("POST", &path, json!({})).await;
        assert_eq!(
            (told.status, error(&told).1),
            (404, "not_found"),
            "{action}"
        );
    }
}
