//! A job's run through the call engine, and what it says about job and connection.
//!
//! What always holds: a run that is broken off because the node stops leaves the job free at once,
//! or, with a call under way, to its lease.

use super::labels::{Barred, Labels};
use super::observer::JobObserver;
use super::run::{CHECK, Settled, judge, unfinished};
use super::verdict::Verdict;
use crate::canonical::ProblemId;
use crate::canonical::connection::Connection;
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::problem::Class;
use crate::flow::change::{NewProblem, ResolveProblems};
use crate::manifest::model::{Repeat, Step};
use crate::operation::{Call, Checkpoint, Ended, Finished, Outcome, RunError, Stopped};
use crate::store::StoreError;
use crate::worker::connectors::Loaded;
use crate::worker::poll::{pages::PullPages, since};
use crate::worker::reading::{ORDERS_PULL, POLLED};
use crate::worker::watch::{REGISTER, REGISTERED_AT};
use crate::worker::work::{Work, remember, suspends};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long answers are waited for when the node stops.
const GRACE: Duration = Duration::from_secs(8);

/// What earlier runs of a job did.
pub(super) struct Before {
    /// So many attempts.
    pub attempts: u32,
    /// For jobs about labels.
    pub labels: Option<Labels>,
}

/// Runs the operation from its checkpoint on.
///
/// # Errors
/// When the store cannot be used: the job is taken up again after its lease.
pub(super) async fn call(
    work: &Arc<Work>,
    job: &Job,
    connection: Connection,
    connector: Loaded,
    checkpoint: Checkpoint,
    before: Before,
) -> Result<Settled, StoreError> {
    let (pull, cursor) = pull(work, job, &connection, &connector).await?.unzip();
    let credentials = work.store.credentials(connection.id).await?;
    let hook_url = work.hook_url(connection.id);
    let mut observer = JobObserver {
        work: work.clone(),
        connection: connection.clone(),
        connector: connector.clone(),
        job: job.clone(),
        checkpoint: checkpoint.clone(),
        attempts: before.attempts,
        last: None,
        frozen_until: None,
        pull,
        labels: before.labels,
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
        order: job.order_id,
        job: Some(job.id),
    };
    let ended = tokio::select! {
        ended = work.engine.run(&run, &mut observer) => ended,
        () = grace_over(work) => return put_back(work, job, observer),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(RunError::Refused(_)) if observer.barred().is_some() => {
            return Ok(barred(work, job, observer));
        }
        Err(RunError::Refused(_)) if work.stop.is_set() => return put_back(work, job, observer),
        Err(RunError::Refused(refused)) => {
            return Err(StoreError::Unavailable(refused.to_string()));
        }
        Err(error @ RunError::UnknownOperation(_)) => {
            let (now, why) = (work.clock.now(), error.to_string());
            return Ok(Settled::noted(Verdict::done(), job, now, &why));
        }
    };
    let mut result = match ended {
        Ended::Finished(run) => finished(work, job, observer, *run).await?,
        Ended::Stopped(run) => stopped(work, job, &connector, observer, *run),
    };
    if result.verdict.state == JobState::Done {
        result.resolve.push(ResolveProblems {
            subject: job.id.to_string(),
            code: None,
        });
    }
    let suspend = result.verdict.suspend.take();
    result.update.suspend = suspend.filter(|_| suspends(&connection));
    work.note_circuit(&connection, &mut result.update);
    Ok(result)
}

