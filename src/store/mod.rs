//! The store: everything durable, behind one trait that speaks the domain.
//!
//! What always holds: SQL lives only below this module; a call that returned `Ok` is on disk (a
//! sync happened); [`Store::apply`] writes each change set wholly or not at all; event sequence
//! rises in commit order; personal data, payloads and credentials are encrypted at rest; every
//! query of what belongs to merchants takes a [`Scope`], so that isolation is in one place.

#[cfg(test)]
mod conformance;
pub mod copy;
mod error;
mod jobs;
mod open;
pub mod placement;
mod postgres;
pub mod query;
mod retention;
mod shipping;
mod sql;
mod sqlite;
mod stock;
pub mod vault;
pub mod wake;

pub use error::{Scope, StoreError};
pub use jobs::JobStore;
pub use open::{StoreOptions, back_up, is_sealed_with, open, open_read_only, rotate_master_key};
pub use placement::Placement;
pub use query::Applied;
pub use retention::{RetentionStore, Stripped};
pub use shipping::ShippingStore;
pub use sql::SqlStore;
pub use stock::StockStore;
pub use wake::Wakeups;

use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::event::EventType;
use crate::canonical::inbox::{InboxRecord, LedgerLine, WireDelivery};
use crate::canonical::problem::{Class, Problem};
use crate::canonical::{
    ConnectionId, DeliveryId, EventId, FulfillmentOrderId, InboxId, MerchantId, Order, OrderId,
    ProblemId, RawId, SubscriptionId, Timestamp, TokenId,
};
use crate::flow::Similar;
use crate::flow::change::{AuditEntry, ChangeSet, IdempotentAnswer, OrderState};
use async_trait::async_trait;
use bytes::Bytes;
use query::*;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// A poll's position, stored in the transaction of the page that moved it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CursorWrite {
    pub connection_id: ConnectionId,
    /// The operation, or `operation#sweep`.
    pub name: String,
    pub value: String,
}

