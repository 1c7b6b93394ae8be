//! What can be asked of the store, and the shapes of its answers.

mod shipping;
mod stock;

pub use shipping::*;
pub use stock::*;

use crate::canonical::event::EventType;
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::inbox::{Disposition, WireDelivery};
use crate::canonical::job::JobState;
use crate::canonical::order::OrderStatus;
use crate::canonical::problem::{Class, ProblemStatus};
use crate::canonical::{
    AuditId, ConnectionId, DeliveryId, EventId, MerchantId, OrderId, RawId, SubscriptionId,
    Timestamp, TokenId,
};
use crate::flow::change::NewProblem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A page of a list: at most `limit` (1 to 500) after an opaque cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PageRequest {
    pub limit: usize,
    pub after: Option<String>,
}

/// A page, and the cursor to go on from (`None` at the end).
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Page<T> {
    pub data: Vec<T>,
    pub next: Option<String>,
}

/// Which orders.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct OrderFilter {
    pub merchant_id: Option<MerchantId>,
    pub connection_id: Option<ConnectionId>,
    pub status: Option<OrderStatus>,
    pub external_id: Option<String>,
    /// Matches the number or external id (prefix), or exactly an e-mail or phone (by keyed hash).
    pub q: Option<String>,
    /// Only those of which a channel waits for an answer.
    pub awaiting_answer: bool,
    /// … until this moment at most.
    pub answer_until: Option<Timestamp>,
}

/// What a fulfillment order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaiting {
    /// Submitted, not accepted.
    Accept,
    /// In progress, something left to ship.
    Ship,
    /// A change request is pending.
    Answer,
}

/// Which fulfillment orders. Sorted by cut-off (earliest first, none last), else by creation.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct FulfillmentFilter {
    pub merchant_id: Option<MerchantId>,
    pub awaiting: Vec<Awaiting>,
    pub status: Option<FulfillmentStatus>,
    pub location: Option<String>,
    pub updated_after: Option<Timestamp>,
    pub by_cut_off: bool,
    pub order_id: Option<OrderId>,
}

/// Which inbox records.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct InboxFilter {
    pub connection_id: Option<ConnectionId>,
    pub disposition: Option<Disposition>,
    pub external_id: Option<String>,
}

/// Which ledger lines.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct LedgerFilter {
    pub connection_id: Option<ConnectionId>,
    /// `2026-11-23`.
    pub day: Option<String>,
}

/// Which problems.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct ProblemFilter {
    pub status: Option<ProblemStatus>,
    pub class: Option<Class>,
    pub connection_id: Option<ConnectionId>,
    pub subject: Option<String>,
}

/// Which jobs.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct JobFilter {
    pub connection_id: Option<ConnectionId>,
    pub order_id: Option<OrderId>,
    pub state: Option<JobState>,
}

/// A delivery that waits for its disposition.
#[derive(Debug, Clone)]
pub struct PendingDelivery {
    /// Its place in the order of arrival; rises.
    pub place: u64,
    /// The delivery.
    pub wire: WireDelivery,
}

/// Where a delivery waits, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingPlace {
    /// Its place in the order of arrival; rises.
    pub place: u64,
    /// The delivery.
    pub id: RawId,
    /// Whose it is.
    pub connection_id: ConnectionId,
}

/// What a provider's delivery is known again by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DedupeKey {
    /// Where it came in.
    pub connection_id: ConnectionId,
    /// Its topic, as it was mapped.
    pub topic: String,
    /// The provider's id of it.
    pub key: String,
}

/// An event as the feed and subscribers see it.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct RenderedEvent {
    pub id: EventId,
    pub sequence: u64,
    pub kind: EventType,
    pub at: Timestamp,
    pub merchant_id: MerchantId,
    pub order_id: Option<OrderId>,
    /// Deliveries with one key go out one after the other.
    pub ordering_key: String,
    /// Earliest first when a backlog drains; none last.
    pub cut_off_at: Option<Timestamp>,
    /// The whole event as JSON: `{id, sequence, type, timestamp, merchant_id, data}`.
    pub json: bytes::Bytes,
}

