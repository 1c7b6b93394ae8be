//! By what a customer is recognised: e-mail and phone in one form.
//!
//! What always holds: two spellings of one address or number compare equal; nothing is guessed (a
//! national number is not the same as the international one).

use super::OrderFacts;

/// What an order tells of how its customer is reached, in the form that is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contact {
    /// Lower case, without blanks around.
    pub email: Option<String>,
    /// Digits only, without a leading `00`.
    pub phone: Option<String>,
}

impl Contact {
    /// Of an order: the customer's own, else the addressee's.
    pub fn of(facts: &OrderFacts) -> Self {
        let customer = facts.customer.value();
        let ship_to = facts.ship_to.value();
        let first = |own: Option<&str>, other: Option<&str>| own.or(other).and_then(normal);
        Self {
            email: first(
                customer.and_then(|c| c.email.text()),
                ship_to.and_then(|a| a.email.as_deref()),
            ),
            phone: first(
                customer.and_then(|c| c.phone.text().or(c.phone_raw.text())),
                ship_to.and_then(|a| a.phone.as_deref().or(a.phone_raw.as_deref())),
            ),
        }
    }
    /// True when nothing is known.
    pub const fn is_empty(&self) -> bool {
        self.email.is_none() && self.phone.is_none()
    }
    /// True when either is known of both and the same.
    pub fn meets(&self, other: &Self) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        same(&self.email, &other.email) || same(&self.phone, &other.phone)
    }
}

/// An e-mail or a phone in the form that is compared; `None` for an empty one.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim();
    let normal = if text.contains('@') {
        text.to_lowercase()
    } else {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.strip_prefix("00").unwrap_or(&digits).to_owned()
    };
    (!normal.is_empty()).then_some(normal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn of(customer: serde_json::Value, ship_to: serde_json::Value) -> Contact {
        Contact::of(
            &serde_json::from_value(json!({"customer": customer, "ship_to": ship_to})).unwrap(),
        )
    }

    #[test]
    fn spellings_meet_and_nothing_meets_nothing() {
        let one = of(json!({"email": " A@Shop.example "}), json!({}));
        let two = of(
            json!({"phone_raw": "0030 210-1234567"}),
            json!({"email": "a@shop.EXAMPLE"}),
        );
        let three = of(json!({"phone": "+302101234567"}), json!(null));
        assert!(one.meets(&two) && two.meets(&three) && !one.meets(&three));
        let none = of(json!({}), json!({"phone": " - "}));
        assert!(none.is_empty() && !none.meets(&none));
    }
}