/// The store; what is about jobs is in [`JobStore`], about parcels and their money in
/// [`ShippingStore`], about stock in [`StockStore`], about what is not kept for ever in
/// [`RetentionStore`].
#[async_trait]
pub trait Store:
    JobStore + ShippingStore + StockStore + RetentionStore + Send + Sync + 'static
{
    // ── intake ────────────────────────────────────────────────────────────────────────────────
    /// Makes deliveries durable, and the poll cursor with them. An append without a read: many
    /// callers share one commit.
    async fn append_inbox(
        &self,
        deliveries: Vec<WireDelivery>,
        cursor: Option<CursorWrite>,
    ) -> Result<(), StoreError>;
    /// Re-reads that are no rows (DECISIONS 2): counts them, moves `last_seen_at`, and the cursor.
    async fn note_unchanged(
        &self,
        connection: &Connection,
        kind: &str,
        external_ids: Vec<String>,
        at: Timestamp,
        cursor: Option<CursorWrite>,
    ) -> Result<(), StoreError>;
    /// The keyed content hashes last stored for these subjects.
    async fn content_hashes(
        &self,
        connection_id: ConnectionId,
        kind: &str,
        external_ids: &[String],
    ) -> Result<Vec<Option<[u8; 32]>>, StoreError>;
    /// Keyed hash of a record's bytes, comparable with [`Store::content_hashes`].
    fn content_hash(&self, bytes: &[u8]) -> [u8; 32];
    /// Deliveries without a disposition, in order of arrival, with a place above `after`.
    async fn pending_deliveries(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PendingDelivery>, StoreError>;
    /// Where they wait, without their bytes: for whoever picks among many.
    async fn pending_places(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PendingPlace>, StoreError>;
    /// Those of these that still wait, in order of arrival.
    async fn pending_at(
        &self,
        places: Vec<PendingPlace>,
    ) -> Result<Vec<PendingDelivery>, StoreError>;
    /// One delivery's bytes, for retries and for people.
    async fn delivery(&self, id: RawId) -> Result<Option<WireDelivery>, StoreError>;
    /// The records that had these dedupe keys within the last seven days.
    async fn dedupe_hits(
        &self,
        keys: &[DedupeKey],
        now: Timestamp,
    ) -> Result<Vec<Option<InboxId>>, StoreError>;
    /// The stored cursor.
    async fn cursor(
        &self,
        connection_id: ConnectionId,
        name: &str,
    ) -> Result<Option<String>, StoreError>;
    /// Counts requests that were refused and not stored (wrong signature, too large), by reason.
    async fn count_refused(
        &self,
        connection_id: ConnectionId,
        day: Timestamp,
        reason: &str,
        n: u64,
    ) -> Result<(), StoreError>;

    // ── state ─────────────────────────────────────────────────────────────────────────────────
    /// Orders by the channel's id, in the order asked.
    async fn orders_by_external(
        &self,
        keys: &[(ConnectionId, String)],
    ) -> Result<Vec<Option<OrderState>>, StoreError>;
    /// An order with all that belongs to it.
    async fn order(&self, scope: Scope, id: OrderId) -> Result<Option<OrderState>, StoreError>;
    /// The order of a fulfillment order.
    async fn order_of_fulfillment(
        &self,
        scope: Scope,
        id: FulfillmentOrderId,
    ) -> Result<Option<OrderState>, StoreError>;
    /// Orders that may be the same purchase, by contact and time alone: at most 20 for each, the
    /// newest first. Those that were erased are left out.
    async fn similar_orders(&self, to: &[Similar]) -> Result<Vec<Vec<Order>>, StoreError>;
    /// Orders not done yet that were found to repeat one that is cancelled now, or that was never
    /// stored (`duplicate_of`); at most `limit`, oldest first.
    async fn outlived_duplicates(&self, limit: usize) -> Result<Vec<OrderId>, StoreError>;
    /// Writes change sets, each wholly or not at all, many in one commit. One that fails does not
    /// touch its neighbours. `Conflict` (a lock, an epoch, a dedupe key, a delivery that is decided)
    /// means: read and decide again. A delivery needs at least one record or `unchanged` entry. A
    /// record's `problem_id` may name a problem of the same set: when the same one is open already,
    /// the record gets that one's id. Objects are stored by `version`; the bytes of a version that
    /// is written again replace the old ones. Tracking events and documents are only added: one
    /// whose id is there already stays as it is. A tracking number that another shipment has at the
    /// same account is a `Conflict` (parcels of one shipment may share one); `track` for a parcel
    /// that is not there is `NotFound`.
    async fn apply(
        &self,
        changes: Vec<ChangeSet>,
    ) -> Result<Vec<Result<Applied, StoreError>>, StoreError>;

    // ── lists ─────────────────────────────────────────────────────────────────────────────────
    /// Orders, newest first.
    async fn orders(
        &self,
        scope: Scope,
        filter: OrderFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>, StoreError>;
    /// The warehouse's work list.
    async fn fulfillment_orders(
        &self,
        scope: Scope,
        filter: FulfillmentFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>, StoreError>;
    /// Events after a sequence, rendered with the objects they refer to. Only types asked for
    /// (all when empty).
    async fn events(
        &self,
        scope: Scope,
        after: u64,
        limit: usize,
        types: &[EventType],
    ) -> Result<EventPage, StoreError>;
    /// The newest sequence.
    async fn last_sequence(&self) -> Result<u64, StoreError>;
    /// Inbox records, newest first; deliveries that are still pending come as records without kind.
    async fn inbox(
        &self,
        scope: Scope,
        filter: InboxFilter,
        page: PageRequest,
    ) -> Result<Page<InboxRecord>, StoreError>;
    /// One record.
    async fn inbox_record(
        &self,
        scope: Scope,
        id: InboxId,
    ) -> Result<Option<InboxRecord>, StoreError>;
    /// The ledger: one line a connection and day.
    async fn ledger(
        &self,
        scope: Scope,
        filter: LedgerFilter,
    ) -> Result<Vec<LedgerLine>, StoreError>;
    /// The ledger counted anew from rows (dispositions that are rows), to check the counters.
    async fn recount_ledger(&self) -> Result<Vec<LedgerLine>, StoreError>;
    /// Problems, newest first.
    async fn problems(
        &self,
        scope: Scope,
        filter: ProblemFilter,
        page: PageRequest,
    ) -> Result<Page<Problem>, StoreError>;
    /// One problem.
    async fn problem(&self, scope: Scope, id: ProblemId) -> Result<Option<Problem>, StoreError>;
    /// How many problems are open, by class.
    async fn open_problems(&self) -> Result<Vec<(Class, u64)>, StoreError>;
    /// Records whose disposition is this problem.
    async fn records_of_problem(&self, id: ProblemId) -> Result<Vec<InboxRecord>, StoreError>;
    /// The raw material of an order's timeline, oldest first.
    async fn timeline(&self, scope: Scope, id: OrderId) -> Result<Vec<TimelineEntry>, StoreError>;

    // ── merchants, connections, tokens ────────────────────────────────────────────────────────
    /// Stores a merchant, with the data key that its data is encrypted with. `answer`, here and
    /// below: what a POST under an `Idempotency-Key` is told, stored with what it tells of.
    async fn insert_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError>;
    /// All that the scope sees, by name.
    async fn merchants(
        &self,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<Merchant>, StoreError>;
    /// Replaces a merchant's name, time zone and settings.
    async fn update_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
    ) -> Result<(), StoreError>;
    /// One merchant.
    async fn merchant(&self, scope: Scope, id: MerchantId) -> Result<Option<Merchant>, StoreError>;
    /// Stores a connection and its sealed credentials, with the jobs that follow.
    async fn insert_connection(
        &self,
        connection: &Connection,
        credentials: &BTreeMap<String, SecretString>,
        change: ChangeSet,
        audit: AuditEntry,
    ) -> Result<(), StoreError>;
    /// Replaces a connection (its `version` is the one that was read; the stored one is one more)
    /// and, when given, credentials (merged by name), with the jobs and events that follow. `health`
    /// and `memory` stay as stored: they change by `change.connection` only. Leaving `suspended`
    /// clears its reason and the circuit.
    async fn update_connection(
        &self,
        connection: &Connection,
        credentials: Option<&BTreeMap<String, SecretString>>,
        change: ChangeSet,
        audit: AuditEntry,
    ) -> Result<(), StoreError>;
    /// Connections that the scope sees; deleted ones only when asked for by id.
    async fn connections(&self, scope: Scope) -> Result<Vec<Connection>, StoreError>;
    /// One connection, deleted or not.
    async fn connection(
        &self,
        scope: Scope,
        id: ConnectionId,
    ) -> Result<Option<Connection>, StoreError>;
    /// The credentials, opened.
    async fn credentials(
        &self,
        id: ConnectionId,
    ) -> Result<BTreeMap<String, SecretString>, StoreError>;
    /// Stores a token by its hash.
    async fn insert_token(
        &self,
        token: &TokenRow,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError>;
    /// The token with this hash, unless revoked.
    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError>;
    /// All tokens.
    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError>;
    /// Revokes one.
    async fn revoke_token(&self, id: TokenId, audit: AuditEntry) -> Result<(), StoreError>;
    /// Claims an `Idempotency-Key` before the work is done.
    async fn claim_idempotency(
        &self,
        scope: &str,
        key: &str,
        body_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError>;
    /// Stores the answer where nothing else was written, or (with `None`) frees the key after a failure.
    async fn finish_idempotency(
        &self,
        scope: &str,
        key: &str,
        answer: Option<(u16, Vec<u8>)>,
    ) -> Result<(), StoreError>;
    /// Audit entries about a subject (all when `None`), newest first.
    async fn audit(
        &self,
        subject: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditRow>, StoreError>;

    // ── egress ────────────────────────────────────────────────────────────────────────────────
    /// Stores a subscription with its sealed secret.
    async fn insert_subscription(
        &self,
        subscription: &Subscription,
        secret: &SecretString,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError>;
    /// All that the scope sees.
    async fn subscriptions(&self, scope: Scope) -> Result<Vec<Subscription>, StoreError>;
    /// The signing secret (`whsec_…`).
    async fn subscription_secret(&self, id: SubscriptionId) -> Result<SecretString, StoreError>;
    /// Replaces the signing secret (with a former one in it, see `egress::sign`).
    async fn set_subscription_secret(
        &self,
        id: SubscriptionId,
        secret: &SecretString,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError>;
    /// Disables (410, or by hand), enables or deletes.
    async fn set_subscription_state(
        &self,
        id: SubscriptionId,
        state: SubscriptionState,
        reason: Option<String>,
        audit: Option<AuditEntry>,
    ) -> Result<(), StoreError>;
    /// One commit of a subscription's progress: cursor moved, deliveries that failed or are
    /// waiting upserted, those that are done removed, problems and events that follow.
    async fn egress_progress(&self, progress: EgressProgress) -> Result<(), StoreError>;
    /// Deliveries that are not done, oldest event first.
    async fn open_deliveries(
        &self,
        subscription: SubscriptionId,
    ) -> Result<Vec<DeliveryRow>, StoreError>;
    /// For people and the API.
    async fn deliveries(
        &self,
        scope: Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, StoreError>;
    /// One event, rendered.
    async fn event(&self, scope: Scope, id: EventId) -> Result<Option<RenderedEvent>, StoreError>;
    /// Inserts replay deliveries (new delivery ids, `replay_of` set). One that is there already
    /// waits anew.
    async fn insert_deliveries(
        &self,
        rows: Vec<DeliveryRow>,
        audit: Option<AuditEntry>,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError>;
    /// A delivery by id.
    async fn delivery_row(
        &self,
        scope: Scope,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRow>, StoreError>;

    // ── running it ────────────────────────────────────────────────────────────────────────────
    /// Free space, queue length, schema version: for readiness and `doctor`.
    async fn health(&self) -> Result<StoreHealth, StoreError>;
    /// Deletes what is past its time: dedupe keys (7 d), idempotency keys (48 h).
    async fn housekeeping(&self, now: Timestamp) -> Result<(), StoreError>;
    /// Begins to be given a share of what one node at a time works on, as the node of this name. A
    /// server that only answers requests does not.
    async fn join(&self, node: &str) -> Result<(), StoreError>;
    /// What this node works on. Pending deliveries and jobs are handed out for that only.
    fn placement(&self) -> &Placement;
    /// Writes everything down and closes.
    async fn close(&self);
    /// Bells that ring after commits: new deliveries, events, jobs.
    fn wake(&self) -> &Wakeups;
}
