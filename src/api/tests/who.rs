//! Who may do what, on every route with every scope; and that a merchant's token never sees
//! another merchant's rows on any route.

use super::house::{ADMIN, House, SECRET, house, order, request, text};
use crate::api::openapi::shown;
use crate::api::route::{Access, RouteSpec, Verb};
use crate::api::routes::ROUTES;
use crate::store::query::TokenScope;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The path with ids of the right kinds in it.
fn path_with(route: &RouteSpec, id_of: impl Fn(&str) -> String) -> String {
    shown(route.path)
        .replace("{connection_id}", &id_of("connections"))
        .replace("{rid}", "req_0123456789abcdef0123456789abcdef")
        .replace("{topic}", "x")
        .replace("{file}", "index.html")
        .replace("{id}", &id_of(route.tag()))
}

fn nobodys(tag: &str) -> String {
    let prefix = match tag {
        "orders" => "ord",
        "fulfillment-orders" => "ful",
        "merchants" => "mer",
        "connections" => "con",
        "events" => "evt",
        "subscriptions" => "sub",
        "deliveries" => "dlv",
        "inbox" => "inb",
        "problems" => "prb",
        "jobs" => "job",
        "tokens" => "tok",
        _ => return "nothing".into(),
    };
    format!("{prefix}_0123456789abcdef0123456789abcdef")
}

#[actix_web::test]
async fn every_route_admits_exactly_its_scopes() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let tokens = [
        (TokenScope::Operator, house.token("operator", None).await),
        (
            TokenScope::Merchant,
            house.token("merchant", Some(&merchant)).await,
        ),
        (TokenScope::Warehouse, house.token("warehouse", None).await),
        (TokenScope::Admin, ADMIN.to_owned()),
    ];
    for route in ROUTES
        .iter()
        .filter(|r| !r.bare && r.path != "/v1/events/stream")
    {
        let path = path_with(route, nobodys);
        let body = (route.verb != Verb::Get && route.verb != Verb::Delete).then(|| json!({}));
        let none = house
            .ask("", route.verb.as_str(), &path, body.clone())
            .await;
        if route.access == Access::Public {
            assert_ne!(none.status, 401, "{path}");
            continue;
        }
        let told = none.refused(401, "unauthorized");
        assert_eq!(
            told.header("www-authenticate"),
            Some("Bearer realm=\"crossdock\"")
        );
        house
            .ask("wrong", route.verb.as_str(), &path, None)
            .await
            .refused(401, "unauthorized");
        for (scope, token) in &tokens {
            let told = house
                .ask(token, route.verb.as_str(), &path, body.clone())
                .await;
            let allowed = route.access.allows(*scope);
            let place = format!("{} {path} as {scope:?}", route.verb.as_str());
            assert_eq!(told.status == 403, !allowed, "{place}: {}", told.status);
            assert!(
                told.status < 500 && told.status != 401,
                "{place}: {}",
                told.status
            );
            assert_eq!(
                told.header("x-content-type-options"),
                Some("nosniff"),
                "{place}"
            );
        }
    }
}

