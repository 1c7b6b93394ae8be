//! Jobs and attempts.

use super::support::*;
use crate::canonical::job::{Attempt, Job, JobState, Lane, NewJob};
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, JobId};
use crate::flow::change::{ChangeSet, JobResult};
use crate::store::query::JobFilter;
use crate::store::{Scope, Store, StoreError};
use serde_json::{Value, json};
use std::sync::Arc;

async fn enqueue(bench: &Bench, jobs: Vec<NewJob>) {
    let set = ChangeSet {
        jobs,
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
}

async fn lease(store: &Arc<dyn Store>, now: i64, limit: usize) -> Vec<Job> {
    store
        .lease_jobs("me", at(now), at(now + 30), limit, &[])
        .await
        .unwrap()
}

fn result(job: &Job, state: JobState) -> JobResult {
    JobResult {
        job_id: job.id,
        epoch: job.epoch,
        state,
        run_at: None,
        step: 0,
        checkpoint: Value::Null,
        spends_attempt: true,
        attempt: None,
    }
}

async fn finish(bench: &Bench, result: JobResult) -> Result<(), StoreError> {
    let set = ChangeSet {
        job: Some(result),
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.map(|_| ())
}

pub async fn a_key_is_unique_until_done(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let job = || bench.job("fulfillment.push", "ship-1", "o1", Lane::StatusPush);
    enqueue(&bench, vec![job(), job()]).await;
    enqueue(&bench, vec![job()]).await;
    let leased = lease(&store, 1, 10).await;
    assert_eq!(leased.len(), 1);
    assert_eq!(leased[0].input, json!({"for": "input-of-test"}));
    assert_eq!((leased[0].epoch, leased[0].state), (1, JobState::Leased));
    enqueue(&bench, vec![job()]).await;
    finish(&bench, result(&leased[0], JobState::Done))
        .await
        .unwrap();
    assert!(
        lease(&store, 2, 10).await.is_empty(),
        "only orders.get runs again"
    );
    enqueue(&bench, vec![job()]).await;
    assert_eq!(lease(&store, 3, 10).await.len(), 1);
}

pub async fn leases_follow_lanes_and_ordering_keys(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let other = Bench::new(&store).await;
    let later = NewJob {
        run_at: at(100),
        ..bench.job("later", "6", "o6", Lane::Label)
    };
    let jobs = vec![
        bench.job("poll", "1", "o1", Lane::TrackingPoll),
        bench.job("push", "2", "o2", Lane::StatusPush),
        bench.job("push", "3", "o2", Lane::StatusPush),
        bench.job("label", "4", "o3", Lane::Label),
        later,
    ];
    enqueue(&bench, jobs).await;
    enqueue(&other, vec![other.job("label", "5", "o5", Lane::Label)]).await;
    let skip = [other.connection.id];
    let first = store
        .lease_jobs("me", at(1), at(31), 2, &skip)
        .await
        .unwrap();
    let keys: Vec<&str> = first.iter().map(|job| job.key.as_str()).collect();
    assert_eq!(
        keys,
        ["4", "2"],
        "by lane; the second of an ordering key waits"
    );
    let second = lease(&store, 1, 10).await;
    let keys: Vec<&str> = second.iter().map(|job| job.key.as_str()).collect();
    assert_eq!(keys, ["5", "1"]);
    assert!(lease(&store, 1, 10).await.is_empty());
    // In back-off it still holds the next one of its ordering key up; parked it does not.
    let mut wait = result(&first[1], JobState::Ready);
    wait.run_at = Some(at(50));
    finish(&bench, wait).await.unwrap();
    assert!(lease(&store, 2, 10).await.is_empty());
    assert_eq!(store.next_job_at().await.unwrap(), Some(at(31)));
    let again = lease(&store, 50, 10).await;
    assert!(again.iter().any(|job| job.key == "2" && job.attempts == 1));
    let two = again.iter().find(|job| job.key == "2").unwrap();
    finish(&bench, result(two, JobState::Parked)).await.unwrap();
    assert!(lease(&store, 51, 10).await.iter().any(|job| job.key == "3"));
    let depths = store.queue_depths().await.unwrap();
    let labels = depths
        .iter()
        .find(|(lane, ..)| *lane == Lane::Label)
        .unwrap();
    assert_eq!((labels.1, labels.2), (1, Some(at(100))));
}

pub async fn an_expired_lease_is_given_again(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    enqueue(&bench, vec![bench.job("push", "1", "o1", Lane::StatusPush)]).await;
    let first = lease(&store, 0, 1).await;
    assert!(lease(&store, 29, 1).await.is_empty());
    let again = store
        .lease_jobs("you", at(31), at(60), 1, &[])
        .await
        .unwrap();
    assert_eq!(again[0].id, first[0].id);
    assert_eq!(again[0].lease_owner.as_deref(), Some("you"));
}

pub async fn a_result_needs_the_current_epoch(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    enqueue(&bench, vec![bench.job("push", "1", "o1", Lane::StatusPush)]).await;
    let job = lease(&store, 0, 1).await.remove(0);
    let step = json!({"token": "learned-by-step"});
    store.checkpoint(job.id, job.epoch, 1, &step).await.unwrap();
    let mut moved = bench.connection.clone();
    moved.epoch = 2;
    store
        .update_connection(&moved, None, ChangeSet::of(bench.merchant), audit(moved.id))
        .await
        .unwrap();
    let late = finish(&bench, result(&job, JobState::Done)).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))));
    let late = store.checkpoint(job.id, job.epoch, 2, &Value::Null).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))));
    let again = lease(&store, 31, 1).await.remove(0);
    assert_eq!((again.epoch, again.step, &again.checkpoint), (2, 1, &step));
    finish(&bench, result(&again, JobState::Done))
        .await
        .unwrap();
    let twice = finish(&bench, result(&again, JobState::Done)).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))));
    let mut unknown = result(&again, JobState::Done);
    unknown.job_id = JobId::new();
    assert!(matches!(
        finish(&bench, unknown).await,
        Err(StoreError::NotFound(_))
    ));
}

