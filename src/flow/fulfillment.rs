//! Fulfillment orders: what the order asks of the warehouse, and the parts it has not accepted yet.
//!
//! What always holds: a part that the warehouse has not accepted follows the order's facts at
//! once; one that it has accepted is never changed here (see [`super::handshake`]); digital and
//! service lines never get in.

use super::change::OrderState;
use super::draft::{Draft, known};
use super::release::{self, Fate};
use super::rules::{holds, plan};
use super::settings::{Bundles, FlowSettings};
use super::shipping;
use crate::canonical::fulfillment::{FulfillmentLine, FulfillmentOrder, FulfillmentStatus};
use crate::canonical::hold::HoldReason;
use crate::canonical::line::{Line, LineKind};
use crate::canonical::order::PaymentStatus;
use crate::canonical::shipment::{Direction, Shipment};
use crate::canonical::{FulfillmentOrderId, LineId, Money, Order, OrderFacts, Quantity, Timestamp};

/// What the order wants shipped of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Demand {
    /// Its place in the order.
    pub place: usize,
    pub line_id: LineId,
    pub sku: Option<String>,
    pub name: Option<String>,
    pub wanted: Quantity,
    pub expected_at: Option<Timestamp>,
}

/// The lines that concern a warehouse, wholly cancelled ones too.
pub(super) fn demands(settings: &FlowSettings, order: &Order) -> Vec<Demand> {
    let facts = &order.facts;
    facts
        .lines()
        .iter()
        .enumerate()
        .filter(|(_, line)| shippable(settings, facts, line))
        .filter_map(|(place, line)| {
            Some(Demand {
                place,
                line_id: *line.id.value()?,
                sku: known(&line.sku),
                name: known(&line.name),
                wanted: line.wanted(),
                expected_at: known(&line.expected_at),
            })
        })
        .collect()
}

fn shippable(settings: &FlowSettings, facts: &OrderFacts, line: &Line) -> bool {
    let parent = settings.bundles == Bundles::Parent;
    match line.kind() {
        LineKind::Digital | LineKind::Service => false,
        LineKind::Bundle => parent,
        LineKind::Physical if parent => {
            let of = line.parent_external_id.text();
            !facts.lines().iter().any(|other| {
                of.is_some() && other.external_id.text() == of && other.kind() == LineKind::Bundle
            })
        }
        LineKind::Physical => true,
    }
}

/// What is to be collected at the door; nothing when it is paid.
pub(super) fn cod_due(order: &Order) -> Option<Money> {
    let status = order.facts.payment.or_default().status.or_default();
    order
        .facts
        .cod_amount()
        .filter(|due| status != PaymentStatus::Paid && !due.amount.is_zero())
}

/// True for shipments whose goods left or are to leave: packed, and by a label that may still be
/// good. Of a label and the one in its place the newer counts.
pub(super) fn counts(shipment: &Shipment) -> bool {
    shipment.direction == Direction::Outbound
        && shipment.packed
        && shipment.replaced_by.is_none()
        && !shipment.status.ended()
}

/// True for a label, packed or ahead of packing, that the order's own channel issues or issued: some
/// then call the order fulfilled though nothing has left, also when the label is void since.
pub(super) fn issued(order: &Order, shipment: &Shipment) -> bool {
    shipment.connection_id == Some(order.meta.connection_id)
        && (!shipment.status.ended() || shipment.purchased_at.is_some())
}

/// True for those of them that have a label, or need none.
pub(super) fn has_label(shipment: &Shipment) -> bool {
    counts(shipment) && (shipment.status.bought() || shipment.replaces.is_some())
}

/// True while a label of what is packed is being bought: it may fail, and the goods come back.
pub(super) fn awaits_label(state: &OrderState, part: &FulfillmentOrder) -> bool {
    use FulfillmentStatus as S;
    !matches!(part.status, S::Closed | S::Cancelled)
        && state.shipments.iter().any(|shipment| {
            shipment.fulfillment_order_id == part.id
                && counts(shipment)
                && shipping::awaited(shipment)
        })
}

/// Ends the parts of which everything has left, or has its label.
pub(super) fn close_done(draft: &mut Draft<'_>) {
    let state = &draft.state;
    let done = |part: &&FulfillmentOrder| {
        part.status == FulfillmentStatus::InProgress && !remains(part) && !awaits_label(state, part)
    };
    let done: Vec<FulfillmentOrderId> = state
        .fulfillment_orders
        .iter()
        .filter(done)
        .map(|part| part.id)
        .collect();
    for id in done {
        let shipped = any_shipped(&draft.state, id);
        if let Ok(part) = draft.fulfillment(id) {
            end(part, shipped);
        }
    }
}

