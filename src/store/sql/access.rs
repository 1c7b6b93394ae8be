//! Tokens and idempotency keys.
//!
//! What always holds: tokens are known by their hash only; an `Idempotency-Key` is claimed before
//! work is done, belongs to one body and answers again for 48 hours.

use super::SqlStore;
use super::apply::{put_answer, put_audit};
use super::apply_inbox::DAY_MICROS;
use super::codec::{Columns, Result, micros, word};
use super::row::Row;
use super::seal::answer_row;
use super::value::params;
use super::writer::WriteCtx;
use crate::canonical::{MerchantId, Timestamp, TokenId};
use crate::flow::change::{AuditEntry, IdempotentAnswer};
use crate::store::StoreError;
use crate::store::query::{IdempotencyClaim, TokenRow};

/// A request that is so old and has no answer was another node's, and died with it.
const LOST_MICROS: i64 = DAY_MICROS / 96;
/// How long an answer is kept.
pub(in crate::store) const IDEMPOTENCY_MICROS: i64 = 2 * DAY_MICROS;

fn token(row: Row<'_>) -> Result<TokenRow> {
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

/// An answer under an `Idempotency-Key`, ready to be written beside what it tells of.
pub(in crate::store) struct SealedAnswer {
    scope: String,
    key: String,
    status: u16,
    body: Vec<u8>,
}

impl SealedAnswer {
    /// Writes it in the transaction that is open.
    pub(in crate::store) fn put(&self, ctx: &WriteCtx<'_>) -> Result<()> {
        put_answer(ctx, &self.scope, &self.key, self.status, &self.body)
    }
}

impl SqlStore {
    /// Seals an answer with its owner's key: it is erased with the rest of him.
    pub(in crate::store) async fn seal_answer(
        &self,
        owner: MerchantId,
        answer: Option<IdempotentAnswer>,
    ) -> Result<Option<SealedAnswer>> {
        let Some(answer) = answer else {
            return Ok(None);
        };
        let key = self.key_of(owner).await?;
        let row = answer_row(&answer.scope, &answer.key);
        Ok(Some(SealedAnswer {
            body: key.seal("idempotency", &row, &answer.body),
            scope: answer.scope,
            key: answer.key,
            status: answer.status,
        }))
    }

    pub(in crate::store) async fn insert_token(
        &self,
        token: &TokenRow,
        audit: AuditEntry,
        answer: Option<IdempotentAnswer>,
    ) -> Result<()> {
        let owner = token.merchant_id.unwrap_or(MerchantId::OPERATOR);
        let answer = self.seal_answer(owner, answer).await?;
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
            put_audit(ctx.conn, &audit)?;
            answer.map_or(Ok(()), |answer| answer.put(ctx))
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

    pub(in crate::store) async fn token_by_hash(
        &self,
        hash: &[u8; 32],
    ) -> Result<Option<TokenRow>> {
        let found = self
            .tokens_where("hash = ? AND revoked_at IS NULL", hash.to_vec())
            .await?;
        Ok(found.into_iter().next())
    }

    pub(in crate::store) async fn tokens(&self) -> Result<Vec<TokenRow>> {
        self.tokens_where("hash >= ?", Vec::new()).await
    }

    pub(in crate::store) async fn revoke_token(
        &self,
        id: TokenId,
        audit: AuditEntry,
    ) -> Result<()> {
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

    pub(in crate::store) async fn claim_idempotency(
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
                let lost = micros(now).saturating_sub(LOST_MICROS);
                ctx.conn
                    .prepare_cached(
                        "DELETE FROM idempotency WHERE scope = ? AND key = ?
                           AND (at < ? OR (status IS NULL AND at < ?))",
                    )?
                    .run(params![scope, key, old, lost])?;
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
                            row.get::<Vec<u8>>(0)?,
                            row.get::<Option<u16>>(1)?,
                            row.get::<Option<Vec<u8>>>(2)?,
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

    pub(in crate::store) async fn finish_idempotency(
        &self,
        scope: &str,
        key: &str,
        answer: Option<(u16, Vec<u8>)>,
    ) -> Result<()> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        let answer = answer.map(|(status, body)| IdempotentAnswer {
            scope: scope.clone(),
            key: key.clone(),
            status,
            body,
        });
        let sealed = self.seal_answer(MerchantId::OPERATOR, answer).await?;
        self.write(1024, move |ctx| match sealed {
            Some(answer) => answer.put(ctx),
            None => ctx
                .conn
                .prepare_cached(
                    "DELETE FROM idempotency WHERE scope = ? AND key = ? AND status IS NULL",
                )?
                .run(params![scope, key]),
        })
        .await
    }
}
