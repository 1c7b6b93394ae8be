//! The small values of manifests: durations (`"30s"`), sizes (`"5MiB"`), rates, expressions.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// A span of time, written `250ms`, `30s`, `5m`, `2h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
    /// Reads `250ms`, `30s`, `5m`, `2h`, `7d`.
    pub fn parse(text: &str) -> Option<Self> {
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (digits, unit) = text.split_at(split);
        let n: u64 = digits.parse().ok()?;
        let millis = match unit {
            "ms" => n,
            "s" => n.checked_mul(1_000)?,
            "m" => n.checked_mul(60_000)?,
            "h" => n.checked_mul(3_600_000)?,
            "d" => n.checked_mul(86_400_000)?,
            _ => return None,
        };
        Some(Self(Duration::from_millis(millis)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Span::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "not a span of time: a number and ms, s, m, h or d, such as \"30s\"",
            )
        })
    }
}
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{}ms", self.0.as_millis()))
    }
}

/// A number of bytes, written `64KiB`, `5MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let parsed = [("KiB", 1usize << 10), ("MiB", 1 << 20), ("B", 1)]
            .iter()
            .find_map(|(unit, factor)| {
                text.strip_suffix(unit)?
                    .parse::<usize>()
                    .ok()?
                    .checked_mul(*factor)
            });
        parsed.map(Size).ok_or_else(|| {
            serde::de::Error::custom("not a size: a number and B, KiB or MiB, such as \"5MiB\"")
        })
    }
}
impl Serialize for Size {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{}B", self.0))
    }
}

/// A jq expression over the documented context of its place.
pub type Expr = String;

/// A text with `{credential}` placeholders, filled natively and only in auth and signatures.
pub type SecretTemplate = String;
