//! The trait over SQLite: every call goes to the module that knows its subject.

use super::SqliteStore;
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::event::EventType;
use crate::canonical::inbox::{InboxRecord, LedgerLine, WireDelivery};
use crate::canonical::job::{Attempt, Job, Lane};
use crate::canonical::problem::Problem;
use crate::canonical::{
    ConnectionId, DeliveryId, EventId, FulfillmentOrderId, InboxId, JobId, MerchantId, Order,
    OrderId, ProblemId, RawId, SubscriptionId, Timestamp, TokenId,
};
use crate::flow::Similar;
use crate::flow::change::{AuditEntry, ChangeSet, IdempotentAnswer, OrderState};
use crate::store::query::*;
use crate::store::{Applied, CursorWrite, Scope, Store, StoreError, Wakeups};
use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use std::collections::BTreeMap;

#[async_trait]
impl Store for SqliteStore {
    async fn append_inbox(
        &self,
        deliveries: Vec<WireDelivery>,
        cursor: Option<CursorWrite>,
    ) -> Result<(), StoreError> {
        SqliteStore::append_inbox(self, deliveries, cursor).await
    }
    async fn note_unchanged(
        &self,
        connection: &Connection,
        kind: &str,
        external_ids: Vec<String>,
        at: Timestamp,
        cursor: Option<CursorWrite>,
    ) -> Result<(), StoreError> {
        SqliteStore::note_unchanged(self, connection, kind, external_ids, at, cursor).await
    }
    async fn content_hashes(
        &self,
        connection_id: ConnectionId,
        kind: &str,
        external_ids: &[String],
    ) -> Result<Vec<Option<[u8; 32]>>, StoreError> {
        SqliteStore::content_hashes(self, connection_id, kind, external_ids).await
    }
    fn content_hash(&self, bytes: &[u8]) -> [u8; 32] {
        self.shared.vault.hash(bytes)
    }
    async fn pending_deliveries(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PendingDelivery>, StoreError> {
        SqliteStore::pending_deliveries(self, after, limit).await
    }
    async fn delivery(&self, id: RawId) -> Result<Option<WireDelivery>, StoreError> {
        SqliteStore::delivery(self, id).await
    }
    async fn dedupe_hit(
        &self,
        connection_id: ConnectionId,
        topic: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<InboxId>, StoreError> {
        SqliteStore::dedupe_hit(self, connection_id, topic, key, now).await
    }
    async fn cursor(
        &self,
        connection_id: ConnectionId,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        SqliteStore::cursor(self, connection_id, name).await
    }
    async fn count_refused(
        &self,
        connection_id: ConnectionId,
        day: Timestamp,
        reason: &str,
        n: u64,
    ) -> Result<(), StoreError> {
        SqliteStore::count_refused(self, connection_id, day, reason, n).await
    }
    async fn orders_by_external(
        &self,
        keys: &[(ConnectionId, String)],
    ) -> Result<Vec<Option<OrderState>>, StoreError> {
        SqliteStore::orders_by_external(self, keys).await
    }
    async fn order(&self, scope: Scope, id: OrderId) -> Result<Option<OrderState>, StoreError> {
        SqliteStore::order(self, scope, id).await
    }
    async fn order_of_fulfillment(
        &self,
        scope: Scope,
        id: FulfillmentOrderId,
    ) -> Result<Option<OrderState>, StoreError> {
        SqliteStore::order_of_fulfillment(self, scope, id).await
    }
    async fn similar_orders(&self, to: &[Similar]) -> Result<Vec<Vec<Order>>, StoreError> {
        SqliteStore::similar_orders(self, to).await
    }
    async fn outlived_duplicates(&self, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        SqliteStore::outlived_duplicates(self, limit).await
    }
    async fn apply(
        &self,
        changes: Vec<ChangeSet>,
    ) -> Result<Vec<Result<Applied, StoreError>>, StoreError> {
        SqliteStore::apply(self, changes).await
    }
    async fn orders(
        &self,
        scope: Scope,
        filter: OrderFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>, StoreError> {
        SqliteStore::orders(self, scope, filter, page).await
    }
    async fn fulfillment_orders(
        &self,
        scope: Scope,
        filter: FulfillmentFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>, StoreError> {
        SqliteStore::fulfillment_orders(self, scope, filter, page).await
    }
    async fn events(
        &self,
        scope: Scope,
        after: u64,
        limit: usize,
        types: &[EventType],
    ) -> Result<EventPage, StoreError> {
        SqliteStore::events(self, scope, after, limit, types).await
    }
    async fn last_sequence(&self) -> Result<u64, StoreError> {
        SqliteStore::last_sequence(self).await
    }
    async fn inbox(
        &self,
        scope: Scope,
        filter: InboxFilter,
        page: PageRequest,
    ) -> Result<Page<InboxRecord>, StoreError> {
        SqliteStore::inbox(self, scope, filter, page).await
    }
    async fn inbox_record(
        &self,
        scope: Scope,
        id: InboxId,
    ) -> Result<Option<InboxRecord>, StoreError> {
        SqliteStore::inbox_record(self, scope, id).await
    }
    async fn ledger(
        &self,
        scope: Scope,
        filter: LedgerFilter,
    ) -> Result<Vec<LedgerLine>, StoreError> {
        SqliteStore::ledger(self, scope, filter).await
    }
    async fn recount_ledger(&self) -> Result<Vec<LedgerLine>, StoreError> {
        SqliteStore::recount_ledger(self).await
    }
    async fn problems(
        &self,
        scope: Scope,
        filter: ProblemFilter,
        page: PageRequest,
    ) -> Result<Page<Problem>, StoreError> {
        SqliteStore::problems(self, scope, filter, page).await
    }
    async fn problem(&self, scope: Scope, id: ProblemId) -> Result<Option<Problem>, StoreError> {
        SqliteStore::problem(self, scope, id).await
    }
    async fn records_of_problem(&self, id: ProblemId) -> Result<Vec<InboxRecord>, StoreError> {
        SqliteStore::records_of_problem(self, id).await
    }
    async fn timeline(&self, scope: Scope, id: OrderId) -> Result<Vec<TimelineEntry>, StoreError> {
        SqliteStore::timeline(self, scope, id).await
    }
    async fn insert_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError> {
        SqliteStore::insert_merchant(self, merchant, audit, answer).await
    }
    async fn merchants(
        &self,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<Merchant>, StoreError> {
        SqliteStore::merchants(self, scope, page).await
    }
    async fn merchant(&self, scope: Scope, id: MerchantId) -> Result<Option<Merchant>, StoreError> {
        SqliteStore::merchant(self, scope, id).await
    }
    async fn insert_connection(
        &self,
        connection: &Connection,
        credentials: &BTreeMap<String, SecretString>,
        change: ChangeSet,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        SqliteStore::insert_connection(self, connection, credentials, change, audit).await
    }
    async fn update_connection(
        &self,
        connection: &Connection,
        credentials: Option<&BTreeMap<String, SecretString>>,
        change: ChangeSet,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        SqliteStore::update_connection(self, connection, credentials, change, audit).await
    }
    async fn connections(&self, scope: Scope) -> Result<Vec<Connection>, StoreError> {
        SqliteStore::connections(self, scope).await
    }
    async fn connection(
        &self,
        scope: Scope,
        id: ConnectionId,
    ) -> Result<Option<Connection>, StoreError> {
        SqliteStore::connection(self, scope, id).await
    }
    async fn credentials(
        &self,
        id: ConnectionId,
    ) -> Result<BTreeMap<String, SecretString>, StoreError> {
        SqliteStore::credentials(self, id).await
    }
    async fn insert_token(
        &self,
        token: &TokenRow,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError> {
        SqliteStore::insert_token(self, token, audit, answer).await
    }
    async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        SqliteStore::token_by_hash(self, hash).await
    }
    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        SqliteStore::tokens(self).await
    }
    async fn revoke_token(&self, id: TokenId, audit: AuditEntry) -> Result<(), StoreError> {
        SqliteStore::revoke_token(self, id, audit).await
    }
    async fn claim_idempotency(
        &self,
        scope: &str,
        key: &str,
        body_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<IdempotencyClaim, StoreError> {
        SqliteStore::claim_idempotency(self, scope, key, body_hash, now).await
    }
    async fn finish_idempotency(
        &self,
        scope: &str,
        key: &str,
        answer: Option<(u16, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        SqliteStore::finish_idempotency(self, scope, key, answer).await
    }
    async fn audit(
        &self,
        subject: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditRow>, StoreError> {
        SqliteStore::audit(self, subject, page).await
    }
    async fn lease_jobs(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
        skip: &[ConnectionId],
    ) -> Result<Vec<Job>, StoreError> {
        SqliteStore::lease_jobs(self, owner, now, until, limit, skip).await
    }
    async fn start_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        SqliteStore::start_attempt(self, attempt).await
    }
    async fn attempts(&self, job_id: JobId) -> Result<Vec<Attempt>, StoreError> {
        SqliteStore::attempts(self, job_id).await
    }
    async fn checkpoint(
        &self,
        job_id: JobId,
        epoch: u64,
        step: u32,
        checkpoint: &serde_json::Value,
    ) -> Result<(), StoreError> {
        SqliteStore::checkpoint(self, job_id, epoch, step, checkpoint).await
    }
    async fn next_job_at(&self) -> Result<Option<Timestamp>, StoreError> {
        SqliteStore::next_job_at(self).await
    }
    async fn jobs(&self, filter: JobFilter, page: PageRequest) -> Result<Page<Job>, StoreError> {
        SqliteStore::jobs(self, filter, page).await
    }
    async fn unpark_jobs(
        &self,
        connection_id: ConnectionId,
        job: Option<JobId>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        SqliteStore::unpark_jobs(self, connection_id, job, now).await
    }
    async fn queue_depths(&self) -> Result<Vec<(Lane, u64, Option<Timestamp>)>, StoreError> {
        SqliteStore::queue_depths(self).await
    }
    async fn insert_subscription(
        &self,
        subscription: &Subscription,
        secret: &SecretString,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError> {
        SqliteStore::insert_subscription(self, subscription, secret, audit, answer).await
    }
    async fn subscriptions(&self, scope: Scope) -> Result<Vec<Subscription>, StoreError> {
        SqliteStore::subscriptions(self, scope).await
    }
    async fn subscription_secret(&self, id: SubscriptionId) -> Result<SecretString, StoreError> {
        SqliteStore::subscription_secret(self, id).await
    }
    async fn set_subscription_state(
        &self,
        id: SubscriptionId,
        state: SubscriptionState,
        reason: Option<String>,
        audit: Option<AuditEntry>,
    ) -> Result<(), StoreError> {
        SqliteStore::set_subscription_state(self, id, state, reason, audit).await
    }
    async fn egress_progress(&self, progress: EgressProgress) -> Result<(), StoreError> {
        SqliteStore::egress_progress(self, progress).await
    }
    async fn open_deliveries(
        &self,
        subscription: SubscriptionId,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        SqliteStore::open_deliveries(self, subscription).await
    }
    async fn deliveries(
        &self,
        scope: Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>, StoreError> {
        SqliteStore::deliveries(self, scope, filter, page).await
    }
    async fn event(&self, scope: Scope, id: EventId) -> Result<Option<RenderedEvent>, StoreError> {
        SqliteStore::event(self, scope, id).await
    }
    async fn insert_deliveries(
        &self,
        rows: Vec<DeliveryRow>,
        answer: Option<IdempotentAnswer>,
    ) -> Result<(), StoreError> {
        SqliteStore::insert_deliveries(self, rows, answer).await
    }
    async fn delivery_row(
        &self,
        scope: Scope,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRow>, StoreError> {
        SqliteStore::delivery_row(self, scope, id).await
    }
    async fn health(&self) -> Result<StoreHealth, StoreError> {
        SqliteStore::health(self).await
    }
    async fn housekeeping(&self, now: Timestamp) -> Result<(), StoreError> {
        SqliteStore::housekeeping(self, now).await
    }
    async fn close(&self) {
        SqliteStore::close(self).await
    }
    fn wake(&self) -> &Wakeups {
        &self.shared.wake
    }
}
