//! Problems: what went wrong, whose fault it is, whether it may have happened, what is next.

use super::order::wire_enum;
use super::{ConnectionId, MerchantId, ProblemId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// The class decides what happens next (MODEL.md, Problem and error classes).
    Class {
        Throttled, #[default] Transient, Ambiguous, AuthExpired, AuthBroken, Invalid, Rejected,
        Conflict, Gone, BrokenContract, Drift, TotalsMismatch,
    }
}

impl Class {
    /// The class as written in JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Throttled => "throttled",
            Class::Transient => "transient",
            Class::Ambiguous => "ambiguous",
            Class::AuthExpired => "auth_expired",
            Class::AuthBroken => "auth_broken",
            Class::Invalid => "invalid",
            Class::Rejected => "rejected",
            Class::Conflict => "conflict",
            Class::Gone => "gone",
            Class::BrokenContract => "broken_contract",
            Class::Drift => "drift",
            Class::TotalsMismatch => "totals_mismatch",
        }
    }
    /// True when the gateway goes on by itself.
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Class::Throttled | Class::Transient | Class::AuthExpired | Class::Conflict
        )
    }
}

wire_enum! {
    /// Open until its cause is mended.
    ProblemStatus { #[default] Open, Resolved }
}

/// What went wrong. No personal data: `message` and `detail` name fields and codes, not values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Problem {
    pub id: ProblemId,
    pub merchant_id: MerchantId,
    pub class: Class,
    /// What it is about: an id (`ord_…`, `inb_…`, `job_…`, `con_…`) or `table:code` for drift.
    pub subject: String,
    pub connection_id: Option<ConnectionId>,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub count: u64,
    pub retryable: bool,
    /// A stable code (`mapping_missing`, `signature_missing`, …).
    pub code: String,
    pub message: String,
    pub detail: Value,
    /// What a person can do.
    pub hint: Option<String>,
    pub status: ProblemStatus,
    pub resolved_at: Option<Timestamp>,
}
