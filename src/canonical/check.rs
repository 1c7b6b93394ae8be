//! The money check: `totals.items` and `totals.charges` are computed here, and what the channel
//! states is compared with them (DECISIONS 13).
//!
//! What always holds: nothing is "fixed" — what does not add up is kept and told as a
//! [`Mismatch`]; what a shape does not tell is not checked; arithmetic is checked, an overflow or
//! two currencies in one sum are an error, never a panic.

use super::line::{Charge, Line};
use super::money::MoneyError;
use super::order::{OrderFacts, Totals};
use super::{Amount, Currency, Field, Money};
use rust_decimal::Decimal;
use serde::Serialize;

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The total with the sum of lines and charges.
    Total,
    /// The tax with the tax of lines and charges.
    Tax,
    /// A line's total with price × quantity − discount; informative.
    Line,
}

/// Two amounts that should be equal and are not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// What was compared.
    pub compared: Compared,
    /// Which line, from 0, for [`Compared::Line`].
    pub index: Option<usize>,
    /// What the channel states.
    pub stated: Money,
    /// What we compute.
    pub computed: Money,
    /// Stated less computed.
    pub difference: Money,
}

impl Mismatch {
    /// Informative only: no `totals_mismatch` problem comes of it.
    pub const fn informative(&self) -> bool {
        matches!(self.compared, Compared::Line)
    }
}

/// Fills in `totals.items` and `totals.charges` where all lines or charges tell their total, and
/// says what does not add up. The total is compared exactly, the tax only when every line and
/// charge tells its tax, lines with one minor unit of tolerance.
///
/// # Errors
/// When a sum does not fit or would add two currencies: the payload cannot be understood.
pub fn complete_totals(facts: &mut OrderFacts) -> Result<Vec<Mismatch>, MoneyError> {
    let currency = currency_of(facts);
    let items = sum(
        currency,
        known(&facts.lines).map(|lines| lines.iter().map(line_total).collect()),
    )?;
    let charges = sum(
        currency,
        known(&facts.charges).map(|list| list.iter().map(|c| Some(c.total)).collect()),
    )?;
    let tax = all_tax(facts, currency)?;
    set(facts, items, charges);
    let mut mismatches = Vec::new();
    if let (Some(items), Some(charges), Some(stated)) = (items, charges, facts.stated_total()) {
        compare(
            Compared::Total,
            stated,
            items.add(charges)?,
            &mut mismatches,
        )?;
    }
    let stated_tax = facts
        .totals
        .value()
        .and_then(|totals| totals.tax.value().copied());
    if let (Some(stated), Some(computed)) = (stated_tax, tax) {
        compare(Compared::Tax, stated, computed, &mut mismatches)?;
    }
    for (index, line) in facts.lines().iter().enumerate() {
        mismatches.extend(line_mismatch(index, line));
    }
    Ok(mismatches)
}

/// The order's currency; where it is not told, the first one met.
fn currency_of(facts: &OrderFacts) -> Option<Currency> {
    facts
        .currency
        .value()
        .copied()
        .or_else(|| facts.stated_total().map(|total| total.currency))
        .or_else(|| {
            facts
                .lines()
                .iter()
                .find_map(line_total)
                .map(|total| total.currency)
        })
        .or_else(|| facts.charges().first().map(|charge| charge.total.currency))
}

/// The items of a list that the shape tells; "known to be none" is an empty list.
fn known<T>(list: &Field<Vec<T>>) -> Option<&[T]> {
    match list {
        Field::Absent => None,
        Field::Null => Some(&[]),
        Field::Value(items) => Some(items),
    }
}

fn line_total(line: &Line) -> Option<Money> {
    line.total.value().copied()
}

/// The sum when the list and each of its amounts is told; begins at zero with the currency's
/// minor digits, so that nothing is "0.00".
fn sum(
    currency: Option<Currency>,
    amounts: Option<Vec<Option<Money>>>,
) -> Result<Option<Money>, MoneyError> {
    let (Some(currency), Some(amounts)) = (currency, amounts) else {
        return Ok(None);
    };
    let mut total = Money::new(
        Amount::new(Decimal::new(0, currency.minor_digits())),
        currency,
    );
    for amount in amounts {
        let Some(amount) = amount else {
            return Ok(None);
        };
        total = total.add(amount)?;
    }
    Ok(Some(total))
}

