//! Carriers that are asked: parcels by their numbers, and the directories of their points.

use super::support::courier::Courier;
use super::support::dock::{Dock, numbers, settled};
use super::support::gateway::Gateway;
use serde_json::{Value, json};

/// A dock whose account asks every second.
async fn asking(courier: &Courier) -> (Dock, Gateway) {
    let (dock, gateway) = Dock::with(courier).await;
    let path = format!("/v1/connections/{}", dock.account);
    let settings = json!({"settings": {"tracking_every_s": 1}});
    gateway.call("PATCH", &path, Some(settings)).await;
    (dock, gateway)
}

/// Ships so many orders of one parcel; their numbers.
async fn shipped(dock: &Dock, gateway: &Gateway, orders: u64) -> Vec<String> {
    let mut all = Vec::new();
    for id in 1..=orders {
        let part = dock.plain_order(gateway, id).await;
        let shipment = dock.ship(gateway, &part, 1, 8).await.unwrap();
        let id = shipment.json["id"].as_str().unwrap().to_owned();
        let shipment = settled(gateway, &id, &["purchased", "printed"]).await;
        all.extend(numbers(&shipment));
    }
    all
}

fn told<'a>(number: &'a str, status: &'a str) -> impl FnMut(&Value) -> bool + 'a {
    move |event| {
        event["type"] == "tracking.updated"
            && event["data"]["tracking_number"] == number
            && event["data"]["tracking"]["status"] == status
    }
}

async fn open_problems(gateway: &Gateway, code: &str) -> Vec<Value> {
    let all = gateway.get("/v1/problems?status=open&limit=500").await;
    let all = all["data"].as_array().unwrap();
    all.iter().filter(|p| p["code"] == code).cloned().collect()
}

#[tokio::test]
async fn parcels_are_asked_for_by_number_until_the_door() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = asking(&courier).await;
    // More than one question holds.
    let numbers = shipped(&dock, &gateway, 4).await;
    for number in &numbers {
        let scan = format!("/scan/{number}");
        courier.sim("POST", &scan, json!({"code": "taken"})).await;
    }
    for number in &numbers {
        gateway.wait_for_event(told(number, "in_transit")).await;
    }
    let scan = format!("/scan/{}", numbers[2]);
    courier.sim("POST", &scan, json!({"code": "given"})).await;
    let events = gateway.wait_for_event(told(&numbers[2], "delivered")).await;
    let delivered = events.iter().filter(|e| told(&numbers[2], "delivered")(e));
    assert_eq!(
        delivered.count(),
        1,
        "told once, however often it is asked for"
    );
    let parcel = gateway.get(&format!("/v1/tracking/{}", numbers[2])).await;
    let state = &parcel["data"][0]["state"];
    assert_eq!(state["status"], "delivered", "{parcel:#}");
    // Questions without news leave no rows but are counted.
    let ledger = gateway.get("/v1/ledger").await;
    let lines = ledger["data"].as_array().unwrap();
    let line = lines
        .iter()
        .find(|l| l["connection_id"] == dock.account.as_str());
    let line = line.unwrap_or_else(|| panic!("{ledger:#}"));
    assert!(line["unchanged"].as_u64().unwrap() > 0, "{line}");
    assert_eq!(line["failed"].as_u64().unwrap_or(0), 0, "{line}");
}

#[tokio::test]
async fn a_number_that_is_refused_stops_no_other() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = asking(&courier).await;
    let numbers = shipped(&dock, &gateway, 3).await;
    courier.sim("PUT", "/secret", json!([numbers[1]])).await;
    for number in &numbers {
        let scan = format!("/scan/{number}");
        courier.sim("POST", &scan, json!({"code": "taken"})).await;
    }
    let opened = |event: &Value| {
        event["type"] == "problem.opened" && event["data"]["problem"]["code"] == "not_yours"
    };
    gateway.wait_for_event(opened).await;
    for number in [&numbers[0], &numbers[2]] {
        gateway.wait_for_event(told(number, "in_transit")).await;
    }
    assert_eq!(open_problems(&gateway, "not_yours").await.len(), 1);
    courier.sim("PUT", "/secret", json!([])).await;
    gateway
        .wait_for_event(told(&numbers[1], "in_transit"))
        .await;
    let resolved = |event: &Value| {
        event["type"] == "problem.resolved" && event["data"]["problem"]["code"] == "not_yours"
    };
    gateway.wait_for_event(resolved).await;
    assert_eq!(open_problems(&gateway, "not_yours").await.len(), 0);
}

