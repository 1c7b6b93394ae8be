//! What whole-gateway tests share: the real binary with a store of its own, a warehouse that
//! verifies and remembers what it was sent, and signed webhooks.

pub mod broker;
pub mod collector;
pub mod courier;
pub mod database;
pub mod dock;
pub mod gateway;
pub mod log;
pub mod orders;
pub mod provider;
pub mod shop;
pub mod warehouse;

pub use gateway::Gateway;
pub use shop::Shop;
pub use warehouse::Warehouse;
