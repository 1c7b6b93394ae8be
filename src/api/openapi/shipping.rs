//! Schemas of shipments, tracking and cash on delivery.

use super::model::{integer, r, strict};
use super::wire::{money, nullable, object, text, time, words};
use crate::api::words::{
    CLASS, COD_STATUS, LABEL_FORMAT, POINT_KIND, SHIPMENT_STATUS, TRACKING_STATUS,
};
use serde_json::{Map, Value, json};

fn related() -> Value {
    let kind = words(&["return", "redirect", "replacement", "original", "other"]);
    json!({"type": "array", "items": object(json!({"kind": kind, "tracking_number": text()}))})
}

fn parcel_state() -> Value {
    object(json!({
        "status": words(TRACKING_STATUS), "since": nullable(time()), "exception": nullable(text()),
        "first_scan_at": nullable(time()), "returning": {"type": "boolean"}, "related": related(),
    }))
}

fn parcel() -> Value {
    let size = nullable(integer());
    let label = object(json!({"format": text(), "size": nullable(text()), "document_id": text()}));
    let state = parcel_state();
    object(json!({
        "id": text(), "tracking_number": nullable(text()), "tracking_url": nullable(text()),
        "weight_g": size, "length_mm": size, "width_mm": size, "height_mm": size,
        "sscc": nullable(text()), "label": nullable(label), "tracking": state,
    }))
}

/// A shipment.
pub fn shipment() -> Value {
    let document = object(json!({
        "id": text(),
        "kind": words(&["label", "return_label", "customs", "cod", "manifest", "other"]),
        "format": text(), "parcel_id": nullable(text()), "bytes": integer(),
    }));
    let point = strict(
        json!({"network": nullable(text()), "id": nullable(text()), "name": nullable(text())}),
        &[],
    );
    let failure = object(json!({
        "class": words(CLASS), "code": text(), "message": text(),
        "fields": {"type": "array", "items": text()},
    }));
    let at = nullable(time());
    object(json!({
        "id": text(), "order_id": text(), "merchant_id": text(), "fulfillment_order_id": text(),
        "connection_id": nullable(text()), "carrier": nullable(text()), "service": nullable(text()),
        "direction": words(&["outbound", "return"]),
        "status": words(SHIPMENT_STATUS),
        "shipment_ref": text(),
        "lines": {"type": "array", "items": r("LineQuantity")},
        "parcels": {"type": "array", "items": parcel()},
        "cod": nullable(money()), "cod_due": nullable(money()),
        "packed": {"type": "boolean"},
        "ship_to": nullable(r("Address")), "pickup_point": nullable(point),
        "insured": nullable(money()), "label_format": words(LABEL_FORMAT),
        "documents": {"type": "array", "items": document},
        "charges": {"type": "array", "items": r("Charge")},
        "printed": {"type": "array", "items": object(json!({"at": time(), "by": text()}))},
        "reference": nullable(text()), "request_number": integer(),
        "failure": nullable(failure),
        "replaces": nullable(text()), "replaced_by": nullable(text()),
        "label_ready_at": at, "voiding": {"type": "boolean"}, "told_at": at,
        "former_numbers": {"type": "array", "items": text()},
        "void_reason": nullable(text()), "purchased_at": at, "handed_over_at": at,
        "created_at": time(), "updated_at": time(), "version": integer(),
    }))
}

/// All schemas of this file, by name.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let mut put = |name: &str, schema: Value| drop(all.insert(name.to_owned(), schema));
    put("Shipment", shipment());
    put("ShipmentWithLabel", with_label());
    put("Manifest", manifest());
    put("TrackingHistory", history());
    put("CodItem", cod_item());
    put("CodSum", cod_sum());
    put("PickupPoint", pickup_point());
    put("StockLevel", stock_level());
    put(
        "StockPut",
        object(
            json!({"outcome": words(&["changed", "unchanged", "stale"]), "stock_level": r("StockLevel")}),
        ),
    );
    put(
        "Directory",
        object(
            json!({"network": text(), "connection_id": nullable(text()), "points": integer(), "loaded_at": time()}),
        ),
    );
    all
}

