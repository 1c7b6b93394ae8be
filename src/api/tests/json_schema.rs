//! A validator of the JSON Schema that the OpenAPI document uses: enough to hold real answers
//! against it, and strict about keywords it does not know.

use serde_json::{Map, Value};

/// What does not fit, as `path: why`.
pub fn faults(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    visit(root, schema, value, "$", &mut found);
    found
}

fn visit(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let Value::Object(rules) = schema else { return };
    if let Some(Value::String(link)) = rules.get("$ref") {
        let target = root.pointer(link.trim_start_matches('#'));
        return visit(
            root,
            target.unwrap_or_else(|| panic!("{link}")),
            value,
            at,
            found,
        );
    }
    if let Some(Value::Array(ways)) = rules.get("anyOf").or(rules.get("oneOf")) {
        let fits = ways.iter().any(|way| faults(root, way, value).is_empty());
        if !fits {
            let why: Vec<_> = ways
                .iter()
                .flat_map(|way| faults(root, way, value))
                .collect();
            found.push(format!("{at}: fits none: {}", why.join("; ")));
        }
        return;
    }
    if let Some(kind) = rules.get("type")
        && !is(kind, value)
    {
        found.push(format!("{at}: {value} is not {kind}"));
        return;
    }
    if let Some(Value::Array(words)) = rules.get("enum")
        && !words.contains(value)
    {
        found.push(format!("{at}: {value} is none of the words"));
    }
    if let (Some(Value::String(pattern)), Value::String(text)) = (rules.get("pattern"), value)
        && !regex::Regex::new(pattern).unwrap().is_match(text)
    {
        found.push(format!("{at}: {text} does not match {pattern}"));
    }
    if let (Some(items), Value::Array(list)) = (rules.get("items"), value) {
        for (n, item) in list.iter().enumerate() {
            visit(root, items, item, &format!("{at}[{n}]"), found);
        }
    }
    if let Value::Object(object) = value {
        properties(root, rules, object, at, found);
    }
}

fn properties(
    root: &Value,
    rules: &Map<String, Value>,
    object: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    let known = rules.get("properties").and_then(Value::as_object);
    for (name, value) in object {
        match known.and_then(|known| known.get(name)) {
            Some(schema) => visit(root, schema, value, &format!("{at}.{name}"), found),
            None if rules.get("additionalProperties") == Some(&Value::Bool(false)) => {
                found.push(format!("{at}.{name}: not documented"));
            }
            None => {}
        }
    }
    for name in rules
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = name.as_str().unwrap();
        if !object.contains_key(name) {
            found.push(format!("{at}.{name}: missing"));
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    if let Value::Array(kinds) = kind {
        return kinds.iter().any(|kind| is(kind, value));
    }
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_i64().is_some() || value.as_u64().is_some(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}
