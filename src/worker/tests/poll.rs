//! Polls against a made-up shop: cursors, overlaps, sweeps, failures.

use super::support::{House, order};
use crate::canonical::connection::ConnectionState;
use crate::canonical::inbox::Disposition::*;
use crate::canonical::problem::Class;
use crate::clock::Clock;
use crate::worker::poll::{Polled, Poller};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn shop() -> (MockServer, House, Poller) {
    let server = MockServer::start().await;
    let house = House::at(&server.uri(), ConnectionState::Active).await;
    let poller = Poller::new(house.work());
    (server, house, poller)
}

async fn page(server: &MockServer, number: u32, orders: &[Value]) {
    Mock::given(method("GET"))
        .and(path("/orders"))
        .and(query_param("page", number.to_string()))
        .and(header("authorization", "Bearer ts_123456789"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "orders": orders })))
        .mount(server)
        .await;
}

impl House {
    async fn polls(&self, poller: &Poller) -> Polled {
        poller
            .poll(&self.connection().await, "orders.pull", false)
            .await
            .unwrap()
    }
    async fn cursor(&self) -> Option<String> {
        self.store
            .cursor(self.connection, "orders.pull")
            .await
            .unwrap()
    }
}

async fn since(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let since = |r: &wiremock::Request| {
        r.url
            .query_pairs()
            .find(|(n, _)| n == "since")
            .unwrap()
            .1
            .into_owned()
    };
    requests.iter().map(since).collect()
}

#[tokio::test]
async fn pages_are_stored_with_their_cursor_and_read_again_with_an_overlap() {
    let (server, house, poller) = shop().await;
    page(&server, 1, &[order(1, 1, "new"), order(2, 2, "new")]).await;
    page(&server, 2, &[order(3, 9, "new")]).await;
    assert_eq!(
        house.polls(&poller).await,
        Polled {
            read: 3,
            fresh: 3,
            ..Polled::default()
        }
    );
    assert_eq!(
        house.cursor().await.as_deref(),
        Some("2026-07-01T10:09:00Z")
    );
    house.apply().await;
    assert_eq!(house.dispositions().await, [Applied; 3]);
    let record = house.records().await.remove(0);
    assert_eq!(record.topic, "orders.pull");
    assert_eq!(record.received_at, house.clock.now());

    // The same again: counted, no rows, no bytes.
    assert_eq!(
        house.polls(&poller).await,
        Polled {
            read: 3,
            fresh: 0,
            ..Polled::default()
        }
    );
    assert_eq!(house.apply().await, 0);
    let first = crate::clock::before(house.clock.now(), Duration::from_secs(7 * 86_400));
    let first = crate::canonical::Timestamp::from_second(first.as_second())
        .unwrap()
        .to_string();
    assert_eq!(
        since(&server).await,
        [
            first.clone(),
            first,
            "2026-07-01T10:04:00Z".into(),
            "2026-07-01T10:04:00Z".into()
        ]
    );
    let line = house
        .store
        .ledger(crate::store::Scope::All, Default::default())
        .await
        .unwrap();
    assert_eq!(
        line.iter()
            .map(|l| (l.received, l.applied, l.unchanged))
            .collect::<Vec<_>>(),
        [(6, 3, 3)]
    );
    assert!(house.connection().await.health.last_poll_at.is_some());
    house.assert_balanced().await;
}

