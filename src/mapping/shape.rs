//! From the mapping's value into Rust types: a serde deserializer that reads the value in place, without text between.
//!
//! Always holds: the error names the place (`lines[2].total.amount`) and never repeats a text value, which may be personal data.
//! Decimals reach `serde_json::Number` with the digits they were read with.

use super::misfit::{Misfit, ShapeError, Step};
use super::read::NUMBER_TOKEN;
use super::{Val, error::kind, value};
use jaq_json::Num;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Unexpected, Visitor,
};

/// Reads `value` as a `T`, strictly: what `T` does not know or misses is an error with its path.
pub fn shape<T: DeserializeOwned>(value: &Val) -> Result<T, ShapeError> {
    T::deserialize(Shape(value)).map_err(|misfit| misfit.into_shape_error())
}

/// One value being read.
#[derive(Clone, Copy)]
struct Shape<'a>(&'a Val);

impl<'a> Shape<'a> {
    fn text(self) -> Result<&'a str, Misfit> {
        value::as_str(self.0).ok_or_else(|| match self.0 {
            Val::TStr(_) => Misfit::new("text is not valid UTF-8".to_owned()),
            other => Misfit::new(format!("expected a string, found {}", kind(other))),
        })
    }

    fn number<V: Visitor<'a>>(self, number: &Num, visitor: V) -> Result<V::Value, Misfit> {
        match number {
            Num::Int(int) => visitor.visit_i64(*int as i64),
            Num::Float(float) if float.is_finite() => visitor.visit_f64(*float),
            Num::Float(_) => Err(Misfit::new("number is not finite".to_owned())),
            Num::Dec(digits) => verbatim(digits.as_str().to_owned(), visitor),
            Num::BigInt(_) => {
                let digits = number.to_string();
                match digits.parse::<u64>() {
                    Ok(unsigned) => visitor.visit_u64(unsigned),
                    Err(_) => verbatim(digits, visitor),
                }
            }
        }
    }

    /// For a type that says what it is. A decimal must not reach it in the form that only `serde_json::Number` understands: a map
    /// would take it for one.
    fn typed<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match (self.0, self.float()) {
            (Val::Num(Num::Dec(_) | Num::BigInt(_)), Some(float)) if !self.fits_u64() => {
                visitor.visit_f64(float)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn fits_u64(self) -> bool {
        matches!(self.0, Val::Num(number @ Num::BigInt(_)) if number.to_string().parse::<u64>().is_ok())
    }

    fn float(self) -> Option<f64> {
        match self.0 {
            Val::Num(Num::Dec(digits)) => digits.parse().ok(),
            Val::Num(number @ (Num::Int(_) | Num::BigInt(_))) => number.to_string().parse().ok(),
            _ => None,
        }
    }
}

/// A number as serde_json hands it over with `arbitrary_precision`: `serde_json::Number` takes the digits as they are.
fn verbatim<'de, V: Visitor<'de>>(digits: String, visitor: V) -> Result<V::Value, Misfit> {
    let entries = MapDeserializer::new(std::iter::once((NUMBER_TOKEN, digits)));
    visitor.visit_map::<MapDeserializer<'_, _, Misfit>>(entries)
}

/// Methods for types that say what they are: see [`Shape::typed`].
macro_rules! typed {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            self.typed(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Shape<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Val::Null => visitor.visit_unit(),
            Val::Bool(flag) => visitor.visit_bool(*flag),
            Val::Num(number) => self.number(number, visitor),
            Val::BStr(bytes) => visitor.visit_borrowed_bytes(bytes),
            Val::TStr(_) => visitor.visit_borrowed_str(self.text()?),
            Val::Arr(items) => visitor.visit_seq(Items {
                items: items.iter(),
                index: 0,
            }),
            Val::Obj(map) => visitor.visit_map(Members {
                members: map.iter(),
                current: None,
            }),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.float() {
            Some(float) => visitor.visit_f64(float),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Val::Num(number @ Num::BigInt(_)) => match number.to_string().parse() {
                Ok(int) => visitor.visit_i128(int),
                Err(_) => Err(Misfit::new("number out of range".to_owned())),
            },
            _ => self.typed(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Val::Num(number @ Num::BigInt(_)) => match number.to_string().parse() {
                Ok(int) => visitor.visit_u128(int),
                Err(_) => Err(Misfit::new("number out of range".to_owned())),
            },
            _ => self.typed(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Val::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if name == "$serde_json::private::RawValue" {
            let text = String::from_utf8_lossy(&super::to_json(self.0)).into_owned();
            return visitor.visit_map::<MapDeserializer<'_, _, Misfit>>(MapDeserializer::new(
                std::iter::once((name, text)),
            ));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            Val::TStr(_) => visitor.visit_enum(self.text()?.into_deserializer()),
            Val::Obj(map) => visitor.visit_enum(MapAccessDeserializer::new(Members {
                members: map.iter(),
                current: None,
            })),
            other => Err(Misfit::new(format!(
                "expected a string, found {}",
                kind(other)
            ))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.typed(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.typed(visitor)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.typed(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            // serde would read an array as the fields in order.
            Val::Arr(_) => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.typed(visitor),
        }
    }

    typed! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32
        deserialize_u64 deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_seq deserialize_map deserialize_identifier
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for Shape<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Val>,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Shape(item))
            .map(Some)
            .map_err(|misfit| misfit.within(Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Members<'a> {
    members: indexmap_iter::Iter<'a>,
    current: Option<(&'a Val, &'a Val)>,
}

/// The iterator of jq's object type, which we cannot name by its crate.
mod indexmap_iter {
    use super::Val;
    pub(super) type Iter<'a> = <&'a jaq_json::Map<Val, Val> as IntoIterator>::IntoIter;
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.current = self.members.next();
        match self.current {
            Some((key, _)) => {
                Shape(key)
                    .text()
                    .map_err(|_| Misfit::new(format!("a key is {}, not a string", kind(key))))?;
                seed.deserialize(Shape(key)).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let Some((key, member)) = self.current.take() else {
            return Err(Misfit::new(
                "a value was asked for before its key".to_owned(),
            ));
        };
        let step = || Step::Key(value::as_str(key).unwrap_or("?").to_owned());
        seed.deserialize(Shape(member))
            .map_err(|misfit| misfit.within(step()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.members.len())
    }
}
