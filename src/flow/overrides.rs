//! An operator's corrections, laid over the channel's revisions.
//!
//! What always holds: the channel's own facts can be restored from what is stored; a correction is
//! never wiped by a revision; one that the channel comes to agree with is dropped; one whose path
//! the channel changes to something else is a conflict until someone chooses.
//!
//! Three paths are decisions and no facts: `released` (may go although it would not by itself),
//! `cancelled` (cancelled by an operator) and `holds.<reason>` (a hold with a visible cause was
//! released; it counts until that cause has gone).

use super::error::FlowError;
use super::paths;
use crate::canonical::order::Override;
use crate::canonical::{OrderFacts, Timestamp};
use serde_json::Value;

const RELEASED: &str = "released";
const CANCELLED: &str = "cancelled";
const HOLDS: &str = "holds.";

/// Roots that may be corrected as a whole or in part.
const ROOTS: &[&str] = &[
    "ship_to",
    "bill_to",
    "customer",
    "delivery",
    "note",
    "internal_note",
    "deadlines",
    "tags",
    "kind",
];
/// Keys of `payment` that may be corrected.
const PAYMENT: &[&str] = &["cod_amount", "method", "status"];
/// Keys of a line that may be corrected.
const LINE: &[&str] = &[
    "sku",
    "gtin",
    "name",
    "kind",
    "quantity",
    "cancelled_quantity",
    "unit",
    "unit_price",
    "discount",
    "tax",
    "tax_rate",
    "total",
    "weight_g",
    "expected_at",
];

/// True for paths that are decisions and no facts.
pub(super) fn is_decision(path: &str) -> bool {
    path == RELEASED || path == CANCELLED || path.starts_with(HOLDS)
}
pub(super) fn is_released(overrides: &[Override]) -> bool {
    overrides.iter().any(|over| over.path == RELEASED)
}
pub(super) fn is_cancelled(overrides: &[Override]) -> bool {
    overrides.iter().any(|over| over.path == CANCELLED)
}
pub(super) fn is_waived(overrides: &[Override], reason: &str) -> bool {
    overrides
        .iter()
        .any(|over| over.path.strip_prefix(HOLDS) == Some(reason))
}
/// Drops released holds whose cause has gone: should it come back, it holds again.
pub(super) fn forget_waivers(overrides: &mut Vec<Override>, still: impl Fn(&str) -> bool) {
    overrides.retain(|over| over.path.strip_prefix(HOLDS).is_none_or(&still));
}
/// Takes an operator's cancellation back.
pub(super) fn forget_cancellation(overrides: &mut Vec<Override>) {
    overrides.retain(|over| over.path != CANCELLED);
}

/// A decision, on record beside the corrections.
pub(super) enum Decision<'a> {
    Released,
    Cancelled,
    HoldReleased(&'a str),
}

/// Records a decision; one that is there already stays as it is.
pub(super) fn decide(
    overrides: &mut Vec<Override>,
    decision: &Decision<'_>,
    actor: &str,
    at: Timestamp,
    reason: &str,
) {
    let path = match decision {
        Decision::Released => RELEASED.to_owned(),
        Decision::Cancelled => CANCELLED.to_owned(),
        Decision::HoldReleased(hold) => format!("{HOLDS}{hold}"),
    };
    if overrides.iter().any(|over| over.path == path) {
        return;
    }
    overrides.push(Override {
        path,
        value: Value::Bool(true),
        base_value: Value::Null,
        by: actor.to_owned(),
        at,
        reason: reason.to_owned(),
    });
}

fn corrections(overrides: &[Override]) -> impl DoubleEndedIterator<Item = &Override> {
    overrides.iter().filter(|over| !is_decision(&over.path))
}

/// True when any fact is corrected.
pub(super) fn any(overrides: &[Override]) -> bool {
    corrections(overrides).next().is_some()
}

