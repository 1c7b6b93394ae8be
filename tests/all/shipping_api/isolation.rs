//! Two merchants at one carrier account of the operator: each sees its own and nothing else.

use super::desk::{Desk, bytes, call_as, cod_order, text};
use crate::support::dock::numbers;
use serde_json::{Value, json};

const OPERATOR: &str = "mer_00000000000000000000000000000001";

/// A shop of another merchant; its id and the hook.
async fn other(desk: &Desk) -> (Value, String) {
    let (shop, hook) = desk.gateway.shop("http://127.0.0.1:9", "active").await;
    let shop = desk.gateway.get(&format!("/v1/connections/{shop}")).await;
    (shop["merchant_id"].clone(), hook)
}

#[tokio::test]
async fn a_merchants_token_sees_its_own_parcels_labels_and_cash() {
    let mut desk = Desk::at("owlpost").await;
    let own = desk
        .gateway
        .get(&format!("/v1/connections/{}", desk.dock.account))
        .await;
    let ours = own["merchant_id"].clone();
    let (theirs, hook) = other(&desk).await;
    let mut shared = desk.courier.connection(&json!(OPERATOR));
    let sender = shared["contracts"]["default"].clone();
    shared["contracts"] = json!({ text(&ours): sender, text(&theirs): sender });
    let shared = desk.gateway.post("/v1/connections", shared).await;
    desk.dock.account = text(&shared["id"]).to_owned();
    let part = desk.dock.order(&desk.gateway, cod_order(1)).await;
    let mine = desk
        .ship(&part, "S-1", json!([{"weight_g": 900}]))
        .await
        .json;
    desk.dock.hook = hook;
    let part = desk.dock.order(&desk.gateway, cod_order(2)).await;
    let foreign = desk
        .ship(&part, "S-1", json!([{"weight_g": 900}]))
        .await
        .json;
    assert_ne!(mine["id"], foreign["id"]);

    let token = desk.token("merchant", &ours).await;
    let get = |path: String| {
        let (gateway, token) = (&desk.gateway, &token);
        async move { call_as(gateway, token, "GET", &path, None).await }
    };
    let id = |shipment: &Value| text(&shipment["id"]).to_owned();
    assert_eq!(
        get(format!("/v1/shipments/{}", id(&mine))).await.status,
        200
    );
    assert_eq!(
        get(format!("/v1/shipments/{}", id(&foreign))).await.status,
        404
    );
    let label = |shipment: &Value| format!("/v1/shipments/{}/label", id(shipment));
    assert_eq!(bytes(&desk.gateway, &token, &label(&mine)).await.0, 200);
    assert_eq!(bytes(&desk.gateway, &token, &label(&foreign)).await.0, 404);
    // A merchant looks at a label; it does not print it.
    assert_eq!(desk.shipment(&id(&mine)).await["printed"], json!([]));
    let number = |shipment: &Value| numbers(shipment).remove(0);
    assert_eq!(
        get(format!("/v1/tracking/{}", number(&mine))).await.status,
        200
    );
    assert_eq!(
        get(format!("/v1/tracking/{}", number(&foreign)))
            .await
            .status,
        404
    );
    for list in ["/v1/shipments", "/v1/cod/items", "/v1/cod/statement"] {
        for query in [
            String::new(),
            format!("?merchant_id={}", text(&theirs)),
            format!("?order_id={}", text(&foreign["order_id"])),
            format!("?connection_id={}", desk.dock.account),
        ] {
            let seen = get(format!("{list}{query}")).await;
            assert_eq!(seen.status, 200, "{list}{query}: {}", seen.json);
            let rows = seen.json["data"].as_array().unwrap();
            assert!(
                rows.iter().all(|row| row["merchant_id"] == ours),
                "{list}{query}"
            );
            let narrowed = query.contains("mer_") || query.contains("ord_");
            assert_eq!(rows.is_empty(), narrowed, "{list}{query}");
        }
    }
    commands(&desk, &ours, &mine, &foreign).await;
}

async fn commands(desk: &Desk, ours: &Value, mine: &Value, foreign: &Value) {
    let merchant = desk.token("merchant", ours).await;
    let bound = desk.token("warehouse", ours).await;
    let gateway = &desk.gateway;
    for (token, shipment, status) in [
        (&merchant, mine, 403),
        (&bound, foreign, 404),
        (&bound, mine, 200),
    ] {
        let void = format!("/v1/shipments/{}/void", text(&shipment["id"]));
        let told = call_as(gateway, token, "POST", &void, Some(json!({}))).await;
        assert_eq!(told.status, status, "{}", told.json);
    }
    for route in ["replace", "resolve"] {
        let path = format!("/v1/shipments/{}/{route}", text(&foreign["id"]));
        let body = match route {
            "resolve" => json!({"outcome": "not_purchased"}),
            _ => json!({}),
        };
        let told = call_as(gateway, &bound, "POST", &path, Some(body)).await;
        assert!([403, 404].contains(&told.status), "{route}: {}", told.json);
    }
    let body = json!({
        "carrier_connection_id": desk.dock.account, "shipment_ids": [foreign["id"]],
        "handed_over": true,
    });
    let told = call_as(gateway, &bound, "POST", "/v1/manifests", Some(body)).await;
    assert_eq!(told.json["refused"][0]["code"], "not_found");
    let part = json!({
        "fulfillment_order_id": foreign["fulfillment_order_id"], "shipment_ref": "X", "parcels": [],
    });
    let told = call_as(gateway, &bound, "POST", "/v1/shipments", Some(part)).await;
    assert_eq!(told.status, 404);
    assert_eq!(
        desk.shipment(text(&foreign["id"])).await["status"],
        "purchased"
    );
}
