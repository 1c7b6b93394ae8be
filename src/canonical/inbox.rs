//! Deliveries, records and their one disposition: the conservation ledger's words.

use super::order::{Source, wire_enum};
use super::{ConnectionId, InboxId, MerchantId, ProblemId, RawId, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// What became of a record. Exactly one at any time.
    Disposition { #[default] Pending, Applied, Unchanged, Stale, Duplicate, Ignored, Problem }
}

impl Disposition {
    /// As written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Disposition::Pending => "pending",
            Disposition::Applied => "applied",
            Disposition::Unchanged => "unchanged",
            Disposition::Stale => "stale",
            Disposition::Duplicate => "duplicate",
            Disposition::Ignored => "ignored",
            Disposition::Problem => "problem",
        }
    }
    /// All of them, in the ledger's order.
    pub const ALL: [Disposition; 7] = [
        Disposition::Pending,
        Disposition::Applied,
        Disposition::Unchanged,
        Disposition::Stale,
        Disposition::Duplicate,
        Disposition::Ignored,
        Disposition::Problem,
    ];
}

/// What came over the wire, before anything is known of it but who sent it: verified, byte for
/// byte, durable before it is acknowledged.
#[derive(Debug, Clone)]
pub struct WireDelivery {
    /// Ours.
    pub id: RawId,
    /// Whose connection.
    pub merchant_id: MerchantId,
    /// From where.
    pub connection_id: ConnectionId,
    /// Webhook, poll or file.
    pub source: Source,
    /// The provider's topic, or the operation's name for a poll.
    pub topic: String,
    /// When it arrived (webhook) or was asked for (poll: the request's time, DECISIONS 4).
    pub received_at: Timestamp,
    /// The provider's delivery id where the manifest says that it is unique per delivery.
    pub dedupe_key: Option<String>,
    /// The headers that mappings may see, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: bytes::Bytes,
}

/// One record of a delivery and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct InboxRecord {
    pub id: InboxId,
    pub merchant_id: MerchantId,
    pub connection_id: ConnectionId,
    /// The delivery it is a part of.
    pub raw_id: RawId,
    /// Its place in the delivery, from 0.
    pub index: u32,
    pub source: Source,
    pub topic: String,
    pub received_at: Timestamp,
    /// `order`, `return`, … once it is known.
    pub kind: Option<String>,
    /// The channel's id of the subject, once it is known.
    pub external_id: Option<String>,
    pub disposition: Disposition,
    /// Why: `older than what is known`, `topic ignored by the manifest`, …
    pub reason: Option<String>,
    /// What it changed: `ord_…`.
    pub subject: Option<String>,
    /// For `duplicate`: of which record.
    pub duplicate_of: Option<String>,
    pub problem_id: Option<ProblemId>,
    pub mapping_version: Option<String>,
    pub decided_at: Option<Timestamp>,
}

/// One line of the ledger: `received` is the sum of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LedgerLine {
    pub connection_id: String,
    /// UTC day of arrival, `2026-11-23`.
    pub day: String,
    pub received: u64,
    pub pending: u64,
    pub applied: u64,
    pub unchanged: u64,
    pub stale: u64,
    pub duplicate: u64,
    pub ignored: u64,
    pub problem: u64,
}

impl LedgerLine {
    /// True when every record that was received has exactly one disposition.
    pub const fn balances(&self) -> bool {
        self.received
            == self.pending
                + self.applied
                + self.unchanged
                + self.stale
                + self.duplicate
                + self.ignored
                + self.problem
    }
}
