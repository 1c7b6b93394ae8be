//! What a run is given and how it ends.
//!
//! What always holds: a run that stopped tells why, at which step, and where the next attempt goes
//! on; whether and when there is one, [`super::retry`] decides.

use super::classify::Outcome;
use super::client::Answer;
use super::credentials::Credentials;
use super::observer::{Checkpoint, Refused};
use super::provider::Provider;
use super::retry;
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, JobId, OrderId, Timestamp};
use crate::manifest::model::{Limits, Manifest, Method, Operation, Repeat};
use crate::mapping::Notes;
use jaq_json::Val;
use serde_json::{Map, Value};

/// One run of an operation for a connection.
pub struct Call<'a> {
    /// The connector.
    pub provider: &'a dyn Provider,
    /// The operation's name.
    pub operation: &'a str,
    /// Whose pace and circuit it is.
    pub connection: ConnectionId,
    /// The non-secret form values; the form's defaults are added.
    pub settings: &'a Map<String, Value>,
    /// Where the provider delivers webhooks for this connection.
    pub hook_url: Option<&'a str>,
    /// What earlier operations learned.
    pub memory: &'a Map<String, Value>,
    /// The secret form values.
    pub credentials: &'a Credentials,
    /// The command, canonical.
    pub input: &'a Value,
    /// Where to go on; `Checkpoint::default()` for a fresh job.
    pub checkpoint: Checkpoint,
    /// The poll's position.
    pub cursor: Option<&'a Value>,
    /// Limits of this connection where they differ from the manifest's.
    pub limits: Option<&'a Limits>,
    /// The end of the lease: no call may still be under way then.
    pub send_until: Timestamp,
    /// Of which order it is, where it is of one.
    pub order: Option<OrderId>,
    /// Whose run it is.
    pub job: Option<JobId>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// All steps are done.
    Finished(Box<Finished>),
    /// A step failed.
    Stopped(Box<Stopped>),
}

/// A run that came to its end.
#[derive(Debug, Default)]
pub struct Finished {
    /// What it learned about the connection, to be merged into its memory.
    pub memory_update: Option<Value>,
    /// The last answer; none when all steps were skipped or done before.
    pub last_answer: Option<Answer>,
    /// What mappings yielded of pages that the observer left to the run.
    pub records: Vec<Val>,
    /// Warnings and drift of those mappings.
    pub notes: Notes,
    /// The page limit ended a list: run it again soon.
    pub more: bool,
}

/// A run that a step ended.
#[derive(Debug)]
pub struct Stopped {
    /// Why.
    pub outcome: Outcome,
    /// The step's name.
    pub step: String,
    /// What a lost answer of that step means, for [`retry::next`].
    pub repeat: Repeat,
    /// Where the next attempt goes on; the start, where it must look first.
    pub checkpoint: Checkpoint,
}

/// A run that cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The connector does not have the operation.
    #[error("the connector has no operation `{0}`")]
    UnknownOperation(String),
    /// The observer refused.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// True when an operation changes something at the provider: not run while `observing`.
pub fn changes(operation: &Operation) -> bool {
    operation.changes.unwrap_or_else(|| {
        operation
            .steps
            .iter()
            .any(|step| step.method != Method::Get)
    })
}

/// What an attempt came to that was announced and never reported: the node died. With it, the
/// step's `repeat`, for [`retry::next`]. A step that the manifest no longer has is `Never`.
pub fn interrupted(manifest: &Manifest, operation: &str, step: &str) -> (Outcome, Repeat) {
    let steps = manifest
        .operations
        .get(operation)
        .map(|operation| operation.steps.as_slice())
        .unwrap_or_default();
    let known = steps.iter().find(|known| known.name == step);
    let repeat = known.map_or(Repeat::Never, |step| step.repeat);
    let class = if known.is_some_and(|step| retry::repeatable(step.repeat, step.method)) {
        Class::Transient
    } else {
        Class::Ambiguous
    };
    (
        Outcome::failed(
            class,
            "interrupted",
            "the gateway stopped while the call was under way",
        ),
        repeat,
    )
}
