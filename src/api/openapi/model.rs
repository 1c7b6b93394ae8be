//! Schemas of the canonical model: orders, fulfillment orders, shipments. Written by hand, since
//! the types keep absent and null apart; tests hold real answers against them.

use super::wire::{money, nullable, object, text, time, words};
use crate::api::words::{INBOX_SOURCE, ORDER_STATUS, PART_STATUS};
use serde_json::{Map, Value, json};

/// All of them, by name.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let mut put = |name: &str, schema: Value| drop(all.insert(name.to_owned(), schema));
    put("Money", money_schema());
    put("Address", address());
    put("Line", line());
    put("Charge", charge());
    put("Hold", hold());
    put("OrderFacts", strict(facts(), &[]));
    put("Order", order(false));
    put("OrderWithParts", order(true));
    put("FulfillmentOrder", fulfillment_order());
    all
}

/// Every property may be left out but these; no others.
pub(super) fn strict(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn optional(schema: Value) -> Value {
    nullable(schema)
}

pub(super) fn r(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn free() -> Value {
    json!({"type": "object", "additionalProperties": true})
}

fn number() -> Value {
    json!({"type": "number"})
}

pub(super) fn integer() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn money_schema() -> Value {
    let mut schema = object(json!({
        "amount": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": "An exact decimal."},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    }));
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "example".into(),
            json!({"amount": "12.30", "currency": "EUR"}),
        );
    }
    schema
}

fn address() -> Value {
    let t = nullable(text());
    strict(
        json!({
            "name": t, "company": t, "line1": t, "line2": t, "street": t, "house_number": t,
            "postal_code": t, "city": t, "district": t, "region": t, "country": t, "phone": t,
            "phone_raw": t, "email": t,
            "geo": nullable(object(json!({"lat": number(), "lon": number()}))),
            "latin": free(),
            "check": strict(json!({
                "status": words(&["unchecked", "ok", "corrected", "ambiguous", "invalid"]),
                "detail": t,
            }), &["status"]),
        }),
        &[],
    )
}

fn line() -> Value {
    let (t, m) = (nullable(text()), nullable(money()));
    strict(
        json!({
            "id": text(), "external_id": t,
            "kind": nullable(words(&["physical", "digital", "service", "bundle"])),
            "sku": t, "gtin": t, "name": t,
            "quantity": nullable(number()), "unit": t, "cancelled_quantity": nullable(number()),
            "unit_price": m, "discount": m, "tax": m, "tax_rate": t, "total": m,
            "weight_g": nullable(number()), "expected_at": nullable(time()),
            "parent_external_id": t, "attributes": nullable(free()),
        }),
        &[],
    )
}

fn charge() -> Value {
    strict(
        json!({
            "kind": words(&[
                "shipping", "handling", "cod_fee", "gift_wrap", "discount", "rounding", "tip",
                "store_credit", "other",
            ]),
            "code": nullable(text()), "title": nullable(text()),
            "tax": nullable(money()), "total": money(),
        }),
        &["kind", "total"],
    )
}

fn hold() -> Value {
    let properties = json!({
        "id": text(),
        "reason": words(&[
            "awaiting_payment", "awaiting_acceptance", "awaiting_confirmation", "incorrect_address",
            "pickup_point_invalid", "sku_unmapped", "method_unmapped", "inventory_out_of_stock",
            "high_risk_of_fraud", "suspected_duplicate", "incomplete_quick_order", "cod_limit",
            "cod_currency", "awaiting_details", "edit_window", "merchant_request",
            "customs_data_missing", "totals_mismatch", "conflict", "other",
        ]),
        "detail": nullable(text()),
        "placed_by": text(),
        "placed_at": time(),
        "clears": words(&["itself", "person"]),
        "proposals": {"type": "array", "items": {}, "description": "What would clear it."},
    });
    strict(
        properties,
        &["id", "reason", "detail", "placed_by", "placed_at", "clears"],
    )
}

fn delivery() -> Value {
    let t = nullable(text());
    strict(
        json!({
            "method_code": t, "method_title": t,
            "mode": nullable(words(&["home", "pickup_point", "collect", "digital"])),
            "carrier": t, "service": t,
            "pickup_point": nullable(strict(json!({"network": t, "id": t, "name": t}), &[])),
            "window": nullable(strict(json!({"from": nullable(time()), "to": nullable(time())}), &[])),
            "instructions": t,
        }),
        &[],
    )
}

fn payment() -> Value {
    let t = nullable(text());
    strict(
        json!({
            "method": nullable(words(&["prepaid", "cod", "on_account", "unknown"])),
            "method_code": t, "method_title": t,
            "status": nullable(words(&[
                "unpaid", "authorized", "paid", "partially_refunded", "refunded", "unknown",
            ])),
            "cod_amount": nullable(money()),
        }),
        &[],
    )
}

fn customer() -> Value {
    let t = nullable(text());
    strict(
        json!({
            "external_id": t, "name": t, "company": t, "email": t, "phone": t, "phone_raw": t,
            "language": t, "tax_id": t,
        }),
        &[],
    )
}

/// What the channel says. A key that is left out: the channel's shape does not tell.
fn facts() -> Value {
    let t = nullable(text());
    let m = nullable(money());
    let at = nullable(time());
    json!({
        "external_id": t, "external_number": t,
        "kind": nullable(words(&["standard", "quick", "wholesale", "replacement"])),
        "placed_at": at, "source_updated_at": at, "source_revision": t, "currency": t,
        "customer": optional(customer()),
        "ship_to": optional(r("Address")), "bill_to": optional(r("Address")),
        "delivery": optional(delivery()), "payment": optional(payment()),
        "lines": optional(json!({"type": "array", "items": r("Line")})),
        "charges": optional(json!({"type": "array", "items": r("Charge")})),
        "totals": optional(strict(json!({
            "items": m, "charges": m, "discount": m, "tax": m, "total": m,
        }), &[])),
        "deadlines": optional(strict(json!({
            "accept_by": at, "ship_by": at, "deliver_by": at, "cancel_until": at,
        }), &[])),
        "acceptance": optional(strict(json!({
            "state": nullable(words(&["not_needed", "pending", "accepted", "refused", "expired"])),
            "kind": nullable(words(&["decision", "receipt"])),
            "options": {},
        }), &[])),
        "channel_state": nullable(words(&[
            "draft", "pending_payment", "on_hold", "open", "partially_fulfilled", "fulfilled",
            "cancelled", "unknown",
        ])),
        "channel_status": t,
        "fulfilled_by": nullable(words(&["merchant", "channel"])),
        "note": t, "internal_note": t,
        "tags": optional(json!({"type": "array", "items": text()})),
        "attributes": optional(free()),
        "test": nullable(json!({"type": "boolean"})),
        "details_missing": nullable(json!({"type": "boolean"})),
    })
}

fn order(with_parts: bool) -> Value {
    let meta = json!({
        "id": text(), "merchant_id": text(), "connection_id": text(),
        "source": words(INBOX_SOURCE),
        "received_at": time(), "updated_at": time(),
        "status": words(ORDER_STATUS),
        "overrides": {"type": "array", "items": object(json!({
            "path": text(), "value": {}, "base_value": {}, "by": text(), "at": time(), "reason": text(),
        }))},
        "holds": {"type": "array", "items": r("Hold")},
        "payload_ref": nullable(text()), "mapping_version": nullable(text()),
        "version": integer(), "revision_at": time(), "closed_reason": nullable(text()),
        "duplicate_of": nullable(text()), "erased_at": nullable(time()),
        "answer": nullable(object(json!({
            "accept": {"type": "boolean"}, "reason": nullable(text()), "by": text(), "at": time(),
        }))),
        "released": {"type": "boolean"},
    });
    let mut properties = into_map(meta);
    if with_parts {
        properties.insert(
            "fulfillment_orders".into(),
            json!({"type": "array", "items": r("FulfillmentOrder")}),
        );
        properties.insert(
            "shipments".into(),
            json!({"type": "array", "items": r("Shipment")}),
        );
    }
    let required: Vec<String> = properties.keys().cloned().collect();
    properties.extend(into_map(facts()));
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn fulfillment_order() -> Value {
    let request = object(json!({
        "id": text(), "kind": words(&["cancel", "change", "hold"]), "wanted": {},
        "state": words(&["pending", "accepted", "refused", "expired"]),
        "answer_by": nullable(time()), "asked_at": time(), "answer": nullable(text()),
    }));
    let line = object(json!({
        "line_id": text(), "sku": nullable(text()), "channel_sku": nullable(text()),
        "name": nullable(text()), "quantity": number(), "remaining": number(),
    }));
    let plan = object(json!({
        "connection_id": nullable(text()), "service": nullable(text()), "decided_by": text(), "why": text(),
    }));
    let at = nullable(time());
    object(json!({
        "id": text(), "order_id": text(), "merchant_id": text(), "location": text(),
        "status": words(PART_STATUS),
        "revision": integer(), "version": integer(),
        "holds": {"type": "array", "items": r("Hold")},
        "request": nullable(request),
        "fulfill_at": at, "ship_by": at, "cut_off_at": at,
        "priority": {"type": "integer"},
        "lines": {"type": "array", "items": line},
        "ship_to": nullable(r("Address")), "delivery": delivery(), "cod": nullable(money()),
        "carrier_plan": nullable(plan), "wms_ref": nullable(text()),
        "supported_actions": {"type": "array", "items": text()},
        "created_at": time(), "updated_at": time(), "submitted_at": at,
    }))
}
