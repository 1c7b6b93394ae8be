//! The canonical model: the one vocabulary between every channel, carrier and warehouse.
//!
//! What always holds: these types are the contract. Their JSON is what mappings yield, what the
//! API shows, what events carry and what tests compare. Nothing here does I/O, knows a provider
//! or reads a clock. Amounts are exact decimals, never floats; unknown fields in what a mapping
//! yields are errors; absent, null and value are three different things ([`Field`]).

pub mod acceptance;
pub mod address;
pub mod check;
pub mod cod;
pub mod connection;
pub mod contact;
pub mod correction;
pub mod document;
pub mod event;
pub mod field;
pub mod fulfillment;
pub mod hold;
pub mod ids;
pub mod inbox;
pub mod job;
pub mod line;
pub mod money;
pub mod order;
pub mod point;
pub mod problem;
pub mod quantity;
pub mod shipment;
pub mod stock;
pub mod tracking;
mod word;

pub use address::Address;
pub use contact::Contact;
pub use field::{Field, Merge};
pub use ids::*;
pub use money::{Amount, Currency, Money, MoneyError};
pub use order::{MappedOrder, Order, OrderFacts, OrderMeta};
pub use quantity::Quantity;
pub use word::word;

/// A moment in UTC; serialised as RFC 3339 with `Z`.
pub type Timestamp = jiff::Timestamp;
