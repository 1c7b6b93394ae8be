//! The events of a decision, read off what changed between the state before and after.
//!
//! What always holds: an event's snapshots name versions of the resulting state; no change, no
//! event; `extra` names paths, reasons and ids, no personal data.

mod carried;

use super::draft::Draft;
use super::release;
use super::wire;
use crate::canonical::event::{EventType, NewEvent, SnapshotKind, SnapshotRef};
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus, RequestState};
use crate::canonical::hold::Hold;
use crate::canonical::order::OrderStatus;
use crate::canonical::shipment::{Shipment, ShipmentStatus};
use crate::canonical::{EventId, HoldId};
use crate::flow::change::OrderState;
use serde_json::{Map, Value, json};

/// Every event of the decision, in the order in which things happened.
pub(super) fn derive(draft: &Draft<'_>) -> Vec<NewEvent> {
    let mut events = Vec::new();
    let status = draft.state.order.meta.status;
    let former = draft.before.as_ref().map(|state| state.order.meta.status);
    let ended = |wanted| status == wanted && former != Some(wanted);
    let cancelled = ended(OrderStatus::Cancelled);
    received(draft, &mut events);
    updated(draft, cancelled, &mut events);
    holds(draft, &mut events);
    for part in &draft.state.fulfillment_orders {
        part_started(draft, part, &mut events);
    }
    for shipment in &draft.state.shipments {
        shipped(draft, shipment, &mut events);
    }
    carried::tracked(draft, &mut events);
    carried::cash(draft, &mut events);
    for part in &draft.state.fulfillment_orders {
        part_ended(draft, part, &mut events);
    }
    let reason = json!({ "reason": draft.state.order.meta.closed_reason });
    if cancelled {
        events.push(order_event(draft, EventType::OrderCancelled, reason));
    } else if ended(OrderStatus::Closed) {
        events.push(order_event(draft, EventType::OrderClosed, reason));
    }
    events
}

fn event(
    draft: &Draft<'_>,
    kind: EventType,
    snapshots: Vec<SnapshotRef>,
    extra: Value,
) -> NewEvent {
    let meta = &draft.state.order.meta;
    NewEvent {
        id: EventId::new(),
        kind,
        at: draft.now(),
        merchant_id: meta.merchant_id,
        order_id: Some(meta.id),
        subject: meta.id.to_string(),
        snapshots,
        extra,
    }
}

fn order_ref(draft: &Draft<'_>) -> SnapshotRef {
    let meta = &draft.state.order.meta;
    SnapshotRef {
        kind: SnapshotKind::Order,
        id: meta.id.uuid(),
        version: meta.version,
    }
}

fn order_event(draft: &Draft<'_>, kind: EventType, extra: Value) -> NewEvent {
    event(draft, kind, vec![order_ref(draft)], extra)
}

