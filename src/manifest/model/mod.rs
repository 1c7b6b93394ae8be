//! The vocabulary of `manifest.toml`, as types.
//!
//! What always holds: unknown keys are errors; every key has a default or is required in sight;
//! kinds that no folder uses yet are not here (the lint says `not built yet`). Expressions are jq;
//! their context is documented at each place. Secrets appear in auth and verify only.
//!
//! The context of operation expressions: `.input` (the command's canonical input), `.connection`
//! (settings, without secrets; also `id`, `hook_url`, `memory`), `.steps` (what earlier steps
//! saved, by step name), `.cursor` (poll position), `.page`, `.now` (RFC 3339). After an answer
//! also `.status`, `.headers` (lower-case names), `.body` (decoded), `.request`.

mod auth;
mod errors;
mod limits;
mod operation;
mod transport;
mod webhooks;

pub use auth::{Auth, AuthKind, OauthPlace, SignedPart};
pub use errors::{ErrorRule, RuleClass, StatusMatch};
pub use limits::{LimitCost, LimitHeaders, Limits, ResetAs, Retry};
pub use operation::{Method, Operation, Pagination, Poll, Repeat, Step};
pub use transport::{Format, Transport};
pub use webhooks::{
    Acknowledge, Challenge, Encoding, HashAlgorithm, SecretVariant, Topic, TopicRule, Verify,
    Webhooks,
};

use super::form::FormField;
use crate::canonical::connection::ConnectionKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connector's `manifest.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The folder's name.
    pub id: String,
    /// What people call the provider.
    pub name: String,
    /// Shop, marketplace, carrier, wms.
    pub kind: ConnectionKind,
    /// One sentence.
    pub summary: String,
    /// Where the provider documents its API.
    pub docs: String,
    /// The non-secret part of the form.
    #[serde(default)]
    pub settings: BTreeMap<String, FormField>,
    /// The secret part of the form; encrypted at rest, never shown.
    #[serde(default)]
    pub credentials: BTreeMap<String, FormField>,
    /// How bytes travel.
    #[serde(default)]
    pub transport: Transport,
    /// Ways to authenticate; the first whose `when` holds is used.
    #[serde(default)]
    pub auth: Vec<Auth>,
    /// How often we may call.
    #[serde(default)]
    pub limits: Limits,
    /// How failed calls are repeated.
    #[serde(default)]
    pub retry: Retry,
    /// What answers mean; the first match wins, then HTTP defaults.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// The zone of provider times that name none, IANA.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What can be done, by operation name (`orders.pull`, `fulfillment.push`, …).
    #[serde(default)]
    pub operations: BTreeMap<String, Operation>,
    /// What the provider calls us with.
    #[serde(default)]
    pub webhooks: Option<Webhooks>,
    /// Extra mappings that no operation or topic names (`error`, say): name → jq file.
    #[serde(default)]
    pub mappings: BTreeMap<String, String>,
}

/// The whole payload: an array is its items, anything else one record.
fn dot() -> String {
    ".".into()
}
