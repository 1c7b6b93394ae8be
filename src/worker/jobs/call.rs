//! A job's run through the call engine, and what it says about job and connection.
//!
//! What always holds: a run that is broken off because the node stops leaves the job free at once,
//! or, with a call under way, to its lease.

use super::observer::JobObserver;
use super::run::{CHECK, Settled, judge, unfinished};
use super::verdict::Verdict;
use crate::canonical::connection::Connection;
use crate::canonical::job::{Attempt, Job, JobState};
use crate::flow::change::ResolveProblems;
use crate::operation::{Call, Checkpoint, Ended, Finished, Outcome, RunError, Stopped};
use crate::store::StoreError;
use crate::worker::connectors::Loaded;
use crate::worker::poll::{pages::PullPages, since};
use crate::worker::reading::{ORDERS_PULL, poll_topic};
use crate::worker::watch::{REGISTER, REGISTERED_AT};
use crate::worker::work::{Work, remember, suspends};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long answers are waited for when the node stops.
const GRACE: Duration = Duration::from_secs(8);

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
    attempts: u32,
) -> Result<Settled, StoreError> {
    let (pull, cursor) = pull(work, job, &connection, &connector).await?.unzip();
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
        let health = &mut result.update.health;
        health.insert("last_poll_at".to_owned(), json!(now));
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
    let next_at = result.verdict.run_at;
    result.attempt = observer.last.take().map(|last| Attempt { next_at, ..last });
    checked(work, job, &run.outcome, &mut result);
    result.checkpoint = run.checkpoint;
    result
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
