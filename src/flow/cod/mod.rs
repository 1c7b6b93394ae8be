//! The cash that carriers collect: one item for the parcel that carries it.
//!
//! What always holds: an item is born when the label is purchased, once a shipment (and when cash
//! comes that nobody asked for, so that no cent is without an account); at that moment
//! the live items of the order never take more off it than is left to collect; what a carrier is to
//! collect (`due`) is what stands on the label; an item ends with a reason.

mod facts;
mod overdue;
mod rates;

pub use overdue::cod_overdue_at;

pub(super) use facts::{follow, told};
pub(super) use overdue::reconcile;

use super::change::{NewProblem, OrderState};
use super::draft::Draft;
use super::fulfillment;
use super::world::CarrierAccount;
use crate::canonical::cod::{CodItem, CodPayee, CodStatus};
use crate::canonical::connection::Owner;
use crate::canonical::problem::Class;
use crate::canonical::shipment::{Direction, Shipment, ShipmentStatus};
use crate::canonical::{Amount, CodItemId, Currency, Money, ParcelId, ProblemId, ShipmentId};
use serde_json::json;

/// The setting of a carrier account: the currency in which it collects.
const CURRENCY: &str = "cod_currency";
/// Why an item is not due: its label is to be void, and another one carries the cash.
const VOID_REQUESTED: &str = "void_requested";
/// Why an item is disputed: the parcel carries no cash.
const WITHOUT_CASH: &str = "collected_without_cash";
/// The problem of cash that should have come.
const OVERDUE: &str = "cod_overdue";

/// An amount cannot be told in the currency in which the carrier collects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CodCurrency {
    /// Neither law nor settings tell the rate.
    #[error("the carrier collects {to}, and no rate from {from} is set (exchange_rates)")]
    NoRate {
        /// The order's.
        from: Currency,
        /// The carrier's.
        to: Currency,
    },
    /// The account's setting is no currency.
    #[error("cod_currency of the carrier account is not a currency code")]
    Setting,
}

/// What the carrier is to collect for an amount of the order, in its own currency and in whole
/// minor units.
pub(super) fn due(
    draft: &Draft<'_>,
    account: &CarrierAccount,
    order_amount: Money,
) -> Result<Money, CodCurrency> {
    let from = order_amount.currency;
    let to = match account.setting(CURRENCY).map(str::trim) {
        None | Some("") => from,
        Some(code) => code.parse().map_err(|_| CodCurrency::Setting)?,
    };
    let settings = [
        &draft.ctx.connection.settings,
        &draft.ctx.merchant.settings,
        &account.connection.settings,
    ];
    rates::by_law(order_amount, to, draft.now())
        .or_else(|| rates::by_setting(order_amount, to, settings))
        .ok_or(CodCurrency::NoRate { from, to })
}

/// What is left to collect: what the order owes less what live items, and labels that are being
/// bought, take off it. As if these shipments were not there: the one that asks, and the one that it
/// is to replace. What was collected with them counts all the same. `None` when nothing is left.
pub(super) fn left_without(state: &OrderState, except: &[ShipmentId]) -> Option<Money> {
    let owed = fulfillment::cod_due(&state.order)?;
    let mut left = owed.amount;
    for taken in taken(state, except) {
        // Another currency than the order's: nobody can say what is left, so nothing is.
        left = (taken.currency == owed.currency)
            .then(|| left.sub(taken.amount).ok())
            .flatten()?;
    }
    let some = !left.is_zero() && !left.is_negative();
    some.then_some(Money::new(left, owed.currency))
}

fn taken(state: &OrderState, except: &[ShipmentId]) -> impl Iterator<Item = Money> {
    let free = move |shipment: &Shipment| except.contains(&shipment.id) || going(shipment);
    let items = state.cod.iter().filter(move |item| {
        let mut shipments = state.shipments.iter();
        let freed = shipments.any(|s| s.id == item.shipment_id && free(s));
        item.status.live() && !(freed && open(item.status))
    });
    let unborn = state.shipments.iter().filter(move |shipment| {
        shipment.direction == Direction::Outbound
            && !shipment.status.ended()
            && shipment.replaced_by.is_none()
            && !free(shipment)
            && !state.cod.iter().any(|item| item.shipment_id == shipment.id)
    });
    items
        .map(|item| item.order_amount)
        .chain(unborn.filter_map(|shipment| shipment.cod))
}

/// A label ahead of packing that is to be void: no goods, and no cash, go with it.
fn going(shipment: &Shipment) -> bool {
    let to_be_void = shipment.voiding || shipment.status == ShipmentStatus::VoidRequested;
    to_be_void && !shipment.packed
}

/// The label was purchased: from now on the carrier collects. The item of a label that this one
/// replaces, or that is to be void anyway, is not due any more. Does nothing without cash, account
/// or parcel, or a second time; a label that could not be made void collects again.
pub(super) fn born(draft: &mut Draft<'_>, shipment_id: ShipmentId) {
    let state = &draft.state;
    if let Some(place) = state.cod.iter().position(|i| i.shipment_id == shipment_id) {
        again(draft, place);
        return;
    }
    let Some(shipment) = state.shipments.iter().find(|s| s.id == shipment_id) else {
        return;
    };
    let (former, carries) = (shipment.replaces, shipment.cod.is_some());
    let other = |s: &&Shipment| s.id != shipment_id && going(s);
    let others: Vec<ShipmentId> = state.shipments.iter().filter(other).map(|s| s.id).collect();
    if let Some(former) = former {
        not_due(draft, former, "replaced");
    }
    for other in others.into_iter().filter(|_| carries) {
        not_due(draft, other, VOID_REQUESTED);
    }
    let Some((item, above)) = item(draft, shipment_id) else {
        return;
    };
    if above {
        above_left(draft, &item);
    }
    draft.state.cod.push(item);
}

