//! One job, from its lease to its verdict.
//!
//! What always holds: whatever happens, the job ends in exactly one written state, or its lease
//! runs out and it is taken up again; an attempt that a crash cut off is judged before anything is
//! sent anew.

use super::call::call;
use super::verdict::{self, Verdict};
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, ProblemId, Timestamp};
use crate::flow::change::{ChangeSet, ConnectionUpdate, JobResult, NewProblem, ResolveProblems};
use crate::operation::call::{changes, interrupted};
use crate::operation::{Checkpoint, Stopped};
use crate::store::{Scope, StoreError};
use crate::worker::apply::first;
use crate::worker::connectors::Loaded;
use crate::worker::work::Work;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The operation that tries a connection.
pub const CHECK: &str = "connection.check";
/// A result is written so often before the lease is left to run out.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// What becomes of the job, and everything that is written with it.
pub(super) struct Settled {
    pub verdict: Verdict,
    pub checkpoint: Checkpoint,
    pub attempt: Option<Attempt>,
    pub update: ConnectionUpdate,
    pub resolve: Vec<ResolveProblems>,
}

impl Settled {
    pub fn of(verdict: Verdict, job: &Job) -> Self {
        Self {
            verdict,
            checkpoint: Checkpoint::read(job.step, &job.checkpoint),
            attempt: None,
            update: ConnectionUpdate::default(),
            resolve: Vec::new(),
        }
    }
    /// A note for people where nothing was sent.
    pub fn noted(verdict: Verdict, job: &Job, now: Timestamp, reason: &str) -> Self {
        let attempt = Attempt {
            id: AttemptId::new(),
            job_id: job.id,
            n: job.attempts.saturating_add(1),
            step: String::new(),
            started_at: now,
            sent_at: None,
            class: None,
            reason: Some(reason.to_owned()),
            status: None,
            duration_ms: Some(0),
            next_at: None,
        };
        Self {
            attempt: Some(attempt),
            ..Self::of(verdict, job)
        }
    }
}

/// Runs a leased job.
pub async fn run(work: &Arc<Work>, job: Job) {
    let id = job.id;
    match run_once(work, &job).await {
        Ok(result) => write(work, &job, result).await,
        // Nothing is known to be wrong with the job: its lease runs out and it is taken up again.
        Err(error) => {
            tracing::warn!(job = %id, %error, "a job could not be run; it is taken up again")
        }
    }
}

async fn run_once(work: &Arc<Work>, job: &Job) -> Result<Settled, StoreError> {
    let now = work.clock.now();
    let Some(connection) = work.store.connection(Scope::All, job.connection_id).await? else {
        return Ok(Settled::noted(
            Verdict::done(),
            job,
            now,
            "the connection does not exist",
        ));
    };
    let Some(connector) = work.connector(&connection) else {
        return Ok(folder_missing(job));
    };
    let Some(operation) = connector.provider.manifest().operations.get(&job.kind) else {
        let reason = "the connector does not have this operation";
        return Ok(Settled::noted(Verdict::done(), job, now, reason));
    };
    if let Some(reason) = barred(&connection, &job.kind, changes(operation)) {
        let verdict = match connection.state {
            ConnectionState::Deleted => Verdict::done(),
            _ => Verdict::parked(),
        };
        return Ok(Settled::noted(verdict, job, now, reason));
    }
    let before = work.store.attempts(job.id).await?;
    let mut checkpoint = Checkpoint::read(job.step, &job.checkpoint);
    if let Some(cut_off) = before.last().filter(|attempt| unfinished(attempt)) {
        match resume(work, job, &connector, cut_off).await? {
            Resume::GoOn => {}
            Resume::Restart => checkpoint = Checkpoint::default(),
            Resume::Stop(verdict) => return Ok(Settled::of(*verdict, job)),
        }
    }
    let attempts = u32::try_from(before.len()).unwrap_or(u32::MAX);
    call(work, job, connection, connector, checkpoint, attempts).await
}

