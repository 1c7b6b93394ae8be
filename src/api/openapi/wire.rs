//! Schemas of everything beside the canonical model: connections, events, the ledger, errors; and
//! the words that schemas are made of.

use crate::api::words::{CLASS, DELIVERY_STATE, DISPOSITION, INBOX_SOURCE, JOB_STATE};
use serde_json::{Map, Value, json};

/// A text.
pub fn text() -> Value {
    json!({"type": "string"})
}
/// A moment.
pub fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}
/// One of these words.
pub fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}
/// An amount in a currency.
pub fn money() -> Value {
    json!({"$ref": "#/components/schemas/Money"})
}
/// It, or null.
pub fn nullable(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}
/// An object that has all these properties and no others.
pub fn object(properties: Value) -> Value {
    let required: Vec<String> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}
fn free() -> Value {
    json!({"type": "object", "additionalProperties": true})
}
fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}
/// Properties of an object that may also be left out.
fn with_optional(schema: Value, properties: Value) -> Value {
    let mut schema = schema;
    if let (Some(all), Value::Object(more)) = (
        schema.get_mut("properties").and_then(Value::as_object_mut),
        properties,
    ) {
        all.extend(more);
    }
    schema
}

/// All of them, by name.
pub fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    let mut put = |name: &str, schema: Value| drop(all.insert(name.to_owned(), schema));
    put("Problem", problem());
    put("Merchant", merchant());
    put("Connection", connection());
    put("Connector", connector());
    put("Event", event());
    put(
        "TimelineEntry",
        object(json!({"at": time(), "kind": text(), "text": text(), "detail": {}})),
    );
    put("Subscription", subscription());
    put("Delivery", delivery());
    put(
        "Replay",
        object(json!({"count": count(), "dry_run": {"type": "boolean"}})),
    );
    put("InboxRecord", inbox_record());
    put("LedgerLine", ledger_line());
    put("Trouble", trouble());
    put(
        "Retried",
        object(json!({
            "mended": count(), "left": count(), "problem": {"$ref": "#/components/schemas/Trouble"},
        })),
    );
    put("Job", job());
    put("JobsRetried", object(json!({"jobs": count()})));
    put("Queued", object(json!({"queued": list(text())})));
    put("Token", token());
    put(
        "AuditEntry",
        object(json!({
            "id": text(), "at": time(), "actor": text(), "action": text(), "subject": text(), "detail": {},
        })),
    );
    put("Ready", ready());
    all
}

fn problem() -> Value {
    let required = object(json!({
        "type": text(), "title": text(), "status": count(), "code": text(), "detail": text(),
    }));
    with_optional(
        required,
        json!({
            "hint": {"type": "string", "description": "What can be done about it."},
            "fields": list(object(json!({"path": text(), "message": text()}))),
            "current": {"type": "object", "description": "The object as it is now.", "additionalProperties": true},
        }),
    )
}

fn merchant() -> Value {
    let required = object(
        json!({"id": text(), "name": text(), "timezone": text(), "settings": free(), "created_at": time()}),
    );
    with_optional(required, json!({ "erased_at": time() }))
}

