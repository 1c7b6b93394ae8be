//! One purchase that came twice: a checkout sent twice, an order taken by phone and entered again.
//!
//! The rule: same merchant, another order; same e-mail or phone; the same goods (SKU, or name where
//! there is none, and quantity); the same destination; placed at most `duplicate_window_minutes`
//! apart. Of two such orders the one that reached us later waits (hold `suspected_duplicate`), until
//! a person releases it or the other one is cancelled.
//!
//! What always holds: a replacement is no duplicate; an order that waits for payment makes none
//! (most second orders are a second try to pay); what was found once stands until someone looked
//! again ([`FlowContext::similar`]) and the other one does not count any more, so that commands and
//! later revisions need no look.

use super::FlowContext;
use super::draft::Draft;
use super::release::{self, Fate};
use super::settings::duplicate_window;
use crate::canonical::order::{OrderKind, OrderStatus};
use crate::canonical::{Address, Contact, MerchantId, Order, OrderFacts, OrderId, Timestamp};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// Where to look for an order's twins.
#[derive(Debug, Clone, PartialEq)]
pub struct Similar {
    /// Whose orders.
    pub merchant_id: MerchantId,
    /// Reached by the same e-mail or the same phone.
    pub contact: Contact,
    /// Placed not before.
    pub from: Timestamp,
    /// Placed not after.
    pub to: Timestamp,
}

/// Where to look for twins of an order with these facts; `None` when the setting is off or the
/// facts cannot have any.
pub fn similar_to(ctx: &FlowContext<'_>, facts: &OrderFacts) -> Option<Similar> {
    let window = duplicate_window(ctx);
    let contact = Contact::of(facts);
    if window.is_zero() || contact.is_empty() || facts.lines().is_empty() {
        return None;
    }
    let placed = facts.placed_at.value().copied().unwrap_or(ctx.now);
    Some(Similar {
        merchant_id: ctx.connection.merchant_id,
        contact,
        from: placed.checked_sub(window).ok()?,
        to: placed.checked_add(window).ok()?,
    })
}

/// Notes which order this one repeats, when someone looked.
pub(super) fn reconcile(draft: &mut Draft<'_>) {
    let Some(similar) = draft.ctx.similar else {
        return;
    };
    let order = &draft.state.order;
    let twin = match order.meta.duplicate_of {
        // Only a new order is judged: a later revision says nothing about a repetition.
        None if draft.before.is_some() => return,
        Some(twin) if similar.iter().any(|o| o.meta.id == twin && counts(o)) => return,
        _ if release::fate(&draft.state) == Fate::Alive => {
            first_of(order, similar, draft.settings.duplicate_window)
        }
        _ => None,
    };
    draft.state.order.meta.duplicate_of = twin;
}

/// The earliest order that this one repeats.
fn first_of(order: &Order, similar: &[Order], window: SignedDuration) -> Option<OrderId> {
    let mine = Purchase::of(order)?;
    let twins = similar.iter().filter(|other| {
        other.meta.id < order.meta.id
            && other.meta.merchant_id == order.meta.merchant_id
            && counts(other)
            && Purchase::of(other).is_some_and(|theirs| mine.is(&theirs, window))
    });
    twins.map(|twin| twin.meta.id).min()
}

/// True for an order that would be shipped beside its repetition, or was.
fn counts(other: &Order) -> bool {
    !matches!(
        other.meta.status,
        OrderStatus::Cancelled | OrderStatus::PendingPayment
    )
}

/// What two orders are compared by.
struct Purchase {
    contact: Contact,
    placed: Timestamp,
    goods: BTreeMap<String, String>,
    place: Option<[String; 8]>,
}

impl Purchase {
    fn of(order: &Order) -> Option<Self> {
        let facts = &order.facts;
        if facts.kind.or_default() == OrderKind::Replacement || facts.test.or_default() {
            return None;
        }
        let delivery = facts.delivery.or_default();
        let point = delivery.pickup_point.value().and_then(|p| p.id.as_deref());
        Some(Self {
            contact: Contact::of(facts),
            placed: *facts.placed_at.value()?,
            goods: goods(facts)?,
            place: facts.ship_to.value().map(|to| place(to, point)),
        })
    }

    fn is(&self, other: &Self, window: SignedDuration) -> bool {
        let apart = self.placed.duration_since(other.placed).abs();
        apart <= window
            && self.contact.meets(&other.contact)
            && self.place == other.place
            && self.goods == other.goods
    }
}

/// How much of what is wanted; `None` when nothing is.
fn goods(facts: &OrderFacts) -> Option<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for line in facts.lines() {
        let wanted = line.wanted();
        if !wanted.is_positive() {
            continue;
        }
        let name = line.sku.text().or(line.name.text()).unwrap_or_default();
        let key = format!("{} {}", line.unit.text().unwrap_or("C62"), plain(name));
        let sum = sums.entry(key).or_insert(crate::canonical::Quantity::ZERO);
        *sum = sum.plus(wanted)?;
    }
    let text = |sum: crate::canonical::Quantity| sum.decimal().normalize().to_string();
    let goods: BTreeMap<String, String> = sums.into_iter().map(|(k, sum)| (k, text(sum))).collect();
    (!goods.is_empty()).then_some(goods)
}

/// The destination, whatever the case and the blanks.
fn place(to: &Address, point: Option<&str>) -> [String; 8] {
    [
        to.line1.as_deref(),
        to.line2.as_deref(),
        to.street.as_deref(),
        to.house_number.as_deref(),
        to.postal_code.as_deref(),
        to.city.as_deref(),
        to.country.as_deref(),
        point,
    ]
    .map(|part| plain(part.unwrap_or_default()))
}

fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}
