//! Money: an exact decimal as text and an ISO 4217 code, never a float.
//!
//! What always holds: amounts keep the scale that the channel sent; arithmetic is checked (an
//! overflow is an error, never a panic); two currencies are never added. Equality is numeric:
//! `19.9` equals `19.90`, so that two shapes of one fact do not look like a change.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// What can be wrong with an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is no plain decimal (`-12.30`): no exponent, no thousands mark, at most 28 digits.
    #[error("not an exact decimal: an amount is a text such as \"12.30\"")]
    NotADecimal,
    /// The text is no ISO 4217 code.
    #[error("not a currency code: three upper-case letters such as \"EUR\"")]
    NotACurrency,
    /// The result does not fit.
    #[error("the amount is too large")]
    Overflow,
    /// Two currencies in one sum.
    #[error("{0} and {1} cannot be added")]
    CurrencyMismatch(Currency, Currency),
}

/// An exact decimal amount; its JSON is a string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(Decimal);

#[expect(
    clippy::should_implement_trait,
    reason = "the traits cannot fail, and these can"
)]
impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(Decimal::ZERO);
    /// The amount of this decimal.
    pub const fn new(decimal: Decimal) -> Self {
        Self(decimal)
    }
    /// The decimal.
    pub const fn decimal(self) -> Decimal {
        self.0
    }
    /// Sum; an error when it does not fit.
    pub fn add(self, other: Amount) -> Result<Amount, MoneyError> {
        self.0
            .checked_add(other.0)
            .map(Amount)
            .ok_or(MoneyError::Overflow)
    }
    /// Difference; an error when it does not fit.
    pub fn sub(self, other: Amount) -> Result<Amount, MoneyError> {
        self.0
            .checked_sub(other.0)
            .map(Amount)
            .ok_or(MoneyError::Overflow)
    }
    /// Product with a factor; an error when it does not fit.
    pub fn mul(self, factor: Decimal) -> Result<Amount, MoneyError> {
        self.0
            .checked_mul(factor)
            .map(Amount)
            .ok_or(MoneyError::Overflow)
    }
    /// Rounded half up (away from zero) to so many decimal places.
    pub fn round(self, places: u32) -> Amount {
        Amount(
            self.0
                .round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero),
        )
    }
    /// True for zero of any scale.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
    /// True below zero.
    pub const fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }
    /// The distance from zero.
    pub fn abs(self) -> Amount {
        Amount(self.0.abs())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl FromStr for Amount {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit());
        if !plain {
            return Err(MoneyError::NotADecimal);
        }
        Decimal::from_str_exact(text)
            .map(Amount)
            .map_err(|_| MoneyError::NotADecimal)
    }
}
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An ISO 4217 code: three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
    /// Decimal places of the minor unit (ISO 4217): 2 for most, 0 for JPY, 3 for KWD.
    pub fn minor_digits(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
    /// One minor unit, the tolerance of money checks.
    pub fn minor_unit(&self) -> Amount {
        Amount(Decimal::new(1, self.minor_digits()))
    }
}
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::NotACurrency),
        }
    }
}
impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in a currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// The exact decimal.
    pub amount: Amount,
    /// The currency.
    pub currency: Currency,
}

#[expect(
    clippy::should_implement_trait,
    reason = "the trait cannot fail, and this can"
)]
impl Money {
    /// An amount in a currency.
    pub const fn new(amount: Amount, currency: Currency) -> Self {
        Self { amount, currency }
    }
    /// Sum within one currency.
    pub fn add(self, other: Money) -> Result<Money, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch(self.currency, other.currency));
        }
        Ok(Money::new(self.amount.add(other.amount)?, self.currency))
    }
    /// Rounded half up to the currency's minor unit, as carriers and ledgers want it.
    pub fn to_minor_unit(self) -> Money {
        Money::new(
            self.amount.round(self.currency.minor_digits()),
            self.currency,
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scale_survives_and_equality_is_numeric() {
        let amount: Amount = "19.90".parse().unwrap();
        assert_eq!(amount.to_string(), "19.90");
        assert_eq!(amount, "19.9".parse().unwrap());
        for bad in [
            "",
            "1e3",
            "1,5",
            ".5",
            "5.",
            "--1",
            "NaN",
            "1.2.3",
            "99999999999999999999999999999.1",
        ] {
            assert_eq!(bad.parse::<Amount>(), Err(MoneyError::NotADecimal), "{bad}");
        }
        assert!("eur".parse::<Currency>().is_err());
    }

    #[test]
    fn overflow_is_an_error() {
        let large: Amount = "79228162514264337593543950335".parse().unwrap();
        assert_eq!(large.add(large), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn text_round_trips(units in any::<i64>(), scale in 0u32..10) {
            let amount = Amount::new(Decimal::new(units, scale));
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
        #[test]
        fn sums_balance(a in any::<i32>(), b in any::<i32>(), sa in 0u32..5, sb in 0u32..5) {
            let (a, b) = (Amount::new(Decimal::new(a.into(), sa)), Amount::new(Decimal::new(b.into(), sb)));
            prop_assert_eq!(a.add(b).unwrap().sub(b).unwrap(), a);
        }
    }
}