fn with_label() -> Value {
    let mut schema = shipment();
    let label = object(json!({
        "document_id": text(), "format": text(),
        "content_base64": {"type": "string", "description": "The label's bytes, when `wait` was given."},
    }));
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("label".to_owned(), label);
    }
    schema
}

fn manifest() -> Value {
    let listed = object(json!({"shipment_id": text(), "status": words(SHIPMENT_STATUS)}));
    let refused = object(json!({"shipment_id": text(), "code": text(), "detail": text()}));
    object(json!({
        "carrier_connection_id": text(),
        "shipments": {"type": "array", "items": listed},
        "refused": {"type": "array", "items": refused},
    }))
}

fn history() -> Value {
    let place = strict(
        json!({
            "name": nullable(text()), "city": nullable(text()), "country": nullable(text()),
            "geo": nullable(object(json!({"lat": {"type": "number"}, "lon": {"type": "number"}}))),
        }),
        &[],
    );
    let event = object(json!({
        "id": text(), "parcel_id": text(), "status": words(TRACKING_STATUS),
        "reason": nullable(text()), "carrier_code": nullable(text()),
        "carrier_text": nullable(text()), "occurred_at": time(), "received_at": time(),
        "place": nullable(place), "origin": words(&["webhook", "poll", "file", "manual"]),
    }));
    object(json!({
        "tracking_number": text(), "tracking_url": nullable(text()), "order_id": text(),
        "shipment_id": text(), "parcel_id": text(), "connection_id": nullable(text()),
        "carrier": nullable(text()), "state": parcel_state(),
        "events": {"type": "array", "items": event},
    }))
}

fn cod_item() -> Value {
    object(json!({
        "id": text(), "order_id": text(), "merchant_id": text(), "shipment_id": text(),
        "parcel_id": text(), "connection_id": text(), "tracking_number": nullable(text()),
        "status": words(COD_STATUS), "order_amount": money(), "due": money(),
        "collected": nullable(money()), "payee": words(&["operator", "merchant"]),
        "collected_at": nullable(time()), "reason": nullable(text()),
        "created_at": time(), "updated_at": time(), "version": integer(),
    }))
}

fn cod_sum() -> Value {
    object(json!({
        "connection_id": text(), "merchant_id": text(), "status": words(COD_STATUS),
        "count": integer(), "due": money(), "collected": money(),
    }))
}

fn stock_level() -> Value {
    let number = || json!({"type": "number"});
    object(json!({
        "merchant_id": text(), "location": text(), "sku": text(),
        "on_hand": number(), "reserved": number(), "unavailable": number(), "buffer": number(),
        "incoming": number(),
        "available": {"type": "number", "description": "on_hand − reserved − unavailable − buffer; below zero where more is promised than there is."},
        "as_of": time(), "sequence": nullable(integer()), "updated_at": time(),
    }))
}

fn pickup_point() -> Value {
    let opening = object(
        json!({"day": {"type": "integer", "minimum": 1, "maximum": 7}, "from": text(), "to": text()}),
    );
    object(json!({
        "network": text(), "point_id": text(),
        "kind": words(POINT_KIND),
        "name": nullable(text()), "address": r("Address"),
        "geo": nullable(object(json!({"lat": {"type": "number"}, "lon": {"type": "number"}}))),
        "opening": {"type": "array", "items": opening},
        "max_weight_g": nullable(json!({"type": "number"})), "max_size_mm": {},
        "cod_allowed": nullable(json!({"type": "boolean"})),
        "valid_from": nullable(text()), "valid_to": nullable(text()),
        "distance_m": nullable(integer()), "connection_id": nullable(text()),
    }))
}
