//! One job, from its lease to its verdict.
//!
//! What always holds: whatever happens, the job ends in exactly one written state, or its lease
//! runs out and it is taken up again; an attempt that a crash cut off is judged before anything is
//! sent anew.

use super::observer::JobObserver;
use super::verdict::{self, Verdict};
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, ProblemId, Timestamp};
use crate::failpoint::failpoint;
use crate::flow::change::{ChangeSet, ConnectionUpdate, JobResult, NewProblem, ResolveProblems};
use crate::operation::call::{changes, interrupted};
use crate::operation::{Call, Checkpoint, Ended, Outcome, RunError, Stopped};
use crate::store::{Scope, StoreError};
use crate::worker::apply::first;
use crate::worker::connectors::Loaded;
use crate::worker::poll::{pages::PullPages, since};
use crate::worker::reading::{ORDERS_PULL, poll_topic};
use crate::worker::watch::{REGISTER, REGISTERED_AT};
use crate::worker::work::{Work, remember, suspends};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The operation that tries a connection.
pub const CHECK: &str = "connection.check";
/// A result is written so often before the lease is left to run out.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// How long answers are waited for when the node stops.
const GRACE: Duration = Duration::from_secs(8);

/// What becomes of the job, and everything that is written with it.
struct Settled {
    verdict: Verdict,
    checkpoint: Checkpoint,
    attempt: Option<Attempt>,
    update: ConnectionUpdate,
    resolve: Vec<ResolveProblems>,
}

