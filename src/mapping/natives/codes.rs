//! Code tables: CSV files whose first column is the key.
//!
//! - `code(table; key)`: the key's row as an object `{column: text or null}`; an unknown key yields null and counts as drift.
//! - `lookup(table; key)`: the same without drift.
//! - `uuid5(namespace; name)`: a name-based UUID; the namespace is `dns`, `url`, `oid` or a UUID.

use super::{Native, Outcome, arg, failed, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::{Val, error::kind, value};
use uuid::Uuid;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "code",
        arity: 2,
        run: |frame, _, args| row(frame, args, "code", true),
    },
    Native {
        name: "lookup",
        arity: 2,
        run: |frame, _, args| row(frame, args, "lookup", false),
    },
    Native {
        name: "uuid5",
        arity: 2,
        run: uuid5,
    },
];

fn row(frame: &Frame<'_>, args: &[Val], name: &str, drift: bool) -> Outcome {
    let table = text_of(name, arg(args, 0))?;
    if !frame.library.has_table(table) {
        return failed(format!("{name}: there is no table {table}"));
    }
    let key = match arg(args, 1) {
        Val::Null => return Ok(Val::Null),
        scalar => match value::scalar_text(scalar) {
            Some(key) => key,
            None => {
                return failed(format!(
                    "{name}: a key is a text or a number, found {}",
                    kind(scalar)
                ));
            }
        },
    };
    match frame.library.row(table, &key) {
        Some(row) => Ok(row.clone()),
        None => {
            if drift {
                frame.drift(table, &key);
            }
            Ok(Val::Null)
        }
    }
}

fn uuid5(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let namespace = match text_of("uuid5", arg(args, 0))? {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        other => match Uuid::parse_str(other) {
            Ok(namespace) => namespace,
            Err(_) => return failed("uuid5: the namespace must be dns, url, oid or a UUID"),
        },
    };
    let name = text_of("uuid5", arg(args, 1))?;
    Ok(value::string(
        Uuid::new_v5(&namespace, name.as_bytes()).to_string(),
    ))
}
