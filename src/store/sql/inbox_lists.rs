//! What the inbox shows, and what intake asks before it appends.
//!
//! What always holds: pending deliveries come first, newest first, as records without a kind whose
//! id has the delivery's UUID; then the records, newest first.

use super::SqlStore;
use super::apply_inbox::{DAY_MICROS, DEDUPE_DAYS, seen};
use super::codec::{
    Columns, Filter, Result, bad_cursor, blob, cursor_of, day_of, int, limit_of, micros,
};
use super::conn::OptionalExtension;
use super::inbox::{self, put_cursor};
use super::reader::Reader;
use super::row::Row;
use super::seal::dedupe_hash;
use super::value::{ToArg, Value, params, params_from_iter};
use super::wire::Entry;
use crate::canonical::connection::Connection;
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::canonical::{ConnectionId, InboxId, MerchantId, ProblemId, RawId, Timestamp};
use crate::store::query::{DedupeKey, InboxFilter, Page, PageRequest};
use crate::store::{CursorWrite, Scope};

const COLUMNS: &str = "id, merchant_id, connection_id, raw_id, idx, source, topic, received_at, \
    kind, external_id, disposition, reason, subject, duplicate_of, problem_id, mapping_version, \
    decided_at";

fn read(row: Row<'_>) -> Result<InboxRecord> {
    Ok(InboxRecord {
        id: InboxId::from_uuid(row.uuid(0)?),
        merchant_id: MerchantId::from_uuid(row.uuid(1)?),
        connection_id: ConnectionId::from_uuid(row.uuid(2)?),
        raw_id: RawId::from_uuid(row.uuid(3)?),
        index: row.get(4)?,
        source: row.word(5)?,
        topic: row.text(6)?,
        received_at: row.time(7)?,
        kind: row.opt_text(8)?,
        external_id: row.opt_text(9)?,
        disposition: row.word(10)?,
        reason: row.opt_text(11)?,
        subject: row.opt_text(12)?,
        duplicate_of: row.opt_text(13)?,
        problem_id: row.opt_uuid(14)?.map(ProblemId::from_uuid),
        mapping_version: row.opt_text(15)?,
        decided_at: row.opt_time(16)?,
    })
}

/// Records by a clause over the inbox's columns.
pub(in crate::store) fn records(
    reader: &Reader<'_>,
    clause: &str,
    args: Vec<Value>,
) -> Result<Vec<InboxRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM inbox {clause}");
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&args))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn waiting(entry: Entry) -> InboxRecord {
    InboxRecord {
        id: InboxId::from_uuid(entry.raw_id.uuid()),
        merchant_id: entry.merchant_id,
        connection_id: entry.connection_id,
        raw_id: entry.raw_id,
        index: 0,
        source: entry.source,
        topic: entry.topic,
        received_at: entry.received_at,
        kind: None,
        external_id: None,
        disposition: Disposition::Pending,
        reason: None,
        subject: None,
        duplicate_of: None,
        problem_id: None,
        mapping_version: None,
        decided_at: None,
    }
}