/// All steps are done.
async fn finished(
    work: &Work,
    job: &Job,
    mut observer: JobObserver,
    run: Finished,
) -> Result<Settled, StoreError> {
    let now = work.clock.now();
    let mut result = Settled::of(Verdict::done(), job);
    if let Some(pull) = &mut observer.pull {
        pull.finish(!run.more).await?;
        if job.kind == ORDERS_PULL {
            let health = &mut result.update.health;
            health.insert("last_poll_at".to_owned(), json!(now));
        }
    }
    if run.more {
        result.verdict = Verdict {
            restart: true,
            ..Verdict::later(now)
        };
    }
    remember(run.memory_update, &mut result.update);
    if job.kind == REGISTER {
        let memory = &mut result.update.memory;
        memory.insert(REGISTERED_AT.to_owned(), json!(now));
    }
    result.fact = observer.labels.as_ref().map(Labels::finished);
    result.update.freeze_until = observer.frozen_until;
    result.checkpoint = observer.checkpoint;
    checked(work, job, &Outcome::ok(None), &mut result);
    Ok(result)
}

/// A step failed.
fn stopped(
    work: &Work,
    job: &Job,
    connector: &Loaded,
    mut observer: JobObserver,
    run: Stopped,
) -> Settled {
    let mut result = Settled::of(judge(work, job, connector, &run), job);
    let mut checkpoint = run.checkpoint;
    if let Some(labels) = &observer.labels {
        let kept = checkpoint.answer.is_some();
        result.fact = labels.stopped(&mut result.verdict, &run.outcome, kept);
        if labels.buys && result.verdict.restart && !looks_first(job, connector) {
            // From its start it would buy again what was bought.
            result.verdict.restart = false;
            checkpoint = observer.checkpoint.clone();
        }
    }
    let next_at = result.verdict.run_at;
    result.update.freeze_until = observer.frozen_until;
    result.attempt = observer.last.take().map(|last| Attempt { next_at, ..last });
    checked(work, job, &run.outcome, &mut result);
    result.checkpoint = checkpoint;
    result
}

/// The operation asks the provider before it buys.
fn looks_first(job: &Job, connector: &Loaded) -> bool {
    let operations = &connector.provider.manifest().operations;
    let mut steps = operations.get(&job.kind).map(|o| o.steps.iter());
    let looks = |step: &Step| step.repeat == Repeat::LookupFirst;
    steps.as_mut().is_some_and(|steps| steps.any(looks))
}

/// A step that buys was not sent.
fn barred(work: &Work, job: &Job, observer: JobObserver) -> Settled {
    match (observer.barred(), &observer.labels) {
        (Some(Barred::Withdrawn), Some(labels)) => {
            let reason = "it was withdrawn: nothing more is asked for";
            let mut settled = Settled::noted(Verdict::done(), job, work.clock.now(), reason);
            settled.fact = Some(labels.impossible("withdrawn", reason, false));
            settled.checkpoint = observer.checkpoint;
            settled
        }
        _ => misplaced(job, observer),
    }
}

/// The checkpoint's place is another step now, one that is done: nothing goes on by itself.
fn misplaced(job: &Job, observer: JobObserver) -> Settled {
    let problem = NewProblem {
        id: ProblemId::new(),
        class: Class::BrokenContract,
        code: "steps_changed".to_owned(),
        subject: job.id.to_string(),
        connection_id: Some(job.connection_id),
        message: "the connector's folder has other steps than when the label was bought".to_owned(),
        detail: json!({ "operation": job.kind, "order_id": job.order_id }),
        hint: Some(
            "The label is bought; what was to be fetched after it must be fetched by hand, or void it and ask anew."
                .to_owned(),
        ),
    };
    let mut settled = Settled::of(
        Verdict {
            problem: Some(problem),
            ..Verdict::parked()
        },
        job,
    );
    settled.checkpoint = observer.checkpoint;
    settled
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
    let operation = POLLED.into_iter().find(|polled| *polled == job.kind);
    let (Some(rule), Some(operation)) = (rule, operation) else {
        return Ok(None);
    };
    let now = work.clock.now();
    let (stored, cursor) = since(work, connection.id, operation, &rule, false, now).await?;
    let pages = PullPages::new(
        work.clone(),
        connection.clone(),
        connector.clone(),
        rule,
        operation,
        false,
        stored,
    );
    Ok(Some((pages, cursor)))
}
