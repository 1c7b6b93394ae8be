//! Crossdock
