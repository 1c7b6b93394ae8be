//! Merchants, the audit log, and running the store.
//!
//! What always holds: a merchant is stored with its data key; deleting that key erases the merchant.

use super::SqliteStore;
use super::access::IDEMPOTENCY_MICROS;
use super::apply::put_audit;
use super::apply_inbox::{DAY_MICROS, DEDUPE_DAYS};
use super::codec::{
    Columns, Filter, Result, bad_cursor, blob, corrupt, cursor_id, cursor_of, from_json, int,
    limit_of, micros, to_json_text,
};
use super::migrate::{self, MIGRATIONS};
use super::{commit, parcels, wire, writer};
use crate::canonical::connection::Merchant;
use crate::canonical::{AuditId, MerchantId, Timestamp};
use crate::flow::change::{AuditEntry, IdempotentAnswer};
use crate::store::query::{AuditRow, Page, PageRequest, StoreHealth};
use crate::store::vault::MasterKey;
use crate::store::{Scope, StoreError};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params, params_from_iter};

impl SqliteStore {
    pub(super) async fn insert_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<()> {
        // The merchant's own key does not exist yet.
        let answer = self.seal_answer(MerchantId::OPERATOR, answer).await?;
        let new = merchant.clone();
        self.write(1024, move |ctx| {
            ctx.conn
                .prepare_cached("INSERT INTO merchants (id, name, data) VALUES (?, ?, ?)")?
                .execute(params![new.id.as_bytes(), new.name, to_json_text(&new)?])?;
            let vault = &ctx.shared.vault;
            let (key, wrapped) = migrate::insert_key(ctx.conn, vault, new.id, ctx.now())?;
            ctx.local.after.push(Box::new(move |shared| {
                // It opens: it was made a moment ago. If not, it is read when it is needed.
                let _ = shared.vault.load(key, new.id, &wrapped, true);
            }));
            put_audit(ctx.conn, &audit)?;
            answer.map_or(Ok(()), |answer| answer.put(ctx))
        })
        .await
    }

