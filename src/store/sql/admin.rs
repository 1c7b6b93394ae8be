//! Merchants, the audit log, and running the store.
//!
//! What always holds: a merchant is stored with its data key; deleting that key erases the merchant.

use super::SqlStore;
use super::access::IDEMPOTENCY_MICROS;
use super::apply::put_audit;
use super::apply_inbox::{DAY_MICROS, DEDUPE_DAYS};
use super::codec::{
    Columns, Filter, Result, bad_cursor, blob, cursor_id, cursor_of, from_json, int, limit_of,
    micros, to_json_text,
};
use super::conn::OptionalExtension;
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use super::{Engine, inbox, keys, parcels};
use crate::canonical::connection::Merchant;
use crate::canonical::{AuditId, MerchantId, Timestamp};
use crate::flow::change::{AuditEntry, IdempotentAnswer};
use crate::store::query::{AuditRow, Page, PageRequest, StoreHealth};
use crate::store::{Scope, StoreError, postgres, sqlite};

impl SqlStore {
    pub(in crate::store) async fn insert_merchant(
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
            let (key, wrapped) = keys::insert_key(ctx.conn, vault, new.id, ctx.now())?;
            ctx.local.after.push(Box::new(move |shared| {
                // It opens: it was made a moment ago. If not, it is read when it is needed.
                let _ = shared.vault.load(key, new.id, &wrapped, true);
            }));
            put_audit(ctx.conn, &audit)?;
            answer.map_or(Ok(()), |answer| answer.put(ctx))
        })
        .await
    }

    pub(in crate::store) async fn update_merchant(
        &self,
        merchant: &Merchant,
        audit: AuditEntry,
    ) -> Result<()> {
        let new = merchant.clone();
        self.write(1024, move |ctx| {
            let stored: Option<String> = ctx
                .conn
                .prepare_cached(&format!(
                    "SELECT data FROM merchants WHERE id = ?{}",
                    ctx.conn.for_update()
                ))?
                .query_row(params![new.id.as_bytes()], |row| row.get(0))
                .optional()?;
            let stored: Merchant = match stored {
                Some(data) => from_json(data.as_bytes())?,
                None => return Err(StoreError::NotFound(new.id.to_string())),
            };
            let merchant = Merchant {
                created_at: stored.created_at,
                erased_at: stored.erased_at,
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

    pub(in crate::store) async fn erase_merchant(
        &self,
        merchant: MerchantId,
        audit: AuditEntry,
    ) -> Result<u64> {
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
                .collect::<Result<Vec<u32>>>()?;
            if ids.is_empty() {
                return Err(super::no_key(merchant));
            }
            let count = ids.len() as u64;
            mark_erased(ctx, merchant)?;
            parcels::erase(ctx.conn, merchant)?;
            inbox::ignore_waiting(ctx, merchant)?;
            // Other nodes hear it, and forget the keys.
            ctx.local.bells.setup = true;
            ctx.local.after.push(Box::new(move |shared| {
                shared.vault.forget(merchant, &ids);
                shared.snapshots().clear();
            }));
            put_audit(ctx.conn, &audit)?;
            Ok(count)
        })
        .await
    }

    pub(in crate::store) async fn merchants(
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
            let mut rows = query.query(params_from_iter(&conditions.args))?;
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

    pub(in crate::store) async fn merchant(
        &self,
        scope: Scope,
        id: MerchantId,
    ) -> Result<Option<Merchant>> {
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

    pub(in crate::store) async fn audit(
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
            let mut rows = query.query(params_from_iter(&conditions.args))?;
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

    pub(in crate::store) async fn health(&self) -> Result<StoreHealth> {
        let options = &self.shared.options;
        let mut health = match &self.engine {
            Engine::Sqlite(engine) => {
                let (writer_queue, writer_queue_limit) = engine.queue();
                StoreHealth {
                    backend: "sqlite".to_owned(),
                    schema_version: u32::try_from(sqlite::SCHEMAS).unwrap_or(0),
                    free_bytes: sqlite::free_bytes(&options.path),
                    min_free_bytes: options.min_free_mb.saturating_mul(1 << 20),
                    writer_queue,
                    writer_queue_limit,
                    ..StoreHealth::default()
                }
            }
            Engine::Postgres(engine) => {
                let (writer_queue, writer_queue_limit) = engine.queue();
                StoreHealth {
                    backend: "postgres".to_owned(),
                    schema_version: u32::try_from(postgres::SCHEMAS).unwrap_or(0),
                    writer_queue,
                    writer_queue_limit,
                    ..StoreHealth::default()
                }
            }
        };
        let (pending, oldest) = self.read(|reader| inbox::backlog(reader.conn)).await?;
        health.pending_deliveries = pending;
        health.oldest_pending_at = oldest;
        Ok(health)
    }

    pub(in crate::store) async fn housekeeping(&self, now: Timestamp) -> Result<()> {
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
                    ctx.conn.prepare_cached(sql)?.execute(params![before])
                })
                .await?
                > 0
            {}
        }
        Ok(())
    }

    pub(in crate::store) async fn join(&self, node: &str) -> Result<()> {
        match &self.engine {
            // The lock file keeps every other server away: everything is this one's.
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(engine) => engine.join(&self.shared, node).await,
        }
    }

    pub(in crate::store) async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}

/// Whoever looks sees that nothing is begun for it any more.
fn mark_erased(ctx: &WriteCtx<'_>, merchant: MerchantId) -> Result<()> {
    let data: Option<String> = ctx
        .conn
        .prepare_cached(&format!(
            "SELECT data FROM merchants WHERE id = ?{}",
            ctx.conn.for_update()
        ))?
        .query_row(params![merchant.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(data) = data else {
        return Ok(());
    };
    let mut stored: Merchant = from_json(data.as_bytes())?;
    stored.erased_at = Some(ctx.now());
    ctx.conn
        .prepare_cached("UPDATE merchants SET data = ? WHERE id = ?")?
        .run(params![to_json_text(&stored)?, merchant.as_bytes()])
}
