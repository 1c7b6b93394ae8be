//! A look at the shipment before a job about its label is run.
//!
//! What always holds: a job that may not send ends here, in a state that the shipment explains.

use super::labels::{Labels, succeeded};
use super::run::{Settled, unfinished};
use super::verdict::Verdict;
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::problem::Class;
use crate::flow::{self, Wanted};
use crate::manifest::model::Repeat;
use crate::operation::Checkpoint;
use crate::store::{Scope, StoreError};
use crate::worker::connectors::Loaded;
use crate::worker::work::Work;

/// What the look said.
pub(super) enum Look {
    /// The job is run.
    GoOn,
    /// It ends.
    End(Box<Settled>),
}

/// Looks whether the job is wanted. `before`: its attempts so far.
pub(super) async fn look(
    work: &Work,
    job: &Job,
    labels: &mut Labels,
    connector: &Loaded,
    before: &[Attempt],
    checkpoint: &Checkpoint,
) -> Result<Look, StoreError> {
    let noted = |state, reason: &str| {
        let verdict = Verdict {
            state,
            ..Verdict::done()
        };
        let settled = Settled::noted(verdict, job, work.clock.now(), reason);
        Ok(Look::End(Box::new(settled)))
    };
    let state = work
        .store
        .order_of_shipment(Scope::All, labels.shipment)
        .await?;
    let Some(state) = state else {
        return noted(JobState::Done, "the shipment does not exist");
    };
    if !labels.buys {
        return match flow::void_wanted(&state, labels.shipment) {
            true => Ok(Look::GoOn),
            false => noted(JobState::Done, "the label is not to be void"),
        };
    }
    let begun = before.iter().any(|a| unfinished(a) || succeeded(a));
    let kept = checkpoint.answer.is_some();
    let unclear = !kept && before.last().is_some_and(|last| lost(job, connector, last));
    match flow::wanted(&state, labels.shipment, labels.request_number) {
        Wanted::Nothing(reason) => noted(JobState::Done, reason),
        Wanted::Unclear if kept || before.last().is_some_and(unfinished) => Ok(Look::GoOn),
        Wanted::Unclear => noted(
            JobState::Dead,
            "nobody knows whether it was bought: the shipment must be resolved",
        ),
        Wanted::Withdrawn if begun => {
            labels.withdrawn = true;
            Ok(Look::GoOn)
        }
        Wanted::Withdrawn => {
            let reason = "it was withdrawn before it was asked for";
            let mut settled = Settled::noted(Verdict::done(), job, work.clock.now(), reason);
            settled.fact = Some(labels.impossible("withdrawn", reason, false));
            Ok(Look::End(Box::new(settled)))
        }
        Wanted::Finish if unclear || !begun => noted(JobState::Done, "the label is known already"),
        Wanted::Ask if unclear => {
            let reason = "the answer of its last call is lost";
            let verdict = Verdict {
                state: JobState::Dead,
                ..Verdict::done()
            };
            let mut settled = Settled::noted(verdict, job, work.clock.now(), reason);
            settled.fact = Some(labels.impossible("answer_lost", reason, true));
            Ok(Look::End(Box::new(settled)))
        }
        Wanted::Ask | Wanted::Finish => Ok(Look::GoOn),
    }
}

/// Its outcome is not known, and the carrier cannot be asked.
fn lost(job: &Job, connector: &Loaded, attempt: &Attempt) -> bool {
    let operations = &connector.provider.manifest().operations;
    let steps = operations.get(&job.kind).map(|o| &o.steps);
    let step = steps
        .into_iter()
        .flatten()
        .find(|step| step.name == attempt.step);
    let looks = step.is_some_and(|step| step.repeat == Repeat::LookupFirst);
    attempt.class == Some(Class::Ambiguous) && !looks
}
