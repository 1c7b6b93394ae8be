//! The OpenAPI document: every route is in it, every reference leads somewhere, and real answers
//! are what it says.

use super::house::{ADMIN, House, Told, house, text};
use super::json_schema::faults;
use crate::api::openapi::{document, shown};
use crate::api::problem::Code;
use crate::api::routes::ROUTES;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn every_route_is_documented_and_nothing_else() {
    let document = document();
    let mut told = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            told.insert((path.clone(), method.to_uppercase()));
            assert_ne!(operation["summary"], "", "{path}");
            assert!(
                !operation["responses"].as_object().unwrap().is_empty(),
                "{path}"
            );
        }
    }
    let there: BTreeSet<_> = ROUTES
        .iter()
        .map(|r| (shown(r.path), r.verb.as_str().to_owned()))
        .collect();
    assert_eq!(told, there);
    assert_eq!(
        there.len(),
        ROUTES.len(),
        "a route stands twice in the table"
    );
    let ids: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|operation| text(&operation["operationId"]))
        .collect();
    assert_eq!(ids.len(), ROUTES.len());
    for code in Code::ALL {
        assert!(
            text(&document["info"]["description"]).contains(code.as_str()),
            "{code:?}"
        );
    }
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                match (name.as_str(), inner) {
                    ("$ref", Value::String(link)) => found.push(link),
                    _ => references(inner, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut links = Vec::new();
    references(&document, &mut links);
    for link in &links {
        assert!(
            document.pointer(link.trim_start_matches('#')).is_some(),
            "{link}"
        );
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let link = format!("#/components/schemas/{name}");
        assert!(links.contains(&link.as_str()), "{name} is not used");
    }
}

#[test]
fn bodies_refuse_unknown_keys_in_the_document_too() {
    let document = document();
    for route in ROUTES.iter().filter_map(|route| route.body) {
        let schema = &document["components"]["schemas"][route];
        assert_eq!(schema["additionalProperties"], false, "{route}");
    }
}

/// Holds an answer against what the document says of its route and status.
#[track_caller]
fn check(document: &Value, method: &str, path: &str, told: &Told) {
    let operation = &document["paths"][path][method];
    let answer = &operation["responses"][told.status.to_string()];
    assert!(
        !answer.is_null(),
        "{method} {path} answers {} which is not documented",
        told.status
    );
    let kind = told.header("content-type").unwrap_or("none");
    let schema = &answer["content"][kind]["schema"];
    assert!(
        !schema.is_null(),
        "{method} {path} {}: {kind} is not documented",
        told.status
    );
    let found = faults(document, schema, &told.json());
    assert!(
        found.is_empty(),
        "{method} {path} {}:\n{}",
        told.status,
        found.join("\n")
    );
}

async fn furnished(house: &House) -> (String, String, String) {
    let merchant = house.merchant("Foto").await;
    let shop = house.connection(&merchant).await;
    let order = house.order(&shop, "1").await;
    let subscription = json!({"url": "https://wms.example/in", "from": "start"});
    let made = house
        .post("/v1/subscriptions", subscription)
        .await
        .is(201)
        .json();
    let replay = json!({
        "subscription_id": made["id"], "from": "2026-11-23T07:00:00Z", "to": "2026-11-23T09:00:00Z",
    });
    house.post("/v1/replays", replay).await.is(202);
    house.token("operator", None).await;
    let levels =
        json!({"merchant_id": merchant, "levels": [{"sku": "MUG", "on_hand": 3, "sequence": 1}]});
    let told = house
        .ask(ADMIN, "PUT", "/v1/stock-levels", Some(levels))
        .await
        .is(200);
    check(&document(), "put", "/v1/stock-levels", &told);
    (
        shop,
        text(&order["id"]),
        text(&order["fulfillment_orders"][0]["id"]),
    )
}

#[actix_web::test]
async fn real_answers_are_as_documented() {
    let house = house();
    let (shop, order, part) = furnished(&house).await;
    let document = document();
    let mut checked = 0;
    for route in ROUTES
        .iter()
        .filter(|r| r.verb.as_str() == "GET" && !r.bare && !r.path.contains('{'))
    {
        let told = match route.path {
            "/v1/events/stream" | "/metrics" | "/openapi.json" | "/docs" => continue,
            path => house.get(path).await.is(200),
        };
        check(&document, "get", route.path, &told);
        checked += 1;
    }
    assert!(checked >= 15, "{checked}");
    let one = house.get(&format!("/v1/orders/{order}")).await.is(200);
    check(&document, "get", "/v1/orders/{id}", &one);
    let one = house
        .get(&format!("/v1/orders/{order}/timeline"))
        .await
        .is(200);
    check(&document, "get", "/v1/orders/{id}/timeline", &one);
    let one = house.get("/v1/connectors/paperbird").await.is(200);
    check(&document, "get", "/v1/connectors/{id}", &one);
    let one = house.get(&format!("/v1/connections/{shop}")).await.is(200);
    check(&document, "get", "/v1/connections/{id}", &one);
    let held = house
        .post(&format!("/v1/orders/{order}/hold"), json!({"detail": "x"}))
        .await
        .is(200);
    check(&document, "post", "/v1/orders/{id}/hold", &held);
    house
        .ask(ADMIN, "POST", &format!("/v1/orders/{order}/release"), None)
        .await
        .is(200);
    let ship = json!({"shipment_ref": "S", "parcels": [{"tracking_number": "T"}]});
    let told = house
        .post(&format!("/v1/fulfillment-orders/{part}/ship"), ship)
        .await
        .is(201);
    check(&document, "post", "/v1/fulfillment-orders/{id}/ship", &told);
    for (method, path, body) in [
        ("POST", "/v1/merchants", json!({"name": 1})),
        ("POST", "/v1/merchants", json!({"name": "x"})),
        (
            "POST",
            "/v1/subscriptions",
            json!({"url": "https://x.example"}),
        ),
        (
            "POST",
            "/v1/tokens",
            json!({"name": "x", "scope": "operator"}),
        ),
    ] {
        let told = house.ask(ADMIN, method, path, Some(body)).await;
        check(&document, &method.to_lowercase(), path, &told);
    }
    let told = house.ask("", "GET", "/v1/orders", None).await.is(401);
    check(&document, "get", "/v1/orders", &told);
}

#[actix_web::test]
async fn the_served_document_is_this_one() {
    let house = house();
    let told = house.ask("", "GET", "/openapi.json", None).await.is(200);
    assert_eq!(told.json(), document());
}
