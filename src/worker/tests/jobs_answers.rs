//! Jobs: every class of answer has its consequence.

use super::jobs::{answers, mount, shop};
use super::support::order;
use crate::canonical::connection::ConnectionState;
use crate::canonical::job::JobState;
use crate::canonical::problem::Class;
use crate::store::Scope;
use serde_json::json;
use wiremock::matchers::method;
use wiremock::{Mock, ResponseTemplate};

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
