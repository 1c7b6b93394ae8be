//! Errors of the server in the store's words.
//!
//! What always holds: texts name codes, tables and constraints, never values: the server's messages
//! may quote what was stored.

use crate::store::StoreError;
use std::error::Error as Cause;
use std::iter::successors;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(db) => told(db),
            None => {
                if let Some(text) = tls(&error) {
                    StoreError::Unavailable(text)
                } else if error.is_closed() || causes(&error).any(|c| c.is::<std::io::Error>()) {
                    // The connection, not what was asked.
                    let text = "the PostgreSQL server cannot be reached";
                    StoreError::Unavailable(text.to_owned())
                } else {
                    StoreError::Corrupt(format!("PostgreSQL: {error}"))
                }
            }
        }
    }
}

/// What an error comes from, also what an input or output error wraps.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn Cause + 'static)> {
    successors(error.source(), within)
}

fn within<'e>(cause: &&'e (dyn Cause + 'static)) -> Option<&'e (dyn Cause + 'static)> {
    let cause: &'e (dyn Cause + 'static) = *cause;
    let wrapped = cause.downcast_ref::<std::io::Error>();
    match wrapped.and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn Cause + 'static)),
        None => cause.source(),
    }
}

/// That there is no TLS with the server, in words; `None` when it is something else.
fn tls(error: &Error) -> Option<String> {
    let ours = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::InvalidCertificate(why)) = ours {
        return Some(format!(
            "the PostgreSQL server's certificate is not accepted: {why}. The authority is named by sslrootcert, the server by the URL"
        ));
    }
    if let Some(why) = ours {
        return Some(format!("no TLS with the PostgreSQL server: {why}"));
    }
    // The client tells this kind by its text alone; its cause speaks of the server only.
    let kind = error.to_string();
    let network = causes(error).any(|cause| cause.is::<std::io::Error>());
    (kind.contains("TLS") && !network).then(|| {
        let why = causes(error).last().map(ToString::to_string);
        format!("no TLS with the PostgreSQL server: {}", why.unwrap_or(kind))
    })
}

fn told(db: &DbError) -> StoreError {
    let code = db.code().code();
    let mut text = format!("PostgreSQL {code}");
    for named in [db.table(), db.constraint(), db.column()]
        .into_iter()
        .flatten()
    {
        text.push(' ');
        text.push_str(named);
    }
    let class = code.get(..2).unwrap_or_default();
    match class {
        // Constraints.
        "23" => StoreError::Exists(text),
        // Connection, transaction state and serialization, resources, the operator, the system; a
        // server that only reads at the moment; a lock that was not to be had.
        "08" | "25" | "40" | "53" | "55" | "57" | "58" => {
            // These speak of the server only.
            StoreError::Unavailable(format!("{text}: {}", db.message()))
        }
        // Who may log in.
        "28" | "3D" => StoreError::Unavailable(format!("{text}: {}", db.message())),
        // Names of tables and columns.
        "42" => StoreError::Corrupt(format!("{text}: {}", db.message())),
        _ if *db.code() == SqlState::UNDEFINED_FILE => StoreError::Unavailable(text),
        _ => StoreError::Corrupt(text),
    }
}
