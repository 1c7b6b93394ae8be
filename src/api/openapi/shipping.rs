//! Schemas of shipments, tracking and cash on delivery.

use super::model::{integer, r, strict};
use super::wire::{money, nullable, object, text, time, words};
use serde_json::{Value, json};

/// Every class of problem.
const CLASS: &[&str] = &[
    "throttled",
    "transient",
    "ambiguous",
    "auth_expired",
    "auth_broken",
    "invalid",
    "rejected",
    "conflict",
    "gone",
    "broken_contract",
    "drift",
    "totals_mismatch",
];
/// Every status of a parcel.
pub const TRACKING_STATUS: &[&str] = &[
    "unknown",
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "failed_attempt",
    "available_for_pickup",
    "return_in_transit",
    "delivered",
    "returned",
    "cancelled",
    "exception",
    "info",
];
/// Every status of a shipment.
pub const SHIPMENT_STATUS: &[&str] = &[
    "draft",
    "requested",
    "outcome_unknown",
    "purchased",
    "printed",
    "manifested",
    "handed_over",
    "failed",
    "void_requested",
    "voided",
    "void_refused",
];

fn related() -> Value {
    let kind = words(&["return", "redirect", "replacement", "original", "other"]);
    json!({"type": "array", "items": object(json!({"kind": kind, "tracking_number": text()}))})
}

fn parcel() -> Value {
    let size = nullable(integer());
    let label = object(json!({"format": text(), "size": nullable(text()), "document_id": text()}));
    let state = object(json!({
        "status": words(TRACKING_STATUS), "since": nullable(time()), "exception": nullable(text()),
        "first_scan_at": nullable(time()), "returning": {"type": "boolean"}, "related": related(),
    }));
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
        "insured": nullable(money()), "label_format": words(&["pdf", "zpl"]),
        "documents": {"type": "array", "items": document},
        "charges": {"type": "array", "items": r("Charge")},
        "printed": {"type": "array", "items": object(json!({"at": time(), "by": text()}))},
        "reference": nullable(text()), "request_number": integer(),
        "failure": nullable(failure),
        "replaces": nullable(text()), "replaced_by": nullable(text()),
        "void_reason": nullable(text()), "purchased_at": at, "handed_over_at": at,
        "created_at": time(), "updated_at": time(), "version": integer(),
    }))
}
