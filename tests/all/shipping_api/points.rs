//! Searching the directories of pickup points: by words, by place, by what they take.

use super::desk::{Desk, call_as, text};
use crate::support::gateway::PATIENCE;
use serde_json::{Value, json};

async fn loaded(desk: &Desk, points: u64) {
    let limit = tokio::time::Instant::now() + PATIENCE;
    loop {
        let all = desk.gateway.get("/v1/pickup-points/directories").await;
        if all["data"][0]["points"] == points {
            assert_eq!(all["data"][0]["network"], "hornpost");
            assert_eq!(all["data"][0]["connection_id"], desk.dock.account);
            return;
        }
        assert!(tokio::time::Instant::now() < limit, "{all:#}");
        // A long poll of the feed is the pause.
        desk.gateway.get("/v1/events?after=999999999&wait=1").await;
    }
}

#[tokio::test]
async fn points_are_found_by_words_and_place() {
    let desk = Desk::at("hornpost").await;
    let point = |id: &str, town: &str, zip: &str, lat: f64, lon: f64| json!({"id": id, "name": format!("Locker {id}"), "town": town, "zip": zip, "lat": lat, "lon": lon});
    let mut nowhere = point("A4", "Πάτρα", "26221", 0.0, 0.0);
    nowhere["lat"] = Value::Null;
    let points = json!([
        point("A1", "Patras", "26221", 38.24, 21.73),
        point("A2", "Patras", "26222", 38.25, 21.74),
        point("A3", "Athens", "10563", 37.98, 23.73),
        nowhere,
    ]);
    desk.courier.sim("PUT", "/points", points).await;
    // Other settings, and the directory is read anew.
    let account = format!("/v1/connections/{}", desk.dock.account);
    let settings = json!({"settings": {"tracking_every_s": 60}});
    assert_eq!(desk.call("PATCH", &account, settings).await.status, 200);
    loaded(&desk, 4).await;
    // Directories are no merchant's: every token may search.
    let own = desk.gateway.get(&account).await;
    let token = desk.token("merchant", &own["merchant_id"]).await;
    for (query, wanted) in [
        ("q=patras&near=38.2401,21.7301", vec!["A1", "A2"]),
        ("near=38.2501,21.7401&limit=2", vec!["A2", "A1"]),
        ("near=37.98,23.73&limit=1", vec!["A3"]),
        ("q=26222", vec!["A2"]),
        ("q=ath", vec!["A3"]),
        ("q=A3", vec!["A3"]),
        ("q=%CF%80%CE%AC%CF%84%CF%81%CE%B1", vec!["A4"]),
        (
            "q=athens&country=gr&network=hornpost&kind=locker&cod=true",
            vec!["A3"],
        ),
        ("q=athens&kind=parcel_shop", vec![]),
        ("q=athens&country=BG", vec![]),
        ("q=athens&network=owlpost", vec![]),
        ("q=nothing", vec![]),
        ("q=%25", vec![]),
        ("q=%22%20OR%201%3D1", vec![]),
    ] {
        let path = format!("/v1/pickup-points?{query}");
        let found = call_as(&desk.gateway, &token, "GET", &path, None).await;
        assert_eq!(found.status, 200, "{query}: {}", found.json);
        let found = found.json["data"].as_array().unwrap();
        let ids: Vec<&str> = found.iter().map(|one| text(&one["point_id"])).collect();
        assert_eq!(ids, wanted, "{query}");
        let near = query.contains("near=");
        assert!(
            found.iter().all(|one| one["distance_m"].is_u64() == near),
            "{query}"
        );
    }
}
