//! The check of settings and credentials that an operator entered.
//!
//! What always holds: messages name the field and the rule, never the value that was entered; what
//! passes has every default filled in.

use super::finding::did_you_mean;
use super::form::{FieldType, FormField};
use super::model::Manifest;
use regex::Regex;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One field that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// `settings.base_url`, `credentials.token`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// The settings with defaults filled in.
///
/// # Errors
/// Every field that cannot be taken.
pub fn settings(
    manifest: &Manifest,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    check("settings", &manifest.settings, given)
}

/// The credentials with defaults filled in.
///
/// # Errors
/// Every field that cannot be taken.
pub fn credentials(
    manifest: &Manifest,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    check("credentials", &manifest.credentials, given)
}

fn check(
    group: &str,
    fields: &BTreeMap<String, FormField>,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut taken = Map::new();
    let mut refuse = |name: &str, message: String| {
        errors.push(FieldError {
            field: format!("{group}.{name}"),
            message,
        })
    };
    for name in given.keys().filter(|name| !fields.contains_key(*name)) {
        let meant = did_you_mean(name, fields.keys().map(String::as_str));
        let advice = meant
            .map(|meant| format!(": did you mean `{meant}`?"))
            .unwrap_or_default();
        refuse(name, format!("unknown field{advice}"));
    }
    for (name, field) in fields {
        let value = given.get(name).filter(|value| !empty(value));
        match (value, &field.default) {
            (Some(value), _) => match fits(field, value) {
                Ok(()) => drop(taken.insert(name.clone(), value.clone())),
                Err(message) => refuse(name, message),
            },
            (None, Some(default)) => drop(taken.insert(name.clone(), default.clone())),
            (None, None) if field.required => refuse(name, "is required".to_owned()),
            (None, None) => {}
        }
    }
    if errors.is_empty() {
        Ok(taken)
    } else {
        Err(errors)
    }
}

/// A form sends an empty text for a field that was left empty.
fn empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// Does the value fit the field?
pub(super) fn fits(field: &FormField, value: &Value) -> Result<(), String> {
    let text = match (field.kind, value) {
        (FieldType::Json, _)
        | (FieldType::Number, Value::Number(_))
        | (FieldType::Bool, Value::Bool(_)) => {
            return Ok(());
        }
        (FieldType::Number, _) => return Err("must be a number".to_owned()),
        (FieldType::Bool, _) => return Err("must be true or false".to_owned()),
        (_, Value::String(text)) => text,
        _ => return Err("must be a text".to_owned()),
    };
    match field.kind {
        FieldType::Choice if !field.choices.contains(text) => {
            return Err(format!("must be one of {}", field.choices.join(", ")));
        }
        FieldType::Url => match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => return Err("must be a URL that begins with https:// (or http://)".to_owned()),
        },
        _ => {}
    }
    match &field.pattern {
        Some(pattern) if !whole(pattern).is_ok_and(|regex| regex.is_match(text)) => {
            let example = field
                .example
                .as_ref()
                .map(|e| format!(", such as `{e}`"))
                .unwrap_or_default();
            Err(format!("does not have the expected form{example}"))
        }
        _ => Ok(()),
    }
}

/// The pattern as a regular expression over the whole text.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}