/// Pending deliveries below a place, newest first, with their places.
fn pending(
    reader: &Reader<'_>,
    scope: Scope,
    filter: &InboxFilter,
    below: u64,
    limit: usize,
) -> Result<Vec<(u64, InboxRecord)>> {
    let mut found = Vec::new();
    inbox::each_pending(reader.conn, below, &mut |place, entry| {
        let wanted = scope.sees(entry.merchant_id)
            && filter
                .connection_id
                .is_none_or(|id| id == entry.connection_id);
        if wanted {
            found.push((place, waiting(entry)));
        }
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

fn decided(
    reader: &Reader<'_>,
    scope: Scope,
    filter: &InboxFilter,
    before: Option<uuid::Uuid>,
    limit: usize,
) -> Result<Vec<InboxRecord>> {
    let mut conditions = Filter::default();
    if let Scope::Merchant(merchant) = scope {
        conditions.and("merchant_id = ?", blob(merchant.uuid()));
    }
    if let Some(connection) = filter.connection_id {
        conditions.and("connection_id = ?", blob(connection.uuid()));
    }
    if let Some(disposition) = filter.disposition {
        conditions.and("disposition = ?", disposition.as_str().to_owned());
    }
    if let Some(external_id) = &filter.external_id {
        conditions.and("external_id = ?", external_id.clone());
    }
    if let Some(before) = before {
        conditions.and("id < ?", blob(before));
    }
    conditions.args.push(Value::Integer(int(limit as u64)));
    let clause = format!("{} ORDER BY id DESC LIMIT ?", conditions.sql());
    records(reader, &clause, conditions.args)
}

/// A page; its cursor is `p` and a place among the pending ones, then `r` and an id.
fn page(
    reader: &Reader<'_>,
    scope: Scope,
    filter: &InboxFilter,
    request: &PageRequest,
) -> Result<Page<InboxRecord>> {
    let limit = limit_of(request.limit);
    let after = request.after.as_deref();
    let below = match after {
        None => Some(u64::MAX >> 1),
        Some(text) => match text.strip_prefix('p') {
            Some(place) => Some(place.parse().map_err(|_| bad_cursor())?),
            None => None,
        },
    };
    let before = match after.and_then(|text| text.strip_prefix('r')) {
        Some(id) => Some(uuid::Uuid::try_parse(id).map_err(|_| bad_cursor())?),
        None if below.is_none() => return Err(bad_cursor()),
        None => None,
    };
    let shows_pending = filter.external_id.is_none()
        && filter.disposition.is_none_or(|d| d == Disposition::Pending);
    let mut data = Vec::new();
    if let Some(below) = below.filter(|_| shows_pending) {
        let found = pending(reader, scope, filter, below, limit)?;
        if found.len() == limit {
            let next = found.last().map(|(place, _)| format!("p{place}"));
            let data = found.into_iter().map(|(_, record)| record).collect();
            return Ok(Page { data, next });
        }
        data.extend(found.into_iter().map(|(_, record)| record));
    }
    let left = limit.saturating_sub(data.len());
    let rows = decided(reader, scope, filter, before, left)?;
    let next =
        (rows.len() == left).then(|| rows.last().map(|r| format!("r{}", cursor_of(r.id.uuid()))));
    data.extend(rows);
    Ok(Page {
        data,
        next: next.flatten(),
    })
}

impl SqlStore {
    pub(in crate::store) async fn inbox(
        &self,
        scope: Scope,
        filter: InboxFilter,
        request: PageRequest,
    ) -> Result<Page<InboxRecord>> {
        self.read(move |reader| page(reader, scope, &filter, &request))
            .await
    }

    pub(in crate::store) async fn inbox_record(
        &self,
        scope: Scope,
        id: InboxId,
    ) -> Result<Option<InboxRecord>> {
        self.read(move |reader| {
            let found = records(reader, "WHERE id = ?", vec![blob(id.uuid())])?;
            Ok(found
                .into_iter()
                .next()
                .filter(|record| scope.sees(record.merchant_id)))
        })
        .await
    }

    pub(in crate::store) async fn note_unchanged(
        &self,
        connection: &Connection,
        kind: &str,
        external_ids: Vec<String>,
        at: Timestamp,
        cursor: Option<CursorWrite>,
    ) -> Result<()> {
        let (id, kind) = (connection.id, kind.to_owned());
        self.write(64 * external_ids.len(), move |ctx| {
            let n = i64::try_from(external_ids.len()).unwrap_or(i64::MAX);
            if n > 0 {
                let day = day_of(at);
                ctx.local.ledger.push((id, day, "received", n));
                ctx.local.ledger.push((id, day, "reread", n));
            }
            for external_id in &external_ids {
                seen(ctx.conn, id, Some(&kind), external_id, micros(at))?;
            }
            cursor
                .iter()
                .try_for_each(|cursor| put_cursor(ctx.conn, cursor))
        })
        .await
    }

    pub(in crate::store) async fn content_hashes(
        &self,
        connection_id: ConnectionId,
        kind: &str,
        external_ids: &[String],
    ) -> Result<Vec<Option<[u8; 32]>>> {
        let (kind, ids) = (kind.to_owned(), external_ids.to_vec());
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(&format!(
                "SELECT hash FROM subjects
                 WHERE {}connection_id = ?1 AND external_id = ?2 AND kind = ?3",
                reader.conn.owner_of_connection("?1").is
            ))?;
            let each: Vec<_> = ids
                .iter()
                .map(|id| vec![connection_id.as_bytes().arg(), id.arg(), kind.arg()])
                .collect();
            query.first_of_each(&each, |row| row.get(0))
        })
        .await
    }

    pub(in crate::store) async fn dedupe_hits(
        &self,
        keys: &[DedupeKey],
        now: Timestamp,
    ) -> Result<Vec<Option<InboxId>>> {
        let hashed = |key: &DedupeKey| {
            let hash = dedupe_hash(&self.shared, key.connection_id, &key.topic, &key.key);
            (hash, key.connection_id)
        };
        let keys: Vec<([u8; 16], ConnectionId)> = keys.iter().map(hashed).collect();
        let since = micros(now).saturating_sub(DEDUPE_DAYS * DAY_MICROS);
        self.read(move |reader| {
            let conn = reader.conn;
            let sql = format!(
                "SELECT record_id FROM dedupe WHERE {}key = ?1 AND at >= ?2",
                conn.owner_of_connection("?3").is
            );
            let each: Vec<_> = keys
                .iter()
                .map(|(hash, connection)| {
                    let mut args = vec![hash.arg(), since.arg()];
                    args.extend(conn.owner_arg(connection.as_bytes()));
                    args
                })
                .collect();
            conn.prepare_cached(&sql)?
                .first_of_each(&each, |row| Ok(InboxId::from_uuid(row.uuid(0)?)))
        })
        .await
    }

    pub(in crate::store) async fn cursor(
        &self,
        connection_id: ConnectionId,
        name: &str,
    ) -> Result<Option<String>> {
        let name = name.to_owned();
        self.read(move |reader| {
            reader
                .conn
                .prepare_cached("SELECT value FROM cursors WHERE connection_id = ? AND name = ?")?
                .query_row(params![connection_id.as_bytes(), name], |row| row.get(0))
                .optional()
        })
        .await
    }
}
