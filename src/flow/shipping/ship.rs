//! `ship`: goods left the shelf; by a label that we buy, or with the warehouse's own.
//!
//! What always holds: the same `shipment_ref` is the same shipment, however often it is told; no
//! line ships more than remains; while a request waits nothing leaves unless someone says so.

use super::{account, ahead, by_ref, find, find_mut, gate, leave, named, parcel, parcels, request};
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::canonical::shipment::{LabelFormat, Parcel, Shipment, ShipmentStatus, ShippedLine};
use crate::canonical::{ConnectionId, FulfillmentOrderId, ParcelId, ShipmentId};
use crate::flow::answer::check_quantities;
use crate::flow::cod;
use crate::flow::command::{Command, CommandAnswer, NewParcel};
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::fulfillment;

/// The warehouse's words.
struct Ship {
    id: FulfillmentOrderId,
    revision: Option<u64>,
    shipment_ref: String,
    lines: Option<Vec<ShippedLine>>,
    parcels: Vec<NewParcel>,
    carrier: Option<String>,
    service: Option<String>,
    account: Option<ConnectionId>,
    label_format: LabelFormat,
    override_request: bool,
}

/// Stores the shipment; what follows (the label, the end of the part, the channel) comes of it.
pub(super) fn ship(draft: &mut Draft<'_>, command: Command) -> Result<CommandAnswer, FlowError> {
    let Command::Ship {
        id,
        revision,
        shipment_ref,
        lines,
        parcels,
        carrier,
        service,
        carrier_connection_id,
        label_format,
        override_request,
    } = command
    else {
        return Err(FlowError::illegal("not a ship"));
    };
    let ship = Ship {
        id,
        revision,
        shipment_ref,
        lines,
        parcels,
        carrier,
        service,
        account: carrier_connection_id,
        label_format,
        override_request,
    };
    named(&ship.shipment_ref)?;
    draft.index(ship.id)?;
    let known = by_ref(&draft.state, ship.id, &ship.shipment_ref).cloned();
    match known {
        Some(known) => again(draft, &known, &ship),
        None => first(draft, &ship),
    }
}

fn first(draft: &mut Draft<'_>, ship: &Ship) -> Result<CommandAnswer, FlowError> {
    let part = passes(draft, ship)?;
    let lines = ahead::lines(&draft.state, &part, ship.lines.as_deref(), ship.id, false)?;
    let own = ship.parcels.iter().any(|p| p.tracking_number.is_some());
    let account = match ship.account {
        None if own => None,
        named => account::chosen(draft, &part, named)?,
    };
    let meta = &draft.state.order.meta;
    let mut shipment = Shipment {
        lines,
        packed: true,
        label_format: ship.label_format,
        ..Shipment::draft(
            meta.id,
            meta.merchant_id,
            ship.id,
            ship.shipment_ref.clone(),
            draft.now(),
        )
    };
    let id = shipment.id;
    let service = match account {
        Some(account) => {
            no_own_number(ship)?;
            shipment.parcels = parcels(&ship.parcels);
            account::service(draft, &part, account, ship.service.as_deref())?
        }
        None => {
            by_itself(draft, &part, ship, &mut shipment);
            None
        }
    };
    super::record_override(draft, ship.id);
    draft.notes.answered = Some(ship.id);
    draft.state.shipments.push(shipment);
    leave(draft, id)?;
    if let Some(account) = account {
        request::ask(draft, id, account, service)?;
    }
    Ok(CommandAnswer::Shipment(id))
}

/// The part, if something may leave it now.
fn passes(draft: &Draft<'_>, ship: &Ship) -> Result<FulfillmentOrder, FlowError> {
    let part = &draft.state.fulfillment_orders;
    let part = part.iter().find(|part| part.id == ship.id);
    let part = part.ok_or(FlowError::NotFound("fulfillment order"))?;
    gate(part, ship.revision, ship.override_request, "ship")?;
    Ok(part.clone())
}

/// A parcel with a label already needs none of ours.
fn no_own_number(ship: &Ship) -> Result<(), FlowError> {
    let own = |parcel: &NewParcel| parcel.tracking_number.is_some();
    match ship.parcels.iter().position(own) {
        None => Ok(()),
        Some(place) => Err(FlowError::invalid(
            format!("parcels.{place}.tracking_number"),
            "the label is bought from the carrier account: leave out one of the two",
        )),
    }
}

