//! Crossdock

pub mod mapping;
