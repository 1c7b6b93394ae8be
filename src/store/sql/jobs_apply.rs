//! The writer's side of jobs: enqueued, leased, ended.
//!
//! What always holds: a job's key is unique among jobs that are not done; a result of a former
//! owner (another epoch) or of a job that ended is refused; at most one job of an ordering key is
//! leased at a time.

use super::codec::{Result, int, micros, word};
use super::conn::{Conn, OptionalExtension};
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use crate::canonical::job::{Attempt, JobState, Lane, NewJob};
use crate::canonical::{JobId, ProblemId};
use crate::flow::change::JobResult;
use crate::store::StoreError;
use uuid::Uuid;

/// Lanes as numbers, most urgent first.
pub(in crate::store) const LANES: [Lane; 6] = [
    Lane::Label,
    Lane::Acknowledgement,
    Lane::OrderImport,
    Lane::StatusPush,
    Lane::Stock,
    Lane::TrackingPoll,
];

/// This kind is coalesced: asked for again while it runs, it runs once more.
const COALESCED: &str = "orders.get";

fn lane_number(lane: Lane) -> i64 {
    let at = LANES.iter().position(|known| *known == lane);
    at.map_or(i64::MAX, |at| int(at as u64))
}

/// Enqueues a job unless one with its key waits already.
pub(in crate::store) fn enqueue(
    ctx: &mut WriteCtx<'_>,
    job: &NewJob,
    id: JobId,
    input: &[u8],
) -> Result<()> {
    let mut insert = ctx.conn.prepare_cached(
        "INSERT INTO jobs (id, merchant_id, kind, connection_id, order_id, lane, key,
               ordering_key, run_at, attempts, epoch, step, input, state, open, rerun, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, 'ready', 1, 0, ?)
             ON CONFLICT (merchant_id, kind, key) WHERE open = 1 DO NOTHING",
    )?;
    let order = job.order_id.map(|order| *order.as_bytes());
    let (lane, run_at, now) = (lane_number(job.lane), micros(job.run_at), micros(ctx.now()));
    let (id, merchant) = (id.as_bytes(), job.merchant_id.as_bytes());
    let connection = job.connection_id.as_bytes();
    let job_row = params![
        id,
        merchant,
        job.kind,
        connection,
        order,
        lane,
        job.key,
        job.ordering_key,
        run_at,
        input,
        now,
    ];
    if job.kind != COALESCED {
        insert.run(job_row)?;
    } else if insert.execute(job_row)? == 0 {
        ctx.conn
            .prepare_cached(
                "UPDATE jobs SET rerun = 1
                 WHERE merchant_id = ? AND kind = ? AND key = ? AND open = 1 AND state = 'leased'",
            )?
            .run(params![job.merchant_id.as_bytes(), job.kind, job.key])?;
    }
    ctx.local.bells.jobs = true;
    Ok(())
}

/// Refuses results of former owners and of jobs that ended.
pub(in crate::store) fn check_epoch(conn: Conn<'_>, id: JobId, epoch: u64) -> Result<()> {
    let found = conn
        .prepare_cached(
            &(conn.of_locked(
                "j",
                "SELECT j.open, coalesce(c.epoch, j.epoch) FROM jobs j
                 LEFT JOIN connections c ON c.id = j.connection_id WHERE j.id = ?",
            )),
        )?
        .query_row(params![id.as_bytes()], |row| {
            Ok((row.get::<bool>(0)?, row.get::<i64>(1)?))
        })
        .optional()?;
    match found {
        None => Err(StoreError::NotFound(id.to_string())),
        Some((false, _)) => Err(StoreError::Conflict(format!("{id} has ended"))),
        Some((true, current)) if current != int(epoch) => Err(StoreError::Conflict(format!(
            "{id} belongs to another owner since (epoch {current})"
        ))),
        Some(_) => Ok(()),
    }
}

/// As [`check_epoch`], for a result.
pub(in crate::store) fn check(conn: Conn<'_>, result: &JobResult) -> Result<()> {
    check_epoch(conn, result.job_id, result.epoch)
}

