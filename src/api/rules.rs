//! The settings that every connection and merchant may have, whatever the connector: they steer
//! flow (see `flow::settings`). Checked here, since flow takes what it cannot read as not set.

use super::problem::FieldError;
use crate::canonical::{Amount, Currency};
use crate::flow;
use serde_json::{Map, Value, json};

type Check = fn(&Value) -> bool;

/// Name, JSON Schema, check, and what is wanted in words.
struct Rule {
    name: &'static str,
    schema: fn() -> Value,
    fits: Check,
    wanted: &'static str,
}

fn text(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|t| !t.trim().is_empty() && t.chars().count() <= 200)
}
fn boolean(value: &Value) -> bool {
    value.is_boolean()
}
fn one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|word| words.contains(&word))
}
fn rates(value: &Value) -> bool {
    let pair = |pair: &str| {
        let currency = |code: &str| code.parse::<Currency>().is_ok();
        let sides = pair.split_once('/');
        sides.is_some_and(|(from, to)| currency(from) && currency(to) && from != to)
    };
    let rate = |rate: &Value| {
        let rate = rate.as_str().and_then(|text| text.parse::<Amount>().ok());
        rate.is_some_and(|rate| !rate.is_zero() && !rate.is_negative())
    };
    let all =
        |rates: &Map<String, Value>| rates.iter().all(|(name, value)| pair(name) && rate(value));
    value.as_object().is_some_and(all)
}
fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

const ACCEPT: &[&str] = &["auto", "when_in_stock", "manual"];
const REFUSE: &[&str] = &["never", "before_deadline"];
const ON_SHORT: &[&str] = &["ship_rest", "wait", "cancel_rest", "ask"];
const PUSH: &[&str] = &["label", "handover", "first_scan"];
const LABELS: &[&str] = &["channel", "carrier"];
const NEWS: &[&str] = &[
    "out_for_delivery",
    "failed_attempt",
    "available_for_pickup",
    "delivered",
    "returned",
];
const PUSH_STOCK: &[&str] = &["off", "listed", "all"];
const UNKNOWN_STATE: &[&str] = &["hold", "release"];
const BUNDLES: &[&str] = &["parts", "parent"];

