//! What is to become of an order, and whether it may go to the warehouse.
//!
//! What always holds: pure readings of the state; nothing is changed here.

use super::change::OrderState;
use super::draft::Draft;
use super::{fulfillment, overrides};
use crate::canonical::Order;
use crate::canonical::connection::ConnectionState;
use crate::canonical::order::{ChannelState, FulfilledBy};

/// What is to become of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// What is not shipped yet is to be shipped.
    Alive,
    /// Cancelled by the channel or an operator.
    Cancelled,
    /// Fulfilled by the channel while we had not shipped anything.
    ClosedElsewhere,
    /// Fulfilled by the channel itself, or a test: never our warehouse's.
    NotOurs,
}

/// What is to become of the order. `fulfilled` after a shipment of ours is our own push coming
/// back (some channels know no partial state), so it closes nothing; nor does what a channel says
/// because it issued our label.
pub(super) fn fate(state: &OrderState) -> Fate {
    let order = &state.order;
    if not_ours(order).is_some() {
        Fate::NotOurs
    } else if cancelled(order) {
        Fate::Cancelled
    } else if order.facts.channel_state() == ChannelState::Fulfilled
        && !state.shipments.iter().any(|shipment| {
            fulfillment::counts(shipment) || fulfillment::issued(&state.order, shipment)
        })
    {
        Fate::ClosedElsewhere
    } else {
        Fate::Alive
    }
}

/// True when the channel or an operator cancelled it.
pub(super) fn cancelled(order: &Order) -> bool {
    order.facts.channel_state() == ChannelState::Cancelled
        || overrides::is_cancelled(&order.meta.overrides)
}

fn not_ours(order: &Order) -> Option<&'static str> {
    if order.facts.fulfilled_by.or_default() == FulfilledBy::Channel {
        Some("fulfilled_by_channel")
    } else if order.facts.test.or_default() {
        Some("test_order")
    } else {
        None
    }
}

/// Why the order does not go to the warehouse by itself now; `None` when it may (holds aside).
pub(super) fn barred(draft: &Draft<'_>) -> Option<&'static str> {
    let order = &draft.state.order;
    if let Some(why) = not_ours(order) {
        return Some(why);
    }
    if overrides::is_released(&order.meta.overrides) {
        return None;
    }
    let connection = draft.ctx.connection;
    match connection.state {
        ConnectionState::Active => {}
        ConnectionState::Observing => return Some("connection_observing"),
        ConnectionState::Paused => return Some("connection_paused"),
        ConnectionState::Suspended => return Some("connection_suspended"),
        ConnectionState::Deleted => return Some("connection_deleted"),
    }
    let placed = order.facts.placed_at.value();
    match (placed, connection.release_from) {
        (Some(placed), Some(from)) if *placed < from => Some("placed_before_release_from"),
        _ => None,
    }
}

/// True when parts may be submitted: nothing bars the order, or the warehouse had it already.
pub(super) fn may_submit(draft: &Draft<'_>) -> bool {
    let parts = &draft.state.fulfillment_orders;
    barred(draft).is_none() || parts.iter().any(|part| part.submitted_at.is_some())
}
