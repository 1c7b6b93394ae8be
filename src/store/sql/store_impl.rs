//! The traits over both databases: every call goes to the module that knows its subject.
//!
//! What always holds: each call of the trait has a method of the same name on [`SqlStore`].

use super::SqlStore;
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::document::StoredDocument;
use crate::canonical::event::EventType;
use crate::canonical::inbox::{InboxRecord, LedgerLine, WireDelivery};
use crate::canonical::job::{Attempt, Job, Lane};
use crate::canonical::point::{PickupPoint, StoredPoint};
use crate::canonical::problem::{Class, Problem};
use crate::canonical::stock::StockLevel;
use crate::canonical::{
    ConnectionId, DeliveryId, DocumentId, EventId, FulfillmentOrderId, InboxId, JobId, MerchantId,
    Order, OrderId, ParcelId, ProblemId, RawId, ShipmentId, SubscriptionId, Timestamp, TokenId,
};
use crate::flow::Similar;
use crate::flow::change::{AuditEntry, ChangeSet, IdempotentAnswer, OrderState};
use crate::store::query::*;
use crate::store::{
    Applied, CursorWrite, JobStore, Placement, RetentionStore, Scope, ShippingStore, StockStore,
    Store, StoreError, Stripped, Wakeups,
};
use async_trait::async_trait;
use bytes::Bytes;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// Writes out the calls of a trait, one line each below, and what is not a mere call.
macro_rules! calls {
    (
        $of:ident {
            $(fn $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*
        }
        $($more:tt)*
    ) => {
        #[async_trait]
        impl $of for SqlStore {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, StoreError> {
                let started = std::time::Instant::now();
                let answer = SqlStore::$name(self, $($arg),*).await;
                metrics::histogram!("crossdock_store_seconds", "call" => stringify!($name))
                    .record(started.elapsed().as_secs_f64());
                answer
            })*
            $($more)*
        }
    };
}

