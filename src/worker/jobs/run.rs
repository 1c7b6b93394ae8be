//! One job, from its lease to its verdict.
//!
//! What always holds: whatever happens, the job ends in exactly one written state, or its lease
//! ends and it is taken up again; an attempt that a crash cut off is judged before anything is sent
//! anew, and where the former owner may still live, not before its call has timed out.

use super::call::{Before, call};
use super::commit::{Fact, NotWritten, Patience, commit};
use super::labels::Labels;
use super::verdict::{self, Verdict};
use super::wanted::{self, Look};
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, ProblemId, Timestamp};
use crate::clock::after;
use crate::flow::CarrierFact;
use crate::flow::change::{ChangeSet, ConnectionUpdate, JobResult, NewProblem, ResolveProblems};
use crate::operation::call::{changes, interrupted};
use crate::operation::{Checkpoint, Stopped};
use crate::store::{Scope, StoreError};
use crate::worker::apply::first;
use crate::worker::connectors::Loaded;
use crate::worker::work::Work;
use serde_json::json;
use std::sync::Arc;

/// The operation that tries a connection.
pub const CHECK: &str = "connection.check";

/// What becomes of the job, and everything that is written with it.
pub(super) struct Settled {
    pub verdict: Verdict,
    pub checkpoint: Checkpoint,
    pub attempt: Option<Attempt>,
    pub update: ConnectionUpdate,
    pub resolve: Vec<ResolveProblems>,
    /// What it means for a shipment.
    pub fact: Option<CarrierFact>,
}

