//! The strict types of what mappings yield.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::Output;
use crate::mapping::from_serde;
use serde_json::{Value, json};

fn check(mapping: &str, value: Value) -> Result<Value, String> {
    Output::check(mapping, &from_serde(&value).unwrap())
        .map(|output| output.json())
        .map_err(|e| e.to_string())
}

#[test]
fn tracking_is_put_in_order_and_checked() {
    let event = |time: &str, code: &str| json!({"status": "in_transit", "carrier_code": code, "occurred_at": time});
    let answer = json!({"tracking_number": "1", "events": [event("2025-03-02T10:00:00+02:00", "b"), event("2025-03-01T10:00:00Z", "a")]});
    let out = check("tracking", answer).unwrap();
    assert_eq!(out["events"][0]["carrier_code"], json!("a"));
    assert_eq!(
        out["events"][1]["occurred_at"],
        json!("2025-03-02T08:00:00Z")
    );
    assert_eq!(out["cod"], Value::Null);
    assert!(check("tracking", json!({"tracking_number": "1", "events": [{"status": "lost", "occurred_at": "2025-03-01T10:00:00Z"}]})).unwrap_err().contains("events[0].status"));
    assert!(
        check("tracking", json!({"events": []})).is_err(),
        "the number is told, if only as null"
    );
    assert!(
        check("tracking", json!([]))
            .unwrap_err()
            .contains("found an array")
    );
}

#[test]
fn labels_and_points_are_checked() {
    let label = |document: Value| {
        check(
            "label",
            json!({"tracking_number": null, "documents": [document]}),
        )
    };
    assert!(label(json!({"kind": "label", "format": "pdf", "content_base64": "JVBERg=="})).is_ok());
    assert!(
        label(json!({"kind": "label", "format": "pdf"}))
            .unwrap_err()
            .starts_with("documents[0]")
    );
    let point = |opening: Value| {
        check(
            "points",
            json!({"network": "n", "point_id": "1", "kind": "locker", "name": "L", "address": {}, "opening": opening}),
        )
    };
    assert!(point(json!([{"day": 7, "from": "00:00", "to": "24:00"}])).is_ok());
    assert!(
        point(json!([{"day": 8, "from": "00:00", "to": "24:00"}]))
            .unwrap_err()
            .starts_with("opening[0]")
    );
    assert!(point(json!([{"day": 1, "from": "9:00", "to": "24:00"}])).is_err());
}
