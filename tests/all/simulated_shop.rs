//! The simulated shop speaks its provider's protocol: signatures that prove, webhooks that switch off, refunds that hide lines.

use super::support::Shop;
use super::support::shop::{HOOK_SECRET, hmac, json_of};
use crossdock::connector::Registry;
use crossdock::connector::map::{MapInput, map};
use serde_json::{Value, json};
use wiremock::matchers::{header_exists, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn register(shop: &Shop, receiver: &MockServer) -> Value {
    let hook = json!({"topic": "order.created", "delivery_url": receiver.uri(), "secret": HOOK_SECRET, "status": "active"});
    json_of(shop.api("POST", "/webhooks", &[], Some(hook)).await).await
}

async fn receiver(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(header_exists("x-wc-webhook-signature"))
        .respond_with(ResponseTemplate::new(status))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    server
}

#[actix_web::test]
async fn callers_are_proved_and_lists_are_paged() {
    let shop = Shop::open(json!({})).await;
    let stranger = shop
        .http
        .get(format!("{}/wp-json/wc/v3/orders", shop.handle.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(
        json_of(stranger).await["code"],
        "woocommerce_rest_cannot_view"
    );
    shop.sim("POST", "/orders", json!({"count": 7, "quiet": true}))
        .await;
    let page = shop
        .api(
            "GET",
            "/orders",
            &[
                ("per_page", "5"),
                ("orderby", "modified"),
                ("order", "asc"),
                ("status", "any"),
            ],
            None,
        )
        .await;
    assert_eq!(page.headers()["x-wp-total"], "7");
    assert_eq!(page.headers()["x-wp-totalpages"], "2");
    assert_eq!(json_of(page).await.as_array().unwrap().len(), 5);
    assert_eq!(
        shop.api("GET", "/orders", &[("per_page", "101")], None)
            .await
            .status(),
        400
    );
    assert_eq!(
        shop.api("GET", "/orders/7/fulfillments", &[], None)
            .await
            .status(),
        404,
        "the feature is off"
    );
    shop.handle.stop().await;
}

#[actix_web::test]
async fn made_orders_map_and_add_up() {
    let shop = Shop::open(json!({})).await;
    shop.sim("POST", "/orders", json!({"count": 60})).await;
    let orders = shop
        .api(
            "GET",
            "/orders",
            &[("per_page", "100"), ("status", "any")],
            None,
        )
        .await
        .bytes()
        .await
        .unwrap();
    let registry = Registry::load(None);
    let mapped = map(
        &registry.catalogue().get("woocommerce").unwrap(),
        "order",
        &orders,
        &MapInput::default(),
    );
    assert_eq!(mapped.failures, vec![]);
    assert_eq!(mapped.warnings, vec![], "amounts add up, no unknown codes");
    let mapped = mapped.json();
    assert_eq!(mapped.as_array().unwrap().len(), 60);
    let has = |pointer: &str, value: &str| {
        mapped
            .as_array()
            .unwrap()
            .iter()
            .any(|order| order.pointer(pointer) == Some(&json!(value)))
    };
    for (pointer, value) in [
        ("/payment/method", "cod"),
        ("/payment/status", "paid"),
        ("/payment/status", "partially_refunded"),
        ("/channel_state", "cancelled"),
        ("/channel_state", "pending_payment"),
        ("/delivery/mode", "pickup_point"),
        ("/ship_to/country", "GR"),
        ("/ship_to/country", "BG"),
    ] {
        assert!(
            has(pointer, value),
            "no made order has {value} at {pointer}"
        );
    }
    shop.handle.stop().await;
}

#[actix_web::test]
async fn webhooks_are_signed_and_pinged_and_switched_off() {
    let shop = Shop::open(json!({})).await;
    let (good, bad) = (receiver(200).await, receiver(500).await);
    register(&shop, &good).await;
    let hook = register(&shop, &bad).await;
    shop.sim("POST", "/orders", json!({"count": 8, "quiet": true}))
        .await;
    let state = shop.settled().await;
    let received = good.received_requests().await.unwrap();
    assert_eq!(received.len(), 9, "a ping and eight orders");
    assert!(
        received[0].body.starts_with(b"webhook_id="),
        "the ping is a form"
    );
    for request in &received[1..] {
        assert_eq!(
            request.headers["x-wc-webhook-signature"],
            hmac(HOOK_SECRET.as_bytes(), &request.body).as_str()
        );
        assert_eq!(request.headers["x-wc-webhook-topic"], "order.created");
    }
    assert_eq!(
        bad.received_requests().await.unwrap().len(),
        7,
        "a ping and six failures, then it is off"
    );
    assert_eq!(
        state["state"]["webhooks"][hook["id"].to_string()]["status"],
        "disabled"
    );
    let again = shop
        .api(
            "PUT",
            &format!("/webhooks/{}", hook["id"]),
            &[],
            Some(json!({"status": "active"})),
        )
        .await;
    assert_eq!(json_of(again).await["status"], "active");
    shop.handle.stop().await;
}

#[actix_web::test]
async fn faults_come_when_asked_for() {
    let shop = Shop::open(json!({})).await;
    let receiver = receiver(200).await;
    register(&shop, &receiver).await;
    shop.sim(
        "POST",
        "/faults",
        json!({"route": "orders.list", "status": 429, "headers": {"Retry-After": "7"}, "times": 1}),
    )
    .await;
    let throttled = shop.api("GET", "/orders", &[], None).await;
    assert_eq!(
        (
            throttled.status().as_u16(),
            &throttled.headers()["retry-after"]
        ),
        (429, &"7".parse().unwrap())
    );
    assert_eq!(
        shop.api("GET", "/orders", &[], None).await.status(),
        200,
        "once only"
    );
    shop.settled().await;
    shop.sim("POST", "/faults", json!({"double_webhooks": true}))
        .await;
    shop.sim("POST", "/faults", json!({"reorder_webhooks": true}))
        .await;
    shop.sim("POST", "/orders", json!({"count": 3, "quiet": true}))
        .await;
    shop.settled().await;
    let ids: Vec<Value> = receiver.received_requests().await.unwrap()[1..]
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["id"].clone())
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], ids[1], "the first came twice");
    assert!(
        ids[2].as_i64() > ids[3].as_i64(),
        "the second came after the third"
    );
    shop.handle.stop().await;
}