/// The warehouse ships by itself: with that the goods are handed over. The cash of the order
/// travels with the first shipment of the part that carries it.
fn by_itself(draft: &Draft<'_>, part: &FulfillmentOrder, ship: &Ship, shipment: &mut Shipment) {
    let first = !fulfillment::any_shipped(&draft.state, ship.id);
    let collected = draft.state.cod.iter().any(|item| item.status.live());
    shipment.cod = part.cod.filter(|_| first && !collected);
    shipment.carrier = carrier(ship);
    shipment.service.clone_from(&ship.service);
    shipment.status = ShipmentStatus::HandedOver;
    shipment.handed_over_at = Some(draft.now());
    shipment.parcels = ship
        .parcels
        .iter()
        .map(|new| parcel(new, ParcelId::new()))
        .collect();
}

fn carrier(ship: &Ship) -> Option<String> {
    let of_parcels = || {
        ship.parcels
            .iter()
            .find_map(|parcel| parcel.carrier.clone())
    };
    ship.carrier.clone().or_else(of_parcels)
}

/// The same reference again: the same thing told twice, a failed label asked for anew, or the
/// packing of what was labelled ahead.
fn again(draft: &mut Draft<'_>, known: &Shipment, ship: &Ship) -> Result<CommandAnswer, FlowError> {
    let ours = known.connection_id.is_some();
    if ours && known.status == ShipmentStatus::Failed {
        return retry(draft, known.id, ship);
    }
    if ours && !known.packed {
        return pack(draft, known, ship);
    }
    let same = if ours {
        same_label(known, ship)
    } else {
        same(known, ship)
    };
    if same {
        Ok(CommandAnswer::Shipment(known.id))
    } else {
        Err(FlowError::ShipmentRefReused)
    }
}

/// True when the same thing is told again. A retry without lines means what it meant then.
fn same(known: &Shipment, ship: &Ship) -> bool {
    same_lines(known, ship.lines.as_deref())
        && known.parcels.len() == ship.parcels.len()
        && same_parcels(known, &ship.parcels)
        && known.carrier == carrier(ship)
        && known.service == ship.service
        && ship.account.is_none()
}

/// The same of a label that we buy: what is left out is as it was.
fn same_label(known: &Shipment, ship: &Ship) -> bool {
    same_lines(known, ship.lines.as_deref())
        && same_account(known, ship.account, ship.service.as_deref())
        && same_parcels(known, &ship.parcels)
}

pub(super) fn same_lines(known: &Shipment, lines: Option<&[ShippedLine]>) -> bool {
    lines.is_none_or(|lines| {
        known.lines.len() == lines.len() && lines.iter().all(|line| known.lines.contains(line))
    })
}

pub(super) fn same_account(
    known: &Shipment,
    account: Option<ConnectionId>,
    service: Option<&str>,
) -> bool {
    account.is_none_or(|id| known.connection_id == Some(id))
        && service.is_none_or(|name| known.service.as_deref() == Some(name))
}

/// The same parcels; of a label that we bought the numbers are the carrier's.
pub(super) fn same_parcels(known: &Shipment, new: &[NewParcel]) -> bool {
    let ours = known.connection_id.is_some();
    let content = |parcel: &Parcel| {
        (
            parcel.weight_g,
            (parcel.length_mm, parcel.width_mm, parcel.height_mm),
            parcel.sscc.clone(),
        )
    };
    let number = |a: &Parcel, b: &Parcel| {
        a.tracking_number == b.tracking_number || (ours && b.tracking_number.is_none())
    };
    let new = if ours {
        parcels(new)
    } else {
        new.iter().map(|new| parcel(new, ParcelId::new())).collect()
    };
    known.parcels.len() == new.len()
        && known
            .parcels
            .iter()
            .zip(&new)
            .all(|(a, b)| content(a) == content(b) && number(a, b))
}