/// Writes how a job went on.
pub(in crate::store) fn finish(
    ctx: &mut WriteCtx<'_>,
    result: &JobResult,
    checkpoint: Option<&[u8]>,
    problem: Option<ProblemId>,
) -> Result<()> {
    if let Some(attempt) = &result.attempt {
        put_attempt(ctx.conn, attempt)?;
    }
    let id = *result.job_id.as_bytes();
    let now = micros(ctx.now());
    let ends = matches!(result.state, JobState::Done | JobState::Dead);
    let spent = i64::from(result.spends_attempt);
    let again = result.state == JobState::Done
        && ctx
            .conn
            .prepare_cached("SELECT 1 FROM jobs WHERE id = ? AND rerun = 1")?
            .exists(params![id])?;
    if again {
        ctx.conn
            .prepare_cached(
                "UPDATE jobs SET state = 'ready', run_at = ?, attempts = 0, step = 0, rerun = 0,
                   checkpoint = NULL, problem_id = NULL, lease_owner = NULL, lease_until = NULL
                 WHERE id = ?",
            )?
            .run(params![now, id])?;
    } else {
        let keeps_lease = result.state == JobState::Leased;
        ctx.conn
            .prepare_cached(
                "UPDATE jobs SET state = ?1, open = ?2, run_at = coalesce(?3, run_at), step = ?4,
                   checkpoint = ?5, attempts = attempts + ?6, done_at = ?7,
                   problem_id = CASE WHEN ?1 = 'done' THEN NULL ELSE coalesce(?8, problem_id) END,
                   lease_owner = CASE WHEN ?9 THEN lease_owner END,
                   lease_until = CASE WHEN ?9 THEN lease_until END
                 WHERE id = ?10",
            )?
            .run(params![
                word(&result.state),
                !ends,
                result.run_at.map(micros),
                result.step,
                checkpoint,
                spent,
                ends.then_some(now),
                problem.map(|p| *p.as_bytes()),
                keeps_lease,
                id,
            ])?;
    }
    ctx.local.bells.jobs = true;
    Ok(())
}

/// Writes an attempt, or what is known of it since.
pub(in crate::store) fn put_attempt(conn: Conn<'_>, attempt: &Attempt) -> Result<()> {
    let owner = conn.owner("(SELECT merchant_id FROM jobs WHERE id = ?2)");
    conn.prepare_cached(&format!(
        "INSERT INTO attempts ({0}id, job_id, n, step, started_at, sent_at, class, reason, status,
           duration_ms, next_at) VALUES ({1}?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT ({0}id) DO UPDATE SET sent_at = excluded.sent_at, class = excluded.class,
           reason = excluded.reason, status = excluded.status,
           duration_ms = excluded.duration_ms, next_at = excluded.next_at",
        owner.column, owner.value
    ))?
    .run(params![
        attempt.id.as_bytes(),
        attempt.job_id.as_bytes(),
        attempt.n,
        attempt.step,
        micros(attempt.started_at),
        attempt.sent_at.map(micros),
        attempt.class.map(|class| class.as_str()),
        attempt.reason,
        attempt.status,
        attempt.duration_ms.map(int),
        attempt.next_at.map(micros),
    ])
}

/// Leases what is still ready and free; yields which, with the epoch of their connection.
pub(in crate::store) fn lease(
    ctx: &mut WriteCtx<'_>,
    ids: &[JobId],
    owner: &str,
    until: i64,
) -> Result<Vec<(JobId, u64)>> {
    let mut leased = Vec::with_capacity(ids.len());
    // One that another node leases at this moment is passed over.
    let sql = format!(
        "UPDATE jobs SET state = 'leased', lease_owner = ?, lease_until = ?,
           epoch = coalesce((SELECT c.epoch FROM connections c
                             WHERE c.id = jobs.connection_id), epoch)
         WHERE id IN (SELECT r.id FROM jobs r WHERE r.id = ? AND r.state = 'ready'{})
           AND NOT EXISTS (
             SELECT 1 FROM jobs o WHERE o.open = 1 AND o.ordering_key = jobs.ordering_key
               AND o.state = 'leased')
         RETURNING epoch",
        ctx.conn.skip_locked()
    );
    for id in ids {
        let epoch: Option<i64> = ctx
            .conn
            .prepare_cached(&sql)?
            .query_row(params![owner, until, id.as_bytes()], |row| row.get(0))
            .optional()?;
        if let Some(epoch) = epoch {
            leased.push((*id, super::codec::uint(epoch)));
        }
    }
    Ok(leased)
}

/// Which leases are void: those that ran out, and those that a former owner has. Where several nodes
/// share the store, of what is this node's only: by another one's clock nothing runs out. Marks: `?1` the time, `?2` the owner, `?3` the things.
pub(in crate::store) fn void(conn: Conn<'_>, placed: bool) -> String {
    if !placed {
        return "state = 'leased' AND lease_until < ?1".to_owned();
    }
    let mine = conn.any("connection_id", "?3");
    format!("state = 'leased' AND {mine} AND (lease_until < ?1 OR lease_owner <> ?2)")
}

/// What [`void`] is bound to.
pub(in crate::store) fn void_args(now: i64, owner: &str, things: Option<&Vec<Uuid>>) -> Vec<Value> {
    let mut args = vec![Value::Integer(now)];
    if let Some(things) = things {
        args.push(Value::Text(owner.to_owned()));
        args.push(Value::Ids(things.clone()));
    }
    args
}

/// Jobs whose lease is void are ready again; their unfinished attempts tell what may have happened.
pub(in crate::store) fn release_void(
    ctx: &mut WriteCtx<'_>,
    now: i64,
    owner: &str,
    things: Option<&Vec<Uuid>>,
) -> Result<()> {
    let sql = format!(
        "UPDATE jobs SET state = 'ready', lease_owner = NULL, lease_until = NULL WHERE {}",
        void(ctx.conn, things.is_some())
    );
    let args = void_args(now, owner, things);
    ctx.conn
        .prepare_cached(&sql)?
        .execute(params_from_iter(&args))?;
    Ok(())
}
