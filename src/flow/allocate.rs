//! Which part ships how much of which line.
//!
//! What always holds: what parts hold of a line (shipped plus remaining) is what the order wants
//! of it, unless more has left already, or a shortage was given up; parts that the warehouse has
//! not accepted are changed, the others get a target that [`super::handshake`] asks for.

use super::draft::Draft;
use super::fulfillment::{self, Demand};
use super::release::{self, Fate};
use crate::canonical::fulfillment::{FulfillmentLine, FulfillmentOrder, FulfillmentStatus};
use crate::canonical::{FulfillmentOrderId, LineId, Quantity, Timestamp};

/// Allocates every line that concerns a warehouse. Changes nothing when all is in place.
pub(super) fn allocate(draft: &mut Draft<'_>) {
    draft.targets.clear();
    if release::fate(&draft.state) != Fate::Alive {
        return;
    }
    let demands = fulfillment::demands(&draft.settings, &draft.state.order);
    let mut additions = Vec::new();
    for demand in demands {
        let placed = placed(draft, demand.line_id);
        if demand.wanted < placed {
            let excess = minus(placed, demand.wanted);
            reduce(draft, demand.line_id, excess);
        } else {
            let missing = minus(
                minus(demand.wanted, placed),
                given_up(draft, demand.line_id),
            );
            if missing.is_positive() {
                additions.push((demand, missing));
            }
        }
    }
    let strays = strays(draft);
    for (line_id, excess) in strays {
        reduce(draft, line_id, excess);
    }
    for (demand, missing) in additions {
        add(draft, &demand, missing);
    }
}

pub(super) fn minus(a: Quantity, b: Quantity) -> Quantity {
    a.less(b).unwrap_or(Quantity::ZERO)
}
fn plus(a: Quantity, b: Quantity) -> Quantity {
    a.plus(b).unwrap_or(a)
}

/// What a part holds of a line: shipped and remaining.
pub(super) fn held(draft: &Draft<'_>, part: &FulfillmentOrder, line: LineId) -> Quantity {
    let remaining = part
        .lines
        .iter()
        .find(|inside| inside.line_id == line)
        .map_or(Quantity::ZERO, |inside| inside.remaining);
    plus(fulfillment::shipped(&draft.state, part.id, line), remaining)
}

fn placed(draft: &Draft<'_>, line: LineId) -> Quantity {
    draft
        .state
        .fulfillment_orders
        .iter()
        .fold(Quantity::ZERO, |sum, part| {
            plus(sum, held(draft, part, line))
        })
}

/// What was short and is not to be shipped later.
fn given_up(draft: &Draft<'_>, line: LineId) -> Quantity {
    let parts = &draft.state.fulfillment_orders;
    parts
        .iter()
        .filter(|part| part.status == FulfillmentStatus::Incomplete)
        .flat_map(|part| {
            part.lines
                .iter()
                .filter(|inside| inside.line_id == line)
                .map(|inside| minus(inside.quantity, held(draft, part, line)))
        })
        .fold(Quantity::ZERO, plus)
}

/// Lines in parts that concern the warehouse no longer (they became digital, say).
fn strays(draft: &Draft<'_>) -> Vec<(LineId, Quantity)> {
    let demands = fulfillment::demands(&draft.settings, &draft.state.order);
    let mut strays: Vec<(LineId, Quantity)> = Vec::new();
    let lines = draft.state.fulfillment_orders.iter().flat_map(|p| &p.lines);
    for line in lines.filter(|line| line.remaining.is_positive()) {
        let known = demands.iter().any(|demand| demand.line_id == line.line_id);
        if !known && !strays.iter().any(|(id, _)| *id == line.line_id) {
            strays.push((line.line_id, placed(draft, line.line_id)));
        }
    }
    strays
}

