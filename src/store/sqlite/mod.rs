//! The embedded store: SQLite, one writer thread with group commit, readers beside it.
//!
//! What always holds: only the writer thread writes; a reply goes out after the commit that holds
//! it was synced; readers see committed data only and each read sees one state of the database; a
//! lock file keeps a second server off the file.

mod backup;
mod checkpoint;
mod commit;
pub(in crate::store) mod inbox;
mod migrate;
mod open_batches;
pub(in crate::store) mod point_index;
mod reader;
pub(in crate::store) mod retention;

use super::StoreError;
use super::open::StoreOptions;
use super::placement::Placement;
use super::sql::codec::Result;
use super::sql::conn::Conn;
use super::sql::writer::WriterHandle;
use super::sql::{self, Shared, SqlStore};
use super::vault::MasterKey;
pub(in crate::store) use backup::back_up;
pub(in crate::store) use commit::free_bytes;
use reader::Readers;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How many schemas this program knows.
pub(in crate::store) const SCHEMAS: usize = migrate::MIGRATIONS.len();

/// What the embedded store is made of.
pub(in crate::store) struct Engine {
    pub readers: Arc<Readers>,
    /// `None`: it was opened for reading only.
    writer: Option<WriterHandle>,
}

impl Engine {
    pub(in crate::store) fn writer(&self) -> Result<&WriterHandle> {
        self.writer.as_ref().ok_or_else(|| {
            StoreError::Unavailable("the store was opened for reading only".to_owned())
        })
    }
    pub(in crate::store) fn queue(&self) -> (usize, usize) {
        self.writer.as_ref().map_or((0, 0), WriterHandle::queue)
    }
    pub(in crate::store) async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
        self.readers.close();
    }
}

/// Opens, migrates and locks the database file; makes it and its folder when absent.
///
/// # Errors
/// `Unavailable` when another server has it or the disk says no; `Corrupt` when the master key
/// is not the one it was written with or the schema is newer than this program.
pub fn open(options: StoreOptions) -> Result<SqlStore> {
    if let Some(folder) = options.path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| disk(folder, &e))?;
    }
    let lock = lock_file(&options.path)?;
    let mut conn = connect(&options.path)?;
    migrate::migrate(&mut conn, options.clock.now())?;
    let vault = migrate::unlock(&mut conn, &options)?;
    let shared = Arc::new(Shared::new(vault, options, Placement::everything(), true));
    read_old_parcels(&mut conn, &shared)?;
    migrate::release_dead(&conn)?;
    let readers = Arc::new(Readers::open(&shared)?);
    let ground = commit::File::new(conn, &shared, lock)?;
    let writer = Some(WriterHandle::start(ground, Arc::clone(&shared))?);
    let engine = sql::Engine::Sqlite(Engine { readers, writer });
    Ok(SqlStore::new(shared, engine))
}

/// Opens an existing database for reading, beside a server or without one. Every write is
/// answered `Unavailable`.
///
/// # Errors
/// `NotFound` when there is no file; otherwise as [`open`].
pub fn open_read_only(options: StoreOptions) -> Result<SqlStore> {
    if !options.path.exists() {
        return Err(StoreError::NotFound(format!(
            "no database at {}",
            options.path.display()
        )));
    }
    let conn = reader::connect(&options.path)?;
    let vault = migrate::read_vault(&conn, &options)?;
    let shared = Arc::new(Shared::new(vault, options, Placement::everything(), true));
    let readers = Arc::new(Readers::open(&shared)?);
    let writer = None;
    let engine = sql::Engine::Sqlite(Engine { readers, writer });
    Ok(SqlStore::new(shared, engine))
}

/// Wraps all keys of a database anew for another master key; no server may have it open.
/// Yields how many data keys were wrapped.
///
/// # Errors
/// `Unavailable` when a server has it; `Corrupt` when `old` is not its master key.
pub fn rewrap(path: &Path, old: &MasterKey, new: &MasterKey) -> Result<u64> {
    let _lock = lock_file(path)?;
    let mut conn = connect(path)?;
    // What the old master key wrapped is not to be found between the rows either.
    conn.execute_batch("PRAGMA secure_delete = ON")?;
    migrate::rewrap(&mut conn, old, new)
}

/// Is this the master key that a database is written with?
///
/// # Errors
/// `NotFound` when there is no file; `Unavailable` when it cannot be read.
pub fn is_sealed_with(path: &Path, key: &MasterKey) -> Result<bool> {
    if !path.exists() {
        return Err(StoreError::NotFound(format!(
            "no database at {}",
            path.display()
        )));
    }
    migrate::is_sealed_with(&reader::connect(path)?, key)
}

/// A database that nobody else has.
pub(in crate::store) struct Exclusive {
    pub conn: Connection,
    _lock: std::fs::File,
}

/// Opens an existing database, brought up to the newest schema, for one who wants it alone.
pub(in crate::store) fn exclusive(options: &StoreOptions) -> Result<Exclusive> {
    if !options.path.exists() {
        let path = options.path.display();
        return Err(StoreError::NotFound(format!("no database at {path}")));
    }
    let lock = lock_file(&options.path)?;
    let mut conn = connect(&options.path)?;
    migrate::migrate(&mut conn, options.clock.now())?;
    let vault = migrate::unlock(&mut conn, options)?;
    let shared = Shared::new(vault, options.clone(), Placement::everything(), true);
    read_old_parcels(&mut conn, &shared)?;
    migrate::release_dead(&conn)?;
    Ok(Exclusive { conn, _lock: lock })
}

/// Whether the delivery with this index still waits.
pub(in crate::store) fn waits(done: &[u8], index: u16) -> bool {
    !open_batches::is_set(done, index)
}

/// Opens the connection that writes.
fn connect(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(256);
    conn.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -24576;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 268435456;",
    )?;
    Ok(conn)
}

/// Reads the parcels of shipments that a schema without them stored.
fn read_old_parcels(conn: &mut Connection, shared: &Shared) -> Result<()> {
    let tx = conn.transaction()?;
    sql::parcels::read_old(Conn::Sqlite(&tx), shared)?;
    tx.commit()?;
    Ok(())
}

fn disk(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {error}", path.display()))
}

fn lock_file(database: &Path) -> Result<std::fs::File> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| disk(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
            "another server has {} open (lock file {})",
            database.display(),
            path.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(disk(&path, &error)),
    }
}

#[cfg(test)]
mod tests;
