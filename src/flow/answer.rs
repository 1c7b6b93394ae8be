//! The warehouse's answers: accept, short, reject, and yes or no to a request.
//!
//! What always holds: an answer that names another revision than the current one changes nothing;
//! an answer that was given before is not an error.

use super::allocate::minus;
use super::command::{CommandAnswer, ShortLine};
use super::draft::Draft;
use super::error::FlowError;
use super::settings::OnShort;
use super::{fulfillment, handshake, jobs, wire};
use crate::canonical::fulfillment::{
    FulfillmentLine, FulfillmentOrder, FulfillmentStatus, RequestState,
};
use crate::canonical::hold::{Clears, Hold, HoldReason};
use crate::canonical::shipment::ShippedLine;
use crate::canonical::{FulfillmentOrderId, HoldId, Quantity, RequestId};
use serde_json::json;
use std::collections::BTreeMap;

/// Refuses an answer to another revision.
pub(super) fn current(part: &FulfillmentOrder, revision: u64) -> Result<(), FlowError> {
    if part.revision == revision {
        return Ok(());
    }
    Err(FlowError::StaleRevision {
        current: Box::new(part.clone()),
    })
}

fn not_in(part: &FulfillmentOrder, action: &str) -> FlowError {
    let status = wire(&part.status);
    FlowError::illegal(format!("{action} is not possible while it is {status}"))
}

/// The warehouse works on it.
pub(super) fn accept(
    draft: &mut Draft<'_>,
    id: FulfillmentOrderId,
    revision: u64,
    wms_ref: Option<String>,
) -> Result<CommandAnswer, FlowError> {
    draft.notes.answered = Some(id);
    let part = draft.fulfillment(id)?;
    current(part, revision)?;
    match part.status {
        FulfillmentStatus::Submitted => {
            part.status = FulfillmentStatus::InProgress;
            part.wms_ref = wms_ref.or(part.wms_ref.take());
        }
        FulfillmentStatus::InProgress => {
            let same = wms_ref.is_none() || wms_ref == part.wms_ref;
            if part.wms_ref.is_none() {
                part.wms_ref = wms_ref;
            } else if !same {
                return Err(FlowError::illegal(
                    "it was accepted under another wms_ref already",
                ));
            }
        }
        _ => return Err(not_in(part, "accept")),
    }
    Ok(CommandAnswer::FulfillmentOrder(id))
}

/// The warehouse cannot work on it: on hold until a person releases it.
pub(super) fn reject(
    draft: &mut Draft<'_>,
    id: FulfillmentOrderId,
    revision: u64,
    reason: HoldReason,
    note: Option<String>,
    actor: &str,
) -> Result<CommandAnswer, FlowError> {
    let now = draft.now();
    draft.notes.answered = Some(id);
    let part = draft.fulfillment(id)?;
    current(part, revision)?;
    if !matches!(
        part.status,
        FulfillmentStatus::Submitted | FulfillmentStatus::InProgress
    ) {
        return Err(not_in(part, "reject"));
    }
    part.status = FulfillmentStatus::OnHold;
    part.wms_ref = None;
    // Nobody is left to answer; what was asked is applied at once, as before an accept.
    if let Some(request) = &mut part.request
        && request.state == RequestState::Pending
    {
        request.state = RequestState::Expired;
    }
    part.holds.push(hold(reason, note, actor, now));
    Ok(CommandAnswer::FulfillmentOrder(id))
}

fn hold(
    reason: HoldReason,
    detail: Option<String>,
    actor: &str,
    now: crate::canonical::Timestamp,
) -> Hold {
    Hold {
        id: HoldId::new(),
        reason,
        detail,
        placed_by: actor.to_owned(),
        placed_at: now,
        clears: Clears::Person,
        proposals: Vec::new(),
    }
}

/// Yes or no to a request.
pub(super) fn request(
    draft: &mut Draft<'_>,
    id: FulfillmentOrderId,
    request_id: RequestId,
    revision: u64,
    accept: bool,
    note: Option<String>,
) -> Result<CommandAnswer, FlowError> {
    let place = draft.index(id)?;
    let part = draft.fulfillment(id)?;
    let wanted = if accept {
        RequestState::Accepted
    } else {
        RequestState::Refused
    };
    let Some(request) = part
        .request
        .as_ref()
        .filter(|r| r.id == request_id)
        .cloned()
    else {
        return Err(FlowError::NotFound("request"));
    };
    if request.state == wanted {
        return Ok(CommandAnswer::FulfillmentOrder(id));
    }
    current(part, revision)?;
    if request.state != RequestState::Pending {
        let state = wire(&request.state);
        return Err(FlowError::illegal(format!(
            "the request is {state} already"
        )));
    }
    if let Some(open) = &mut part.request {
        open.state = wanted;
        open.answer = note.or_else(|| (!accept).then(|| "refused".to_owned()));
    }
    draft.notes.answered = Some(id);
    if accept {
        handshake::apply(draft, place, &request);
    } else {
        handshake::refuse(draft, place, &request);
    }
    Ok(CommandAnswer::FulfillmentOrder(id))
}

