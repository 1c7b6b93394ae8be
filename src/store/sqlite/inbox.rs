//! Where deliveries wait in the embedded store: those of one group commit are one row (or a few,
//! when large), with a bit for each that is decided.
//!
//! What always holds: a place is its row's and its index in it.

use super::open_batches::{BatchRow, OpenBatches, is_set, parts_of, place_of, slot_of};
use crate::canonical::{RawId, Timestamp};
use crate::store::StoreError;
use crate::store::query::{PendingDelivery, PendingPlace};
use crate::store::sql::Shared;
use crate::store::sql::codec::{Result, corrupt, int, uint};
use crate::store::sql::conn::Conn;
use crate::store::sql::inbox::{unseal, waiting};
use crate::store::sql::reader::Reader;
use crate::store::sql::wire::{self, Entry};
use crate::store::sql::writer::{Inbox, Local, Slot};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// A row of `wire_batches` takes no further delivery once it is so large or has so many.
const ROW_BYTES: usize = 1 << 20;
const ROW_ENTRIES: usize = 512;

fn embedded(conn: Conn<'_>) -> Result<&Connection> {
    match conn {
        Conn::Sqlite(conn) => Ok(conn),
        Conn::Postgres(_) => Err(corrupt("a connection of another store")),
    }
}

fn too_large() -> StoreError {
    StoreError::Unavailable("a delivery of 4 GiB or more".to_owned())
}

impl Inbox for OpenBatches {
    fn append(
        &mut self,
        conn: Conn<'_>,
        local: &mut Local,
        deliveries: Vec<(Entry, Vec<u8>)>,
    ) -> Result<()> {
        let conn = embedded(conn)?;
        let mut places: Vec<(RawId, u64)> = Vec::new();
        let mut row = BatchRow::default();
        for (mut entry, sealed) in deliveries {
            let full = row.slots.len() >= ROW_ENTRIES
                || row.body.len().saturating_add(sealed.len()) > ROW_BYTES;
            if full && !row.slots.is_empty() {
                self.write_row(conn, std::mem::take(&mut row), &mut places)?;
            }
            entry.offset = u32::try_from(row.body.len()).map_err(|_| too_large())?;
            entry.length = u32::try_from(sealed.len()).map_err(|_| too_large())?;
            wire::put_entry(&mut row.head, &entry);
            row.body.extend_from_slice(&sealed);
            row.slots.push(slot_of(&entry));
        }
        if !row.slots.is_empty() {
            self.write_row(conn, row, &mut places)?;
        }
        local.after.push(Box::new(move |shared| {
            shared.note_places(places.into_iter())
        }));
        Ok(())
    }

    fn take(
        &mut self,
        conn: Conn<'_>,
        shared: &Shared,
        local: &mut Local,
        id: RawId,
    ) -> Result<Slot> {
        let conn = embedded(conn)?;
        let remembered = shared.places().get(&id).copied();
        let place = match remembered {
            Some(place) => place,
            None => self.place_of(conn, id)?,
        };
        let slot = self.pending(conn, place)?;
        let at = parts_of(place);
        let Some(slot) = slot.filter(|slot| slot.raw_id == id && !local.done.contains(&at)) else {
            return Err(StoreError::Conflict(format!("{id} is decided already")));
        };
        local.done.push(at);
        local.after.push(Box::new(move |shared| {
            shared.places().remove(&id);
        }));
        conn.prepare_cached("INSERT INTO wire_index (raw_id, place) VALUES (?, ?)")?
            .execute(params![id.as_bytes(), int(place)])?;
        Ok(slot)
    }

    fn taken(&mut self, taken: &[(u64, u16)]) {
        self.mark(taken);
    }

    fn flush(&mut self, conn: Conn<'_>) -> Result<()> {
        self.write_changed(embedded(conn)?)
    }
}

