//! What goes into a statement: values that every backend can bind.
//!
//! What always holds: nothing of a caller is put into the text of a statement; ids are their 16
//! bytes, whatever type the column has.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value as SqliteValue, ValueRef};
use uuid::Uuid;

/// A value to be bound, borrowed.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Arg<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
    /// For [`Conn::any`](super::conn::Conn::any).
    Ids(&'a [Uuid]),
}

/// A value to be bound, owned.
#[derive(Debug, Clone)]
pub(in crate::store) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    /// For [`Conn::any`](super::conn::Conn::any).
    Ids(Vec<Uuid>),
}

/// What can be bound.
pub(in crate::store) trait ToArg {
    fn arg(&self) -> Arg<'_>;
}

/// The arguments of a statement, in the order of its marks.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        [$($crate::store::sql::value::ToArg::arg(&$value)),*]
    };
}
pub(in crate::store) use params;

/// As [`params!`], of values that were gathered.
pub(in crate::store) fn params_from_iter(values: &[Value]) -> Vec<Arg<'_>> {
    values.iter().map(ToArg::arg).collect()
}

impl Arg<'_> {
    /// The same, owned.
    pub(in crate::store) fn owned(self) -> Value {
        match self {
            Arg::Null => Value::Null,
            Arg::Int(n) => Value::Integer(n),
            Arg::Real(n) => Value::Real(n),
            Arg::Text(text) => Value::Text(text.to_owned()),
            Arg::Blob(bytes) => Value::Blob(bytes.to_vec()),
            Arg::Ids(ids) => Value::Ids(ids.to_vec()),
        }
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Arg::Null => ValueRef::Null,
            Arg::Int(n) => ValueRef::Integer(*n),
            Arg::Real(n) => ValueRef::Real(*n),
            Arg::Text(text) => ValueRef::Text(text.as_bytes()),
            Arg::Blob(bytes) => ValueRef::Blob(bytes),
            Arg::Ids(ids) => {
                let hex: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
                let list = serde_json::Value::from(hex).to_string();
                return Ok(ToSqlOutput::Owned(SqliteValue::Text(list)));
            }
        }))
    }
}

impl ToArg for Value {
    fn arg(&self) -> Arg<'_> {
        match self {
            Value::Null => Arg::Null,
            Value::Integer(n) => Arg::Int(*n),
            Value::Real(n) => Arg::Real(*n),
            Value::Text(text) => Arg::Text(text),
            Value::Blob(bytes) => Arg::Blob(bytes),
            Value::Ids(ids) => Arg::Ids(ids),
        }
    }
}
impl<T: ToArg + ?Sized> ToArg for &T {
    fn arg(&self) -> Arg<'_> {
        (**self).arg()
    }
}
impl<T: ToArg> ToArg for Option<T> {
    fn arg(&self) -> Arg<'_> {
        self.as_ref().map_or(Arg::Null, ToArg::arg)
    }
}
impl ToArg for str {
    fn arg(&self) -> Arg<'_> {
        Arg::Text(self)
    }
}
impl ToArg for String {
    fn arg(&self) -> Arg<'_> {
        Arg::Text(self)
    }
}
impl ToArg for [u8] {
    fn arg(&self) -> Arg<'_> {
        Arg::Blob(self)
    }
}
impl ToArg for Vec<u8> {
    fn arg(&self) -> Arg<'_> {
        Arg::Blob(self)
    }
}
impl<const N: usize> ToArg for [u8; N] {
    fn arg(&self) -> Arg<'_> {
        Arg::Blob(self)
    }
}
impl ToArg for Vec<Uuid> {
    fn arg(&self) -> Arg<'_> {
        Arg::Ids(self)
    }
}
impl ToArg for f64 {
    fn arg(&self) -> Arg<'_> {
        Arg::Real(*self)
    }
}
macro_rules! whole {
    ($($type:ty),*) => { $(
        impl ToArg for $type {
            fn arg(&self) -> Arg<'_> {
                Arg::Int(i64::from(*self))
            }
        }
    )* };
}
whole!(i64, i32, i16, i8, u32, u16, u8, bool);

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n)
    }
}
impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Value::Real(n)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Blob(bytes)
    }
}
impl From<Vec<Uuid>> for Value {
    fn from(ids: Vec<Uuid>) -> Self {
        Value::Ids(ids)
    }
}