const RULES: &[Rule] = &[
    Rule {
        name: "location",
        schema: || json!({"type": "string", "description": "The depot that fulfils."}),
        fits: text,
        wanted: "a text",
    },
    Rule {
        name: "accept",
        schema: || words(ACCEPT),
        fits: |v| one_of(v, ACCEPT),
        wanted: "auto, when_in_stock or manual",
    },
    Rule {
        name: "refuse",
        schema: || words(REFUSE),
        fits: |v| one_of(v, REFUSE),
        wanted: "never or before_deadline",
    },
    Rule {
        name: "refuse_minutes",
        schema: || {
            json!({
                "type": "integer", "minimum": 0, "maximum": 120, "default": 30,
                "description": "So long before a marketplace's deadline what nobody has answered is refused, where `refuse` says so.",
            })
        },
        fits: |v| v.as_i64().is_some_and(|n| (0..=120).contains(&n)),
        wanted: "a whole number from 0 to 120",
    },
    Rule {
        name: "refuse_reason",
        schema: || json!({"type": "string", "default": "out_of_stock", "description": "What a refusal by the clock says."}),
        fits: text,
        wanted: "a text",
    },
    Rule {
        name: "edit_window_minutes",
        schema: || json!({"type": "integer", "minimum": 0, "maximum": 44_640}),
        fits: |v| v.as_i64().is_some_and(|n| (0..=44_640).contains(&n)),
        wanted: "a whole number from 0 to 44640",
    },
    Rule {
        name: "duplicate_window_minutes",
        schema: || {
            json!({
                "type": "integer", "minimum": 0, "maximum": 44_640,
                "description": "An order like another one placed at most so long before or after it waits for a person; 0: never.",
            })
        },
        fits: |v| v.as_i64().is_some_and(|n| (0..=44_640).contains(&n)),
        wanted: "a whole number from 0 to 44640",
    },
    Rule {
        name: "cod_limit",
        schema: || json!({"type": "string", "description": "Above it, cash on delivery waits for a person."}),
        fits: |v| {
            v.as_str()
                .is_some_and(|t| t.parse::<Amount>().is_ok_and(|a| !a.is_negative()))
        },
        wanted: "an amount as a text, such as \"500.00\"",
    },
    Rule {
        name: "cod_currencies",
        schema: || json!({"type": "array", "items": {"type": "string", "pattern": "^[A-Z]{3}$"}}),
        fits: |v| {
            v.as_array().is_some_and(|codes| {
                codes
                    .iter()
                    .all(|c| c.as_str().is_some_and(|c| c.parse::<Currency>().is_ok()))
            })
        },
        wanted: "a list of ISO 4217 codes",
    },
    Rule {
        name: "require_sku",
        schema: || json!({"type": "boolean"}),
        fits: boolean,
        wanted: "true or false",
    },
    Rule {
        name: "hold_totals_mismatch",
        schema: || json!({"type": "boolean"}),
        fits: boolean,
        wanted: "true or false",
    },
    Rule {
        name: "unknown_state",
        schema: || words(UNKNOWN_STATE),
        fits: |v| one_of(v, UNKNOWN_STATE),
        wanted: "hold or release",
    },
    Rule {
        name: "bundles",
        schema: || words(BUNDLES),
        fits: |v| one_of(v, BUNDLES),
        wanted: "parts or parent",
    },
    Rule {
        name: "on_short",
        schema: || words(ON_SHORT),
        fits: |v| one_of(v, ON_SHORT),
        wanted: "ship_rest, wait, cancel_rest or ask",
    },
    Rule {
        name: "fulfillment_push",
        schema: || words(PUSH),
        fits: |v| one_of(v, PUSH),
        wanted: "label, handover or first_scan",
    },
    Rule {
        name: "labels",
        schema: || words(LABELS),
        fits: |v| one_of(v, LABELS),
        wanted: "channel or carrier",
    },
    Rule {
        name: "delivery_push",
        schema: || {
            json!({
                "type": "array", "items": words(NEWS),
                "description": "What of a parcel's way the channel is told; all but failed_attempt when not set.",
            })
        },
        fits: |v| {
            v.as_array()
                .is_some_and(|news| news.iter().all(|one| one_of(one, NEWS)))
        },
        wanted: "a list of out_for_delivery, failed_attempt, available_for_pickup, delivered and returned",
    },
    Rule {
        name: "cut_off",
        schema: || json!({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}),
        fits: |v| {
            v.as_str()
                .is_some_and(|t| jiff::civil::Time::strptime("%H:%M", t).is_ok())
        },
        wanted: "a time of day such as 16:30",
    },
    Rule {
        name: "push_stock",
        schema: || {
            json!({
                "type": "string", "enum": PUSH_STOCK, "default": "off",
                "description": "Which articles' stock the channel is told, where its connector can: none, those it is known to sell, or all.",
            })
        },
        fits: |v| one_of(v, PUSH_STOCK),
        wanted: "off, listed or all",
    },
    Rule {
        name: "stock_locations",
        schema: || {
            json!({
                "type": "array", "items": {"type": "string"},
                "description": "The places whose stock the channel sells; all when not set.",
            })
        },
        fits: |v| {
            v.as_array()
                .is_some_and(|all| !all.is_empty() && all.iter().all(text))
        },
        wanted: "a list of names",
    },
    Rule {
        name: "cod_overdue_days",
        schema: || {
            json!({
                "type": "integer", "minimum": 0, "maximum": 365, "default": 7,
                "description": "So long after delivery cash of which the carrier tells nothing is overdue.",
            })
        },
        fits: |v| v.as_i64().is_some_and(|n| (0..=365).contains(&n)),
        wanted: "a whole number from 0 to 365",
    },
    Rule {
        name: "cod_currency",
        schema: || {
            json!({
                "type": "string", "pattern": "^[A-Z]{3}$",
                "description": "Of a carrier account: in which currency it collects; the order's when not set.",
            })
        },
        fits: |v| v.as_str().is_some_and(|t| t.parse::<Currency>().is_ok()),
        wanted: "an ISO 4217 code such as EUR",
    },
    Rule {
        name: "exchange_rates",
        schema: || {
            json!({
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "For cash in another currency: {\"USD/EUR\": \"0.92\"}, one USD is 0.92 EUR. Rates that the law fixes go before it.",
            })
        },
        fits: rates,
        wanted: "an object such as {\"USD/EUR\": \"0.92\"}",
    },
    Rule {
        name: "orders_every_s",
        schema: || {
            json!({
                "type": "integer", "minimum": 1, "maximum": 86_400,
                "description": "Seconds between two polls for changed orders; the connector's own pace when not set.",
            })
        },
        fits: |v| v.as_i64().is_some_and(|n| (1..=86_400).contains(&n)),
        wanted: "a whole number from 1 to 86400",
    },
    Rule {
        name: "tracking_every_s",
        schema: || {
            json!({
                "type": "integer", "minimum": 1, "maximum": 86_400, "default": 1_800,
                "description": "Of a carrier account: seconds between two questions about a parcel under way; the other steps are scaled with it.",
            })
        },
        fits: |v| v.as_i64().is_some_and(|n| (1..=86_400).contains(&n)),
        wanted: "a whole number from 1 to 86400",
    },
    Rule {
        name: "priority",
        schema: || json!({"type": "integer"}),
        fits: |v| v.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        wanted: "a whole number",
    },
    Rule {
        name: "currency",
        schema: || json!({"type": "string", "pattern": "^[A-Z]{3}$", "description": "Of payloads that name none."}),
        fits: |v| v.as_str().is_some_and(|t| t.parse::<Currency>().is_ok()),
        wanted: "an ISO 4217 code such as EUR",
    },
    Rule {
        name: "timezone",
        schema: || json!({"type": "string", "description": "IANA name, of times that name none."}),
        fits: |v| {
            v.as_str()
                .is_some_and(|t| jiff::tz::TimeZone::get(t).is_ok())
        },
        wanted: "an IANA time zone such as Europe/Athens",
    },
];