impl Settled {
    fn of(verdict: Verdict, job: &Job) -> Self {
        Self {
            verdict,
            checkpoint: Checkpoint::read(job.step, &job.checkpoint),
            attempt: None,
            update: ConnectionUpdate::default(),
            resolve: Vec::new(),
        }
    }
    /// A note for people where nothing was sent.
    fn noted(verdict: Verdict, job: &Job, now: Timestamp, reason: &str) -> Self {
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
fn unfinished(attempt: &Attempt) -> bool {
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

fn judge(work: &Work, job: &Job, connector: &Loaded, stopped: &Stopped) -> Verdict {
    let retry = &connector.provider.manifest().retry;
    verdict::verdict(job, retry, stopped, work.clock.now(), &mut rand::rng())
}

async fn call(
    work: &Arc<Work>,
    job: &Job,
    connection: Connection,
    connector: Loaded,
    checkpoint: Checkpoint,
    attempts: u32,
) -> Result<Settled, StoreError> {
    let pulled = pull(work, job, &connection, &connector).await?;
    let (pull, cursor) = match pulled {
        Some((pages, cursor)) => (Some(pages), Some(cursor)),
        None => (None, None),
    };
    let credentials = work.store.credentials(connection.id).await?;
    let hook_url = work.hook_url(connection.id);
    let mut observer = JobObserver {
        work: work.clone(),
        connection: connection.clone(),
        job: job.clone(),
        checkpoint: checkpoint.clone(),
        attempts,
        last: None,
        pull,
    };
    let run = Call {
        provider: connector.provider.as_ref(),
        operation: &job.kind,
        connection: connection.id,
        settings: &connection.settings,
        hook_url: hook_url.as_deref(),
        memory: &connection.memory,
        credentials: &credentials,
        input: &job.input,
        checkpoint,
        cursor: cursor.as_ref(),
        limits: None,
        send_until: job.lease_until.unwrap_or_else(|| work.clock.now()),
    };
    let ended = tokio::select! {
        ended = work.engine.run(&run, &mut observer) => ended,
        () = grace_over(work) => return put_back(work, job, observer),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(RunError::Refused(_)) if work.stop.is_set() => return put_back(work, job, observer),
        Err(RunError::Refused(refused)) => {
            return Err(StoreError::Unavailable(refused.to_string()));
        }
        Err(error @ RunError::UnknownOperation(_)) => {
            let now = work.clock.now();
            return Ok(Settled::noted(
                Verdict::done(),
                job,
                now,
                &error.to_string(),
            ));
        }
    };
    let mut result = Settled::of(Verdict::done(), job);
    match ended {
        Ended::Finished(finished) => {
            if let Some(pull) = &mut observer.pull {
                pull.finish(!finished.more).await?;
                result
                    .update
                    .health
                    .insert("last_poll_at".to_owned(), json!(work.clock.now()));
            }
            if finished.more {
                result.verdict = Verdict {
                    restart: true,
                    ..Verdict::later(work.clock.now())
                };
            }
            remember(finished.memory_update, &mut result.update);
            if job.kind == REGISTER {
                result
                    .update
                    .memory
                    .insert(REGISTERED_AT.to_owned(), json!(work.clock.now()));
            }
            result.checkpoint = observer.checkpoint;
            checked(work, job, &Outcome::ok(None), &mut result);
        }
        Ended::Stopped(stopped) => {
            result.verdict = judge(work, job, &connector, &stopped);
            result.attempt = observer.last.take().map(|last| Attempt {
                next_at: result.verdict.run_at,
                ..last
            });
            checked(work, job, &stopped.outcome, &mut result);
            result.checkpoint = stopped.checkpoint;
        }
    }
    if result.verdict.state == JobState::Done {
        result.resolve.push(ResolveProblems {
            subject: job.id.to_string(),
            code: None,
        });
    }
    if let Some(reason) = result
        .verdict
        .suspend
        .take()
        .filter(|_| suspends(&connection))
    {
        result.update.suspend = Some(reason);
    }
    work.note_circuit(&connection, &mut result.update);
    Ok(result)
}

/// Returns when the node stops and has waited long enough for the answer.
async fn grace_over(work: &Work) {
    work.stop.wait().await;
    tokio::time::sleep(GRACE).await;
}

/// The node stops: the job is free at once, unless a call of it is under way and its outcome
/// unknown; then its lease runs out and the attempt is judged.
fn put_back(work: &Work, job: &Job, observer: JobObserver) -> Result<Settled, StoreError> {
    if observer.last.as_ref().is_some_and(unfinished) {
        return Err(StoreError::Unavailable(
            "the node stops before the answer came".to_owned(),
        ));
    }
    let mut settled = Settled::of(Verdict::later(work.clock.now()), job);
    settled.checkpoint = observer.checkpoint;
    Ok(settled)
}

/// The health that a check shows. One that is tried again says nothing yet.
fn checked(work: &Work, job: &Job, outcome: &Outcome, result: &mut Settled) {
    if job.kind != CHECK || result.verdict.state == JobState::Ready {
        return;
    }
    let message = if outcome.is_ok() {
        "the provider answers"
    } else {
        outcome.message.as_str()
    };
    let check = json!({ "ok": outcome.is_ok(), "message": message });
    result.update.health.insert("check".to_owned(), check);
    result
        .update
        .health
        .insert("last_check_at".to_owned(), json!(work.clock.now()));
    if outcome.is_ok() {
        result.resolve.push(ResolveProblems {
            subject: job.connection_id.to_string(),
            code: None,
        });
    } else {
        // A check has answered, whatever the answer is: nothing of it waits. What is wrong is the
        // connection's, and a later check that succeeds resolves it.
        result.verdict.state = JobState::Done;
        if let Some(problem) = &mut result.verdict.problem {
            problem.subject = job.connection_id.to_string();
        }
    }
}

/// For a pull asked for by hand: the pages' keeper and the moment to read from.
async fn pull(
    work: &Arc<Work>,
    job: &Job,
    connection: &Connection,
    connector: &Loaded,
) -> Result<Option<(PullPages, Value)>, StoreError> {
    let rule = connector
        .provider
        .manifest()
        .operations
        .get(&job.kind)
        .and_then(|o| o.poll.clone());
    let (Some(rule), true) = (rule, job.kind == ORDERS_PULL) else {
        return Ok(None);
    };
    let (stored, cursor) = since(work, connection.id, &rule, false, work.clock.now()).await?;
    let pages = PullPages::new(
        work.clone(),
        connection.clone(),
        connector.clone(),
        rule,
        poll_topic(ORDERS_PULL, false),
        false,
        stored,
    );
    Ok(Some((pages, cursor)))
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
            Ok(()) => return,
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
