//! What the engine needs of a connector, and the context its expressions see.
//!
//! What always holds: expressions never see secrets, only handles ([`super::credentials`]); the
//! members of the context are those that `manifest::model` documents.

use super::value::{from_json, int, object, text, with};
use crate::canonical::{ConnectionId, Timestamp};
use crate::manifest::model::Manifest;
use crate::mapping::{MapError, Scope, Yield};
use jaq_json::Val;
use serde_json::{Map, Value};

/// A connector: its manifest and its compiled jq.
pub trait Provider: Send + Sync {
    /// The vocabulary.
    fn manifest(&self) -> &Manifest;
    /// Evaluates an expression of the manifest: exactly one value.
    fn eval(&self, expression: &str, context: &Val) -> Result<Val, MapError>;
    /// Runs a mapping of the folder by its name.
    fn map(&self, mapping: &str, input: Val, scope: &Scope) -> Result<Yield, MapError>;
    /// A GraphQL document, by its file's name without `.graphql`.
    fn document(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// The connection that a call is made for.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// Its id; null when rendering without one.
    pub id: Option<ConnectionId>,
    /// The non-secret form values.
    pub settings: &'a Map<String, Value>,
    /// Where the provider delivers webhooks for it.
    pub hook_url: Option<&'a str>,
    /// What earlier operations learned.
    pub memory: &'a Map<String, Value>,
}

impl Account<'_> {
    /// `.connection`: the settings, and `id`, `hook_url`, `memory` beside them.
    pub fn context(&self) -> Val {
        let settings = object(
            self.settings
                .iter()
                .map(|(name, value)| (name.as_str(), from_json(value))),
        );
        let id = self.id.map_or(Val::Null, |id| text(&id.to_string()));
        let memory = object(
            self.memory
                .iter()
                .map(|(name, value)| (name.as_str(), from_json(value))),
        );
        let settings = with(&settings, "id", id);
        let settings = with(&settings, "hook_url", self.hook_url.map_or(Val::Null, text));
        with(&settings, "memory", memory)
    }
}

/// The context of operation expressions before any answer.
pub fn context(
    account: &Account<'_>,
    input: &Value,
    cursor: Option<&Value>,
    now: Timestamp,
) -> Val {
    object([
        ("input", from_json(input)),
        ("connection", account.context()),
        ("steps", object([])),
        ("cursor", cursor.map_or(Val::Null, from_json)),
        ("page", page(1, None)),
        ("now", text(&now.to_string())),
    ])
}

/// `.page`: its number from 1 and, where pages are walked by cursor, the cursor that led here.
pub fn page(number: u64, cursor: Option<&Val>) -> Val {
    object([
        ("number", int(number)),
        ("cursor", cursor.cloned().unwrap_or(Val::Null)),
    ])
}
