//! Labels ahead of packing: nothing leaves yet.
//!
//! What always holds: no line is labelled ahead beyond what remains of it; a label ahead changes
//! nothing of its fulfillment order; when its lines go another way, it is void.

use super::{account, by_ref, find, find_mut, gate, named, parcels, request, ship, void};
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::canonical::shipment::{LabelFormat, Shipment, ShipmentStatus, ShippedLine};
use crate::canonical::{ConnectionId, FulfillmentOrderId, LineId, Quantity, ShipmentId};
use crate::flow::allocate::minus;
use crate::flow::answer::check_quantities;
use crate::flow::change::OrderState;
use crate::flow::command::{Command, CommandAnswer, NewParcel};
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::world::CarrierAccount;
use std::collections::HashMap;

/// Asks for the label of goods that are not packed yet.
pub(super) fn create(draft: &mut Draft<'_>, command: Command) -> Result<CommandAnswer, FlowError> {
    let Command::CreateShipment {
        id,
        revision,
        shipment_ref,
        lines,
        parcels: new,
        service,
        carrier_connection_id,
        label_format,
        override_request,
    } = command
    else {
        return Err(FlowError::illegal("not a label ahead of packing"));
    };
    named(&shipment_ref)?;
    let place = draft.index(id)?;
    let known = by_ref(&draft.state, id, &shipment_ref).cloned();
    if let Some(known) = known
        .as_ref()
        .filter(|k| k.status != ShipmentStatus::Failed)
    {
        let same = known.connection_id.is_some()
            && ship::same_lines(known, lines.as_deref())
            && ship::same_account(known, carrier_connection_id, service.as_deref())
            && ship::same_parcels(known, &new);
        return if same {
            Ok(CommandAnswer::Shipment(known.id))
        } else {
            Err(FlowError::ShipmentRefReused)
        };
    }
    let part = draft.state.fulfillment_orders.get(place).cloned();
    let part = part.ok_or(FlowError::NotFound("fulfillment order"))?;
    gate(
        &part,
        revision,
        override_request,
        "a label ahead of packing",
    )?;
    if let Some(place) = new.iter().position(|p| p.tracking_number.is_some()) {
        let path = format!("parcels.{place}.tracking_number");
        return Err(FlowError::invalid(path, "the label is still to be bought"));
    }
    let lines = self::lines(&draft.state, &part, lines.as_deref(), id, true)?;
    let shipment = match known {
        Some(known) => known.id,
        None => insert(draft, id, shipment_ref),
    };
    let again = Again {
        id: shipment,
        lines,
        parcels: &new,
        account: carrier_connection_id,
        service: service.as_deref(),
        label_format,
    };
    let (account, service) = prepare(draft, &part, again)?;
    super::record_override(draft, id);
    find_mut(draft, shipment)?.packed = false;
    request::ask(draft, shipment, account, service)?;
    Ok(CommandAnswer::Shipment(shipment))
}

fn insert(draft: &mut Draft<'_>, part: FulfillmentOrderId, shipment_ref: String) -> ShipmentId {
    let meta = &draft.state.order.meta;
    let now = draft.now();
    let shipment = Shipment::draft(meta.id, meta.merchant_id, part, shipment_ref, now);
    let id = shipment.id;
    draft.state.shipments.push(shipment);
    id
}

/// A request for a shipment that is there already.
pub(super) struct Again<'w> {
    pub id: ShipmentId,
    pub lines: Vec<ShippedLine>,
    pub parcels: &'w [NewParcel],
    pub account: Option<ConnectionId>,
    pub service: Option<&'w str>,
    pub label_format: LabelFormat,
}

/// Puts what is to be asked into the shipment, and says of whom: the account that is named or
/// planned, else the one that was asked before.
pub(super) fn prepare<'a>(
    draft: &mut Draft<'a>,
    part: &FulfillmentOrder,
    again: Again<'_>,
) -> Result<(&'a CarrierAccount, Option<String>), FlowError> {
    let known = find(&draft.state, again.id)?;
    if known.voiding {
        return Err(FlowError::illegal(
            "labels that were bought before the failure are being voided: use another shipment_ref",
        ));
    }
    let before = known.connection_id;
    let account = match (account::chosen(draft, part, again.account)?, before) {
        (Some(account), _) => account,
        (None, Some(before)) => account::usable(draft, before)?,
        (None, None) => {
            let what = "no carrier is planned: name one";
            return Err(FlowError::invalid("carrier_connection_id", what));
        }
    };
    let service = account::service(draft, part, account, again.service)?;
    let shipment = find_mut(draft, again.id)?;
    if shipment.request_number > 0 {
        request::clear(shipment);
    }
    if shipment.parcels.is_empty() || !again.parcels.is_empty() {
        shipment.parcels = parcels(again.parcels);
    }
    shipment.lines = again.lines;
    shipment.label_format = again.label_format;
    Ok((account, service))
}