#[tokio::test]
async fn an_unsorted_list_moves_the_cursor_only_at_its_end() {
    let (server, house, poller) = shop().await;
    page(&server, 1, &[order(1, 9, "new"), order(2, 8, "new")]).await;
    Mock::given(method("GET"))
        .and(query_param("page", "2"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let polled = house.polls(&poller).await;
    assert_eq!((polled.read, polled.failed), (2, Some(Class::Transient)));
    assert_eq!(house.cursor().await, None);
    page(&server, 2, &[order(3, 7, "new")]).await;
    assert_eq!(house.polls(&poller).await.failed, None);
    assert_eq!(
        house.cursor().await.as_deref(),
        Some("2026-07-01T10:09:00Z")
    );
    house.apply().await;
    assert!(house.order("3").await.is_some());
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_moment_in_the_far_future_moves_nothing() {
    let (server, house, poller) = shop().await;
    let mut odd = order(2, 2, "new");
    odd["changed"] = json!("2999-01-01T00:00:00Z");
    page(&server, 1, &[order(1, 1, "new"), odd]).await;
    page(&server, 2, &[]).await;
    house.polls(&poller).await;
    assert_eq!(
        house.cursor().await.as_deref(),
        Some("2026-07-01T10:01:00Z")
    );
}

#[tokio::test]
async fn a_sweep_finds_what_webhooks_lost_and_moves_no_cursor() {
    let (server, house, poller) = shop().await;
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    page(&server, 1, &[order(1, 1, "new"), order(2, 2, "new")]).await;
    page(&server, 2, &[]).await;
    let polled = poller
        .poll(&house.connection().await, "orders.pull", true)
        .await
        .unwrap();
    assert_eq!((polled.read, polled.fresh), (2, 1));
    house.apply().await;
    assert_eq!(house.connection().await.health.found_by_sweep, 1);
    assert_eq!(house.cursor().await, None);
    assert!(
        house
            .store
            .cursor(house.connection, "orders.pull#sweep")
            .await
            .unwrap()
            .is_some()
    );
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_page_that_is_none_is_kept_and_becomes_a_problem() {
    let (server, house, poller) = shop().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"list": []})))
        .mount(&server)
        .await;
    let polled = house.polls(&poller).await;
    assert_eq!(polled.failed, Some(Class::BrokenContract));
    let problem = house.problems().await.remove(0);
    assert_eq!(
        (problem.class, problem.subject),
        (Class::BrokenContract, house.connection.to_string())
    );
}

#[tokio::test]
async fn refused_credentials_suspend_and_a_success_resolves() {
    let (server, house, poller) = shop().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    assert_eq!(house.polls(&poller).await.failed, Some(Class::AuthBroken));
    let connection = house.connection().await;
    assert_eq!(connection.state, ConnectionState::Suspended);
    assert!(connection.health.suspended_reason.is_some());
    assert_eq!(house.problems().await[0].class, Class::AuthBroken);
    // Suspended connections are not read.
    assert_eq!(house.polls(&poller).await, Polled::default());
    page(&server, 1, &[]).await;
    house.set_state(ConnectionState::Active).await;
    house.engine.circuits.resume(house.connection);
    assert_eq!(house.polls(&poller).await, Polled::default());
    assert!(house.problems().await.is_empty());
}

#[tokio::test]
async fn a_pause_that_the_provider_asks_for_is_stored() {
    let (server, house, poller) = shop().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "120");
    Mock::given(method("GET"))
        .respond_with(busy)
        .mount(&server)
        .await;
    assert_eq!(house.polls(&poller).await.failed, Some(Class::Throttled));
    let until = crate::clock::after(house.clock.now(), Duration::from_secs(120));
    assert_eq!(house.connection().await.health.frozen_until, Some(until));
    assert!(house.problems().await.is_empty());
    // It lasts beyond a restart, and at another node.
    let asked = server.received_requests().await.unwrap().len();
    let anew = Poller::new(house.work_anew());
    tokio::select! {
        polled = house.polls(&anew) => panic!("{polled:?}"),
        () = async { while house.clock.sleepers() == 0 { tokio::task::yield_now().await } } => {}
    }
    assert_eq!(server.received_requests().await.unwrap().len(), asked);
}

#[tokio::test]
async fn a_provider_that_fails_is_left_alone_also_after_a_restart() {
    let (server, house, poller) = shop().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    while house.connection().await.health.circuit_open_until.is_none() {
        assert_eq!(house.polls(&poller).await.failed, Some(Class::Transient));
    }
    let asked = server.received_requests().await.unwrap().len();
    house.polls(&Poller::new(house.work_anew())).await;
    assert_eq!(server.received_requests().await.unwrap().len(), asked);
}

#[tokio::test]
async fn the_schedule_polls_each_interval_and_stops() {
    let (server, house, poller) = shop().await;
    page(&server, 1, &[]).await;
    let running = tokio::spawn(std::sync::Arc::new(poller).run());
    let calls = async || server.received_requests().await.unwrap().len();
    for expected in 1..=3 {
        // Time moves only while somebody waits for it.
        while calls().await < expected {
            if house.clock.sleepers() > 0 {
                house.clock.advance(Duration::from_secs(5));
            }
            tokio::task::yield_now().await;
        }
    }
    house.stopper.stop();
    running.await.unwrap();
    assert!(calls().await >= 3);
}
