//! What operators decide about an order.
//!
//! What always holds: nothing is set by hand that is derived; a decision is on record with who,
//! when and why, and survives every revision of the channel.

use super::command::Choice;
use super::draft::Draft;
use super::error::FlowError;
use super::overrides::{self, Decision};
use super::release::{self, Fate};
use super::rules::holds;
use super::{paths, totals, wire};
use crate::canonical::HoldId;
use crate::canonical::hold::{Clears, Hold, HoldReason};
use crate::canonical::order::{OrderStatus, Override};
use crate::flow::change::ResolveProblems;
use serde_json::Value;
use std::collections::BTreeMap;

/// The problem code of a correction that the channel contradicts.
pub(super) const CONFLICT: &str = "override_conflict";

fn must_be_open(draft: &Draft<'_>, action: &str) -> Result<(), FlowError> {
    let status = draft.state.order.meta.status;
    let ended = matches!(
        status,
        OrderStatus::Cancelled | OrderStatus::Closed | OrderStatus::Fulfilled
    );
    if ended {
        let status = wire(&status);
        return Err(FlowError::illegal(format!(
            "{action} is not possible: the order is {status}"
        )));
    }
    Ok(())
}

pub(super) fn hold(
    draft: &mut Draft<'_>,
    reason: HoldReason,
    detail: Option<String>,
    actor: &str,
) -> Result<(), FlowError> {
    must_be_open(draft, "hold")?;
    draft.notes.reconsider = true;
    let now = draft.now();
    let holds = &mut draft.state.order.meta.holds;
    let there = |hold: &Hold| hold.reason == reason && hold.clears == Clears::Person;
    if !holds.iter().any(there) {
        holds.push(Hold {
            id: HoldId::new(),
            reason,
            detail,
            placed_by: actor.to_owned(),
            placed_at: now,
            clears: Clears::Person,
            proposals: Vec::new(),
        });
    }
    Ok(())
}

/// Clears holds of the order and of its parts; without reasons all of them, and an order that
/// would not go by itself (observing connection, placed before `release_from`) may go.
pub(super) fn release(
    draft: &mut Draft<'_>,
    reasons: Option<&[HoldReason]>,
    actor: &str,
) -> Result<(), FlowError> {
    must_be_open(draft, "release")?;
    if release::fate(&draft.state) == Fate::NotOurs {
        return Err(FlowError::illegal(
            "the order is a test or fulfilled by the channel: it is never released",
        ));
    }
    draft.notes.reconsider = true;
    let now = draft.now();
    let named = |hold: &Hold| reasons.is_none_or(|reasons| reasons.contains(&hold.reason));
    let barred = release::barred(draft).is_some();
    let meta = &mut draft.state.order.meta;
    for hold in meta
        .holds
        .iter()
        .filter(|hold| named(hold) && holds::derived(hold))
    {
        let reason = wire(&hold.reason);
        let decision = Decision::HoldReleased(&reason);
        overrides::decide(&mut meta.overrides, &decision, actor, now, "released");
    }
    let conflicts = |holds: &[Hold]| holds.iter().any(|hold| hold.reason == HoldReason::Conflict);
    let conflicted = conflicts(&meta.holds);
    meta.holds.retain(|hold| !named(hold));
    if reasons.is_none() && barred {
        let decision = Decision::Released;
        overrides::decide(&mut meta.overrides, &decision, actor, now, "released");
    }
    if conflicted && !conflicts(&meta.holds) {
        conflict_gone(draft);
    }
    for part in &mut draft.state.fulfillment_orders {
        part.holds.retain(|hold| !named(hold));
    }
    Ok(())
}

fn conflict_gone(draft: &mut Draft<'_>) {
    draft.resolve.push(ResolveProblems {
        subject: draft.state.order.meta.id.to_string(),
        code: Some(CONFLICT.to_owned()),
    });
}

pub(super) fn cancel(
    draft: &mut Draft<'_>,
    reason: Option<String>,
    actor: &str,
) -> Result<(), FlowError> {
    if overrides::is_cancelled(&draft.state.order.meta.overrides)
        || release::cancelled(&draft.state.order)
    {
        return Ok(());
    }
    must_be_open(draft, "cancel")?;
    draft.notes.reconsider = true;
    let now = draft.now();
    let reason = reason.unwrap_or_else(|| "cancelled".to_owned());
    let overrides = &mut draft.state.order.meta.overrides;
    overrides::decide(overrides, &Decision::Cancelled, actor, now, &reason);
    Ok(())
}

