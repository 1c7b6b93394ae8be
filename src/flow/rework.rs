//! Bringing everything that follows from the facts in line with them.
//!
//! What always holds: called again without a new fact, wish or moment it changes nothing.

use super::change::{OrderState, Outcome};
use super::draft::Draft;
use super::error::FlowError;
use super::release;
use super::rules::holds;
use super::{
    FlowContext, acceptance, allocate, cod, duplicates, fulfillment, handshake, jobs, overrides,
    shipping, status,
};
use crate::canonical::inbox::Disposition;
use crate::canonical::order::{ChannelState, OrderStatus};
use serde_json::json;

/// Parts, holds, requests, status, and the jobs that follow.
pub(super) fn rework(draft: &mut Draft<'_>) -> Result<(), FlowError> {
    fulfillment::close_done(draft);
    allocate::allocate(draft);
    fulfillment::end_idle(draft);
    cod::reconcile(draft);
    duplicates::reconcile(draft);
    holds::reconcile(draft);
    if !draft.state.order.meta.released && release::barred(draft).is_none() {
        draft.state.order.meta.released = true;
    }
    fulfillment::align(draft);
    handshake::reconcile(draft);
    shipping::reconcile(draft)?;
    draft.state.order.meta.status = status::project(&draft.state);
    draft.state.order.meta.closed_reason = status::closed_reason(&draft.state);
    acceptance::reconcile(draft);
    cancel_at_channel(draft);
    Ok(())
}

/// An operator's cancellation that took effect is told to the channel.
fn cancel_at_channel(draft: &mut Draft<'_>) {
    let done = |state: &OrderState| {
        let order = &state.order;
        overrides::is_cancelled(&order.meta.overrides)
            && matches!(
                order.meta.status,
                OrderStatus::Cancelled | OrderStatus::Fulfilled
            )
    };
    let before = draft.before.as_ref().is_some_and(done);
    let known = draft.state.order.facts.channel_state() == ChannelState::Cancelled;
    if done(&draft.state) && !before && !known {
        let partial = draft.state.order.meta.status == OrderStatus::Fulfilled;
        let more = json!({ "reason": "cancelled_by_operator", "partial": partial });
        let job = jobs::about_order(&draft.ctx, &draft.state.order, "orders.cancel", more);
        draft.enqueue(job);
    }
}

/// Evaluates an order anew: settings or the connection's state changed, or a moment came (an edit
/// window ended, pre-ordered goods arrive: `fulfill_at`). Nothing to do → `Unchanged`.
pub fn settle(ctx: &FlowContext<'_>, state: OrderState) -> Outcome {
    Draft::over(ctx, state)
        .finish()
        .unwrap_or_else(|error| Outcome {
            disposition: Disposition::Unchanged,
            reason: Some(error.to_string()),
            ..Outcome::default()
        })
}
