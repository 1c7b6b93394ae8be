//! The embedded store: SQLite, one writer thread with group commit, readers beside it.
//!
//! What always holds: only the writer thread writes; a reply goes out after the commit that holds
//! it was synced; readers see committed data only and each read sees one state of the database; a
//! lock file keeps a second server off the file. Sealing and opening happen on the callers' side.

mod access;
mod admin;
mod apply;
mod apply_inbox;
mod cache;
mod checkpoint;
mod cod;
mod codec;
mod commit;
mod connections;
mod documents;
mod duplicates;
mod egress;
mod events;
mod inbox;
mod inbox_lists;
mod jobs;
mod jobs_apply;
mod ledger;
mod migrate;
mod open_batches;
mod orders;
mod orders_lists;
mod parcels;
mod point_near;
mod point_search;
mod points;
mod problems;
mod reader;
mod retention;
mod seal;
mod shipments;
mod stock;
mod store_impl;
mod timeline;
mod tracking;
mod wire;
mod writer;

use super::StoreError;
use super::open::StoreOptions;
use super::placement::Placement;
use super::vault::{DataKey, Vault};
use super::wake::Wakeups;
use crate::canonical::{MerchantId, RawId};
use cache::{ConnectionCache, SnapshotCache};
use codec::Result;
use reader::{Reader, Readers};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use writer::{WriteCtx, WriterHandle};

/// What callers, readers and the writer share.
pub(super) struct Shared {
    vault: Vault,
    options: StoreOptions,
    wake: Wakeups,
    placement: Placement,
    /// Objects written a moment ago, open, so that egress need not read them back.
    snapshots: Mutex<SnapshotCache>,
    /// Where pending deliveries lie, as far as they were appended or read lately.
    places: Mutex<HashMap<RawId, u64>>,
    connections: ConnectionCache,
}

/// How many places of pending deliveries are remembered; beyond it they are looked up.
const PLACES: usize = 200_000;

impl Shared {
    fn snapshots(&self) -> MutexGuard<'_, SnapshotCache> {
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
    fn places(&self) -> MutexGuard<'_, HashMap<RawId, u64>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn now(&self) -> crate::canonical::Timestamp {
        self.options.clock.now()
    }
    /// Remembers where pending deliveries lie, as long as there is room.
    fn note_places(&self, found: impl Iterator<Item = (RawId, u64)>) {
        let mut places = self.places();
        for (id, place) in found {
            if places.len() >= PLACES {
                break;
            }
            places.insert(id, place);
        }
    }
}

/// The embedded store.
pub struct SqliteStore {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    writer: Option<WriterHandle>,
}

impl SqliteStore {
    /// Opens, migrates and locks the database file; makes it and its folder when absent.
    ///
    /// # Errors
    /// `Unavailable` when another server has it or the disk says no; `Corrupt` when the master key
    /// is not the one it was written with or the schema is newer than this program.
    pub fn open(options: StoreOptions) -> Result<Self> {
        if let Some(folder) = options.path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| disk(folder, &e))?;
        }
        let lock = lock_file(&options.path)?;
        let mut conn = writer::connect(&options.path)?;
        migrate::migrate(&mut conn, options.clock.now())?;
        let vault = migrate::unlock(&mut conn, &options)?;
        let shared = Arc::new(Shared::new(vault, options));
        parcels::read_old(&mut conn, &shared)?;
        jobs_apply::release_dead(&conn)?;
        let readers = Arc::new(Readers::open(&shared)?);
        let writer = WriterHandle::start(conn, Arc::clone(&shared), lock)?;
        Ok(Self {
            shared,
            readers,
            writer: Some(writer),
        })
    }

    /// Opens an existing database for reading, beside a server or without one. Every write is
    /// answered `Unavailable`.
    ///
    /// # Errors
    /// `NotFound` when there is no file; otherwise as [`SqliteStore::open`].
    pub fn open_read_only(options: StoreOptions) -> Result<Self> {
        if !options.path.exists() {
            return Err(StoreError::NotFound(format!(
                "no database at {}",
                options.path.display()
            )));
        }
        let conn = reader::connect(&options.path)?;
        let vault = migrate::read_vault(&conn, &options)?;
        let shared = Arc::new(Shared::new(vault, options));
        let readers = Arc::new(Readers::open(&shared)?);
        Ok(Self {
            shared,
            readers,
            writer: None,
        })
    }

    /// Runs a read on a reader's connection: one state of the database for all its statements.
    async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        self.readers.run(&self.shared, read).await
    }

    /// Runs a write on the writer thread, within a savepoint of its own in the next group commit;
    /// `bytes` is about how much it writes.
    async fn write<T, F>(&self, bytes: usize, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut WriteCtx<'_>) -> Result<T> + Send + 'static,
    {
        self.writer()?.run(bytes, false, write).await
    }

    fn writer(&self) -> Result<&WriterHandle> {
        self.writer.as_ref().ok_or_else(|| {
            StoreError::Unavailable("the store was opened for reading only".to_owned())
        })
    }

    /// The merchant's data key, read when it is not in memory.
    async fn key_of(&self, merchant: MerchantId) -> Result<Arc<DataKey>> {
        if let Some(key) = self.shared.vault.of_merchant(merchant) {
            return Ok(key);
        }
        self.read(move |reader| reader.key_of(merchant)).await
    }

    /// Loads the data keys of these merchants; those without one are told when they are used.
    async fn load_keys(&self, merchants: Vec<MerchantId>) -> Result<()> {
        for merchant in merchants {
            match self.key_of(merchant).await {
                Ok(_) | Err(StoreError::NotFound(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}

impl Shared {
    fn new(vault: Vault, options: StoreOptions) -> Self {
        Self {
            vault,
            options,
            wake: Wakeups::default(),
            placement: Placement::everything(),
            snapshots: Mutex::new(SnapshotCache::new(16 << 20)),
            places: Mutex::default(),
            connections: ConnectionCache::default(),
        }
    }
    /// A merchant's key that was loaded before.
    fn key(&self, merchant: MerchantId) -> Result<Arc<DataKey>> {
        self.vault
            .of_merchant(merchant)
            .ok_or_else(|| no_key(merchant))
    }
}

fn no_key(merchant: MerchantId) -> StoreError {
    StoreError::NotFound(format!("merchant {merchant} (or its data key)"))
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
