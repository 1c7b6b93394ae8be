//! Records that could not be read, read again: by a person's wish, and by themselves when their
//! connector's folder was mended.
//!
//! What always holds: the stored bytes are read by the connector as it is now; a record keeps its
//! row and gets another disposition; what a newer record of the same order said meanwhile is not
//! undone (flow decides, told that this is an old record).

use super::apply::Applier;
use super::decide::{Decided, Frame, Setting};
use super::mapped::{Content, Failure, MappedRecord, whole};
use super::memory::Kind;
use super::reading::{ORDERS_GET, SWEEP};
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::canonical::problem::{Class, Problem, ProblemStatus};
use crate::canonical::shipment::ShipmentStatus;
use crate::canonical::{JobId, ProblemId, ShipmentId};
use crate::flow::change::{ChangeSet, ResolveProblems};
use crate::store::query::{PageRequest, ProblemFilter};
use crate::store::{Scope, StoreError};

/// What a retry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retried {
    /// Records (or parked jobs) that went on.
    pub mended: usize,
    /// Records that are still problems.
    pub left: usize,
}

/// Why a problem cannot be retried.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// No such problem.
    #[error("no such problem")]
    Unknown,
    /// It is resolved already.
    #[error("the problem is resolved")]
    Resolved,
    /// Nobody knows whether a label was bought: only a person can say.
    #[error(
        "nobody knows whether {0} was bought, and asking again might buy a second label: say what \
         became of it by POST /v1/shipments/{0}/resolve"
    )]
    Resolve(ShipmentId),
    /// A label that was refused is asked for anew, not retried.
    #[error(
        "the request for the label of {0} has ended: correct what was refused, then ask for it anew"
    )]
    AskAnew(ShipmentId),
    /// There is nothing that could be done again.
    #[error("this problem has nothing to retry: it resolves itself when its cause goes")]
    Nothing,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A change set is tried so often against others' writes.
const TRIES: u32 = 3;

impl Applier {
    /// Does again what a problem stands for: maps its records, or lets its parked job go.
    ///
    /// # Errors
    /// [`RetryError`].
    pub async fn retry_problem(&self, scope: Scope, id: ProblemId) -> Result<Retried, RetryError> {
        let problem = self
            .store
            .problem(scope, id)
            .await?
            .ok_or(RetryError::Unknown)?;
        if problem.status == ProblemStatus::Resolved {
            return Err(RetryError::Resolved);
        }
        self.connectors.reload_if_changed();
        if let Ok(job) = problem.subject.parse::<JobId>() {
            return self.let_go(&problem, job).await;
        }
        if let Ok(shipment) = problem.subject.parse::<ShipmentId>() {
            return Err(self.of_shipment(shipment).await?);
        }
        let records = self.store.records_of_problem(id).await?;
        if records.is_empty() {
            return Err(RetryError::Nothing);
        }
        self.retry_records(&problem, records).await
    }

