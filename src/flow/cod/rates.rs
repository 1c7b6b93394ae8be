//! From one currency into another: by law where the law fixes the rate, else by setting.
//!
//! What always holds: a fixed rate goes before every setting, and is used as the law has it (so many
//! units of the old currency are one of the new: divided one way, multiplied the other, never by a
//! rounded inverse); results are rounded half up to the minor unit; arithmetic is checked.

use crate::canonical::{Amount, Currency, Money, Timestamp};
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// The irrevocable conversion rates: `rate` units of `from` are one of `to`.
const TABLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/mappings/tables/fixed_rates.csv"
));

/// The setting with the rates that no law fixes: `{"USD/EUR": "0.92"}`, one USD is 0.92 EUR.
const SETTING: &str = "exchange_rates";

struct Fixed {
    from: Currency,
    to: Currency,
    rate: Decimal,
    valid_from: Date,
}

static FIXED: LazyLock<Vec<Fixed>> =
    LazyLock::new(|| TABLE.lines().skip(1).filter_map(row).collect());

fn row(line: &str) -> Option<Fixed> {
    let mut cells = line.trim().split(',');
    Some(Fixed {
        from: cells.next()?.parse().ok()?,
        to: cells.next()?.parse().ok()?,
        rate: Decimal::from_str_exact(cells.next()?)
            .ok()
            .filter(positive)?,
        valid_from: cells.next()?.parse().ok()?,
    })
}

fn positive(rate: &Decimal) -> bool {
    rate.is_sign_positive() && !rate.is_zero()
}

/// The same money in another currency by a rate that the law fixes at this moment (UTC); `None`
/// when there is none, or the result does not fit.
pub(in crate::flow) fn by_law(money: Money, to: Currency, at: Timestamp) -> Option<Money> {
    if money.currency == to {
        return Some(money.to_minor_unit());
    }
    let day = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let amount = money.amount.decimal();
    let converted = FIXED
        .iter()
        .filter(|fixed| fixed.valid_from <= day)
        .find_map(|fixed| {
            if (fixed.from, fixed.to) == (money.currency, to) {
                amount.checked_div(fixed.rate)
            } else if (fixed.from, fixed.to) == (to, money.currency) {
                amount.checked_mul(fixed.rate)
            } else {
                None
            }
        })?;
    Some(Money::new(Amount::new(converted), to).to_minor_unit())
}

/// The same money in another currency by the first of these settings that tells the rate.
pub(super) fn by_setting<'s>(
    money: Money,
    to: Currency,
    settings: impl IntoIterator<Item = &'s Map<String, Value>>,
) -> Option<Money> {
    let pair = format!("{}/{to}", money.currency);
    let rate = settings
        .into_iter()
        .filter_map(|settings| settings.get(SETTING)?.get(&pair)?.as_str())
        .filter_map(|text| text.parse::<Amount>().ok())
        .map(Amount::decimal)
        .find(positive)?;
    let amount = money.amount.mul(rate).ok()?;
    Some(Money::new(amount, to).to_minor_unit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn money(amount: &str, currency: &str) -> Money {
        Money::new(amount.parse().unwrap(), currency.parse().unwrap())
    }
    fn law(amount: &str, from: &str, to: &str, day: &str) -> Option<Amount> {
        let at = format!("{day}T12:00:00Z").parse().unwrap();
        by_law(money(amount, from), to.parse().unwrap(), at).map(|money| money.amount)
    }
    fn some(amount: &str) -> Option<Amount> {
        Some(amount.parse().unwrap())
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = TABLE.lines().skip(1).filter(|line| !line.trim().is_empty());
        assert_eq!(FIXED.len(), rows.count());
    }

    #[test]
    fn the_law_counts_from_its_day_and_both_ways() {
        assert_eq!(law("1.95583", "BGN", "EUR", "2026-01-01"), some("1.00"));
        assert_eq!(law("100", "BGN", "EUR", "2026-06-01"), some("51.13"));
        assert_eq!(law("51.13", "EUR", "BGN", "2026-06-01"), some("100.00"));
        assert_eq!(law("100", "BGN", "EUR", "2025-12-31"), None);
        assert_eq!(law("753.45", "HRK", "EUR", "2023-01-01"), some("100.00"));
        assert_eq!(law("1", "BGN", "HRK", "2026-06-01"), None, "no chains");
        assert_eq!(law("7.005", "EUR", "EUR", "1999-01-01"), some("7.01"));
        assert_eq!(
            law("79228162514264337593543950335", "EUR", "BGN", "2026-01-01"),
            None
        );
    }

    #[test]
    fn settings_count_one_way_and_the_first_that_tells() {
        let first = json!({ "exchange_rates": { "USD/EUR": "-1", "GBP/EUR": 2 } });
        let second = json!({ "exchange_rates": { "USD/EUR": "0.92", "GBP/EUR": "1.15" } });
        let both = || [&first, &second].map(|value| value.as_object().unwrap());
        let to = |text: &str| text.parse().unwrap();
        let euro = by_setting(money("10.05", "USD"), to("EUR"), both()).unwrap();
        assert_eq!(euro.amount.to_string(), "9.25", "9.246");
        let text = by_setting(money("1", "GBP"), to("EUR"), both()).unwrap();
        assert_eq!(text.amount.to_string(), "1.15", "a rate is a text");
        assert_eq!(by_setting(money("1", "EUR"), to("USD"), both()), None);
    }

    proptest! {
        #[test]
        fn euro_to_lev_and_back_is_the_same(cents in 1i64..100_000_000) {
            let at = "2026-06-01T00:00:00Z".parse().unwrap();
            let euro = Money::new(Amount::new(Decimal::new(cents, 2)), "EUR".parse().unwrap());
            let lev = by_law(euro, "BGN".parse().unwrap(), at).unwrap();
            prop_assert_eq!(by_law(lev, euro.currency, at).unwrap(), euro);
        }
    }
}
