//! Holds whose cause the gateway sees: placed when the cause is there, cleared when it has gone.
//!
//! What always holds: a hold of a person, a warehouse or a conflict is never touched here; one
//! that a person released stays released until its cause has gone once.

use super::super::draft::Draft;
use super::super::release::{self, Fate};
use super::super::settings::{FlowSettings, UnknownState};
use super::super::{fulfillment, overrides, wire};
use super::{plan, points};
use crate::canonical::check::Compared;
use crate::canonical::hold::{Clears, Hold, HoldReason};
use crate::canonical::order::{
    AcceptanceKind, AcceptanceState, ChannelState, DeliveryMode, OrderKind, PaymentMethod,
    PaymentStatus,
};
use crate::canonical::{Address, Field, HoldId, Order, Timestamp};
use serde_json::Value;

/// Who placed a hold: the gateway's rules.
pub(crate) const GATEWAY: &str = "gateway";
/// Who placed a hold: the channel's status.
pub(crate) const CHANNEL: &str = "channel";

/// Why an order must wait.
#[derive(Debug, PartialEq)]
pub(crate) struct Cause {
    pub reason: HoldReason,
    pub detail: Option<String>,
    pub by: &'static str,
    /// What would do instead.
    pub proposals: Vec<Value>,
}

impl Cause {
    pub(super) fn new(reason: HoldReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: Some(detail.into()),
            by: GATEWAY,
            proposals: Vec::new(),
        }
    }
}

/// Places and clears the holds whose cause can be seen.
pub(crate) fn reconcile(draft: &mut Draft<'_>) {
    let (causes, unasked) = if matters(draft) {
        all_causes(draft)
    } else {
        (Vec::new(), false)
    };
    let now = draft.now();
    let meta = &mut draft.state.order.meta;
    overrides::forget_waivers(&mut meta.overrides, |reason| {
        let kept = unasked && wire(&HoldReason::PickupPointInvalid) == reason;
        kept || causes.iter().any(|cause| wire(&cause.reason) == reason)
    });
    meta.holds.retain_mut(|hold| {
        if !derived(hold) {
            return true;
        }
        let cause = causes.iter().find(|cause| cause.reason == hold.reason);
        if let Some(cause) = cause {
            hold.detail.clone_from(&cause.detail);
            hold.proposals.clone_from(&cause.proposals);
        }
        cause.is_some() || (unasked && points::found_before(hold))
    });
    for cause in causes {
        let waived = overrides::is_waived(&meta.overrides, &wire(&cause.reason));
        let there = meta
            .holds
            .iter()
            .any(|hold| derived(hold) && hold.reason == cause.reason);
        if waived || there {
            meta.holds
                .retain(|hold| !(waived && derived(hold) && hold.reason == cause.reason));
            continue;
        }
        meta.holds.push(Hold {
            id: HoldId::new(),
            reason: cause.reason,
            detail: cause.detail,
            placed_by: cause.by.to_owned(),
            placed_at: now,
            clears: Clears::Itself,
            proposals: cause.proposals,
        });
    }
}

/// What can be seen of the order and of the world around it; and whether nobody looked for its
/// pickup point this time.
fn all_causes(draft: &Draft<'_>) -> (Vec<Cause>, bool) {
    let order = &draft.state.order;
    let mut causes = causes(&draft.settings, draft.now(), order);
    if !needs_carrier(&draft.settings, order) {
        return (causes, false);
    }
    causes.extend(plan::causes(draft));
    if plan::issuer(draft).is_some() {
        // The channel makes the label, and knows where the point is that it told in words.
        causes.retain(|cause| cause.detail.as_deref() != Some(points::UNNAMED));
    }
    let mut unasked = false;
    match points::look(draft) {
        points::Look::Fine => {}
        points::Look::Unasked => unasked = true,
        points::Look::Wrong(cause) => causes.push(cause),
    }
    (causes, unasked)
}

/// Something of it goes to the warehouse.
fn needs_carrier(settings: &FlowSettings, order: &Order) -> bool {
    let demands = fulfillment::demands(settings, order);
    demands.iter().any(|demand| demand.wanted.is_positive())
}

