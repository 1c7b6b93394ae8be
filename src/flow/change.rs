//! What a decision changes: the order's state as one aggregate, and everything that goes into the
//! store with it in one transaction.

use crate::canonical::cod::CodItem;
use crate::canonical::document::StoredDocument;
use crate::canonical::event::NewEvent;
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::canonical::job::{Attempt, JobState, NewJob};
use crate::canonical::problem::Class;
use crate::canonical::shipment::Shipment;
use crate::canonical::tracking::TrackingEvent;
use crate::canonical::{
    AuditId, ConnectionId, InboxId, JobId, MerchantId, Order, ParcelId, ProblemId, RawId, Timestamp,
};
use serde_json::{Map, Value};

/// An order with all that belongs to it: read, decided on and written as one.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderState {
    /// The order.
    pub order: Order,
    /// Its parts, oldest first.
    pub fulfillment_orders: Vec<FulfillmentOrder>,
    /// What left or is to leave, oldest first.
    pub shipments: Vec<Shipment>,
    /// What carriers told of its parcels, in the order in which it reached us. Only ever added to.
    pub tracking: Vec<TrackingEvent>,
    /// The cash to be collected with its parcels, oldest first.
    pub cod: Vec<CodItem>,
    /// The aggregate's write counter: 0 when it is not stored yet. The store refuses a write whose
    /// `lock` is not the stored one (`UPDATE … WHERE lock = n`) and stores `lock + 1`.
    pub lock: u64,
}

/// A problem to be opened, or counted once more when the same one is open: same merchant, class,
/// code and subject. Names fields and codes, never personal data.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct NewProblem {
    pub id: ProblemId,
    pub class: Class,
    pub code: String,
    pub subject: String,
    pub connection_id: Option<ConnectionId>,
    pub message: String,
    pub detail: Value,
    pub hint: Option<String>,
}

/// Problems to be resolved because their cause is gone: every open one of this merchant with this
/// subject (and code, when given).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ResolveProblems {
    pub subject: String,
    pub code: Option<String>,
}

/// What a pure decision yields. `state` is `None` when nothing of the order changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// For records: what becomes of it. For commands: `Applied` or `Unchanged`.
    pub disposition: Disposition,
    /// Why, in words (for dispositions other than applied).
    pub reason: Option<String>,
    /// The new state; its `lock` is the one that was read.
    pub state: Option<OrderState>,
    /// In order.
    pub events: Vec<NewEvent>,
    /// What must be done at providers.
    pub jobs: Vec<NewJob>,
    /// What went wrong.
    pub problems: Vec<NewProblem>,
    /// What is mended.
    pub resolve: Vec<ResolveProblems>,
    /// Labels and other papers that came.
    pub documents: Vec<StoredDocument>,
    /// When a parcel's tracking is asked for next; `None`: not any more.
    pub track: Vec<(ParcelId, Option<Timestamp>)>,
}

/// Who did what, for the audit log.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct AuditEntry {
    pub id: AuditId,
    pub at: Timestamp,
    /// A token's name.
    pub actor: String,
    /// `order.hold`, `order.override`, …
    pub action: String,
    /// `ord_…`, `con_…`.
    pub subject: String,
    /// No personal data.
    pub detail: Value,
}

/// What a delivery came to: its records with one disposition each.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryResult {
    /// Which delivery; it is no longer pending after this.
    pub raw_id: RawId,
    /// Its connection.
    pub connection_id: ConnectionId,
    /// When it arrived (the ledger's day).
    pub received_at: Timestamp,
    /// Records that get a row.
    pub records: Vec<InboxRecord>,
    /// Records of a poll whose content was read before: counted only (external ids).
    pub unchanged: Vec<String>,
    /// Keyed content hashes to remember: (kind, external id, hash).
    pub hashes: Vec<(String, String, [u8; 32])>,
    /// Keys to remember for seven days: (topic, key, the record that had it first).
    pub dedupe: Option<(String, String, InboxId)>,
    /// Applied records of a sweep: what the provider's webhooks lost.
    pub found_by_sweep: u64,
}

/// How a job went on.
#[derive(Debug, Clone, PartialEq)]
pub struct JobResult {
    /// Which.
    pub job_id: JobId,
    /// Its connection's epoch as leased: a result of a former owner is refused.
    pub epoch: u64,
    /// Its new state.
    pub state: JobState,
    /// When it runs again (`Ready`).
    pub run_at: Option<Timestamp>,
    /// Where it goes on.
    pub step: u32,
    /// What its steps learned.
    pub checkpoint: Value,
    /// False for `throttled`: no attempt is spent.
    pub spends_attempt: bool,
    /// The attempt that ended, finished.
    pub attempt: Option<Attempt>,
}

/// What changes of a connection by work (never its settings or credentials).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectionUpdate {
    /// Merged into `memory`; null values delete keys.
    pub memory: Map<String, Value>,
    /// Replaces `health` keys that are given (JSON merge on the first level).
    pub health: Map<String, Value>,
    /// Suspend with this reason (auth_broken): appends `connection.suspended`.
    pub suspend: Option<String>,
    /// No call before this moment (Retry-After), survives a restart.
    pub freeze_until: Option<Timestamp>,
}

/// Everything that one decision writes, in one transaction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChangeSet {
    /// Whose (the connection's merchant for records, the order's for commands).
    pub merchant_id: Option<MerchantId>,
    /// What a delivery came to.
    pub delivery: Option<DeliveryResult>,
    /// A record that was retried and has a new disposition.
    pub retried_record: Option<InboxRecord>,
    /// Orders with all that belongs to them; each checked against its `lock`.
    pub states: Vec<OrderState>,
    /// Appended in order; the store stamps the sequence.
    pub events: Vec<NewEvent>,
    /// Enqueued unless the same key waits already.
    pub jobs: Vec<NewJob>,
    /// Opened or counted.
    pub problems: Vec<NewProblem>,
    /// Resolved.
    pub resolve: Vec<ResolveProblems>,
    /// Stored with their bytes.
    pub documents: Vec<StoredDocument>,
    /// When a parcel's tracking is asked for next; `None`: not any more.
    pub track: Vec<(ParcelId, Option<Timestamp>)>,
    /// How a job went on.
    pub job: Option<JobResult>,
    /// What was learned of a connection.
    pub connection: Option<(ConnectionId, ConnectionUpdate)>,
    /// Who did it, for commands of people and warehouses.
    pub audit: Vec<AuditEntry>,
    /// The answer of a POST under an `Idempotency-Key`, stored with what it did.
    pub idempotency: Option<IdempotentAnswer>,
}

/// An answer that the same `Idempotency-Key` gets again for 48 hours.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct IdempotentAnswer {
    /// Token and route.
    pub scope: String,
    pub key: String,
    pub status: u16,
    pub body: Vec<u8>,
}

impl ChangeSet {
    /// An empty change of one merchant's.
    pub fn of(merchant_id: MerchantId) -> Self {
        Self {
            merchant_id: Some(merchant_id),
            ..Self::default()
        }
    }
    /// Takes over what a pure decision yielded.
    pub fn take(&mut self, outcome: Outcome) {
        self.states.extend(outcome.state);
        self.events.extend(outcome.events);
        self.jobs.extend(outcome.jobs);
        self.problems.extend(outcome.problems);
        self.resolve.extend(outcome.resolve);
        self.documents.extend(outcome.documents);
        self.track.extend(outcome.track);
    }
}