fn all_tax(facts: &OrderFacts, currency: Option<Currency>) -> Result<Option<Money>, MoneyError> {
    let (Some(lines), Some(charges)) = (known(&facts.lines), known(&facts.charges)) else {
        return Ok(None);
    };
    let of_lines = lines.iter().map(|line| line.tax.value().copied());
    let of_charges = charges.iter().map(|charge: &Charge| charge.tax);
    sum(currency, Some(of_lines.chain(of_charges).collect()))
}

/// Writes the computed sums. They are ours: what a mapping put there does not stay.
fn set(facts: &mut OrderFacts, items: Option<Money>, charges: Option<Money>) {
    let field = |sum: Option<Money>| sum.map_or(Field::Absent, Field::Value);
    if let Some(totals) = facts.totals.value_mut() {
        totals.items = field(items);
        totals.charges = field(charges);
        return;
    }
    if items.is_none() && charges.is_none() {
        return;
    }
    let mut totals = Totals {
        items: field(items),
        charges: field(charges),
        ..Totals::default()
    };
    if matches!(facts.totals, Field::Null) {
        // The channel said "none": that must not turn into "not told".
        (totals.discount, totals.tax, totals.total) = (Field::Null, Field::Null, Field::Null);
    }
    facts.totals = Field::Value(totals);
}

fn compare(
    what: Compared,
    stated: Money,
    computed: Money,
    into: &mut Vec<Mismatch>,
) -> Result<(), MoneyError> {
    if stated.currency != computed.currency {
        return Err(MoneyError::CurrencyMismatch(
            stated.currency,
            computed.currency,
        ));
    }
    let difference = Money::new(stated.amount.sub(computed.amount)?, stated.currency);
    if !difference.amount.is_zero() {
        into.push(Mismatch {
            compared: what,
            index: None,
            stated,
            computed,
            difference,
        });
    }
    Ok(())
}

