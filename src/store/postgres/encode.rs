//! Values on the wire, by the type that the server wants and gives.
//!
//! What always holds: an id is its 16 bytes; a number fits its column or is refused. A text column
//! cannot hold the character zero: it is stored, and looked for, as the replacement character.

use crate::store::StoreError;
use crate::store::sql::codec::{Result, corrupt};
use crate::store::sql::row::Column;
use crate::store::sql::value::{Arg, ToArg, Value};
use bytes::{BufMut, BytesMut};
use std::borrow::Cow;
use std::error::Error;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Written = std::result::Result<IsNull, Box<dyn Error + Sync + Send>>;

/// As the client wants them.
pub(super) fn bound<'a>(args: &'a [Arg<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    args.iter().map(|arg| arg as &(dyn ToSql + Sync)).collect()
}

/// A text as it is stored.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => text.replace('\0', "\u{FFFD}").into(),
        false => text.into(),
    }
}

fn whole(n: i64, ty: &Type, out: &mut BytesMut) -> Written {
    match *ty {
        Type::INT8 => out.put_i64(n),
        Type::INT4 => out.put_i32(i32::try_from(n)?),
        Type::INT2 => out.put_i16(i16::try_from(n)?),
        Type::BOOL => out.put_u8(u8::from(n != 0)),
        Type::FLOAT8 => out.put_f64(n as f64),
        _ => return Err(unsuited(ty)),
    }
    Ok(IsNull::No)
}

fn unsuited(ty: &Type) -> Box<dyn Error + Sync + Send> {
    format!("a value that is no {}", ty.name()).into()
}

impl ToSql for Arg<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Written {
        match self {
            Arg::Null => return Ok(IsNull::Yes),
            Arg::Int(n) => return whole(*n, ty, out),
            Arg::Real(n) if *ty == Type::FLOAT8 => out.put_f64(*n),
            Arg::Text(text) if *ty == Type::TEXT || *ty == Type::VARCHAR => {
                out.put_slice(stored(text).as_bytes());
            }
            Arg::Blob(bytes) if *ty == Type::BYTEA || *ty == Type::UUID => out.put_slice(bytes),
            Arg::Ids(ids) => return ids.to_sql(ty, out),
            _ => return Err(unsuited(ty)),
        }
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Written {
        self.arg().to_sql(ty, out)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

struct Raw<'a>(Type, &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Raw(ty.clone(), raw))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

fn array<const N: usize>(raw: &[u8]) -> Result<[u8; N]> {
    raw.try_into()
        .map_err(|_| corrupt("a number of another size"))
}

/// Reads a column.
pub(in crate::store) fn column(row: &Row, at: usize) -> Result<Column<'_>> {
    let raw: Option<Raw<'_>> = row.try_get(at).map_err(StoreError::from)?;
    let Some(Raw(ty, raw)) = raw else {
        return Ok(Column::Null);
    };
    Ok(match ty {
        Type::INT8 => Column::Int(i64::from_be_bytes(array(raw)?)),
        Type::INT4 => Column::Int(i32::from_be_bytes(array(raw)?).into()),
        Type::INT2 => Column::Int(i16::from_be_bytes(array(raw)?).into()),
        Type::BOOL => Column::Int(raw.first().copied().unwrap_or(0).into()),
        Type::FLOAT8 => Column::Real(f64::from_be_bytes(array(raw)?)),
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => {
            Column::Text(std::str::from_utf8(raw).map_err(|_| corrupt("a text that is none"))?)
        }
        Type::BYTEA | Type::UUID => Column::Blob(raw),
        _ => return Err(corrupt("a column of a type that is not expected")),
    })
}
