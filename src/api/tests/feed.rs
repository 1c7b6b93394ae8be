//! The feed, its long poll and stream; deliveries and replays.

use super::house::{ADMIN, house, request, text};
use crate::api::configure;
use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::test::{call_service, init_service};
use serde_json::{Value, json};
use std::pin::pin;

fn cursor(page: &Value) -> u64 {
    text(&page["next"]).parse().unwrap()
}

#[actix_web::test]
async fn the_cursor_goes_on_where_it_was_also_at_the_end() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    house.order(&shop, "1").await;
    let first = house.get("/v1/events?limit=1").await.is(200).json();
    assert_eq!(first["data"][0]["type"], "order.received");
    assert_eq!(first["data"][0]["data"]["order"]["external_id"], "1");
    let all = house.get("/v1/events").await.is(200).json();
    let rest = house
        .get(&format!("/v1/events?after={}", cursor(&first)))
        .await
        .json();
    assert_eq!(
        rest["data"].as_array().unwrap().len() + 1,
        all["data"].as_array().unwrap().len()
    );
    let end = house
        .get(&format!("/v1/events?after={}", cursor(&all)))
        .await
        .json();
    assert_eq!((&end["data"], cursor(&end)), (&json!([]), cursor(&all)));
    let none = house.get("/v1/events?types=cod.settled").await.json();
    assert_eq!((&none["data"], cursor(&none)), (&json!([]), cursor(&all)));
    let beyond = house.get("/v1/events?after=999999").await.json();
    assert_eq!(cursor(&beyond), 999_999);
}

#[actix_web::test]
async fn a_waiting_reader_is_woken() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let end = cursor(&house.get("/v1/events").await.json());
    let path = format!("/v1/events?wait=30&after={end}");
    let (told, _) = tokio::join!(house.get(&path), house.order(&shop, "1"));
    assert_eq!(told.is(200).json()["data"][0]["type"], "order.received");
}

#[actix_web::test]
async fn the_stream_sends_events_with_their_ids() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    house.order(&shop, "1").await;
    let state = house.state.clone();
    let app = init_service(App::new().configure(|cfg| configure(cfg, state))).await;
    let ask = request(ADMIN, "GET", "/v1/events/stream?types=order.received", None)
        .insert_header(("Last-Event-ID", "0"));
    let answer = call_service(&app, ask.to_request()).await;
    assert_eq!(
        answer.headers().get("content-type").unwrap(),
        "text/event-stream"
    );
    let mut body = pin!(answer.into_body());
    let chunk = std::future::poll_fn(|cx| body.as_mut().poll_next(cx)).await;
    let chunk = String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap();
    assert!(
        chunk.starts_with("id: 1\nevent: order.received\ndata: {\"id\":\"evt_"),
        "{chunk}"
    );
    assert!(chunk.ends_with("}\n\n"), "{chunk}");
}

#[actix_web::test]
async fn a_replay_counts_first_and_then_makes_deliveries_of_its_own() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    house.order(&shop, "1").await;
    let body = json!({"url": "https://wms.example/in", "event_types": ["order.received", "order.released"]});
    let subscription = house.post("/v1/subscriptions", body).await.is(201).json();
    let mut replay = json!({
        "subscription_id": subscription["id"], "types": ["order.received"], "dry_run": true,
        "from": "2026-11-23T07:00:00Z", "to": "2026-11-23T09:00:00Z",
    });
    let told = house
        .post("/v1/replays", replay.clone())
        .await
        .is(200)
        .json();
    assert_eq!(told, json!({"count": 1, "dry_run": true}));
    assert_eq!(house.get("/v1/deliveries").await.json()["data"], json!([]));
    replay["dry_run"] = json!(false);
    house.post("/v1/replays", replay.clone()).await.is(202);
    let rows = house.get("/v1/deliveries").await.json();
    assert_eq!(rows["data"].as_array().unwrap().len(), 1);
    let row = &rows["data"][0];
    assert_eq!(row["replay_of"], row["event_id"]);
    let path = format!("/v1/deliveries/{}/replay", text(&row["id"]));
    let again = house.ask(ADMIN, "POST", &path, None).await.is(201).json();
    assert_ne!(again["id"], row["id"]);
    assert_eq!(again["replay_of"], row["event_id"]);
    replay["from"] = json!("2026-11-23T08:30:00Z");
    replay["dry_run"] = json!(true);
    assert_eq!(
        house.post("/v1/replays", replay.clone()).await.json()["count"],
        0
    );
    replay["to"] = json!("2026-11-23T08:00:00Z");
    house
        .post("/v1/replays", replay)
        .await
        .refused(422, "invalid_body");
}