/// Everything of one merchant's that has an id.
struct Belongings(Vec<(&'static str, String)>);

impl Belongings {
    fn id(&self, tag: &str) -> String {
        let found = self.0.iter().find(|(kind, _)| *kind == tag);
        found.map_or_else(|| nobodys(tag), |(_, id)| id.clone())
    }
}

fn signed(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

async fn furnished(house: &House, name: &str) -> Belongings {
    let merchant = house.merchant(name).await;
    let connection = house.connection(&merchant).await;
    let order = house.order(&connection, &format!("{name}-1")).await;
    let part = text(&order["fulfillment_orders"][0]["id"]);
    let body = json!({"url": "https://wms.example/in", "merchant_id": merchant, "from": "start"});
    let subscription = text(&house.post("/v1/subscriptions", body).await.is(201).json()["id"]);
    let replay = json!({
        "subscription_id": subscription, "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z",
    });
    house.post("/v1/replays", replay).await.is(202);
    let deliveries = house
        .get(&format!("/v1/deliveries?subscription_id={subscription}"))
        .await
        .json();
    let raw = format!("{{\"secret of\": \"{name}\"}}");
    let hook = request("", "POST", &format!("/hooks/{connection}"), None)
        .insert_header(("x-paperbird-signature", signed(&raw)))
        .insert_header(("x-paperbird-topic", "order.changed"))
        .set_payload(raw);
    house.send(hook).await.is(200);
    let inbox = house
        .get(&format!("/v1/inbox?connection_id={connection}"))
        .await
        .is(200)
        .json();
    let delivery = &deliveries["data"][0];
    Belongings(vec![
        ("merchants", merchant),
        ("connections", connection),
        ("orders", text(&order["id"])),
        ("fulfillment-orders", part),
        ("subscriptions", subscription),
        ("deliveries", text(&delivery["id"])),
        ("events", text(&delivery["event_id"])),
        ("inbox", text(&inbox["data"][0]["id"])),
    ])
}

/// A body that would do something to the other merchant's things.
fn hostile(route: &RouteSpec, theirs: &Belongings) -> Option<Value> {
    Some(match route.body? {
        "NewOrder" => order(&theirs.id("connections"), "x-1"),
        "OverrideOrder" => json!({"set": {"note": "x"}, "reason": "x"}),
        "RefuseOrder" => json!({"reason": "x"}),
        "ResolveConflict" => json!({"path": "note", "choose": "ours"}),
        "NewSubscription" => {
            json!({"url": "https://evil.example", "merchant_id": theirs.id("merchants")})
        }
        "SubscriptionPatch" => json!({"state": "disabled"}),
        "NewReplay" => json!({
            "subscription_id": theirs.id("subscriptions"),
            "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z",
        }),
        _ => json!({}),
    })
}

#[actix_web::test]
async fn a_merchant_never_sees_or_touches_anothers() {
    let house = house();
    let theirs = furnished(&house, "Theirs").await;
    let ours = furnished(&house, "Ours").await;
    let token = house.token("merchant", Some(&ours.id("merchants"))).await;
    let admins = |path: String| house.ask(ADMIN, "GET", Box::leak(path.into_boxed_str()), None);
    let before = admins(format!("/v1/orders/{}", theirs.id("orders")))
        .await
        .json();
    let mut asked = 0;
    for route in ROUTES
        .iter()
        .filter(|r| !r.bare && r.path != "/v1/events/stream")
    {
        if route.access == Access::Public || !route.access.allows(TokenScope::Merchant) {
            continue;
        }
        let path = path_with(route, |tag| theirs.id(tag));
        let told = house
            .ask(&token, route.verb.as_str(), &path, hostile(route, &theirs))
            .await;
        let named = path.contains('_') || route.verb == Verb::Post;
        let place = format!("{} {path}: {}", route.verb.as_str(), told.status);
        assert!(!named || matches!(told.status, 403 | 404 | 422), "{place}");
        let answer = String::from_utf8_lossy(&told.bytes).into_owned();
        for (_, id) in &theirs.0 {
            let sent = path.contains(id.as_str());
            assert!(
                sent && told.status >= 400 || !answer.contains(id.as_str()),
                "{place}\n{answer}"
            );
        }
        assert!(!answer.contains("Theirs"), "{place}\n{answer}");
        asked += 1;
    }
    assert!(asked > 30, "{asked}");
    let after = admins(format!("/v1/orders/{}", theirs.id("orders")))
        .await
        .json();
    assert_eq!(before, after);
    let subscription = admins(format!("/v1/subscriptions/{}", theirs.id("subscriptions"))).await;
    assert_eq!(subscription.is(200).json()["state"], "active");
    // Filters do not widen what the token sees, and its own things are there.
    let filter = format!("/v1/orders?merchant_id={}", theirs.id("merchants"));
    assert_eq!(
        house.ask(&token, "GET", &filter, None).await.is(200).json()["data"],
        json!([])
    );
    let own = house
        .ask(&token, "GET", "/v1/orders", None)
        .await
        .is(200)
        .json();
    assert_eq!(own["data"][0]["id"], ours.id("orders"));
    let own = format!("/v1/inbox/{}/payload", ours.id("inbox"));
    let payload = house.ask(&token, "GET", &own, None).await.is(200);
    assert_eq!(payload.bytes, b"{\"secret of\": \"Ours\"}");
    assert_eq!(payload.header("content-type"), Some("application/json"));
    assert!(
        payload
            .header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
}

#[actix_web::test]
async fn a_revoked_token_is_refused_at_once() {
    let house = house();
    let made = house
        .post("/v1/tokens", json!({"name": "t", "scope": "warehouse"}))
        .await
        .is(201)
        .json();
    let token = text(&made["token"]);
    house
        .ask(&token, "GET", "/v1/fulfillment-orders", None)
        .await
        .is(200);
    house
        .ask(
            ADMIN,
            "DELETE",
            &format!("/v1/tokens/{}", text(&made["id"])),
            None,
        )
        .await
        .is(204);
    house
        .ask(&token, "GET", "/v1/fulfillment-orders", None)
        .await
        .refused(401, "unauthorized");
    let list = house.get("/v1/tokens").await.is(200).json();
    assert_eq!(list["data"][0].get("token"), None);
    assert_eq!(list["data"][0]["revoked_at"].is_string(), true);
    house
        .post("/v1/tokens", json!({"name": "t", "scope": "merchant"}))
        .await
        .refused(422, "invalid_body");
    house
        .post("/v1/tokens", json!({"name": "t", "scope": "root"}))
        .await
        .refused(422, "invalid_body");
}
