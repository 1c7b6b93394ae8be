//! By which carrier account and service a part goes.
//!
//! What always holds: an operator's word goes first, then the order's own channel where that issues
//! the labels (setting `labels`), then the rules; the first rule that fits decides,
//! and is not passed over because its account cannot be used now; without rules nothing is planned
//! and nothing is held; the plan says why.

use super::super::draft::Draft;
use super::super::fulfillment;
use super::super::settings::Labels;
use super::super::world::{CarrierAccount, CarrierRule, World};
use super::super::{cod, wire};
use super::holds::Cause;
use crate::canonical::connection::{ConnectionState, Owner};
use crate::canonical::fulfillment::{CarrierPlan, FulfillmentLine, FulfillmentOrder};
use crate::canonical::hold::HoldReason;
use crate::canonical::order::{DeliveryMode, Override};
use crate::canonical::{MerchantId, OrderFacts};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// What is to become of a part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Nobody asks for a plan.
    Unplanned,
    /// So it goes.
    Planned(CarrierPlan),
    /// It cannot go: why.
    Unmapped(String),
}

/// What rules look at.
struct Case<'a> {
    facts: &'a OrderFacts,
    draft: &'a Draft<'a>,
    weight_g: Option<Decimal>,
    cod: bool,
}

/// How the part goes now.
pub(crate) fn decide(draft: &Draft<'_>, part: &FulfillmentOrder) -> Verdict {
    let state = &draft.state;
    let facts = &state.order.facts;
    let overrides = &state.order.meta.overrides;
    let delivery = facts.delivery.or_default();
    let named = overridden(overrides, "carrier").then(|| delivery.carrier.text());
    let service = overridden(overrides, "service").then(|| delivery.service.text());
    let service = service.flatten().filter(|service| !blank(service));
    if let Some(name) = named.flatten().filter(|name| !blank(name))
        && let Some(account) = by_name(draft, name)
    {
        return checked(
            draft,
            account,
            service,
            "operator",
            format!("carrier {name}"),
        );
    }
    if let Some(account) = issuer(draft) {
        let (by, mut why) = ("channel", "the channel issues the label".to_owned());
        if service.is_some() {
            why.push_str(", with the operator's service");
        }
        return checked(draft, account, service, by, why);
    }
    let case = Case {
        facts,
        draft,
        weight_g: weight(facts, &part.lines),
        cod: fulfillment::cod_of(state, part).is_some(),
    };
    by_rule(&case, service)
}

/// The order's own channel, where it issues the labels and is to (setting `labels`).
pub(super) fn issuer<'a>(draft: &Draft<'a>) -> Option<&'a CarrierAccount> {
    let account = draft
        .ctx
        .world
        .carrier(draft.state.order.meta.connection_id)?;
    let carried = matches!(
        mode(&draft.state.order.facts),
        DeliveryMode::Home | DeliveryMode::PickupPoint
    );
    (draft.settings.labels == Labels::Channel && account.buys_labels && carried).then_some(account)
}

fn by_rule(case: &Case<'_>, operators_service: Option<&str>) -> Verdict {
    let draft = case.draft;
    let rules = &draft.ctx.world.rules;
    let found = rules.iter().enumerate().find(|(_, rule)| fits(rule, case));
    let Some((place, rule)) = found else {
        let mode = mode(case.facts);
        let carried = matches!(mode, DeliveryMode::Home | DeliveryMode::PickupPoint);
        return if rules.is_empty() || !carried {
            Verdict::Unplanned
        } else {
            Verdict::Unmapped("no carrier rule fits this order".to_owned())
        };
    };
    let mut why = rule.name.as_deref().map_or_else(
        || format!("rule {}", place + 1),
        |name| format!("rule {}: {name}", place + 1),
    );
    let service = operators_service.or(rule.service.as_deref());
    let by = if operators_service.is_some() {
        why.push_str(", with the operator's service");
        "operator"
    } else {
        "rule"
    };
    let Some(id) = rule.connection_id else {
        return Verdict::Planned(CarrierPlan {
            connection_id: None,
            service: service.map(str::to_owned),
            decided_by: by.to_owned(),
            why,
        });
    };
    match draft.ctx.world.carrier(id) {
        Some(account) => checked(draft, account, service, by, why),
        None => Verdict::Unmapped(format!(
            "{why}: its account is none that this merchant may use"
        )),
    }
}

