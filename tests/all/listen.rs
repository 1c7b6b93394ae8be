//! Orders reach the warehouse: the real binary, real HTTP, real signatures.

use super::support::{Gateway, Warehouse, orders};
use serde_json::{Value, json};

async fn subscribe(gateway: &Gateway, warehouse: &Warehouse, types: &[&str]) -> Value {
    let body = json!({"url": warehouse.url(), "event_types": types});
    let subscription = gateway.post("/v1/subscriptions", body).await;
    warehouse.trust(subscription["secret"].as_str().unwrap());
    subscription
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

pub async fn ledger_balances(gateway: &Gateway) -> Value {
    let ledger = gateway.get("/v1/ledger").await;
    for line in ledger["data"].as_array().unwrap() {
        let n = |key: &str| line[key].as_u64().unwrap();
        let parts = [
            "pending",
            "applied",
            "unchanged",
            "stale",
            "duplicate",
            "ignored",
            "problem",
        ];
        assert_eq!(
            n("received"),
            parts.iter().map(|part| n(part)).sum::<u64>(),
            "{line}"
        );
    }
    ledger
}

#[tokio::test]
async fn an_order_is_received_released_delivered_accepted_and_shipped() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let warehouse = Warehouse::start().await;
    subscribe(&gateway, &warehouse, &[]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;

    assert_eq!(
        gateway
            .webhook(&hook, &orders::order(1, 0).to_string())
            .await,
        Some(200)
    );
    let taken = warehouse
        .wait(|all| {
            all.iter()
                .any(|(_, e)| e["type"] == "fulfillment_order.submitted")
        })
        .await;
    assert!(warehouse.refused().is_empty(), "{:?}", warehouse.refused());
    let (_, event) = taken
        .iter()
        .find(|(_, e)| e["type"] == "fulfillment_order.submitted")
        .unwrap();
    let fulfillment = &event["data"]["fulfillment_order"];
    assert_eq!(event["data"]["order"]["external_id"], "1");
    assert_eq!(
        event["data"]["order"]["totals"]["total"],
        json!({"amount": "28.52", "currency": "EUR"})
    );
    assert_eq!(fulfillment["lines"][0]["sku"], "MUG-1");
    assert_eq!(fulfillment["ship_to"]["name"], "Ελένη Παππά");

    let id = fulfillment["id"].as_str().unwrap();
    let list = gateway.get("/v1/fulfillment-orders?awaiting=accept").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let revision = fulfillment["revision"].as_u64().unwrap();
    gateway
        .post(
            &format!("/v1/fulfillment-orders/{id}/accept"),
            json!({"revision": revision}),
        )
        .await;
    let ship = json!({"revision": revision, "shipment_ref": "W-1", "parcels": [{"weight_g": 700, "tracking_number": "TN123"}]});
    let path = format!("/v1/fulfillment-orders/{id}/ship");
    let first = gateway
        .try_call("POST", &path, Some(ship.clone()))
        .await
        .unwrap();
    assert_eq!(first.status, 201, "{}", first.json);
    let again = gateway.try_call("POST", &path, Some(ship)).await.unwrap();
    assert_eq!(
        again.status, 200,
        "the same shipment_ref is the same shipment"
    );
    assert_eq!(again.json["id"], first.json["id"]);

    let order_id = event["data"]["order"]["id"].as_str().unwrap();
    let order = gateway.get(&format!("/v1/orders/{order_id}")).await;
    assert_eq!(order["status"], "fulfilled", "{order}");
    let events = gateway.all_events().await;
    let kinds: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    for kind in [
        "order.received",
        "order.released",
        "fulfillment_order.submitted",
        "fulfillment_order.accepted",
        "shipment.handed_over",
    ] {
        assert_eq!(of_type(&events, kind).len(), 1, "{kind} in {kinds:?}");
    }
    let timeline = gateway
        .get(&format!("/v1/orders/{order_id}/timeline"))
        .await;
    assert!(
        timeline["data"].as_array().unwrap().len() >= 5,
        "{timeline}"
    );
    ledger_balances(&gateway).await;
}

#[tokio::test]
async fn duplicates_old_revisions_and_edits_have_one_effect() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (connection, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    let (old, mut new) = (orders::order(7, 10), orders::order(7, 20));
    new["customer_note"] = json!("ring twice");
    for body in [&old, &old, &new, &old, &new] {
        assert_eq!(gateway.webhook(&hook, &body.to_string()).await, Some(200));
    }
    let path = format!("/v1/inbox?connection_id={connection}&limit=50");
    let events = gateway
        .wait_for_event(|e| e["type"] == "order.updated")
        .await;
    assert_eq!(of_type(&events, "order.received").len(), 1);
    // Three of the five have no event to wait for.
    gateway.settled(&hook).await;
    let ledger = ledger_balances(&gateway).await;
    let line = &ledger["data"][0];
    assert_eq!(
        (&line["received"], &line["applied"]),
        (&json!(6), &json!(3)),
        "{line}"
    );
    assert_eq!(
        (&line["unchanged"], &line["stale"]),
        (&json!(2), &json!(1)),
        "{line}"
    );
    let inbox = gateway.get(&path).await;
    assert_eq!(inbox["data"].as_array().unwrap().len(), 6);
    let events = gateway.all_events().await;
    let updated = of_type(&events, "order.updated");
    assert_eq!(updated.len(), 1, "{updated:#?}");
    assert!(
        updated[0]["data"]["changed"]
            .as_array()
            .unwrap()
            .contains(&json!("note"))
    );
}

#[tokio::test]
async fn an_observing_connection_shows_and_never_releases() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "observing").await;
    assert_eq!(
        gateway
            .webhook(&hook, &orders::order(3, 0).to_string())
            .await,
        Some(200)
    );
    gateway
        .wait_for_event(|e| e["type"] == "order.received")
        .await;
    let list = gateway.get("/v1/fulfillment-orders?awaiting=accept").await;
    assert_eq!(list["data"], json!([]));
    let orders = gateway.get("/v1/orders?external_id=3").await;
    assert_eq!(orders["data"][0]["external_id"], "3");
}

