//! `ship`: goods left the warehouse.
//!
//! What always holds: the same `shipment_ref` is the same shipment, however often it is told; no
//! line ships more than remains; while a request waits nothing leaves unless someone says so.

use super::allocate::minus;
use super::answer::{check_quantities, current};
use super::change::OrderState;
use super::command::{CommandAnswer, NewParcel};
use super::draft::Draft;
use super::error::FlowError;
use super::settings::FulfillmentPush;
use super::{fulfillment, jobs, wire};
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus, RequestState};
use crate::canonical::shipment::{Parcel, Shipment, ShipmentStatus, ShippedLine};
use crate::canonical::tracking::ParcelState;
use crate::canonical::{FulfillmentOrderId, ParcelId, ShipmentId};
use serde_json::json;

/// The warehouse's words.
pub(super) struct Ship {
    pub id: FulfillmentOrderId,
    pub revision: Option<u64>,
    pub shipment_ref: String,
    pub lines: Option<Vec<ShippedLine>>,
    pub parcels: Vec<NewParcel>,
    pub carrier: Option<String>,
    pub service: Option<String>,
    pub override_request: bool,
}

/// Stores the shipment, ends the part when nothing remains, and tells the channel.
pub(super) fn ship(draft: &mut Draft<'_>, ship: Ship) -> Result<CommandAnswer, FlowError> {
    if ship.shipment_ref.trim().is_empty() {
        return Err(FlowError::invalid("shipment_ref", "must not be empty"));
    }
    let place = draft.index(ship.id)?;
    let known = draft
        .state
        .shipments
        .iter()
        .find(|s| s.fulfillment_order_id == ship.id && s.shipment_ref == ship.shipment_ref);
    if let Some(known) = known {
        return if same(known, &ship) {
            Ok(CommandAnswer::Shipment(known.id))
        } else {
            Err(FlowError::ShipmentRefReused)
        };
    }
    let part = draft.fulfillment(ship.id)?;
    let lines = checked_lines(part, &ship)?;
    if part
        .request
        .as_ref()
        .is_some_and(|r| r.state == RequestState::Pending)
    {
        draft
            .notes
            .updated
            .insert("override".to_owned(), json!(true));
        draft
            .notes
            .changed
            .push("fulfillment_orders.request_overridden".to_owned());
    }
    draft.notes.answered = Some(ship.id);
    let shipment = shipment(draft, place, &ship, lines);
    let id = shipment.id;
    leave(draft, place, &shipment);
    draft.state.shipments.push(shipment);
    tell(draft, id);
    Ok(CommandAnswer::Shipment(id))
}

/// Whether it may leave, and what of each line does.
fn checked_lines(part: &FulfillmentOrder, ship: &Ship) -> Result<Vec<ShippedLine>, FlowError> {
    if let Some(revision) = ship.revision {
        current(part, revision)?;
    }
    if part.status != FulfillmentStatus::Submitted && !fulfillment::at_work(part) {
        let status = wire(&part.status);
        return Err(FlowError::illegal(format!(
            "ship is not possible while it is {status}"
        )));
    }
    let pending = part
        .request
        .as_ref()
        .is_some_and(|request| request.state == RequestState::Pending);
    if pending && !ship.override_request {
        return Err(FlowError::RequestPending {
            current: Box::new(part.clone()),
        });
    }
    match &ship.lines {
        Some(lines) => check_quantities(part, lines.iter().map(|l| (l.line_id, l.quantity))),
        None => {
            let rest = part
                .lines
                .iter()
                .filter(|line| line.remaining.is_positive());
            check_quantities(part, rest.map(|line| (line.line_id, line.remaining)))
        }
    }
}

/// True when the same thing is told again. A retry without lines means what it meant then.
fn same(known: &Shipment, ship: &Ship) -> bool {
    let lines = ship.lines.as_ref().is_none_or(|lines| {
        known.lines.len() == lines.len() && lines.iter().all(|line| known.lines.contains(line))
    });
    let content = |parcel: &Parcel| {
        (
            parcel.tracking_number.clone(),
            parcel.weight_g,
            (parcel.length_mm, parcel.width_mm, parcel.height_mm),
            parcel.sscc.clone(),
        )
    };
    let parcels = known.parcels.len() == ship.parcels.len()
        && known
            .parcels
            .iter()
            .zip(&ship.parcels)
            .all(|(a, b)| content(a) == content(&parcel(b, a.id)));
    lines && parcels && known.carrier == carrier(ship) && known.service == ship.service
}

fn carrier(ship: &Ship) -> Option<String> {
    let of_parcels = || {
        ship.parcels
            .iter()
            .find_map(|parcel| parcel.carrier.clone())
    };
    ship.carrier.clone().or_else(of_parcels)
}

fn parcel(new: &NewParcel, id: ParcelId) -> Parcel {
    let filled = |text: &Option<String>| {
        let text = text
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    Parcel {
        id,
        tracking_number: filled(&new.tracking_number),
        tracking_url: filled(&new.tracking_url),
        weight_g: new.weight_g,
        length_mm: new.length_mm,
        width_mm: new.width_mm,
        height_mm: new.height_mm,
        sscc: filled(&new.sscc),
        label: None,
        tracking: ParcelState::default(),
    }
}

/// The warehouse ships by itself: with that the goods are handed over. The cash of the order
/// travels with the first shipment of the part that carries it.
fn shipment(draft: &Draft<'_>, place: usize, ship: &Ship, lines: Vec<ShippedLine>) -> Shipment {
    let part = draft.state.fulfillment_orders.get(place);
    let first = !fulfillment::any_shipped(&draft.state, ship.id);
    let cod = part.filter(|_| first).and_then(|part| part.cod);
    let meta = &draft.state.order.meta;
    let parcels = ship
        .parcels
        .iter()
        .map(|new| parcel(new, ParcelId::new()))
        .collect();
    Shipment {
        carrier: carrier(ship),
        service: ship.service.clone(),
        status: ShipmentStatus::HandedOver,
        lines,
        parcels,
        cod,
        packed: true,
        handed_over_at: Some(draft.now()),
        ..Shipment::draft(
            meta.id,
            meta.merchant_id,
            ship.id,
            ship.shipment_ref.clone(),
            draft.now(),
        )
    }
}

fn leave(draft: &mut Draft<'_>, place: usize, shipment: &Shipment) {
    let Some(part) = draft.state.fulfillment_orders.get_mut(place) else {
        return;
    };
    for gone in &shipment.lines {
        if let Some(line) = part.lines.iter_mut().find(|l| l.line_id == gone.line_id) {
            line.remaining = minus(line.remaining, gone.quantity);
        }
    }
    part.status = match (fulfillment::remains(part), part.status) {
        // A part with a shortage stays incomplete when its rest has left.
        (_, FulfillmentStatus::Incomplete) => FulfillmentStatus::Incomplete,
        (true, _) => FulfillmentStatus::InProgress,
        (false, _) => FulfillmentStatus::Closed,
    };
}

/// True when nothing of the order is left to ship.
fn complete(state: &OrderState) -> bool {
    !state.fulfillment_orders.iter().any(fulfillment::live)
}

fn tell(draft: &mut Draft<'_>, id: ShipmentId) {
    if draft.settings.fulfillment_push == FulfillmentPush::FirstScan {
        return;
    }
    let Some(shipment) = draft.state.shipments.iter().find(|s| s.id == id) else {
        return;
    };
    let complete = complete(&draft.state);
    let job = jobs::fulfillment_push(&draft.ctx, &draft.state, shipment, complete);
    draft.enqueue(job);
}
