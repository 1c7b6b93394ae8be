//! Readers: a few connections that read beside the writer, used on blocking threads.
//!
//! What always holds: a read runs in one read transaction; it never writes; a panic in a read costs
//! its connection, which is opened anew.

use crate::store::StoreError;
use crate::store::sql::Shared;
use crate::store::sql::codec::Result;
use crate::store::sql::conn::Conn;
use crate::store::sql::reader::Reader;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// The pool.
pub(in crate::store) struct Readers {
    gate: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// Opens a connection that refuses to write.
pub(in crate::store) fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(128);
    conn.execute_batch(
        "PRAGMA cache_size = -6144; PRAGMA temp_store = MEMORY; PRAGMA query_only = 1;",
    )?;
    Ok(conn)
}

impl Readers {
    pub(in crate::store) fn open(shared: &Shared) -> Result<Self> {
        let count = shared.options.readers.max(1);
        let idle = (0..count)
            .map(|_| connect(&shared.options.path))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            gate: Arc::new(Semaphore::new(count)),
            idle: Mutex::new(idle),
        })
    }

    pub(in crate::store) async fn run<T, F>(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        read: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.gate)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
        let (pool, shared) = (Arc::clone(self), Arc::clone(shared));
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let conn = pool.take(&shared)?;
            let result = in_one_state(&conn, &shared, read);
            pool.give_back(conn);
            result
        })
        .await
        .map_err(|_| StoreError::Corrupt("a read failed unexpectedly".to_owned()))?
    }

    fn take(&self, shared: &Shared) -> Result<Connection> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        idle.map_or_else(|| connect(&shared.options.path), Ok)
    }

    fn give_back(&self, conn: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(conn);
    }

    /// Closes the idle connections (at the store's end).
    pub(in crate::store) fn close(&self) {
        self.gate.close();
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

fn in_one_state<T>(
    conn: &Connection,
    shared: &Shared,
    read: impl FnOnce(&Reader<'_>) -> Result<T>,
) -> Result<T> {
    conn.prepare_cached("BEGIN")?.execute([])?;
    let result = read(&Reader::new(Conn::Sqlite(conn), shared));
    conn.prepare_cached("COMMIT")?.execute([])?;
    result
}
