//! What comes out of a statement: rows of every backend, read by one set of rules.
//!
//! What always holds: a column that is not what was expected is `Corrupt`, never a guess.

use super::codec::{Result, corrupt};
use super::value::Value;
use crate::store::postgres;
use rusqlite::types::ValueRef;

/// A row at hand.
#[derive(Clone, Copy)]
pub(in crate::store) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

/// A column of it.
#[derive(Clone, Copy)]
pub(in crate::store) enum Column<'a> {
    Null,
    Int(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

fn unexpected() -> crate::store::StoreError {
    corrupt("a column is not of the type that was expected")
}

impl<'a> Row<'a> {
    fn column(self, at: usize) -> Result<Column<'a>> {
        match self {
            Row::Sqlite(row) => Ok(match row.get_ref(at)? {
                ValueRef::Null => Column::Null,
                ValueRef::Integer(n) => Column::Int(n),
                ValueRef::Real(n) => Column::Real(n),
                ValueRef::Text(text) => {
                    Column::Text(std::str::from_utf8(text).map_err(|_| unexpected())?)
                }
                ValueRef::Blob(bytes) => Column::Blob(bytes),
            }),
            Row::Postgres(row) => postgres::column(row, at),
        }
    }
    /// Reads a column.
    pub(in crate::store) fn get<T: FromColumn>(self, at: usize) -> Result<T> {
        T::from_column(self.column(at)?)
    }
    /// Bytes, without a copy.
    pub(in crate::store) fn blob(self, at: usize) -> Result<&'a [u8]> {
        match self.column(at)? {
            Column::Blob(bytes) => Ok(bytes),
            _ => Err(unexpected()),
        }
    }
    /// A text, without a copy.
    pub(in crate::store) fn str(self, at: usize) -> Result<&'a str> {
        match self.column(at)? {
            Column::Text(text) => Ok(text),
            _ => Err(unexpected()),
        }
    }
}

/// What a column can be read as.
pub(in crate::store) trait FromColumn: Sized {
    fn from_column(column: Column<'_>) -> Result<Self>;
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Result<Self> {
        match column {
            Column::Null => Ok(None),
            other => T::from_column(other).map(Some),
        }
    }
}
impl FromColumn for i64 {
    fn from_column(column: Column<'_>) -> Result<Self> {
        match column {
            Column::Int(n) => Ok(n),
            _ => Err(unexpected()),
        }
    }
}
impl FromColumn for Value {
    fn from_column(column: Column<'_>) -> Result<Self> {
        Ok(match column {
            Column::Null => Value::Null,
            Column::Int(n) => Value::Integer(n),
            Column::Real(n) => Value::Real(n),
            Column::Text(text) => Value::Text(text.to_owned()),
            Column::Blob(bytes) => Value::Blob(bytes.to_vec()),
        })
    }
}
impl FromColumn for bool {
    fn from_column(column: Column<'_>) -> Result<Self> {
        i64::from_column(column).map(|n| n != 0)
    }
}
impl FromColumn for f64 {
    fn from_column(column: Column<'_>) -> Result<Self> {
        match column {
            Column::Real(n) => Ok(n),
            Column::Int(n) => Ok(n as f64),
            _ => Err(unexpected()),
        }
    }
}
impl FromColumn for String {
    fn from_column(column: Column<'_>) -> Result<Self> {
        match column {
            Column::Text(text) => Ok(text.to_owned()),
            _ => Err(unexpected()),
        }
    }
}
impl FromColumn for Vec<u8> {
    fn from_column(column: Column<'_>) -> Result<Self> {
        match column {
            Column::Blob(bytes) => Ok(bytes.to_vec()),
            _ => Err(unexpected()),
        }
    }
}
impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(column: Column<'_>) -> Result<Self> {
        match column {
            Column::Blob(bytes) => bytes.try_into().map_err(|_| unexpected()),
            _ => Err(unexpected()),
        }
    }
}
macro_rules! whole {
    ($($type:ty),*) => { $(
        impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Result<Self> {
                Self::try_from(i64::from_column(column)?).map_err(|_| unexpected())
            }
        }
    )* };
}
whole!(u32, u16, u8, i32);
