//! Shipments and their labels: what leaves, by which label, and what becomes of that label.
//!
//! What always holds: a `shipment_ref` is one shipment of its fulfillment order, however often it
//! is told; a label is asked for under a number of its own (`request_number`), so that the same
//! wish is one purchase; lines leave `remaining` when the warehouse says `ship` and come back when
//! the label fails or is void; every number that a carrier has given stays visible.

mod account;
mod ahead;
mod documents;
mod failure;
mod labels;
mod outdated;
mod progress;
mod purchase;
mod replace;
mod request;
mod resolve;
mod ship;
mod void;

pub(super) use progress::{scanned, void_label};
pub(super) use void::withdraw;

use super::change::{NewProblem, OrderState, ResolveProblems};
use super::command::{Command, CommandAnswer, NewParcel};
use super::draft::Draft;
use super::error::FlowError;
use super::facts::CarrierFact;
use super::fulfillment;
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus};
use crate::canonical::problem::Class;
use crate::canonical::shipment::{LabelFailure, Parcel, Shipment, ShipmentStatus};
use crate::canonical::tracking::ParcelState;
use crate::canonical::{FulfillmentOrderId, ParcelId, ProblemId, ShipmentId};
use serde_json::json;

/// Carries out a command about shipments; `None` for any other.
pub(super) fn command(
    draft: &mut Draft<'_>,
    command: Command,
    actor: &str,
) -> Result<Option<CommandAnswer>, FlowError> {
    let answer = match command {
        Command::Ship { .. } => ship::ship(draft, command)?,
        Command::CreateShipment { .. } => ahead::create(draft, command)?,
        Command::VoidShipment { id, reason } => void::command(draft, id, reason)?,
        Command::ReplaceShipment { .. } => replace::replace(draft, command)?,
        Command::ResolveShipment { id, outcome } => resolve::resolve(draft, id, outcome)?,
        Command::PrintShipment { id } => progress::print(draft, id, actor)?,
        Command::ManifestShipment { id, handed_over } => {
            progress::manifest(draft, id, handed_over)?
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// Takes in what a carrier says of a label that we asked for; a scan is none of it.
pub(super) fn fact(draft: &mut Draft<'_>, fact: CarrierFact) -> Result<(), FlowError> {
    match fact {
        CarrierFact::Labels {
            shipment_id,
            parcel,
            labels,
        } => labels::labels(draft, shipment_id, parcel, &labels),
        CarrierFact::Complete { shipment_id } => purchase::complete(draft, shipment_id),
        CarrierFact::Failed {
            shipment_id,
            failure,
        } => failure::failed(draft, shipment_id, failure),
        CarrierFact::Unknown {
            shipment_id,
            failure,
        } => failure::unknown(draft, shipment_id, failure),
        CarrierFact::Voided { shipment_id, note } => void::voided(draft, shipment_id, note),
        CarrierFact::VoidRefused {
            shipment_id,
            failure,
        } => void::refused(draft, shipment_id, &failure),
        CarrierFact::Tracked { .. } => Ok(()),
    }
}

/// What follows for shipments from what became of their fulfillment orders: at the end of every
/// decision.
pub(super) fn reconcile(draft: &mut Draft<'_>) -> Result<(), FlowError> {
    void::reconcile(draft)?;
    ahead::trim(draft)?;
    outdated::reconcile(draft);
    progress::tell(draft);
    Ok(())
}

/// The label is being bought, as a whole or in part.
pub(super) fn awaited(shipment: &Shipment) -> bool {
    shipment.status.under_way()
        || (shipment.status == ShipmentStatus::Purchased && !whole(shipment))
}

/// Every number that is to come has come: nothing of the request can fail any more.
fn whole(shipment: &Shipment) -> bool {
    let numbered = |parcel: &Parcel| parcel.tracking_number.is_some();
    shipment.status.bought()
        && (shipment.label_ready_at.is_some() || shipment.parcels.iter().all(numbered))
}

/// The goods are still ours: the carrier does not have them, nor are they on its list.
const fn in_house(status: ShipmentStatus) -> bool {
    !matches!(
        status,
        ShipmentStatus::Manifested
            | ShipmentStatus::HandedOver
            | ShipmentStatus::Failed
            | ShipmentStatus::Voided
    )
}

/// The numbers that a carrier has given, each once.
fn numbers(shipment: &Shipment) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    for number in shipment
        .parcels
        .iter()
        .filter_map(|parcel| parcel.tracking_number.as_ref())
    {
        if !numbers.contains(number) {
            numbers.push(number.clone());
        }
    }
    numbers
}

fn find(state: &OrderState, id: ShipmentId) -> Result<&Shipment, FlowError> {
    state
        .shipments
        .iter()
        .find(|shipment| shipment.id == id)
        .ok_or(FlowError::NotFound("shipment"))
}

fn find_mut<'s>(draft: &'s mut Draft<'_>, id: ShipmentId) -> Result<&'s mut Shipment, FlowError> {
    draft
        .state
        .shipments
        .iter_mut()
        .find(|shipment| shipment.id == id)
        .ok_or(FlowError::NotFound("shipment"))
}

fn by_ref<'s>(
    state: &'s OrderState,
    part: FulfillmentOrderId,
    shipment_ref: &str,
) -> Option<&'s Shipment> {
    state
        .shipments
        .iter()
        .find(|s| s.fulfillment_order_id == part && s.shipment_ref == shipment_ref)
}

