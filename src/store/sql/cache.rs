//! What is kept in memory beside the database.
//!
//! What always holds: both caches are bounded or as small as their table; what they hold was
//! committed; losing an entry costs a read, nothing else.

use crate::canonical::ConnectionId;
use crate::canonical::connection::Connection;
use crate::canonical::event::SnapshotKind;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Which version of which object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) struct SnapshotKey {
    pub kind: u8,
    pub id: Uuid,
    pub version: u64,
}

impl SnapshotKey {
    pub(in crate::store) fn new(kind: SnapshotKind, id: Uuid, version: u64) -> Self {
        let kind = match kind {
            SnapshotKind::Order => 0,
            SnapshotKind::FulfillmentOrder => 1,
            SnapshotKind::Shipment => 2,
            SnapshotKind::Tracking => 3,
            SnapshotKind::Cod => 4,
        };
        Self { kind, id, version }
    }
    /// What the ciphertext is bound to.
    pub(in crate::store) fn row(&self) -> [u8; 25] {
        let mut row = [0u8; 25];
        if let Some((kind, rest)) = row.split_first_mut() {
            *kind = self.kind;
            let (id, version) = rest.split_at_mut(16);
            id.copy_from_slice(self.id.as_bytes());
            version.copy_from_slice(&self.version.to_le_bytes());
        }
        row
    }
    /// Reads [`SnapshotKey::row`].
    pub(in crate::store) fn from_row(row: &[u8]) -> Option<Self> {
        let (kind, rest) = row.split_first()?;
        let (id, version) = rest.split_first_chunk::<16>()?;
        Some(Self {
            kind: *kind,
            id: Uuid::from_bytes(*id),
            version: u64::from_le_bytes(version.try_into().ok()?),
        })
    }
}

/// Recently written objects as JSON, first in first out, bounded by bytes.
pub(in crate::store) struct SnapshotCache {
    limit: usize,
    bytes: usize,
    objects: HashMap<SnapshotKey, Bytes>,
    order: VecDeque<SnapshotKey>,
}

impl SnapshotCache {
    pub(in crate::store) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            objects: HashMap::new(),
            order: VecDeque::new(),
        }
    }
    pub(in crate::store) fn get(&self, key: &SnapshotKey) -> Option<Bytes> {
        self.objects.get(key).cloned()
    }
    pub(in crate::store) fn put(&mut self, key: SnapshotKey, json: Bytes) {
        self.bytes = self.bytes.saturating_add(json.len());
        match self.objects.insert(key, json) {
            Some(old) => self.bytes = self.bytes.saturating_sub(old.len()),
            None => self.order.push_back(key),
        }
        while self.bytes > self.limit {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(gone) = self.objects.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(gone.len());
            }
        }
    }
    pub(in crate::store) fn clear(&mut self) {
        self.objects.clear();
        self.order.clear();
        self.bytes = 0;
    }
}

/// Connections by id: intake asks for them with every request.
pub(in crate::store) struct ConnectionCache {
    inner: Mutex<Known>,
    /// Only where nobody else changes them.
    keeps: bool,
}

#[derive(Default)]
struct Known {
    /// Rises with every change, so that a read begun before it is not kept.
    generation: u64,
    by_id: HashMap<ConnectionId, Arc<Connection>>,
}

impl ConnectionCache {
    pub(in crate::store) fn new(keeps: bool) -> Self {
        Self {
            inner: Mutex::default(),
            keeps,
        }
    }
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(in crate::store) fn get(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.lock().by_id.get(&id).cloned()
    }
    /// To be taken before reading, and given back with what was read.
    pub(in crate::store) fn generation(&self) -> u64 {
        self.lock().generation
    }
    pub(in crate::store) fn keep(&self, generation: u64, connection: Arc<Connection>) {
        let mut known = self.lock();
        if self.keeps && known.generation == generation {
            known.by_id.insert(connection.id, connection);
        }
    }
    pub(in crate::store) fn changed(&self, id: ConnectionId) {
        let mut known = self.lock();
        known.generation = known.generation.wrapping_add(1);
        known.by_id.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_snapshot_cache_keeps_within_its_bytes() {
        let mut cache = SnapshotCache::new(100);
        let key = |n: u64| SnapshotKey::new(SnapshotKind::Order, Uuid::nil(), n);
        for n in 0..50 {
            cache.put(key(n), Bytes::from(vec![0; 10]));
        }
        assert!(cache.bytes <= 100 && cache.objects.len() == 10 && cache.order.len() == 10);
        assert!(cache.get(&key(0)).is_none() && cache.get(&key(49)).is_some());
        cache.put(key(49), Bytes::from(vec![0; 5]));
        assert_eq!(cache.bytes, 95);
        assert_eq!(SnapshotKey::from_row(&key(9).row()), Some(key(9)));
    }
}
