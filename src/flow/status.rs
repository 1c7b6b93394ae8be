//! The order's status, derived from its facts, holds, parts and shipments.
//!
//! What always holds: total (every state has exactly one status) and a reading only; calling it
//! twice gives the same.

use super::change::OrderState;
use super::fulfillment;
use super::release::{self, Fate};
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::hold::HoldReason;
use crate::canonical::order::{ChannelState, OrderStatus};

/// The status of the order.
pub(super) fn project(state: &OrderState) -> OrderStatus {
    let fate = release::fate(state);
    let parts = &state.fulfillment_orders;
    let shipped = state.shipments.iter().any(fulfillment::counts);
    let busy = |part| fulfillment::at_work(part) || fulfillment::awaits_label(state, part);
    let at_work = parts.iter().any(busy);
    if at_work || parts.iter().any(fulfillment::mutable) {
        let labelled = state.shipments.iter().any(fulfillment::has_label);
        return under_way(state, at_work, labelled);
    }
    match fate {
        Fate::ClosedElsewhere => OrderStatus::Closed,
        _ if shipped => OrderStatus::Fulfilled,
        Fate::Cancelled => OrderStatus::Cancelled,
        Fate::NotOurs => by_channel(state.order.facts.channel_state(), state),
        Fate::Alive if !parts.is_empty() || nothing_wanted(state) => OrderStatus::Cancelled,
        Fate::Alive => waiting(state).unwrap_or(OrderStatus::Open),
    }
}

/// Why a closed or cancelled order ended.
pub(super) fn closed_reason(state: &OrderState) -> Option<String> {
    let reason = match (state.order.meta.status, release::fate(state)) {
        (OrderStatus::Closed, _) => "closed_elsewhere",
        (OrderStatus::Fulfilled, Fate::Cancelled) => "remainder_cancelled",
        (OrderStatus::Cancelled, Fate::Cancelled) => {
            if state.order.facts.channel_state() == ChannelState::Cancelled {
                "cancelled_by_channel"
            } else {
                "cancelled_by_operator"
            }
        }
        (OrderStatus::Cancelled, _) => {
            let short = state
                .fulfillment_orders
                .iter()
                .any(|part| part.status == FulfillmentStatus::Incomplete);
            if short {
                "out_of_stock"
            } else {
                "nothing_left_to_ship"
            }
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

fn under_way(state: &OrderState, at_work: bool, shipped: bool) -> OrderStatus {
    if shipped {
        return OrderStatus::PartiallyFulfilled;
    }
    if at_work {
        return OrderStatus::InProgress;
    }
    if let Some(waiting) = waiting(state) {
        return waiting;
    }
    let live = || {
        state
            .fulfillment_orders
            .iter()
            .filter(|part| fulfillment::mutable(part))
    };
    if live().all(|part| part.status == FulfillmentStatus::OnHold) {
        OrderStatus::OnHold
    } else if live().all(|part| part.status == FulfillmentStatus::Scheduled) {
        OrderStatus::Scheduled
    } else {
        OrderStatus::Open
    }
}

/// What the holds say; waiting for time alone is no hold in this sense.
fn waiting(state: &OrderState) -> Option<OrderStatus> {
    let holds = &state.order.meta.holds;
    if holds
        .iter()
        .any(|hold| hold.reason == HoldReason::AwaitingPayment)
    {
        Some(OrderStatus::PendingPayment)
    } else if holds
        .iter()
        .any(|hold| hold.reason != HoldReason::EditWindow)
    {
        Some(OrderStatus::OnHold)
    } else {
        None
    }
}

/// Every line that the order has is cancelled.
fn nothing_wanted(state: &OrderState) -> bool {
    let lines = state.order.facts.lines();
    !lines.is_empty() && lines.iter().all(|line| !line.wanted().is_positive())
}

/// Orders that never are our warehouse's: as the channel has them.
fn by_channel(channel: ChannelState, state: &OrderState) -> OrderStatus {
    match channel {
        ChannelState::Draft | ChannelState::Open | ChannelState::Unknown => {
            waiting(state).unwrap_or(OrderStatus::Open)
        }
        ChannelState::PendingPayment => OrderStatus::PendingPayment,
        ChannelState::OnHold => OrderStatus::OnHold,
        ChannelState::PartiallyFulfilled => OrderStatus::PartiallyFulfilled,
        ChannelState::Fulfilled => OrderStatus::Fulfilled,
        ChannelState::Cancelled => OrderStatus::Cancelled,
    }
}
