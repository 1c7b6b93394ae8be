//! Merchants, tokens, idempotency keys, the audit log, and running the store.
//!
//! What always holds: a merchant is stored with its data key; tokens are known by their hash only;
//! an `Idempotency-Key` is claimed before work is done and belongs to one body.

use super::SqliteStore;
use super::apply::{put_answer, put_audit};
use super::apply_inbox::{DAY_MICROS, DEDUPE_DAYS};
use super::codec::{
    Columns, Filter, Result, bad_cursor, blob, corrupt, cursor_id, cursor_of, from_json, int,
    limit_of, micros, to_json_text, word,
};
use super::migrate::{self, MIGRATIONS};
use super::seal::answer_row;
use super::{wire, writer};
use crate::canonical::connection::Merchant;
use crate::canonical::{AuditId, MerchantId, Timestamp, TokenId};
use crate::flow::change::AuditEntry;
use crate::store::query::{AuditRow, IdempotencyClaim, Page, PageRequest, StoreHealth, TokenRow};
use crate::store::vault::MasterKey;
use crate::store::{Scope, StoreError};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

const IDEMPOTENCY_MICROS: i64 = 2 * DAY_MICROS;

fn token(row: &Row<'_>) -> Result<TokenRow> {
    Ok(TokenRow {
        id: TokenId::from_uuid(row.uuid(0)?),
        hash: row.get(1)?,
        name: row.text(2)?,
        scope: row.word(3)?,
        merchant_id: row.opt_uuid(4)?.map(MerchantId::from_uuid),
        created_at: row.time(5)?,
        revoked_at: row.opt_time(6)?,
    })
}

impl SqliteStore {
    pub(super) async fn insert_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
    ) -> Result<()> {
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
        migrate::rewrap(&mut conn, old, new)
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

    pub(super) async fn insert_token(&self, token: &TokenRow, audit: AuditEntry) -> Result<()> {
        let new = token.clone();
        self.write(256, move |ctx| {
            ctx.conn
                .prepare_cached(
                    "INSERT INTO tokens (id, hash, name, scope, merchant_id, created_at, revoked_at)
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    new.id.as_bytes(),
                    new.hash,
                    new.name,
                    word(&new.scope),
                    new.merchant_id.map(|id| *id.as_bytes()),
                    micros(new.created_at),
                    new.revoked_at.map(micros),
                ])?;
            put_audit(ctx.conn, &audit)
        })
        .await
    }

    async fn tokens_where(&self, clause: &'static str, hash: Vec<u8>) -> Result<Vec<TokenRow>> {
        self.read(move |reader| {
            let sql = format!(
                "SELECT id, hash, name, scope, merchant_id, created_at, revoked_at FROM tokens
                 WHERE {clause} ORDER BY id"
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params![hash])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(token(row)?);
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRow>> {
        let found = self
            .tokens_where("hash = ? AND revoked_at IS NULL", hash.to_vec())
            .await?;
        Ok(found.into_iter().next())
    }

    pub(super) async fn tokens(&self) -> Result<Vec<TokenRow>> {
        self.tokens_where("hash >= ?", Vec::new()).await
    }

    pub(super) async fn revoke_token(&self, id: TokenId, audit: AuditEntry) -> Result<()> {
        self.write(256, move |ctx| {
            let changed = ctx
                .conn
                .prepare_cached(
                    "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?",
                )?
                .execute(params![micros(ctx.now()), id.as_bytes()])?;
            if changed == 0 {
                return Err(StoreError::NotFound(id.to_string()));
            }
            put_audit(ctx.conn, &audit)
        })
        .await
    }

    pub(super) async fn claim_idempotency(
        &self,
        scope: &str,
        key: &str,
        body_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<IdempotencyClaim> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        let row = answer_row(&scope, &key);
        let found = self
            .write(256, move |ctx| {
                let old = micros(now).saturating_sub(IDEMPOTENCY_MICROS);
                ctx.conn
                    .prepare_cached(
                        "DELETE FROM idempotency WHERE scope = ? AND key = ? AND at < ?",
                    )?
                    .execute(params![scope, key, old])?;
                let written = ctx
                    .conn
                    .prepare_cached(
                        "INSERT INTO idempotency (scope, key, body_hash, at) VALUES (?, ?, ?, ?)
                         ON CONFLICT DO NOTHING",
                    )?
                    .execute(params![scope, key, body_hash, micros(now)])?;
                if written == 1 {
                    return Ok(None);
                }
                let found = ctx
                    .conn
                    .prepare_cached(
                        "SELECT body_hash, status, answer FROM idempotency
                         WHERE scope = ? AND key = ?",
                    )?
                    .query_row(params![scope, key], |row| {
                        Ok((
                            row.get::<_, Vec<u8>>(0)?,
                            row.get::<_, Option<u16>>(1)?,
                            row.get::<_, Option<Vec<u8>>>(2)?,
                        ))
                    })?;
                Ok(Some(found))
            })
            .await?;
        match found {
            None => Ok(IdempotencyClaim::Fresh),
            Some((hash, ..)) if hash != body_hash => Ok(IdempotencyClaim::Mismatch),
            Some((_, Some(status), Some(sealed))) => {
                let body = self
                    .read(move |reader| reader.open("idempotency", &row, &sealed))
                    .await?;
                Ok(IdempotencyClaim::Done(status, body))
            }
            Some(_) => Ok(IdempotencyClaim::InFlight),
        }
    }

    pub(super) async fn finish_idempotency(
        &self,
        scope: &str,
        key: &str,
        answer: Option<(u16, Vec<u8>)>,
    ) -> Result<()> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        let operator = self.key_of(MerchantId::OPERATOR).await?;
        let sealed = answer.map(|(status, body)| {
            let row = answer_row(&scope, &key);
            (status, operator.seal("idempotency", &row, &body))
        });
        self.write(1024, move |ctx| match sealed {
            Some((status, body)) => put_answer(ctx, &scope, &key, status, &body),
            None => {
                ctx.conn
                    .prepare_cached(
                        "DELETE FROM idempotency WHERE scope = ? AND key = ? AND status IS NULL",
                    )?
                    .execute(params![scope, key])?;
                Ok(())
            }
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
        let free_bytes = writer::free_bytes(&options.path);
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