fn part_of<'s>(state: &'s OrderState, shipment: &Shipment) -> Option<&'s FulfillmentOrder> {
    state
        .fulfillment_orders
        .iter()
        .find(|part| part.id == shipment.fulfillment_order_id)
}

fn ended(part: &FulfillmentOrder) -> bool {
    matches!(
        part.status,
        FulfillmentStatus::Closed | FulfillmentStatus::Cancelled
    )
}

/// Takes a shipment's lines out of what remains of its fulfillment order, which is at work then.
fn leave(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    let (lines, part) = (shipment.lines.clone(), shipment.fulfillment_order_id);
    let part = draft.fulfillment(part)?;
    for gone in &lines {
        if let Some(line) = part.lines.iter_mut().find(|l| l.line_id == gone.line_id) {
            line.remaining = super::allocate::minus(line.remaining, gone.quantity);
        }
    }
    // A part with a shortage stays incomplete when its rest has left.
    if part.status == FulfillmentStatus::Submitted {
        part.status = FulfillmentStatus::InProgress;
    }
    Ok(())
}

/// Gives a shipment's lines back to its fulfillment order, unless that has ended: then what is
/// still wanted becomes a new one.
fn give_back(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    let (lines, part) = (shipment.lines.clone(), shipment.fulfillment_order_id);
    let part = draft.fulfillment(part)?;
    if ended(part) {
        return Ok(());
    }
    for back in &lines {
        if let Some(line) = part.lines.iter_mut().find(|l| l.line_id == back.line_id) {
            let remaining = line.remaining.plus(back.quantity);
            line.remaining = remaining.unwrap_or(line.quantity).min(line.quantity);
        }
    }
    Ok(())
}

/// A parcel as the warehouse packed it.
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

/// The parcels to buy labels for: one where the warehouse names none.
fn parcels(new: &[NewParcel]) -> Vec<Parcel> {
    let one = [NewParcel::default()];
    let new = if new.is_empty() { &one } else { new };
    new.iter().map(|new| parcel(new, ParcelId::new())).collect()
}

/// Opens a problem about a shipment.
fn problem(draft: &mut Draft<'_>, id: ShipmentId, code: &str, failure: &LabelFailure, hint: &str) {
    let connection_id = find(&draft.state, id).ok().and_then(|s| s.connection_id);
    let order_id = draft.state.order.meta.id;
    draft.problems.push(NewProblem {
        id: ProblemId::new(),
        class: failure.class,
        code: code.to_owned(),
        subject: id.to_string(),
        connection_id,
        message: failure.message.clone(),
        detail: json!({
            "order_id": order_id, "code": failure.code, "fields": failure.fields,
        }),
        hint: Some(hint.to_owned()),
    });
}

/// A failure that we see ourselves.
fn failure(class: Class, code: &str, message: &str) -> LabelFailure {
    LabelFailure {
        class,
        code: code.to_owned(),
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

/// What stood in the way of this shipment's label is mended.
fn mended(draft: &mut Draft<'_>, id: ShipmentId, codes: &[&str]) {
    for code in codes {
        draft.resolve.push(ResolveProblems {
            subject: id.to_string(),
            code: Some((*code).to_owned()),
        });
    }
}

/// Refuses what may not pass while a request waits, an old revision, and a fulfillment order that
/// the warehouse does not have.
fn gate(
    part: &FulfillmentOrder,
    revision: Option<u64>,
    override_request: bool,
    action: &str,
) -> Result<(), FlowError> {
    if let Some(revision) = revision {
        super::answer::current(part, revision)?;
    }
    if part.status != FulfillmentStatus::Submitted && !fulfillment::at_work(part) {
        let status = super::wire(&part.status);
        return Err(FlowError::illegal(format!(
            "{action} is not possible while it is {status}"
        )));
    }
    if asked(part) && !override_request {
        return Err(FlowError::RequestPending {
            current: Box::new(part.clone()),
        });
    }
    Ok(())
}

/// A request waits for the warehouse's answer.
fn asked(part: &FulfillmentOrder) -> bool {
    use crate::canonical::fulfillment::RequestState;
    let pending =
        |r: &crate::canonical::fulfillment::ChangeRequest| r.state == RequestState::Pending;
    part.request.as_ref().is_some_and(pending)
}

/// Puts on record that something passed in spite of a request.
fn record_override(draft: &mut Draft<'_>, part: FulfillmentOrderId) {
    let parts = &draft.state.fulfillment_orders;
    if parts.iter().any(|other| other.id == part && asked(other)) {
        let notes = &mut draft.notes;
        notes.updated.insert("override".to_owned(), json!(true));
        let path = "fulfillment_orders.request_overridden".to_owned();
        notes.changed.push(path);
    }
}

/// A `shipment_ref` is a text.
fn named(shipment_ref: &str) -> Result<(), FlowError> {
    if shipment_ref.trim().is_empty() {
        return Err(FlowError::invalid("shipment_ref", "must not be empty"));
    }
    Ok(())
}
