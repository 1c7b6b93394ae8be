//! Labels that say something else than the order says now.
//!
//! What always holds: a reading of the state, compared before and after each decision: the problem
//! is opened when a label becomes outdated and resolved when it is replaced, void, on its way, or
//! right again. While the warehouse is asked, what it agreed to last counts; what it has refused is
//! not outdated.

use super::{asked, failure, mended, part_of, problem, request};
use crate::canonical::fulfillment::{FulfillmentOrder, RequestState};
use crate::canonical::order::PickupPointRef;
use crate::canonical::problem::Class;
use crate::canonical::shipment::{Shipment, ShipmentStatus};
use crate::canonical::{Address, ShipmentId};
use crate::flow::change::OrderState;
use crate::flow::draft::{Draft, known};
use crate::flow::fulfillment;
use crate::flow::release::{self, Fate};
use serde_json::{Value, json};

const CODE: &str = "label_outdated";

/// Opens and resolves the problems.
pub(super) fn reconcile(draft: &mut Draft<'_>) {
    let Some(before) = &draft.before else { return };
    let mut open: Vec<(ShipmentId, Vec<&str>)> = Vec::new();
    let mut over = Vec::new();
    for shipment in &draft.state.shipments {
        let now = differs(&draft.state, shipment);
        let former = before.shipments.iter().find(|old| old.id == shipment.id);
        let former = former.is_some_and(|old| !differs(before, old).is_empty());
        if !now.is_empty() && !former {
            open.push((shipment.id, now));
        } else if now.is_empty() && former {
            over.push(shipment.id);
        }
    }
    for (id, what) in open {
        let message = "the order has changed since its label was asked for";
        let mut failure = failure(Class::Conflict, CODE, message);
        failure.fields = what.into_iter().map(str::to_owned).collect();
        let hint = format!("POST /v1/shipments/{id}/replace, or ship it as it is");
        problem(draft, id, CODE, &failure, &hint);
    }
    for id in over {
        mended(draft, id, &[CODE]);
    }
}

/// What of a label is not what the order says: `ship_to`, `pickup_point`, `cod`.
fn differs(state: &OrderState, shipment: &Shipment) -> Vec<&'static str> {
    use ShipmentStatus as S;
    let valid = matches!(
        shipment.status,
        S::Requested | S::OutcomeUnknown | S::Purchased | S::Printed
    );
    let ours = shipment.connection_id.is_some() && shipment.replaced_by.is_none();
    if !valid || !ours || shipment.voiding || release::fate(state) != Fate::Alive {
        return Vec::new();
    }
    let Some(part) = part_of(state, shipment) else {
        return Vec::new();
    };
    if asked(part) {
        return from_agreed(part, shipment);
    }
    let facts = &state.order.facts;
    let mut differs = Vec::new();
    let ship_to = known(&facts.ship_to);
    let refused = |name: &str, value: Value| refused(part, name, &value);
    if place(ship_to.as_ref()) != place(shipment.ship_to.as_ref())
        && !refused("ship_to", json!(ship_to))
    {
        differs.push("ship_to");
    }
    let delivery = facts.delivery.or_default();
    let point = request::point(&delivery);
    if same_point(point.as_ref()) != same_point(shipment.pickup_point.as_ref())
        && !refused("delivery", json!(delivery))
    {
        differs.push("pickup_point");
    }
    if other_cash(state, shipment) && !refused("cod", json!(fulfillment::cod_due(&state.order))) {
        differs.push("cod");
    }
    differs
}

/// What of a label is not what the warehouse agreed to, while it is asked for something else.
fn from_agreed(part: &FulfillmentOrder, shipment: &Shipment) -> Vec<&'static str> {
    let point = request::point(&part.delivery);
    let found = [
        (
            place(part.ship_to.as_ref()) != place(shipment.ship_to.as_ref()),
            "ship_to",
        ),
        (
            same_point(point.as_ref()) != same_point(shipment.pickup_point.as_ref()),
            "pickup_point",
        ),
        (shipment.cod.is_some() && shipment.cod != part.cod, "cod"),
    ];
    let differing = found.into_iter().filter(|(differs, _)| *differs);
    differing.map(|(_, name)| name).collect()
}

/// An address without what only says how good it is.
fn place(address: Option<&Address>) -> Option<Address> {
    address.map(|address| Address {
        geo: None,
        latin: serde_json::Map::new(),
        check: None,
        ..address.clone()
    })
}

fn same_point(point: Option<&PickupPointRef>) -> Option<(Option<&str>, Option<&str>)> {
    point.map(|point| (point.network.as_deref(), point.id.as_deref()))
}

/// More or less is to be collected. Cash that no label carries travels with what is still to ship.
fn other_cash(state: &OrderState, shipment: &Shipment) -> bool {
    let wanted = request::cash(state, shipment);
    let later = || state.fulfillment_orders.iter().any(fulfillment::live);
    match (shipment.cod, wanted) {
        (None, Some(_)) => !later(),
        (told, wanted) => told != wanted,
    }
}

fn refused(part: &FulfillmentOrder, name: &str, value: &Value) -> bool {
    part.request.as_ref().is_some_and(|request| {
        request.state == RequestState::Refused && request.wanted.get(name) == Some(value)
    })
}
