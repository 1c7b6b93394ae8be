//! Jobs: what is fetched, lost answers, crashes.

use super::support::{House, order};
use crate::canonical::connection::ConnectionState;
use crate::canonical::inbox::Disposition::*;
use crate::canonical::job::{Attempt, Job, JobState, Lane, NewJob};
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, JobId, Timestamp};
use crate::clock::{Clock, after, between};
use crate::flow::change::ChangeSet;
use crate::store::Scope;
use crate::store::query::{JobFilter, PageRequest};
use crate::worker::jobs::JobRunner;
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(super) async fn shop() -> (MockServer, House) {
    let server = MockServer::start().await;
    let house = House::at(&server.uri(), ConnectionState::Active).await;
    (server, house)
}

pub(super) fn answers(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

pub(super) async fn mount(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    Mock::given(method(verb))
        .and(path(at))
        .respond_with(answer)
        .mount(server)
        .await;
}

impl House {
    pub(super) async fn enqueue(&self, job: NewJob) {
        let mut change = ChangeSet::of(self.merchant.id);
        change.jobs.push(job);
        self.store
            .apply(vec![change])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
    }
    pub(super) async fn enqueue_kind(&self, kind: &str, input: Value) {
        self.enqueue(NewJob {
            merchant_id: self.merchant.id,
            kind: kind.into(),
            connection_id: self.connection,
            order_id: None,
            lane: Lane::OrderImport,
            key: format!("{kind}:1"),
            ordering_key: "1".into(),
            run_at: self.clock.now(),
            input,
        })
        .await;
    }
    pub(super) async fn run_jobs(&self) -> usize {
        JobRunner::new(self.work()).drain().await.unwrap()
    }
    pub(super) async fn job(&self) -> Job {
        let page = PageRequest {
            limit: 10,
            after: None,
        };
        let filter = JobFilter {
            connection_id: Some(self.connection),
            ..JobFilter::default()
        };
        self.store
            .jobs(Scope::All, filter, page)
            .await
            .unwrap()
            .data
            .remove(0)
    }
    pub(super) async fn attempts(&self, job: JobId) -> Vec<Attempt> {
        self.store.attempts(job).await.unwrap()
    }
    pub(super) fn in_seconds(&self, seconds: u64) -> Timestamp {
        after(self.clock.now(), Duration::from_secs(seconds))
    }
}

fn push_input() -> Value {
    json!({"order": {"external_id": "7"}, "shipment": {"shipment_ref": "S-1"}, "complete": true})
}

#[tokio::test]
async fn an_order_that_is_fetched_goes_the_way_of_all_deliveries() {
    let (server, house) = shop().await;
    mount(
        &server,
        "GET",
        "/orders/1",
        answers(200).set_body_json(order(1, 1, "new")),
    )
    .await;
    house
        .enqueue_kind("orders.get", json!({"external_id": "1"}))
        .await;
    assert_eq!(house.run_jobs().await, 1);
    let job = house.job().await;
    assert_eq!(job.state, JobState::Done);
    let attempts = house.attempts(job.id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (
            attempts[0].n,
            attempts[0].step.as_str(),
            attempts[0].status,
            attempts[0].class
        ),
        (1, "order", Some(200), None)
    );
    assert_eq!(attempts[0].sent_at, Some(house.clock.now()));
    house.apply().await;
    let record = house.records().await.remove(0);
    assert_eq!(
        (record.disposition, record.topic.as_str()),
        (Applied, "orders.get")
    );
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_never_repeated_blindly() {
    let (server, house) = shop().await;
    // The first look finds nothing; the call is done, and its answer is lost.
    Mock::given(method("GET"))
        .and(path("/orders/7/parcels"))
        .respond_with(answers(200).set_body_json(json!([])))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    mount(
        &server,
        "GET",
        "/orders/7/parcels",
        answers(200).set_body_json(json!([{"ref": "S-1"}])),
    )
    .await;
    let lost = answers(200).set_delay(Duration::from_secs(60));
    Mock::given(method("POST"))
        .and(path("/orders/7/parcels"))
        .and(body_json(json!({"ref": "S-1"})))
        .respond_with(lost)
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .and(path("/orders/7"))
        .respond_with(answers(200))
        .expect(1)
        .mount(&server)
        .await;
    house.enqueue_kind("fulfillment.push", push_input()).await;
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!(
        (job.state, job.step, job.run_at),
        (JobState::Ready, 0, house.in_seconds(2))
    );
    assert_eq!(
        house.attempts(job.id).await.last().unwrap().class,
        Some(Class::Ambiguous)
    );
    house.clock.advance(Duration::from_secs(2));
    house.run_jobs().await;
    assert_eq!(house.job().await.state, JobState::Done);
}

#[tokio::test]
async fn a_run_goes_on_after_the_step_that_was_done() {
    let (server, house) = shop().await;
    Mock::given(method("GET"))
        .respond_with(answers(200).set_body_json(json!([])))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(answers(201))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("PUT"))
        .respond_with(answers(503))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    mount(&server, "PUT", "/orders/7", answers(200)).await;
    house.enqueue_kind("fulfillment.push", push_input()).await;
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!((job.state, job.step, job.attempts), (JobState::Ready, 2, 1));
    house.clock.advance(Duration::from_secs(2));
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!(job.state, JobState::Done);
    let steps: Vec<String> = house
        .attempts(job.id)
        .await
        .into_iter()
        .map(|a| a.step)
        .collect();
    assert_eq!(steps, ["known", "push", "complete", "complete"]);
}

#[tokio::test]
async fn the_schedule_ends_with_a_problem() {
    let (server, house) = shop().await;
    mount(&server, "GET", "/orders/1", answers(503)).await;
    house
        .enqueue_kind("orders.get", json!({"external_id": "1"}))
        .await;
    for wait in [2, 10] {
        assert_eq!(house.run_jobs().await, 1);
        assert_eq!(
            between(house.clock.now(), house.job().await.run_at),
            Duration::from_secs(wait)
        );
        house.clock.advance(Duration::from_secs(wait));
    }
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!((job.state, job.attempts), (JobState::Parked, 3));
    let problem = house.problems().await.remove(0);
    assert_eq!(
        (problem.class, &problem.detail["attempts"]),
        (Class::Transient, &json!(3))
    );
}

/// The node dies between the attempt's row and its report; another takes the job up.
pub(super) async fn cut_off(house: &House, step: &str) -> Job {
    let now = house.clock.now();
    let lease = after(now, Duration::from_secs(1));
    let job = house
        .store
        .lease_jobs("node-that-dies", now, lease, 1, &[])
        .await
        .unwrap()
        .remove(0);
    let attempt = Attempt {
        id: AttemptId::new(),
        job_id: job.id,
        n: 1,
        step: step.into(),
        started_at: now,
        sent_at: Some(now),
        class: None,
        reason: None,
        status: None,
        duration_ms: None,
        next_at: None,
    };
    house.store.start_attempt(&attempt).await.unwrap();
    assert_eq!(house.run_jobs().await, 0);
    house.clock.advance(Duration::from_secs(2));
    job
}

#[tokio::test]
async fn a_call_that_a_crash_cut_off_is_judged_by_its_step() {
    // Reading is simply done again.
    let (server, house) = shop().await;
    mount(
        &server,
        "GET",
        "/orders/1",
        answers(200).set_body_json(order(1, 1, "new")),
    )
    .await;
    house
        .enqueue_kind("orders.get", json!({"external_id": "1"}))
        .await;
    let job = cut_off(&house, "order").await;
    assert_eq!(house.run_jobs().await, 1);
    assert_eq!(house.job().await.state, JobState::Done);
    let attempts = house.attempts(job.id).await;
    assert_eq!(
        attempts.iter().map(|a| (a.n, a.class)).collect::<Vec<_>>(),
        [(1, Some(Class::Transient)), (2, None)]
    );

    // What may have happened, and cannot be looked up, waits for a person.
    let (server, house) = shop().await;
    house
        .enqueue_kind("orders.cancel", json!({"external_id": "1"}))
        .await;
    cut_off(&house, "cancel").await;
    house.run_jobs().await;
    assert_eq!(house.job().await.state, JobState::Parked);
    assert_eq!(house.problems().await[0].class, Class::Ambiguous);
    assert!(server.received_requests().await.unwrap().is_empty());

    // What can be looked up is looked up.
    let (server, house) = shop().await;
    mount(
        &server,
        "GET",
        "/orders/7/parcels",
        answers(200).set_body_json(json!([{"ref": "S-1"}])),
    )
    .await;
    mount(&server, "PUT", "/orders/7", answers(200)).await;
    house.enqueue_kind("fulfillment.push", push_input()).await;
    cut_off(&house, "push").await;
    house.run_jobs().await;
    assert_eq!(house.job().await.state, JobState::Done);
}