    pub(super) async fn update_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
    ) -> Result<()> {
        let new = merchant.clone();
        self.write(1024, move |ctx| {
            let stored: Option<String> = ctx
                .conn
                .prepare_cached("SELECT data FROM merchants WHERE id = ?")?
                .query_row(params![new.id.as_bytes()], |row| row.get(0))
                .optional()?;
            let stored: Merchant = match stored {
                Some(data) => from_json(data.as_bytes())?,
                None => return Err(StoreError::NotFound(new.id.to_string())),
            };
            let merchant = Merchant {
                created_at: stored.created_at,
                ..new
            };
            ctx.conn
                .prepare_cached("UPDATE merchants SET name = ?, data = ? WHERE id = ?")?
                .execute(params![
                    merchant.name,
                    to_json_text(&merchant)?,
                    merchant.id.as_bytes()
                ])?;
            ctx.local.bells.setup = true;
            put_audit(ctx.conn, &audit)
        })
        .await
    }

    /// Deletes a merchant's data keys: nothing that was sealed for it opens ever again. Yields how
    /// many keys there were.
    ///
    /// # Errors
    /// `NotFound` when it has none; `Conflict` for the operator.
    pub async fn erase_merchant(&self, merchant: MerchantId, audit: AuditEntry) -> Result<u64> {
        if merchant == MerchantId::OPERATOR {
            return Err(StoreError::Conflict(
                "the operator cannot be erased".to_owned(),
            ));
        }
        self.write(256, move |ctx| {
            let ids = ctx
                .conn
                .prepare_cached("DELETE FROM data_keys WHERE merchant_id = ? RETURNING key_id")?
                .query_map(params![merchant.as_bytes()], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<u32>>>()?;
            if ids.is_empty() {
                return Err(super::no_key(merchant));
            }
            let count = ids.len() as u64;
            parcels::erase(ctx.conn, merchant)?;
            ctx.local.after.push(Box::new(move |shared| {
                shared.vault.forget(merchant, &ids);
                shared.snapshots().clear();
            }));
            put_audit(ctx.conn, &audit)?;
            Ok(count)
        })
        .await
    }

    /// Wraps all keys of a database anew for another master key; no server may have it open.
    /// Yields how many data keys were wrapped.
    ///
    /// # Errors
    /// `Unavailable` when a server has it; `Corrupt` when `old` is not its master key.
    pub fn rewrap(path: &std::path::Path, old: &MasterKey, new: &MasterKey) -> Result<u64> {
        let _lock = super::lock_file(path)?;
        let mut conn = writer::connect(path)?;
        // What the old master key wrapped is not to be found between the rows either.
        conn.execute_batch("PRAGMA secure_delete = ON")?;
        migrate::rewrap(&mut conn, old, new)
    }

    /// Is this the master key that a database is written with?
    ///
    /// # Errors
    /// `NotFound` when there is no file; `Unavailable` when it cannot be read.
    pub fn is_sealed_with(path: &std::path::Path, key: &MasterKey) -> Result<bool> {
        if !path.exists() {
            return Err(StoreError::NotFound(format!(
                "no database at {}",
                path.display()
            )));
        }
        migrate::is_sealed_with(&super::reader::connect(path)?, key)
    }

    pub(super) async fn merchants(
        &self,
        scope: Scope,
        page: PageRequest,
    ) -> Result<Page<Merchant>> {
        self.read(move |reader| {
            let mut conditions = Filter::default();
            if let Scope::Merchant(merchant) = scope {
                conditions.and("id = ?", blob(merchant.uuid()));
            }
            if let Some(after) = page.after.as_deref() {
                let (id, name) = after.split_once('.').ok_or_else(bad_cursor)?;
                let id = uuid::Uuid::try_parse(id).map_err(|_| bad_cursor())?;
                conditions.raw("(name, id) > (?, ?)");
                conditions.args.push(Value::Text(name.to_owned()));
                conditions.args.push(blob(id));
            }
            let limit = limit_of(page.limit);
            conditions.args.push(Value::Integer(int(limit as u64)));
            let sql = format!(
                "SELECT data FROM merchants{} ORDER BY name, id LIMIT ?",
                conditions.sql()
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(conditions.args))?;
            let mut data: Vec<Merchant> = Vec::new();
            while let Some(row) = rows.next()? {
                data.push(from_json(row.text(0)?.as_bytes())?);
            }
            let last = data.last().filter(|_| data.len() == limit);
            let next = last.map(|m| format!("{}.{}", cursor_of(m.id.uuid()), m.name));
            Ok(Page { data, next })
        })
        .await
    }

    pub(super) async fn merchant(&self, scope: Scope, id: MerchantId) -> Result<Option<Merchant>> {
        if !scope.sees(id) {
            return Ok(None);
        }
        self.read(move |reader| {
            let data: Option<String> = reader
                .conn
                .prepare_cached("SELECT data FROM merchants WHERE id = ?")?
                .query_row(params![id.as_bytes()], |row| row.get(0))
                .optional()?;
            data.map(|data| from_json(data.as_bytes())).transpose()
        })
        .await
    }

    pub(super) async fn audit(
        &self,
        subject: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<AuditRow>> {
        let subject = subject.map(str::to_owned);
        self.read(move |reader| {
            let mut conditions = Filter::default();
            if let Some(subject) = subject {
                conditions.and("subject = ?", subject);
            }
            if let Some(after) = cursor_id(page.after.as_deref())? {
                conditions.and("id < ?", blob(after));
            }
            let limit = limit_of(page.limit);
            conditions.args.push(Value::Integer(int(limit as u64)));
            let sql = format!(
                "SELECT id, at, actor, action, subject, detail FROM audit{}
                 ORDER BY id DESC LIMIT ?",
                conditions.sql()
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(conditions.args))?;
            let mut data = Vec::new();
            while let Some(row) = rows.next()? {
                data.push(AuditRow {
                    id: AuditId::from_uuid(row.uuid(0)?),
                    at: row.time(1)?,
                    actor: row.text(2)?,
                    action: row.text(3)?,
                    subject: row.text(4)?,
                    detail: from_json(row.text(5)?.as_bytes())?,
                });
            }
            let next = (data.len() == limit).then(|| data.last().map(|a| cursor_of(a.id.uuid())));
            Ok(Page {
                data,
                next: next.flatten(),
            })
        })
        .await
    }

    pub(super) async fn health(&self) -> Result<StoreHealth> {
        let (waiting, limit) = self.writer.as_ref().map_or((0, 0), |w| w.queue());
        let options = &self.shared.options;
        let free_bytes = commit::free_bytes(&options.path);
        let min_free_bytes = options.min_free_mb.saturating_mul(1 << 20);
        self.read(move |reader| {
            let pending: Option<i64> = reader
                .conn
                .prepare_cached("SELECT sum(open) FROM wire_open")?
                .query_row([], |row| row.get(0))?;
            Ok(StoreHealth {
                backend: "sqlite".to_owned(),
                schema_version: u32::try_from(MIGRATIONS.len()).unwrap_or(0),
                free_bytes,
                min_free_bytes,
                writer_queue: waiting,
                writer_queue_limit: limit,
                pending_deliveries: super::codec::uint(pending.unwrap_or(0)),
                oldest_pending_at: oldest_pending(reader)?,
            })
        })
        .await
    }

    pub(super) async fn housekeeping(&self, now: Timestamp) -> Result<()> {
        let now = micros(now);
        let old = [
            (
                "DELETE FROM dedupe WHERE key IN (SELECT key FROM dedupe WHERE at < ? LIMIT 500)",
                now.saturating_sub(DEDUPE_DAYS * DAY_MICROS),
            ),
            (
                "DELETE FROM idempotency WHERE (scope, key) IN
                   (SELECT scope, key FROM idempotency WHERE at < ? LIMIT 500)",
                now.saturating_sub(IDEMPOTENCY_MICROS),
            ),
        ];
        for (sql, before) in old {
            // In small pieces, so that others' commits do not wait.
            while self
                .write(4096, move |ctx| {
                    Ok(ctx.conn.prepare_cached(sql)?.execute(params![before])?)
                })
                .await?
                > 0
            {}
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
        self.readers.close();
    }
}

fn oldest_pending(reader: &super::reader::Reader<'_>) -> Result<Option<Timestamp>> {
    let first = reader
        .conn
        .prepare_cached(
            "SELECT o.done, w.head FROM wire_open o JOIN wire_batches w USING (place)
             ORDER BY place LIMIT 1",
        )?
        .query_row([], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    let Some((done, head)) = first else {
        return Ok(None);
    };
    let mut waiting = wire::read_head(&head)?
        .into_iter()
        .enumerate()
        .filter(|(index, _)| {
            let bits = done.get(index / 8).copied().unwrap_or(0);
            bits & (1 << (index % 8)) == 0
        });
    let (_, entry) = waiting
        .next()
        .ok_or_else(|| corrupt("an open batch without a pending delivery"))?;
    Ok(Some(entry.received_at))
}
