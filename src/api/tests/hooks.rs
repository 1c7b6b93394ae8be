//! `POST /hooks/…` through the application.

use super::house::{ADMIN, SECRET, house, request};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[actix_web::test]
async fn a_webhook_is_stored_as_it_came_and_counted() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let id = house.connection(&merchant).await;
    let body = "{\"id\": 7,   \"name\": \"Ζωή\"}".as_bytes();
    let hook = |signature: String| {
        request("", "POST", &format!("/hooks/{id}"), None)
            .insert_header(("x-paperbird-signature", signature))
            .insert_header(("x-paperbird-topic", "order.changed"))
            .set_payload(body.to_vec())
    };
    house.send(hook("00".repeat(32))).await.is(401);
    house.send(hook(signature(body))).await.is(200);
    let inbox = house
        .get(&format!("/v1/inbox?connection_id={id}"))
        .await
        .is(200)
        .json();
    assert_eq!(inbox["data"].as_array().unwrap().len(), 1);
    assert_eq!(inbox["data"][0]["disposition"], "pending");
    let ledger = house.get("/v1/ledger").await.is(200).json();
    assert_eq!(
        ledger["data"],
        json!([{
            "connection_id": id, "day": "2026-11-23", "received": 1, "pending": 1, "applied": 0,
            "unchanged": 0, "stale": 0, "duplicate": 0, "ignored": 0, "problem": 0,
        }])
    );
}

#[actix_web::test]
async fn unknown_large_deleted_and_paused() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let id = house.connection(&merchant).await;
    house
        .ask(
            "",
            "POST",
            "/hooks/con_0123456789abcdef0123456789abcdef",
            None,
        )
        .await
        .is(404);
    house.ask("", "POST", "/hooks/nonsense", None).await.is(404);
    house
        .ask("", "GET", &format!("/hooks/{id}"), None)
        .await
        .refused(405, "method_not_allowed");
    let large =
        request("", "POST", &format!("/hooks/{id}"), None).set_payload(vec![b'x'; (5 << 20) + 1]);
    house.send(large).await.is(413);
    let path = format!("/v1/connections/{id}");
    let body = b"{}";
    let hook = || {
        request("", "POST", &format!("/hooks/{id}/a/b"), None)
            .insert_header(("x-paperbird-signature", signature(body)))
            .set_payload(body.to_vec())
    };
    house
        .ask(ADMIN, "POST", &format!("{path}/pause"), None)
        .await
        .is(200);
    house.send(hook()).await.is(200);
    house.ask(ADMIN, "DELETE", &path, None).await.is(204);
    house.send(hook()).await.is(410);
}
