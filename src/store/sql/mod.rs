//! The store in SQL: what an embedded database and a server do alike, written once.
//!
//! What always holds: one writer at a time commits for this process, many commands in one
//! transaction; a reply goes out after the commit that holds it; readers see committed data only and
//! each read sees one state of the database. Sealing and opening happen on the callers' side. What
//! only one backend does is in `sqlite` and `postgres`.

mod access;
mod admin;
mod apply;
mod apply_inbox;
pub(in crate::store) mod cache;
mod cod;
pub(in crate::store) mod codec;
pub(in crate::store) mod commit;
pub(in crate::store) mod conn;
mod connections;
mod documents;
mod duplicates;
mod egress;
pub(in crate::store) mod events;
pub(in crate::store) mod inbox;
mod inbox_lists;
mod jobs;
mod jobs_apply;
pub(in crate::store) mod keys;
mod leases;
mod ledger;
mod orders;
mod orders_lists;
pub(in crate::store) mod parcels;
pub(in crate::store) mod point_index;
pub(in crate::store) mod point_near;
pub(in crate::store) mod point_search;
pub(in crate::store) mod points;
mod problems;
pub(in crate::store) mod reader;
mod retention;
pub(in crate::store) mod row;
mod seal;
mod shipments;
mod stock;
mod store_impl;
mod timeline;
mod together;
mod tracking;
pub(in crate::store) mod value;
pub(in crate::store) mod wire;
pub(in crate::store) mod writer;

use super::StoreError;
use super::open::StoreOptions;
use super::placement::Placement;
use super::postgres;
use super::sqlite;
use super::vault::{DataKey, Vault};
use super::wake::Wakeups;
use crate::canonical::{MerchantId, RawId, Timestamp};
use cache::{ConnectionCache, SnapshotCache};
use codec::Result;
use reader::Reader;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;
use writer::{WriteCtx, WriterHandle};

/// What callers, readers and the writer share.
pub(in crate::store) struct Shared {
    pub vault: Vault,
    pub options: StoreOptions,
    pub wake: Wakeups,
    pub placement: Placement,
    /// Objects written a moment ago, open, so that egress need not read them back. Kept only where
    /// nobody else writes them.
    snapshots: Mutex<SnapshotCache>,
    /// Where pending deliveries lie, as far as they were appended or read lately.
    places: Mutex<HashMap<RawId, u64>>,
    connections: ConnectionCache,
}

/// How many bytes of objects written lately are kept.
const SNAPSHOT_BYTES: usize = 16 << 20;
/// How many places of pending deliveries are remembered; beyond it they are looked up.
const PLACES: usize = 200_000;

impl Shared {
    /// `alone`: nobody else writes this database.
    pub(in crate::store) fn new(
        vault: Vault,
        options: StoreOptions,
        placement: Placement,
        alone: bool,
    ) -> Self {
        Self {
            vault,
            options,
            wake: Wakeups::default(),
            placement,
            snapshots: Mutex::new(SnapshotCache::new(if alone { SNAPSHOT_BYTES } else { 0 })),
            places: Mutex::default(),
            connections: ConnectionCache::new(alone),
        }
    }
    fn snapshots(&self) -> MutexGuard<'_, SnapshotCache> {
        self.snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
    pub(in crate::store) fn places(&self) -> MutexGuard<'_, HashMap<RawId, u64>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(in crate::store) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }
    /// Remembers where pending deliveries lie, as long as there is room.
    pub(in crate::store) fn note_places(&self, found: impl Iterator<Item = (RawId, u64)>) {
        let mut places = self.places();
        for (id, place) in found {
            if places.len() >= PLACES {
                break;
            }
            places.insert(id, place);
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

/// What a backend is made of.
pub(in crate::store) enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(Box<postgres::Engine>),
}

impl Engine {
    fn writer(&self) -> Result<&WriterHandle> {
        match self {
            Engine::Sqlite(engine) => engine.writer(),
            Engine::Postgres(engine) => Ok(&engine.writer),
        }
    }
    /// The writer of what comes in.
    fn appends(&self) -> Result<&WriterHandle> {
        match self {
            Engine::Sqlite(engine) => engine.writer(),
            Engine::Postgres(engine) => Ok(&engine.appends),
        }
    }
}

/// A store in SQL.
pub struct SqlStore {
    shared: Arc<Shared>,
    engine: Engine,
}

impl SqlStore {
    pub(in crate::store) const fn new(shared: Arc<Shared>, engine: Engine) -> Self {
        Self { shared, engine }
    }

    #[cfg(test)]
    pub(in crate::store) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Runs a read on a reader's connection: one state of the database for all its statements.
    async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(engine) => engine.readers.run(&self.shared, read).await,
            Engine::Postgres(engine) => engine.readers.run(&self.shared, read).await,
        }
    }

    /// Runs a write on the writer thread, within a savepoint of its own in the next group commit;
    /// `bytes` is about how much it writes.
    async fn write<T, F>(&self, bytes: usize, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut WriteCtx<'_>) -> Result<T> + Send + 'static,
    {
        let (done, _) = self.engine.writer()?.run(bytes, false, write).await?;
        Ok(done)
    }

    /// The things that this node works on; `None`: all.
    fn things(&self) -> Option<Vec<Uuid>> {
        let things = self.shared.placement.things()?;
        Some(things.into_iter().map(|thing| thing.0).collect())
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