#[actix_web::test]
async fn a_refund_hides_its_lines_in_the_order_and_tells_them_apart() {
    let shop = Shop::open(json!({})).await;
    let made = shop
        .sim("POST", "/orders", json!({"count": 1, "quiet": true}))
        .await;
    let id = made["ids"][0].to_string();
    shop.sim("POST", &format!("/orders/{id}/refund"), Value::Null)
        .await;
    let order = json_of(shop.api("GET", &format!("/orders/{id}"), &[], None).await).await;
    let refunds = json_of(
        shop.api("GET", &format!("/orders/{id}/refunds"), &[], None)
            .await,
    )
    .await;
    let registry = Registry::load(None);
    let connector = registry.catalogue().get("woocommerce").unwrap();
    let mapped = |payload: Value| {
        map(
            &connector,
            "order",
            payload.to_string().as_bytes(),
            &MapInput::default(),
        )
    };
    let plain = mapped(order.clone());
    assert_eq!(plain.json()[0]["details_missing"], true);
    let both = mapped(json!({"order": order, "refunds": refunds}));
    assert_eq!(
        (both.failures.len(), both.warnings.len()),
        (0, 0),
        "reduced lines and totals add up"
    );
    assert_eq!(both.json()[0]["details_missing"], false);
    assert_eq!(both.json()[0]["lines"][0]["cancelled_quantity"], 1);
    shop.handle.stop().await;
}
