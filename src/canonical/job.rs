//! Jobs: work towards a provider, a row each, so that any node can go on with it.
//!
//! What always holds: the key comes from the command, never random, and is unique among jobs that
//! are not done; the attempt row is written before anything is sent (DECISIONS 9).

use super::order::wire_enum;
use super::problem::Class;
use super::{AttemptId, ConnectionId, JobId, MerchantId, OrderId, ProblemId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// Which work goes first when a provider's limit is short, most urgent first.
    Lane { Label, Acknowledgement, #[default] OrderImport, StatusPush, Stock, TrackingPoll }
}
wire_enum! {
    /// Where a job stands.
    JobState { #[default] Ready, Leased, Parked, Done, Dead }
}

/// A job to be enqueued.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewJob {
    pub merchant_id: MerchantId,
    /// The operation: `orders.get`, `fulfillment.push`, `connection.check`, `webhook.register`, …
    pub kind: String,
    pub connection_id: ConnectionId,
    pub order_id: Option<OrderId>,
    pub lane: Lane,
    /// From the command; a second one with the same key while the first is not done is dropped
    /// (or, with `coalesce`, marks the first to run once more).
    pub key: String,
    /// Jobs with one ordering key run one after the other.
    pub ordering_key: String,
    pub run_at: Timestamp,
    /// The operation's input (canonical JSON). Ids rather than personal data where possible.
    pub input: Value,
}

/// A stored job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Job {
    pub id: JobId,
    pub merchant_id: MerchantId,
    pub kind: String,
    pub connection_id: ConnectionId,
    pub order_id: Option<OrderId>,
    pub lane: Lane,
    pub key: String,
    pub ordering_key: String,
    pub run_at: Timestamp,
    pub attempts: u32,
    pub lease_owner: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub epoch: u64,
    /// The step to go on with, for operations of several.
    pub step: u32,
    /// What the steps before it learned.
    pub checkpoint: Value,
    pub input: Value,
    pub state: JobState,
    pub problem_id: Option<ProblemId>,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

/// One attempt of a job. Written before sending; finished after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Attempt {
    pub id: AttemptId,
    pub job_id: JobId,
    /// From 1.
    pub n: u32,
    /// Which request of the operation.
    pub step: String,
    pub started_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    /// Null while under way and on success.
    pub class: Option<Class>,
    pub reason: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    pub duration_ms: Option<u64>,
    pub next_at: Option<Timestamp>,
}
