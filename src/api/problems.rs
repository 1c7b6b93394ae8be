//! Problems and jobs: what went wrong, what waits, and trying again.

use super::body::Body;
use super::change::audit;
use super::deliveries::Empty;
use super::gate::Call;
use super::idempotency::once;
use super::problem::{Code, Problem};
use super::reply::{self, Answer, Reply};
use crate::canonical::job::{Job, JobState};
use crate::canonical::problem::Problem as Trouble;
use crate::canonical::{JobId, ProblemId, Timestamp};
use crate::flow::change::ChangeSet;
use crate::store::StoreError;
use crate::store::query::{JobFilter, PageRequest, ProblemFilter};
use async_trait::async_trait;
use serde_json::json;

/// Maps the records of a problem again, by the mapping as it is now.
#[async_trait]
pub trait Retrier: Send + Sync {
    /// How many records have another disposition now.
    ///
    /// # Errors
    /// The store's. What still cannot be mapped is no error: its problem stays open.
    async fn retry(&self, problem: &Trouble, now: Timestamp) -> Result<u64, StoreError>;
}

/// `GET /v1/problems`.
pub async fn list(call: Call) -> Answer {
    let filter = ProblemFilter {
        status: call.params.word("status")?,
        class: call.params.word("class")?,
        connection_id: call.params.parse("connection_id")?,
        subject: call.params.text("subject").map(str::to_owned),
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    reply::list(&call.state.store.problems(scope, filter, page).await?)
}

async fn problem(call: &Call) -> Result<Trouble, Problem> {
    let id: ProblemId = call.id("id", "problem")?;
    let found = call.state.store.problem(call.principal.scope(), id).await?;
    found.ok_or_else(|| Problem::not_found("problem"))
}

/// `GET /v1/problems/{id}`.
pub async fn get(call: Call) -> Answer {
    reply::ok(&problem(&call).await?)
}

/// `POST /v1/problems/{id}/retry`: records are mapped again, parked jobs run again.
pub async fn retry(call: Call, body: Body<Empty>) -> Answer {
    once(call, body.hash, None, |call, _| async move {
        let trouble = problem(&call).await?;
        let records = call.state.retrier.retry(&trouble, call.now()).await?;
        let jobs = run_again(&call, &trouble).await?;
        if records == 0 && jobs == 0 && nothing_to_retry(&call, &trouble).await? {
            let problem = Problem::new(Code::Rejected, "nothing of this problem can be retried");
            return Err(match trouble.hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        }
        let log = json!({"records": records, "jobs": jobs});
        note(&call, &trouble, log).await?;
        let now = call.state.store.problem(call.principal.scope(), trouble.id).await?;
        Reply::json(200, &json!({"records": records, "jobs": jobs, "problem": now.unwrap_or(trouble)}))
    })
    .await
}

async fn nothing_to_retry(call: &Call, trouble: &Trouble) -> Result<bool, Problem> {
    Ok(call.state.store.records_of_problem(trouble.id).await?.is_empty())
}

async fn note(call: &Call, trouble: &Trouble, log: serde_json::Value) -> Result<(), Problem> {
    let mut change = ChangeSet::of(trouble.merchant_id);
    let subject = trouble.id.to_string();
    change.audit.push(audit(call, "problem.retry", &subject, log));
    super::change::apply(call, change).await?;
    Ok(())
}

async fn run_again(call: &Call, trouble: &Trouble) -> Result<u64, Problem> {
    let (Some(connection), Ok(job)) = (trouble.connection_id, trouble.subject.parse::<JobId>())
    else {
        return Ok(0);
    };
    let store = &call.state.store;
    Ok(store.unpark_jobs(connection, Some(job), call.now()).await?)
}

/// `GET /v1/jobs`.
pub async fn jobs(call: Call) -> Answer {
    let filter = JobFilter {
        connection_id: call.params.parse("connection_id")?,
        order_id: call.params.parse("order_id")?,
        state: call.params.word::<JobState>("state")?,
    };
    reply::list(&call.state.store.jobs(filter, call.params.page()?).await?)
}

/// `POST /v1/jobs/{id}/retry`: a parked or dead job runs again.
pub async fn retry_job(call: Call, _body: Body<Empty>) -> Answer {
    let id: JobId = call.id("id", "job")?;
    let Some(job) = waiting(&call, id).await? else {
        return Err(Problem::not_found("parked or dead job"));
    };
    let store = &call.state.store;
    let count = store.unpark_jobs(job.connection_id, Some(id), call.now()).await?;
    let mut change = ChangeSet::of(job.merchant_id);
    change.audit.push(audit(&call, "job.retry", &id.to_string(), json!({})));
    super::change::apply(&call, change).await?;
    Ok(Reply::json(202, &json!({"jobs": count}))?.send())
}

/// The parked or dead job with this id.
async fn waiting(call: &Call, id: JobId) -> Result<Option<Job>, Problem> {
    for state in [JobState::Parked, JobState::Dead] {
        let mut page = PageRequest { limit: 500, after: None };
        loop {
            let filter = JobFilter { state: Some(state), ..JobFilter::default() };
            let found = call.state.store.jobs(filter, page.clone()).await?;
            if let Some(job) = found.data.into_iter().find(|job| job.id == id) {
                return Ok(Some(job));
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => break,
            }
        }
    }
    Ok(None)
}
