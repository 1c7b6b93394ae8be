//! Small helpers around jq's value type, for contexts and for reading what expressions yield.

use jaq_json::{Map, Num, Val};
use serde_json::Value;
use std::borrow::Cow;

/// A text value.
pub(crate) fn text(text: &str) -> Val {
    Val::utf8_str(text.as_bytes().to_vec())
}

/// A whole number.
pub(crate) fn int(number: u64) -> Val {
    match isize::try_from(number) {
        Ok(small) => Val::Num(Num::Int(small)),
        Err(_) => Val::Num(Num::Dec(number.to_string().into())),
    }
}

/// An object from names and values.
pub(crate) fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Val)>) -> Val {
    Val::obj(
        entries
            .into_iter()
            .map(|(name, value)| (text(name), value))
            .collect::<Map>(),
    )
}

/// A copy of an object with one member set. What is no object becomes one.
pub(crate) fn with(base: &Val, name: &str, value: Val) -> Val {
    let mut map = match base {
        Val::Obj(map) => Map::clone(map),
        _ => Map::default(),
    };
    map.insert(text(name), value);
    Val::obj(map)
}

/// The member of an object.
pub(crate) fn field<'a>(value: &'a Val, name: &str) -> Option<&'a Val> {
    match value {
        Val::Obj(map) => map.get(&text(name)),
        _ => None,
    }
}

/// The text of a valid UTF-8 string value.
pub(crate) fn as_str(value: &Val) -> Option<&str> {
    match value {
        Val::TStr(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// The text of a string, number or boolean, as a query or a header needs it.
pub(crate) fn scalar(value: &Val) -> Option<Cow<'_, str>> {
    match value {
        Val::TStr(_) => as_str(value).map(Cow::Borrowed),
        Val::Num(number) => Some(Cow::Owned(number.to_string())),
        Val::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        _ => None,
    }
}

/// jq's truth: everything but `false` and `null`.
pub(crate) const fn truthy(value: &Val) -> bool {
    !matches!(value, Val::Null | Val::Bool(false))
}

/// What a value is, for error texts (never the value itself: it may be personal data).
pub(crate) const fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::BStr(_) => "bytes",
        Val::TStr(_) => "a string",
        Val::Arr(_) => "an array",
        Val::Obj(_) => "an object",
    }
}

/// JSON as jq sees it. Numbers keep their digits; whole ones can be counted with.
pub(crate) fn from_json(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::Bool(*flag),
        Value::Number(number) => match number.as_i64().and_then(|n| isize::try_from(n).ok()) {
            Some(whole) => Val::Num(Num::Int(whole)),
            None => Val::Num(Num::Dec(number.to_string().into())),
        },
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().map(from_json).collect(),
        Value::Object(map) => object(
            map.iter()
                .map(|(name, member)| (name.as_str(), from_json(member))),
        ),
    }
}

/// What jq yielded as JSON, to be stored or shown.
pub(crate) fn to_json(value: &Val) -> Value {
    match value {
        Val::Null => Value::Null,
        Val::Bool(flag) => Value::Bool(*flag),
        Val::Num(number) => number
            .to_string()
            .parse::<serde_json::Number>()
            .map_or(Value::Null, Value::Number),
        Val::TStr(bytes) | Val::BStr(bytes) => {
            Value::String(String::from_utf8_lossy(bytes).into_owned())
        }
        Val::Arr(items) => Value::Array(items.iter().map(to_json).collect()),
        Val::Obj(map) => Value::Object(
            map.iter()
                .map(|(name, member)| (key(name), to_json(member)))
                .collect(),
        ),
    }
}

/// An object's key as text.
pub(crate) fn key(name: &Val) -> String {
    match name {
        Val::TStr(bytes) | Val::BStr(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_goes_there_and_back_with_its_digits() {
        let document: Value = serde_json::from_str(
            r#"{"a":[1,19.90,1e400,-0.0,12345678901234567890,null,true,"Ж"],"b":{}}"#,
        )
        .unwrap_or_default();
        assert_eq!(to_json(&from_json(&document)), document);
        assert_ne!(document, json!(null));
    }
}