/// What of a line this part has shipped.
pub(super) fn shipped(state: &OrderState, part: FulfillmentOrderId, line: LineId) -> Quantity {
    state
        .shipments
        .iter()
        .filter(|shipment| shipment.fulfillment_order_id == part && counts(shipment))
        .flat_map(|shipment| &shipment.lines)
        .filter(|inside| inside.line_id == line)
        .fold(Quantity::ZERO, |sum, inside| {
            sum.plus(inside.quantity).unwrap_or(sum)
        })
}

/// True when this part has shipped anything.
pub(super) fn any_shipped(state: &OrderState, part: FulfillmentOrderId) -> bool {
    state
        .shipments
        .iter()
        .any(|shipment| shipment.fulfillment_order_id == part && counts(shipment))
}

/// True when the warehouse has something left to do with it.
pub(super) fn remains(part: &FulfillmentOrder) -> bool {
    part.lines.iter().any(|line| line.remaining.is_positive())
}

/// True when something remains, or may come back.
fn busy(state: &OrderState, part: &FulfillmentOrder) -> bool {
    remains(part) || awaits_label(state, part)
}

/// True while something can still be shipped from it.
pub(super) fn live(part: &FulfillmentOrder) -> bool {
    mutable(part) || at_work(part)
}

/// Not accepted by the warehouse: changes are simply applied.
pub(super) fn mutable(part: &FulfillmentOrder) -> bool {
    use FulfillmentStatus as S;
    matches!(
        part.status,
        S::Scheduled | S::Open | S::OnHold | S::Submitted
    )
}

/// Accepted by the warehouse: changes are asked for.
pub(super) fn at_work(part: &FulfillmentOrder) -> bool {
    match part.status {
        FulfillmentStatus::InProgress => true,
        FulfillmentStatus::Incomplete => remains(part),
        _ => false,
    }
}

/// A new part, open, without lines.
pub(super) fn new_part(draft: &Draft<'_>) -> FulfillmentOrder {
    let order = &draft.state.order;
    FulfillmentOrder {
        id: FulfillmentOrderId::new(),
        order_id: order.meta.id,
        merchant_id: order.meta.merchant_id,
        location: draft.settings.location.clone(),
        status: FulfillmentStatus::Open,
        revision: 1,
        version: 1,
        holds: Vec::new(),
        request: None,
        fulfill_at: None,
        ship_by: None,
        cut_off_at: None,
        priority: draft.settings.priority,
        lines: Vec::new(),
        ship_to: None,
        delivery: order.facts.delivery.or_default(),
        cod: None,
        carrier_plan: None,
        wms_ref: None,
        supported_actions: Vec::new(),
        created_at: draft.now(),
        updated_at: draft.now(),
        submitted_at: None,
    }
}

/// Sets what a part holds of a line, its shipped part included.
pub(super) fn set_quantity(
    part: &mut FulfillmentOrder,
    line_id: LineId,
    total: Quantity,
    shipped: Quantity,
) {
    if let Some(line) = part.lines.iter_mut().find(|line| line.line_id == line_id) {
        line.remaining = total.less(shipped).unwrap_or(Quantity::ZERO);
        line.quantity = total.max(shipped);
    }
}

/// Ends a part: closed when it shipped anything, else cancelled. Nothing remains of it.
pub(super) fn end(part: &mut FulfillmentOrder, shipped: bool) {
    for line in &mut part.lines {
        line.remaining = Quantity::ZERO;
    }
    part.status = if shipped {
        FulfillmentStatus::Closed
    } else {
        FulfillmentStatus::Cancelled
    };
}

/// The part that carries the cash on delivery: the first that can still ship. (One that ended
/// without it, its label void or everything short, leaves it to the next.)
fn carries_cod(state: &OrderState, part: FulfillmentOrderId) -> bool {
    state
        .fulfillment_orders
        .iter()
        .find(|other| live(other) || awaits_label(state, other))
        .is_some_and(|first| first.id == part)
}

/// What is to be collected with this part.
pub(super) fn cod_of(state: &OrderState, part: &FulfillmentOrder) -> Option<Money> {
    if any_shipped(state, part.id) {
        return part.cod;
    }
    let collected = state
        .shipments
        .iter()
        .any(|shipment| counts(shipment) && shipment.cod.is_some());
    if collected || !carries_cod(state, part.id) {
        return None;
    }
    cod_due(&state.order)
}

