//! The store's part about what is not kept for ever.
//!
//! What always holds: counts, ids, states and amounts stay: the ledger adds up before and after;
//! what is still needed (a delivery without a disposition, one that is a problem) is kept whatever
//! its age; what is gone is gone from every version that was stored.

use super::StoreError;
use crate::canonical::{MerchantId, OrderId, Timestamp};
use crate::flow::change::AuditEntry;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stripped {
    /// Deliveries whose bytes went.
    pub deliveries: u64,
    /// Where the next turn goes on; `None`: everything was looked at.
    pub next: Option<u64>,
}

/// See the module.
#[async_trait]
pub trait RetentionStore {
    /// Orders of a merchant that have ended, were changed last before this moment and still hold
    /// personal data; the oldest first.
    async fn erasable_orders(
        &self,
        merchant: MerchantId,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<OrderId>, StoreError>;
    /// Takes the personal data out of every stored version of an order and of all that belongs to it
    /// ([`flow::retention::anonymise`](crate::flow::retention::anonymise)), with its papers and the
    /// jobs that are done. `false` when the order has changed meanwhile or is not there.
    async fn erase_order(&self, order: OrderId, at: Timestamp) -> Result<bool, StoreError>;
    /// Deletes a merchant's data keys: nothing that was sealed for it opens ever again, here at once,
    /// on other nodes within seconds. What waits of it is `ignored`. Yields how many keys there were.
    /// `NotFound` when it has none; `Conflict` for the operator.
    async fn erase_merchant(
        &self,
        merchant: MerchantId,
        audit: AuditEntry,
    ) -> Result<u64, StoreError>;
    /// Deletes the bytes of decided deliveries that arrived before their merchant's moment: a turn's
    /// work, after the place where the turn before ended (0: the first).
    async fn strip_payloads(
        &self,
        before: BTreeMap<MerchantId, Timestamp>,
        after: u64,
    ) -> Result<Stripped, StoreError>;
}
