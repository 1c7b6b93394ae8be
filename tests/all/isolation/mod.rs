//! One merchant's token on every route with every id of another merchant's: nothing of the other
//! comes back, nothing of the other changes.
//!
//! What always holds: the calls are made from the table of routes; a path, query parameter or body
//! that has no case here fails the test, so that a new route cannot be forgotten.

mod calls;
mod estate;

use super::support::Gateway;
use super::support::courier::{self, Courier};
use super::support::gateway::PATIENCE;
use calls::{Ask, asks};
use crossdock::api::route::{Access, RouteSpec};
use crossdock::api::routes::ROUTES;
use crossdock::store::query::TokenScope;
use estate::Estate;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a call came to.
struct Told {
    status: u16,
    text: String,
}

async fn send(gateway: &Gateway, token: &str, ask: &Ask) -> Told {
    let mut request = gateway
        .http
        .request(ask.verb.parse().unwrap(), gateway.url(&ask.path))
        .bearer_auth(token)
        .timeout(PATIENCE);
    if let Some(body) = &ask.body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let mut answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let mut headers = String::new();
    for value in answer.headers().values() {
        headers.push_str(&String::from_utf8_lossy(value.as_bytes()));
        headers.push('\n');
    }
    let body = if ask.path.starts_with("/v1/events/stream") {
        // It does not end by itself: what was there comes first.
        answer.chunk().await.unwrap().unwrap_or_default()
    } else {
        answer.bytes().await.unwrap()
    };
    Told {
        status,
        text: headers + &String::from_utf8_lossy(&body),
    }
}

/// Calls a route with everything of the other's, and looks at what comes back.
async fn try_route(
    gateway: &Gateway,
    token: &str,
    route: &RouteSpec,
    (ours, theirs): (&Estate, &Estate),
    last: bool,
    wrong: &mut Vec<String>,
) -> usize {
    let mut all = asks(route, ours, theirs);
    assert!(!all.is_empty(), "{} has no case", route.path);
    all.retain(|ask| ask.last == last);
    let number = all.len();
    for ask in all {
        let told = send(gateway, token, &ask).await;
        let sent = format!("{} {:?}", ask.path, ask.body);
        let place = format!("{} {sent}: {}", ask.verb, told.status);
        let mut complain = |what: String| wrong.push(format!("{what}: {place}\n{}", told.text));
        if told.status >= 500 {
            complain("a fault of ours".into());
        }
        if ask.in_path && route.access != Access::Public && !matches!(told.status, 403 | 404) {
            complain("not as if it were not there".into());
        }
        if ask.refused && !matches!(told.status, 403 | 404 | 409 | 422) {
            complain("not refused".into());
        }
        // What the caller said itself tells it nothing.
        for marker in theirs.markers.iter().filter(|m| !sent.contains(*m)) {
            if told.text.contains(marker) {
                complain(format!("tells {marker}"));
            }
        }
    }
    number
}

/// Ids that both know, such as the operator's, are nobody's secret.
fn tell_apart(one: &mut Estate, other: &mut Estate) {
    let common: BTreeSet<String> = one.markers.intersection(&other.markers).cloned().collect();
    one.markers.retain(|marker| !common.contains(marker));
    other.markers.retain(|marker| !common.contains(marker));
}

async fn unchanged(
    gateway: &Gateway,
    theirs: &Estate,
    before: &BTreeMap<String, Value>,
    whom: &str,
) {
    let after = theirs.dump(gateway).await;
    for (path, value) in before {
        assert_eq!(Some(value), after.get(path), "{path} changed by a {whom}");
    }
}

