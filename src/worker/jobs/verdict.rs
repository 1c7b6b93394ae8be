//! What a job's run comes to: its next state, the problem that people see, what it says about the
//! connection. Pure.
//!
//! What always holds: every outcome has exactly one verdict; what may have happened is never simply
//! repeated; a job that stops has a problem whose hint says what a person can do.

use crate::canonical::job::{Job, JobState};
use crate::canonical::problem::Class;
use crate::canonical::{ProblemId, Timestamp};
use crate::clock::after;
use crate::flow::change::NewProblem;
use crate::manifest::model::Retry;
use crate::operation::Stopped;
use crate::operation::retry::{self, Decision};
use rand::Rng;
use serde_json::json;

/// What becomes of the job.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Its new state.
    pub state: JobState,
    /// When it runs again.
    pub run_at: Option<Timestamp>,
    /// From its first step, with nothing remembered.
    pub restart: bool,
    /// False: this run does not count.
    pub spends_attempt: bool,
    /// What people must see.
    pub problem: Option<NewProblem>,
    /// The credentials are refused: suspend with this reason.
    pub suspend: Option<String>,
}

impl Verdict {
    /// Nothing (more) to do.
    pub const fn done() -> Self {
        Self::of(JobState::Done)
    }
    /// Waits until something changes, without a problem of its own.
    pub fn parked() -> Self {
        Self {
            spends_attempt: false,
            ..Self::of(JobState::Parked)
        }
    }
    /// Runs later; no attempt was made.
    pub fn later(at: Timestamp) -> Self {
        Self {
            run_at: Some(at),
            spends_attempt: false,
            ..Self::of(JobState::Ready)
        }
    }
    const fn of(state: JobState) -> Self {
        Self {
            state,
            run_at: None,
            restart: false,
            spends_attempt: true,
            problem: None,
            suspend: None,
        }
    }
}

/// Reading what is gone is an end, not a failure.
fn only_reads(kind: &str) -> bool {
    kind.ends_with(".get") || kind.ends_with(".pull") || kind.ends_with(".list")
}

/// Judges a run that failed (success is [`Verdict::done`]).
pub fn verdict(
    job: &Job,
    retry: &Retry,
    ended: &Stopped,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Verdict {
    let Some(class) = ended.outcome.class else {
        return Verdict::done();
    };
    // This run is the next after those that were spent.
    let attempts = job.attempts.saturating_add(1);
    match retry::next(retry, attempts, &ended.outcome, ended.repeat, rng) {
        Decision::RetryAfter {
            delay,
            spends_attempt,
            restart,
        } => Verdict {
            run_at: Some(after(now, delay)),
            restart,
            spends_attempt,
            ..Verdict::of(JobState::Ready)
        },
        Decision::Park => Verdict {
            problem: Some(problem(job, class, ended, attempts)),
            suspend: (class == Class::AuthBroken).then(|| ended.outcome.message.clone()),
            ..Verdict::of(JobState::Parked)
        },
        Decision::GiveUp if class == Class::Gone && only_reads(&job.kind) => Verdict::done(),
        Decision::GiveUp => Verdict {
            problem: Some(problem(job, class, ended, attempts)),
            ..Verdict::of(JobState::Dead)
        },
    }
}

fn problem(job: &Job, class: Class, ended: &Stopped, attempts: u32) -> NewProblem {
    let outcome = &ended.outcome;
    // Refused credentials are the connection's, one problem for all of its work.
    let subject = match class {
        Class::AuthBroken => job.connection_id.to_string(),
        _ => job.id.to_string(),
    };
    NewProblem {
        id: ProblemId::new(),
        class,
        code: if outcome.code.is_empty() {
            class.as_str().to_owned()
        } else {
            outcome.code.clone()
        },
        subject,
        connection_id: Some(job.connection_id),
        message: format!("{} failed: {}", job.kind, outcome.message),
        detail: json!({
            "job": job.id,
            "operation": job.kind,
            "order_id": job.order_id,
            "step": ended.step,
            "status": outcome.status,
            "fields": outcome.fields,
            "attempts": attempts,
        }),
        hint: Some(hint(class).to_owned()),
    }
}

/// What a person can do about a class.
pub(super) const fn hint(class: Class) -> &'static str {
    match class {
        Class::Ambiguous => {
            "It may have happened: look at the provider, then retry this problem or leave it."
        }
        Class::AuthBroken | Class::AuthExpired => {
            "Enter working credentials for the connection and resume it; its work then goes on by itself."
        }
        Class::Invalid => {
            "The provider refuses our data: correct the fields that are named, then retry."
        }
        Class::Rejected => "The provider says no; nothing is repeated by itself.",
        Class::Gone => "The provider does not know it any more; nothing is repeated by itself.",
        Class::BrokenContract => {
            "The answer or the request does not fit the connector's folder: mend it; the job then goes on by itself."
        }
        _ => "The provider has failed for longer than the schedule: retry when it works again.",
    }
}
