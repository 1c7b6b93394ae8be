//! What a job's run writes down while it goes on.
//!
//! What always holds: the attempt is durable before its request leaves; its outcome and the place
//! to go on from are one transaction; an order that was fetched goes the way of all deliveries.

use super::commit::{Fact, NotWritten, Patience, commit};
use super::labels::{Barred, Labels};
use crate::canonical::connection::Connection;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::order::Source;
use crate::canonical::{AttemptId, RawId, Timestamp};
use crate::flow::change::{ChangeSet, ConnectionUpdate, JobResult};
use crate::manifest::model::Repeat;
use crate::operation::{
    Checkpoint, Observer, Page, PageUse, PlannedRequest, Refused, Report, retry,
};
use crate::store::StoreError;
use crate::worker::connectors::Loaded;
use crate::worker::decide;
use crate::worker::poll::pages::PullPages;
use crate::worker::work::Work;
use async_trait::async_trait;
use std::sync::Arc;

/// The mapping of orders: what a call about an order reads by it is taken in.
const ORDER: &str = "order";

/// See the module.
pub struct JobObserver {
    pub(super) work: Arc<Work>,
    pub(super) connection: Connection,
    pub(super) connector: Loaded,
    pub(super) job: Job,
    /// Where the run goes on.
    pub(super) checkpoint: Checkpoint,
    /// Attempts of this job so far.
    pub(super) attempts: u32,
    /// The last one.
    pub(super) last: Option<Attempt>,
    /// The provider wants a pause.
    pub(super) frozen_until: Option<Timestamp>,
    /// For `orders.pull`.
    pub(super) pull: Option<PullPages>,
    /// For jobs about labels.
    pub(super) labels: Option<Labels>,
}

impl JobObserver {
    /// A success, and where the run goes on after it: the job stays at work.
    fn under_way(&self, attempt: &Attempt, checkpoint: &Checkpoint) -> ChangeSet {
        let mut change = ChangeSet::of(self.job.merchant_id);
        change.job = Some(JobResult {
            job_id: self.job.id,
            epoch: self.job.epoch,
            state: JobState::Leased,
            run_at: None,
            step: checkpoint.step,
            checkpoint: checkpoint.json(),
            spends_attempt: false,
            attempt: Some(attempt.clone()),
        });
        change.connection = self.frozen_until.map(|until| {
            let update = ConnectionUpdate {
                freeze_until: Some(until),
                ..ConnectionUpdate::default()
            };
            (self.connection.id, update)
        });
        change
    }

    async fn announce(&mut self, step: &str, sent: bool) -> Result<AttemptId, Refused> {
        if self.work.stop.is_set() {
            return Err(Refused("the node stops".to_owned()));
        }
        let now = self.work.clock.now();
        self.attempts += 1;
        let attempt = Attempt {
            id: AttemptId::new(),
            job_id: self.job.id,
            n: self.attempts,
            step: step.to_owned(),
            started_at: now,
            // From here on it may have left.
            sent_at: sent.then_some(now),
            class: None,
            reason: None,
            status: None,
            duration_ms: None,
            next_at: None,
        };
        self.work
            .store
            .start_attempt(&attempt)
            .await
            .map_err(refused)?;
        let id = attempt.id;
        self.last = Some(attempt);
        Ok(id)
    }

    /// Why a step is not sent that buys: its place in the checkpoint is not where it was (the folder
    /// has other steps now), or the label is to be void.
    fn bars(&mut self, name: &str) -> Option<Barred> {
        let labels = self.labels.as_mut()?;
        let manifest = self.connector.provider.manifest();
        let steps = &manifest.operations.get(&self.job.kind)?.steps;
        let (step, index) = steps.iter().zip(0u32..).find(|(s, _)| s.name == name)?;
        if retry::repeatable(step.repeat, step.method) {
            return None;
        }
        let items = match self.checkpoint.step == index {
            _ if step.repeat == Repeat::LookupFirst => u32::MAX,
            true => self.checkpoint.item,
            false => 0,
        };
        labels.bar(name, items)
    }

    /// One of these numbers is another shipment's at this account.
    async fn taken(&self, numbers: &[String]) -> bool {
        let Some(labels) = &self.labels else {
            return false;
        };
        let key = |number: &String| (self.connection.id, number.clone());
        let keys: Vec<_> = numbers.iter().map(key).collect();
        let found = self.work.store.orders_by_tracking(&keys).await;
        let orders = found.unwrap_or_default().into_iter().flatten();
        let mut shipments = orders.flat_map(|state| state.shipments);
        shipments.any(|shipment| {
            let ours = shipment.connection_id == Some(self.connection.id);
            let mut parcels = shipment.parcels.iter();
            let its = |number: &String| numbers.contains(number);
            shipment.id != labels.shipment
                && ours
                && parcels.any(|parcel| parcel.tracking_number.as_ref().is_some_and(its))
        })
    }