/// True for holds that these rules place and clear.
pub(crate) fn derived(hold: &Hold) -> bool {
    hold.clears == Clears::Itself && (hold.placed_by == GATEWAY || hold.placed_by == CHANNEL)
}

/// Holds are kept only where something could still go on.
fn matters(draft: &Draft<'_>) -> bool {
    let fate = release::fate(&draft.state);
    let parts = &draft.state.fulfillment_orders;
    fate == Fate::Alive && (parts.is_empty() || parts.iter().any(fulfillment::live))
}

/// Every cause that can be seen of the order alone, in the order of the model's list.
pub(crate) fn causes(settings: &FlowSettings, now: Timestamp, order: &Order) -> Vec<Cause> {
    let mut causes: Vec<Cause> = [
        payment(order),
        channel(settings, order),
        acceptance(order),
        details(order),
        edit_window(settings, now, order),
        duplicate(settings, order),
    ]
    .into_iter()
    .flatten()
    .collect();
    if needs_carrier(settings, order) {
        causes.extend(destination(order));
        causes.extend(cod(settings, order));
        causes.extend(skus(settings, order));
    }
    causes.extend(totals(settings, order));
    causes
}

fn payment(order: &Order) -> Option<Cause> {
    let facts = &order.facts;
    if facts.channel_state() == ChannelState::PendingPayment {
        return Some(Cause {
            by: CHANNEL,
            ..Cause::new(HoldReason::AwaitingPayment, "the channel waits for payment")
        });
    }
    let payment = facts.payment.or_default();
    let settled = match payment.status.or_default() {
        PaymentStatus::Paid | PaymentStatus::Authorized | PaymentStatus::PartiallyRefunded => true,
        PaymentStatus::Refunded => false,
        PaymentStatus::Unpaid | PaymentStatus::Unknown => matches!(
            payment.method.or_default(),
            PaymentMethod::Cod | PaymentMethod::OnAccount
        ),
    };
    let free = facts
        .stated_total()
        .is_some_and(|total| total.amount.is_zero());
    (!settled && !free).then(|| {
        let status = wire(&payment.status.or_default());
        Cause::new(HoldReason::AwaitingPayment, format!("payment is {status}"))
    })
}

fn channel(settings: &FlowSettings, order: &Order) -> Option<Cause> {
    let told = |detail: &str| Cause {
        by: CHANNEL,
        ..Cause::new(HoldReason::MerchantRequest, detail)
    };
    match &order.facts.channel_state {
        Field::Value(ChannelState::OnHold) => Some(told("on hold at the channel")),
        Field::Value(ChannelState::Draft) => Some(told("a draft at the channel")),
        Field::Value(ChannelState::Unknown) if settings.unknown_state == UnknownState::Hold => {
            let detail = "the channel's status is not in the connector's table";
            Some(Cause {
                by: CHANNEL,
                ..Cause::new(HoldReason::AwaitingConfirmation, detail)
            })
        }
        _ => None,
    }
}

fn acceptance(order: &Order) -> Option<Cause> {
    let acceptance = order.facts.acceptance.or_default();
    let state = acceptance.state.or_default();
    match state {
        AcceptanceState::Pending => Some(Cause::new(
            HoldReason::AwaitingAcceptance,
            match acceptance.kind.or_default() {
                AcceptanceKind::Decision => "the marketplace waits for an answer",
                AcceptanceKind::Receipt => "the marketplace waits to hear that the order arrived",
            },
        )),
        AcceptanceState::Refused | AcceptanceState::Expired => Some(Cause::new(
            HoldReason::AwaitingAcceptance,
            format!("acceptance is {}", wire(&state)),
        )),
        AcceptanceState::NotNeeded | AcceptanceState::Accepted => None,
    }
}

fn details(order: &Order) -> Option<Cause> {
    order.facts.details_missing.or_default().then(|| {
        Cause::new(
            HoldReason::AwaitingDetails,
            "the order is being read from the channel",
        )
    })
}

/// Until when the customer may change the order; `None` without such a setting.
pub(crate) fn edit_until(settings: &FlowSettings, order: &Order) -> Option<Timestamp> {
    if settings.edit_window.is_zero() {
        return None;
    }
    order
        .meta
        .received_at
        .checked_add(settings.edit_window)
        .ok()
}

