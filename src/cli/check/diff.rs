//! The first difference between two JSON values, with its path.

use serde_json::Value;

/// Where `got` differs first from `expected`, if anywhere. Object keys may stand in any order;
/// numbers are compared digit for digit.
pub(crate) fn first(expected: &Value, got: &Value) -> Option<String> {
    compare(expected, got, "$")
}

fn compare(expected: &Value, got: &Value, path: &str) -> Option<String> {
    match (expected, got) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let path = format!("{path}.{key}");
                let Some(inner) = found.get(key) else {
                    return Some(format!("{path} is missing"));
                };
                if let Some(difference) = compare(value, inner, &path) {
                    return Some(difference);
                }
            }
            let extra = found.keys().find(|key| !wanted.contains_key(*key))?;
            Some(format!("{path}.{extra} was not expected"))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            let items = wanted.iter().zip(found).enumerate();
            let inner = items
                .into_iter()
                .find_map(|(i, (a, b))| compare(a, b, &format!("{path}[{i}]")));
            inner.or_else(|| {
                let lengths = (wanted.len(), found.len());
                (lengths.0 != lengths.1)
                    .then(|| format!("{path} has {} items, expected {}", lengths.1, lengths.0))
            })
        }
        _ if expected == got => None,
        _ => Some(format!(
            "{path} is {}, expected {}",
            short(got),
            short(expected)
        )),
    }
}

/// Fixtures hold made-up data, so values may be shown; cut where long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
