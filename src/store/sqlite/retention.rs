//! Payloads' bytes go out of old batches of deliveries.
//!
//! What always holds: a batch keeps its head, so that places and the ledger stay; progress over old
//! batches is stored and never passes one that still holds bytes.

use crate::canonical::{MerchantId, Timestamp};
use crate::store::Stripped;
use crate::store::sql::codec::{Result, corrupt, uint};
use crate::store::sql::wire::{self, Entry};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashSet};

/// Batches of one turn.
const BATCHES: i64 = 50;
/// Where the next turn begins.
const STRIPPED_TO: &str = "stripped_to";

/// One turn over old batches.
pub(in crate::store) fn strip(
    conn: &Connection,
    before: &BTreeMap<MerchantId, Timestamp>,
    after: i64,
) -> Result<Stripped> {
    let mut turn = Stripped {
        deliveries: 0,
        next: None,
    };
    let Some(newest) = before.values().max().copied() else {
        return Ok(turn);
    };
    let needed = needed(conn)?;
    let begin = stripped_to(conn)?;
    // Where nothing is left before the turn's begin, the stored progress moves.
    let (mut nothing_left, mut whole_until) = (begin >= after, begin);
    let mut batches = conn.prepare_cached(
        "SELECT w.place, w.head, o.place IS NOT NULL FROM wire_batches w
         LEFT JOIN wire_open o ON o.place = w.place
         WHERE w.place > ? AND length(w.body) > 0 ORDER BY w.place LIMIT ?",
    )?;
    let heads = batches
        .query_map(params![begin.max(after), BATCHES], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(i64, Vec<u8>, bool)>>>()?;
    let full = heads.len() as i64 == BATCHES;
    for (place, head, open) in heads {
        let entries = wire::read_head(&head)?;
        if entries.iter().all(|entry| entry.received_at >= newest) {
            // Everything behind it arrived later.
            turn.next = None;
            break;
        }
        let keep = |entry: &Entry| {
            let moment = before.get(&entry.merchant_id);
            let young = moment.is_none_or(|moment| entry.received_at >= *moment);
            entry.length > 0 && (open || young || needed.contains(entry.raw_id.as_bytes()))
        };
        let goes = entries.iter().filter(|e| e.length > 0 && !keep(e)).count();
        let stays = entries.iter().any(keep);
        if goes > 0 {
            rewrite(conn, place, entries, keep)?;
            turn.deliveries += goes as u64;
        }
        nothing_left &= !stays;
        if nothing_left {
            whole_until = place;
        }
        turn.next = full.then(|| uint(place));
    }
    if whole_until > begin {
        conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?
            .execute(params![STRIPPED_TO, whole_until.to_le_bytes()])?;
    }
    Ok(turn)
}

fn stripped_to(conn: &Connection) -> Result<i64> {
    let stored: Option<Vec<u8>> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([STRIPPED_TO], |row| row.get(0))
        .optional()?;
    let Some(bytes) = stored else {
        return Ok(0);
    };
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| corrupt("stripped_to"))?;
    Ok(i64::from_le_bytes(bytes))
}

/// Writes a batch anew, without the bytes of what does not stay.
fn rewrite(
    conn: &Connection,
    place: i64,
    entries: Vec<Entry>,
    keep: impl Fn(&Entry) -> bool,
) -> Result<()> {
    let body: Vec<u8> = conn
        .prepare_cached("SELECT body FROM wire_batches WHERE place = ?")?
        .query_row(params![place], |row| row.get(0))?;
    let (mut new_head, mut new_body) = (Vec::new(), Vec::new());
    for mut entry in entries {
        if keep(&entry) {
            let sealed = entry.of(&body)?;
            entry.offset = u32::try_from(new_body.len()).map_err(|_| corrupt("a batch"))?;
            new_body.extend_from_slice(sealed);
        } else {
            (entry.offset, entry.length) = (0, 0);
        }
        wire::put_entry(&mut new_head, &entry);
    }
    conn.prepare_cached("UPDATE wire_batches SET head = ?, body = ? WHERE place = ?")?
        .execute(params![new_head, new_body, place])?;
    Ok(())
}

/// Deliveries of which a record is a problem: their bytes are needed when that is mended.
fn needed(conn: &Connection) -> Result<HashSet<[u8; 16]>> {
    let mut query = conn.prepare_cached(
        "SELECT raw_id FROM inbox INDEXED BY inbox_problem
         WHERE problem_id IS NOT NULL AND disposition = 'problem'",
    )?;
    let rows = query.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
