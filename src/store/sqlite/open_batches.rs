//! Which deliveries still wait, as the writer knows it.
//!
//! What always holds: memory and `wire_open` agree after every commit; after one that failed
//! nothing is remembered and it is read again.

use crate::canonical::RawId;
use crate::store::sql::codec::{Result, day_of, int, uint};
use crate::store::sql::wire;
use crate::store::sql::writer::Slot;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// A row of `wire_batches` to be.
#[derive(Default)]
pub(super) struct BatchRow {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    pub slots: Vec<Slot>,
}

/// A delivery's place: its batch's, and its index in it.
pub(super) const fn place_of(batch: u64, index: u16) -> u64 {
    (batch << 16) | index as u64
}
/// The batch and the index of a place.
pub(super) const fn parts_of(place: u64) -> (u64, u16) {
    (place >> 16, (place & 0xffff) as u16)
}

/// Batches with pending deliveries, as far as the writer has them in memory.
pub(super) struct OpenBatches {
    next_place: u64,
    batches: HashMap<u64, OpenBatch>,
    changed: BTreeSet<u64>,
}

struct OpenBatch {
    slots: Vec<Slot>,
    done: Vec<u8>,
    open: u32,
}

fn bit(index: u16) -> (usize, u8) {
    (usize::from(index / 8), 1 << (index % 8))
}

/// Is the delivery with this index decided?
pub(super) fn is_set(done: &[u8], index: u16) -> bool {
    let (byte, mask) = bit(index);
    done.get(byte).is_some_and(|b| b & mask != 0)
}

impl OpenBatches {
    /// Reads where to go on.
    pub(super) fn load(conn: &Connection) -> Result<Self> {
        let last: Option<i64> =
            conn.query_row("SELECT max(place) FROM wire_batches", [], |row| row.get(0))?;
        Ok(Self {
            next_place: uint(last.unwrap_or(0)).saturating_add(1),
            batches: HashMap::new(),
            changed: BTreeSet::new(),
        })
    }

    /// The delivery at this place, if it is pending.
    pub(super) fn pending(&mut self, conn: &Connection, place: u64) -> Result<Option<Slot>> {
        let (batch, index) = parts_of(place);
        let known = match self.batches.entry(batch) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => match OpenBatch::load(conn, batch)? {
                Some(loaded) => free.insert(loaded),
                None => return Ok(None),
            },
        };
        if is_set(&known.done, index) {
            return Ok(None);
        }
        Ok(known.slots.get(usize::from(index)).copied())
    }

    /// Looks a pending delivery up that is not remembered: through every open batch.
    pub(super) fn find(&mut self, conn: &Connection, id: RawId) -> Result<Option<u64>> {
        let mut query = conn.prepare_cached("SELECT place FROM wire_open ORDER BY place")?;
        let places = query
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for batch in places.into_iter().map(uint) {
            if !self.batches.contains_key(&batch)
                && let Some(loaded) = OpenBatch::load(conn, batch)?
            {
                self.batches.insert(batch, loaded);
            }
            let slots = self.batches.get(&batch).map_or(&[][..], |b| &b.slots);
            if let Some(index) = slots.iter().position(|slot| slot.raw_id == id) {
                return Ok(u16::try_from(index)
                    .ok()
                    .map(|index| place_of(batch, index)));
            }
        }
        Ok(None)
    }

    /// Notes deliveries as decided.
    pub(super) fn mark(&mut self, decided: &[(u64, u16)]) {
        for (batch, index) in decided {
            let Some(open) = self.batches.get_mut(batch) else {
                continue;
            };
            let (byte, mask) = bit(*index);
            if let Some(bits) = open.done.get_mut(byte)
                && *bits & mask == 0
            {
                *bits |= mask;
                open.open = open.open.saturating_sub(1);
                self.changed.insert(*batch);
            }
        }
    }

    /// Writes what [`OpenBatches::mark`] noted.
    pub(super) fn write_changed(&mut self, conn: &Connection) -> Result<()> {
        for batch in std::mem::take(&mut self.changed) {
            let Some(open) = self.batches.get(&batch) else {
                continue;
            };
            if open.open == 0 {
                conn.prepare_cached("DELETE FROM wire_open WHERE place = ?")?
                    .execute(params![int(batch)])?;
                self.batches.remove(&batch);
            } else {
                conn.prepare_cached("UPDATE wire_open SET open = ?, done = ? WHERE place = ?")?
                    .execute(params![open.open, open.done, int(batch)])?;
            }
        }
        if self.batches.len() > 1024 {
            self.batches.clear();
        }
        Ok(())
    }

    /// Forgets everything after a commit that failed; it is read again when needed.
    pub(super) fn forget(&mut self) {
        self.batches.clear();
        self.changed.clear();
    }

    /// Writes a row of deliveries; yields its place.
    pub(super) fn add(&mut self, conn: &Connection, row: BatchRow) -> Result<u64> {
        let place = self.next_place;
        conn.prepare_cached("INSERT INTO wire_batches (place, head, body) VALUES (?, ?, ?)")?
            .execute(params![int(place), row.head, row.body])?;
        let open = OpenBatch {
            done: vec![0; row.slots.len().div_ceil(8)],
            open: u32::try_from(row.slots.len()).unwrap_or(0),
            slots: row.slots,
        };
        conn.prepare_cached("INSERT INTO wire_open (place, open, done) VALUES (?, ?, ?)")?
            .execute(params![int(place), open.open, open.done])?;
        self.next_place = place.saturating_add(1);
        self.batches.insert(place, open);
        Ok(place)
    }
}

impl OpenBatch {
    fn load(conn: &Connection, batch: u64) -> Result<Option<Self>> {
        let found = conn
            .prepare_cached(
                "SELECT o.open, o.done, w.head FROM wire_open o JOIN wire_batches w USING (place)
                 WHERE o.place = ?",
            )?
            .query_row(params![int(batch)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Vec<u8>>(2)?))
            })
            .optional()?;
        let Some((open, done, head)) = found else {
            return Ok(None);
        };
        let slots = wire::read_head(&head)?.iter().map(slot_of).collect();
        Ok(Some(Self { slots, done, open }))
    }
}

/// What of an entry deciding it needs.
pub(super) fn slot_of(entry: &wire::Entry) -> Slot {
    Slot {
        raw_id: entry.raw_id,
        connection_id: entry.connection_id,
        day: day_of(entry.received_at),
    }
}
