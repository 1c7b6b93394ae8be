//! The form: every field tells an operator what to enter.

use super::Lint;
use super::vocabulary::last_line;
use crate::manifest::form::{FieldType, FormField};
use crate::manifest::submitted;

pub(super) fn check(lint: &mut Lint<'_>) {
    let manifest = &lint.folder.manifest;
    for (group, fields) in [
        ("settings", &manifest.settings),
        ("credentials", &manifest.credentials),
    ] {
        for (name, field) in fields {
            texts(lint, group, name, field);
            if field.kind == FieldType::Choice && field.choices.is_empty() {
                lint.at(
                    &[group, name],
                    format!("the field `{name}` has no `choices`"),
                );
            }
            values(lint, group, name, field);
            if group == "credentials" && manifest.settings.contains_key(name) {
                lint.at(
                    &[group, name],
                    format!("`{name}` is both a setting and a credential"),
                );
            }
        }
    }
}

fn texts(lint: &mut Lint<'_>, group: &str, name: &str, field: &FormField) {
    for (key, text) in [("label", &field.label), ("help", &field.help)] {
        if text.trim().is_empty() {
            lint.at(&[group, name, key], format!("`{key}` of `{name}` is empty"));
        }
    }
}

fn values(lint: &mut Lint<'_>, group: &str, name: &str, field: &FormField) {
    if let Some(pattern) = &field.pattern
        && let Err(error) = submitted::whole(pattern)
    {
        let message = format!(
            "not a regular expression: {}",
            last_line(&error.to_string())
        );
        lint.at(&[group, name, "pattern"], message);
        return;
    }
    let textual = matches!(
        field.kind,
        FieldType::Text | FieldType::Url | FieldType::Choice
    );
    if let (Some(example), true) = (&field.example, textual)
        && let Err(message) = submitted::fits(field, &example.clone().into())
    {
        lint.at(
            &[group, name, "example"],
            format!("the example of `{name}` {message}"),
        );
    }
    if let Some(default) = &field.default
        && let Err(message) = submitted::fits(field, default)
    {
        lint.at(
            &[group, name, "default"],
            format!("the default of `{name}` {message}"),
        );
    }
}
