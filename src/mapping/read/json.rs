//! Strict JSON: serde_json's parser builds the mapping's value directly.
//!
//! Numbers keep their digits: whole numbers as integers, all others as verbatim decimals (of an exponent serde_json spells out the
//! sign: `1e2` becomes `1e+2`). Of a repeated key the last one wins.

use super::{DEPTH_CAP, EXPONENT_CAP, Limits, NUMBER_LENGTH_CAP, ReadError, utf8};
use crate::mapping::{Val, value};
use jaq_json::Map;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The key under which serde_json hands over a number's digits (its `arbitrary_precision` feature).
pub(crate) const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Reads exactly one JSON document. A UTF-8 byte order mark in front is skipped.
pub fn json(body: &[u8], limits: &Limits) -> Result<Val, ReadError> {
    let text = utf8("json", body, limits)?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let seed = Node {
        depth_left: limits.max_depth.min(DEPTH_CAP),
    };
    let value = seed.deserialize(&mut parser).map_err(refused)?;
    parser.end().map_err(refused)?;
    Ok(value)
}

fn refused(error: serde_json::Error) -> ReadError {
    let full = error.to_string();
    // serde_json appends the place to its text; we carry it in fields.
    let message = full
        .split(" at line ")
        .next()
        .unwrap_or("malformed")
        .to_owned();
    ReadError {
        format: "json",
        message,
        line: error.line(),
        column: error.column(),
    }
}

/// One value, with the number of levels that may still open below it.
#[derive(Clone, Copy)]
struct Node {
    depth_left: usize,
}

impl Node {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left }),
            None => Err(E::custom("nesting too deep")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Val;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Val, E> {
        Ok(Val::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Val, E> {
        Ok(value::int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Val, E> {
        Ok(value::number(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        Ok(value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Val, A::Error> {
        let inner = self.inner()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            out.push(item);
        }
        Ok(value::array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Val, A::Error> {
        let mut out = Map::default();
        while let Some(key) = entries.next_key_seed(Key)? {
            if out.is_empty() && value::as_str(&key) == Some(NUMBER_TOKEN) {
                match entries.next_value_seed(NumberOrValue(self))? {
                    Token::Number(number) => return Ok(number),
                    Token::Value(value) => out.insert(key, value),
                };
                continue;
            }
            let value = entries.next_value_seed(self.inner()?)?;
            out.insert(key, value);
        }
        self.inner::<A::Error>()?;
        Ok(Val::obj(out))
    }
}

/// An object's key.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Val;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Val;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object key")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Val, E> {
        Ok(value::text(text))
    }
}

/// The value behind serde_json's number key: a number hands over an owned `String`; an object of the payload that happens to
/// (or tries to) have a key of that name hands over a borrowed text or another type, and stays an object.
struct NumberOrValue(Node);

enum Token {
    Number(Val),
    Value(Val),
}

impl<'de> DeserializeSeed<'de> for NumberOrValue {
    type Value = Token;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Token, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumberOrValue {
    type Value = Token;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_string<E: Error>(self, digits: String) -> Result<Token, E> {
        checked_number(digits).map(Token::Number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Token, E> {
        Ok(Token::Value(value::text(text)))
    }

    fn visit_unit<E: Error>(self) -> Result<Token, E> {
        Ok(Token::Value(Val::Null))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Token, E> {
        Ok(Token::Value(Val::Bool(flag)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Token, A::Error> {
        self.0.inner()?.visit_seq(items).map(Token::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Token, A::Error> {
        self.0.inner()?.visit_map(entries).map(Token::Value)
    }
}

/// A number whose text is not abusive.
fn checked_number<E: Error>(digits: String) -> Result<Val, E> {
    if digits.len() > NUMBER_LENGTH_CAP {
        return Err(E::custom(format!(
            "number longer than {NUMBER_LENGTH_CAP} characters"
        )));
    }
    if let Some(exponent) = digits.split(['e', 'E']).nth(1) {
        let size = exponent
            .strip_prefix('+')
            .unwrap_or(exponent)
            .parse::<i64>();
        if !size.is_ok_and(|size| size.abs() <= EXPONENT_CAP) {
            return Err(E::custom(format!(
                "number with an exponent beyond {EXPONENT_CAP}"
            )));
        }
    }
    Ok(value::number(digits))
}
