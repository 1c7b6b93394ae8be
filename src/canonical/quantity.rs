//! Quantities: exact decimals that are JSON numbers (goods are also sold by weight).

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// An exact decimal quantity; its JSON is a number, digit for digit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(Decimal);

impl Quantity {
    /// None of it.
    pub const ZERO: Quantity = Quantity(Decimal::ZERO);
    /// One of it.
    pub const ONE: Quantity = Quantity(Decimal::ONE);
    /// The quantity of this decimal.
    pub const fn new(decimal: Decimal) -> Self {
        Self(decimal)
    }
    /// The decimal.
    pub const fn decimal(self) -> Decimal {
        self.0
    }
    /// True for zero of any scale.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
    /// True above zero.
    pub fn is_positive(self) -> bool {
        self.0.is_sign_positive() && !self.0.is_zero()
    }
    /// Difference, not below zero; `None` when it does not fit.
    pub fn less(self, other: Quantity) -> Option<Quantity> {
        self.0
            .checked_sub(other.0)
            .map(|d| Quantity(d.max(Decimal::ZERO)))
    }
    /// Difference, also below zero; `None` when it does not fit.
    pub fn minus(self, other: Quantity) -> Option<Quantity> {
        self.0.checked_sub(other.0).map(Quantity)
    }
    /// True below zero.
    pub fn is_negative(self) -> bool {
        self.0.is_sign_negative() && !self.0.is_zero()
    }
    /// Sum; `None` when it does not fit.
    pub fn plus(self, other: Quantity) -> Option<Quantity> {
        self.0.checked_add(other.0).map(Quantity)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        serde_json::Number::from_str(&self.0.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(s)
    }
}
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(d)?;
        let text = number.as_str();
        Decimal::from_str_exact(text)
            .or_else(|_| Decimal::from_scientific(text))
            .map(Quantity)
            .map_err(|_| {
                serde::de::Error::custom("a quantity is a number that is an exact decimal")
            })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn digits_survive() {
        let quantity: Quantity = serde_json::from_str("1.50").unwrap();
        assert_eq!(serde_json::to_string(&quantity).unwrap(), "1.50");
        assert!(serde_json::from_str::<Quantity>("\"1\"").is_err());
    }
}