fn again(draft: &mut Draft<'_>, place: usize) {
    let Some(item) = draft.state.cod.get(place).cloned() else {
        return;
    };
    if item.status != CodStatus::NotDue || item.reason.as_deref() != Some(VOID_REQUESTED) {
        return;
    }
    let left = left_without(&draft.state, &[item.shipment_id]);
    if left.is_none_or(|left| left.amount < item.order_amount.amount) {
        above_left(draft, &item);
    }
    if let Some(item) = draft.state.cod.get_mut(place) {
        item.status = CodStatus::Expected;
        item.reason = None;
    }
}

/// The item of a shipment, and whether its label collects more than the order still owes (it was
/// paid or changed while the label was bought): it takes off the order what is left of it then.
fn item(draft: &Draft<'_>, shipment_id: ShipmentId) -> Option<(CodItem, bool)> {
    let state = &draft.state;
    let shipment = state.shipments.iter().find(|s| s.id == shipment_id)?;
    let (asked, connection_id) = (shipment.cod?, shipment.connection_id?);
    let parcel = shipment.parcels.first()?;
    let left = left_without(state, &[shipment_id])
        .filter(|left| left.currency == asked.currency)
        .map_or(Amount::ZERO, |left| left.amount);
    let account = draft.ctx.world.carrier(connection_id);
    let due = shipment.cod_due.unwrap_or_else(|| {
        account
            .and_then(|account| due(draft, account, asked).ok())
            .unwrap_or_else(|| asked.to_minor_unit())
    });
    let item = CodItem {
        id: CodItemId::new(),
        order_id: shipment.order_id,
        merchant_id: shipment.merchant_id,
        shipment_id,
        parcel_id: parcel.id,
        connection_id,
        tracking_number: parcel.tracking_number.clone(),
        status: CodStatus::Expected,
        order_amount: Money::new(asked.amount.min(left), asked.currency),
        due,
        collected: None,
        payee: payee(draft, account),
        collected_at: None,
        reason: None,
        created_at: draft.now(),
        updated_at: draft.now(),
        version: 1,
    };
    Some((item, asked.amount > left))
}

/// An account for cash that came without being due: disputed from its birth. It takes nothing off
/// what the order owes.
fn stray(
    draft: &Draft<'_>,
    shipment_id: ShipmentId,
    parcel_id: ParcelId,
    currency: Currency,
) -> Option<CodItem> {
    let state = &draft.state;
    let shipment = state.shipments.iter().find(|s| s.id == shipment_id)?;
    let connection_id = shipment.connection_id?;
    let mut parcels = shipment.parcels.iter();
    let parcel = parcels.find(|parcel| parcel.id == parcel_id)?;
    let nothing = |currency: Currency| Money::new(Amount::ZERO, currency);
    Some(CodItem {
        id: CodItemId::new(),
        order_id: shipment.order_id,
        merchant_id: shipment.merchant_id,
        shipment_id,
        parcel_id,
        connection_id,
        tracking_number: parcel.tracking_number.clone(),
        status: CodStatus::Disputed,
        order_amount: nothing(
            state
                .order
                .facts
                .currency
                .value()
                .copied()
                .unwrap_or(currency),
        ),
        due: nothing(currency),
        collected: None,
        payee: payee(draft, draft.ctx.world.carrier(connection_id)),
        collected_at: None,
        reason: Some(WITHOUT_CASH.to_owned()),
        created_at: draft.now(),
        updated_at: draft.now(),
        version: 1,
    })
}

/// To whom the carrier pays: as agreed; without an agreement to whom the account belongs.
fn payee(draft: &Draft<'_>, account: Option<&CarrierAccount>) -> CodPayee {
    let merchant = draft.state.order.meta.merchant_id;
    let of_owner = |account: &CarrierAccount| match account.connection.owner {
        Owner::Merchant => CodPayee::Merchant,
        Owner::Operator => CodPayee::Operator,
    };
    account.map_or(CodPayee::Operator, |account| {
        account
            .contract(merchant)
            .map_or_else(|| of_owner(account), |contract| contract.cod_payee)
    })
}

fn above_left(draft: &mut Draft<'_>, item: &CodItem) {
    draft.problems.push(NewProblem {
        id: ProblemId::new(),
        class: Class::TotalsMismatch,
        code: "cod_above_left".to_owned(),
        subject: item.id.to_string(),
        connection_id: Some(item.connection_id),
        message: "the label collects more than the order owes".to_owned(),
        detail: json!({ "order_id": item.order_id, "shipment_id": item.shipment_id,
                        "due": item.due, "owed": item.order_amount }),
        hint: Some("replace the label, or pay the difference back".to_owned()),
    });
}

/// The carrier has nothing to collect any more: returned, cancelled, void, replaced. Money that
/// was collected stays what it is.
pub(super) fn not_due(draft: &mut Draft<'_>, shipment_id: ShipmentId, reason: &str) {
    let items = draft.state.cod.iter_mut();
    for item in items.filter(|item| item.shipment_id == shipment_id) {
        end(item, reason);
    }
}

/// Nothing was collected yet.
const fn open(status: CodStatus) -> bool {
    matches!(status, CodStatus::Expected | CodStatus::Overdue)
}

fn end(item: &mut CodItem, reason: &str) {
    if open(item.status) {
        item.status = CodStatus::NotDue;
        item.reason = Some(reason.to_owned());
    }
}
