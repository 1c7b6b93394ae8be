//! `apply`: change sets become rows, each wholly or not at all.
//!
//! What always holds: an aggregate is written only over the `lock` that was read; everything of a
//! change set is in one savepoint; its events get their sequence in the order of the sets.

use super::cache::SnapshotKey;
use super::codec::{NO_CUT_OFF, Result, int, micros, word};
use super::conn::Conn;
use super::seal::{self, SealedObject, SealedSet, SealedState, WorkColumns};
use super::together::{self, Written};
use super::value::params;
use super::writer::WriteCtx;
use super::{SqlStore, apply_inbox, cod, connections, documents, events, jobs_apply};
use super::{parcels, problems, shipments, stock, tracking};
use crate::canonical::MerchantId;
use crate::flow;
use crate::flow::change::{AuditEntry, ChangeSet, OrderState};
use crate::store::{Applied, StoreError};

/// Sets above this count are sealed on a blocking thread.
const MANY: usize = 8;

impl SqlStore {
    pub(in crate::store) async fn apply(
        &self,
        changes: Vec<ChangeSet>,
    ) -> Result<Vec<Result<Applied>>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let sealed = self.seal_sets(changes).await?;
        let bytes = sealed.iter().flatten().map(size).sum();
        // One command for all; what fails of them leaves no trace.
        let write = move |ctx: &mut WriteCtx<'_>| Ok(together::write_all(ctx, sealed));
        let (written, base) = self.engine.writer()?.run(bytes, true, write).await?;
        let applied = |place: Option<u64>| Applied {
            last_sequence: place.map_or(0, |place| base + place),
        };
        Ok(written.into_iter().map(|set| set.map(applied)).collect())
    }

    /// Seals change sets, with the keys of all their merchants.
    pub(in crate::store) async fn seal_sets(
        &self,
        changes: Vec<ChangeSet>,
    ) -> Result<Vec<Result<SealedSet>>> {
        let mut merchants: Vec<MerchantId> = changes.iter().flat_map(seal::merchants_of).collect();
        merchants.sort_unstable();
        merchants.dedup();
        self.load_keys(merchants).await?;
        let shared = std::sync::Arc::clone(&self.shared);
        let many = changes.len() > MANY;
        let seal_all = move || {
            changes
                .into_iter()
                .map(|set| seal::seal_set(&shared, set))
                .collect()
        };
        if many {
            tokio::task::spawn_blocking(seal_all)
                .await
                .map_err(|_| StoreError::Corrupt("sealing failed unexpectedly".to_owned()))
        } else {
            Ok(seal_all())
        }
    }

    /// Seals one change set.
    pub(in crate::store) async fn seal_one(&self, change: ChangeSet) -> Result<SealedSet> {
        let mut sealed = self.seal_sets(vec![change]).await?;
        sealed
            .pop()
            .unwrap_or_else(|| Err(StoreError::Corrupt("nothing was sealed".to_owned())))
    }
}

/// A key that is there already means that someone else wrote first.
pub(in crate::store) fn as_conflict(error: StoreError) -> StoreError {
    match error {
        StoreError::Exists(what) => StoreError::Conflict(what),
        other => other,
    }
}

fn size(set: &SealedSet) -> usize {
    let object = |o: &SealedObject| o.sealed.as_ref().map_or(0, Vec::len);
    let documents = set.documents.iter().map(Vec::len).sum::<usize>();
    set.states
        .iter()
        .map(|s| {
            object(&s.order)
                + s.fulfillment_orders.iter().map(object).sum::<usize>()
                + s.shipments.iter().map(object).sum::<usize>()
                + s.tracking.iter().map(object).sum::<usize>()
                + s.cod.iter().map(object).sum::<usize>()
        })
        .sum::<usize>()
        + documents
        + 1024
}

/// Writes one change set in a savepoint of its own; yields the place of its last event in this commit:
/// the sequence is known when that ends.
pub(in crate::store) fn write_alone(ctx: &mut WriteCtx<'_>, set: &SealedSet) -> Written {
    let before = ctx.batch.events.len();
    let written = ctx.savepoint(|ctx| apply_set(ctx, set));
    written.map_err(as_conflict)?;
    let after = ctx.batch.events.len();
    Ok((after > before).then_some(after as u64))
}