calls! {
    Store {
        fn append_inbox(deliveries: Vec<WireDelivery>, cursor: Option<CursorWrite>) -> ();
        fn note_unchanged(
            connection: &Connection, kind: &str, external_ids: Vec<String>, at: Timestamp,
            cursor: Option<CursorWrite>
        ) -> ();
        fn content_hashes(
            connection_id: ConnectionId, kind: &str, external_ids: &[String]
        ) -> Vec<Option<[u8; 32]>>;
        fn pending_deliveries(after: u64, limit: usize) -> Vec<PendingDelivery>;
        fn pending_places(after: u64, limit: usize) -> Vec<PendingPlace>;
        fn pending_at(places: Vec<PendingPlace>) -> Vec<PendingDelivery>;
        fn delivery(id: RawId) -> Option<WireDelivery>;
        fn dedupe_hits(keys: &[DedupeKey], now: Timestamp) -> Vec<Option<InboxId>>;
        fn cursor(connection_id: ConnectionId, name: &str) -> Option<String>;
        fn count_refused(connection_id: ConnectionId, day: Timestamp, reason: &str, n: u64) -> ();
        fn orders_by_external(keys: &[(ConnectionId, String)]) -> Vec<Option<OrderState>>;
        fn order(scope: Scope, id: OrderId) -> Option<OrderState>;
        fn order_of_fulfillment(scope: Scope, id: FulfillmentOrderId) -> Option<OrderState>;
        fn similar_orders(to: &[Similar]) -> Vec<Vec<Order>>;
        fn outlived_duplicates(limit: usize) -> Vec<OrderId>;
        fn apply(changes: Vec<ChangeSet>) -> Vec<Result<Applied, StoreError>>;
        fn orders(scope: Scope, filter: OrderFilter, page: PageRequest) -> Page<Bytes>;
        fn fulfillment_orders(
            scope: Scope, filter: FulfillmentFilter, page: PageRequest
        ) -> Page<Bytes>;
        fn events(scope: Scope, after: u64, limit: usize, types: &[EventType]) -> EventPage;
        fn last_sequence() -> u64;
        fn inbox(scope: Scope, filter: InboxFilter, page: PageRequest) -> Page<InboxRecord>;
        fn inbox_record(scope: Scope, id: InboxId) -> Option<InboxRecord>;
        fn ledger(scope: Scope, filter: LedgerFilter) -> Vec<LedgerLine>;
        fn recount_ledger() -> Vec<LedgerLine>;
        fn problems(scope: Scope, filter: ProblemFilter, page: PageRequest) -> Page<Problem>;
        fn problem(scope: Scope, id: ProblemId) -> Option<Problem>;
        fn open_problems() -> Vec<(Class, u64)>;
        fn records_of_problem(id: ProblemId) -> Vec<InboxRecord>;
        fn timeline(scope: Scope, id: OrderId) -> Vec<TimelineEntry>;
        fn insert_merchant(
            merchant: &Merchant, audit: AuditEntry, answer: Option<IdempotentAnswer>
        ) -> ();
        fn merchants(scope: Scope, page: PageRequest) -> Page<Merchant>;
        fn update_merchant(merchant: &Merchant, audit: AuditEntry) -> ();
        fn merchant(scope: Scope, id: MerchantId) -> Option<Merchant>;
        fn insert_connection(
            connection: &Connection, credentials: &BTreeMap<String, SecretString>, change: ChangeSet,
            audit: AuditEntry
        ) -> ();
        fn update_connection(
            connection: &Connection, credentials: Option<&BTreeMap<String, SecretString>>,
            change: ChangeSet, audit: AuditEntry
        ) -> ();
        fn connections(scope: Scope) -> Vec<Connection>;
        fn connection(scope: Scope, id: ConnectionId) -> Option<Connection>;
        fn credentials(id: ConnectionId) -> BTreeMap<String, SecretString>;
        fn insert_token(token: &TokenRow, audit: AuditEntry, answer: Option<IdempotentAnswer>) -> ();
        fn token_by_hash(hash: &[u8; 32]) -> Option<TokenRow>;
        fn tokens() -> Vec<TokenRow>;
        fn revoke_token(id: TokenId, audit: AuditEntry) -> ();
        fn claim_idempotency(
            scope: &str, key: &str, body_hash: [u8; 32], now: Timestamp
        ) -> IdempotencyClaim;
        fn finish_idempotency(scope: &str, key: &str, answer: Option<(u16, Vec<u8>)>) -> ();
        fn audit(subject: Option<&str>, page: PageRequest) -> Page<AuditRow>;
        fn insert_subscription(
            subscription: &Subscription, secret: &SecretString, audit: AuditEntry,
            answer: Option<IdempotentAnswer>
        ) -> ();
        fn subscriptions(scope: Scope) -> Vec<Subscription>;
        fn subscription_secret(id: SubscriptionId) -> SecretString;
        fn set_subscription_secret(
            id: SubscriptionId, secret: &SecretString, audit: AuditEntry,
            answer: Option<IdempotentAnswer>
        ) -> ();
        fn set_subscription_state(
            id: SubscriptionId, state: SubscriptionState, reason: Option<String>,
            audit: Option<AuditEntry>
        ) -> ();
        fn egress_progress(progress: EgressProgress) -> ();
        fn open_deliveries(subscription: SubscriptionId) -> Vec<DeliveryRow>;
        fn deliveries(scope: Scope, filter: DeliveryFilter, page: PageRequest) -> Page<DeliveryRow>;
        fn event(scope: Scope, id: EventId) -> Option<RenderedEvent>;
        fn insert_deliveries(
            rows: Vec<DeliveryRow>, audit: Option<AuditEntry>, answer: Option<IdempotentAnswer>
        ) -> ();
        fn delivery_row(scope: Scope, id: DeliveryId) -> Option<DeliveryRow>;
        fn health() -> StoreHealth;
        fn housekeeping(now: Timestamp) -> ();
    }
    fn content_hash(&self, bytes: &[u8]) -> [u8; 32] {
        self.shared.vault.hash(bytes)
    }
    async fn join(&self, node: &str) -> Result<(), StoreError> {
        SqlStore::join(self, node).await
    }
    fn placement(&self) -> &Placement {
        &self.shared.placement
    }
    async fn close(&self) {
        SqlStore::close(self).await
    }
    fn wake(&self) -> &Wakeups {
        &self.shared.wake
    }
}

