//! Jobs: shown, asked about, unparked; how they are leased is in [`leases`](super::leases).
//!
//! What always holds: what is shown is one state of the database; input and checkpoint of an erased
//! merchant's jobs are shown as null.

use super::SqlStore;
use super::codec::{
    Columns, Filter, Result, blob, cursor_id, cursor_of, from_json, int, limit_of, micros,
    timestamp, to_json, word,
};
use super::conn::OptionalExtension;
use super::jobs_apply::{self, LANES};
use super::reader::Reader;
use super::row::Row;
use super::seal::{CHECKPOINT, INPUT, job_row};
use super::value::{Arg, ToArg, Value, params, params_from_iter};
use crate::canonical::job::{Attempt, Job, Lane};
use crate::canonical::{AttemptId, ConnectionId, JobId, MerchantId, OrderId, ProblemId, Timestamp};
use crate::store::query::{JobFilter, Page, PageRequest};
use crate::store::{Scope, StoreError};

/// What [`read`] reads.
pub(in crate::store) const COLUMNS: &str = "id, merchant_id, kind, connection_id, order_id, lane, key, ordering_key, \
    run_at, attempts, lease_owner, lease_until, epoch, step, checkpoint, input, state, problem_id, \
    created_at, done_at";

/// No other of its ordering key is at work or waits before it.
pub(in crate::store) const FREE: &str = "NOT EXISTS (SELECT 1 FROM jobs o WHERE o.open = 1 \
    AND o.ordering_key = j.ordering_key \
    AND (o.state = 'leased' OR (o.state = 'ready' AND o.id < j.id)))";

/// Reads a row of [`COLUMNS`].
pub(in crate::store) fn read(reader: &Reader<'_>, row: Row<'_>) -> Result<Job> {
    let id = JobId::from_uuid(row.uuid(0)?);
    let opened = |part: u8, sealed: &[u8]| {
        let json = reader.open_unless_erased("jobs", &job_row(id, part), sealed)?;
        json.map_or(Ok(serde_json::Value::Null), |json| from_json(&json))
    };
    let checkpoint: Option<Vec<u8>> = row.get(14)?;
    let input: Vec<u8> = row.get(15)?;
    let lane = usize::try_from(row.get::<i64>(5)?).ok();
    Ok(Job {
        id,
        merchant_id: MerchantId::from_uuid(row.uuid(1)?),
        kind: row.text(2)?,
        connection_id: ConnectionId::from_uuid(row.uuid(3)?),
        order_id: row.opt_uuid(4)?.map(OrderId::from_uuid),
        lane: lane
            .and_then(|at| LANES.get(at))
            .copied()
            .unwrap_or_default(),
        key: row.text(6)?,
        ordering_key: row.text(7)?,
        run_at: row.time(8)?,
        attempts: row.get(9)?,
        lease_owner: row.opt_text(10)?,
        lease_until: row.opt_time(11)?,
        epoch: row.number(12)?,
        step: row.get(13)?,
        checkpoint: match checkpoint {
            Some(sealed) => opened(CHECKPOINT, &sealed)?,
            None => serde_json::Value::Null,
        },
        input: opened(INPUT, &input)?,
        state: row.word(16)?,
        problem_id: row.opt_uuid(17)?.map(ProblemId::from_uuid),
        created_at: row.time(18)?,
        done_at: row.opt_time(19)?,
    })
}

impl SqlStore {
    pub(in crate::store) async fn start_attempt(&self, attempt: &Attempt) -> Result<()> {
        let attempt = attempt.clone();
        self.write(256, move |ctx| jobs_apply::put_attempt(ctx.conn, &attempt))
            .await
    }

    pub(in crate::store) async fn attempts(&self, job: JobId) -> Result<Vec<Attempt>> {
        self.read(move |reader| attempts_of(reader, job)).await
    }

    pub(in crate::store) async fn checkpoint(
        &self,
        job_id: JobId,
        epoch: u64,
        step: u32,
        checkpoint: &serde_json::Value,
    ) -> Result<()> {
        let merchant: Option<[u8; 16]> = self
            .read(move |reader| {
                reader
                    .conn
                    .prepare_cached("SELECT merchant_id FROM jobs WHERE id = ?")?
                    .query_row(params![job_id.as_bytes()], |row| row.get(0))
                    .optional()
            })
            .await?;
        let merchant = merchant.ok_or_else(|| StoreError::NotFound(job_id.to_string()))?;
        let merchant = MerchantId::from_uuid(uuid::Uuid::from_bytes(merchant));
        let key = self.key_of(merchant).await?;
        let sealed = key.seal("jobs", &job_row(job_id, CHECKPOINT), &to_json(checkpoint)?);
        self.write(sealed.len(), move |ctx| {
            jobs_apply::check_epoch(ctx.conn, job_id, epoch)?;
            ctx.conn
                .prepare_cached("UPDATE jobs SET step = ?, checkpoint = ? WHERE id = ?")?
                .run(params![step, sealed, job_id.as_bytes()])
        })
        .await
    }

