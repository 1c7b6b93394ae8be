//! Another label in place of one that was bought: address, point, carrier, parcels or cash have
//! changed.
//!
//! What always holds: the old label is valid until the new one is there as a whole, and void from
//! then on; of the two only one counts; when the new one fails, the old one is as it was.

use super::{
    NewParcel, account, asked, by_ref, ended, find, find_mut, fulfillment, give_back, named,
    parcel, parcels, request,
};
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus};
use crate::canonical::shipment::{Parcel, Shipment, ShipmentStatus};
use crate::canonical::{ConnectionId, ParcelId, ShipmentId};
use crate::flow::change::OrderState;
use crate::flow::command::{Command, CommandAnswer};
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::wire;

/// Asks for the new label.
pub(super) fn replace(draft: &mut Draft<'_>, command: Command) -> Result<CommandAnswer, FlowError> {
    let Command::ReplaceShipment {
        id,
        shipment_ref,
        parcels: new,
        service,
        carrier_connection_id,
        override_request,
    } = command
    else {
        return Err(FlowError::illegal("not a replacement"));
    };
    let old = find(&draft.state, id)?.clone();
    if let Some(by) = old.replaced_by {
        return replaced_before(draft, by, shipment_ref.as_deref());
    }
    replaceable(&old)?;
    let part = passes(draft, &old, override_request)?;
    let (account, service) = whom(
        draft,
        &part,
        &old,
        carrier_connection_id,
        service.as_deref(),
    )?;
    let shipment_ref = match shipment_ref {
        Some(name) => {
            named(&name)?;
            name
        }
        None => next_ref(&draft.state, &old),
    };
    let new_id = place(draft, &old, shipment_ref)?;
    let shipment = find_mut(draft, new_id)?;
    shipment.replaces = Some(id);
    shipment.packed = old.packed;
    shipment.lines.clone_from(&old.lines);
    shipment.insured = old.insured;
    shipment.label_format = old.label_format;
    shipment.parcels = match &new {
        Some(new) => parcels(new),
        None => old.parcels.iter().map(measures).collect(),
    };
    find_mut(draft, id)?.replaced_by = Some(new_id);
    super::record_override(draft, old.fulfillment_order_id);
    request::ask(draft, new_id, account, service)?;
    Ok(CommandAnswer::Shipment(new_id))
}

fn replaced_before(
    draft: &Draft<'_>,
    by: ShipmentId,
    shipment_ref: Option<&str>,
) -> Result<CommandAnswer, FlowError> {
    let new = find(&draft.state, by)?;
    if shipment_ref.is_none_or(|name| name == new.shipment_ref) {
        return Ok(CommandAnswer::Shipment(by));
    }
    Err(FlowError::illegal(format!(
        "it is replaced by {by} already: replace that one"
    )))
}

fn replaceable(old: &Shipment) -> Result<(), FlowError> {
    use ShipmentStatus as S;
    if old.connection_id.is_none() {
        return Err(FlowError::illegal("the warehouse made this label itself"));
    }
    let bought = matches!(old.status, S::Purchased | S::Printed | S::VoidRefused);
    if bought && !old.voiding && super::whole(old) {
        return Ok(());
    }
    let status = wire(&old.status);
    Err(FlowError::illegal(format!(
        "a label that is {status} cannot be replaced"
    )))
}

/// Its part: at work, or closed by this very shipment.
fn passes(
    draft: &Draft<'_>,
    old: &Shipment,
    override_request: bool,
) -> Result<FulfillmentOrder, FlowError> {
    let part = super::part_of(&draft.state, old).ok_or(FlowError::NotFound("fulfillment order"))?;
    let cancelled = part.status == FulfillmentStatus::Cancelled;
    if cancelled || (ended(part) && !fulfillment::counts(old)) {
        return Err(FlowError::illegal("its fulfillment order has ended"));
    }
    if asked(part) && !override_request {
        return Err(FlowError::RequestPending {
            current: Box::new(part.clone()),
        });
    }
    Ok(part.clone())
}

/// The account and service that are named, else those of the old label.
fn whom<'a>(
    draft: &Draft<'a>,
    part: &FulfillmentOrder,
    old: &Shipment,
    account: Option<ConnectionId>,
    service: Option<&str>,
) -> Result<(&'a crate::flow::world::CarrierAccount, Option<String>), FlowError> {
    let id = account
        .or(old.connection_id)
        .ok_or(FlowError::NotFound("carrier account"))?;
    let same = old.connection_id == Some(id);
    let service = service.or(old.service.as_deref().filter(|_| same));
    let account = account::usable(draft, id)?;
    let service = account::service(draft, part, account, service)?;
    Ok((account, service))
}

/// A failed replacement of this label can be asked for once more.
fn reusable(state: &OrderState, old: &Shipment, shipment_ref: &str) -> Option<ShipmentId> {
    by_ref(state, old.fulfillment_order_id, shipment_ref)
        .filter(|one| one.status == ShipmentStatus::Failed && one.replaces == Some(old.id))
        .filter(|one| !one.voiding)
        .map(|one| one.id)
}

/// `S1` → `S1~2` → `S1~3`.
fn next_ref(state: &OrderState, old: &Shipment) -> String {
    let (base, number) = match old.shipment_ref.rsplit_once('~') {
        Some((base, number)) => (base, number.parse::<u64>().unwrap_or(1)),
        None => (old.shipment_ref.as_str(), 1),
    };
    let tries = u64::try_from(state.shipments.len()).unwrap_or(u64::MAX);
    let mut number = number;
    for _ in 0..=tries {
        number = number.saturating_add(1);
        let name = format!("{base}~{number}");
        let free = by_ref(state, old.fulfillment_order_id, &name).is_none();
        if free || reusable(state, old, &name).is_some() {
            return name;
        }
    }
    format!("{base}~{}", old.id)
}

/// The shipment that the new label is for.
fn place(
    draft: &mut Draft<'_>,
    old: &Shipment,
    shipment_ref: String,
) -> Result<ShipmentId, FlowError> {
    if let Some(again) = reusable(&draft.state, old, &shipment_ref) {
        request::clear(find_mut(draft, again)?);
        return Ok(again);
    }
    let part = old.fulfillment_order_id;
    if by_ref(&draft.state, part, &shipment_ref).is_some() {
        return Err(FlowError::ShipmentRefReused);
    }
    let now = draft.now();
    let new = Shipment::draft(old.order_id, old.merchant_id, part, shipment_ref, now);
    let id = new.id;
    draft.state.shipments.push(new);
    Ok(id)
}

/// A parcel like this one, without a label.
fn measures(old: &Parcel) -> Parcel {
    let new = NewParcel {
        weight_g: old.weight_g,
        length_mm: old.length_mm,
        width_mm: old.width_mm,
        height_mm: old.height_mm,
        sscc: old.sscc.clone(),
        ..NewParcel::default()
    };
    parcel(&new, ParcelId::new())
}

/// The new label does not come, or goes again: the old one counts as before.
pub(super) fn restore(draft: &mut Draft<'_>, new: ShipmentId) -> Result<(), FlowError> {
    let shipment = find_mut(draft, new)?;
    let packed = std::mem::replace(&mut shipment.packed, false);
    let Some(old) = shipment.replaces else {
        shipment.packed = packed;
        return Ok(());
    };
    let old = find_mut(draft, old)?;
    if old.replaced_by != Some(new) {
        find_mut(draft, new)?.packed = packed;
        return Ok(());
    }
    old.replaced_by = None;
    if packed && !fulfillment::counts(old) {
        give_back(draft, new)?;
    }
    Ok(())
}
