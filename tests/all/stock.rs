//! Stock from the warehouse to the channels, and orders that are accepted when all of it is there.

use super::support::Gateway;
use super::support::provider::Provider;
use serde_json::{Value, json};

async fn start() -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    (data, gateway)
}

async fn put(gateway: &Gateway, merchant: &str, levels: Value) -> Value {
    let body = json!({"merchant_id": merchant, "levels": levels});
    gateway.call("PUT", "/v1/stock-levels", Some(body)).await
}

/// Whether a channel has so much of anything.
fn has(state: &Value, pieces: u64) -> bool {
    match state {
        Value::Object(members) => members.values().any(|inside| has(inside, pieces)),
        Value::Array(all) => all.iter().any(|inside| has(inside, pieces)),
        number => number.as_f64() == Some(pieces as f64),
    }
}

/// The first order that arrives.
async fn first_order(gateway: &Gateway) -> Value {
    let received = |event: &Value| event["type"] == "order.received";
    let events = gateway.wait_for_event(received).await;
    let found = events.into_iter().find(received).unwrap();
    found["data"]["order"].clone()
}

fn sku_of(order: &Value) -> String {
    order["lines"][0]["sku"].as_str().unwrap().to_owned()
}

/// What a channel is known to sell is told as soon as the warehouse tells of it; nothing else is.
async fn a_level_reaches(connector: &str, settings: Value) {
    let channel = Provider::open(connector, json!({})).await;
    let (_data, gateway) = start().await;
    channel.orders(1).await;
    let mut all = json!({"push_stock": "listed", "orders_every_s": 1});
    for (name, value) in settings.as_object().unwrap() {
        all[name] = value.clone();
    }
    let (merchant, connection) = channel.plug(&gateway, all).await;
    let pull = format!("/v1/connections/{connection}/pull");
    gateway.try_call("POST", &pull, None).await.unwrap();
    let sku = sku_of(&first_order(&gateway).await);
    let levels = json!([
        {"sku": sku, "on_hand": 4_000, "reserved": 10, "location": "main"},
        {"sku": sku, "on_hand": 331, "location": "shop"},
        {"sku": "never-sold-there", "on_hand": 7},
    ]);
    let told = put(&gateway, &merchant, levels).await;
    let outcomes: Vec<&Value> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["outcome"])
        .collect();
    assert_eq!(outcomes, ["changed", "changed", "changed"]);
    // Some take off by themselves what their orders promise.
    channel
        .until(|state| has(&state["state"]["stock"], 4_321) || has(&state["state"]["stock"], 4_331))
        .await;
    put(
        &gateway,
        &merchant,
        json!([{"sku": sku, "on_hand": 0, "location": "main"}]),
    )
    .await;
    channel
        .until(|state| has(&state["state"]["stock"], 331))
        .await;
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]), "{problems:#}");
    let changed = gateway.get("/v1/events?after=0&types=stock.changed").await;
    assert_eq!(changed["data"].as_array().unwrap().len(), 4);
    let levels = format!("/v1/stock-levels?merchant_id={merchant}&sku={sku}");
    let levels = gateway.get(&levels).await;
    assert_eq!(levels["data"].as_array().unwrap().len(), 2);
    let mine = levels["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|level| level["location"] == "main");
    assert_eq!(
        (&mine.unwrap()["available"], &mine.unwrap()["reserved"]),
        (&json!(0), &json!(0))
    );
}

#[actix_web::test]
async fn a_level_reaches_each_channel_that_takes_stock() {
    a_level_reaches("opencart", json!({})).await;
    a_level_reaches("magento", json!({})).await;
    a_level_reaches("emag", json!({})).await;
    a_level_reaches("shopify", json!({"location_id": "11"})).await;
}

