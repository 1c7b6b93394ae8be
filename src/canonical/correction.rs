//! What an operator says is right, against what the channel says.
//!
//! What always holds: a correction names one place and keeps what the channel said there, so that a
//! later revision of the channel can be held against it.

use super::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An operator's correction, laid over the channel's newest revision and never wiped by one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// A dotted path into the order (`ship_to.postal_code`, `lines.0.sku`).
    pub path: String,
    /// What the operator says.
    pub value: Value,
    /// What the channel said at that path when it was corrected (and, later, says now).
    pub base_value: Value,
    /// Who: a token's name.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}
