//! Egress: events out to warehouses and subscribers, as signed webhooks (Standard Webhooks) or to a
//! stream of NATS JetStream.
//!
//! What always holds: at least once, in order per ordering key (at most one delivery of a key is
//! in flight; the next waits until it succeeded, was skipped or was given up); the `webhook-id` (or
//! `Nats-Msg-Id`) of an event is its id at every attempt; a subscription's cursor only passes events that were
//! delivered or have a delivery row. An endpoint that is down is probed with back-off, and
//! everything drains at once when it is back, earliest cut-off first.

pub mod http;
pub mod nats;
pub mod plan;
pub mod schedule;
pub mod sender;
pub mod sign;
pub mod supervisor;
mod task;
mod tell;
mod way;

pub use sender::{Sender, Verdict};
pub use supervisor::{Egress, EgressDeps};
