//! What a provider's error answer says.

use crate::manifest::model::RuleClass;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An output of the mapping `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorAnswer {
    /// What it means.
    pub class: RuleClass,
    /// The provider's code as text.
    #[serde(default)]
    pub code: Option<String>,
    /// The non-blank parts, outer to inner.
    #[serde(default)]
    pub message: Option<String>,
    /// The refused fields: names, or objects with a name and what is wrong.
    #[serde(default)]
    pub fields: Option<Vec<Value>>,
}