/// The plan, unless something stands in its way.
fn checked(
    draft: &Draft<'_>,
    account: &CarrierAccount,
    service: Option<&str>,
    by: &str,
    why: String,
) -> Verdict {
    let merchant = draft.state.order.meta.merchant_id;
    let own = account.serves(draft.state.order.meta.connection_id);
    let obstacle = match own {
        true => obstacle(account, merchant, service),
        false => Some("issues labels for its own orders only".to_owned()),
    };
    match obstacle {
        Some(what) => Verdict::Unmapped(format!(
            "{why}: the account {} {what}",
            account.connection.name
        )),
        None => Verdict::Planned(CarrierPlan {
            connection_id: Some(account.connection.id),
            service: service.map(str::to_owned),
            decided_by: by.to_owned(),
            why,
        }),
    }
}

/// Why the account cannot be used for this merchant and service.
fn obstacle(
    account: &CarrierAccount,
    merchant: MerchantId,
    service: Option<&str>,
) -> Option<String> {
    let connection = &account.connection;
    if connection.state != ConnectionState::Active {
        return Some(format!("is {}", wire(&connection.state)));
    }
    let contract = account.contract(merchant);
    if connection.owner == Owner::Operator && contract.is_none() {
        return Some("has no contract for this merchant".to_owned());
    }
    let allowed = contract.map_or(&[][..], |contract| contract.services.as_slice());
    service
        .filter(|service| !allowed.is_empty() && !allowed.iter().any(|one| one == service))
        .map(|service| format!("has no service {service} in its contract"))
}

/// True when an operator corrected this key of `delivery`.
fn overridden(overrides: &[Override], key: &str) -> bool {
    let whole = |over: &Override| over.value.get(key).is_some_and(|value| !value.is_null());
    overrides.iter().any(|over| {
        over.path.strip_prefix("delivery.") == Some(key) || (over.path == "delivery" && whole(over))
    })
}

/// The account that is meant: by its id, its name, or the carrier's; rather one that can be used.
fn by_name<'a>(draft: &Draft<'a>, name: &str) -> Option<&'a CarrierAccount> {
    let name = name.trim();
    let merchant = draft.state.order.meta.merchant_id;
    let orders_of = draft.state.order.meta.connection_id;
    let accounts = &draft.ctx.world.carriers;
    let by: [fn(&CarrierAccount) -> String; 4] = [
        |account| account.connection.id.to_string(),
        |account| account.connection.name.clone(),
        |account| account.carrier_name.clone(),
        |account| account.connection.connector.clone(),
    ];
    by.iter().find_map(|text| {
        let mut named = accounts
            .iter()
            .filter(|account| account.serves(orders_of) && same(&text(account), name))
            .peekable();
        let first = named.peek().copied();
        named
            .find(|account| obstacle(account, merchant, None).is_none())
            .or(first)
    })
}

fn same(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}
fn blank(text: &str) -> bool {
    text.trim().is_empty()
}
pub(super) fn mode(facts: &OrderFacts) -> DeliveryMode {
    facts.delivery.or_default().mode.or_default()
}

/// True when every condition that the rule gives holds. Goods that no carrier brings need a rule
/// that names their mode.
fn fits(rule: &CarrierRule, case: &Case<'_>) -> bool {
    let meta = &case.draft.state.order.meta;
    let delivery = case.facts.delivery.or_default();
    let point = delivery.pickup_point.value();
    let country = case.facts.ship_to.value().and_then(|to| to.country.clone());
    let mode = mode(case.facts);
    let of_list = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|one| same(one, value)))
    };
    let modes = if rule.mode.is_empty() {
        matches!(mode, DeliveryMode::Home | DeliveryMode::PickupPoint)
    } else {
        rule.mode.contains(&mode)
    };
    let weight =
        |bound: Option<u64>, fits: fn(Decimal, Decimal) -> bool| match (bound, case.weight_g) {
            (Some(bound), Some(weight)) => fits(weight, Decimal::from(bound)),
            _ => true,
        };
    modes
        && rule.merchant_id.is_none_or(|id| id == meta.merchant_id)
        && rule.shop_id.is_none_or(|id| id == meta.connection_id)
        && method(&rule.method_code, delivery.method_code.text())
        && of_list(&rule.carrier, delivery.carrier.text())
        && of_list(&rule.network, point.and_then(|p| p.network.as_deref()))
        && of_list(&rule.country, country.as_deref())
        && weight(rule.min_weight_g, |weight, bound| weight >= bound)
        && weight(rule.max_weight_g, |weight, bound| weight <= bound)
        && rule.cod.is_none_or(|cod| cod == case.cod)
}

