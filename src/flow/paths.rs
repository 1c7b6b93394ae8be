//! Dotted paths into an order, and which of them differ between two revisions.
//!
//! What always holds: a path names places only, never values; `changed` goes one level below the
//! keys of the order (`ship_to.city`, `lines.0.quantity`) and is capped.

use crate::canonical::OrderFacts;
use serde_json::Value;

/// So many paths are named at most; a further one says `…`.
const MAX_PATHS: usize = 50;

/// The paths below these keys that differ.
pub(super) fn changed(new: &OrderFacts, old: &OrderFacts, keys: &[&str]) -> Vec<String> {
    let (Ok(new), Ok(old)) = (serde_json::to_value(new), serde_json::to_value(old)) else {
        return keys.iter().map(|key| (*key).to_owned()).collect();
    };
    let mut found = Vec::new();
    for key in keys {
        let (new, old) = (new.get(*key), old.get(*key));
        let depth = if *key == "lines" { 2 } else { 1 };
        let before = found.len();
        differ(key, new, old, depth, &mut found);
        if found.len() == before {
            // Numerically equal texts and absent against null show no difference in JSON.
            found.push((*key).to_owned());
        }
    }
    if found.len() > MAX_PATHS {
        found.truncate(MAX_PATHS);
        found.push("…".to_owned());
    }
    found
}

fn differ(
    path: &str,
    new: Option<&Value>,
    old: Option<&Value>,
    depth: u8,
    found: &mut Vec<String>,
) {
    if new == old {
        return;
    }
    match (new, old) {
        (Some(Value::Object(new)), Some(Value::Object(old))) if depth > 0 => {
            for (key, value) in new {
                differ(
                    &format!("{path}.{key}"),
                    Some(value),
                    old.get(key),
                    depth - 1,
                    found,
                );
            }
            for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                differ(
                    &format!("{path}.{key}"),
                    None,
                    Some(value),
                    depth - 1,
                    found,
                );
            }
        }
        (Some(Value::Array(new)), Some(Value::Array(old))) if depth > 1 => {
            for place in 0..new.len().max(old.len()) {
                let path = format!("{path}.{place}");
                differ(&path, new.get(place), old.get(place), depth - 1, found);
            }
        }
        (None | Some(Value::Null), None | Some(Value::Null)) => {}
        _ => found.push(path.to_owned()),
    }
}

/// What stands at a path; `None` when there is nothing.
pub(super) fn get<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, step| match value {
        Value::Object(map) => map.get(step),
        Value::Array(list) => step.parse::<usize>().ok().and_then(|place| list.get(place)),
        _ => None,
    })
}

/// Puts a value at a path, making objects of nulls on the way. False when the way is blocked: a
/// list has no such place, or a plain value stands in the way.
pub(super) fn set(value: &mut Value, path: &str, new: Value) -> bool {
    let Some((step, rest)) = path.split_once('.') else {
        return slot(value, path).map(|slot| *slot = new).is_some();
    };
    slot(value, step).is_some_and(|inner| set(inner, rest, new))
}

fn slot<'v>(value: &'v mut Value, step: &str) -> Option<&'v mut Value> {
    if value.is_null() {
        *value = Value::Object(serde_json::Map::new());
    }
    match value {
        Value::Object(map) => Some(map.entry(step).or_insert(Value::Null)),
        Value::Array(list) => step
            .parse::<usize>()
            .ok()
            .and_then(|place| list.get_mut(place)),
        _ => None,
    }
}