    pub(in crate::store) async fn next_job_at(&self) -> Result<Option<Timestamp>> {
        let things = self.things();
        self.read(move |reader| {
            let placed = match &things {
                Some(_) => format!("AND {}", reader.conn.any("connection_id", "?1")),
                None => String::new(),
            };
            let args: Vec<Value> = things.into_iter().map(Value::Ids).collect();
            let sql = format!("SELECT min(lease_until) FROM jobs WHERE state = 'leased' {placed}");
            let leased: Option<i64> = reader
                .conn
                .prepare_cached(&sql)?
                .query_row(params_from_iter(&args), |row| row.get(0))?;
            let lane_mark = args.len() + 1;
            let sql = format!(
                "SELECT run_at FROM jobs j WHERE state = 'ready' {placed} AND lane = ?{lane_mark}
                   AND {FREE} ORDER BY run_at LIMIT 1"
            );
            let lanes: Vec<i64> = (0..).take(LANES.len()).collect();
            let each: Vec<Vec<Arg<'_>>> = lanes
                .iter()
                .map(|lane| args.iter().map(ToArg::arg).chain([lane.arg()]).collect())
                .collect();
            let mut query = reader.conn.prepare_cached(&sql)?;
            let next = query.first_of_each(&each, |row| row.get::<i64>(0))?;
            let first = next.into_iter().chain([leased]).flatten().min();
            first.map(timestamp).transpose()
        })
        .await
    }

    pub(in crate::store) async fn jobs(
        &self,
        scope: Scope,
        filter: JobFilter,
        page: PageRequest,
    ) -> Result<Page<Job>> {
        self.read(move |reader| {
            let mut conditions = Filter::seen_by(scope, None);
            if let Some(connection) = filter.connection_id {
                conditions.and("connection_id = ?", blob(connection.uuid()));
            }
            if let Some(order) = filter.order_id {
                conditions.and("order_id = ?", blob(order.uuid()));
            }
            if let Some(state) = filter.state {
                conditions.and("state = ?", word(&state).to_owned());
            }
            if let Some(after) = cursor_id(page.after.as_deref())? {
                conditions.and("id < ?", blob(after));
            }
            let limit = limit_of(page.limit);
            conditions.args.push(Value::Integer(int(limit as u64)));
            let sql = format!(
                "SELECT {COLUMNS} FROM jobs{} ORDER BY id DESC LIMIT ?",
                conditions.sql()
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(&conditions.args))?;
            let mut data = Vec::new();
            while let Some(row) = rows.next()? {
                data.push(read(reader, row)?);
            }
            let next = (data.len() == limit).then(|| data.last().map(|j| cursor_of(j.id.uuid())));
            Ok(Page {
                data,
                next: next.flatten(),
            })
        })
        .await
    }

    pub(in crate::store) async fn unpark_jobs(
        &self,
        connection_id: ConnectionId,
        job: Option<JobId>,
        now: Timestamp,
    ) -> Result<u64> {
        self.write(1024, move |ctx| {
            // A dead one comes back only when it is named, and unless its key waits anew.
            let changed = ctx
                .conn
                .prepare_cached(
                    "UPDATE jobs SET state = 'ready', open = 1, run_at = ?1,
                       attempts = 0, problem_id = NULL, done_at = NULL
                     WHERE connection_id = ?2 AND ((?4 = 1 AND state = 'parked')
                       OR (id = ?3 AND state IN ('parked', 'dead')))
                       AND NOT (state = 'dead' AND EXISTS (
                         SELECT 1 FROM jobs o WHERE o.open = 1 AND o.key = jobs.key
                           AND o.kind = jobs.kind AND o.merchant_id = jobs.merchant_id))",
                )?
                .execute(params![
                    micros(now),
                    connection_id.as_bytes(),
                    job.map(|id| *id.as_bytes()),
                    i64::from(job.is_none()),
                ])?;
            ctx.local.bells.jobs = true;
            Ok(changed as u64)
        })
        .await
    }

    pub(in crate::store) async fn queue_depths(
        &self,
    ) -> Result<Vec<(Lane, u64, Option<Timestamp>)>> {
        self.read(|reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT count(*), min(run_at) FROM jobs WHERE state = 'ready' AND lane = ?",
            )?;
            LANES
                .iter()
                .enumerate()
                .map(|(number, lane)| {
                    let mut rows = query.query(params![int(number as u64)])?;
                    match rows.next()? {
                        Some(row) => Ok((*lane, row.number(0)?, row.opt_time(1)?)),
                        None => Ok((*lane, 0, None)),
                    }
                })
                .collect()
        })
        .await
    }
}

/// A job's attempts, oldest first.
pub(in crate::store) fn attempts_of(reader: &Reader<'_>, job: JobId) -> Result<Vec<Attempt>> {
    let mut query = reader.conn.prepare_cached(
        "SELECT id, n, step, started_at, sent_at, class, reason, status, duration_ms, next_at
         FROM attempts WHERE job_id = ? ORDER BY id",
    )?;
    let mut rows = query.query(params![job.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let class = row.opt_text(5)?;
        found.push(Attempt {
            id: AttemptId::from_uuid(row.uuid(0)?),
            job_id: job,
            n: row.get(1)?,
            step: row.text(2)?,
            started_at: row.time(3)?,
            sent_at: row.opt_time(4)?,
            class: class.as_deref().map(super::codec::parse_word).transpose()?,
            reason: row.opt_text(6)?,
            status: row.get(7)?,
            duration_ms: row.get::<Option<i64>>(8)?.map(super::codec::uint),
            next_at: row.opt_time(9)?,
        });
    }
    Ok(found)
}
