#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
use super::*;
use crate::canonical::ConnectionId;
use crate::canonical::connection::ConnectionState;
use crate::store::Scope;
use crate::store::query::LedgerFilter;
use crate::worker::tests::support::{House, SECRET, audit, house, order, secrets, sign};
use bytes::Bytes;
use serde_json::json;

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

impl House {
    async fn raw(&self, id: ConnectionId, pairs: &[(&str, &str)], body: &[u8]) -> Reply {
        receive(
            &self.ingress,
            id,
            None,
            &headers(pairs),
            Bytes::copy_from_slice(body),
        )
        .await
    }
    async fn stored(&self) -> usize {
        self.store.pending_deliveries(0, 500).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_good_delivery_is_durable_and_acknowledged_as_the_manifest_says() {
    let house = house().await;
    let body = order(1, 1, "new").to_string().into_bytes();
    let more = [("x-shop-delivery", "d-7"), ("cookie", "not kept")];
    let reply = house.hook_bytes("order.changed", body.clone(), &more).await;
    assert_eq!(
        (reply.status, reply.body.as_ref()),
        (202, b"thanks".as_ref())
    );
    assert_eq!(reply.content_type.as_str(), "text/plain; charset=utf-8");
    let stored = house
        .store
        .pending_deliveries(0, 10)
        .await
        .unwrap()
        .remove(0)
        .wire;
    assert_eq!(stored.body, body);
    assert_eq!(stored.topic, "order.changed");
    assert_eq!(stored.dedupe_key.as_deref(), Some("d-7"));
    assert_eq!(
        stored.headers,
        [("x-shop-topic".to_owned(), "order.changed".to_owned())]
    );
    assert_eq!(stored.merchant_id, house.merchant.id);
}

#[tokio::test]
async fn what_is_not_proved_is_counted_and_not_stored() {
    let house = house().await;
    let signature = sign("another secret", b"{}");
    for pairs in [
        vec![],
        vec![("x-shop-signature", signature.as_str())],
        vec![("x-shop-signature", "?")],
    ] {
        let reply = house.raw(house.connection, &pairs, b"{}").await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.content_type.as_str(), "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(problem["code"], "signature_invalid");
    }
    house
        .ingress
        .refused
        .flush(house.store.as_ref(), house.ingress.now())
        .await;
    assert_eq!(house.stored().await, 0);
    assert!(
        house
            .store
            .ledger(Scope::All, LedgerFilter::default())
            .await
            .unwrap()
            .iter()
            .all(|l| l.received == 0)
    );
}

#[tokio::test]
async fn the_former_secret_is_good_until_it_is_taken_away() {
    let house = house().await;
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        202
    );
    let connection = house.connection().await;
    let rotated = secrets(&[
        ("webhook_secret", "the next secret"),
        ("webhook_secret_previous", SECRET),
    ]);
    let change = crate::flow::change::ChangeSet::of(house.merchant.id);
    house
        .store
        .update_connection(&connection, Some(&rotated), change, audit())
        .await
        .unwrap();
    house.ingress.invalidate(house.connection);
    assert_eq!(
        house
            .hook("order.changed", &order(1, 2, "new"))
            .await
            .status,
        202
    );
    let next = sign("the next secret", b"{}");
    assert_eq!(
        house
            .raw(house.connection, &[("x-shop-signature", &next)], b"{}")
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn a_ping_is_answered_and_not_stored() {
    let house = house().await;
    let form = (
        "content-type",
        "application/x-www-form-urlencoded; charset=UTF-8",
    );
    let reply = house.raw(house.connection, &[form], b"ping=15").await;
    assert_eq!((reply.status, reply.body.as_ref()), (200, b"pong".as_ref()));
    // What only looks like one is a delivery without proof.
    for (pairs, body) in [
        (vec![form], b"ping=15&x=1".as_slice()),
        (vec![form], b"ping=\n15"),
        (vec![("content-type", "application/json")], b"ping=15"),
        (vec![form, ("x-shop-signature", "AAAA")], b"ping=15"),
    ] {
        assert_eq!(house.raw(house.connection, &pairs, body).await.status, 401);
    }
    let long = format!("ping={}", "1".repeat(2000));
    assert_eq!(
        house
            .raw(house.connection, &[form], long.as_bytes())
            .await
            .status,
        401
    );
    assert_eq!(house.stored().await, 0);
}

#[tokio::test]
async fn unknown_deleted_and_too_large() {
    let house = house().await;
    assert_eq!(house.raw(ConnectionId::new(), &[], b"{}").await.status, 404);
    let large = format!("{{\"x\": \"{}\"}}", "a".repeat(64 << 10));
    assert_eq!(
        house
            .hook_bytes("order.changed", large.into_bytes(), &[])
            .await
            .status,
        413
    );
    house.set_state(ConnectionState::Deleted).await;
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        410
    );
    assert_eq!(house.stored().await, 0);
}

#[tokio::test]
async fn a_connection_that_was_unknown_is_found_once_it_is_there() {
    let house = house().await;
    let mut connection = house.connection().await;
    connection.id = ConnectionId::new();
    assert_eq!(house.raw(connection.id, &[], b"{}").await.status, 404);
    let change = crate::flow::change::ChangeSet::of(house.merchant.id);
    let set = secrets(&[("webhook_secret", SECRET)]);
    house
        .store
        .insert_connection(&connection, &set, change, audit())
        .await
        .unwrap();
    house.ingress.invalidate(connection.id);
    let reply = house
        .raw(
            connection.id,
            &[("x-shop-signature", &sign(SECRET, b"{}"))],
            b"{}",
        )
        .await;
    assert_eq!(reply.status, 202);
}

#[tokio::test]
async fn paused_suspended_and_observing_connections_receive() {
    let house = house().await;
    let states = [
        ConnectionState::Paused,
        ConnectionState::Suspended,
        ConnectionState::Observing,
    ];
    for (n, state) in states.into_iter().enumerate() {
        house.set_state(state).await;
        assert_eq!(
            house.hook("order.changed", &json!({"n": n})).await.status,
            202
        );
    }
    assert_eq!(house.stored().await, 3);
}

#[tokio::test]
async fn while_the_store_takes_nothing_the_sender_is_told_to_come_again() {
    let house = house().await;
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        202
    );
    house.store.close().await;
    let reply = house.hook("order.changed", &order(2, 1, "new")).await;
    assert_eq!((reply.status, reply.retry_after), (503, Some(5)));
}

#[tokio::test]
async fn while_the_folder_is_refused_the_sender_is_told_to_come_again() {
    let house = house().await;
    std::fs::remove_dir_all(house.dir.path().join("connectors/testshop")).unwrap();
    house.registry.reload_if_changed();
    house.ingress.invalidate_all();
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        503
    );
    house.folder(
        crate::worker::tests::support::MANIFEST,
        crate::worker::tests::support::ORDER,
    );
    house.registry.reload_if_changed();
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        202
    );
}

#[tokio::test]
async fn endpoints_are_ready_after_a_start_and_follow_other_nodes() {
    let house = house().await;
    house.ingress.warm().await.unwrap();
    assert_eq!(
        house
            .hook("order.changed", &order(1, 1, "new"))
            .await
            .status,
        202
    );
    // Another node deletes it: nobody invalidates here.
    let connection = crate::canonical::connection::Connection {
        state: ConnectionState::Deleted,
        ..house.connection().await
    };
    let change = crate::flow::change::ChangeSet::of(house.merchant.id);
    house
        .store
        .update_connection(&connection, None, change, audit())
        .await
        .unwrap();
    assert_eq!(
        house
            .hook("order.changed", &order(2, 1, "new"))
            .await
            .status,
        202
    );
    house.ingress.refresh().await.unwrap();
    assert_eq!(
        house
            .hook("order.changed", &order(3, 1, "new"))
            .await
            .status,
        410
    );
}
