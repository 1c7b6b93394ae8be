//! Why the store could not do it, and whose rows a caller may see.
//!
//! What always holds: texts name ids, tables and codes, never personal data or secrets; a scope is
//! checked in the store, in every query of what belongs to merchants.

use crate::canonical::MerchantId;

/// Why the store could not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The writer's queue or the disk is full, or the database cannot be reached. Nothing was
    /// written; try again later (HTTP 503 with Retry-After).
    #[error("the store cannot take it now: {0}")]
    Unavailable(String),
    /// What was read has changed since: read, decide and write again.
    #[error("changed in the meantime: {0}")]
    Conflict(String),
    /// Something with this key is there already.
    #[error("exists already: {0}")]
    Exists(String),
    /// What a write refers to is not there.
    #[error("not found: {0}")]
    NotFound(String),
    /// What was stored cannot be read: wrong master key, damaged file, or a bug.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}

/// Which rows a caller may see. Made from a token in one place (`api::auth`), never by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Operator, admin, warehouse and the gateway's own work.
    All,
    /// A merchant's token: its own rows only.
    Merchant(MerchantId),
}

impl Scope {
    /// True when rows of this merchant may be seen.
    pub fn sees(&self, merchant: MerchantId) -> bool {
        match self {
            Scope::All => true,
            Scope::Merchant(own) => *own == merchant,
        }
    }
}
