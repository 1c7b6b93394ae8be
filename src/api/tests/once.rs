//! `Idempotency-Key` on every POST that creates.

use super::house::{ADMIN, House, Told, connection, house, order, request, text};
use crate::api::routes::ROUTES;
use serde_json::{Value, json};

async fn keyed(house: &House, path: &str, key: &str, body: &Value) -> Told {
    let request = request(ADMIN, "POST", path, Some(body.clone()));
    house
        .send(request.insert_header(("Idempotency-Key", key)))
        .await
}

#[actix_web::test]
async fn the_same_key_is_done_once_and_answered_alike() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let subscription = json!({"url": "https://wms.example/in"});
    let made = house
        .post("/v1/subscriptions", subscription.clone())
        .await
        .is(201)
        .json();
    let replay = json!({
        "subscription_id": made["id"], "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z",
    });
    let cases = [
        ("/v1/merchants", json!({"name": "Twice"}), 201),
        ("/v1/connections", connection(&merchant, "observing"), 201),
        ("/v1/orders", order(&shop, "7"), 201),
        ("/v1/subscriptions", subscription, 201),
        ("/v1/tokens", json!({"name": "t", "scope": "operator"}), 201),
        ("/v1/replays", replay, 202),
    ];
    for (path, body, status) in cases {
        let first = keyed(&house, path, "key-1", &body).await.is(status);
        let again = keyed(&house, path, "key-1", &body).await.is(status);
        assert_eq!(first.bytes, again.bytes, "{path}");
        assert_eq!(first.header("location"), again.header("location"), "{path}");
        let other = request(ADMIN, "POST", path, None)
            .insert_header(("Content-Type", "application/json"))
            .insert_header(("Idempotency-Key", "key-1"))
            .set_payload(format!(" {body}"));
        house.send(other).await.refused(422, "idempotency_mismatch");
        assert!(
            ROUTES.iter().any(|r| r.path == path && r.idempotent),
            "{path}"
        );
    }
    let names = house.get("/v1/merchants").await.json()["data"].to_string();
    assert_eq!(names.matches("Twice").count(), 1);
    let orders = house.get("/v1/orders").await.json();
    assert_eq!(orders["data"].as_array().unwrap().len(), 1);
}

/// What a crash leaves half done is begun anew under the same key, and makes nothing twice.
#[actix_web::test]
async fn a_replay_begun_anew_makes_the_same_deliveries() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let made = house
        .post(
            "/v1/subscriptions",
            json!({"url": "https://wms.example/in"}),
        )
        .await
        .is(201)
        .json();
    house.order(&shop, "7").await;
    let replay = json!({
        "subscription_id": made["id"], "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z",
    });
    let deliveries = async || house.get("/v1/deliveries?limit=500").await.json()["data"].clone();
    let first = keyed(&house, "/v1/replays", "k", &replay).await.is(202);
    let before = deliveries().await;
    assert_eq!(first.json()["count"], before.as_array().unwrap().len());
    assert!(first.json()["count"].as_u64().unwrap() > 1);
    // As if the answer had never been stored.
    let later = house.state.now() + jiff::SignedDuration::from_hours(49);
    house.store.housekeeping(later).await.unwrap();
    keyed(&house, "/v1/replays", "k", &replay).await.is(202);
    assert_eq!(deliveries().await, before);
    keyed(&house, "/v1/replays", "other", &replay).await.is(202);
    let twice = deliveries().await.as_array().unwrap().len();
    assert_eq!(twice, 2 * before.as_array().unwrap().len());
}

#[actix_web::test]
async fn a_failure_frees_the_key() {
    let house = house();
    let bad = json!({"name": ""});
    keyed(&house, "/v1/merchants", "k", &bad)
        .await
        .refused(422, "invalid_body");
    keyed(&house, "/v1/merchants", "k", &bad)
        .await
        .refused(422, "invalid_body");
    keyed(&house, "/v1/merchants", "k", &json!({"name": "Good"}))
        .await
        .is(201);
}

#[actix_web::test]
async fn a_key_under_way_is_refused_and_keys_of_tokens_are_their_own() {
    let house = house();
    let body = json!({"name": "Foto"});
    let hash = {
        use sha2::Digest;
        sha2::Sha256::digest(body.to_string().as_bytes()).into()
    };
    let scope = "admin POST /v1/merchants";
    let now = house.state.now();
    house
        .store
        .claim_idempotency(scope, "k", hash, now)
        .await
        .unwrap();
    let told = keyed(&house, "/v1/merchants", "k", &body)
        .await
        .refused(409, "in_flight");
    assert_eq!(told.header("retry-after"), Some("1"));
    let other = house.token("operator", None).await;
    let request = request(&other, "POST", "/v1/merchants", Some(body));
    house
        .send(request.insert_header(("Idempotency-Key", "k")))
        .await
        .is(201);
}

#[actix_web::test]
async fn an_order_that_is_there_is_not_made_again_without_a_key() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let first = house.order(&shop, "7").await;
    let told = house
        .post("/v1/orders", order(&shop, "7"))
        .await
        .refused(409, "exists")
        .json();
    assert_eq!(text(&told["current"]["id"]), text(&first["id"]));
}