/// What of each line goes into a shipment: what is named, else all that remains and is not
/// labelled ahead. A label ahead (`strict`) never takes what another one has.
pub(super) fn lines(
    state: &OrderState,
    part: &FulfillmentOrder,
    named: Option<&[ShippedLine]>,
    id: FulfillmentOrderId,
    strict: bool,
) -> Result<Vec<ShippedLine>, FlowError> {
    let taken = labelled(state, id);
    let free = |line: LineId, remaining: Quantity| {
        minus(remaining, taken.get(&line).copied().unwrap_or_default())
    };
    let mut left = part.clone();
    if strict || named.is_none() {
        for line in &mut left.lines {
            line.remaining = free(line.line_id, line.remaining);
        }
    }
    if let Some(lines) = named {
        return check_quantities(&left, lines.iter().map(|l| (l.line_id, l.quantity)));
    }
    let rest: Vec<ShippedLine> = left
        .lines
        .iter()
        .filter(|line| line.remaining.is_positive())
        .map(|line| ShippedLine {
            line_id: line.line_id,
            quantity: line.remaining,
        })
        .collect();
    if rest.is_empty() && !taken.is_empty() {
        let what = "all that remains is labelled ahead: name its shipment_ref, or the lines";
        return Err(FlowError::invalid("lines", what));
    }
    check_quantities(&left, rest.iter().map(|l| (l.line_id, l.quantity)))
}

/// A valid label, or one that is to become valid, of goods that are not packed.
fn is_ahead(shipment: &Shipment) -> bool {
    use ShipmentStatus as S;
    let valid = matches!(
        shipment.status,
        S::Draft | S::Requested | S::OutcomeUnknown | S::Purchased | S::Printed
    );
    valid
        && !shipment.packed
        && !shipment.voiding
        && shipment.replaced_by.is_none()
        && shipment.connection_id.is_some()
}

pub(super) fn labelled(state: &OrderState, part: FulfillmentOrderId) -> HashMap<LineId, Quantity> {
    let mut taken = HashMap::new();
    let ahead = state
        .shipments
        .iter()
        .filter(|s| s.fulfillment_order_id == part && is_ahead(s));
    for line in ahead.flat_map(|shipment| &shipment.lines) {
        let sum: &mut Quantity = taken.entry(line.line_id).or_default();
        *sum = sum.plus(line.quantity).unwrap_or(*sum);
    }
    taken
}

/// Labels ahead hold no more than remains: lines that went another way leave them, the newest
/// first, and a label of nothing is void.
pub(super) fn trim(draft: &mut Draft<'_>) -> Result<(), FlowError> {
    let mut empty = Vec::new();
    for part in &draft.state.fulfillment_orders {
        if super::ended(part) {
            continue;
        }
        let mut room: HashMap<LineId, Quantity> = HashMap::new();
        for line in &part.lines {
            room.insert(line.line_id, line.remaining);
        }
        for shipment in &mut draft.state.shipments {
            if shipment.fulfillment_order_id != part.id || !is_ahead(shipment) {
                continue;
            }
            let mut kept = Vec::new();
            for line in &shipment.lines {
                let room = room.entry(line.line_id).or_default();
                let quantity = line.quantity.min(*room);
                *room = minus(*room, quantity);
                if quantity.is_positive() {
                    let line_id = line.line_id;
                    kept.push(ShippedLine { line_id, quantity });
                }
            }
            if kept.is_empty() {
                empty.push(shipment.id);
            } else {
                shipment.lines = kept;
            }
        }
    }
    for id in empty {
        void::want(draft, id, "its lines went another way")?;
    }
    Ok(())
}
