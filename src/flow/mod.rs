//! What records and commands mean: pure functions of (state, input, now) → [`change::Outcome`].
//!
//! What always holds: no I/O and no clock in here; the same input over the same state gives the
//! same decision (but for fresh ids); whatever is decided is written in one transaction or not at
//! all. Read [`intake`](intake()), then [`rework`], which brings everything that follows from the
//! facts (holds, fulfillment orders, requests, status) in line with them and changes nothing when
//! called again.

pub mod change;
pub mod command;
pub mod error;
pub mod facts;
pub mod jobs;
pub mod retention;
pub mod settings;
pub mod stock;
pub mod tracking;
pub mod world;

mod acceptance;
mod allocate;
mod answer;
mod cod;
mod create;
mod draft;
mod duplicates;
mod events;
mod findings;
mod fulfillment;
mod handshake;
mod intake;
mod merge;
mod operator;
mod overrides;
mod paths;
mod release;
mod revision;
mod rework;
mod rules;
mod shipping;
mod status;
mod totals;
mod wanted;

#[cfg(test)]
mod tests;

pub use acceptance::{answer_due, awaits_stock};
pub use cod::cod_overdue_at;
pub use command::{
    Choice, Command, CommandAnswer, NewParcel, Refusal, RefusedLine, Resolution, ShortLine, command,
};
pub use create::create;
pub use duplicates::{Similar, similar_to};
pub use error::FlowError;
pub use facts::{CarrierFact, fact};
pub use intake::intake;
pub use rework::settle;
pub use rules::configured::{carrier_rules, check_carrier_rules, rules_of};
pub use rules::plan::networks_asked;
pub use wanted::{Wanted, void_wanted, wanted};
pub use world::World;

use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::order::Source;
use crate::canonical::{InboxId, Order, Timestamp};

/// What every decision is made in: the moment, and whose settings apply (see [`settings`]).
#[derive(Debug, Clone, Copy)]
pub struct FlowContext<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// The order's connection.
    pub connection: &'a Connection,
    /// The order's merchant.
    pub merchant: &'a Merchant,
    /// Orders of the merchant that may be the same purchase; `None` when nobody looked (see
    /// [`duplicates`]).
    pub similar: Option<&'a [Order]>,
    /// Carriers, rules and points.
    pub world: &'a World,
}

/// What is known of a record beside what its mapping says.
#[derive(Debug, Clone, Copy)]
pub struct RecordMeta<'a> {
    /// The record.
    pub inbox_id: InboxId,
    /// How it came.
    pub source: Source,
    /// When it arrived (webhook) or was asked for (poll): its revision where the channel tells none.
    pub received_at: Timestamp,
    /// The mapping's content hash.
    pub mapping_version: &'a str,
    /// Found by a sweep.
    pub sweep: bool,
    /// The answer of `orders.get`: it decides where revisions are equal, and asks for no other.
    pub fetched: bool,
    /// A stored record mapped again by a newer mapping: counts for the newest record only.
    pub remap: bool,
}

/// The text that an enum of the model has in JSON (`awaiting_payment`).
pub(crate) fn wire<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}
