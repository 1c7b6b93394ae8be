//! What whole-gateway tests share: the real binary with a store of its own, a warehouse that
//! verifies and remembers what it was sent, and signed webhooks.

pub mod gateway;
pub mod orders;
pub mod warehouse;

pub use gateway::Gateway;
pub use warehouse::Warehouse;
