//! The sums that we compute, and what does not add up.
//!
//! What always holds: `totals.items` and `totals.charges` are ours, `total` and `tax` are the
//! channel's and stay as it states them; a difference is reported, never "fixed".

use crate::canonical::{Amount, Currency, Field, Money, MoneyError, OrderFacts};

/// What does not add up: lines and charges less what the channel states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// `total` or `tax`.
    pub of: &'static str,
    /// Our sum less the channel's.
    pub difference: Money,
}

/// Fills `totals.items` and `totals.charges` and compares with what the channel states. Lines
/// whose total is not told make no mismatch.
pub(super) fn complete(facts: &mut OrderFacts) -> Result<Vec<Mismatch>, MoneyError> {
    let Some(currency) = facts.currency.value().copied() else {
        return Ok(Vec::new());
    };
    let line_totals = || facts.lines().iter().map(|line| line.total.value());
    let items = sum(currency, line_totals().flatten())?;
    let charges = sum(currency, facts.charges().iter().map(|charge| &charge.total))?;
    let complete = line_totals().all(|total| total.is_some());
    let taxes = taxes(facts, currency)?;
    let Some(totals) = facts.totals.value_mut() else {
        return Ok(Vec::new());
    };
    totals.items = Field::Value(items);
    totals.charges = Field::Value(charges);
    let mut found = Vec::new();
    let mut check = |of, ours: Money, stated: Option<&Money>| -> Result<(), MoneyError> {
        let Some(stated) = stated else { return Ok(()) };
        if stated.currency != currency {
            return Err(MoneyError::CurrencyMismatch(currency, stated.currency));
        }
        let difference = ours.amount.sub(stated.amount)?;
        if !difference.is_zero() {
            let difference = Money::new(difference, currency);
            found.push(Mismatch { of, difference });
        }
        Ok(())
    };
    if complete {
        check("total", items.add(charges)?, totals.total.value())?;
    }
    if let Some(taxes) = taxes {
        check("tax", taxes, totals.tax.value())?;
    }
    Ok(found)
}

/// The sum of all taxes, when every line and charge tells its own.
fn taxes(facts: &OrderFacts, currency: Currency) -> Result<Option<Money>, MoneyError> {
    let lines: Option<Vec<&Money>> = facts.lines().iter().map(|l| l.tax.value()).collect();
    let charges: Option<Vec<&Money>> = facts.charges().iter().map(|c| c.tax.as_ref()).collect();
    match (lines, charges) {
        (Some(lines), Some(charges)) => sum(currency, lines.into_iter().chain(charges)).map(Some),
        _ => Ok(None),
    }
}

fn sum<'a>(
    currency: Currency,
    mut amounts: impl Iterator<Item = &'a Money>,
) -> Result<Money, MoneyError> {
    amounts.try_fold(Money::new(Amount::ZERO, currency), |sum, next| {
        sum.add(*next)
    })
}
