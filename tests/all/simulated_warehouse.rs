//! The simulated warehouse believes signed deliveries only, and answers them by the API.

use super::support::gateway::{PATIENCE, client};
use crossdock::simulator::warehouse;
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A gateway that knows one fulfillment order, for the warehouse to work on.
async fn gateway() -> MockServer {
    let server = MockServer::start().await;
    let order = |status: &str| json!({"id": "ful_1", "revision": 3, "status": status, "request": null, "lines": []});
    let get = || Mock::given(method("GET")).and(path("/v1/fulfillment-orders/ful_1"));
    get()
        .respond_with(ResponseTemplate::new(200).set_body_json(order("submitted")))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    get()
        .respond_with(ResponseTemplate::new(200).set_body_json(order("in_progress")))
        .mount(&server)
        .await;
    for answer in ["accept", "ship"] {
        let at = format!("/v1/fulfillment-orders/ful_1/{answer}");
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
            .mount(&server)
            .await;
    }
    server
}

#[actix_web::test]
async fn the_warehouse_believes_signed_deliveries_only_and_answers_them() {
    let gateway = gateway().await;
    let none = Duration::ZERO;
    let options = warehouse::Options {
        gateway: gateway.uri(),
        accept_after: none,
        ship_after: none,
        ..warehouse::Options::default()
    };
    let wms = warehouse::serve("127.0.0.1:0".parse().unwrap(), options)
        .await
        .unwrap();
    let secret = crossdock::egress::sign::new_secret();
    wms.trust(secrecy::ExposeSecret::expose_secret(&secret));
    let body = json!({"type": "fulfillment_order.submitted", "data": {"fulfillment_order": {"id": "ful_1", "revision": 3}}}).to_string();
    let now = jiff::Timestamp::now().as_second();
    let signature =
        crossdock::egress::sign::Signer::new(&secret)
            .unwrap()
            .sign("evt_1", now, body.as_bytes());
    let http = client();
    let deliver = |signature: String| {
        let request = http
            .post(format!("http://{}/events", wms.addr))
            .header("webhook-id", "evt_1")
            .header("webhook-timestamp", now.to_string());
        request
            .header("webhook-signature", signature)
            .body(body.clone())
            .send()
    };
    assert_eq!(deliver("v1,bm8=".into()).await.unwrap().status(), 401);
    assert_eq!(deliver(signature.clone()).await.unwrap().status(), 204);
    assert_eq!(deliver(signature).await.unwrap().status(), 204);
    let shipped = wms.wait_for(|counters| counters["shipped"] == 1);
    let counters = tokio::time::timeout(PATIENCE, shipped).await.unwrap();
    assert_eq!(
        (
            &counters["refused"],
            &counters["received"],
            &counters["repeated"]
        ),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(
        (&counters["accepted"], &counters["shipped"]),
        (&json!(1), &json!(1))
    );
    let told = gateway.received_requests().await.unwrap();
    let shipped = told
        .iter()
        .find(|request| request.url.path().ends_with("/ship"))
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&shipped.body).unwrap()["revision"],
        3
    );
    wms.stop().await;
}