fn part_event(
    draft: &Draft<'_>,
    kind: EventType,
    part: &FulfillmentOrder,
    extra: Value,
) -> NewEvent {
    let part = SnapshotRef {
        kind: SnapshotKind::FulfillmentOrder,
        id: part.id.uuid(),
        version: part.version,
    };
    event(draft, kind, vec![part, order_ref(draft)], extra)
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

fn received(draft: &Draft<'_>, events: &mut Vec<NewEvent>) {
    if draft.before.is_some() {
        return;
    }
    let mut extra = json!({ "released": draft.state.order.meta.released });
    if let (Some(why), Value::Object(extra)) = (release::barred(draft), &mut extra) {
        extra.insert("not_released".to_owned(), json!(why));
    }
    if let Value::Object(extra) = &mut extra {
        extra.extend(draft.notes.updated.clone());
    }
    events.push(order_event(draft, EventType::OrderReceived, extra));
}

/// What changed of the order, and what came of requests.
fn updated(draft: &Draft<'_>, cancelled: bool, events: &mut Vec<NewEvent>) {
    if draft.before.is_none() {
        return;
    }
    let mut changed = draft.notes.changed.clone();
    let mut extra = draft.notes.updated.clone();
    let answered: Vec<Value> = draft
        .state
        .fulfillment_orders
        .iter()
        .filter_map(|part| request_answer(draft, part))
        .collect();
    if !answered.is_empty() {
        changed.push("fulfillment_orders.request".to_owned());
        extra.insert("requests".to_owned(), Value::Array(answered));
    }
    if changed.is_empty() || draft.notes.quiet || cancelled {
        return;
    }
    extra.insert("changed".to_owned(), json!(changed));
    events.push(order_event(
        draft,
        EventType::OrderUpdated,
        Value::Object(extra),
    ));
}

/// A request that has its answer with this decision.
fn request_answer(draft: &Draft<'_>, part: &FulfillmentOrder) -> Option<Value> {
    let request = part.request.as_ref()?;
    let former = draft.former(part.id).and_then(|old| old.request.as_ref());
    let answered = matches!(
        request.state,
        RequestState::Accepted | RequestState::Refused
    );
    (answered && former != Some(request)).then(|| {
        json!({
            "fulfillment_order_id": part.id,
            "id": request.id,
            "kind": request.kind,
            "state": request.state,
            "answer": request.answer,
        })
    })
}

fn all_holds(state: &OrderState) -> impl Iterator<Item = &Hold> {
    let parts = state.fulfillment_orders.iter().flat_map(|part| &part.holds);
    state.order.meta.holds.iter().chain(parts)
}

/// True when nothing but time keeps some part of the order from the warehouse.
fn clear(state: &OrderState) -> bool {
    state.order.meta.released
        && state.order.meta.holds.is_empty()
        && state.fulfillment_orders.iter().any(|part| {
            part.holds.is_empty()
                && !matches!(
                    part.status,
                    FulfillmentStatus::Cancelled | FulfillmentStatus::OnHold
                )
        })
}

fn holds(draft: &Draft<'_>, events: &mut Vec<NewEvent>) {
    let before: Vec<HoldId> = draft
        .before
        .as_ref()
        .map(|state| all_holds(state).map(|hold| hold.id).collect())
        .unwrap_or_default();
    let mut reasons: Vec<String> = all_holds(&draft.state)
        .filter(|hold| !before.contains(&hold.id))
        .map(|hold| wire(&hold.reason))
        .collect();
    reasons.dedup();
    if !reasons.is_empty() {
        let withdrawn: Vec<String> = draft
            .state
            .fulfillment_orders
            .iter()
            .filter(|part| part.status == FulfillmentStatus::OnHold && part.submitted_at.is_some())
            .map(|part| part.id.to_string())
            .collect();
        let extra = json!({ "reasons": reasons, "fulfillment_order_ids": withdrawn });
        events.push(order_event(draft, EventType::OrderHeld, extra));
    }
    let was_clear = draft.before.as_ref().is_some_and(clear);
    if clear(&draft.state) && !was_clear {
        events.push(order_event(draft, EventType::OrderReleased, nothing()));
    }
}

fn part_started(draft: &Draft<'_>, part: &FulfillmentOrder, events: &mut Vec<NewEvent>) {
    use FulfillmentStatus as S;
    let former = draft.former(part.id);
    let was = former.map(|old| old.status);
    let revised = former.is_none_or(|old| old.revision != part.revision);
    if part.status == S::Submitted && (was != Some(S::Submitted) || revised) {
        let kind = EventType::FulfillmentSubmitted;
        let plan = part.carrier_plan.as_ref();
        let extra = plan.map_or_else(nothing, |plan| json!({ "carrier_plan": plan }));
        events.push(part_event(draft, kind, part, extra));
    }
    if was == Some(S::Submitted) && matches!(part.status, S::InProgress | S::Incomplete | S::Closed)
    {
        let kind = EventType::FulfillmentAccepted;
        events.push(part_event(draft, kind, part, nothing()));
    }
    let asked = part.request.as_ref().filter(|request| {
        let old = former.and_then(|old| old.request.as_ref());
        old != Some(*request)
            && matches!(request.state, RequestState::Pending | RequestState::Expired)
    });
    if let Some(request) = asked {
        let kind = EventType::FulfillmentChangeRequested;
        let withdrawn = request.state == RequestState::Expired;
        events.push(part_event(
            draft,
            kind,
            part,
            json!({ "withdrawn": withdrawn }),
        ));
    }
}

fn part_ended(draft: &Draft<'_>, part: &FulfillmentOrder, events: &mut Vec<NewEvent>) {
    if let Some((id, lines)) = &draft.notes.short
        && *id == part.id
    {
        let extra = json!({ "short": lines });
        events.push(part_event(
            draft,
            EventType::FulfillmentIncomplete,
            part,
            extra,
        ));
    }
    let was = draft.former(part.id).map(|old| old.status);
    if was == Some(part.status) {
        return;
    }
    let kind = match part.status {
        FulfillmentStatus::Closed => EventType::FulfillmentClosed,
        FulfillmentStatus::Cancelled => EventType::FulfillmentCancelled,
        _ => return,
    };
    // A part that came and went within one decision was never anyone's business.
    if was.is_some() {
        events.push(part_event(draft, kind, part, nothing()));
    }
}

fn shipment_event(draft: &Draft<'_>, kind: EventType, shipment: &Shipment) -> NewEvent {
    let snapshot = SnapshotRef {
        kind: SnapshotKind::Shipment,
        id: shipment.id.uuid(),
        version: shipment.version,
    };
    let scanned = draft.notes.first_scan.contains(&shipment.id);
    let extra = if kind == EventType::ShipmentHandedOver && scanned {
        json!({ "order_id": shipment.order_id, "reason": "first_scan" })
    } else {
        json!({ "order_id": shipment.order_id })
    };
    event(draft, kind, vec![snapshot], extra)
}

fn shipped(draft: &Draft<'_>, shipment: &Shipment, events: &mut Vec<NewEvent>) {
    use ShipmentStatus as S;
    let was = draft
        .before
        .as_ref()
        .and_then(|state| state.shipments.iter().find(|old| old.id == shipment.id))
        .map(|old| (old.status, old.label_ready_at.is_some()));
    let ready = shipment.label_ready_at.is_some() && !shipment.voiding;
    let labelled = ready && shipment.status.bought() && was.is_none_or(|(_, ready)| !ready);
    if labelled {
        events.push(shipment_event(
            draft,
            EventType::ShipmentLabelCreated,
            shipment,
        ));
    }
    let kind = match shipment.status {
        S::Manifested => EventType::ShipmentManifested,
        S::HandedOver => EventType::ShipmentHandedOver,
        S::Voided => EventType::ShipmentVoided,
        _ => return,
    };
    if was.is_none_or(|(status, _)| status != shipment.status) {
        events.push(shipment_event(draft, kind, shipment));
    }
}