/// True for a setting of every connection.
pub fn knows(name: &str) -> bool {
    RULES.iter().any(|rule| rule.name == name)
}

/// What does not fit, below this path.
pub fn check(path: &str, given: &Map<String, Value>) -> Vec<FieldError> {
    let rules = RULES
        .iter()
        .filter_map(|rule| Some((rule, given.get(rule.name)?)));
    rules
        .filter(|(rule, value)| !(rule.fits)(value))
        .map(|(rule, _)| {
            FieldError::new(
                format!("{path}.{}", rule.name),
                format!("{} is wanted", rule.wanted),
            )
        })
        .collect()
}

/// What does not fit of a merchant's settings, below this path: those of every connection, and the
/// rules that choose a carrier.
pub fn check_merchant(path: &str, given: &Map<String, Value>) -> Vec<FieldError> {
    let rules = flow::check_carrier_rules(given).into_iter();
    let mut errors = check(path, given);
    for name in KEEPS {
        let days = given.get(name).filter(|value| !value.is_null());
        if days.is_some_and(|v| !v.as_u64().is_some_and(|n| (0..=36_500).contains(&n))) {
            let wanted = "a whole number of days from 0 (for ever) to 36500";
            errors.push(FieldError::new(format!("{path}.{name}"), wanted));
        }
    }
    errors.extend(rules.map(|(place, what)| FieldError::new(format!("{path}.{place}"), what)));
    errors
}

/// A merchant's own settings: how many days payloads and personal data are kept.
const KEEPS: [&str; 2] = ["keep_payloads_days", "keep_personal_days"];

/// The settings of every connection as JSON Schema.
pub fn json_schema() -> Value {
    let properties: Map<String, Value> = RULES
        .iter()
        .map(|rule| (rule.name.to_owned(), (rule.schema)()))
        .collect();
    json!({"type": "object", "properties": properties})
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