    /// The answer names a number that is another shipment's: it cannot be written, and asking again
    /// would buy again. A person says what it is.
    async fn number_taken(&self, change: ChangeSet) -> Result<(), Refused> {
        const WHY: &str = "the carrier's answer names a number that another shipment has";
        if let Some(labels) = &self.labels {
            let fact = labels.impossible("tracking_number_taken", WHY, true);
            commit(&self.work, change, Some(Fact::new(fact)), self.patience())
                .await
                .map_err(|error| Refused(error.to_string()))?;
        }
        Err(Refused(WHY.to_owned()))
    }

    /// Why a step that buys was not sent, if one was not.
    pub(super) fn barred(&self) -> Option<Barred> {
        self.labels.as_ref()?.barred
    }

    pub(super) fn patience(&self) -> Patience {
        let until = self.job.lease_until;
        Patience::until(until.unwrap_or_else(|| self.work.clock.now()))
    }
}

#[async_trait]
impl Observer for JobObserver {
    async fn before_send(&mut self, step: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.work.may_send(self.job.connection_id)?;
        if self.bars(step).is_some() {
            return Err(Refused(
                "this step buys, and must not be done now".to_owned(),
            ));
        }
        let id = self.announce(step, true).await?;
        crate::failpoint::failpoint!("job.after_attempt");
        Ok(id)
    }

    async fn before_reuse(&mut self, step: &str) -> Result<AttemptId, Refused> {
        self.announce(step, false).await
    }

    fn keeps_answers(&self) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.buys)
    }

    async fn after(&mut self, id: AttemptId, report: Report<'_>) -> Result<(), Refused> {
        crate::failpoint::failpoint!("job.before_report");
        let Some(mut attempt) = self.last.clone().filter(|attempt| attempt.id == id) else {
            return Err(Refused("an attempt that was not announced".to_owned()));
        };
        let outcome = report.outcome;
        attempt.class = outcome.class;
        attempt.reason = (!outcome.message.is_empty()).then(|| outcome.message.clone());
        attempt.status = outcome.status;
        attempt.duration_ms = Some(u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX));
        self.frozen_until = self.frozen_until.max(report.frozen_until);
        if outcome.class.is_some() {
            // Written with the verdict: a failure without one would be taken for a call that may
            // simply be made again.
            self.last = Some(attempt);
            return Ok(());
        }
        let checkpoint = report.checkpoint.unwrap_or(&self.checkpoint).clone();
        let mut change = self.under_way(&attempt, &checkpoint);
        let mut read = None;
        if let Some(labels) = &mut self.labels {
            let drift = std::mem::take(&mut labels.drift);
            let drift = drift.iter().map(|d| decide::drift(self.connection.id, d));
            change.problems.extend(drift);
            read = labels.read.take();
        }
        let numbers = read.as_ref().map(Fact::numbers).unwrap_or_default();
        match commit(&self.work, change.clone(), read, self.patience()).await {
            Ok(()) => {}
            Err(NotWritten::Store(StoreError::Conflict(_))) if self.taken(&numbers).await => {
                return self.number_taken(change).await;
            }
            Err(error) => return Err(Refused(error.to_string())),
        }
        // Only now: what is not written has not happened, for whoever takes the job up.
        if let Some(labels) = &mut self.labels {
            labels.count(report.step);
        }
        self.last = Some(attempt);
        self.checkpoint = checkpoint;
        crate::failpoint::failpoint!("job.after_report");
        Ok(())
    }

    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        let asked_at = self
            .last
            .as_ref()
            .map_or_else(|| self.work.clock.now(), |last| last.started_at);
        if let Some(pull) = &mut self.pull {
            return pull.take(page, asked_at).await;
        }
        let patience = self.patience();
        if let Some(labels) = &mut self.labels {
            return labels
                .page(&self.work, &self.connector, &page, patience)
                .await;
        }
        if page.mapping != ORDER {
            return Ok(PageUse::Map);
        }
        let wire = WireDelivery {
            id: RawId::new(),
            merchant_id: self.connection.merchant_id,
            connection_id: self.connection.id,
            source: Source::Poll,
            topic: self.job.kind.clone(),
            received_at: asked_at,
            dedupe_key: None,
            headers: Vec::new(),
            body: page.bytes.clone(),
        };
        self.work.take_in(wire, None).await.map_err(refused)?;
        Ok(PageUse::Taken)
    }
}

fn refused(error: StoreError) -> Refused {
    Refused(error.to_string())
}