    /// Retries everything that a connection's broken contracts parked, because its connector's
    /// folder is another one now. Records that this very version failed on are left alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn retry_broken(
        &self,
        connection: crate::canonical::ConnectionId,
        version: &str,
    ) -> Result<Retried, StoreError> {
        let filter = ProblemFilter {
            status: Some(ProblemStatus::Open),
            class: Some(Class::BrokenContract),
            connection_id: Some(connection),
            subject: None,
        };
        let mut all = Retried::default();
        for problem in self.all_problems(filter).await? {
            if self.stop.is_set() {
                break;
            }
            let retried = match problem.subject.parse::<JobId>() {
                Ok(job) => self.let_go(&problem, job).await,
                Err(_) => {
                    let mut records = self.store.records_of_problem(problem.id).await?;
                    records.retain(|record| record.mapping_version.as_deref() != Some(version));
                    self.retry_records(&problem, records).await
                }
            };
            match retried {
                Ok(one) => {
                    all.mended += one.mended;
                    all.left += one.left;
                }
                Err(RetryError::Store(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(all)
    }

    /// Read before any is retried: resolving moves the pages.
    async fn all_problems(&self, filter: ProblemFilter) -> Result<Vec<Problem>, StoreError> {
        let mut found = Vec::new();
        let mut page = PageRequest {
            limit: 200,
            after: None,
        };
        loop {
            let next = self
                .store
                .problems(Scope::All, filter.clone(), page.clone())
                .await?;
            found.extend(next.data);
            match next.next {
                Some(after) => page.after = Some(after),
                None => return Ok(found),
            }
        }
    }

    /// Why the problem of a shipment is not retried.
    async fn of_shipment(&self, id: ShipmentId) -> Result<RetryError, StoreError> {
        let state = self.store.order_of_shipment(Scope::All, id).await?;
        let shipments = state.iter().flat_map(|state| &state.shipments);
        let status = shipments.filter(|s| s.id == id).map(|s| s.status).next();
        Ok(match status {
            Some(ShipmentStatus::OutcomeUnknown) => RetryError::Resolve(id),
            Some(ShipmentStatus::Failed) => RetryError::AskAnew(id),
            _ => RetryError::Nothing,
        })
    }

    async fn let_go(&self, problem: &Problem, job: JobId) -> Result<Retried, RetryError> {
        let connection = problem.connection_id.ok_or(RetryError::Nothing)?;
        let now = self.clock.now();
        let freed = self.store.unpark_jobs(connection, Some(job), now).await?;
        Ok(Retried {
            mended: usize::try_from(freed).unwrap_or(usize::MAX),
            left: 0,
        })
    }

    async fn retry_records(
        &self,
        problem: &Problem,
        records: Vec<InboxRecord>,
    ) -> Result<Retried, RetryError> {
        let mut retried = Retried::default();
        for record in records {
            match self.retry_record(problem, record).await? {
                Disposition::Problem => retried.left += 1,
                _ => retried.mended += 1,
            }
        }
        Ok(retried)
    }

    async fn retry_record(
        &self,
        problem: &Problem,
        record: InboxRecord,
    ) -> Result<Disposition, StoreError> {
        let mut tries = 0;
        loop {
            match self.retry_once(problem, record.clone()).await {
                Err(StoreError::Conflict(_)) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    async fn retry_once(
        &self,
        problem: &Problem,
        mut row: InboxRecord,
    ) -> Result<Disposition, StoreError> {
        let gone = || StoreError::NotFound("the bytes of the record".to_owned());
        let wire = self.store.delivery(row.raw_id).await?.ok_or_else(gone)?;
        let (items, around) = self.prepare(vec![wire.clone()]).await?;
        let mut batch = self.map(items, around).await;
        let mut memory = self
            .remember(&batch.items, &batch.mapped, &mut batch.around)
            .await?;
        let now = self.clock.now();
        let setting = batch.around.setting(wire.connection_id, now);
        let setting = setting.ok_or_else(gone)?;
        let mut decided = Decided::of(setting.connection.merchant_id);
        let mapped = batch.mapped.into_iter().next().flatten();
        let (frame, parts) = match mapped {
            None => (
                frame(&wire, row.topic.clone(), None, String::new()),
                vec![failed("mapping")],
            ),
            Some(mapped) => {
                let version = mapped
                    .mapping_version
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned();
                let parts = match row.kind {
                    // The delivery as a whole could not be read: all of it is this record.
                    None => mapped.records,
                    // A part of it, of so many parcels as its mapping says now: what is known of
                    // the others already changes nothing.
                    Some(_) if mapped.kind == Some(Kind::Tracking) => mapped.records,
                    Some(_) => {
                        let index = usize::try_from(row.index).unwrap_or(usize::MAX);
                        mapped.records.into_iter().nth(index).into_iter().collect()
                    }
                };
                (frame(&wire, mapped.topic, mapped.kind, version), parts)
            }
        };
        if parts.is_empty() {
            return Ok(Disposition::Problem);
        }
        reset(&mut row, &frame, setting);
        for part in parts {
            if row.external_id.is_none() {
                row.external_id.clone_from(&part.external_id);
            }
            frame.judge(setting, &mut row, part, &mut memory, &mut decided);
        }
        settle_problem(problem, &row, &mut decided.change);
        let disposition = row.disposition;
        decided.change.retried_record = Some(row);
        let connector = &setting.connection.connector;
        self.apply(decided, connector, None).await?;
        Ok(disposition)
    }
}

fn frame<'a>(
    wire: &'a WireDelivery,
    topic: String,
    kind: Option<Kind>,
    version: String,
) -> Frame<'a> {
    Frame {
        wire,
        topic,
        kind,
        version,
        sweep: wire.topic.ends_with(SWEEP),
        fetched: wire.topic == ORDERS_GET,
        remap: true,
    }
}

fn failed(stage: &'static str) -> MappedRecord {
    whole(Content::Failed(Failure::internal(stage)))
}

/// The row as if nothing had been decided of it.
fn reset(row: &mut InboxRecord, frame: &Frame<'_>, setting: Setting<'_>) {
    row.disposition = Disposition::Ignored;
    row.reason = None;
    row.subject = None;
    row.problem_id = None;
    row.topic.clone_from(&frame.topic);
    row.kind = frame.kind.map(|kind| kind.as_str().to_owned());
    row.mapping_version = (!frame.version.is_empty()).then(|| frame.version.clone());
    row.decided_at = Some(setting.now);
}

/// The problem is resolved when the record is none any more, or another one now.
fn settle_problem(problem: &Problem, row: &InboxRecord, change: &mut ChangeSet) {
    let same = |new: &crate::flow::change::NewProblem| {
        new.subject == problem.subject && new.code == problem.code && new.class == problem.class
    };
    if row.disposition == Disposition::Problem && change.problems.iter().any(same) {
        return;
    }
    change.resolve.push(ResolveProblems {
        subject: problem.subject.clone(),
        code: Some(problem.code.clone()),
    });
}