/// Why the job is not run now.
fn barred(connection: &Connection, kind: &str, changes: bool) -> Option<&'static str> {
    match connection.state {
        ConnectionState::Deleted => Some("the connection was deleted"),
        // Trying it is how a connection is mended.
        _ if kind == CHECK => None,
        ConnectionState::Paused => Some("the connection is paused"),
        ConnectionState::Suspended => Some("the connection is suspended"),
        ConnectionState::Observing if changes => Some(
            "the connection only observes: nothing is changed at the provider before it is activated",
        ),
        ConnectionState::Observing | ConnectionState::Active => None,
    }
}

/// Sent, and never reported: the node died.
pub(super) fn unfinished(attempt: &Attempt) -> bool {
    attempt.sent_at.is_some()
        && attempt.class.is_none()
        && attempt.status.is_none()
        && attempt.duration_ms.is_none()
}

enum Resume {
    GoOn,
    Restart,
    Stop(Box<Verdict>),
}

/// Judges an attempt that was cut off, and closes its row.
async fn resume(
    work: &Work,
    job: &Job,
    connector: &Loaded,
    cut_off: &Attempt,
) -> Result<Resume, StoreError> {
    let manifest = connector.provider.manifest();
    let (outcome, repeat) = interrupted(manifest, &job.kind, &cut_off.step);
    let mut closed = cut_off.clone();
    closed.class = outcome.class;
    closed.reason = Some(outcome.message.clone());
    work.store.start_attempt(&closed).await?;
    if outcome.class == Some(Class::Transient) {
        return Ok(Resume::GoOn);
    }
    let stopped = Stopped {
        outcome,
        step: cut_off.step.clone(),
        repeat,
        checkpoint: Checkpoint::default(),
    };
    let verdict = judge(work, job, connector, &stopped);
    Ok(match verdict.state {
        // The lease that ran out was wait enough: look now.
        JobState::Ready => Resume::Restart,
        _ => Resume::Stop(Box::new(verdict)),
    })
}

pub(super) fn judge(work: &Work, job: &Job, connector: &Loaded, stopped: &Stopped) -> Verdict {
    let retry = &connector.provider.manifest().retry;
    verdict::verdict(job, retry, stopped, work.clock.now(), &mut rand::rng())
}

fn folder_missing(job: &Job) -> Settled {
    let problem = NewProblem {
        id: ProblemId::new(),
        class: Class::BrokenContract,
        code: "connector_unavailable".to_owned(),
        subject: job.id.to_string(),
        connection_id: Some(job.connection_id),
        message: "the connector's folder is missing or refused".to_owned(),
        detail: json!({ "operation": job.kind, "order_id": job.order_id }),
        hint: Some("Put the folder right; the job then goes on by itself.".to_owned()),
    };
    Settled::of(
        Verdict {
            problem: Some(problem),
            ..Verdict::parked()
        },
        job,
    )
}

async fn write(work: &Work, job: &Job, result: Settled) {
    let Settled {
        verdict,
        checkpoint,
        attempt,
        update,
        resolve,
    } = result;
    let checkpoint = if verdict.restart {
        Checkpoint::default()
    } else {
        checkpoint
    };
    let mut change = ChangeSet::of(job.merchant_id);
    change.job = Some(JobResult {
        job_id: job.id,
        epoch: job.epoch,
        state: verdict.state,
        run_at: verdict.run_at,
        step: checkpoint.step,
        checkpoint: checkpoint.json(),
        spends_attempt: verdict.spends_attempt,
        attempt,
    });
    change.problems.extend(verdict.problem);
    change.resolve = resolve;
    if update != ConnectionUpdate::default() {
        change.connection = Some((job.connection_id, update));
    }
    crate::failpoint::failpoint!("job.before_result");
    for _ in 0..TRIES {
        let written = match work.store.apply(vec![change.clone()]).await {
            Ok(results) => first(results),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => {
                let state = verdict.state;
                tracing::debug!(job = %job.id, operation = job.kind, ?state, "a job's result is written");
                return;
            }
            Err(StoreError::Unavailable(error)) => {
                tracing::warn!(job = %job.id, %error, "a job's result cannot be written yet");
                if work.stop.pause(PAUSE).await {
                    return;
                }
            }
            // Another owner has it, or it has ended: ours is no longer asked for.
            Err(error) => {
                tracing::warn!(job = %job.id, %error, "a job's result is not taken");
                return;
            }
        }
    }
}