/// When the newest of its lines is expected, if that is still to come when the part is made.
pub(super) fn expected(order: &Order, part: &FulfillmentOrder) -> Option<Timestamp> {
    order
        .facts
        .lines()
        .iter()
        .filter(|line| {
            let id = line.id.value();
            part.lines.iter().any(|inside| Some(&inside.line_id) == id)
        })
        .filter_map(|line| line.expected_at.value().copied())
        .filter(|at| *at > part.created_at)
        .max()
}

/// Ends the parts that the warehouse has not accepted and of which nothing is wanted any more.
pub(super) fn end_idle(draft: &mut Draft<'_>) {
    let alive = release::fate(&draft.state) == Fate::Alive;
    let idle: Vec<FulfillmentOrderId> = {
        let parts = draft.state.fulfillment_orders.iter();
        parts
            .filter(|part| mutable(part) && !(alive && busy(&draft.state, part)))
            .map(|part| part.id)
            .collect()
    };
    for id in idle {
        let shipped = any_shipped(&draft.state, id);
        let parts = &mut draft.state.fulfillment_orders;
        if let Some(part) = parts.iter_mut().find(|part| part.id == id) {
            end(part, shipped);
        }
    }
}

/// Brings every part that the warehouse has not accepted in line with the order.
pub(super) fn align(draft: &mut Draft<'_>) {
    let mut parts = std::mem::take(&mut draft.state.fulfillment_orders);
    // Whom the cash belongs to is asked of the parts as they are, one after the other.
    for place in 0..parts.len() {
        draft.state.fulfillment_orders.clone_from(&parts);
        if let Some(part) = parts.get_mut(place).filter(|part| mutable(part)) {
            align_one(draft, part);
        }
    }
    draft.state.fulfillment_orders = parts;
}

fn align_one(draft: &Draft<'_>, part: &mut FulfillmentOrder) {
    part.lines.retain(|line| line.quantity.is_positive());
    let order = &draft.state.order;
    for line in &mut part.lines {
        refresh_line(order, line);
    }
    part.ship_to = known(&order.facts.ship_to);
    part.delivery = order.facts.delivery.or_default();
    part.cod = cod_of(&draft.state, part);
    part.carrier_plan = match plan::decide(draft, part) {
        plan::Verdict::Planned(plan) => Some(plan),
        plan::Verdict::Unplanned | plan::Verdict::Unmapped(_) => None,
    };
    part.ship_by = known(&order.facts.deadlines.or_default().ship_by);
    part.fulfill_at = fulfill_at(draft, part);
    let status = next_status(draft, part);
    if status == FulfillmentStatus::Submitted && part.status != FulfillmentStatus::Submitted {
        part.submitted_at = Some(draft.now());
        part.cut_off_at = draft.settings.next_cut_off(draft.now());
    }
    if part.ship_by.is_some() {
        part.cut_off_at = part.ship_by;
    }
    part.status = status;
}

/// Takes over name and SKU. A SKU that was resolved stays until the order itself names another.
fn refresh_line(order: &Order, line: &mut FulfillmentLine) {
    let facts = order.facts.lines();
    let Some(fact) = facts.iter().find(|l| l.id.value() == Some(&line.line_id)) else {
        return;
    };
    let sku = known(&fact.sku);
    if line.channel_sku != sku {
        line.sku.clone_from(&sku);
        line.channel_sku = sku;
    }
    line.name = known(&fact.name);
}

/// Not before: the newest expected line, the end of the edit window.
fn fulfill_at(draft: &Draft<'_>, part: &FulfillmentOrder) -> Option<Timestamp> {
    let order = &draft.state.order;
    let window = order
        .meta
        .holds
        .iter()
        .any(|hold| hold.reason == HoldReason::EditWindow && holds::derived(hold))
        .then(|| holds::edit_until(&draft.settings, order))
        .flatten();
    let next = expected(order, part).max(window);
    // A moment that has come stays on record.
    next.or(part.fulfill_at.filter(|at| *at <= draft.now()))
}

fn next_status(draft: &Draft<'_>, part: &FulfillmentOrder) -> FulfillmentStatus {
    let waits_only_for_time = |reason| reason == HoldReason::EditWindow;
    let held = draft
        .state
        .order
        .meta
        .holds
        .iter()
        .any(|hold| !waits_only_for_time(hold.reason))
        || !part.holds.is_empty();
    if held {
        FulfillmentStatus::OnHold
    } else if part.fulfill_at.is_some_and(|at| at > draft.now()) {
        FulfillmentStatus::Scheduled
    } else if draft.state.order.meta.released && release::may_submit(draft) {
        FulfillmentStatus::Submitted
    } else {
        FulfillmentStatus::Open
    }
}