/// Writes one change set within the savepoint that is open.
pub(in crate::store) fn apply_set(ctx: &mut WriteCtx<'_>, sealed: &SealedSet) -> Result<()> {
    let SealedSet {
        set,
        states,
        jobs,
        checkpoint,
        documents: papers,
        answer,
        dedupe,
    } = sealed;
    let own = set.merchant_id.unwrap_or(MerchantId::OPERATOR);
    if let Some(result) = &set.job {
        jobs_apply::check(ctx.conn, result)?;
    }
    for (state, sealed) in set.states.iter().zip(states) {
        write_state(ctx, state, sealed)?;
    }
    for (document, sealed) in set.documents.iter().zip(papers) {
        documents::write(ctx, document, sealed)?;
    }
    parcels::track(ctx, &set.track)?;
    let opened = problems::open_all(ctx, own, &set.problems)?;
    if let Some(delivery) = &set.delivery {
        apply_inbox::decide(ctx, delivery, *dedupe, &opened)?;
    }
    if let Some(record) = &set.retried_record {
        apply_inbox::decide_again(ctx, record, &opened)?;
    }
    for event in &set.events {
        let cut_off = events::cut_off_of(event, &set.states);
        events::append(ctx, event, cut_off);
    }
    let resolved = problems::resolve_all(ctx, own, &set.resolve)?;
    for event in opened.events.iter().chain(&resolved) {
        events::append(ctx, event, None);
    }
    for (job, (id, input)) in set.jobs.iter().zip(jobs) {
        jobs_apply::enqueue(ctx, job, *id, input)?;
    }
    if let Some(result) = &set.job {
        jobs_apply::finish(ctx, result, checkpoint.as_deref(), opened.first())?;
    }
    if let Some((id, update)) = &set.connection
        && let Some(event) = connections::learn(ctx, *id, update)?
    {
        events::append(ctx, &event, None);
    }
    for entry in &set.audit {
        put_audit(ctx.conn, entry)?;
    }
    if let (Some(given), Some(body)) = (&set.idempotency, answer) {
        put_answer(ctx, &given.scope, &given.key, given.status, body)?;
    }
    Ok(())
}

/// Notes who did what.
pub(in crate::store) fn put_audit(conn: Conn<'_>, entry: &AuditEntry) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO audit (id, at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .run(params![
        entry.id.as_bytes(),
        micros(entry.at),
        entry.actor,
        entry.action,
        entry.subject,
        entry.detail.to_string(),
    ])
}

/// Stores the answer that an `Idempotency-Key` gets again.
pub(in crate::store) fn put_answer(
    ctx: &WriteCtx<'_>,
    scope: &str,
    key: &str,
    status: u16,
    sealed: &[u8],
) -> Result<()> {
    let no_hash: &[u8] = &[];
    ctx.conn
        .prepare_cached(
            "INSERT INTO idempotency (scope, key, body_hash, status, answer, at)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (scope, key) DO UPDATE SET status = excluded.status, answer = excluded.answer",
        )?
        .run(params![scope, key, no_hash, status, sealed, micros(ctx.now())])
}

fn write_state(ctx: &mut WriteCtx<'_>, state: &OrderState, sealed: &SealedState) -> Result<()> {
    write_order(ctx, state, sealed)?;
    put_snapshot(ctx, &sealed.order)?;
    for (part, object) in state
        .fulfillment_orders
        .iter()
        .zip(&sealed.fulfillment_orders)
    {
        if object.sealed.is_some() {
            write_part(ctx.conn, part)?;
            put_snapshot(ctx, object)?;
        }
    }
    for (shipment, object) in state.shipments.iter().zip(&sealed.shipments) {
        if object.sealed.is_some() {
            shipments::write(ctx.conn, shipment)?;
            put_snapshot(ctx, object)?;
        }
    }
    tracking::write(ctx, state.order.meta.id, &state.tracking, &sealed.tracking)?;
    for (item, object) in state.cod.iter().zip(&sealed.cod) {
        if object.sealed.is_some() {
            cod::write(ctx.conn, item)?;
            put_snapshot(ctx, object)?;
        }
    }
    Ok(())
}

