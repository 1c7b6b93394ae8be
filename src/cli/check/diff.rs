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
        (Value::String(wanted), Value::String(found)) => {
            let (found, wanted) = apart(found, wanted);
            Some(format!("{path} is {found}, expected {wanted}"))
        }
        _ => Some(format!(
            "{path} is {}, expected {}",
            short(got),
            short(expected)
        )),
    }
}

/// Two texts from a little before the place where they part, so that what differs is seen however
/// long they are (URLs, documents).
fn apart(one: &str, two: &str) -> (String, String) {
    let same = one.chars().zip(two.chars()).take_while(|(a, b)| a == b);
    let skipped = same.count().saturating_sub(20);
    let shown = |text: &str| {
        let rest: String = text.chars().skip(skipped).collect();
        let cut = short(&Value::String(rest));
        match skipped {
            0 => cut,
            _ => cut.replacen('"', "\"…", 1),
        }
    };
    (shown(one), shown(two))
}

/// Fixtures hold made-up data, so values may be shown; cut where long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_in_a_long_text_is_shown() {
        let url = |page: u8| format!("https://shop.example/{}?page={page}", "x".repeat(90));
        let told = first(&json!({"url": url(1)}), &json!({"url": url(2)})).unwrap();
        assert!(told.contains("?page=2\", expected \"…"), "{told}");
        assert!(told.ends_with("?page=1\""), "{told}");
        let told = first(&json!("abc"), &json!("abd")).unwrap();
        assert_eq!(told, "$ is \"abd\", expected \"abc\"");
    }
}
