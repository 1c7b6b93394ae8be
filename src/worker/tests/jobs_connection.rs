//! Jobs and the state of their connection.

use super::jobs::{answers, cut_off, mount, shop};
use super::support::order;
use crate::canonical::connection::ConnectionState;
use crate::canonical::inbox::Disposition::*;
use crate::canonical::job::JobState;
use crate::clock::Clock;
use crate::store::Scope;
use crate::store::query::{JobFilter, PageRequest};
use crate::worker::jobs::JobRunner;
use crate::worker::watch::{check_job, pull_job, register_job};
use serde_json::{Value, json};
use wiremock::Mock;
use wiremock::matchers::path;

#[tokio::test]
async fn a_check_tells_how_the_connection_is() {
    let (server, house) = shop().await;
    Mock::given(path("/ping"))
        .respond_with(answers(422))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    mount(
        &server,
        "GET",
        "/ping",
        answers(200).set_body_json(json!({"version": "9.1"})),
    )
    .await;
    house
        .enqueue(check_job(&house.connection().await, house.clock.now()))
        .await;
    house.run_jobs().await;
    let check = house.connection().await.health.check.unwrap();
    assert!(!check.ok, "{check:?}");
    assert_eq!(house.job().await.state, JobState::Done);
    house
        .enqueue(check_job(&house.connection().await, house.clock.now()))
        .await;
    house.run_jobs().await;
    let connection = house.connection().await;
    assert!(connection.health.check.unwrap().ok);
    assert_eq!(connection.health.last_check_at, Some(house.clock.now()));
    assert_eq!(connection.memory["version"], "9.1");
    assert!(house.problems().await.is_empty());
}

#[tokio::test]
async fn an_observing_connection_changes_nothing_until_it_is_activated() {
    let (server, house) = shop().await;
    mount(&server, "PUT", "/webhook", answers(200)).await;
    house.set_state(ConnectionState::Observing).await;
    house
        .enqueue(register_job(&house.connection().await, house.clock.now()))
        .await;
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!(job.state, JobState::Parked);
    assert!(
        house.attempts(job.id).await[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("observes")
    );
    assert!(server.received_requests().await.unwrap().is_empty());
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    house.set_state(ConnectionState::Active).await;
    watcher.tick().await.unwrap();
    house.run_jobs().await;
    assert_eq!(house.job().await.state, JobState::Done);
    let sent = server.received_requests().await.unwrap();
    let url = format!("https://gateway.example/hooks/{}", house.connection);
    assert_eq!(
        serde_json::from_slice::<Value>(&sent[0].body).unwrap(),
        json!({ "url": url })
    );
}

#[tokio::test]
async fn what_a_suspension_parked_goes_on_but_not_what_may_have_happened() {
    let (server, house) = shop().await;
    house
        .enqueue_kind("orders.cancel", json!({"external_id": "1"}))
        .await;
    cut_off(&house, "cancel").await;
    house.run_jobs().await;
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    house.set_state(ConnectionState::Suspended).await;
    watcher.tick().await.unwrap();
    house
        .enqueue_kind("orders.get", json!({"external_id": "1"}))
        .await;
    house.run_jobs().await;
    assert_eq!(house.job().await.state, JobState::Parked);
    mount(
        &server,
        "GET",
        "/orders/1",
        answers(200).set_body_json(order(1, 1, "new")),
    )
    .await;
    mount(&server, "PUT", "/webhook", answers(200)).await;
    house.set_state(ConnectionState::Active).await;
    watcher.tick().await.unwrap();
    house.run_jobs().await;
    let page = PageRequest {
        limit: 10,
        after: None,
    };
    let filter = JobFilter {
        state: Some(JobState::Parked),
        ..JobFilter::default()
    };
    let parked = house
        .store
        .jobs(Scope::All, filter, page)
        .await
        .unwrap()
        .data;
    assert_eq!(
        parked.iter().map(|j| j.kind.as_str()).collect::<Vec<_>>(),
        ["orders.cancel"]
    );
    assert!(
        server
            .received_requests()
            .await
            .unwrap()
            .iter()
            .all(|r| r.method.as_str() != "POST")
    );
}

#[tokio::test]
async fn an_operation_that_the_connector_lacks_is_done_with_a_note() {
    let (_server, house) = shop().await;
    house.enqueue_kind("orders.ack", json!({})).await;
    house.run_jobs().await;
    let job = house.job().await;
    assert_eq!(job.state, JobState::Done);
    assert!(
        house.attempts(job.id).await[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("does not have")
    );
}

#[tokio::test]
async fn a_pull_by_hand_moves_the_cursor_as_a_poll_does() {
    let (server, house) = shop().await;
    mount(
        &server,
        "GET",
        "/orders",
        answers(200).set_body_json(json!({"orders": [order(1, 4, "new")]})),
    )
    .await;
    house
        .enqueue(pull_job(&house.connection().await, house.clock.now()))
        .await;
    house.run_jobs().await;
    let cursor = house
        .store
        .cursor(house.connection, "orders.pull")
        .await
        .unwrap();
    assert_eq!(cursor.as_deref(), Some("2026-07-01T10:04:00Z"));
    house.apply().await;
    assert_eq!(house.dispositions().await, [Applied]);
    assert_eq!(house.job().await.state, JobState::Done);
}

#[tokio::test]
async fn a_mended_folder_lets_jobs_go_that_waited_for_it() {
    let (server, house) = shop().await;
    mount(&server, "PUT", "/webhook", answers(200)).await;
    let watcher = house.watcher();
    watcher.tick().await.unwrap();
    std::fs::remove_dir_all(house.dir.path().join("connectors/testshop")).unwrap();
    watcher.tick().await.unwrap();
    house
        .enqueue_kind("orders.get", json!({"external_id": "1"}))
        .await;
    house.run_jobs().await;
    assert_eq!(house.problems().await[0].code, "connector_unavailable");
    mount(&server, "GET", "/orders/1", answers(404)).await;
    house.folder(super::support::MANIFEST, super::support::ORDER);
    watcher.tick().await.unwrap();
    house.run_jobs().await;
    assert_eq!(house.job().await.state, JobState::Done);
    assert!(house.problems().await.is_empty());
}

#[tokio::test]
async fn the_runner_wakes_by_the_bell_and_lets_what_is_under_way_end() {
    let (server, house) = shop().await;
    mount(
        &server,
        "GET",
        "/orders/1",
        answers(200).set_body_json(order(1, 1, "new")),
    )
    .await;
    let work = house.work();
    let running =
        tokio::spawn(async move { std::sync::Arc::new(JobRunner::new(work)).run().await });
    let mut bell = house.store.wake().jobs();
    house
        .enqueue_kind("orders.get", json!({"external_id": "1"}))
        .await;
    while house.job().await.state != JobState::Done {
        bell.changed().await.unwrap();
    }
    house.stopper.stop();
    running.await.unwrap();
}
