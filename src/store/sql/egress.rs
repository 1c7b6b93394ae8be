//! Subscriptions and the deliveries that are not simply done.
//!
//! What always holds: a subscription's cursor never goes back; its progress is one transaction;
//! its secret is sealed.

use super::SqlStore;
use super::apply::put_audit;
use super::codec::{
    Columns, Filter, Result, blob, corrupt, cursor_id, cursor_of, from_json, int, limit_of, micros,
    to_json_text, word,
};
use super::conn::OptionalExtension;
use super::row::Row;
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use super::{events, problems};
use crate::canonical::{DeliveryId, EventId, MerchantId, SubscriptionId};
use crate::flow::change::{AuditEntry, IdempotentAnswer, ResolveProblems};
use crate::store::query::{
    DeliveryFilter, DeliveryRow, DeliveryState, EgressProgress, Page, PageRequest, Subscription,
    SubscriptionState,
};
use crate::store::{Scope, StoreError};
use secrecy::{ExposeSecret, SecretString};

const COLUMNS: &str = "id, subscription_id, merchant_id, event_id, sequence, ordering_key, state, \
    attempts, first_at, next_at, last_status, last_error, replay_of";

fn read(row: Row<'_>) -> Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: DeliveryId::from_uuid(row.uuid(0)?),
        subscription_id: SubscriptionId::from_uuid(row.uuid(1)?),
        merchant_id: MerchantId::from_uuid(row.uuid(2)?),
        event_id: EventId::from_uuid(row.uuid(3)?),
        sequence: row.number(4)?,
        ordering_key: row.text(5)?,
        state: row.word(6)?,
        attempts: row.get(7)?,
        first_at: row.time(8)?,
        next_at: row.opt_time(9)?,
        last_status: row.get(10)?,
        last_error: row.opt_text(11)?,
        replay_of: row.opt_uuid(12)?.map(EventId::from_uuid),
    })
}

fn put(ctx: &WriteCtx<'_>, row: &DeliveryRow) -> Result<()> {
    ctx.conn
        .prepare_cached(&format!(
            "INSERT INTO deliveries (id, subscription_id, merchant_id, event_id, sequence,
               ordering_key, state, attempts, first_at, next_at, last_status, last_error, replay_of)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT ({}) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
               next_at = excluded.next_at, last_status = excluded.last_status,
               last_error = excluded.last_error",
            ctx.conn.key()
        ))?
        .run(params![
            row.id.as_bytes(),
            row.subscription_id.as_bytes(),
            row.merchant_id.as_bytes(),
            row.event_id.as_bytes(),
            int(row.sequence),
            row.ordering_key,
            word(&row.state),
            row.attempts,
            micros(row.first_at),
            row.next_at.map(micros),
            row.last_status,
            row.last_error,
            row.replay_of.map(|id| *id.as_bytes()),
        ])
}

fn progress(ctx: &mut WriteCtx<'_>, done: &EgressProgress) -> Result<()> {
    if let (Some(id), Some(cursor)) = (done.subscription_id, done.cursor) {
        ctx.conn
            .prepare_cached("UPDATE subscriptions SET cursor = ?1 WHERE id = ?2 AND cursor < ?1")?
            .run(params![int(cursor), id.as_bytes()])?;
    }
    for row in &done.upsert {
        put(ctx, row)?;
    }
    for id in &done.remove {
        ctx.conn
            .prepare_cached("DELETE FROM deliveries WHERE id = ?")?
            .run(params![id.as_bytes()])?;
    }
    for (merchant, problem) in &done.problems {
        let opened = problems::open_all(ctx, *merchant, std::slice::from_ref(problem))?;
        for event in &opened.events {
            events::append(ctx, event, None);
        }
    }
    for (merchant, subject) in &done.resolve {
        let what = ResolveProblems {
            subject: subject.clone(),
            code: None,
        };
        for event in problems::resolve_all(ctx, *merchant, &[what])? {
            events::append(ctx, &event, None);
        }
    }
    Ok(())
}

