//! How bytes travel.

use super::Step;
use crate::manifest::scalar::{Expr, Size, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How bytes travel.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// jq over `{connection}` → the base URL, without a slash at its end.
    pub base_url: Expr,
    /// The format of bodies both ways.
    pub format: Format,
    /// Whole time of one call.
    pub timeout: Span,
    /// Largest answer.
    pub max_body: Size,
    /// Extra headers: name → jq over the operation context, yielding text or null (left out).
    pub headers: BTreeMap<String, Expr>,
    /// Skip bytes before the first `{` or `[` (notices that a server prints before its JSON).
    pub skip_prelude: bool,
}
impl Default for Transport {
    fn default() -> Self {
        Self {
            base_url: ".connection.base_url".into(),
            format: Format::Json,
            timeout: Span::secs(30),
            max_body: Size(16 << 20),
            headers: BTreeMap::new(),
            skip_prelude: false,
        }
    }
}

impl Transport {
    /// The format of a step's answer: the step's own, unless that is a form (which is a way to
    /// ask, hardly ever to answer).
    pub const fn answer_format(&self, step: &Step) -> Format {
        match step.format {
            None | Some(Format::Form) => self.format,
            Some(own) => own,
        }
    }
}

/// A body's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Format {
    #[default]
    Json,
    Form,
    Xml,
    Text,
    /// Answers only: a file. The decoded body is `{content_base64, content_type, size}`.
    Binary,
    None,
}