/// The channel's own facts, corrections taken out.
pub(super) fn restore(facts: &OrderFacts, overrides: &[Override]) -> Result<OrderFacts, FlowError> {
    if !any(overrides) {
        return Ok(facts.clone());
    }
    let mut json = to_json(facts)?;
    for over in corrections(overrides).rev() {
        paths::set(&mut json, &over.path, over.base_value.clone());
        if over.base_value.is_null() {
            prune(&mut json, &over.path);
        }
    }
    from_json(json)
}

/// An object that was made only to hold the correction goes with it.
fn prune(json: &mut Value, path: &str) {
    let Some((parent, _)) = path.rsplit_once('.') else {
        return;
    };
    let empty = paths::get(json, parent)
        .and_then(Value::as_object)
        .is_some_and(|map| map.values().all(Value::is_null));
    if empty {
        paths::set(json, parent, Value::Null);
    }
}

/// The facts with the corrections laid over.
pub(super) fn apply(facts: OrderFacts, overrides: &[Override]) -> Result<OrderFacts, FlowError> {
    if !any(overrides) {
        return Ok(facts);
    }
    let mut json = to_json(&facts)?;
    for over in corrections(overrides) {
        paths::set(&mut json, &over.path, over.value.clone());
    }
    from_json(json)
}

/// Compares corrections with what the channel says now: agreed ones are dropped, and the paths of
/// those that the channel changed to something else are returned (conflicts).
pub(super) fn rebase(
    overrides: &mut Vec<Override>,
    base: &OrderFacts,
) -> Result<Vec<String>, FlowError> {
    if !any(overrides) {
        return Ok(Vec::new());
    }
    let json = to_json(base)?;
    // Compared as what they are, not as texts: "12.30" is 12.3 in another shape of the order.
    let says = |path: &str, now: &Value, value: &Value| {
        now == value || with(base, path, value).is_ok_and(|facts| facts == *base)
    };
    let mut conflicts = Vec::new();
    overrides.retain_mut(|over| {
        if is_decision(&over.path) {
            return true;
        }
        let now = paths::get(&json, &over.path).unwrap_or(&Value::Null);
        if says(&over.path, now, &over.base_value) {
            return true;
        }
        if says(&over.path, now, &over.value) {
            return false;
        }
        over.base_value = now.clone();
        conflicts.push(over.path.clone());
        true
    });
    Ok(conflicts)
}

/// Why a path may not be corrected; `None` when it may.
pub(super) fn refusal(path: &str, facts: &OrderFacts) -> Option<&'static str> {
    let steps: Vec<&str> = path.split('.').collect();
    match steps.as_slice() {
        [root] | [root, _] | [root, _, _] if ROOTS.contains(root) => None,
        ["payment", key] if PAYMENT.contains(key) => None,
        ["payment", "cod_amount", "amount"] => None,
        ["lines", place, key] if LINE.contains(key) => {
            let known = place
                .parse::<usize>()
                .is_ok_and(|n| n < facts.lines().len());
            (!known).then_some("there is no such line")
        }
        _ => Some("this path cannot be corrected"),
    }
}

/// Facts with one path set, checked against its type.
pub(super) fn with(facts: &OrderFacts, path: &str, value: &Value) -> Result<OrderFacts, FlowError> {
    let mut json = to_json(facts)?;
    // The reason stays unsaid: a type's own message would repeat the value.
    let wrong = || FlowError::invalid(path, "not a value of this field's type");
    if !paths::set(&mut json, path, value.clone()) {
        return Err(wrong());
    }
    serde_json::from_value(json).map_err(|_| wrong())
}

/// What stands at a path of these facts; null when nothing.
pub(super) fn value_at(facts: &OrderFacts, path: &str) -> Result<Value, FlowError> {
    let json = to_json(facts)?;
    Ok(paths::get(&json, path).cloned().unwrap_or(Value::Null))
}

fn to_json(facts: &OrderFacts) -> Result<Value, FlowError> {
    serde_json::to_value(facts).map_err(|_| FlowError::Corrupt("facts to JSON".to_owned()))
}
fn from_json(json: Value) -> Result<OrderFacts, FlowError> {
    serde_json::from_value(json).map_err(|_| FlowError::Corrupt("facts from JSON".to_owned()))
}
