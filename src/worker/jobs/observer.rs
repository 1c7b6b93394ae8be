//! What a job's run writes down while it goes on.
//!
//! What always holds: the attempt is durable before its request leaves; its outcome and the place
//! to go on from are one transaction; an order that was fetched goes the way of all deliveries.

use crate::canonical::connection::Connection;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::order::Source;
use crate::canonical::{AttemptId, RawId, Timestamp};
use crate::failpoint::failpoint;
use crate::flow::change::{ChangeSet, ConnectionUpdate, JobResult};
use crate::operation::{Checkpoint, Observer, Page, PageUse, PlannedRequest, Refused, Report};
use crate::store::StoreError;
use crate::worker::apply::first;
use crate::worker::poll::pages::PullPages;
use crate::worker::reading::ORDERS_GET;
use crate::worker::work::Work;
use async_trait::async_trait;
use std::sync::Arc;

/// See the module.
pub struct JobObserver {
    pub(super) work: Arc<Work>,
    pub(super) connection: Connection,
    pub(super) job: Job,
    /// Where the run goes on.
    pub(super) checkpoint: Checkpoint,
    /// Attempts of this job so far.
    pub(super) attempts: u32,
    /// The last one.
    pub(super) last: Option<Attempt>,
    /// For `orders.pull`.
    pub(super) pull: Option<PullPages>,
}

impl JobObserver {
    /// A result that leaves the job at work.
    fn under_way(&self, attempt: Attempt) -> JobResult {
        JobResult {
            job_id: self.job.id,
            epoch: self.job.epoch,
            state: JobState::Leased,
            run_at: None,
            step: self.checkpoint.step,
            checkpoint: self.checkpoint.json(),
            spends_attempt: false,
            attempt: Some(attempt),
        }
    }

    /// Until when the connection is frozen goes with the attempt that said so.
    async fn write(
        &self,
        attempt: Attempt,
        frozen_until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut change = ChangeSet::of(self.job.merchant_id);
        change.job = Some(self.under_way(attempt));
        change.connection = frozen_until.map(|until| {
            let update = ConnectionUpdate {
                freeze_until: Some(until),
                ..ConnectionUpdate::default()
            };
            (self.connection.id, update)
        });
        first(self.work.store.apply(vec![change]).await?)
    }
}

#[async_trait]
impl Observer for JobObserver {
    async fn before_send(&mut self, step: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
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
            sent_at: Some(now),
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
        crate::failpoint::failpoint!("job.after_attempt");
        let id = attempt.id;
        self.last = Some(attempt);
        Ok(id)
    }

    async fn after(&mut self, id: AttemptId, report: Report<'_>) -> Result<(), Refused> {
        crate::failpoint::failpoint!("job.before_report");
        if let Some(checkpoint) = report.checkpoint {
            self.checkpoint = checkpoint.clone();
        }
        let Some(mut attempt) = self.last.clone().filter(|attempt| attempt.id == id) else {
            return Err(Refused("an attempt that was not announced".to_owned()));
        };
        let outcome = report.outcome;
        attempt.class = outcome.class;
        attempt.reason = (!outcome.message.is_empty()).then(|| outcome.message.clone());
        attempt.status = outcome.status;
        attempt.duration_ms = Some(u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX));
        let class = outcome.class.map_or("ok", |class| class.as_str());
        let operation = self.job.kind.clone();
        metrics::counter!("crossdock_attempts_total", "operation" => operation, "class" => class)
            .increment(1);
        tracing::info!(
            connection = %self.connection.id, job = %self.job.id, operation = self.job.kind, step = report.step,
            class, code = outcome.code, status = outcome.status, duration_ms = attempt.duration_ms, "attempt"
        );
        self.last = Some(attempt.clone());
        self.write(attempt, report.frozen_until)
            .await
            .map_err(refused)
    }

    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        let asked_at = self
            .last
            .as_ref()
            .map_or_else(|| self.work.clock.now(), |last| last.started_at);
        if let Some(pull) = &mut self.pull {
            return pull.take(page, asked_at).await;
        }
        if self.job.kind != ORDERS_GET {
            return Ok(PageUse::Map);
        }
        let wire = WireDelivery {
            id: RawId::new(),
            merchant_id: self.connection.merchant_id,
            connection_id: self.connection.id,
            source: Source::Poll,
            topic: ORDERS_GET.to_owned(),
            received_at: asked_at,
            dedupe_key: None,
            headers: Vec::new(),
            body: page.bytes.clone(),
        };
        self.work
            .store
            .append_inbox(vec![wire], None)
            .await
            .map_err(refused)?;
        Ok(PageUse::Taken)
    }
}

fn refused(error: StoreError) -> Refused {
    Refused(error.to_string())
}