/// Informative, so what does not fit is left unchecked rather than refused.
fn line_mismatch(index: usize, line: &Line) -> Option<Mismatch> {
    let (stated, price) = (*line.total.value()?, *line.unit_price.value()?);
    line.quantity.value()?;
    let discount = match &line.discount {
        Field::Absent => return None,
        Field::Null => Amount::ZERO,
        Field::Value(money) if money.currency == price.currency => money.amount,
        Field::Value(_) => return None,
    };
    if stated.currency != price.currency {
        return None;
    }
    let computed = price
        .amount
        .mul(line.wanted().decimal())
        .ok()?
        .sub(discount)
        .ok()?;
    let difference = stated.amount.sub(computed).ok()?;
    let tolerated = difference.abs() <= stated.currency.minor_unit();
    (!tolerated).then(|| Mismatch {
        compared: Compared::Line,
        index: Some(index),
        stated,
        computed: Money::new(computed, stated.currency),
        difference: Money::new(difference, stated.currency),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn facts(value: serde_json::Value) -> OrderFacts {
        serde_json::from_value(value).unwrap()
    }
    fn eur(amount: &str) -> serde_json::Value {
        json!({"amount": amount, "currency": "EUR"})
    }

    #[test]
    fn sums_are_filled_in_and_differences_told() {
        let mut order = facts(json!({
            "currency": "EUR",
            "lines": [{"total": eur("10.00"), "tax": eur("1.00")}, {"total": eur("2.5"), "tax": eur("0.25")}],
            "charges": [{"kind": "shipping", "total": eur("3.00"), "tax": eur("0.30")}],
            "totals": {"total": eur("15.49"), "tax": eur("1.55"), "items": eur("99")},
        }));
        let found = complete_totals(&mut order).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].compared, Compared::Total);
        assert_eq!(found[0].difference.amount.to_string(), "-0.01");
        let totals = order.totals.value().unwrap();
        assert_eq!(totals.items.value().unwrap().amount.to_string(), "12.50");
        assert_eq!(totals.charges.value().unwrap().amount.to_string(), "3.00");
    }

    #[test]
    fn what_is_not_told_is_not_checked() {
        let mut order = facts(json!({
            "currency": "EUR",
            "lines": [{"total": eur("10.00"), "tax": null}],
            "totals": {"total": eur("99.00"), "tax": eur("5.00")},
        }));
        assert_eq!(complete_totals(&mut order).unwrap(), []);
        let totals = order.totals.value().unwrap();
        assert!(totals.items.value().is_some());
        assert!(totals.charges.is_absent());
    }

    #[test]
    fn null_totals_stay_known_to_be_none() {
        let mut order =
            facts(json!({"currency": "EUR", "lines": [], "charges": null, "totals": null}));
        assert_eq!(complete_totals(&mut order).unwrap(), []);
        let text = serde_json::to_value(&order).unwrap();
        assert_eq!(text["totals"]["items"], eur("0.00"));
        assert_eq!(text["totals"]["total"], json!(null));
    }

    #[test]
    fn two_currencies_and_overflow_are_errors() {
        let mut mixed = facts(json!({
            "currency": "EUR",
            "lines": [{"total": {"amount": "1", "currency": "USD"}}],
        }));
        assert!(matches!(
            complete_totals(&mut mixed),
            Err(MoneyError::CurrencyMismatch(..))
        ));
        let large = eur("79228162514264337593543950335");
        let mut order =
            facts(json!({"currency": "EUR", "lines": [{"total": large}, {"total": large}]}));
        assert_eq!(complete_totals(&mut order), Err(MoneyError::Overflow));
    }

    #[test]
    fn a_line_is_checked_with_one_cent_and_only_informs() {
        let line = |total: &str| json!({"quantity": 3, "cancelled_quantity": 1, "unit_price": eur("3.333"), "discount": eur("0.50"), "total": eur(total)});
        for (total, told) in [("6.17", false), ("6.16", false), ("6.15", true)] {
            let mut order = facts(json!({"currency": "EUR", "lines": [line(total)]}));
            let found = complete_totals(&mut order).unwrap();
            assert_eq!(found.len(), usize::from(told), "{total}");
            assert!(found.iter().all(Mismatch::informative));
        }
    }

    proptest! {
        #[test]
        fn the_difference_is_exact(
            lines in proptest::collection::vec((any::<i32>(), 0u32..5), 0..6),
            charges in proptest::collection::vec((any::<i32>(), 0u32..5), 0..4),
            off in any::<i16>(),
        ) {
            let amount = |(units, scale): &(i32, u32)| Amount::new(Decimal::new((*units).into(), *scale));
            let all: Amount = lines.iter().chain(&charges).map(amount).fold(Amount::ZERO, |a, b| a.add(b).unwrap());
            let off = Amount::new(Decimal::new(off.into(), 2));
            let money = |a: Amount| json!({"amount": a, "currency": "EUR"});
            let mut order = facts(json!({
                "currency": "EUR",
                "lines": lines.iter().map(|l| json!({"total": money(amount(l))})).collect::<Vec<_>>(),
                "charges": charges.iter().map(|c| json!({"kind": "other", "total": money(amount(c))})).collect::<Vec<_>>(),
                "totals": {"total": money(all.add(off).unwrap())},
            }));
            let before = order.clone();
            let found = complete_totals(&mut order).unwrap();
            if off.is_zero() {
                prop_assert!(found.is_empty());
            } else {
                prop_assert_eq!(found[0].difference.amount, off);
            }
            // Twice is the same as once, and nothing but the sums changed.
            let mut again = order.clone();
            prop_assert_eq!(complete_totals(&mut again).unwrap(), found);
            prop_assert_eq!(&again, &order);
            prop_assert_eq!(&before.lines, &order.lines);
            prop_assert_eq!(before.stated_total(), order.stated_total());
        }
    }
}
