//! Stock: as the warehouse tells it, and as a channel has it.
//!
//! What always holds: of a channel's answer a key that is absent is not told, and nothing is derived
//! from it; a level's `available` is derived by us, exactly.

use super::field::fields;
use super::{MerchantId, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

fields! {
    /// An output of the mapping `stock`: one SKU at one place.
    #[serde(deny_unknown_fields)]
    pub struct StockAnswer {
        /// The channel's SKU.
        sku: String,
        /// The channel's id of the article where it is not the SKU.
        external_id: String,
        /// The channel's word for the place.
        location: String,
        /// What lies there, promised or not.
        on_hand: Quantity,
        /// What is promised to orders.
        reserved: Quantity,
        /// What lies there and cannot be sold.
        unavailable: Quantity,
        /// What is on its way.
        incoming: Quantity,
        /// What can be sold.
        available: Quantity,
        /// When it was so, by the channel's clock.
        as_of: Timestamp,
    }
}

/// How much of an article a merchant has at a place, as its warehouse tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StockLevel {
    /// Whose.
    pub merchant_id: MerchantId,
    /// The warehouse's word for the place.
    pub location: String,
    /// The merchant's article.
    pub sku: String,
    /// What lies there, promised or not.
    pub on_hand: Quantity,
    /// What is promised to orders.
    pub reserved: Quantity,
    /// What lies there and cannot be sold.
    pub unavailable: Quantity,
    /// What is kept back.
    pub buffer: Quantity,
    /// What is on its way.
    pub incoming: Quantity,
    /// `on_hand − reserved − unavailable − buffer`; below zero where more is promised than there is.
    pub available: Quantity,
    /// When it was so, by the warehouse's clock.
    pub as_of: Timestamp,
    /// The warehouse's own number of the change, where it gives one: it then decides what is newer.
    pub sequence: Option<u64>,
    /// When we stored it.
    pub updated_at: Timestamp,
}

impl StockLevel {
    /// The quantities, by which a level has changed or not.
    pub fn quantities(&self) -> [Quantity; 5] {
        [
            self.on_hand,
            self.reserved,
            self.unavailable,
            self.buffer,
            self.incoming,
        ]
    }
}