calls! {
    ShippingStore {
        fn order_of_shipment(scope: Scope, id: ShipmentId) -> Option<OrderState>;
        fn orders_by_tracking(keys: &[(ConnectionId, String)]) -> Vec<Option<OrderState>>;
        fn shipments(scope: Scope, filter: ShipmentFilter, page: PageRequest) -> Page<Bytes>;
        fn document(scope: Scope, id: DocumentId) -> Option<StoredDocument>;
        fn due_parcels(connection_id: ConnectionId, now: Timestamp, limit: usize) -> Vec<DueParcel>;
        fn next_parcel_at() -> Option<Timestamp>;
        fn parcels_asked(next: Vec<(ParcelId, Option<Timestamp>)>) -> ();
        fn cod_items(scope: Scope, filter: CodFilter, page: PageRequest) -> Page<Bytes>;
        fn cod_statement(scope: Scope, filter: CodFilter) -> Vec<CodSum>;
        fn put_points(connection_id: ConnectionId, reading: u64, points: Vec<PickupPoint>) -> ();
        fn finish_points(connection_id: ConnectionId, reading: u64, at: Timestamp) -> DirectoryChange;
        fn points(filter: PointFilter) -> Vec<FoundPoint>;
        fn points_by_id(keys: &[(String, String)]) -> Vec<Option<StoredPoint>>;
        fn directories() -> Vec<Directory>;
    }
}

calls! {
    StockStore {
        fn put_stock(merchant: MerchantId, levels: Vec<StockLevel>, audit: AuditEntry) -> Vec<StockPut>;
        fn stock_levels(scope: Scope, filter: StockFilter, page: PageRequest) -> Page<StockLevel>;
        fn stock_of(merchant: MerchantId, skus: &[String]) -> Vec<Vec<StockLevel>>;
        fn stock_place() -> u64;
        fn stock_changes(of: StockChanges) -> Vec<ChangedStock>;
        fn note_listings(
            connection: ConnectionId, listings: Vec<(String, Option<String>)>, again: bool
        ) -> ();
    }
}

calls! {
    RetentionStore {
        fn erasable_orders(merchant: MerchantId, before: Timestamp, limit: usize) -> Vec<OrderId>;
        fn erase_order(order: OrderId, at: Timestamp) -> bool;
        fn erase_merchant(merchant: MerchantId, audit: AuditEntry) -> u64;
        fn strip_payloads(before: BTreeMap<MerchantId, Timestamp>, after: u64) -> Stripped;
    }
}

calls! {
    JobStore {
        fn lease_jobs(
            owner: &str, now: Timestamp, until: Timestamp, limit: usize, skip: &[ConnectionId]
        ) -> Vec<Job>;
        fn give_back(owner: &str, jobs: Vec<JobId>) -> ();
        fn start_attempt(attempt: &Attempt) -> ();
        fn attempts(job_id: JobId) -> Vec<Attempt>;
        fn checkpoint(job_id: JobId, epoch: u64, step: u32, checkpoint: &serde_json::Value) -> ();
        fn next_job_at() -> Option<Timestamp>;
        fn jobs(scope: Scope, filter: JobFilter, page: PageRequest) -> Page<Job>;
        fn unpark_jobs(connection_id: ConnectionId, job: Option<JobId>, now: Timestamp) -> u64;
        fn queue_depths() -> Vec<(Lane, u64, Option<Timestamp>)>;
    }
}