#[tokio::test]
async fn a_warehouse_that_was_down_gets_everything_in_order_when_it_is_back() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let warehouse = Warehouse::start().await;
    warehouse.answer(503);
    subscribe(&gateway, &warehouse, &["order.received", "order.updated"]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    for id in 1..=20u64 {
        for second in [1, 2, 3] {
            let mut order = orders::order(id, second);
            order["customer_note"] = json!(format!("revision {second}"));
            assert_eq!(gateway.webhook(&hook, &order.to_string()).await, Some(200));
        }
    }
    warehouse.wait_for_attempts(2).await;
    assert!(warehouse.taken().is_empty());
    warehouse.answer(200);
    let taken = warehouse.wait(|all| all.len() >= 60).await;
    for id in 1..=20u64 {
        let notes: Vec<&str> = taken
            .iter()
            .filter(|(_, e)| {
                e["data"]["order"]["external_id"].as_str() == Some(id.to_string().as_str())
            })
            .map(|(_, e)| e["data"]["order"]["note"].as_str().unwrap())
            .collect();
        assert_eq!(
            notes,
            ["revision 1", "revision 2", "revision 3"],
            "order {id}"
        );
    }
    assert!(warehouse.refused().is_empty());
}

#[tokio::test]
async fn a_restart_loses_nothing_and_a_second_server_is_kept_off_the_file() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    assert_eq!(
        gateway
            .webhook(&hook, &orders::order(5, 0).to_string())
            .await,
        Some(200)
    );
    gateway
        .wait_for_event(|e| e["type"] == "fulfillment_order.submitted")
        .await;
    assert!(
        Gateway::try_start(data.path(), &[]).await.is_none(),
        "the lock file keeps a second server off"
    );
    let before = gateway.all_events().await;
    assert!(gateway.stop().await.success(), "it drains and ends well");
    let gateway = Gateway::start(data.path(), &[]).await;
    assert_eq!(gateway.all_events().await, before);
    assert_eq!(
        gateway.get("/v1/orders").await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn no_secret_and_nothing_personal_is_logged() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let warehouse = Warehouse::start().await;
    let subscription = subscribe(&gateway, &warehouse, &[]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    let good = orders::order(1, 0).to_string();
    let broken = good.replace("\"quantity\":2", "\"quantity\":\"Ελένη\"");
    assert_ne!(good, broken);
    for body in [&good, &broken, &good[..200].to_owned()] {
        assert_eq!(gateway.webhook(&hook, body).await, Some(200));
    }
    warehouse
        .wait(|all| {
            all.iter()
                .any(|(_, e)| e["type"] == "fulfillment_order.submitted")
        })
        .await;
    gateway
        .wait_for_event(|e| e["type"] == "problem.opened")
        .await;
    let problems = gateway.get("/v1/problems").await.to_string();
    assert!(gateway.stop().await.success());
    let log = std::fs::read_to_string(data.path().join("log")).unwrap();
    assert!(log.contains("delivered"), "the debug log was on");
    let secret = subscription["secret"].as_str().unwrap();
    let secrets = [
        super::support::gateway::TOKEN,
        super::support::gateway::SECRET,
        secret,
        "cs_2222",
        "ck_1111",
    ];
    let personal = [
        "Ελένη",
        "Παππά",
        "eleni@example.test",
        "302101234567",
        "Ερμού",
    ];
    for word in secrets.iter().chain(&personal) {
        assert!(!log.contains(word), "{word} is in the log");
        assert!(!problems.contains(word), "{word} is in a problem");
    }
}
