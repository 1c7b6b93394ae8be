//! Readers: a few connections that read beside the writer, used on blocking threads.
//!
//! What always holds: a read runs in one read transaction; it never writes; a panic in a read costs
//! its connection, which is opened anew.

use super::codec::Result;
use super::{Shared, no_key};
use crate::canonical::MerchantId;
use crate::store::StoreError;
use crate::store::vault::{self, DataKey, VaultError};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// The pool.
pub(super) struct Readers {
    gate: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A reader at work.
pub(super) struct Reader<'a> {
    pub conn: &'a Connection,
    pub shared: &'a Shared,
}

/// Opens a connection that refuses to write.
pub(super) fn connect(path: &Path) -> Result<Connection> {
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
    pub(super) fn open(shared: &Shared) -> Result<Self> {
        let count = shared.options.readers.max(1);
        let idle = (0..count)
            .map(|_| connect(&shared.options.path))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            gate: Arc::new(Semaphore::new(count)),
            idle: Mutex::new(idle),
        })
    }

    pub(super) async fn run<T, F>(self: &Arc<Self>, shared: &Arc<Shared>, read: F) -> Result<T>
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
    pub(super) fn close(&self) {
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
    let result = read(&Reader { conn, shared });
    conn.prepare_cached("COMMIT")?.execute([])?;
    result
}

impl Reader<'_> {
    /// The merchant's newest data key.
    pub(super) fn key_of(&self, merchant: MerchantId) -> Result<Arc<DataKey>> {
        if let Some(key) = self.shared.vault.of_merchant(merchant) {
            return Ok(key);
        }
        let found = self
            .conn
            .prepare_cached(
                "SELECT key_id, wrapped FROM data_keys WHERE merchant_id = ?
                 ORDER BY key_id DESC LIMIT 1",
            )?
            .query_row(params![merchant.as_bytes()], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let (id, wrapped) = found.ok_or_else(|| no_key(merchant))?;
        Ok(self.shared.vault.load(id, merchant, &wrapped, true)?)
    }

    fn key_with(&self, id: u32) -> Result<Arc<DataKey>> {
        if let Some(key) = self.shared.vault.by_id(id) {
            return Ok(key);
        }
        let found = self
            .conn
            .prepare_cached("SELECT merchant_id, wrapped FROM data_keys WHERE key_id = ?")?
            .query_row(params![id], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()?;
        let (merchant, wrapped) = found.ok_or(VaultError::Erased)?;
        let merchant = MerchantId::from_uuid(uuid::Uuid::from_bytes(merchant));
        Ok(self.shared.vault.load(id, merchant, &wrapped, false)?)
    }

    /// Opens a sealed column.
    pub(super) fn open(&self, table: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let key = self.key_with(vault::key_id_of(sealed)?)?;
        Ok(vault::open_sealed(&key, table, row, sealed)?)
    }

    /// As [`Reader::open`]; `None` when the merchant was erased.
    pub(super) fn open_unless_erased(
        &self,
        table: &str,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let id = vault::key_id_of(sealed)?;
        let known: bool = self.shared.vault.by_id(id).is_some()
            || self
                .conn
                .prepare_cached("SELECT 1 FROM data_keys WHERE key_id = ?")?
                .exists(params![id])?;
        if !known {
            return Ok(None);
        }
        self.open(table, row, sealed).map(Some)
    }
}