/// The order's row, over the lock that was read.
fn write_order(ctx: &mut WriteCtx<'_>, state: &OrderState, sealed: &SealedState) -> Result<()> {
    let conn = ctx.conn;
    let (meta, facts) = (&state.order.meta, &state.order.facts);
    let placed_at = facts.placed_at.value().copied().map(micros);
    let number = facts.external_number.text();
    let duplicate_of = meta.duplicate_of.as_ref().map(|id| *id.as_bytes());
    let answer_by = state.order.answer_by();
    let answer_by = answer_by.map(|by| by.map_or(NO_CUT_OFF, micros));
    if state.lock == 0 {
        let external = facts.external_id.text().unwrap_or_default();
        conn.prepare_cached(
            "INSERT INTO orders (id, merchant_id, connection_id, external_id, status, number,
               placed_at, updated_at, lock, version, email, phone, duplicate_of,
               answer_by)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
        )?
        .run(params![
            meta.id.as_bytes(),
            meta.merchant_id.as_bytes(),
            meta.connection_id.as_bytes(),
            external,
            word(&meta.status),
            number,
            placed_at,
            micros(meta.updated_at),
            int(meta.version),
            sealed.contact.email,
            sealed.contact.phone,
            duplicate_of,
            answer_by,
        ])?;
        for (sku, offer) in flow::stock::listings(&state.order) {
            stock::list(ctx, meta.connection_id, &sku, offer.as_deref(), false)?;
        }
        return Ok(());
    }
    conn.prepare_cached(
        "UPDATE orders SET status = ?, number = ?, placed_at = ?, updated_at = ?,
               lock = lock + 1, version = ?, email = ?, phone = ?, duplicate_of = ?,
               answer_by = ?
             WHERE id = ? AND lock = ?",
    )?
    .must(
        params![
            word(&meta.status),
            number,
            placed_at,
            micros(meta.updated_at),
            int(meta.version),
            sealed.contact.email,
            sealed.contact.phone,
            duplicate_of,
            answer_by,
            meta.id.as_bytes(),
            int(state.lock),
        ],
        || StoreError::Conflict(format!("{} was changed", meta.id)),
    )
}

fn write_part(
    conn: Conn<'_>,
    part: &crate::canonical::fulfillment::FulfillmentOrder,
) -> Result<()> {
    let columns = WorkColumns::of(part);
    conn.prepare_cached(&format!(
        "INSERT INTO fulfillment_orders (id, order_id, merchant_id, status, location, cut_off_at,
           priority, request_pending, remaining, active, updated_at, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT ({}) DO UPDATE SET status = excluded.status, location = excluded.location,
           cut_off_at = excluded.cut_off_at, priority = excluded.priority,
           request_pending = excluded.request_pending, remaining = excluded.remaining,
           active = excluded.active, updated_at = excluded.updated_at, version = excluded.version",
        conn.key()
    ))?
    .run(params![
        part.id.as_bytes(),
        part.order_id.as_bytes(),
        part.merchant_id.as_bytes(),
        columns.status,
        part.location,
        columns.cut_off_at,
        part.priority,
        columns.request_pending,
        columns.remaining,
        columns.active,
        columns.updated_at,
        columns.version,
    ])
}

/// Stores a version of an object, unless it is there already.
pub(in crate::store) fn put_snapshot(ctx: &mut WriteCtx<'_>, object: &SealedObject) -> Result<()> {
    let Some(sealed) = &object.sealed else {
        return Ok(());
    };
    let SnapshotKey { kind, id, version } = object.key;
    let owner = ctx.conn.owner("?5");
    let sql = format!(
        "INSERT INTO snapshots ({0}object_id, kind, version, sealed) VALUES ({1}?1, ?2, ?3, ?4)
         ON CONFLICT ({0}object_id, kind, version) DO UPDATE SET sealed = excluded.sealed",
        owner.column, owner.value
    );
    let (number, merchant) = (int(version), object.merchant);
    let object_id = id.as_bytes();
    let mut args = params![object_id, kind, number, sealed].to_vec();
    args.extend(ctx.conn.owner_arg(merchant.as_bytes()));
    ctx.conn.prepare_cached(&sql)?.run(args)?;
    let (key, json) = (object.key, object.json.clone());
    ctx.local
        .after
        .push(Box::new(move |shared| shared.snapshots().put(key, json)));
    Ok(())
}
