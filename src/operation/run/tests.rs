#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
use super::*;
use crate::clock::after;
use crate::operation::call::{changes, interrupted};
use crate::operation::testing::provider;
use serde_json::json;
use wiremock::matchers::{path, query_param};
use wiremock::{Mock, ResponseTemplate};

mod stage;
use stage::*;

#[tokio::test]
async fn pages_are_handed_over_before_the_next_is_fetched() {
    let mut stage = Stage::new().await;
    for (page, body) in [
        ("1", r#"{"orders":[{"id":1.0},{"id":2}]}"#),
        ("2", r#"{"orders":[{"id":3}]}"#),
    ] {
        let answer = ResponseTemplate::new(200).set_body_string(body);
        Mock::given(path("/orders"))
            .and(query_param("page", page))
            .and(query_param("after", "2026-07-01T00:00:00Z"))
            .respond_with(answer)
            .expect(1)
            .mount(&stage.server)
            .await;
    }
    let ended = finished(stage.fresh("orders.pull", json!({})).await);
    assert!(!ended.more && ended.records.is_empty());
    assert_eq!(
        stage.observer.log,
        [
            "send list GET",
            "page 1",
            "list ok",
            "send list GET",
            "page 2",
            "list ok"
        ]
    );
    assert_eq!(
        stage.observer.pages[0],
        r#"order .orders {"orders":[{"id":1.0},{"id":2}]}"#
    );
    assert_eq!(stage.observer.checkpoints.len(), 1);
}

#[tokio::test]
async fn the_same_page_again_is_a_fault() {
    let mut stage = Stage::new().await;
    let same = json_answer(json!({"orders": [{"id": 1}, {"id": 2}]}));
    Mock::given(path("/orders"))
        .respond_with(same)
        .expect(2)
        .mount(&stage.server)
        .await;
    let ended = stopped(stage.fresh("orders.pull", json!({})).await);
    assert_eq!(
        (ended.outcome.class, ended.outcome.code.as_str()),
        (Some(Class::BrokenContract), "page_repeated")
    );
}

#[tokio::test]
async fn saves_of_pages_are_one_list_and_are_remembered() {
    let mut stage = Stage::new().await;
    stage
        .answers(
            "GET",
            "/walk",
            json_answer(json!({"ids": [1, 2], "next": "b"})),
        )
        .await;
    let second = json_answer(json!({"ids": [3], "next": null}));
    Mock::given(path("/walk"))
        .and(query_param("at", "b"))
        .respond_with(second)
        .expect(1)
        .mount(&stage.server)
        .await;
    let ended = finished(stage.fresh("orders.walk", json!({})).await);
    assert_eq!(ended.memory_update, Some(json!({"ids": [1, 2, 3]})));
    assert_eq!(ended.last_answer.unwrap().status, 200);
}

#[tokio::test]
async fn a_composed_input_is_what_the_mapping_reads() {
    let mut stage = Stage::new().await;
    stage.observer.map = true;
    stage
        .answers(
            "GET",
            "/orders/7",
            ResponseTemplate::new(200).set_body_string(r#"{"id":7,"total":"1.0","n":1.10}"#),
        )
        .await;
    stage
        .answers("GET", "/orders/7/refunds", json_answer(json!([])))
        .await;
    let ended = finished(stage.fresh("orders.get", json!({})).await);
    assert_eq!(
        stage.observer.pages,
        [r#"order . {"order":{"id":7,"total":"1.0","n":1.10},"refunds":[]}"#]
    );
    assert_eq!(
        ended
            .records
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [r#"{"id":7}"#]
    );
}

#[tokio::test]
async fn an_accepted_failure_is_a_success_without_records() {
    let mut stage = Stage::new().await;
    stage
        .answers("GET", "/orders/7", json_answer(json!({"id": 7})))
        .await;
    stage
        .answers("GET", "/orders/7/refunds", ResponseTemplate::new(404))
        .await;
    finished(stage.fresh("orders.get", json!({})).await);
    assert!(stage.observer.pages.is_empty());
    assert_eq!(stage.observer.log.last().unwrap(), "refunds ok");
}

#[tokio::test]
async fn a_retry_goes_on_after_the_items_that_were_reported() {
    let mut stage = Stage::new().await;
    stage
        .answers("POST", "/stock", json_answer(json!({"id": "a"})))
        .await;
    stage
        .answers(
            "POST",
            "/stock",
            ResponseTemplate::new(429).insert_header("retry-after", "60"),
        )
        .await;
    stage
        .answers("POST", "/stock", json_answer(json!({"id": "b"})))
        .await;
    let input = json!({"items": [{"sku": "x"}, {"sku": "y"}]});
    let ended = stopped(stage.fresh("stock.push", input.clone()).await);
    assert_eq!(
        (ended.outcome.class, ended.outcome.retry_after),
        (Some(Class::Throttled), Some(Duration::from_secs(60)))
    );
    assert_eq!(
        stage.engine.limiter.frozen_until(stage.connection),
        Some(after(START, Duration::from_secs(60)))
    );
    assert_eq!((ended.checkpoint.step, ended.checkpoint.item), (0, 1));
    stage.clock.advance(Duration::from_secs(60));
    // As a job stores it.
    let stored = Checkpoint::read(ended.checkpoint.step, &ended.checkpoint.json());
    finished(stage.run("stock.push", input, stored).await.unwrap());
    let sent: Vec<_> = stage
        .server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|r| String::from_utf8_lossy(&r.body).into_owned())
        .collect();
    assert_eq!(sent, [r#"{"sku":"x"}"#, r#"{"sku":"y"}"#, r#"{"sku":"y"}"#]);
    let last = stage.observer.checkpoints.last().unwrap();
    assert_eq!(
        (last.step, last.steps["set"].clone()),
        (1, json!(["a", "b"]))
    );
}

#[tokio::test]
async fn an_unknown_outcome_looks_first_at_the_next_attempt() {
    let mut stage = Stage::new().await;
    stage
        .answers("GET", "/shipments", json_answer(json!([])))
        .await;
    stage
        .answers("POST", "/shipments", ResponseTemplate::new(504))
        .await;
    let ended = stopped(stage.fresh("fulfillment.push", json!({})).await);
    assert_eq!(
        (ended.outcome.class, ended.repeat, ended.step.as_str()),
        (Some(Class::Ambiguous), Repeat::LookupFirst, "create")
    );
    assert_eq!(ended.checkpoint, Checkpoint::default());
    // It has happened: the look-up finds it and the step is skipped.
    stage
        .answers("GET", "/shipments", json_answer(json!(["one"])))
        .await;
    stage
        .answers("PUT", "/complete", ResponseTemplate::new(409))
        .await;
    let ended = finished(
        stage
            .run("fulfillment.push", json!({}), ended.checkpoint)
            .await
            .unwrap(),
    );
    assert_eq!(ended.memory_update, Some(json!({"done": null})));
    assert_eq!(
        stage.observer.log,
        [
            "send look GET",
            "look ok",
            "send create POST",
            "create ambiguous",
            "send look GET",
            "look ok",
            "send complete PUT",
            "complete ok"
        ]
    );
}

#[tokio::test]
async fn done_when_ends_the_operation_and_its_checkpoint() {
    let mut stage = Stage::new().await;
    stage
        .answers("GET", "/shipments", json_answer(json!(["known"])))
        .await;
    finished(stage.fresh("fulfillment.push", json!({})).await);
    let last = stage.observer.checkpoints.pop().unwrap();
    assert_eq!(last.step, 3);
    // A run that is taken up again after its last report sends nothing.
    let ended = finished(
        stage
            .run("fulfillment.push", json!({}), last)
            .await
            .unwrap(),
    );
    assert_eq!(ended.memory_update, Some(json!({"done": null})));
    assert_eq!(stage.observer.log, ["send look GET", "look ok"]);
}

#[tokio::test]
async fn a_fault_after_a_call_that_must_not_be_repeated_is_ambiguous() {
    let mut stage = Stage::new().await;
    stage
        .answers("GET", "/shipments", json_answer(json!([])))
        .await;
    stage
        .answers("POST", "/shipments", json_answer(json!([1])))
        .await;
    let ended = stopped(stage.fresh("fulfillment.push", json!({})).await);
    assert_eq!(
        (ended.outcome.class, ended.outcome.code.as_str()),
        (Some(Class::Ambiguous), "expression_failed")
    );
    assert_eq!(ended.outcome.status, Some(200));
}

#[tokio::test]
async fn without_the_observers_word_nothing_is_sent() {
    let mut stage = Stage::new().await;
    stage.observer.refuse_at = Some(0);
    let refused = stage
        .run("fulfillment.push", json!({}), Checkpoint::default())
        .await
        .unwrap_err();
    assert!(matches!(refused, RunError::Refused(_)));
    assert!(stage.server.received_requests().await.unwrap().is_empty());
    let unknown = stage
        .run("labels.melt", json!({}), Checkpoint::default())
        .await
        .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the connector has no operation `labels.melt`"
    );
}

#[tokio::test]
async fn lease_pace_and_circuit_stop_a_run_before_an_attempt() {
    let mut stage = Stage::new().await;
    stage.clock.advance(Duration::from_secs(280));
    let ended = stopped(stage.fresh("orders.pull", json!({})).await);
    assert_eq!(
        (ended.outcome.class, ended.outcome.code.as_str()),
        (Some(Class::Throttled), "lease_over")
    );
    stage
        .engine
        .limiter
        .freeze_until(stage.connection, after(START, Duration::from_secs(900)));
    let ended = stopped(stage.fresh("orders.pull", json!({})).await);
    assert_eq!(
        (ended.outcome.code.as_str(), ended.outcome.retry_after),
        ("limit_wait", Some(Duration::from_secs(620)))
    );

    let mut stage = Stage::new().await;
    Mock::given(path("/orders"))
        .respond_with(ResponseTemplate::new(401))
        .expect(1)
        .mount(&stage.server)
        .await;
    assert_eq!(
        stopped(stage.fresh("orders.pull", json!({})).await)
            .outcome
            .class,
        Some(Class::AuthBroken)
    );
    let ended = stopped(stage.fresh("orders.pull", json!({})).await);
    assert_eq!(
        (ended.outcome.class, ended.outcome.code.as_str()),
        (Some(Class::AuthBroken), "credentials_refused")
    );
    assert_eq!(stage.observer.log, ["send list GET", "list auth_broken"]);
}

#[test]
fn what_changes_and_what_was_interrupted() {
    let provider = provider(MANIFEST);
    let operations = &provider.manifest.operations;
    assert!(!changes(&operations["orders.pull"]) && changes(&operations["stock.push"]));
    let class = |operation, step| {
        (
            interrupted(&provider.manifest, operation, step)
                .0
                .class
                .unwrap(),
            interrupted(&provider.manifest, operation, step).1,
        )
    };
    assert_eq!(
        class("orders.pull", "list"),
        (Class::Transient, Repeat::ByMethod)
    );
    assert_eq!(
        class("stock.push", "set"),
        (Class::Ambiguous, Repeat::ByMethod)
    );
    assert_eq!(
        class("fulfillment.push", "create"),
        (Class::Ambiguous, Repeat::LookupFirst)
    );
    assert_eq!(
        class("fulfillment.push", "renamed"),
        (Class::Ambiguous, Repeat::Never)
    );
}
