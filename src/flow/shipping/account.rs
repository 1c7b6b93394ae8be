//! Which carrier account a label is bought from.
//!
//! What always holds: only accounts of the merchant itself, or of the operator with a contract for
//! it; of channels only the order's own; only active ones; only services that the contract allows.

use crate::canonical::ConnectionId;
use crate::canonical::connection::Owner;
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::wire;
use crate::flow::world::CarrierAccount;

const FIELD: &str = "carrier_connection_id";

/// The account that is named, or planned; `None`: the warehouse ships by itself.
pub(super) fn chosen<'a>(
    draft: &Draft<'a>,
    part: &FulfillmentOrder,
    named: Option<ConnectionId>,
) -> Result<Option<&'a CarrierAccount>, FlowError> {
    if let Some(id) = named {
        return usable(draft, id).map(Some);
    }
    let planned = part
        .carrier_plan
        .as_ref()
        .and_then(|plan| plan.connection_id);
    let Some(id) = planned else { return Ok(None) };
    // An account that only tells of parcels: its labels are the warehouse's own.
    let tells_only = |account: &CarrierAccount| !account.buys_labels;
    if draft.ctx.world.carrier(id).is_some_and(tells_only) {
        return Ok(None);
    }
    usable(draft, id).map(Some)
}

/// An account that labels of this merchant may be bought from now.
pub(super) fn usable<'a>(
    draft: &Draft<'a>,
    id: ConnectionId,
) -> Result<&'a CarrierAccount, FlowError> {
    let merchant = draft.state.order.meta.merchant_id;
    let may = |account: &&CarrierAccount| {
        let connection = &account.connection;
        let shared = connection.owner == Owner::Operator && account.contract(merchant).is_some();
        connection.merchant_id == merchant || shared
    };
    let Some(account) = draft.ctx.world.carrier(id).filter(may) else {
        let what = "not a carrier account of this merchant, nor one that it has a contract on";
        return Err(FlowError::invalid(FIELD, what));
    };
    if !account.serves(draft.state.order.meta.connection_id) {
        let what = "a channel issues labels for its own orders only";
        return Err(FlowError::invalid(FIELD, what));
    }
    if !account.buys_labels {
        return Err(FlowError::invalid(FIELD, "its connector buys no labels"));
    }
    if !account.usable() {
        let state = wire(&account.connection.state);
        let what = format!("the carrier account is {state}: name another");
        return Err(FlowError::invalid(FIELD, what));
    }
    Ok(account)
}

/// The service that is named, else the planned one; refused when the contract does not have it.
pub(super) fn service(
    draft: &Draft<'_>,
    part: &FulfillmentOrder,
    account: &CarrierAccount,
    named: Option<&str>,
) -> Result<Option<String>, FlowError> {
    let plan = part.carrier_plan.as_ref();
    let planned = plan
        .filter(|plan| plan.connection_id == Some(account.connection.id))
        .and_then(|plan| plan.service.as_deref());
    let filled = |text: &&str| !text.trim().is_empty();
    let Some(service) = named.filter(filled).or(planned) else {
        return Ok(None);
    };
    let allowed = account
        .contract(draft.state.order.meta.merchant_id)
        .map_or(&[][..], |contract| contract.services.as_slice());
    if !allowed.is_empty() && !allowed.iter().any(|one| one == service) {
        let what = "not a service of the contract with this carrier";
        return Err(FlowError::invalid("service", what));
    }
    Ok(Some(service.to_owned()))
}