impl Settled {
    pub fn of(verdict: Verdict, job: &Job) -> Self {
        Self {
            verdict,
            checkpoint: Checkpoint::read(job.step, &job.checkpoint),
            attempt: None,
            update: ConnectionUpdate::default(),
            resolve: Vec::new(),
            fact: None,
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

/// Runs a leased job; whether what it came to was written. If not, its lease is still there.
pub async fn run(work: &Arc<Work>, job: Job) -> bool {
    let id = job.id;
    crate::failpoint::failpoint!("job.after_lease");
    match run_once(work, &job).await {
        Ok(result) => write(work, &job, result).await,
        // Nothing is known to be wrong with the job.
        Err(error) => {
            tracing::warn!(job = %id, %error, "a job could not be run; it is taken up again");
            false
        }
    }
}

async fn run_once(work: &Arc<Work>, job: &Job) -> Result<Settled, StoreError> {
    let mut labels = Labels::of(job);
    let Some(connection) = work.store.connection(Scope::All, job.connection_id).await? else {
        return Ok(ended(
            work,
            job,
            labels.as_ref(),
            &Ending::NO_CONNECTION,
            false,
        ));
    };
    let before = work.store.attempts(job.id).await?;
    let maybe_sent = before.iter().any(unfinished);
    if connection.state == ConnectionState::Deleted {
        return Ok(ended(
            work,
            job,
            labels.as_ref(),
            &Ending::DELETED,
            maybe_sent,
        ));
    }
    let Some(connector) = work.connector(&connection) else {
        return Ok(folder_missing(job));
    };
    let Some(operation) = connector.provider.manifest().operations.get(&job.kind) else {
        return Ok(ended(
            work,
            job,
            labels.as_ref(),
            &Ending::NO_OPERATION,
            maybe_sent,
        ));
    };
    if let Some(reason) = barred(&connection, &job.kind, changes(operation)) {
        let now = work.clock.now();
        return Ok(Settled::noted(Verdict::parked(), job, now, reason));
    }
    if let Some(at) = under_way_elsewhere(work, &connector, &before) {
        return Ok(Settled::of(Verdict::later(at), job));
    }
    let mut checkpoint = Checkpoint::read(job.step, &job.checkpoint);
    if let Some(labels) = &mut labels {
        match wanted::look(work, job, labels, &connector, &before, &checkpoint).await? {
            Look::GoOn => {}
            Look::End(settled) => return Ok(*settled),
        }
    }
    if let Some(cut_off) = before.last().filter(|attempt| unfinished(attempt)) {
        match resume(work, job, &connector, labels.as_ref(), cut_off).await? {
            Resume::GoOn => {}
            Resume::Restart => checkpoint = Checkpoint::default(),
            Resume::Stop(settled) => return Ok(*settled),
        }
    }
    let mut known = Before {
        attempts: u32::try_from(before.len()).unwrap_or(u32::MAX),
        labels,
    };
    if let Some(labels) = &mut known.labels {
        labels.remember(&before);
    }
    call(work, job, connection, connector, checkpoint, known).await
}

/// Why a job ends without being run.
pub(super) struct Ending {
    code: &'static str,
    reason: &'static str,
}

impl Ending {
    const NO_CONNECTION: Self = Self {
        code: "connection_missing",
        reason: "the connection does not exist",
    };
    const DELETED: Self = Self {
        code: "connection_deleted",
        reason: "the connection was deleted",
    };
    const NO_OPERATION: Self = Self {
        code: "operation_missing",
        reason: "the connector does not have this operation",
    };
}

/// A job that can never be run, with what that means for its shipment.
fn ended(
    work: &Work,
    job: &Job,
    labels: Option<&Labels>,
    ending: &Ending,
    maybe_sent: bool,
) -> Settled {
    let mut settled = Settled::noted(Verdict::done(), job, work.clock.now(), ending.reason);
    settled.fact = labels.map(|labels| {
        if !labels.buys && ending.code == Ending::NO_OPERATION.code {
            return CarrierFact::Voided {
                shipment_id: labels.shipment,
                note: Some("the carrier takes no notice of voided labels: it was not asked".into()),
            };
        }
        labels.impossible(ending.code, ending.reason, maybe_sent)
    });
    settled
}

/// Why the job is not run now.
fn barred(connection: &Connection, kind: &str, changes: bool) -> Option<&'static str> {
    match connection.state {
        // Trying it is how a connection is mended.
        _ if kind == CHECK => None,
        ConnectionState::Paused => Some("the connection is paused"),
        ConnectionState::Suspended => Some("the connection is suspended"),
        ConnectionState::Observing if changes => Some(
            "the connection only observes: nothing is changed at the provider before it is activated",
        ),
        ConnectionState::Observing | ConnectionState::Active | ConnectionState::Deleted => None,
    }
}

/// Sent, and never reported: the node died.
pub(super) fn unfinished(attempt: &Attempt) -> bool {
    attempt.sent_at.is_some()
        && attempt.class.is_none()
        && attempt.status.is_none()
        && attempt.duration_ms.is_none()
}

/// Until when a call that was cut off may still be under way at a former owner: a node that lost the
/// store only, and a provider that is slow, could come behind our look.
fn under_way_elsewhere(work: &Work, connector: &Loaded, before: &[Attempt]) -> Option<Timestamp> {
    if work.store.placement().is_everything() {
        return None; // Who has the store to itself knows the former owner to be dead.
    }
    let sent = before
        .last()
        .filter(|attempt| unfinished(attempt))?
        .sent_at?;
    let timeout = connector.provider.manifest().transport.timeout.0;
    let now = work.clock.now();
    let over = after(sent, timeout);
    (over > now).then(|| over.min(after(now, timeout)))
}

enum Resume {
    GoOn,
    Restart,
    Stop(Box<Settled>),
}

/// Judges an attempt that was cut off, and closes its row: with the verdict where that ends the
/// run, with the place to go on from where it begins anew.
async fn resume(
    work: &Work,
    job: &Job,
    connector: &Loaded,
    labels: Option<&Labels>,
    cut_off: &Attempt,
) -> Result<Resume, StoreError> {
    let manifest = connector.provider.manifest();
    let (outcome, repeat) = interrupted(manifest, &job.kind, &cut_off.step);
    let mut closed = cut_off.clone();
    closed.class = outcome.class;
    closed.reason = Some(outcome.message.clone());
    if outcome.class == Some(Class::Transient) {
        work.store.start_attempt(&closed).await?;
        return Ok(Resume::GoOn);
    }
    let stopped = Stopped {
        outcome,
        step: cut_off.step.clone(),
        repeat,
        checkpoint: Checkpoint::read(job.step, &job.checkpoint),
    };
    let mut settled = Settled::of(judge(work, job, connector, &stopped), job);
    if settled.verdict.state == JobState::Ready {
        // The lease that ran out was wait enough: look now. What is written first is that the look
        // comes first, or another crash would forget it.
        restart(work, job, closed).await?;
        return Ok(Resume::Restart);
    }
    settled.attempt = Some(closed);
    settled.fact =
        labels.and_then(|labels| labels.stopped(&mut settled.verdict, &stopped.outcome, false));
    Ok(Resume::Stop(Box::new(settled)))
}

/// The job begins anew from its first step, still leased.
async fn restart(work: &Work, job: &Job, closed: Attempt) -> Result<(), StoreError> {
    let start = Checkpoint::default();
    let mut change = ChangeSet::of(job.merchant_id);
    change.job = Some(JobResult {
        job_id: job.id,
        epoch: job.epoch,
        state: JobState::Leased,
        run_at: None,
        step: start.step,
        checkpoint: start.json(),
        spends_attempt: false,
        attempt: Some(closed),
    });
    first(work.store.apply(vec![change]).await?)
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

async fn write(work: &Work, job: &Job, result: Settled) -> bool {
    let Settled {
        verdict,
        checkpoint,
        attempt,
        update,
        resolve,
        fact,
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
    let until = job.lease_until.unwrap_or_else(|| work.clock.now());
    let patience = Patience::until(until);
    let written = match commit(work, change.clone(), fact.map(Fact::new), patience).await {
        // The job ends all the same; what the shipment is, its own state says.
        Err(NotWritten::Refused(error)) => {
            tracing::error!(job = %job.id, %error, "what a job came to does not fit its shipment");
            commit(work, change, None, patience).await
        }
        other => other,
    };
    match written {
        Ok(()) => {
            let state = verdict.state;
            tracing::debug!(job = %job.id, operation = job.kind, ?state, "a job's result is written");
            true
        }
        // Another owner has it, or it has ended, or the store takes nothing.
        Err(error) => {
            tracing::warn!(job = %job.id, %error, "a job's result is not taken");
            false
        }
    }
}
