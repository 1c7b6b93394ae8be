//! The form as JSON Schema (2020-12): what the console draws and the API documents.

use super::form::{FieldType, FormField};
use super::model::Manifest;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The schema of `{settings, credentials}` of a connection.
pub fn json_schema(manifest: &Manifest) -> Value {
    let settings = group(&manifest.settings, false);
    let credentials = group(&manifest.credentials, true);
    let mut required = Vec::new();
    for (name, fields) in [
        ("settings", &manifest.settings),
        ("credentials", &manifest.credentials),
    ] {
        if fields.values().any(|field| field.required) {
            required.push(name);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": manifest.name,
        "description": manifest.summary,
        "type": "object",
        "properties": {"settings": settings, "credentials": credentials},
        "required": required,
    })
}

fn group(fields: &BTreeMap<String, FormField>, secret: bool) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, field)| (name.clone(), property(field, secret)))
        .collect();
    let required: Vec<&String> = fields
        .iter()
        .filter(|(_, field)| field.required)
        .map(|(name, _)| name)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(field: &FormField, secret: bool) -> Value {
    let mut schema = Map::new();
    schema.insert("title".into(), field.label.clone().into());
    schema.insert("description".into(), field.help.clone().into());
    match field.kind {
        FieldType::Text | FieldType::Choice => drop(schema.insert("type".into(), "string".into())),
        FieldType::Url => {
            schema.insert("type".into(), "string".into());
            schema.insert("format".into(), "uri".into());
        }
        FieldType::Number => drop(schema.insert("type".into(), "number".into())),
        FieldType::Bool => drop(schema.insert("type".into(), "boolean".into())),
        FieldType::Json => {}
    }
    if let Some(pattern) = &field.pattern {
        schema.insert("pattern".into(), format!("^(?:{pattern})$").into());
    }
    if let Some(example) = &field.example {
        schema.insert("examples".into(), json!([example]));
    }
    if let Some(default) = &field.default {
        schema.insert("default".into(), default.clone());
    }
    if field.kind == FieldType::Choice {
        schema.insert("enum".into(), json!(field.choices));
    }
    if secret {
        schema.insert("writeOnly".into(), true.into());
    }
    Value::Object(schema)
}