fn method(patterns: &[String], code: Option<&str>) -> bool {
    let fits = |pattern: &String, code: &str| match pattern.strip_suffix('*') {
        Some(beginning) => code.starts_with(beginning),
        None => pattern == code,
    };
    patterns.is_empty()
        || code.is_some_and(|code| patterns.iter().any(|pattern| fits(pattern, code)))
}

/// Grams of these lines; `None` when any is unknown.
fn weight(facts: &OrderFacts, lines: &[FulfillmentLine]) -> Option<Decimal> {
    let mut sum = Decimal::ZERO;
    for line in lines.iter().filter(|line| line.quantity.is_positive()) {
        sum = sum.checked_add(grams(facts, line)?)?;
    }
    Some(sum)
}

/// At least so many grams: lines whose weight is known.
pub(super) fn known_weight(facts: &OrderFacts, lines: &[FulfillmentLine]) -> u64 {
    let known = lines.iter().filter_map(|line| grams(facts, line));
    let sum = known.fold(Decimal::ZERO, |sum, grams| sum.saturating_add(grams));
    sum.ceil().to_u64().unwrap_or(0)
}

fn grams(facts: &OrderFacts, line: &FulfillmentLine) -> Option<Decimal> {
    let fact = facts
        .lines()
        .iter()
        .find(|fact| fact.id.value() == Some(&line.line_id))?;
    let one = fact.weight_g.value()?.decimal();
    one.checked_mul(line.quantity.decimal())
}

/// The parts for which a plan can still be made.
fn open<'d>(draft: &'d Draft<'_>) -> impl Iterator<Item = &'d FulfillmentOrder> {
    let parts = draft.state.fulfillment_orders.iter();
    parts.filter(|part| fulfillment::mutable(part) && fulfillment::remains(part))
}

/// What no rule sends anywhere, and cash that cannot be told in the carrier's currency.
pub(super) fn causes(draft: &Draft<'_>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let mut add = |reason: HoldReason, detail: String| {
        if causes.iter().all(|cause| cause.reason != reason) {
            causes.push(Cause::new(reason, detail));
        }
    };
    for part in open(draft) {
        match decide(draft, part) {
            Verdict::Unplanned => {}
            Verdict::Unmapped(detail) => add(HoldReason::MethodUnmapped, detail),
            Verdict::Planned(plan) => {
                let id = plan.connection_id;
                let account = id.and_then(|id| draft.ctx.world.carrier(id));
                let cash = fulfillment::cod_of(&draft.state, part);
                if let (Some(account), Some(cash)) = (account, cash)
                    && let Err(error) = cod::due(draft, account, cash)
                {
                    add(HoldReason::CodCurrency, error.to_string());
                }
            }
        }
    }
    causes
}

/// The networks in whose directories a point with this network is to be looked up: the named one
/// where its directory is loaded, else those of the accounts that may carry the order.
pub fn networks_asked(world: &World, network: Option<&str>) -> Vec<String> {
    let named = network.and_then(|network| loaded(world, network));
    if let Some(named) = named {
        return vec![named];
    }
    let mut networks: Vec<String> = Vec::new();
    for account in &world.carriers {
        networks.extend(networks_of(world, account));
    }
    networks.sort();
    networks.dedup();
    networks
}

pub(super) fn loaded(world: &World, network: &str) -> Option<String> {
    let mut networks = world.networks.keys();
    networks.find(|known| same(known, network)).cloned()
}

/// The networks of an account: those of the directories that were read with it, or with another
/// account of the same carrier.
pub(super) fn networks_of(world: &World, account: &CarrierAccount) -> Vec<String> {
    let of = |wanted: &dyn Fn(&CarrierAccount) -> bool| -> Vec<String> {
        let networks = world.networks.iter();
        let read_with = |id| world.carrier(id).is_some_and(wanted);
        networks
            .filter(|(_, id)| read_with(**id))
            .map(|(network, _)| network.clone())
            .collect()
    };
    let own = of(&|other| other.connection.id == account.connection.id);
    if own.is_empty() {
        of(&|other| other.connection.connector == account.connection.connector)
    } else {
        own
    }
}
