//! Errors of the server in the store's words.
//!
//! What always holds: texts name codes, tables and constraints, never values: the server's messages
//! may quote what was stored.

use crate::store::StoreError;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            // The connection, not what was asked.
            None if error.is_closed() || connection(&error) => {
                StoreError::Unavailable("the PostgreSQL server cannot be reached".to_owned())
            }
            None => StoreError::Corrupt(format!("PostgreSQL: {error}")),
            Some(db) => told(db),
        }
    }
}

fn connection(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<std::io::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
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
