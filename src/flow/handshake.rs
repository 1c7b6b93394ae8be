//! The race with packing: what a warehouse at work is asked for, never told.
//!
//! What always holds: at most one request per part, and one id as long as it waits; what is asked
//! is computed anew from the facts at every decision, so that a wish that is withdrawn expires and
//! one that was refused is not asked again until something else is wanted.

use super::allocate::held;
use super::draft::Draft;
use super::fulfillment;
use super::release::{self, Fate};
use super::{shipping, wire};
use crate::canonical::fulfillment::{
    ChangeRequest, FulfillmentLine, FulfillmentOrder, FulfillmentStatus, RequestKind, RequestState,
};
use crate::canonical::hold::HoldReason;
use crate::canonical::order::Delivery;
use crate::canonical::{Address, LineId, Money, OrderFacts, Quantity, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The answer that a request gets when the goods left before it.
pub(super) const ALREADY_SHIPPED: &str = "already_shipped";

/// One line of what is wanted: how much of it the part should hold, shipped units included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WantedLine {
    pub line_id: LineId,
    pub sku: Option<String>,
    pub name: Option<String>,
    pub quantity: Quantity,
}

/// What is wanted of a part, by parts of `wanted`: `lines`, `ship_to`, `delivery`, `cod`, `hold`.
type Wanted = Map<String, Value>;

/// Asks, asks anew, withdraws or closes requests, for every part.
pub(super) fn reconcile(draft: &mut Draft<'_>) {
    let mut parts = draft.state.fulfillment_orders.clone();
    for part in &mut parts {
        if fulfillment::at_work(part) {
            let wish = wish(draft, part);
            ask(draft, part, wish);
        } else if !fulfillment::mutable(part) {
            close(draft, part);
        }
    }
    draft.state.fulfillment_orders = parts;
}

/// What is wanted now, if anything.
enum Wish {
    Nothing,
    Cancel,
    Change(Wanted),
}

fn wish(draft: &Draft<'_>, part: &FulfillmentOrder) -> Wish {
    if release::fate(&draft.state) != Fate::Alive {
        return Wish::Cancel;
    }
    let facts = &draft.state.order.facts;
    let mut wanted = Wanted::new();
    wanted.extend(wanted_lines(draft, part).map(|lines| ("lines".to_owned(), lines)));
    let ship_to = facts.ship_to.value();
    if ship_to != part.ship_to.as_ref() {
        wanted.insert("ship_to".to_owned(), json!(ship_to));
    }
    let delivery = facts.delivery.or_default();
    if delivery != part.delivery {
        wanted.insert("delivery".to_owned(), json!(delivery));
    }
    let cod = fulfillment::cod_of(&draft.state, part);
    if cod != part.cod {
        wanted.insert("cod".to_owned(), json!(cod));
    }
    let reasons = asking_reasons(draft);
    if !reasons.is_empty() {
        wanted.insert("hold".to_owned(), json!({ "reasons": reasons }));
    }
    if wanted.is_empty() {
        Wish::Nothing
    } else {
        Wish::Change(wanted)
    }
}