impl OpenBatches {
    fn write_row(
        &mut self,
        conn: &Connection,
        row: BatchRow,
        places: &mut Vec<(RawId, u64)>,
    ) -> Result<()> {
        let ids: Vec<RawId> = row.slots.iter().map(|slot| slot.raw_id).collect();
        let batch = self.add(conn, row)?;
        places.extend(
            (0..)
                .zip(ids)
                .map(|(index, id)| (id, place_of(batch, index))),
        );
        Ok(())
    }

    fn place_of(&mut self, conn: &Connection, id: RawId) -> Result<u64> {
        match decided(conn, id)? {
            Some(place) => Ok(place),
            None => self
                .find(conn, id)?
                .ok_or_else(|| StoreError::NotFound(id.to_string())),
        }
    }
}

/// Where a decided delivery lies.
fn decided(conn: &Connection, id: RawId) -> Result<Option<u64>> {
    let place: Option<i64> = conn
        .prepare_cached("SELECT place FROM wire_index WHERE raw_id = ?")?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(place.map(uint))
}

/// Batches with something that waits, as [`open_of`] reads them.
const WHOLE: &str = "SELECT place, o.done, w.head, w.body
    FROM wire_open o JOIN wire_batches w USING (place) WHERE place";

/// Opens what still waits of a batch and is wanted by its place, until so many are found.
fn open_of(
    reader: &Reader<'_>,
    row: &rusqlite::Row<'_>,
    wants: impl Fn(u64) -> bool,
    limit: usize,
    found: &mut Vec<PendingDelivery>,
) -> Result<()> {
    let blob = |at| -> Result<&[u8]> {
        let read = row.get_ref(at)?.as_blob();
        Ok(read.map_err(rusqlite::Error::from)?)
    };
    let (batch, done, body) = (uint(row.get(0)?), blob(1)?, blob(3)?);
    for (index, entry) in (0u16..).zip(wire::read_head(blob(2)?)?) {
        let place = place_of(batch, index);
        if is_set(done, index) || !wants(place) {
            continue;
        }
        if found.len() >= limit {
            break;
        }
        let sealed = entry.of(body)?;
        let wire = waiting(reader, entry, sealed)?;
        found.push(PendingDelivery { place, wire });
    }
    Ok(())
}

fn note(reader: &Reader<'_>, found: &[PendingDelivery]) {
    let places = found.iter().map(|d| (d.wire.id, d.place));
    reader.shared.note_places(places);
}

/// The first batches that have something pending above a place.
pub(in crate::store) fn pending(
    reader: &Reader<'_>,
    conn: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<PendingDelivery>> {
    let mut query = conn.prepare_cached(&format!("{WHOLE} >= ? ORDER BY place"))?;
    let mut rows = query.query(params![int(after >> 16)])?;
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(row) = rows.next()? else { break };
        open_of(reader, row, |place| place > after, limit, &mut found)?;
    }
    note(reader, &found);
    Ok(found)
}

/// Where they wait, above a place. Only heads are read: bodies lie behind them.
pub(in crate::store) fn places(
    conn: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<PendingPlace>> {
    let mut query = conn.prepare_cached(
        "SELECT place, o.done, w.head FROM wire_open o JOIN wire_batches w USING (place)
         WHERE place >= ? ORDER BY place",
    )?;
    let mut rows = query.query(params![int(after >> 16)])?;
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(row) = rows.next()? else { break };
        let batch = uint(row.get(0)?);
        let done = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let head = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        for (index, entry) in (0u16..).zip(wire::read_head(head)?) {
            let place = place_of(batch, index);
            if place > after && !is_set(done, index) && found.len() < limit {
                found.push(PendingPlace {
                    place,
                    id: entry.raw_id,
                    connection_id: entry.connection_id,
                });
            }
        }
    }
    Ok(found)
}

