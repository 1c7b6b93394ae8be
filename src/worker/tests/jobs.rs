//! Jobs: every class of answer, lost answers, crashes.

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
        self.store.jobs(filter, page).await.unwrap().data.remove(0)
    }
    pub(super) async fn attempts(&self, job: JobId) -> Vec<Attempt> {
        self.store.attempts(job).await.unwrap()
    }
    fn in_seconds(&self, seconds: u64) -> Timestamp {
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

/// Status, more of the answer, what the job is after it, what problem there is.
struct Case {
    answer: ResponseTemplate,
    state: JobState,
    in_seconds: Option<u64>,
    attempts: u32,
    problem: Option<Class>,
    connection: ConnectionState,
}

fn case(
    answer: ResponseTemplate,
    state: JobState,
    in_seconds: Option<u64>,
    attempts: u32,
    problem: Option<Class>,
) -> Case {
    Case {
        answer,
        state,
        in_seconds,
        attempts,
        problem,
        connection: ConnectionState::Active,
    }
}

fn html(status: u16) -> ResponseTemplate {
    answers(status).set_body_raw("<html><body>no</body></html>", "text/html")
}

async fn check_case(kind: &str, verb: &str, at: &str, case: Case) {
    let (server, house) = shop().await;
    let label = format!("{kind} {:?} {:?}", case.state, case.problem);
    mount(&server, verb, at, case.answer).await;
    house.enqueue_kind(kind, json!({"external_id": "1"})).await;
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!(job.state, case.state, "{label}");
    if let Some(seconds) = case.in_seconds {
        assert_eq!(job.run_at, house.in_seconds(seconds), "{label}");
    }
    assert_eq!(job.attempts, case.attempts, "{label}");
    let problems = house.problems().await;
    assert_eq!(problems.first().map(|p| p.class), case.problem, "{label}");
    assert_eq!(house.connection().await.state, case.connection, "{label}");
    let last = house.attempts(job.id).await.pop().unwrap();
    assert!(
        last.duration_ms.is_some() && last.class.is_some(),
        "{label}"
    );
    if case.state == JobState::Ready {
        assert_eq!(last.next_at, Some(job.run_at), "{label}");
        // Not before its time.
        assert_eq!(house.run_jobs().await, 0, "{label}");
    }
}

#[tokio::test]
async fn every_class_of_answer_has_its_consequence() {
    use JobState::{Dead, Done, Parked, Ready};
    let refused = json!({"error": {"code": "bad_zip", "text": "the postal code is not valid", "fields": ["zip"]}});
    let reading = vec![
        case(
            answers(429).insert_header("retry-after", "77"),
            Ready,
            Some(77),
            0,
            None,
        ),
        case(answers(429), Ready, Some(30), 0, None),
        case(answers(500), Ready, Some(2), 1, None),
        case(html(403), Ready, Some(2), 1, None),
        case(
            answers(200).set_body_json(refused.clone()),
            Parked,
            None,
            1,
            Some(Class::Invalid),
        ),
        case(answers(404), Done, None, 1, None),
        case(
            answers(200).set_body_string("{"),
            Parked,
            None,
            1,
            Some(Class::BrokenContract),
        ),
        Case {
            connection: ConnectionState::Suspended,
            ..case(answers(401), Parked, None, 1, Some(Class::AuthBroken))
        },
    ];
    for case in reading {
        check_case("orders.get", "GET", "/orders/1", case).await;
    }
    let changing = vec![
        // It may have been done: nobody repeats it by himself.
        case(answers(500), Parked, None, 1, Some(Class::Ambiguous)),
        case(answers(409), Ready, Some(2), 1, None),
        case(answers(404), Dead, None, 1, Some(Class::Gone)),
        case(answers(422), Parked, None, 1, Some(Class::Invalid)),
    ];
    for case in changing {
        check_case("orders.cancel", "POST", "/orders/1/cancel", case).await;
    }
}

#[tokio::test]
async fn a_refusal_names_the_fields_and_a_retry_lets_it_go() {
    let (server, house) = shop().await;
    let refused = json!({"error": {"code": "bad_zip", "text": "no", "fields": ["zip"]}});
    Mock::given(method("GET"))
        .respond_with(answers(200).set_body_json(refused))
        .up_to_n_times(1)
        .mount(&server)
        .await;
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
    house.run_jobs().await;
    let problem = house.problems().await.remove(0);
    assert_eq!(
        (problem.code.as_str(), &problem.detail["fields"]),
        ("bad_zip", &json!(["zip"]))
    );
    assert_eq!(problem.subject, house.job().await.id.to_string());
    let retried = house
        .applier
        .retry_problem(Scope::All, problem.id)
        .await
        .unwrap();
    assert_eq!(retried.mended, 1);
    assert_eq!(house.run_jobs().await, 1);
    assert_eq!(house.job().await.state, JobState::Done);
    assert!(house.problems().await.is_empty());
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