impl SqlStore {
    pub(in crate::store) async fn insert_subscription(
        &self,
        subscription: &Subscription,
        secret: &SecretString,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<()> {
        let owner = subscription.merchant_id.unwrap_or(MerchantId::OPERATOR);
        let answer = self.seal_answer(owner, answer).await?;
        let key = self.key_of(owner).await?;
        let row = *subscription.id.as_bytes();
        let sealed = key.seal("subscriptions", &row, secret.expose_secret().as_bytes());
        let new = subscription.clone();
        self.write(1024, move |ctx| {
            ctx.conn
                .prepare_cached(
                    "INSERT INTO subscriptions (id, merchant_id, url, event_types, state,
                       disabled_reason, cursor, created_at, secret)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    row,
                    new.merchant_id.map(|id| *id.as_bytes()),
                    new.url,
                    to_json_text(&new.event_types)?,
                    word(&new.state),
                    new.disabled_reason,
                    int(new.cursor),
                    micros(new.created_at),
                    sealed,
                ])?;
            // A thing that somebody is to have.
            ctx.local.bells.setup = true;
            ctx.local.bells.events = true;
            put_audit(ctx.conn, &audit)?;
            answer.map_or(Ok(()), |answer| answer.put(ctx))
        })
        .await
    }

    pub(in crate::store) async fn subscriptions(&self, scope: Scope) -> Result<Vec<Subscription>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT id, url, event_types, merchant_id, state, disabled_reason, cursor,
                   created_at FROM subscriptions WHERE state <> 'deleted' ORDER BY id",
            )?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let subscription = Subscription {
                    id: SubscriptionId::from_uuid(row.uuid(0)?),
                    url: row.text(1)?,
                    event_types: from_json(row.text(2)?.as_bytes())?,
                    merchant_id: row.opt_uuid(3)?.map(MerchantId::from_uuid),
                    state: row.word(4)?,
                    disabled_reason: row.opt_text(5)?,
                    cursor: row.number(6)?,
                    created_at: row.time(7)?,
                };
                let visible = match (scope, subscription.merchant_id) {
                    (Scope::All, _) => true,
                    (Scope::Merchant(own), Some(merchant)) => own == merchant,
                    (Scope::Merchant(_), None) => false,
                };
                if visible {
                    found.push(subscription);
                }
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn subscription_secret(
        &self,
        id: SubscriptionId,
    ) -> Result<SecretString> {
        self.read(move |reader| {
            let sealed: Option<Option<Vec<u8>>> = reader
                .conn
                .prepare_cached("SELECT secret FROM subscriptions WHERE id = ?")?
                .query_row(params![id.as_bytes()], |row| row.get(0))
                .optional()?;
            let sealed = sealed
                .flatten()
                .ok_or_else(|| StoreError::NotFound(id.to_string()))?;
            let text = reader.open("subscriptions", id.as_bytes(), &sealed)?;
            let text = String::from_utf8(text).map_err(|_| corrupt("a secret"))?;
            Ok(SecretString::from(text))
        })
        .await
    }

    pub(in crate::store) async fn set_subscription_secret(
        &self,
        id: SubscriptionId,
        secret: &SecretString,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<()> {
        let all = self.subscriptions(Scope::All).await?;
        let found = all.into_iter().find(|s| s.id == id);
        let found = found.ok_or_else(|| StoreError::NotFound(id.to_string()))?;
        let owner = found.merchant_id.unwrap_or(MerchantId::OPERATOR);
        let answer = self.seal_answer(owner, answer).await?;
        let key = self.key_of(owner).await?;
        let row = *id.as_bytes();
        let sealed = key.seal("subscriptions", &row, secret.expose_secret().as_bytes());
        self.write(1024, move |ctx| {
            let changed = ctx
                .conn
                .prepare_cached(
                    "UPDATE subscriptions SET secret = ? WHERE id = ? AND state <> 'deleted'",
                )?
                .execute(params![sealed, row])?;
            if changed == 0 {
                return Err(StoreError::NotFound(id.to_string()));
            }
            ctx.local.bells.events = true;
            put_audit(ctx.conn, &audit)?;
            answer.map_or(Ok(()), |answer| answer.put(ctx))
        })
        .await
    }

    pub(in crate::store) async fn set_subscription_state(
        &self,
        id: SubscriptionId,
        state: SubscriptionState,
        reason: Option<String>,
        audit: Option<AuditEntry>,
    ) -> Result<()> {
        self.write(512, move |ctx| {
            let gone = state == SubscriptionState::Deleted;
            let changed = ctx
                .conn
                .prepare_cached(
                    "UPDATE subscriptions SET state = ?1, disabled_reason = ?2,
                       secret = CASE WHEN ?3 THEN NULL ELSE secret END
                     WHERE id = ?4 AND state <> 'deleted'",
                )?
                .execute(params![word(&state), reason, gone, id.as_bytes()])?;
            if changed == 0 {
                return Err(StoreError::NotFound(id.to_string()));
            }
            if gone {
                ctx.conn
                    .prepare_cached("DELETE FROM deliveries WHERE subscription_id = ?")?
                    .execute(params![id.as_bytes()])?;
            }
            ctx.local.bells.events = true;
            audit
                .iter()
                .try_for_each(|entry| put_audit(ctx.conn, entry))
        })
        .await
    }

    pub(in crate::store) async fn egress_progress(&self, done: EgressProgress) -> Result<()> {
        let bytes = 512 * (1 + done.upsert.len() + done.remove.len());
        self.write(bytes, move |ctx| progress(ctx, &done)).await
    }

    pub(in crate::store) async fn open_deliveries(
        &self,
        id: SubscriptionId,
    ) -> Result<Vec<DeliveryRow>> {
        self.read(move |reader| {
            let sql = format!(
                "SELECT {COLUMNS} FROM deliveries
                 WHERE subscription_id = ? AND state = 'waiting' ORDER BY sequence, id"
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params![id.as_bytes()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(read(row)?);
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn deliveries(
        &self,
        scope: Scope,
        filter: DeliveryFilter,
        page: PageRequest,
    ) -> Result<Page<DeliveryRow>> {
        self.read(move |reader| {
            let mut conditions = Filter::default();
            if let Scope::Merchant(merchant) = scope {
                conditions.and("merchant_id = ?", blob(merchant.uuid()));
            }
            if let Some(subscription) = filter.subscription_id {
                conditions.and("subscription_id = ?", blob(subscription.uuid()));
            }
            if let Some(state) = filter.state {
                conditions.and("state = ?", word::<DeliveryState>(&state).to_owned());
            }
            if let Some(event) = filter.event_id {
                conditions.and("event_id = ?", blob(event.uuid()));
            }
            if let Some(after) = cursor_id(page.after.as_deref())? {
                conditions.and("id < ?", blob(after));
            }
            let limit = limit_of(page.limit);
            conditions.args.push(Value::Integer(int(limit as u64)));
            let sql = format!(
                "SELECT {COLUMNS} FROM deliveries{} ORDER BY id DESC LIMIT ?",
                conditions.sql()
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(&conditions.args))?;
            let mut data = Vec::new();
            while let Some(row) = rows.next()? {
                data.push(read(row)?);
            }
            let next = (data.len() == limit).then(|| data.last().map(|d| cursor_of(d.id.uuid())));
            Ok(Page {
                data,
                next: next.flatten(),
            })
        })
        .await
    }

    pub(in crate::store) async fn insert_deliveries(
        &self,
        rows: Vec<DeliveryRow>,
        audit: Option<AuditEntry>,
        answer: Option<IdempotentAnswer>,
    ) -> Result<()> {
        let answer = self.seal_answer(MerchantId::OPERATOR, answer).await?;
        self.write(512 * (1 + rows.len()), move |ctx| {
            for row in &rows {
                put(ctx, row)?;
            }
            ctx.local.bells.events = true;
            if let Some(audit) = &audit {
                put_audit(ctx.conn, audit)?;
            }
            answer.map_or(Ok(()), |answer| answer.put(ctx))
        })
        .await
    }

    pub(in crate::store) async fn delivery_row(
        &self,
        scope: Scope,
        id: DeliveryId,
    ) -> Result<Option<DeliveryRow>> {
        self.read(move |reader| {
            let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE id = ?");
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params![id.as_bytes()])?;
            let found = rows.next()?.map(read).transpose()?;
            Ok(found.filter(|row| scope.sees(row.merchant_id)))
        })
        .await
    }
}

/// Deliveries of an ordering key that are not simply done, for timelines.
pub(in crate::store) fn of_ordering_key(
    reader: &super::reader::Reader<'_>,
    key: &str,
) -> Result<Vec<DeliveryRow>> {
    let sql = format!("SELECT {COLUMNS} FROM deliveries WHERE ordering_key = ? ORDER BY id");
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![key])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