/// Those of these that still wait; each batch is read once.
pub(in crate::store) fn pending_at(
    reader: &Reader<'_>,
    conn: &Connection,
    places: &[PendingPlace],
) -> Result<Vec<PendingDelivery>> {
    let wanted: BTreeSet<u64> = places.iter().map(|place| place.place).collect();
    let batches: BTreeSet<u64> = wanted.iter().map(|place| place >> 16).collect();
    let mut query = conn.prepare_cached(&format!("{WHOLE} = ?"))?;
    let mut found = Vec::with_capacity(places.len());
    for batch in batches {
        let mut rows = query.query(params![int(batch)])?;
        let Some(row) = rows.next()? else { continue };
        let wants = |place| wanted.contains(&place);
        open_of(reader, row, wants, usize::MAX, &mut found)?;
    }
    note(reader, &found);
    Ok(found)
}

/// Shows pending deliveries with a place below this one, newest first, until one says `false`.
pub(in crate::store) fn each_pending(
    conn: &Connection,
    below: u64,
    visit: &mut dyn FnMut(u64, Entry) -> Result<bool>,
) -> Result<()> {
    let mut query = conn.prepare_cached(
        "SELECT place, o.done, w.head FROM wire_open o JOIN wire_batches w USING (place)
         WHERE place <= ? ORDER BY place DESC",
    )?;
    let mut rows = query.query(params![int(below >> 16)])?;
    while let Some(row) = rows.next()? {
        let batch = uint(row.get(0)?);
        let done = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let head = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let entries: Vec<(u16, Entry)> = (0u16..).zip(wire::read_head(head)?).collect();
        for (index, entry) in entries.into_iter().rev() {
            let place = place_of(batch, index);
            if place < below && !is_set(done, index) && !visit(place, entry)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// How many wait, and since when the first.
pub(in crate::store) fn backlog(conn: &Connection) -> Result<(u64, Option<Timestamp>)> {
    let pending: Option<i64> = conn
        .prepare_cached("SELECT sum(open) FROM wire_open")?
        .query_row([], |row| row.get(0))?;
    let first = conn
        .prepare_cached(
            "SELECT o.done, w.head FROM wire_open o JOIN wire_batches w USING (place)
             ORDER BY place LIMIT 1",
        )?
        .query_row([], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    let oldest = match first {
        None => None,
        Some((done, head)) => {
            let waits = (0u16..)
                .zip(wire::read_head(&head)?)
                .find(|(index, _)| !is_set(&done, *index));
            let (_, entry) =
                waits.ok_or_else(|| corrupt("an open batch without a pending delivery"))?;
            Some(entry.received_at)
        }
    };
    Ok((uint(pending.unwrap_or(0)), oldest))
}

/// A delivery, decided or not.
pub(in crate::store) fn stored(
    reader: &Reader<'_>,
    conn: &Connection,
    id: RawId,
) -> Result<Option<crate::canonical::inbox::WireDelivery>> {
    let Some(place) = place(reader, conn, id)? else {
        return Ok(None);
    };
    let (batch, index) = parts_of(place);
    let (head, body) = conn
        .prepare_cached("SELECT head, body FROM wire_batches WHERE place = ?")?
        .query_row(params![int(batch)], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
    let entry = wire::read_head(&head)?.into_iter().nth(usize::from(index));
    let entry = entry.ok_or_else(|| corrupt("a batch has fewer deliveries"))?;
    if entry.length == 0 {
        return Ok(None); // Its time was over.
    }
    let sealed = entry.of(&body)?;
    unseal(reader, entry, sealed)
}

/// Where a delivery lies, decided or not.
fn place(reader: &Reader<'_>, conn: &Connection, id: RawId) -> Result<Option<u64>> {
    if let Some(place) = reader.shared.places().get(&id) {
        return Ok(Some(*place));
    }
    if let Some(place) = decided(conn, id)? {
        return Ok(Some(place));
    }
    let mut found = None;
    each_pending(conn, u64::MAX >> 1, &mut |place, entry| {
        found = (entry.raw_id == id).then_some(place);
        Ok(found.is_none())
    })?;
    Ok(found)
}