#[tokio::test]
async fn an_account_that_is_refused_is_one_problem() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = asking(&courier).await;
    let numbers = shipped(&dock, &gateway, 5).await;
    courier.sim("PUT", "/secret", json!(numbers)).await;
    for number in &numbers {
        let scan = format!("/scan/{number}");
        courier.sim("POST", &scan, json!({"code": "taken"})).await;
    }
    let opened = |event: &Value| {
        event["type"] == "problem.opened"
            && event["data"]["problem"]["subject"] == dock.account.as_str()
    };
    gateway.wait_for_event(opened).await;
    let open = open_problems(&gateway, "not_yours").await;
    let subjects: Vec<&Value> = open.iter().map(|problem| &problem["subject"]).collect();
    assert_eq!(subjects, [&json!(dock.account)], "none for a parcel");
}

/// Waits until the account's directory holds so many points.
async fn directory(gateway: &Gateway, points: u64) {
    let limit = tokio::time::Instant::now() + super::support::gateway::PATIENCE;
    loop {
        let all = gateway.get("/v1/pickup-points/directories").await;
        if all["data"][0]["points"] == points {
            return;
        }
        assert!(tokio::time::Instant::now() < limit, "{all:#}");
        // A long poll of the feed is the pause.
        gateway.get("/v1/events?after=999999999&wait=1").await;
    }
}

#[tokio::test]
async fn a_directory_is_read_whole_and_a_broken_one_takes_nothing_away() {
    let courier = Courier::start("hornpost").await;
    let point = |id: &str| json!({"id": id, "name": format!("Locker {id}"), "town": "Patras", "zip": "26221", "lat": 38.24, "lon": 21.73});
    let points: Vec<Value> = ["A1", "A2", "A3", "A4", "A5"].map(point).to_vec();
    courier.sim("PUT", "/points", json!(points)).await;
    let (dock, gateway) = Dock::with(&courier).await;
    directory(&gateway, 5).await;
    let found = gateway.get("/v1/pickup-points?q=patras").await;
    assert_eq!(found["data"].as_array().unwrap().len(), 5);

    // A row without an id: the others are read, none goes.
    let broken = json!([point("A1"), {"name": "no id"}, point("A6")]);
    courier.sim("PUT", "/points", broken).await;
    let read_again = async |every: u64| {
        let path = format!("/v1/connections/{}", dock.account);
        let settings = json!({"settings": {"tracking_every_s": every}});
        gateway.call("PATCH", &path, Some(settings)).await;
    };
    // Other settings, and the directory is read anew.
    read_again(100).await;
    let problem = |code: &'static str| {
        move |event: &Value| {
            event["type"] == "problem.opened" && event["data"]["problem"]["code"] == code
        }
    };
    gateway.wait_for_event(problem("points_unreadable")).await;
    let found = gateway.get("/v1/pickup-points?q=patras").await;
    assert_eq!(found["data"].as_array().unwrap().len(), 6, "{found:#}");

    courier.sim("PUT", "/points", json!([])).await;
    read_again(101).await;
    gateway.wait_for_event(problem("points_empty")).await;
    let found = gateway.get("/v1/pickup-points?q=patras").await;
    assert_eq!(found["data"].as_array().unwrap().len(), 6);

    courier.sim("PUT", "/points", json!([point("A6")])).await;
    read_again(102).await;
    directory(&gateway, 1).await;
    let resolved = |event: &Value| {
        event["type"] == "problem.resolved" && event["data"]["problem"]["code"] == "points_empty"
    };
    gateway.wait_for_event(resolved).await;
    for code in ["points_unreadable", "points_empty"] {
        let open = open_problems(&gateway, code).await;
        assert!(open.is_empty(), "{code}: {open:?}");
    }
}