/// Takes an excess out of parts: first the newest that the warehouse has not accepted.
fn reduce(draft: &mut Draft<'_>, line: LineId, mut excess: Quantity) {
    let order: Vec<FulfillmentOrderId> = {
        let parts = &draft.state.fulfillment_orders;
        let newest = |wanted: fn(&FulfillmentOrder) -> bool| {
            parts
                .iter()
                .rev()
                .filter(move |part| wanted(part))
                .map(|part| part.id)
        };
        newest(fulfillment::mutable)
            .chain(newest(fulfillment::at_work))
            .collect()
    };
    for id in order {
        if !excess.is_positive() {
            return;
        }
        let shipped = fulfillment::shipped(&draft.state, id, line);
        let parts = &mut draft.state.fulfillment_orders;
        let Some(part) = parts.iter_mut().find(|part| part.id == id) else {
            continue;
        };
        let Some(inside) = part.lines.iter().find(|inside| inside.line_id == line) else {
            continue;
        };
        let taken = inside.remaining.min(excess);
        // What is packed cannot be taken out: asking for it would be asking for nothing.
        if !taken.is_positive() {
            continue;
        }
        let target = plus(shipped, minus(inside.remaining, taken));
        if fulfillment::mutable(part) {
            fulfillment::set_quantity(part, line, target, shipped);
        } else {
            draft.targets.insert((id, line), target);
        }
        excess = minus(excess, taken);
    }
}

/// Puts more of a line into the part that fits: one that the warehouse has not accepted, else one
/// at work (it is asked), else a new one.
fn add(draft: &mut Draft<'_>, demand: &Demand, missing: Quantity) {
    let not_before = demand.expected_at.filter(|at| *at > draft.now());
    let target = mutable_for(draft, not_before).or_else(|| {
        let parts = &draft.state.fulfillment_orders;
        let at_work = |part: &&FulfillmentOrder| part.status == FulfillmentStatus::InProgress;
        let busy = not_before
            .is_none()
            .then(|| parts.iter().rev().find(at_work));
        busy.flatten().map(|part| part.id)
    });
    let id = target.unwrap_or_else(|| {
        let part = fulfillment::new_part(draft);
        let id = part.id;
        draft.state.fulfillment_orders.push(part);
        id
    });
    put(draft, id, demand, missing);
}

fn mutable_for(draft: &Draft<'_>, not_before: Option<Timestamp>) -> Option<FulfillmentOrderId> {
    let order = &draft.state.order;
    draft
        .state
        .fulfillment_orders
        .iter()
        .find(|part| {
            let expected = fulfillment::expected(order, part).filter(|at| *at > draft.now());
            fulfillment::mutable(part) && part.holds.is_empty() && expected == not_before
        })
        .map(|part| part.id)
}

/// Adds to a part, or, where the warehouse is at work on it, to what it is asked for.
pub(super) fn put(draft: &mut Draft<'_>, id: FulfillmentOrderId, demand: &Demand, more: Quantity) {
    let shipped = fulfillment::shipped(&draft.state, id, demand.line_id);
    let parts = &draft.state.fulfillment_orders;
    let Some(part) = parts.iter().find(|part| part.id == id) else {
        return;
    };
    let total = plus(held(draft, part, demand.line_id), more);
    if !fulfillment::mutable(part) {
        draft.targets.insert((id, demand.line_id), total);
        return;
    }
    let parts = &mut draft.state.fulfillment_orders;
    let Some(part) = parts.iter_mut().find(|part| part.id == id) else {
        return;
    };
    if !part.lines.iter().any(|line| line.line_id == demand.line_id) {
        part.lines.push(new_line(demand));
    }
    fulfillment::set_quantity(part, demand.line_id, total, shipped);
}

/// A line to pick, nothing of it yet.
pub(super) fn new_line(demand: &Demand) -> FulfillmentLine {
    FulfillmentLine {
        line_id: demand.line_id,
        sku: demand.sku.clone(),
        channel_sku: demand.sku.clone(),
        name: demand.name.clone(),
        quantity: Quantity::ZERO,
        remaining: Quantity::ZERO,
    }
}
