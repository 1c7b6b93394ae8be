//! The store's part about stock: levels, and what channels are known to sell.
//!
//! What always holds: as of [`Store`](super::Store), of which it is a part; each change of a level
//! or a listing takes the next place in one rising order.

use super::query::*;
use super::{Scope, StoreError};
use crate::canonical::stock::StockLevel;
use crate::canonical::{ConnectionId, MerchantId};
use crate::flow::change::AuditEntry;
use async_trait::async_trait;

/// See the module.
#[async_trait]
pub trait StockStore {
    /// Stores levels of one merchant, all in one commit, each judged by
    /// [`flow::stock::told`](crate::flow::stock::told) over what is stored; those that changed append
    /// `stock.changed`. What each came to, with the level as it is stored now, in the order given.
    async fn put_stock(
        &self,
        merchant: MerchantId,
        levels: Vec<StockLevel>,
        audit: AuditEntry,
    ) -> Result<Vec<StockPut>, StoreError>;
    /// Levels, those that changed last at the end.
    async fn stock_levels(
        &self,
        scope: Scope,
        filter: StockFilter,
        page: PageRequest,
    ) -> Result<Page<StockLevel>, StoreError>;
    /// All levels of these articles of a merchant, in the order asked.
    async fn stock_of(
        &self,
        merchant: MerchantId,
        skus: &[String],
    ) -> Result<Vec<Vec<StockLevel>>, StoreError>;
    /// The newest place.
    async fn stock_place(&self) -> Result<u64, StoreError>;
    /// Articles of which a level, or what the channel calls it, changed after this place; in the
    /// order of their places.
    async fn stock_changes(&self, of: StockChanges) -> Result<Vec<ChangedStock>, StoreError>;
    /// The channel sells these. An id that is `None` keeps what is known. `again`: they take a new
    /// place even if nothing is new about them, so that they are told once more.
    async fn note_listings(
        &self,
        connection: ConnectionId,
        listings: Vec<(String, Option<String>)>,
        again: bool,
    ) -> Result<(), StoreError>;
}