fn connection() -> Value {
    let at = nullable(time());
    let health = object(json!({
        "last_received_at": at, "last_poll_at": at, "last_check_at": at,
        "check": nullable(object(json!({"ok": {"type": "boolean"}, "message": text()}))),
        "failures_in_row": count(), "circuit_open_until": at, "frozen_until": at, "suspended_reason": nullable(text()),
        "found_by_sweep": count(),
    }));
    let required = object(json!({
        "id": text(), "merchant_id": text(), "connector": text(), "name": text(),
        "kind": words(&["shop", "marketplace", "carrier", "wms"]),
        "owner": words(&["merchant", "operator"]),
        "settings": free(),
        "state": words(&["observing", "active", "paused", "suspended", "deleted"]),
        "release_from": at, "health": health, "memory": free(),
        "credentials_set": {"type": "array", "items": text(), "description": "Names of the credentials that are set; never their values."},
        "created_at": time(), "updated_at": time(), "version": count(), "epoch": count(),
        "hook_url": {"type": "string", "description": "Where the provider sends its webhooks."},
    }));
    with_optional(
        required,
        json!({"contracts": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Contract"}}}),
    )
}

fn connector() -> Value {
    let required = object(json!({
        "id": text(), "name": text(), "kind": words(&["shop", "marketplace", "carrier", "wms"]),
        "summary": text(), "docs": text(), "version": text(), "operations": free(), "webhook_topics": list(text()),
        "webhook_secret": nullable(text()),
    }));
    with_optional(
        required,
        json!({
            "form": {"type": "object", "description": "JSON Schema of `{settings, credentials}`.", "additionalProperties": true},
            "settings_of_every_connection": {"type": "object", "description": "JSON Schema of settings beside the form's.", "additionalProperties": true},
        }),
    )
}

fn event() -> Value {
    object(json!({
        "id": text(), "sequence": count(), "type": text(), "timestamp": time(), "merchant_id": text(),
        "data": {"type": "object", "description": "Whole objects, so that a reader needs no second call.", "additionalProperties": true},
    }))
}

fn subscription() -> Value {
    let required = object(json!({
        "id": text(), "url": text(), "event_types": list(text()), "merchant_id": nullable(text()),
        "state": words(&["active", "disabled", "deleted"]), "disabled_reason": nullable(text()),
        "cursor": count(), "created_at": time(),
    }));
    with_optional(
        required,
        json!({
            "secret": {"type": "string", "pattern": "^whsec_", "description": "A webhook's; shown once, when it is made."},
        }),
    )
}

fn delivery() -> Value {
    object(json!({
        "id": text(), "subscription_id": text(), "merchant_id": text(), "event_id": text(),
        "sequence": count(), "ordering_key": text(),
        "state": words(DELIVERY_STATE),
        "attempts": count(), "first_at": time(), "next_at": nullable(time()),
        "last_status": nullable(count()), "last_error": nullable(text()), "replay_of": nullable(text()),
    }))
}

fn inbox_record() -> Value {
    let t = nullable(text());
    object(json!({
        "id": text(), "merchant_id": text(), "connection_id": text(), "raw_id": text(),
        "index": count(), "source": words(INBOX_SOURCE),
        "topic": text(), "received_at": time(), "kind": t, "external_id": t,
        "disposition": words(DISPOSITION), "reason": t, "subject": t, "duplicate_of": t,
        "problem_id": t, "mapping_version": t, "decided_at": nullable(time()),
    }))
}

fn ledger_line() -> Value {
    object(json!({
        "connection_id": text(), "day": {"type": "string", "format": "date"}, "received": count(),
        "pending": count(), "applied": count(), "unchanged": count(), "stale": count(),
        "duplicate": count(), "ignored": count(), "problem": count(),
    }))
}

fn trouble() -> Value {
    object(json!({
        "id": text(), "merchant_id": text(), "class": words(CLASS), "subject": text(),
        "connection_id": nullable(text()), "first_seen_at": time(), "last_seen_at": time(),
        "count": count(), "retryable": {"type": "boolean"}, "code": text(), "message": text(),
        "detail": {}, "hint": nullable(text()), "status": words(&["open", "resolved"]),
        "resolved_at": nullable(time()),
    }))
}

fn job() -> Value {
    object(json!({
        "id": text(), "merchant_id": text(), "kind": text(), "connection_id": text(),
        "order_id": nullable(text()),
        "lane": words(&["label", "acknowledgement", "order_import", "status_push", "stock", "tracking_poll"]),
        "key": text(), "ordering_key": text(), "run_at": time(), "attempts": count(),
        "lease_owner": nullable(text()), "lease_until": nullable(time()), "epoch": count(),
        "step": count(), "checkpoint": {}, "input": {},
        "state": words(JOB_STATE),
        "problem_id": nullable(text()), "created_at": time(), "done_at": nullable(time()),
    }))
}

fn token() -> Value {
    let required = object(json!({
        "id": text(), "name": text(), "scope": words(&["admin", "operator", "merchant", "warehouse"]),
        "merchant_id": nullable(text()), "created_at": time(), "revoked_at": nullable(time()),
    }));
    with_optional(
        required,
        json!({
            "token": {"type": "string", "description": "Shown once, when it is made."},
        }),
    )
}

fn ready() -> Value {
    object(json!({
        "status": words(&["ready"]), "role": text(), "version": text(),
        "store": object(json!({
            "backend": text(), "schema_version": count(), "free_bytes": nullable(count()),
            "min_free_bytes": count(), "writer_queue": count(), "writer_queue_limit": count(),
            "pending_deliveries": count(), "oldest_pending_at": nullable(time()),
        })),
    }))
}
