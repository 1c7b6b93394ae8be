//! A label ahead of packing, its prints, and the list that goes with the carrier.

use super::desk::{Desk, error, label, text};
use serde_json::{Value, json};

async fn ahead(desk: &Desk, part: &Value, parcels: Value) -> crate::support::gateway::Answer {
    let body = json!({
        "fulfillment_order_id": part["id"], "shipment_ref": "A-1", "parcels": parcels,
        "carrier_connection_id": desk.dock.account, "label_format": "zpl",
    });
    desk.call("POST", "/v1/shipments?wait=8", body).await
}

#[tokio::test]
async fn a_label_ahead_is_packed_printed_and_listed() {
    let desk = Desk::at("owlpost").await;
    let part = desk.part(1).await;
    let made = ahead(&desk, &part, json!([{"weight_g": 900}])).await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(made.json["packed"], false);
    assert_eq!(made.json["label"]["format"], "zpl");
    let id = text(&made.json["id"]).to_owned();
    // Told again it is the same; told otherwise it is refused.
    let again = ahead(&desk, &part, json!([{"weight_g": 900}])).await;
    assert_eq!((again.status, text(&again.json["id"])), (200, id.as_str()));
    let other = ahead(&desk, &part, json!([{"weight_g": 901}])).await;
    assert_eq!(error(&other), (409, "exists", vec!["shipment_ref"]));
    // It is not packed: no list takes it yet.
    let manifest = json!({"carrier_connection_id": desk.dock.account, "shipment_ids": [id]});
    let listed = desk.call("POST", "/v1/manifests", manifest.clone()).await;
    assert_eq!(listed.json["refused"][0]["code"], "invalid_state");
    // Packed under the same key; the label stays.
    let packed = desk.ship(&part, "A-1", json!([])).await;
    assert_eq!((packed.status, &packed.json["packed"]), (201, &json!(true)));
    assert_eq!(packed.json["id"], made.json["id"]);
    // Printed twice, bought once.
    let (status, kind, content) = label(&desk, &id, "").await;
    assert_eq!((status, kind.as_str()), (200, "application/vnd.zebra.zpl"));
    assert!(content.starts_with(b"^XA"));
    assert_eq!(label(&desk, &id, "?format=zpl").await.0, 200);
    let (status, _, content) = label(&desk, &id, "?format=pdf").await;
    assert_eq!(status, 404);
    assert!(
        String::from_utf8(content)
            .unwrap()
            .contains("gave it as zpl")
    );
    let shown = desk.shipment(&id).await;
    assert_eq!(shown["status"], "printed");
    assert_eq!(shown["printed"].as_array().unwrap().len(), 2);
    assert_eq!(desk.courier.made().await.len(), 1);
    listed_and_gone(&desk, &id, manifest).await;
}

async fn listed_and_gone(desk: &Desk, id: &str, mut manifest: Value) {
    // Another carrier's list does not take it, and says so.
    let shops = desk
        .gateway
        .get("/v1/connections?connector=woocommerce")
        .await;
    let elsewhere = json!({"carrier_connection_id": shops["data"][0]["id"], "shipment_ids": [id]});
    let refused = desk.call("POST", "/v1/manifests", elsewhere).await;
    assert_eq!(refused.json["shipments"], json!([]));
    assert_eq!(refused.json["refused"][0]["shipment_id"], id);
    assert_eq!(desk.shipment(id).await["status"], "printed");
    // Named twice it is listed once; what is not there is named.
    let unknown = "shp_01900000-0000-7000-8000-000000000009";
    manifest["shipment_ids"] = json!([id, id, unknown]);
    let listed = desk.call("POST", "/v1/manifests", manifest.clone()).await;
    assert_eq!(listed.status, 201, "{}", listed.json);
    let one = json!([{"shipment_id": id, "status": "manifested"}]);
    assert_eq!(listed.json["shipments"], one);
    assert_eq!(listed.json["refused"][0]["code"], "not_found");
    // On the list it is void no more.
    let void = desk
        .call("POST", &format!("/v1/shipments/{id}/void"), json!({}))
        .await;
    assert_eq!(error(&void).1, "invalid_state");
    // All that is packed, handed over.
    let all = json!({"carrier_connection_id": desk.dock.account, "handed_over": true});
    let gone = desk.call("POST", "/v1/manifests", all).await;
    assert_eq!(gone.json["shipments"][0]["status"], "handed_over");
}

#[tokio::test]
async fn several_parcels_have_a_label_each() {
    let desk = Desk::at("hornpost").await;
    let part = desk.part(1).await;
    let parcels = json!([{"weight_g": 900}, {"weight_g": 400, "sscc": " "}]);
    let shipped = desk.ship(&part, "S-1", parcels.clone()).await;
    assert_eq!(shipped.status, 201, "{}", shipped.json);
    assert_eq!(shipped.json["label"]["format"], "pdf");
    let id = text(&shipped.json["id"]);
    let shown = desk.shipment(id).await;
    for parcel in shown["parcels"].as_array().unwrap() {
        let (status, kind, content) =
            label(&desk, id, &format!("?parcel_id={}", text(&parcel["id"]))).await;
        assert_eq!((status, kind.as_str()), (200, "application/pdf"));
        let content = String::from_utf8(content).unwrap();
        assert!(
            content.ends_with(text(&parcel["tracking_number"])),
            "{content}"
        );
    }
    let (status, _, content) = label(&desk, id, "?format=zpl").await;
    assert_eq!(status, 404);
    assert!(
        String::from_utf8(content)
            .unwrap()
            .contains("gave it as pdf")
    );
    let stranger = "?parcel_id=par_01900000-0000-7000-8000-000000000009";
    assert_eq!(label(&desk, id, stranger).await.0, 404);
    // The key is one shipment, whatever comes with it later.
    assert_eq!(desk.ship(&part, "S-1", parcels).await.status, 200);
    let other = desk.ship(&part, "S-1", json!([{"weight_g": 900}])).await;
    assert_eq!(error(&other), (409, "exists", vec!["shipment_ref"]));
    assert_eq!(desk.courier.made().await.len(), 2);
    let found = desk.gateway.get("/v1/shipments?shipment_ref=S-1").await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
}
