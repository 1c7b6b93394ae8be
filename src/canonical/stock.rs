//! Stock as a channel has it.
//!
//! What always holds: a key that is absent is not told; quantities are the channel's own, nothing
//! is derived from them here.

use super::field::fields;
use super::{Quantity, Timestamp};

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