/// Corrections: each path is checked by itself, so that every wrong one is named.
pub(super) fn correct(
    draft: &mut Draft<'_>,
    set: &BTreeMap<String, Value>,
    reason: &str,
    actor: &str,
) -> Result<(), FlowError> {
    if set.is_empty() {
        return Err(FlowError::invalid("set", "nothing is named"));
    }
    let now = draft.now();
    let order = &draft.state.order;
    let base = overrides::restore(&order.facts, &order.meta.overrides)?;
    let mut wrong = BTreeMap::new();
    let mut facts = order.facts.clone();
    for (path, value) in set {
        if let Some(why) = overrides::refusal(path, &facts) {
            wrong.insert(format!("set.{path}"), why.to_owned());
            continue;
        }
        match overrides::with(&facts, path, value) {
            Ok(next) => facts = next,
            Err(FlowError::Invalid { fields }) => {
                wrong.extend(
                    fields
                        .into_iter()
                        .map(|(path, why)| (format!("set.{path}"), why)),
                );
            }
            Err(other) => return Err(other),
        }
    }
    if !wrong.is_empty() {
        return Err(FlowError::Invalid { fields: wrong });
    }
    let mut corrections = order.meta.overrides.clone();
    for (path, value) in set {
        corrections.retain(|over| over.path != *path);
        let base_value = overrides::value_at(&base, path)?;
        // Saying what the channel says is no correction.
        if base_value != *value {
            corrections.push(Override {
                path: path.clone(),
                value: value.clone(),
                base_value,
                by: actor.to_owned(),
                at: now,
                reason: reason.to_owned(),
            });
        }
    }
    replace(draft, base, corrections)
}

/// Lays other corrections over the channel's facts, and notes what that changes.
fn replace(
    draft: &mut Draft<'_>,
    base: crate::canonical::OrderFacts,
    corrections: Vec<Override>,
) -> Result<(), FlowError> {
    let mut facts = overrides::apply(base, &corrections)?;
    totals::complete(&mut facts)?;
    let order = &mut draft.state.order;
    let keys = facts.content_changes(&order.facts);
    draft.notes.changed = paths::changed(&facts, &order.facts, &keys);
    draft.notes.reconsider = true;
    order.facts = facts;
    order.meta.overrides = corrections;
    drop_settled_conflicts(draft);
    Ok(())
}

/// A conflict about a path that is corrected no longer is none.
pub(super) fn drop_settled_conflicts(draft: &mut Draft<'_>) {
    let meta = &mut draft.state.order.meta;
    let before = meta.holds.len();
    let overrides = &meta.overrides;
    meta.holds.retain(|hold| {
        let path = hold.detail.as_deref();
        hold.reason != HoldReason::Conflict
            || hold.placed_by != holds::GATEWAY
            || overrides
                .iter()
                .any(|over| Some(over.path.as_str()) == path)
    });
    let left = meta
        .holds
        .iter()
        .any(|hold| hold.reason == HoldReason::Conflict);
    if meta.holds.len() != before && !left {
        conflict_gone(draft);
    }
}

pub(super) fn resolve_conflict(
    draft: &mut Draft<'_>,
    path: &str,
    choose: Choice,
) -> Result<(), FlowError> {
    let meta = &mut draft.state.order.meta;
    let is_it =
        |hold: &Hold| hold.reason == HoldReason::Conflict && hold.detail.as_deref() == Some(path);
    if !meta.holds.iter().any(is_it) {
        return Err(FlowError::NotFound("conflict"));
    }
    meta.holds.retain(|hold| !is_it(hold));
    draft.notes.reconsider = true;
    if !meta
        .holds
        .iter()
        .any(|hold| hold.reason == HoldReason::Conflict)
    {
        conflict_gone(draft);
    }
    if choose == Choice::Ours {
        return Ok(());
    }
    let order = &draft.state.order;
    let base = overrides::restore(&order.facts, &order.meta.overrides)?;
    let mut corrections = order.meta.overrides.clone();
    corrections.retain(|over| over.path != path);
    replace(draft, base, corrections)
}