fn edit_window(settings: &FlowSettings, now: Timestamp, order: &Order) -> Option<Cause> {
    let until = edit_until(settings, order).filter(|until| *until > now)?;
    Some(Cause::new(HoldReason::EditWindow, format!("until {until}")))
}

/// The setting may have been taken back since the order was looked at.
fn duplicate(settings: &FlowSettings, order: &Order) -> Option<Cause> {
    let twin = order
        .meta
        .duplicate_of
        .filter(|_| !settings.duplicate_window.is_zero())?;
    let detail = format!("the same customer, goods and address as {twin}");
    Some(Cause::new(HoldReason::SuspectedDuplicate, detail))
}

fn blank(text: Option<&String>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

/// The parts of an address without which no parcel arrives, by name.
fn missing_parts(address: Option<&Address>) -> Vec<&'static str> {
    let Some(address) = address else {
        return vec!["ship_to"];
    };
    let street = blank(address.line1.as_ref()) && blank(address.street.as_ref());
    [
        (street, "line1"),
        (blank(address.city.as_ref()), "city"),
        (blank(address.country.as_ref()), "country"),
    ]
    .into_iter()
    .filter_map(|(missing, part)| missing.then_some(part))
    .collect()
}

fn destination(order: &Order) -> Option<Cause> {
    let delivery = order.facts.delivery.or_default();
    match delivery.mode.or_default() {
        DeliveryMode::Home => {
            let missing = missing_parts(order.facts.ship_to.value());
            let quick = order.facts.kind.or_default() == OrderKind::Quick;
            let reason = if quick {
                HoldReason::IncompleteQuickOrder
            } else {
                HoldReason::IncorrectAddress
            };
            (!missing.is_empty())
                .then(|| Cause::new(reason, format!("missing: {}", missing.join(", "))))
        }
        DeliveryMode::PickupPoint => {
            let known = delivery
                .pickup_point
                .value()
                .is_some_and(|point| !blank(point.id.as_ref()));
            (!known).then(|| Cause::new(HoldReason::PickupPointInvalid, points::UNNAMED))
        }
        DeliveryMode::Collect | DeliveryMode::Digital => None,
    }
}

fn cod(settings: &FlowSettings, order: &Order) -> Vec<Cause> {
    let mut causes = Vec::new();
    let Some(due) = fulfillment::cod_due(order) else {
        return causes;
    };
    if settings.cod_limit.is_some_and(|limit| due.amount > limit) {
        causes.push(Cause::new(
            HoldReason::CodLimit,
            "the amount to collect is above the limit",
        ));
    }
    let currencies = settings.cod_currencies.as_ref();
    if currencies.is_some_and(|list| !list.contains(&due.currency)) {
        let detail = format!("{} is not collected", due.currency);
        causes.push(Cause::new(HoldReason::CodCurrency, detail));
    }
    causes
}

fn skus(settings: &FlowSettings, order: &Order) -> Option<Cause> {
    if !settings.require_sku {
        return None;
    }
    let missing: Vec<String> = fulfillment::demands(settings, order)
        .iter()
        .filter(|demand| demand.wanted.is_positive() && blank(demand.sku.as_ref()))
        .map(|demand| format!("lines.{}", demand.place))
        .collect();
    (!missing.is_empty()).then(|| {
        let detail = format!("no SKU: {}", missing.join(", "));
        Cause::new(HoldReason::SkuUnmapped, detail)
    })
}

/// Holds only where money to be collected depends on it, or by setting.
fn totals(settings: &FlowSettings, order: &Order) -> Option<Cause> {
    if !settings.hold_totals_mismatch && fulfillment::cod_due(order).is_none() {
        return None;
    }
    let found = super::super::totals::complete(&mut order.facts.clone()).ok()?;
    let total = found
        .iter()
        .find(|mismatch| mismatch.compared == Compared::Total)?;
    let detail = format!(
        "lines and charges differ from the total by {}",
        total.difference.amount
    );
    Some(Cause::new(HoldReason::TotalsMismatch, detail))
}
