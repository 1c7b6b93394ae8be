//! Laying a newer revision over the stored one.
//!
//! What always holds: a key that the shape does not tell keeps what is stored; a line keeps our
//! id, its place and everything that a newer revision does not tell; a line that a full list no
//! longer has stays, wholly cancelled, so that the warehouse sees what is gone; of an order that
//! is cancelled as a whole every line is, and nothing is owed.

use super::error::FlowError;
use crate::canonical::line::Line;
use crate::canonical::order::ChannelState;
use crate::canonical::{Amount, Field, LineId, MappedOrder, Merge, Money, OrderFacts, Quantity};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// The newer facts over the older ones (`None`: a new order). Lines have our ids afterwards.
pub(super) fn merge(
    older: Option<&OrderFacts>,
    mapped: MappedOrder,
) -> Result<OrderFacts, FlowError> {
    let mut newer = OrderFacts::from(mapped);
    let stored_lines = older.map_or(&[][..], |facts| facts.lines());
    let told = match std::mem::take(&mut newer.lines) {
        Field::Absent => None,
        Field::Null => Some(Vec::new()),
        Field::Value(lines) => Some(lines),
    };
    if let Some(lines) = told {
        newer.lines = Field::Value(merge_lines(stored_lines, lines));
    }
    if let Some(older) = older {
        keep_attributes(&mut newer.attributes, &older.attributes);
        newer.merge_over(older);
    }
    if newer.channel_state() == ChannelState::Cancelled {
        cancel_whole(&mut newer);
    }
    check_lines(&newer)?;
    Ok(newer)
}

/// Keys of `attributes` that a shape does not tell stay: REST, list and webhook shapes carry
/// different extras, and must not wipe each other's.
fn keep_attributes(newer: &mut Field<Map<String, Value>>, older: &Field<Map<String, Value>>) {
    if let (Some(newer), Some(older)) = (newer.value_mut(), older.value()) {
        for (key, value) in older {
            if !newer.contains_key(key) {
                newer.insert(key.clone(), value.clone());
            }
        }
    }
}

/// By what two revisions of a line are the same line: the channel's id, else what it is; and the
/// how-manieth of that kind, because some channels repeat ids.
fn keys(lines: &[Line]) -> Vec<(String, usize)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    lines
        .iter()
        .map(|line| {
            let name = match line.external_id.text() {
                Some(id) => format!("i:{id}"),
                None => format!(
                    "s:{}\n{}",
                    line.sku.text().unwrap_or_default(),
                    line.name.text().unwrap_or_default()
                ),
            };
            let count = seen.entry(name.clone()).or_insert(0);
            *count += 1;
            (name, *count)
        })
        .collect()
}

fn merge_lines(older: &[Line], newer: Vec<Line>) -> Vec<Line> {
    let mut waiting: BTreeMap<usize, Line> = BTreeMap::new();
    let mut places: HashMap<(String, usize), usize> = HashMap::new();
    for (place, key) in keys(&newer).into_iter().enumerate() {
        places.insert(key, place);
    }
    waiting.extend(newer.into_iter().enumerate());
    let mut merged = Vec::with_capacity(older.len().max(waiting.len()));
    // Stored lines keep their places, so that `lines.0.sku` means the same line for ever.
    for (old, key) in older.iter().zip(keys(older)) {
        let again = places.get(&key).and_then(|place| waiting.remove(place));
        merged.push(match again {
            Some(mut line) => {
                line.id = old.id;
                revive(&mut line, old);
                keep_attributes(&mut line.attributes, &old.attributes);
                line.merge_over(old);
                line
            }
            None => cancelled(old),
        });
    }
    for (_, mut line) in waiting {
        line.id = Field::Value(LineId::new());
        merged.push(line);
    }
    merged
}

/// A line that was gone and is owed again is wanted again, also where the shape tells nothing of
/// cancelled quantities: that it was gone may have been our own conclusion.
fn revive(line: &mut Line, old: &Line) {
    let gone = old.quantity.or_default().is_positive() && !old.wanted().is_positive();
    let owed = line
        .total
        .value()
        .is_some_and(|total| !total.amount.is_zero());
    if gone && owed && line.cancelled_quantity.is_absent() {
        line.cancelled_quantity = Field::Value(Quantity::ZERO);
    }
}

fn zero(money: &mut Field<Money>) {
    if let Some(money) = money.value_mut()
        && !money.amount.is_zero()
    {
        money.amount = none_of(money.amount);
    }
}

/// Nothing, in the same scale ("0.00").
fn none_of(amount: Amount) -> Amount {
    Amount::new(Decimal::new(0, amount.decimal().scale()))
}

/// The line, wholly cancelled: nothing of it is owed or shipped any more.
fn cancelled(line: &Line) -> Line {
    let mut line = line.clone();
    if line.wanted().is_positive() {
        line.cancelled_quantity = line.quantity;
    }
    zero(&mut line.total);
    zero(&mut line.tax);
    zero(&mut line.discount);
    line
}

/// The order, cancelled as a whole: every line gone, nothing owed.
fn cancel_whole(facts: &mut OrderFacts) {
    if let Some(lines) = facts.lines.value_mut() {
        for line in lines {
            *line = cancelled(line);
        }
    }
    for charge in facts.charges.value_mut().into_iter().flatten() {
        charge.total.amount = none_of(charge.total.amount);
        if let Some(tax) = &mut charge.tax {
            tax.amount = none_of(tax.amount);
        }
    }
    if let Some(totals) = facts.totals.value_mut() {
        zero(&mut totals.total);
        zero(&mut totals.tax);
        zero(&mut totals.discount);
    }
    if let Some(payment) = facts.payment.value_mut() {
        payment.cod_amount = Field::Null;
    }
}

/// A line without a quantity is never guessed to be 1.
fn check_lines(facts: &OrderFacts) -> Result<(), FlowError> {
    let missing: Vec<String> = facts
        .lines()
        .iter()
        .enumerate()
        .filter(|(_, line)| line.quantity.value().is_none())
        .map(|(place, _)| format!("lines.{place}.quantity"))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(FlowError::BrokenContract { missing })
    }
}
