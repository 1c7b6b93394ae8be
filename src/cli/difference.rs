//! Where two JSON values differ.
//!
//! What always holds: equal values have no difference; each difference names the smallest place that
//! explains it; numbers and texts are compared as they are written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One place at which two values differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// `orders[0].totals.total.amount`.
    pub path: String,
    /// Left out where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "there")]
    pub before: Option<Value>,
    /// Left out where there is nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "there")]
    pub after: Option<Value>,
}

/// Null is a value here, not an absence.
mod there {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(value: &Option<Value>, s: S) -> Result<S::Ok, S::Error> {
        value.serialize(s)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
        Value::deserialize(d).map(Some)
    }
}

/// All places at which they differ.
pub fn between(before: Option<&Value>, after: Option<&Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(String::new(), before, after, &mut found);
    found
}

fn walk(path: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (one, two) if one == two => {}
        (Some(Value::Object(one)), Some(Value::Object(two))) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
            for key in keys {
                let path = match path.as_str() {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                walk(path, one.get(key), two.get(key), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(two))) => {
            for n in 0..one.len().max(two.len()) {
                walk(format!("{path}[{n}]"), one.get(n), two.get(n), found);
            }
        }
        (before, after) => found.push(Difference {
            path,
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn each_difference_has_its_place() {
        let one = json!({"a": [1, {"b": "x", "same": 1}], "gone": null});
        let two = json!({"a": [1, {"b": "y", "same": 1}, 3], "new": null});
        let found = between(Some(&one), Some(&two));
        let expected = json!([
            {"path": "a[1].b", "before": "x", "after": "y"},
            {"path": "a[2]", "after": 3},
            {"path": "gone", "before": null},
            {"path": "new", "after": null},
        ]);
        assert_eq!(serde_json::to_value(&found).unwrap(), expected);
        let read: Vec<Difference> = serde_json::from_value(expected).unwrap();
        assert_eq!(read, found);
        assert_eq!(between(Some(&one), Some(&one)), []);
        assert_eq!(between(None, Some(&one)).len(), 1);
        assert_eq!(between(None, None), []);
    }
}
