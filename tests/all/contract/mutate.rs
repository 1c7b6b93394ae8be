//! Payloads that are nearly as documented: one or several places changed.

use serde_json::{Value, json};

/// A text that must never be seen again in an error.
pub const MARKER: &str = "Zq7-private-Zq7";

/// One change: which place (of all, counted in order), and how.
pub type Change = (u16, u8);

/// Makes the changes, one after the other.
pub fn mutated(mut payload: Value, changes: &[Change]) -> Value {
    for (place, how) in changes {
        let total = places(&payload);
        let place = usize::from(*place) % total.max(1);
        change(&mut payload, &mut (place as isize), *how);
    }
    payload
}

/// How many values there are, the containers too.
fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        _ => 0,
    }
}

/// Changes the place that `left` counts down to; true once that is done.
fn change(value: &mut Value, left: &mut isize, how: u8) -> bool {
    if *left == 0 {
        *left = -1;
        *value = replaced(value.take(), how);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, how)),
        Value::Object(fields) => {
            let removes = how.is_multiple_of(10) && (0..fields.len() as isize).contains(left);
            if removes
                && fields
                    .values()
                    .take(*left as usize + 1)
                    .all(|v| places(v) == 1)
            {
                let key = fields.keys().nth(*left as usize).cloned().unwrap();
                fields.remove(&key);
                return true;
            }
            fields.values_mut().any(|field| change(field, left, how))
        }
        _ => false,
    }
}

fn replaced(value: Value, how: u8) -> Value {
    match (how % 10, value) {
        (0 | 1, _) => Value::Null,
        (2, Value::Object(mut fields)) => {
            fields.insert("something_new".into(), json!({"deep": [MARKER]}));
            Value::Object(fields)
        }
        (2 | 3, Value::Number(number)) => json!(number.to_string()),
        (3, Value::String(_)) => json!(7),
        (3, _) => json!(MARKER),
        (4, Value::String(text)) => json!(text.repeat(2_000 / text.len().max(1) + 1)),
        (4, Value::Number(_)) => serde_json::from_str("98765432109876543210.123456").unwrap(),
        (5, Value::String(_)) => json!(MARKER),
        (5, Value::Number(_)) => json!(-1),
        (6, _) => json!([]),
        (7, _) => json!({}),
        (8, Value::String(_)) => json!(format!("{MARKER} Ωмега 🎁 \u{202e} ' \" <b>")),
        (8, Value::Bool(yes)) => json!(!yes),
        (8, value) => json!([value]),
        (_, Value::String(_)) => json!(""),
        (_, value) => json!({ "wrapped": value }),
    }
}

/// All texts of a payload that may be personal.
pub fn private(payload: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(payload, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('@') || text.contains(MARKER) => {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, found)),
        _ => {}
    }
}

/// Every text and number.
pub fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}