/// Holds for which a warehouse at work is asked to stop. Those that the gateway itself clears
/// within moments, and those about the entry of an order, are not worth a walk to the shelf.
fn asking_reasons(draft: &Draft<'_>) -> Vec<String> {
    use HoldReason as R;
    let mut reasons: Vec<String> = draft
        .state
        .order
        .meta
        .holds
        .iter()
        .filter(|hold| {
            !matches!(
                hold.reason,
                R::AwaitingDetails | R::EditWindow | R::TotalsMismatch | R::SkuUnmapped
            )
        })
        .map(|hold| wire(&hold.reason))
        .collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// The lines that the part should hold, all of them, when any differs.
fn wanted_lines(draft: &Draft<'_>, part: &FulfillmentOrder) -> Option<Value> {
    let facts = &draft.state.order.facts;
    let mut differs = false;
    let mut lines: Vec<WantedLine> = part
        .lines
        .iter()
        .map(|line| {
            let fact = fact(facts, line.line_id);
            let sku = fact.map_or_else(|| line.channel_sku.clone(), |(sku, _)| sku);
            let same_sku = sku == line.channel_sku;
            let quantity = draft.targets.get(&(part.id, line.line_id)).copied();
            differs |= quantity.is_some() || !same_sku;
            WantedLine {
                line_id: line.line_id,
                sku: if same_sku { line.sku.clone() } else { sku },
                name: line.name.clone(),
                quantity: quantity.unwrap_or_else(|| held(draft, part, line.line_id)),
            }
        })
        .collect();
    for demand in fulfillment::demands(&draft.settings, &draft.state.order) {
        let target = draft.targets.get(&(part.id, demand.line_id)).copied();
        let known = part.lines.iter().any(|line| line.line_id == demand.line_id);
        if let (Some(quantity), false) = (target, known) {
            differs = true;
            lines.push(WantedLine {
                line_id: demand.line_id,
                sku: demand.sku,
                name: demand.name,
                quantity,
            });
        }
    }
    differs.then(|| json!(lines))
}

fn fact(facts: &OrderFacts, id: LineId) -> Option<(Option<String>, Option<String>)> {
    facts
        .lines()
        .iter()
        .find(|line| line.id.value() == Some(&id))
        .map(|line| {
            let text = |field: &crate::canonical::Field<String>| field.text().map(str::to_owned);
            (text(&line.sku), text(&line.name))
        })
}

fn ask(draft: &Draft<'_>, part: &mut FulfillmentOrder, wish: Wish) {
    let (kind, wanted) = match wish {
        Wish::Nothing => return withdraw(draft, part),
        Wish::Cancel => (RequestKind::Cancel, Value::Null),
        Wish::Change(wanted) => {
            let only_hold = wanted.len() == 1 && wanted.contains_key("hold");
            let kind = if only_hold {
                RequestKind::Hold
            } else {
                RequestKind::Change
            };
            (kind, Value::Object(wanted))
        }
    };
    let refused = part
        .request
        .as_ref()
        .is_some_and(|last| refused_before(draft, part, last, kind, &wanted));
    if let Some(request) = &mut part.request {
        match request.state {
            RequestState::Pending => {
                // A newer wish takes the place of the one that waits: the warehouse answers once.
                request.kind = kind;
                request.wanted = wanted;
                return;
            }
            RequestState::Refused if refused => return,
            _ => {}
        }
    }
    part.request = Some(ChangeRequest {
        id: RequestId::new(),
        kind,
        wanted,
        state: RequestState::Pending,
        answer_by: part.cut_off_at.or(part.ship_by),
        asked_at: draft.now(),
        answer: None,
    });
}

fn withdraw(draft: &Draft<'_>, part: &mut FulfillmentOrder) {
    let Some(request) = &mut part.request else {
        return;
    };
    let reopened = draft.notes.reconsider && draft.notes.answered != Some(part.id);
    match request.state {
        RequestState::Pending => request.state = RequestState::Expired,
        // The refused wish is gone: should it come again, it is a new one.
        RequestState::Refused if reopened => part.request = None,
        _ => {}
    }
}

/// True when everything that is wanted was refused before.
fn refused_before(
    draft: &Draft<'_>,
    part: &FulfillmentOrder,
    refused: &ChangeRequest,
    kind: RequestKind,
    wanted: &Value,
) -> bool {
    if kind == RequestKind::Cancel || refused.kind == RequestKind::Cancel {
        return kind == refused.kind;
    }
    let Some(wanted) = wanted.as_object() else {
        return false;
    };
    wanted.iter().all(|(name, value)| {
        let before = refused.wanted.get(name);
        if name == "lines" {
            lines_refused(draft, part, before, value)
        } else {
            before == Some(value)
        }
    })
}

/// Lines are compared one by one: a part of a refused change may have found another way, and
/// shipping goes on meanwhile.
fn lines_refused(
    draft: &Draft<'_>,
    part: &FulfillmentOrder,
    before: Option<&Value>,
    wanted: &Value,
) -> bool {
    let read = |value: &Value| Vec::<WantedLine>::deserialize(value).unwrap_or_default();
    let before = before.map(read).unwrap_or_default();
    read(wanted).iter().all(|line| {
        let has = held(draft, part, line.line_id);
        let now = part
            .lines
            .iter()
            .find(|inside| inside.line_id == line.line_id);
        if line.quantity == has && now.is_some_and(|inside| inside.sku == line.sku) {
            return true;
        }
        before
            .iter()
            .filter(|old| old.line_id == line.line_id && old.sku == line.sku)
            .any(|old| {
                if line.quantity < has {
                    old.quantity <= line.quantity
                } else {
                    old.quantity >= line.quantity
                }
            })
    })
}

/// A part that is finished: what still waits has its answer, and a cancellation that comes too
/// late gets one.
fn close(draft: &Draft<'_>, part: &mut FulfillmentOrder) {
    let shipped = fulfillment::any_shipped(&draft.state, part.id);
    if let Some(request) = &mut part.request
        && request.state == RequestState::Pending
    {
        if shipped {
            request.state = RequestState::Refused;
            request.answer = Some(ALREADY_SHIPPED.to_owned());
        } else {
            request.state = RequestState::Expired;
        }
    }
    let cancelled = release::fate(&draft.state) == Fate::Cancelled;
    let asked = part
        .request
        .as_ref()
        .is_some_and(|request| request.kind == RequestKind::Cancel);
    let late = cancelled && shipped && !asked;
    if late && part.status != FulfillmentStatus::Cancelled && draft.notes.reconsider {
        part.request = Some(ChangeRequest {
            id: RequestId::new(),
            kind: RequestKind::Cancel,
            wanted: Value::Null,
            state: RequestState::Refused,
            answer_by: None,
            asked_at: draft.now(),
            answer: Some(ALREADY_SHIPPED.to_owned()),
        });
    }
}

/// The warehouse agreed: the part becomes what was wanted.
pub(super) fn apply(draft: &mut Draft<'_>, place: usize, request: &ChangeRequest) {
    let id = draft
        .state
        .fulfillment_orders
        .get(place)
        .map(|part| part.id);
    if let (Some(id), RequestKind::Cancel) = (id, request.kind) {
        shipping::withdraw(draft, id);
    }
    let state = draft.state.clone();
    let Some(part) = draft.state.fulfillment_orders.get_mut(place) else {
        return;
    };
    let shipped = fulfillment::any_shipped(&state, part.id);
    if request.kind == RequestKind::Cancel {
        fulfillment::end(part, shipped);
        return;
    }
    let wanted = |name: &str| request.wanted.get(name);
    if let Some(Ok(lines)) = wanted("lines").map(Vec::<WantedLine>::deserialize) {
        for line in lines {
            let shipped = fulfillment::shipped(&state, part.id, line.line_id);
            take_line(part, &line);
            fulfillment::set_quantity(part, line.line_id, line.quantity, shipped);
        }
        part.lines.retain(|line| line.quantity.is_positive());
    }
    if let Some(Ok(ship_to)) = wanted("ship_to").map(Option::<Address>::deserialize) {
        part.ship_to = ship_to;
    }
    if let Some(Ok(delivery)) = wanted("delivery").map(Delivery::deserialize) {
        part.delivery = delivery;
    }
    if let Some(Ok(cod)) = wanted("cod").map(Option::<Money>::deserialize) {
        part.cod = cod;
    }
    if !fulfillment::remains(part) && !fulfillment::awaits_label(&state, part) {
        fulfillment::end(part, shipped);
    } else if wanted("hold").is_some() {
        part.status = FulfillmentStatus::OnHold;
    }
}

fn take_line(part: &mut FulfillmentOrder, wanted: &WantedLine) {
    match part
        .lines
        .iter_mut()
        .find(|line| line.line_id == wanted.line_id)
    {
        Some(line) if line.sku == wanted.sku => {}
        Some(line) => {
            line.sku.clone_from(&wanted.sku);
            line.channel_sku.clone_from(&wanted.sku);
        }
        None => part.lines.push(FulfillmentLine {
            line_id: wanted.line_id,
            sku: wanted.sku.clone(),
            channel_sku: wanted.sku.clone(),
            name: wanted.name.clone(),
            quantity: Quantity::ZERO,
            remaining: Quantity::ZERO,
        }),
    }
}

/// The warehouse refused. What was to be added goes into a part of its own; a cancellation by an
/// operator is off.
pub(super) fn refuse(draft: &mut Draft<'_>, place: usize, request: &ChangeRequest) {
    if request.kind == RequestKind::Cancel {
        super::overrides::forget_cancellation(&mut draft.state.order.meta.overrides);
        return;
    }
    let Some(part) = draft.state.fulfillment_orders.get(place).cloned() else {
        return;
    };
    let lines = request
        .wanted
        .get("lines")
        .map(Vec::<WantedLine>::deserialize);
    let Some(Ok(lines)) = lines else { return };
    let demands = fulfillment::demands(&draft.settings, &draft.state.order);
    let mut extra = fulfillment::new_part(draft);
    for line in lines {
        let more = super::allocate::minus(line.quantity, held(draft, &part, line.line_id));
        let demand = demands.iter().find(|demand| demand.line_id == line.line_id);
        if let (Some(demand), true) = (demand, more.is_positive()) {
            extra.lines.push(super::allocate::new_line(demand));
            fulfillment::set_quantity(&mut extra, demand.line_id, more, Quantity::ZERO);
        }
    }
    if !extra.lines.is_empty() {
        draft.state.fulfillment_orders.push(extra);
    }
}
