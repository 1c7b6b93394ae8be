//! Order lines and charges, in gross amounts.
//!
//! What always holds: `total = unit_price × (quantity − cancelled_quantity) − discount`, tax
//! included; a line wholly cancelled stays with total 0; `tax` is null when the payload does not
//! tell it and "0.00" when it says none.

use super::field::fields;
use super::{Amount, LineId, Money, Quantity, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// Goods that are packed.
    #[default]
    Physical,
    /// Delivered by download; never reaches the warehouse.
    Digital,
    /// A service; never reaches the warehouse.
    Service,
    /// The parent of a bundle: its parts are lines of their own.
    Bundle,
}

fields! {
    /// One line as the channel states it. Keys left out keep what is stored.
    #[serde(deny_unknown_fields)]
    pub struct Line {
        /// Ours; given when the line is first stored.
        id: LineId,
        /// The channel's id of the line; lines of two revisions are matched by it.
        external_id: String,
        /// What it is; physical when the mapping says nothing.
        kind: LineKind,
        /// The channel's SKU; null when empty.
        sku: String,
        /// GTIN (EAN/UPC).
        gtin: String,
        /// The title as sold.
        name: String,
        /// As ordered.
        quantity: Quantity,
        /// UN/ECE Rec 20; `C62` (piece) when the mapping says nothing.
        unit: String,
        /// What of the quantity is gone.
        cancelled_quantity: Quantity,
        /// Gross price of one unit.
        unit_price: Money,
        /// Gross discount on the whole line, not negative.
        discount: Money,
        /// How much of `total` is tax.
        tax: Money,
        /// Percent as a decimal ("24").
        tax_rate: Amount,
        /// Gross, after discount, cancelled parts left out.
        total: Money,
        /// Grams of one unit.
        weight_g: Quantity,
        /// When pre-ordered goods are expected.
        expected_at: Timestamp,
        /// The bundle's line, for its parts.
        parent_external_id: String,
        /// Anything else worth keeping.
        attributes: Map<String, Value>,
    }
}

impl Line {
    /// What is still wanted: quantity less cancelled quantity, never below zero.
    pub fn wanted(&self) -> Quantity {
        let quantity = self.quantity.or_default();
        quantity
            .less(self.cancelled_quantity.or_default())
            .unwrap_or(Quantity::ZERO)
    }
    /// The kind, physical when the mapping says nothing.
    pub fn kind(&self) -> LineKind {
        self.kind.or_default()
    }
}

/// What a charge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ChargeKind {
    Shipping,
    Handling,
    CodFee,
    GiftWrap,
    Discount,
    Rounding,
    Tip,
    StoreCredit,
    Other,
}

/// A charge beside the lines; a discount not spread over lines and store credit are negative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// What it is for.
    pub kind: ChargeKind,
    /// The channel's code.
    #[serde(default)]
    pub code: Option<String>,
    /// The channel's words.
    #[serde(default)]
    pub title: Option<String>,
    /// How much of `total` is tax; null when the payload does not tell.
    #[serde(default)]
    pub tax: Option<Money>,
    /// Gross.
    pub total: Money,
}