/// The warehouse has too little of something.
pub(super) fn short(
    draft: &mut Draft<'_>,
    id: FulfillmentOrderId,
    revision: u64,
    lines: &[ShortLine],
    note: Option<String>,
    actor: &str,
) -> Result<CommandAnswer, FlowError> {
    draft.notes.answered = Some(id);
    let policy = draft.settings.on_short;
    let part = draft.fulfillment(id)?;
    current(part, revision)?;
    if part.status != FulfillmentStatus::Submitted && !fulfillment::at_work(part) {
        return Err(not_in(part, "short"));
    }
    let quantities = lines.iter().map(|line| (line.line_id, line.quantity));
    let missing = check_quantities(part, quantities)?;
    part.status = FulfillmentStatus::Incomplete;
    // Waiting keeps the whole together: what could be shipped now waits as well.
    let moved: Vec<ShippedLine> = if policy == OnShort::Wait {
        let rest = part
            .lines
            .iter()
            .filter(|line| line.remaining.is_positive());
        rest.map(|line| ShippedLine {
            line_id: line.line_id,
            quantity: line.remaining,
        })
        .collect()
    } else {
        missing.clone()
    };
    let gone: Vec<FulfillmentLine> = moved
        .iter()
        .filter_map(|taken| take(part, taken, policy != OnShort::CancelRest))
        .collect();
    if policy == OnShort::CancelRest {
        give_up(draft, &missing);
    } else {
        later(draft, gone, policy, note, actor);
    }
    draft.notes.short = Some((id, json!(missing)));
    Ok(CommandAnswer::FulfillmentOrder(id))
}

/// Takes a quantity out of what remains of a line; the line as it goes elsewhere.
fn take(
    part: &mut FulfillmentOrder,
    taken: &ShippedLine,
    elsewhere: bool,
) -> Option<FulfillmentLine> {
    let line = part
        .lines
        .iter_mut()
        .find(|line| line.line_id == taken.line_id)?;
    line.remaining = minus(line.remaining, taken.quantity);
    if elsewhere {
        line.quantity = minus(line.quantity, taken.quantity);
    }
    Some(FulfillmentLine {
        quantity: taken.quantity,
        remaining: taken.quantity,
        ..line.clone()
    })
}

/// What is missing becomes a part of its own, held until goods or a person come.
fn later(
    draft: &mut Draft<'_>,
    lines: Vec<FulfillmentLine>,
    policy: OnShort,
    note: Option<String>,
    actor: &str,
) {
    let mut part = fulfillment::new_part(draft);
    part.lines = lines;
    part.status = FulfillmentStatus::OnHold;
    let detail = match policy {
        OnShort::Ask => note.or_else(|| Some("short: release to ship, or cancel".to_owned())),
        _ => note,
    };
    let reason = HoldReason::InventoryOutOfStock;
    part.holds.push(hold(reason, detail, actor, draft.now()));
    draft.state.fulfillment_orders.push(part);
}

/// What is missing is not shipped at all: the channel is told.
fn give_up(draft: &mut Draft<'_>, missing: &[ShippedLine]) {
    let lines = jobs::lines(&draft.state.order, missing);
    let more = json!({ "reason": "out_of_stock", "partial": true, "lines": lines });
    let mut job = jobs::about_order(&draft.ctx, &draft.state.order, "orders.cancel", more);
    // One job a shortage: a second shortage of the same order is another wish.
    job.key = format!("{}:short:{}", job.key, draft.state.order.meta.version);
    draft.enqueue(job);
}

/// Quantities by line, summed, each above zero and not more than remains.
pub(super) fn check_quantities(
    part: &FulfillmentOrder,
    lines: impl Iterator<Item = (crate::canonical::LineId, Quantity)>,
) -> Result<Vec<ShippedLine>, FlowError> {
    let mut sums: Vec<ShippedLine> = Vec::new();
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    for (place, (line_id, quantity)) in lines.enumerate() {
        let Some(line) = part.lines.iter().find(|line| line.line_id == line_id) else {
            let path = format!("lines.{place}.line_id");
            wrong.insert(path, "no such line in this fulfillment order".to_owned());
            continue;
        };
        let path = format!("lines.{place}.quantity");
        if !quantity.is_positive() {
            wrong.insert(path, "must be above zero".to_owned());
            continue;
        }
        let sum = match sums.iter_mut().find(|sum| sum.line_id == line_id) {
            Some(sum) => {
                sum.quantity = sum.quantity.plus(quantity).unwrap_or(sum.quantity);
                sum.quantity
            }
            None => {
                sums.push(ShippedLine { line_id, quantity });
                quantity
            }
        };
        if sum > line.remaining {
            wrong.insert(path, format!("only {} remain", line.remaining));
        }
    }
    if sums.is_empty() && wrong.is_empty() {
        wrong.insert("lines".to_owned(), "nothing is named".to_owned());
    }
    if wrong.is_empty() {
        Ok(sums)
    } else {
        Err(FlowError::Invalid { fields: wrong })
    }
}
