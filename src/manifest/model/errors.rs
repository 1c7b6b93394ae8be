//! What answers mean, as data.

use crate::canonical::problem::Class;
use crate::manifest::scalar::Expr;
use serde::{Deserialize, Serialize};

/// One rule of what an answer means. All given conditions must hold.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// HTTP statuses (`404`) or classes (`"5xx"`).
    #[serde(default)]
    pub status: Vec<StatusMatch>,
    /// A header that must be there with a value containing this text.
    #[serde(default)]
    pub header: Option<(String, String)>,
    /// jq over the context after the answer → bool.
    #[serde(default)]
    pub jq: Option<Expr>,
    /// A text that the raw body contains.
    #[serde(default)]
    pub text: Option<String>,
    /// Only for these operations.
    #[serde(default)]
    pub operations: Vec<String>,
    /// What it means; `ok` when the rule says that this answer is none.
    pub class: RuleClass,
    /// jq → the provider's code; none when left out.
    #[serde(default)]
    pub code: Option<Expr>,
    /// jq → a message without personal data.
    #[serde(default)]
    pub message: Option<Expr>,
    /// jq → the list of refused fields.
    #[serde(default)]
    pub fields: Option<Expr>,
    /// jq → seconds to wait.
    #[serde(default)]
    pub retry_after: Option<Expr>,
}

/// A status or a class of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StatusMatch {
    Exactly(u16),
    /// 4 for `"4xx"`.
    Hundred(u16),
}
impl StatusMatch {
    /// True when the status fits.
    pub const fn fits(&self, status: u16) -> bool {
        match self {
            StatusMatch::Exactly(s) => *s == status,
            StatusMatch::Hundred(h) => *h == status / 100,
        }
    }
}
impl<'de> Deserialize<'de> for StatusMatch {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = StatusMatch;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an HTTP status such as 404, or \"4xx\" or \"5xx\"")
            }
            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<StatusMatch, E> {
                u16::try_from(n)
                    .map(StatusMatch::Exactly)
                    .map_err(|_| E::custom("no HTTP status"))
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<StatusMatch, E> {
                u16::try_from(n)
                    .map(StatusMatch::Exactly)
                    .map_err(|_| E::custom("no HTTP status"))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StatusMatch, E> {
                match text.strip_suffix("xx").and_then(|d| d.parse::<u16>().ok()) {
                    Some(h @ 2..=5) => Ok(StatusMatch::Hundred(h)),
                    _ => Err(E::custom(
                        "an HTTP status such as 404, or \"4xx\" or \"5xx\"",
                    )),
                }
            }
        }
        d.deserialize_any(V)
    }
}
impl Serialize for StatusMatch {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            StatusMatch::Exactly(n) => s.serialize_u16(*n),
            StatusMatch::Hundred(h) => s.collect_str(&format_args!("{h}xx")),
        }
    }
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RuleClass {
    Ok,
    Throttled,
    Transient,
    Ambiguous,
    AuthExpired,
    AuthBroken,
    Invalid,
    Rejected,
    Conflict,
    Gone,
    BrokenContract,
}
impl RuleClass {
    /// The class; `None` for `ok`.
    pub const fn class(self) -> Option<Class> {
        Some(match self {
            RuleClass::Ok => return None,
            RuleClass::Throttled => Class::Throttled,
            RuleClass::Transient => Class::Transient,
            RuleClass::Ambiguous => Class::Ambiguous,
            RuleClass::AuthExpired => Class::AuthExpired,
            RuleClass::AuthBroken => Class::AuthBroken,
            RuleClass::Invalid => Class::Invalid,
            RuleClass::Rejected => Class::Rejected,
            RuleClass::Conflict => Class::Conflict,
            RuleClass::Gone => Class::Gone,
            RuleClass::BrokenContract => Class::BrokenContract,
        })
    }
}
