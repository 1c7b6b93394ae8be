//! Intake: deliveries are appended, wait, and are found again.
//!
//! What always holds: an append reads nothing; the deliveries of one group commit are one row (or a
//! few, when large); a place rises with every commit and is never given twice; a delivery is
//! pending until a change set gives its records their dispositions.

use super::SqliteStore;
use super::codec::{Result, corrupt, int, uint};
use super::open_batches::{BatchRow, is_set, parts_of, place_of, slot_of};
use super::reader::Reader;
use super::wire::{self, Entry};
use super::writer::WriteCtx;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::{ConnectionId, RawId};
use crate::store::query::PendingDelivery;
use crate::store::{CursorWrite, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// A row of `wire_batches` takes no further delivery once it is so large or has so many.
const ROW_BYTES: usize = 1 << 20;
const ROW_ENTRIES: usize = 512;
/// Above it a delivery is sealed on a blocking thread.
const LARGE: usize = 256 << 10;
/// What the ciphertexts of deliveries are bound to, besides their raw id.
const TABLE: &str = "wire";

type LedgerKey = (ConnectionId, i64, &'static str);

/// Sealed deliveries on their way to the writer.
pub(super) struct AppendCommand {
    pub deliveries: Vec<(Entry, Vec<u8>)>,
    pub cursor: Option<CursorWrite>,
    pub reply: Option<oneshot::Sender<Result<()>>>,
}

impl AppendCommand {
    pub(super) fn bytes(&self) -> usize {
        self.deliveries.iter().map(|(_, sealed)| sealed.len()).sum()
    }
}

/// Writes the deliveries of one group commit; yields how the ledger moved.
pub(super) fn append(
    ctx: &mut WriteCtx<'_>,
    commands: Vec<AppendCommand>,
) -> Result<HashMap<LedgerKey, i64>> {
    let mut ledger: HashMap<LedgerKey, i64> = HashMap::new();
    let mut places: Vec<(RawId, u64)> = Vec::new();
    let mut row = BatchRow::default();
    for command in commands {
        for (mut entry, sealed) in command.deliveries {
            let full = row.slots.len() >= ROW_ENTRIES
                || row.body.len().saturating_add(sealed.len()) > ROW_BYTES;
            if full && !row.slots.is_empty() {
                write_row(ctx, std::mem::take(&mut row), &mut places)?;
            }
            let slot = slot_of(&entry);
            *ledger
                .entry((slot.connection_id, slot.day, "received"))
                .or_default() += 1;
            *ledger
                .entry((slot.connection_id, slot.day, "pending"))
                .or_default() += 1;
            entry.offset = u32::try_from(row.body.len()).map_err(|_| too_large())?;
            entry.length = u32::try_from(sealed.len()).map_err(|_| too_large())?;
            wire::put_entry(&mut row.head, &entry);
            row.body.extend_from_slice(&sealed);
            row.slots.push(slot);
        }
        if let Some(cursor) = command.cursor {
            put_cursor(ctx.conn, &cursor)?;
        }
    }
    if !row.slots.is_empty() {
        write_row(ctx, row, &mut places)?;
    }
    ctx.local.after.push(Box::new(move |shared| {
        shared.note_places(places.into_iter())
    }));
    Ok(ledger)
}

fn too_large() -> StoreError {
    StoreError::Unavailable("a delivery of 4 GiB or more".to_owned())
}

fn write_row(ctx: &mut WriteCtx<'_>, row: BatchRow, places: &mut Vec<(RawId, u64)>) -> Result<()> {
    let ids: Vec<RawId> = row.slots.iter().map(|slot| slot.raw_id).collect();
    let batch = ctx.open.add(ctx.conn, row)?;
    places.extend(
        (0..)
            .zip(ids)
            .map(|(index, id)| (id, place_of(batch, index))),
    );
    Ok(())
}

pub(super) fn put_cursor(conn: &Connection, cursor: &CursorWrite) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO cursors (connection_id, name, value) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET value = excluded.value",
    )?
    .execute(params![
        cursor.connection_id.as_bytes(),
        cursor.name,
        cursor.value
    ])?;
    Ok(())
}

// ── the callers' side ───────────────────────────────────────────────────────────────────────────

fn seal(key: &crate::store::vault::DataKey, delivery: WireDelivery) -> (Entry, Vec<u8>) {
    let content = wire::put_content(&delivery.headers, &delivery.body);
    let sealed = key.seal(TABLE, delivery.id.as_bytes(), &content);
    let entry = Entry {
        raw_id: delivery.id,
        merchant_id: delivery.merchant_id,
        connection_id: delivery.connection_id,
        source: delivery.source,
        topic: delivery.topic,
        received_at: delivery.received_at,
        dedupe_key: delivery.dedupe_key,
        offset: 0,
        length: 0,
    };
    (entry, sealed)
}