/// A page of events.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// In sequence.
    pub data: Vec<RenderedEvent>,
    /// The cursor to go on from, also when nothing matched: everything up to it was looked at.
    pub next: u64,
}

/// One thing that happened to an order, for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// `received`, `event`, `tracking`, `cod`, `job`, `attempt`, `audit`, `problem`, `delivery`.
    pub kind: String,
    /// In words: `order.released`, `applied by webhook order.updated`, …
    pub text: String,
    /// Ids and codes.
    pub detail: Value,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TokenScope {
    Admin,
    Operator,
    Merchant,
    Warehouse,
}

/// A stored token: its hash only.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct TokenRow {
    pub id: TokenId,
    pub name: String,
    pub hash: [u8; 32],
    pub scope: TokenScope,
    /// Set for `merchant`.
    pub merchant_id: Option<MerchantId>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// What became of claiming an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyClaim {
    /// Go on.
    Fresh,
    /// Done before: this was the answer.
    Done(u16, Vec<u8>),
    /// The first request is still under way (409).
    InFlight,
    /// The key came with another body (422 `idempotency_mismatch`).
    Mismatch,
}

/// An audit entry as stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AuditRow {
    pub id: AuditId,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: Value,
}

/// May a subscription get deliveries?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SubscriptionState {
    #[default]
    Active,
    Disabled,
    Deleted,
}

/// A subscriber: a warehouse system, a shop's own software.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub url: String,
    /// Empty: all.
    pub event_types: Vec<EventType>,
    /// Only this merchant's events.
    pub merchant_id: Option<MerchantId>,
    pub state: SubscriptionState,
    pub disabled_reason: Option<String>,
    /// Every event up to it was delivered or has a delivery row.
    pub cursor: u64,
    pub created_at: Timestamp,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its time, or behind another of its order.
    #[default]
    Waiting,
    /// Given up after three days; a problem tells.
    Dead,
    /// An operator said to go on without it.
    Skipped,
    /// A replay that was delivered (ordinary ones are removed when done).
    Delivered,
}

/// A delivery that is not simply done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    pub subscription_id: SubscriptionId,
    pub merchant_id: MerchantId,
    pub event_id: EventId,
    pub sequence: u64,
    pub ordering_key: String,
    pub state: DeliveryState,
    pub attempts: u32,
    pub first_at: Timestamp,
    pub next_at: Option<Timestamp>,
    pub last_status: Option<u16>,
    /// A class and a few words; no bodies.
    pub last_error: Option<String>,
    /// Set for replays: whose event it is again. Replays have their own `webhook-id`.
    pub replay_of: Option<EventId>,
}

/// Which deliveries.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct DeliveryFilter {
    pub subscription_id: Option<SubscriptionId>,
    pub state: Option<DeliveryState>,
    pub event_id: Option<EventId>,
}

/// One commit of a subscription's progress.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)]
pub struct EgressProgress {
    pub subscription_id: Option<SubscriptionId>,
    /// Everything up to here is delivered or has a row.
    pub cursor: Option<u64>,
    pub upsert: Vec<DeliveryRow>,
    pub remove: Vec<DeliveryId>,
    /// (merchant, problem)
    pub problems: Vec<(MerchantId, NewProblem)>,
    /// Subjects whose problems are resolved: (merchant, subject).
    pub resolve: Vec<(MerchantId, String)>,
}

/// How the store is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StoreHealth {
    pub backend: String,
    pub schema_version: u32,
    pub free_bytes: Option<u64>,
    pub min_free_bytes: u64,
    pub writer_queue: usize,
    pub writer_queue_limit: usize,
    pub pending_deliveries: u64,
    pub oldest_pending_at: Option<Timestamp>,
}

/// What [`Store::apply`](super::Store::apply) stamped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Sequence of the last event appended; 0 when there was none.
    pub last_sequence: u64,
}
