//! The server's store: PostgreSQL 15, shared by several nodes.
//!
//! What always holds: this process commits through two connections of its own, one for what comes
//! in and one for all else, many commands in one transaction; readers take turns on a few more, each
//! read in one snapshot. Nothing of the data is kept in memory that another node may change. What
//! the embedded store does alike is in `sql`.

mod bulk;
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
mod presence;
mod readers;
mod session;

use super::StoreError;
use super::open::StoreOptions;
use super::placement::Placement;
use super::sql::codec::Result;
use super::sql::conn::Conn;
use super::sql::keys;
use super::sql::value::params;
use super::sql::writer::WriterHandle;
use super::sql::{self, Shared, SqlStore};
use super::vault::MasterKey;
use crate::failpoint::failpoint;
use connect::Connector;
pub(in crate::store) use encode::column;
use ground::Server;
use join::Membership;
use presence::Presence;
use readers::Readers;
pub(in crate::store) use session::{Prepared, Session};
use std::sync::Arc;
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
    connector: Arc<Connector>,
    membership: tokio::sync::Mutex<Option<Membership>>,
    /// `None`: it was opened for reading only.
    presence: Option<Arc<Presence>>,
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
        if let Some(presence) = &self.presence {
            presence.release();
        }
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

/// Works on the store by one connection, on a thread and runtime of its own: callers may have one
/// for each thread, or none.
fn by_itself<T, F>(url: &str, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&Connector, &Session) -> Result<T> + Send + 'static,
{
    let url = url.to_owned();
    let working = std::thread::spawn(move || {
        let runtime = runtime()?;
        let done = Connector::new(&url, runtime.handle().clone()).and_then(|connector| {
            let session = connector.session()?;
            work(&connector, &session)
        });
        runtime.shutdown_background();
        done
    });
    let failed = || StoreError::Corrupt("work on the store failed unexpectedly".to_owned());
    working.join().unwrap_or_else(|_| Err(failed()))
}

/// Writes in one transaction, wholly or not at all.
fn transact<T>(session: &Session, write: impl FnOnce(Conn<'_>) -> Result<T>) -> Result<T> {
    session.begin("BEGIN")?;
    let written = write(Conn::Postgres(session));
    match &written {
        Ok(_) => session.commit()?,
        Err(_) => session.roll_back(),
    }
    written
}

/// Writes into a store that nobody else has, in one transaction; the schema is brought up first.
pub(in crate::store) fn fill<T, F>(url: &str, options: StoreOptions, write: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(Conn<'_>) -> Result<T> + Send + 'static,
{
    by_itself(url, move |connector, session| {
        migrate::migrate(session, &options)?;
        connector.mark_open(session, true)?;
        transact(session, write)
    })
}

/// Wraps all keys of a store anew for another master key, in one transaction; no process that writes
/// may have it open. Yields how many data keys were wrapped.
///
/// # Errors
/// `NotFound` when there is no store; `Unavailable` when a process has it; `Corrupt` when `old` is
/// not its master key.
pub(in crate::store) fn rewrap(url: &str, old: &MasterKey, new: &MasterKey) -> Result<u64> {
    let (old, new) = (old.clone(), new.clone());
    by_itself(url, move |connector, session| {
        migrate::is_there(session)?;
        connector.mark_open(session, true)?;
        transact(session, |conn| {
            let count = keys::rewrap(conn, &old, &new)?;
            conn.settle()?;
            failpoint!("rotate.before_commit");
            Ok(count)
        })
    })
}

/// Is this the master key that a store is written with?
///
/// # Errors
/// `NotFound` when there is no store; `Unavailable` when the server cannot be reached.
pub(in crate::store) fn is_sealed_with(url: &str, key: &MasterKey) -> Result<bool> {
    let key = key.clone();
    by_itself(url, move |_, session| {
        migrate::is_there(session)?;
        keys::is_sealed_with(Conn::Postgres(session), &key)
    })
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
        Ok((shared, readers, writer, appends, presence)) => {
            let engine = sql::Engine::Postgres(Box::new(Engine {
                readers,
                writer,
                appends,
                runtime: Some(runtime),
                connector,
                membership: tokio::sync::Mutex::new(None),
                presence,
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
    Option<Arc<Presence>>,
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
    let presence = writes.then(|| {
        let (connector, key) = (Arc::clone(connector), options.master_key.clone());
        Arc::new(Presence::new(connector, !options.shared, key))
    });
    if let Some(presence) = &presence {
        presence.hold()?;
        warn_of_losses(&session)?;
    }
    let shared = Arc::new(Shared::new(vault, options, placement, false));
    let readers = Arc::new(Readers::new(Arc::clone(connector)));
    let start = || {
        let ground = Server::new(Arc::clone(connector), presence.clone());
        WriterHandle::start(ground, Arc::clone(&shared))
    };
    let (writer, appends) = (start()?, start()?);
    if writes {
        listen::start(Arc::clone(connector), &shared);
    }
    Ok((shared, readers, writer, appends, presence))
}

/// Says so when the server may lose what it said is written. Nothing that a session sets helps.
fn warn_of_losses(session: &Session) -> Result<()> {
    let conn = Conn::Postgres(session);
    for (setting, what) in [
        (
            "fsync",
            "acknowledged orders are lost when its machine fails",
        ),
        (
            "full_page_writes",
            "its data is damaged when its machine fails",
        ),
    ] {
        let off = conn
            .prepare_cached("SELECT 1 WHERE current_setting(?) = 'off'")?
            .exists(params![setting])?;
        if off {
            tracing::error!(
                setting,
                "the PostgreSQL server has this switched off: {what}"
            );
        }
    }
    Ok(())
}

/// Takes the next sequences of the event log, until the transaction ends nobody else's; yields the
/// one before the first.
pub(in crate::store) fn next_sequences(conn: Conn<'_>, n: usize) -> Result<i64> {
    let Conn::Postgres(session) = conn else {
        return Err(StoreError::Corrupt(
            "a connection of another store".to_owned(),
        ));
    };
    // Rows that wait may wait for others' locks: not behind this one.
    session.flush()?;
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