fn unseal(reader: &Reader<'_>, entry: Entry, body: &[u8]) -> Result<WireDelivery> {
    let content = reader.open(TABLE, entry.raw_id.as_bytes(), entry.of(body)?)?;
    let (headers, body) = wire::read_content(content)?;
    Ok(WireDelivery {
        id: entry.raw_id,
        merchant_id: entry.merchant_id,
        connection_id: entry.connection_id,
        source: entry.source,
        topic: entry.topic,
        received_at: entry.received_at,
        dedupe_key: entry.dedupe_key,
        headers,
        body,
    })
}

impl SqliteStore {
    pub(super) async fn append_inbox(
        &self,
        deliveries: Vec<WireDelivery>,
        cursor: Option<CursorWrite>,
    ) -> Result<()> {
        if deliveries.is_empty() && cursor.is_none() {
            return Ok(());
        }
        let mut keyed = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            keyed.push((self.key_of(delivery.merchant_id).await?, delivery));
        }
        let bytes: usize = keyed.iter().map(|(_, d)| d.body.len()).sum();
        let seal_all = move || keyed.into_iter().map(|(key, d)| seal(&key, d)).collect();
        let deliveries: Vec<(Entry, Vec<u8>)> = if bytes > LARGE {
            tokio::task::spawn_blocking(seal_all)
                .await
                .map_err(|_| corrupt("sealing failed unexpectedly"))?
        } else {
            seal_all()
        };
        let command = AppendCommand {
            deliveries,
            cursor,
            reply: None,
        };
        self.writer()?.append(command).await
    }

    pub(super) async fn pending_deliveries(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PendingDelivery>> {
        self.read(move |reader| pending(reader, after, limit)).await
    }

    pub(super) async fn delivery(&self, id: RawId) -> Result<Option<WireDelivery>> {
        self.read(move |reader| {
            let Some(place) = place(reader, id)? else {
                return Ok(None);
            };
            let (batch, index) = parts_of(place);
            let (head, body) = reader
                .conn
                .prepare_cached("SELECT head, body FROM wire_batches WHERE place = ?")?
                .query_row(params![int(batch)], |row| {
                    Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
                })?;
            let entry = wire::read_head(&head)?.into_iter().nth(usize::from(index));
            let entry = entry.ok_or_else(|| corrupt("a batch has fewer deliveries"))?;
            if entry.length == 0 {
                return Ok(None); // Its time was over.
            }
            unseal(reader, entry, &body).map(Some)
        })
        .await
    }
}

/// The first batches that have something pending above a place.
fn pending(reader: &Reader<'_>, after: u64, limit: usize) -> Result<Vec<PendingDelivery>> {
    let mut query = reader.conn.prepare_cached(
        "SELECT place, o.done, w.head, w.body FROM wire_open o JOIN wire_batches w USING (place)
         WHERE place >= ? ORDER BY place",
    )?;
    let mut rows = query.query(params![int(after >> 16)])?;
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(row) = rows.next()? else { break };
        let batch = uint(row.get(0)?);
        let done = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let head = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        let body = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        for (index, entry) in (0u16..).zip(wire::read_head(head)?) {
            let place = place_of(batch, index);
            if place <= after || is_set(done, index) {
                continue;
            }
            if found.len() >= limit {
                break;
            }
            let wire = unseal(reader, entry, body)?;
            found.push(PendingDelivery { place, wire });
        }
    }
    let places = found.iter().map(|d| (d.wire.id, d.place));
    reader.shared.note_places(places);
    Ok(found)
}

/// Where a delivery lies, decided or not.
fn place(reader: &Reader<'_>, id: RawId) -> Result<Option<u64>> {
    if let Some(place) = reader.shared.places().get(&id) {
        return Ok(Some(*place));
    }
    let decided: Option<i64> = reader
        .conn
        .prepare_cached("SELECT place FROM wire_index WHERE raw_id = ?")?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(place) = decided {
        return Ok(Some(uint(place)));
    }
    let mut query = reader.conn.prepare_cached(
        "SELECT place, w.head FROM wire_open o JOIN wire_batches w USING (place) ORDER BY place",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let head = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let entries = wire::read_head(head)?;
        if let Some(index) = entries.iter().position(|entry| entry.raw_id == id) {
            let index = u16::try_from(index).map_err(|_| corrupt("a batch is too long"))?;
            return Ok(Some(place_of(uint(row.get(0)?), index)));
        }
    }
    Ok(None)
}
