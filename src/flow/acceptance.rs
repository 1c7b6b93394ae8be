//! A marketplace's order that wants an answer: given by setting, by the clock, or by a person.
//!
//! What always holds: an answer is noted on the order in the transaction that stores the call which
//! tells it, so that a rule answers once; yes by setting is said only when nothing else holds the
//! order, no by the clock only to what nobody has answered; the hold goes when the channel confirms,
//! never before.

use super::change::OrderState;
use super::command::Refusal;
use super::draft::Draft;
use super::error::FlowError;
use super::release::{self, Fate};
use super::rules::holds;
use super::settings::{Accept, FlowSettings};
use super::{FlowContext, fulfillment, jobs, stock, wire};
use crate::canonical::acceptance::{AcceptanceKind, AcceptanceState, Answer};
use crate::canonical::hold::HoldReason;
use crate::canonical::{Order, Quantity, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The channel waits, and the order may go to the warehouse at all.
fn pending(state: &OrderState) -> bool {
    state.order.meta.released && release::fate(state) == Fate::Alive && waits(&state.order)
}

fn waits(order: &Order) -> bool {
    let acceptance = order.facts.acceptance.or_default();
    acceptance.state.or_default() == AcceptanceState::Pending
}

fn kind(order: &Order) -> AcceptanceKind {
    order.facts.acceptance.or_default().kind.or_default()
}

/// What is said without a person: a receipt at once, yes by setting once nothing else holds the
/// order, no when the time to answer runs out.
pub(super) fn reconcile(draft: &mut Draft<'_>) {
    if !pending(&draft.state) {
        return;
    }
    if draft.before.as_ref().is_some_and(|before| !pending(before)) {
        // It is asked (anew): what was said before was said to another question.
        draft.state.order.meta.answer = None;
    }
    if draft.state.order.meta.answer.is_some() {
        return;
    }
    let order = &draft.state.order;
    let receipt = kind(order) == AcceptanceKind::Receipt;
    let by_setting = match draft.settings.accept {
        Accept::Auto => true,
        Accept::WhenInStock => in_stock(&draft.ctx, &draft.settings, order),
        Accept::Manual => false,
    };
    if receipt || (by_setting && held_by_nothing_else(order)) {
        say_yes(draft, None, holds::GATEWAY);
    } else if refuse_at(&draft.settings, draft.now(), order).is_some_and(|at| at <= draft.now())
        && !at_work(&draft.state)
    {
        let reason = draft.settings.refuse_reason.clone();
        let lines = all_lines(&draft.state.order);
        let note = "the time to answer runs out";
        say_no(draft, &reason, Some(note), lines, holds::GATEWAY);
    }
}

fn at_work(state: &OrderState) -> bool {
    let mut parts = state.fulfillment_orders.iter();
    parts.any(fulfillment::at_work)
}

/// All that the order asks the warehouse for is free, as far as anybody looked.
fn in_stock(ctx: &FlowContext<'_>, settings: &FlowSettings, order: &Order) -> bool {
    let free = &ctx.world.stock;
    !free.is_empty()
        && stock::asked(settings, order).is_some_and(|asked| stock::covers(free, &asked))
}

/// What must be free before the setting says yes, by article; `None` where the order does not wait
/// for that: it is answered, something else holds it, or another setting says who answers.
pub fn awaits_stock(ctx: &FlowContext<'_>, order: &Order) -> Option<BTreeMap<String, Quantity>> {
    let settings = FlowSettings::read(ctx);
    let waiting = settings.accept == Accept::WhenInStock
        && waits(order)
        && order.meta.released
        && order.meta.answer.is_none()
        && held_by_nothing_else(order);
    waiting.then(|| stock::asked(&settings, order)).flatten()
}

fn held_by_nothing_else(order: &Order) -> bool {
    let mut holds = order.meta.holds.iter();
    holds.all(|hold| hold.reason == HoldReason::AwaitingAcceptance)
}

/// When no is said by itself; `None` where no setting says so, and when it is too late.
fn refuse_at(settings: &FlowSettings, now: Timestamp, order: &Order) -> Option<Timestamp> {
    let before = settings.refuse_before?;
    let by = *order.facts.deadlines.or_default().accept_by.value()?;
    by.checked_sub(before).ok().filter(|_| by > now)
}

/// True when the order must be looked at by the clock now: nobody has answered, and the setting
/// `refuse` says no in the end.
pub fn answer_due(ctx: &FlowContext<'_>, order: &Order) -> bool {
    let settings = FlowSettings::read(ctx);
    let at = refuse_at(&settings, ctx.now, order);
    waits(order) && order.meta.answer.is_none() && at.is_some_and(|at| at <= ctx.now)
}

fn must_be_pending(draft: &Draft<'_>) -> Result<(), FlowError> {
    if waits(&draft.state.order) {
        return Ok(());
    }
    let acceptance = draft.state.order.facts.acceptance.or_default();
    let state = wire(&acceptance.state.or_default());
    let message = format!("the channel waits for no answer: acceptance is {state}");
    Err(FlowError::illegal(message))
}

/// Tells the marketplace yes; the hold goes when the channel confirms it. `choice`: what of the
/// channel's options, in its own words.
pub(super) fn accept(
    draft: &mut Draft<'_>,
    choice: Option<Map<String, Value>>,
    actor: &str,
) -> Result<(), FlowError> {
    must_be_pending(draft)?;
    say_yes(draft, choice, actor);
    Ok(())
}

/// Tells the marketplace no; the order ends when the channel confirms it. Until then nobody is to
/// work on it.
pub(super) fn refuse(
    draft: &mut Draft<'_>,
    refusal: &Refusal,
    actor: &str,
) -> Result<(), FlowError> {
    must_be_pending(draft)?;
    if kind(&draft.state.order) == AcceptanceKind::Receipt {
        return Err(FlowError::illegal(
            "the channel asks for a receipt, not for a decision: cancel the order instead",
        ));
    }
    if at_work(&draft.state) {
        return Err(FlowError::illegal(
            "the warehouse works on it: cancel the order instead",
        ));
    }
    let lines = match &refusal.lines {
        None => all_lines(&draft.state.order),
        Some(named) => named_lines(&draft.state.order, refusal, named)?,
    };
    let note = refusal.note.as_deref();
    say_no(draft, &refusal.reason, note, lines, actor);
    Ok(())
}

fn say_yes(draft: &mut Draft<'_>, choice: Option<Map<String, Value>>, by: &str) {
    let more = json!({ "accept": true, "choice": choice });
    answer(draft, "orders.ack", more, true, None, by);
}

fn say_no(draft: &mut Draft<'_>, reason: &str, note: Option<&str>, lines: Vec<Value>, by: &str) {
    let more = json!({ "accept": false, "reason": reason, "note": note, "lines": lines });
    answer(draft, "orders.refuse", more, false, Some(reason), by);
}

fn answer(
    draft: &mut Draft<'_>,
    operation: &str,
    more: Value,
    accept: bool,
    reason: Option<&str>,
    by: &str,
) {
    let job = jobs::about_order(&draft.ctx, &draft.state.order, operation, more);
    draft.enqueue(job);
    draft.state.order.meta.answer = Some(Answer {
        accept,
        reason: reason.map(str::to_owned),
        by: by.to_owned(),
        at: draft.now(),
    });
}

/// Every line of which something is wanted, as a channel knows it.
fn all_lines(order: &Order) -> Vec<Value> {
    let wanted = order.facts.lines().iter().filter(|line| {
        let part = line.parent_external_id.text().is_some();
        line.wanted().is_positive() && !part
    });
    wanted
        .map(|line| {
            json!({
                "line_id": line.id.value(),
                "external_id": line.external_id.text(),
                "sku": line.sku.text(),
                "quantity": line.wanted(),
            })
        })
        .collect()
}

fn named_lines(
    order: &Order,
    refusal: &Refusal,
    named: &[super::command::RefusedLine],
) -> Result<Vec<Value>, FlowError> {
    let all = all_lines(order);
    let one = |(place, asked): (usize, &super::command::RefusedLine)| {
        let id = json!(asked.line_id);
        let found = all.iter().find(|line| line.get("line_id") == Some(&id));
        let mut line = found.cloned().ok_or_else(|| {
            FlowError::invalid(
                format!("lines.{place}.line_id"),
                "not a line that is wanted",
            )
        })?;
        if let Value::Object(line) = &mut line {
            let reason = asked.reason.as_ref().unwrap_or(&refusal.reason);
            line.insert("reason".to_owned(), json!(reason));
            line.insert("available".to_owned(), json!(asked.available));
        }
        Ok(line)
    };
    named.iter().enumerate().map(one).collect()
}
