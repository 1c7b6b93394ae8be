//! What is asked for and answered about stock.

use crate::canonical::stock::StockLevel;
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::flow::stock::Told;

/// Which levels.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct StockFilter {
    pub merchant_id: Option<MerchantId>,
    pub sku: Option<String>,
    pub location: Option<String>,
    /// Only those that were stored after it.
    pub updated_after: Option<Timestamp>,
}

/// What a level came to, and as it is stored now.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct StockPut {
    pub told: Told,
    pub level: StockLevel,
}

/// Which changes.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct StockChanges {
    pub merchant_id: MerchantId,
    pub connection_id: ConnectionId,
    /// Only what the channel is known to sell.
    pub listed: bool,
    pub after: u64,
    pub limit: usize,
}

/// An article that changed, with all its levels.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedStock {
    /// Of its newest change.
    pub place: u64,
    /// The merchant's article.
    pub sku: String,
    /// What the channel calls it, where that is known.
    pub external_id: Option<String>,
    /// At every place where it lies.
    pub levels: Vec<StockLevel>,
}