/// The label had failed: it is asked for once more, with what is told now.
fn retry(draft: &mut Draft<'_>, id: ShipmentId, ship: &Ship) -> Result<CommandAnswer, FlowError> {
    no_own_number(ship)?;
    let part = passes(draft, ship)?;
    if find(&draft.state, id)?.replaces.is_some() {
        let message = "it was to replace another label, which stays valid: replace that one again";
        return Err(FlowError::illegal(message));
    }
    let lines = ahead::lines(&draft.state, &part, ship.lines.as_deref(), ship.id, false)?;
    let again = ahead::Again {
        id,
        lines,
        parcels: &ship.parcels,
        account: ship.account,
        service: ship.service.as_deref(),
        label_format: ship.label_format,
    };
    let (account, service) = ahead::prepare(draft, &part, again)?;
    super::record_override(draft, ship.id);
    draft.notes.answered = Some(ship.id);
    find_mut(draft, id)?.packed = true;
    leave(draft, id)?;
    request::ask(draft, id, account, service)?;
    Ok(CommandAnswer::Shipment(id))
}

/// What was labelled ahead is packed now: no other label is bought for it.
fn pack(draft: &mut Draft<'_>, known: &Shipment, ship: &Ship) -> Result<CommandAnswer, FlowError> {
    use ShipmentStatus as S;
    let valid = matches!(
        known.status,
        S::Draft | S::Requested | S::OutcomeUnknown | S::Purchased | S::Printed | S::VoidRefused
    );
    if !valid || known.voiding || known.replaced_by.is_some() {
        return Err(FlowError::illegal(
            "the label of this shipment_ref is void or replaced: ship under another one",
        ));
    }
    let part = passes(draft, ship)?;
    if !same_account(known, ship.account, ship.service.as_deref()) {
        return Err(FlowError::ShipmentRefReused);
    }
    let lines = match &ship.lines {
        Some(lines) => check_quantities(&part, lines.iter().map(|l| (l.line_id, l.quantity)))?,
        None => known.lines.clone(),
    };
    let labelled = |line: &ShippedLine| {
        let of_it = |inside: &&ShippedLine| inside.line_id == line.line_id;
        let inside = known.lines.iter().find(of_it);
        inside.is_some_and(|inside| line.quantity <= inside.quantity)
    };
    if let Some(place) = lines.iter().position(|line| !labelled(line)) {
        let what = "more than the label was made for: ship it under another shipment_ref";
        return Err(FlowError::invalid(format!("lines.{place}.quantity"), what));
    }
    check_quantities(&part, lines.iter().map(|l| (l.line_id, l.quantity)))?;
    measure(draft, known.id, &ship.parcels)?;
    super::record_override(draft, ship.id);
    draft.notes.answered = Some(ship.id);
    let shipment = find_mut(draft, known.id)?;
    shipment.packed = true;
    shipment.lines = lines;
    if shipment.status == S::VoidRefused {
        cod::born(draft, known.id);
    }
    leave(draft, known.id)?;
    Ok(CommandAnswer::Shipment(known.id))
}

/// Weights and sizes as packed, put on the parcels that have their labels.
fn measure(draft: &mut Draft<'_>, id: ShipmentId, new: &[NewParcel]) -> Result<(), FlowError> {
    let known = find(&draft.state, id)?;
    if new.is_empty() {
        return Ok(());
    }
    if new.len() != known.parcels.len() {
        let what = "not as many as the label was made for: replace the label";
        return Err(FlowError::invalid("parcels", what));
    }
    let other = |(new, known): (&NewParcel, &Parcel)| {
        new.tracking_number.is_some() && new.tracking_number != known.tracking_number
    };
    if let Some(place) = new.iter().zip(&known.parcels).position(other) {
        let path = format!("parcels.{place}.tracking_number");
        return Err(FlowError::invalid(path, "not the number on its label"));
    }
    let shipment = find_mut(draft, id)?;
    for (parcel, new) in shipment.parcels.iter_mut().zip(new) {
        parcel.weight_g = new.weight_g.or(parcel.weight_g);
        parcel.length_mm = new.length_mm.or(parcel.length_mm);
        parcel.width_mm = new.width_mm.or(parcel.width_mm);
        parcel.height_mm = new.height_mm.or(parcel.height_mm);
        parcel.sscc = new.sscc.clone().or(parcel.sscc.take());
    }
    Ok(())
}