#[tokio::test]
async fn no_route_shows_or_changes_what_is_another_merchants() {
    let data = tempfile::tempdir().unwrap();
    let courier = Courier::start("hornpost").await;
    let point = json!({"id": "A1", "name": "Locker", "town": "Patras", "zip": "26221", "lat": 38.24, "lon": 21.73});
    courier.sim("PUT", "/points", json!([point])).await;
    let dir = courier::folders().display().to_string();
    let gateway = Gateway::start(data.path(), &[("CROSSDOCK_CONNECTORS_DIR", &dir)]).await;
    let mut theirs = Estate::furnish(&gateway, &courier, "Bettina", 100).await;
    let mut ours = Estate::furnish(&gateway, &courier, "Anton", 200).await;
    theirs.found(&gateway).await;
    ours.found(&gateway).await;
    tell_apart(&mut theirs, &mut ours);
    assert!(theirs.markers.len() > 30, "{:?}", theirs.markers);
    let before = theirs.dump(&gateway).await;
    let (mut asked, mut wrong) = (0, Vec::new());
    for scope in ["merchant", "warehouse", "operator"] {
        let token = ours.token(&gateway, scope).await;
        for route in ROUTES {
            asked += try_route(&gateway, &token, route, (&ours, &theirs), false, &mut wrong).await;
        }
        unchanged(&gateway, &theirs, &before, scope).await;
    }
    // The other's account by name, in one's own order and rules: no label is bought from it.
    let token = ours.token(&gateway, "operator").await;
    let mut last = 0;
    for route in ROUTES {
        last += try_route(&gateway, &token, route, (&ours, &theirs), true, &mut wrong).await;
    }
    assert_eq!(last, 2);
    let open = ours.id("open_ful");
    let part = gateway.get(&format!("/v1/fulfillment-orders/{open}")).await;
    assert_ne!(part["carrier_plan"]["connection_id"], theirs.id("account"));
    let body = json!({"shipment_ref": "X-9", "parcels": [{"weight_g": 1}]});
    let path = format!("/v1/fulfillment-orders/{open}/ship");
    send(&gateway, &token, &Ask::new("POST", path, Some(body))).await;
    let made = courier.made().await.len();
    assert_eq!(made, 2, "one label each, bought before");
    unchanged(&gateway, &theirs, &before, "name of the account").await;
    assert!(asked > 3 * ROUTES.len(), "{asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Its own things are there for it: the refusals above are not for want of everything.
    let token = ours.token(&gateway, "merchant").await;
    for path in [
        format!("/v1/orders/{}", ours.id("ord")),
        format!("/v1/shipments/{}/label", ours.id("shp")),
        format!("/v1/inbox/{}/payload", ours.id("inb")),
        format!("/v1/problems/{}", ours.id("prb")),
        format!("/v1/tracking/{}", ours.id("tracking")),
    ] {
        let ask = Ask::get(path);
        let told = send(&gateway, &token, &ask).await;
        assert_eq!(told.status, 200, "{}: {}", ask.path, told.text);
    }
}

#[tokio::test]
async fn a_token_of_one_merchant_is_no_token_of_all() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let merchant = gateway.post("/v1/merchants", json!({"name": "One"})).await;
    let body = json!({"name": "o", "scope": "operator", "merchant_id": merchant["id"]});
    let bound = gateway.post("/v1/tokens", body).await;
    let free = gateway
        .post("/v1/tokens", json!({"name": "o", "scope": "operator"}))
        .await;
    let asks = [
        Ask::new("POST", "/v1/merchants", Some(json!({"name": "Two"}))),
        Ask::new("GET", "/v1/audit", None),
    ];
    for ask in &asks {
        let told = send(&gateway, bound["token"].as_str().unwrap(), ask).await;
        assert_eq!(told.status, 403, "{}: {}", ask.path, told.text);
        let told = send(&gateway, free["token"].as_str().unwrap(), ask).await;
        assert!((200..300).contains(&told.status), "{}", told.text);
    }
    let admins: Vec<&RouteSpec> = ROUTES
        .iter()
        .filter(|route| !route.access.allows(TokenScope::Operator))
        .collect();
    // Whoever may make tokens may be anybody; and what is erased does not come back.
    let for_ever = "/v1/merchants/{id}/erase";
    assert!(
        admins
            .iter()
            .all(|route| route.path.starts_with("/v1/tokens") || route.path == for_ever)
    );
    assert_eq!(admins.len(), 4);
    let operator = json!({"settings": {"priority": 1}});
    let path = "/v1/merchants/mer_00000000000000000000000000000001";
    let ask = Ask::new("PATCH", path, Some(operator));
    let told = send(&gateway, bound["token"].as_str().unwrap(), &ask).await;
    assert_eq!(told.status, 404, "{}", told.text);
    let _: Value = gateway.get("/v1/audit").await;
}