#[actix_web::test]
async fn an_article_that_is_refused_stops_no_other() {
    let shop = Provider::open("opencart", json!({"version": "4"})).await;
    let (_data, gateway) = start().await;
    shop.orders(1).await;
    let (merchant, connection) = shop.plug(&gateway, json!({"push_stock": "off"})).await;
    let sku = sku_of(&first_order(&gateway).await);
    let levels = json!([{"sku": "nobody-1", "on_hand": 1}, {"sku": sku, "on_hand": 4_321}, {"sku": "nobody-2", "on_hand": 1}]);
    put(&gateway, &merchant, levels).await;
    // Switched on later: everything is told.
    let path = format!("/v1/connections/{connection}");
    let on = json!({"settings": {"push_stock": "all"}});
    gateway.call("PATCH", &path, Some(on)).await;
    shop.until(|state| has(&state["state"]["stock"], 4_321))
        .await;
    let about = |sku: &str| format!("{connection}/stock/{sku}");
    let opened = |event: &Value| {
        event["type"] == "problem.opened"
            && event["data"]["problem"]["subject"] == about("nobody-2").as_str()
    };
    gateway.wait_for_event(opened).await;
    let open = gateway.get("/v1/problems?status=open").await;
    let mut subjects: Vec<&str> = open["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["subject"].as_str().unwrap())
        .collect();
    subjects.sort_unstable();
    assert_eq!(subjects, [about("nobody-1"), about("nobody-2")]);
    assert_eq!(open["data"][0]["class"], "invalid");
}

#[actix_web::test]
async fn many_that_are_refused_together_stop_no_other() {
    let market = Provider::open("emag", json!({})).await;
    let (_data, gateway) = start().await;
    let (merchant, connection) = market.plug(&gateway, json!({"push_stock": "all"})).await;
    // An offer's id is a number there: of the others nothing can be said, and they come first.
    let mut levels: Vec<Value> = (0..4)
        .map(|n| json!({"sku": format!("nobody-{n}"), "on_hand": 1}))
        .collect();
    levels.push(json!({"sku": "4711", "on_hand": 4_321}));
    put(&gateway, &merchant, json!(levels)).await;
    market
        .until(|state| has(&state["state"]["stock"], 4_321))
        .await;
    let about = |n: usize| format!("{connection}/stock/nobody-{n}");
    let opened = |event: &Value| {
        event["type"] == "problem.opened"
            && event["data"]["problem"]["subject"] == about(3).as_str()
    };
    gateway.wait_for_event(opened).await;
    let resolved = |event: &Value| {
        event["type"] == "problem.resolved"
            && event["data"]["problem"]["subject"] == format!("{connection}/stock.push").as_str()
    };
    gateway.wait_for_event(resolved).await;
    let open = gateway.get("/v1/problems?status=open").await;
    let mut subjects: Vec<String> = open["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["subject"].as_str().unwrap().to_owned())
        .collect();
    subjects.sort_unstable();
    assert_eq!(subjects, (0..4).map(about).collect::<Vec<_>>());
}

#[actix_web::test]
async fn what_a_channel_could_not_be_told_is_told_after_a_restart() {
    let shop = Provider::open("magento", json!({})).await;
    let (data, gateway) = start().await;
    let (merchant, _) = shop.plug(&gateway, json!({"push_stock": "all"})).await;
    put(
        &gateway,
        &merchant,
        json!([{"sku": "BEFORE", "on_hand": 1_111}]),
    )
    .await;
    shop.until(|state| has(&state["state"]["stock"], 1_111))
        .await;
    let fault = json!({"route": "stock.post", "status": 500, "times": 1_000});
    shop.sim("POST", "/faults", fault).await;
    let before =
        shop.sim("GET", "/state", Value::Null).await["counters"]["request.stock.post"].clone();
    put(
        &gateway,
        &merchant,
        json!([{"sku": "AFTER", "on_hand": 2_222}]),
    )
    .await;
    shop.until(|state| state["counters"]["request.stock.post"] != before)
        .await;
    gateway.kill().await;
    shop.sim("DELETE", "/faults", Value::Null).await;
    let gateway = Gateway::start(data.path(), &[]).await;
    let state = shop
        .until(|state| has(&state["state"]["stock"], 2_222))
        .await;
    assert!(has(&state["state"]["stock"], 1_111));
    let levels = gateway.get("/v1/stock-levels").await;
    assert_eq!(levels["data"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn what_a_channel_changed_by_itself_is_put_right() {
    let shop = Provider::open("magento", json!({})).await;
    let (_data, gateway) = start().await;
    let row = json!({"source_code": "default", "sku": "MUG", "quantity": 5, "status": 1});
    let token = "made up by the shop's own people";
    shop.sim("PUT", "/stock", json!({"row": row, "by": token}))
        .await;
    let (merchant, connection) = shop.plug(&gateway, json!({"push_stock": "off"})).await;
    put(
        &gateway,
        &merchant,
        json!([{"sku": "MUG", "on_hand": 4_444}, {"sku": "TEE", "on_hand": 1}]),
    )
    .await;
    let path = format!("/v1/connections/{connection}");
    let on = json!({"settings": {"push_stock": "listed"}});
    gateway.call("PATCH", &path, Some(on)).await;
    let state = shop
        .until(|state| has(&state["state"]["stock"], 4_444))
        .await;
    assert!(
        state["state"]["stock"]["default/TEE"].is_null(),
        "it does not sell it"
    );
}

#[actix_web::test]
async fn a_marketplace_s_order_is_accepted_when_all_of_it_is_there() {
    let market = Provider::open("skroutz", json!({})).await;
    let (_data, gateway) = start().await;
    let (merchant, id) = market
        .plug(&gateway, json!({"accept": "when_in_stock"}))
        .await;
    let url = gateway.url(&format!("/hooks/{id}"));
    market.sim("PUT", "/hook", json!({"url": url})).await;
    let made = market.sim("POST", "/orders", json!({"count": 1})).await;
    let code = made["codes"][0].as_str().unwrap().to_owned();
    let order = first_order(&gateway).await;
    assert_eq!(order["acceptance"]["state"], "pending");
    let level = |line: &Value, on_hand: u64| json!({"sku": line["sku"], "on_hand": on_hand});
    let lines = order["lines"].as_array().unwrap();
    let none: Vec<Value> = lines.iter().map(|line| level(line, 0)).collect();
    put(&gateway, &merchant, json!(none)).await;
    let stored = |event: &Value| event["type"] == "stock.changed";
    gateway.wait_for_event(stored).await;
    let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
    assert_eq!(gateway.get(&path).await["acceptance"]["state"], "pending");
    let enough: Vec<Value> = lines.iter().map(|line| level(line, 50)).collect();
    put(&gateway, &merchant, json!(enough)).await;
    market
        .until(|state| state["state"]["orders"][&code]["state"] == "accepted")
        .await;
}

#[actix_web::test]
async fn a_bad_row_changes_nothing() {
    let (_data, gateway) = start().await;
    let merchant = gateway.post("/v1/merchants", json!({"name": "M"})).await["id"].clone();
    for (levels, place) in [
        (json!([]), "levels"),
        (
            json!([{"sku": "A", "on_hand": 1}, {"sku": "B", "on_hand": -1}]),
            "levels.1.on_hand",
        ),
        (
            json!([{"sku": "A", "on_hand": 1}, {"sku": " B", "on_hand": 1}]),
            "levels.1.sku",
        ),
        (
            json!([{"sku": "A", "on_hand": 1}, {"sku": "A", "on_hand": 2}]),
            "levels.1.sku",
        ),
        (
            json!([{"sku": "A", "on_hand": 1.000_000_1}]),
            "levels.0.on_hand",
        ),
        (json!([{"sku": "A", "on_hand": 1e12}]), "levels.0.on_hand"),
        (json!([{"sku": "A", "on_hand": "1"}]), "levels"),
        (
            json!([{"sku": "A", "on_hand": 1, "available": 1}]),
            "levels",
        ),
    ] {
        let body = json!({"merchant_id": merchant, "levels": levels});
        let told = gateway
            .try_call("PUT", "/v1/stock-levels", Some(body))
            .await
            .unwrap();
        assert_eq!(told.status, 422, "{levels}");
        let path = told.json["fields"][0]["path"].as_str().unwrap();
        assert!(path.starts_with(place), "{levels}: {path}");
    }
    assert_eq!(gateway.get("/v1/stock-levels").await["data"], json!([]));
}