pub async fn parked_jobs_come_back(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let job = |n: usize| bench.job("push", &n.to_string(), &format!("o{n}"), Lane::StatusPush);
    enqueue(&bench, (0..3).map(job).collect()).await;
    let leased = lease(&store, 0, 10).await;
    let problem = bench.problem("refused", "job");
    let set = ChangeSet {
        job: Some(result(&leased[0], JobState::Parked)),
        problems: vec![problem.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    finish(&bench, result(&leased[1], JobState::Parked))
        .await
        .unwrap();
    finish(&bench, result(&leased[2], JobState::Dead))
        .await
        .unwrap();
    let parked = JobFilter {
        state: Some(JobState::Parked),
        ..Default::default()
    };
    let listed = store.jobs(Scope::All, parked, page(10)).await.unwrap().data;
    let first = listed.iter().find(|job| job.id == leased[0].id).unwrap();
    assert_eq!((listed.len(), first.problem_id), (2, Some(problem.id)));
    let id = bench.connection.id;
    assert_eq!(
        store
            .unpark_jobs(id, Some(leased[1].id), at(5))
            .await
            .unwrap(),
        1
    );
    assert_eq!(store.unpark_jobs(id, None, at(5)).await.unwrap(), 1);
    assert_eq!(
        store
            .unpark_jobs(id, Some(leased[2].id), at(5))
            .await
            .unwrap(),
        1
    );
    assert_eq!(lease(&store, 5, 10).await.len(), 3);
}

pub async fn attempts_are_written_before_and_after(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    enqueue(&bench, vec![bench.job("push", "1", "o1", Lane::StatusPush)]).await;
    let job = lease(&store, 0, 1).await.remove(0);
    let mut attempt = Attempt {
        id: AttemptId::new(),
        job_id: job.id,
        n: 1,
        step: "push".to_owned(),
        started_at: at(1),
        sent_at: None,
        class: None,
        reason: None,
        status: None,
        duration_ms: None,
        next_at: None,
    };
    store.start_attempt(&attempt).await.unwrap();
    assert_eq!(store.attempts(job.id).await.unwrap(), vec![attempt.clone()]);
    attempt.sent_at = Some(at(2));
    attempt.class = Some(Class::Transient);
    attempt.status = Some(503);
    attempt.duration_ms = Some(12);
    attempt.next_at = Some(at(9));
    let mut wait = result(&job, JobState::Ready);
    wait.run_at = Some(at(9));
    wait.spends_attempt = false;
    wait.attempt = Some(attempt.clone());
    finish(&bench, wait).await.unwrap();
    assert_eq!(store.attempts(job.id).await.unwrap(), vec![attempt]);
    let again = lease(&store, 9, 1).await.remove(0);
    assert_eq!(again.attempts, 0, "throttled: none was spent");
}

pub async fn a_coalesced_job_runs_again(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let job = || bench.job("orders.get", "1", "o1", Lane::OrderImport);
    enqueue(&bench, vec![job()]).await;
    let leased = lease(&store, 0, 1).await.remove(0);
    enqueue(&bench, vec![job()]).await;
    assert!(lease(&store, 1, 1).await.is_empty());
    finish(&bench, result(&leased, JobState::Done))
        .await
        .unwrap();
    // It became ready at the store's own clock, which is past the test's.
    let far = store
        .lease_jobs("me", "2100-01-01T00:00:00Z".parse().unwrap(), at(9), 1, &[])
        .await
        .unwrap();
    assert_eq!((far[0].id, far[0].attempts), (leased.id, 0));
    finish(&bench, result(&far[0], JobState::Done))
        .await
        .unwrap();
    let done = JobFilter {
        state: Some(JobState::Done),
        ..Default::default()
    };
    assert_eq!(
        store
            .jobs(Scope::All, done, page(5))
            .await
            .unwrap()
            .data
            .len(),
        1
    );
}
