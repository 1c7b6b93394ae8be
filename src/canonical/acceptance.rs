//! What a channel wants to hear of an order before it may be shipped.
//!
//! What always holds: an order whose acceptance is `pending` is never released; a receipt is owed
//! for every order and is given without asking anyone, a decision is somebody's or a setting's.

use super::order::{FulfilledBy, OrderStatus, wire_enum};
use super::{Order, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// How far a marketplace's acceptance is.
    AcceptanceState { #[default] NotNeeded, Pending, Accepted, Refused, Expired }
}
wire_enum! {
    /// What the channel wants to hear: whether the order is taken, or only that it has arrived.
    AcceptanceKind { #[default] Decision, Receipt }
}

/// What we said to a channel that waits for an answer. The channel's confirmation is another thing:
/// [`AcceptanceState`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Yes, or no.
    pub accept: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Who: a token's name, or `gateway` for a setting.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Order {
    /// While a channel waits for an answer, until when (`Some(None)`: it does not say).
    pub fn answer_by(&self) -> Option<Option<Timestamp>> {
        let (meta, facts) = (&self.meta, &self.facts);
        let ended = matches!(meta.status, OrderStatus::Cancelled | OrderStatus::Closed);
        let ours =
            !facts.test.or_default() && facts.fulfilled_by.or_default() != FulfilledBy::Channel;
        let state = facts.acceptance.or_default().state.or_default();
        (state == AcceptanceState::Pending && ours && !ended)
            .then(|| facts.deadlines.or_default().accept_by.value().copied())
    }
}
