//! Bad input of every sort: a clear problem with a stable code, never a crash.

use super::house::{ADMIN, house, request};
use crate::api::routes::ROUTES;
use serde_json::json;

#[actix_web::test]
async fn bodies_that_are_no_json_have_their_codes() {
    let house = house();
    let deep = format!(
        "{{\"name\": \"x\", \"settings\": {}1{}}}",
        "{\"a\":".repeat(500),
        "}".repeat(500)
    );
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(1 << 20));
    let cases: [(&[u8], u16, &str); 8] = [
        (b"{\"name\": ", 400, "truncated_json"),
        (b"", 400, "truncated_json"),
        (b"{name: 1}", 400, "malformed_json"),
        (b"{\"name\": \"\xff\"}", 400, "invalid_utf8"),
        (deep.as_bytes(), 400, "too_deep"),
        (large.as_bytes(), 413, "body_too_large"),
        (
            b"{\"name\": 99999999999999999999999999999999999999}",
            422,
            "invalid_body",
        ),
        (b"{\"name\": \"a\", \"name\": \"b\"}", 422, "invalid_body"),
    ];
    for (body, status, code) in cases {
        let request = request(ADMIN, "POST", "/v1/merchants", None)
            .insert_header(("Content-Type", "application/json"))
            .set_payload(body.to_vec());
        house.send(request).await.refused(status, code);
    }
    let form = request(ADMIN, "POST", "/v1/merchants", None)
        .insert_header(("Content-Type", "application/x-www-form-urlencoded"))
        .set_payload("name=x");
    house
        .send(form)
        .await
        .refused(415, "unsupported_media_type");
}

#[actix_web::test]
async fn routes_methods_and_queries_that_are_not_there() {
    let house = house();
    house.get("/v1/nothing").await.refused(404, "no_such_route");
    house.get("/").await.refused(404, "no_such_route");
    let told = house
        .ask(ADMIN, "PUT", "/v1/orders", None)
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(told.header("allow"), Some("GET, POST"));
    house
        .get("/v1/orders?state=open")
        .await
        .refused(400, "unknown_parameter");
    house
        .get("/v1/orders?status=lost")
        .await
        .refused(400, "invalid_parameter");
    house
        .get("/v1/orders?limit=0")
        .await
        .refused(400, "invalid_parameter");
    house
        .get("/v1/orders?limit=501")
        .await
        .refused(400, "invalid_parameter");
    house
        .get("/v1/events?after=x")
        .await
        .refused(400, "invalid_parameter");
    house
        .get("/v1/events?wait=31")
        .await
        .refused(400, "invalid_parameter");
    house
        .get("/v1/ledger?day=today")
        .await
        .refused(400, "invalid_parameter");
    house
        .get("/v1/orders/con_0123456789abcdef0123456789abcdef")
        .await
        .refused(404, "not_found");
    let key = request(ADMIN, "POST", "/v1/merchants", Some(json!({"name": "x"})))
        .insert_header(("Idempotency-Key", "k".repeat(256)));
    house.send(key).await.refused(400, "invalid_header");
}

#[actix_web::test]
async fn a_bad_cursor_is_the_callers_fault() {
    let house = house();
    for route in ROUTES.iter().filter(|route| route.paged) {
        let told = house
            .get(&format!("{}?after=%F0%9F%90%A6", route.path))
            .await;
        assert!(
            told.status == 200 || told.status == 400,
            "{}: {}",
            route.path,
            told.status
        );
    }
}

#[actix_web::test]
async fn probes_answer_without_a_token() {
    let house = house();
    assert_eq!(
        house.ask("", "GET", "/healthz", None).await.is(200).bytes,
        b"ok"
    );
    let ready = house.ask("", "GET", "/readyz", None).await.is(200).json();
    assert_eq!(
        (&ready["status"], &ready["role"]),
        (&json!("ready"), &json!("all"))
    );
    house.ask("", "GET", "/metrics", None).await.is(200);
    let page = house.ask("", "GET", "/docs/", None).await.is(200);
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert_eq!(
        house
            .ask("", "GET", "/docs", None)
            .await
            .is(308)
            .header("location"),
        Some("/docs/")
    );
    house
        .ask("", "GET", "/docs/nothing.js", None)
        .await
        .refused(404, "not_found");
    house.state.stop();
    house
        .ask("", "GET", "/readyz", None)
        .await
        .refused(503, "not_ready");
}
