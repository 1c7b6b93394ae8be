//! Problems and jobs: what went wrong, what waits, and trying again.

use super::body::Body;
use super::change::audit;
use super::deliveries::Empty;
use super::gate::Call;
use super::idempotency::once;
use super::problem::Problem;
use super::reply::{self, Answer, Reply};
use crate::canonical::job::{Job, JobState};
use crate::canonical::problem::Problem as Trouble;
use crate::canonical::{JobId, ProblemId};
use crate::flow::change::ChangeSet;
use crate::store::Scope;
use crate::store::query::{JobFilter, PageRequest, ProblemFilter};
use async_trait::async_trait;
use serde::Serialize;
use serde_json::json;

/// What a retry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Records or jobs that went on.
    pub mended: usize,
    /// Records that are still problems.
    pub left: usize,
}

/// Does again what a problem stands for: maps its records by the mapping as it is now, or lets its
/// parked job go. The worker's business; behind a trait, since it works without the API too.
#[async_trait]
pub trait Retrier: Send + Sync {
    /// Tries again.
    ///
    /// # Errors
    /// `not_found`, `rejected` when there is nothing to retry, or the store's.
    async fn retry(&self, scope: Scope, id: ProblemId) -> Result<Retried, Problem>;
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
    let found = call.state.store.problems(scope, filter, page).await;
    reply::list(&call.page_of(found)?)
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
    once(call, body.hash, None, |call, ticket| async move {
        let trouble = problem(&call).await?;
        let scope = call.principal.scope();
        let retried = call.state.retrier.retry(scope, trouble.id).await?;
        let mut change = ChangeSet::of(trouble.merchant_id);
        let (subject, log) = (trouble.id.to_string(), json!(retried));
        change
            .audit
            .push(audit(&call, "problem.retry", &subject, log));
        let now = call.state.store.problem(scope, trouble.id).await?;
        let told = json!({
            "mended": retried.mended, "left": retried.left, "problem": now.unwrap_or(trouble),
        });
        let reply = Reply::json(200, &told)?;
        change.idempotency = ticket.answer(&reply);
        super::change::apply(&call, change).await?;
        Ok(reply)
    })
    .await
}

/// `GET /v1/jobs`.
pub async fn jobs(call: Call) -> Answer {
    let filter = JobFilter {
        connection_id: call.params.parse("connection_id")?,
        order_id: call.params.parse("order_id")?,
        state: call.params.word::<JobState>("state")?,
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call.state.store.jobs(scope, filter, page).await;
    let mut found = call.page_of(found)?;
    for job in &mut found.data {
        // A provider's answer as it came: people need to know that it is there, no more.
        if let Some(answer) = job.checkpoint.get_mut("answer").filter(|a| !a.is_null()) {
            *answer = json!({ "step": answer["step"], "status": answer["status"] });
        }
    }
    reply::list(&found)
}

/// `POST /v1/jobs/{id}/retry`: a parked or dead job runs again.
pub async fn retry_job(call: Call, _body: Body<Empty>) -> Answer {
    let id: JobId = call.id("id", "job")?;
    let Some(job) = waiting(&call, id).await? else {
        return Err(Problem::not_found("parked or dead job"));
    };
    let store = &call.state.store;
    let count = store
        .unpark_jobs(job.connection_id, Some(id), call.now())
        .await?;
    let mut change = ChangeSet::of(job.merchant_id);
    change
        .audit
        .push(audit(&call, "job.retry", &id.to_string(), json!({})));
    super::change::apply(&call, change).await?;
    Ok(Reply::json(202, &json!({"jobs": count}))?.send())
}

/// The parked or dead job with this id.
async fn waiting(call: &Call, id: JobId) -> Result<Option<Job>, Problem> {
    for state in [JobState::Parked, JobState::Dead] {
        let mut page = PageRequest {
            limit: 500,
            after: None,
        };
        loop {
            let filter = JobFilter {
                state: Some(state),
                ..JobFilter::default()
            };
            let scope = call.principal.scope();
            let found = call.state.store.jobs(scope, filter, page.clone()).await?;
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
