//! The server's store: PostgreSQL 15, shared by several nodes.
//!
//! What always holds: this process commits through two connections of its own, one for what comes
//! in and one for all else, many commands in one transaction; readers take turns on a few more, each
//! read in one snapshot. Nothing of the data is kept in memory that another node may change. What
//! the embedded store does alike is in `sql`.

mod connect;
mod encode;
mod error;
mod ground;
pub(in crate::store) mod inbox;
mod join;
mod listen;
mod migrate;
mod nodes;
pub(in crate::store) mod point_index;
mod readers;
mod session;

use super::StoreError;
use super::open::StoreOptions;
use super::placement::Placement;
use super::sql::codec::Result;
use super::sql::conn::Conn;
use super::sql::value::params;
use super::sql::writer::WriterHandle;
use super::sql::{self, Shared, SqlStore};
use connect::Connector;
pub(in crate::store) use encode::column;
use ground::Server;
use join::Membership;
use readers::Readers;
pub(in crate::store) use session::{Prepared, Session};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;

/// How many schemas this program knows.
pub(in crate::store) const SCHEMAS: usize = migrate::MIGRATIONS.len();

/// What the server's store is made of.
pub(in crate::store) struct Engine {
    pub readers: Arc<Readers>,
    /// Everything but what comes in.
    pub writer: WriterHandle,
    /// What comes in.
    pub appends: WriterHandle,
    /// Where the connections live; kept until the writers are gone.
    runtime: Option<Runtime>,
    /// Keeps off those that want the store alone, or everybody else; let go with its connection.
    kept: Mutex<Option<Session>>,
    connector: Arc<Connector>,
    membership: tokio::sync::Mutex<Option<Membership>>,
}

impl Engine {
    /// Commands that wait, and how many may.
    pub(in crate::store) fn queue(&self) -> (usize, usize) {
        let ((a, all_a), (b, all_b)) = (self.writer.queue(), self.appends.queue());
        (a + b, all_a + all_b)
    }
    /// Takes part in what the nodes share out. A server that has the store to itself has everything.
    pub(in crate::store) async fn join(&self, shared: &Arc<Shared>, node: &str) -> Result<()> {
        if shared.placement.is_everything() {
            return Ok(());
        }
        let mut membership = self.membership.lock().await;
        if membership.is_none() {
            *membership = Some(Membership::start(&self.connector, shared, node).await?);
        }
        Ok(())
    }
    pub(in crate::store) async fn close(&self) {
        if let Some(membership) = self.membership.lock().await.take() {
            membership.leave().await;
        }
        self.appends.close().await;
        self.writer.close().await;
        self.readers.close();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A runtime may not be waited for where others run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens the store that the URL names, and migrates it unless it is only to be read.
///
/// # Errors
/// `Unavailable` when the server cannot be reached or another gateway works on it alone; `Corrupt`
/// when the master key is not the one it was written with, or the schema is not this program's.
pub(in crate::store) fn open(url: &str, options: StoreOptions, writes: bool) -> Result<SqlStore> {
    let (url, options) = (url.to_owned(), options);
    // A runtime of its own: callers may have one for each thread, or none.
    std::thread::scope(|scope| {
        scope
            .spawn(move || open_here(&url, options, writes))
            .join()
            .unwrap_or_else(|_| {
                Err(StoreError::Corrupt(
                    "opening failed unexpectedly".to_owned(),
                ))
            })
    })
}

/// Writes into a store that nobody else has, in one transaction; the schema is brought up first.
pub(in crate::store) fn fill<T, F>(url: &str, options: StoreOptions, write: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(Conn<'_>) -> Result<T> + Send + 'static,
{
    let url = url.to_owned();
    let filling = std::thread::spawn(move || {
        let runtime = runtime()?;
        let filled = Connector::new(&url, runtime.handle().clone()).and_then(|connector| {
            let session = connector.session()?;
            migrate::migrate(&session, &options)?;
            if !connector.lock_alone(&session)? {
                return Err(taken());
            }
            session.begin("BEGIN")?;
            let written = write(Conn::Postgres(&session));
            match &written {
                Ok(_) => session.commit()?,
                Err(_) => session.roll_back(),
            }
            written
        });
        runtime.shutdown_background();
        filled
    });
    filling
        .join()
        .unwrap_or_else(|_| Err(StoreError::Corrupt("a copy failed unexpectedly".to_owned())))
}

fn taken() -> StoreError {
    StoreError::Unavailable("another server has this database open".to_owned())
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("store-io")
        .enable_all()
        .build()
        .map_err(|e| StoreError::Unavailable(format!("no threads for the store: {e}")))
}

fn open_here(url: &str, options: StoreOptions, writes: bool) -> Result<SqlStore> {
    let runtime = runtime()?;
    let connector = Arc::new(Connector::new(url, runtime.handle().clone())?);
    let opened = open_on(&connector, options, writes);
    match opened {
        Ok((shared, readers, writer, appends, kept)) => {
            let engine = sql::Engine::Postgres(Box::new(Engine {
                readers,
                writer,
                appends,
                runtime: Some(runtime),
                kept: Mutex::new(kept),
                connector,
                membership: tokio::sync::Mutex::new(None),
            }));
            Ok(SqlStore::new(shared, engine))
        }
        Err(error) => {
            runtime.shutdown_background();
            Err(error)
        }
    }
}

type Opened = (
    Arc<Shared>,
    Arc<Readers>,
    WriterHandle,
    WriterHandle,
    Option<Session>,
);

fn open_on(connector: &Arc<Connector>, options: StoreOptions, writes: bool) -> Result<Opened> {
    let session = connector.session()?;
    let placement = if options.shared {
        Placement::nothing()
    } else {
        Placement::everything()
    };
    let vault = if writes {
        migrate::migrate(&session, &options)?
    } else {
        migrate::read_vault(&session, &options)?
    };
    let together = options.shared;
    if writes
        && !(if together {
            connector.lock_together(&session)?
        } else {
            connector.lock_alone(&session)?
        })
    {
        return Err(taken());
    }
    let shared = Arc::new(Shared::new(vault, options, placement, false));
    let readers = Arc::new(Readers::new(Arc::clone(connector)));
    let start = || WriterHandle::start(Server::new(Arc::clone(connector)), Arc::clone(&shared));
    let (writer, appends) = (start()?, start()?);
    if writes {
        listen::start(Arc::clone(connector), &shared, together);
    }
    Ok((shared, readers, writer, appends, writes.then_some(session)))
}

/// Takes the next sequences of the event log, until the transaction ends nobody else's; yields the
/// one before the first.
pub(in crate::store) fn next_sequences(conn: Conn<'_>, n: usize) -> Result<i64> {
    let Conn::Postgres(session) = conn else {
        return Err(StoreError::Corrupt(
            "a connection of another store".to_owned(),
        ));
    };
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    conn.prepare_cached("SELECT pg_advisory_xact_lock(?)")?
        .run(params![session.locks().events])?;
    let last: i64 = conn
        .prepare_cached("UPDATE event_log SET last = last + ? RETURNING last")?
        .query_row(params![n], |row| row.get(0))?;
    Ok(last.saturating_sub(n))
}

#[cfg(test)]
mod tests;
