//! The form of a connector: settings and credentials with their labels, help and patterns.
//! The console's form, the JSON Schema of the API, the docs and the check of what was entered all
//! come from here.

use serde::{Deserialize, Serialize};

/// What a form field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum FieldType {
    #[default]
    Text,
    Url,
    Number,
    Bool,
    Choice,
    /// Free JSON (tables a merchant keeps, such as its own status names).
    Json,
}

/// One field of the form.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// What the operator reads.
    pub label: String,
    /// What it is and where to find it.
    pub help: String,
    /// Text, url, number, bool, choice, json.
    #[serde(default, rename = "type")]
    pub kind: FieldType,
    /// A regular expression that the whole value must match (JSON Schema `pattern`).
    #[serde(default)]
    pub pattern: Option<String>,
    /// An example.
    #[serde(default)]
    pub example: Option<String>,
    /// Must be given.
    #[serde(default)]
    pub required: bool,
    /// Taken when not given.
    #[serde(default)]
    pub default: Option<serde_json::Value>,
    /// For `choice`.
    #[serde(default)]
    pub choices: Vec<String>,
}
