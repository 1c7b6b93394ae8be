//! Merchants, connections, connectors, tokens, subscriptions.

use super::house::{ADMIN, connection, house, text};
use serde_json::{Value, json};

#[actix_web::test]
async fn a_merchant_is_made_listed_and_read() {
    let house = house();
    let made = house
        .post(
            "/v1/merchants",
            json!({"name": " Foto ", "timezone": "Europe/Riga"}),
        )
        .await
        .is(201);
    let merchant = made.json();
    let id = text(&merchant["id"]);
    assert_eq!(
        made.header("location"),
        Some(format!("/v1/merchants/{id}").as_str())
    );
    assert_eq!(
        merchant,
        json!({
            "id": id, "name": "Foto", "timezone": "Europe/Riga", "settings": {},
            "created_at": "2026-11-23T08:00:00Z",
        })
    );
    assert_eq!(
        house
            .get(&format!("/v1/merchants/{id}"))
            .await
            .is(200)
            .json(),
        merchant
    );
    let list = house.get("/v1/merchants").await.is(200).json();
    let names: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["name"])
        .collect();
    assert!(names.contains(&&json!("Foto")), "{names:?}");
    for bad in [
        json!({"name": ""}),
        json!({"name": "x", "timezone": "Mars"}),
        json!({}),
        json!({"name": "x", "colour": "red"}),
        json!({"name": 7}),
        json!([]),
        json!({"name": "x", "settings": {"cut_off": "noon"}}),
    ] {
        house
            .post("/v1/merchants", bad)
            .await
            .refused(422, "invalid_body");
    }
    house
        .get("/v1/merchants/mer_0")
        .await
        .refused(404, "not_found");
}

#[actix_web::test]
async fn a_connection_begins_observing_and_shows_no_credential() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let mut body = connection(&merchant, "observing");
    body.as_object_mut().unwrap().remove("state");
    let made = house.post("/v1/connections", body).await.is(201);
    let shown = made.json();
    let id = text(&shown["id"]);
    assert_eq!(shown["state"], "observing");
    assert_eq!(shown["release_from"], Value::Null);
    assert_eq!(
        shown["hook_url"],
        format!("https://gateway.example/hooks/{id}")
    );
    assert_eq!(shown["credentials_set"], json!(["token", "webhook_secret"]));
    assert_eq!(
        shown["settings"],
        json!({"base_url": "https://shop.paperbird.example", "currency": "EUR"})
    );
    for told in [
        made,
        house.get(&format!("/v1/connections/{id}")).await,
        house.get("/v1/audit").await,
    ] {
        let text = String::from_utf8(told.bytes).unwrap();
        assert!(
            !text.contains("pb_0123456789") && !text.contains("made-up-secret"),
            "{text}"
        );
    }
    let jobs = house
        .get(&format!("/v1/jobs?connection_id={id}"))
        .await
        .is(200)
        .json();
    let kinds: Vec<_> = jobs["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|j| &j["kind"])
        .collect();
    assert_eq!(kinds, ["connection.check"]);
}

#[actix_web::test]
async fn what_does_not_fit_the_form_is_named() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let mut body = connection(&merchant, "active");
    body["settings"] = json!({"base_ulr": "https://x.example", "cut_off": "25:00"});
    body["credentials"] = json!({"token": "short"});
    let told = house
        .post("/v1/connections", body.clone())
        .await
        .refused(422, "invalid_body")
        .json();
    let paths: Vec<_> = told["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| text(&f["path"]))
        .collect();
    assert!(
        paths.iter().all(|path| path.starts_with("credentials.")),
        "{paths:?}"
    );
    assert!(!told.to_string().contains("short"), "{told}");
    body["credentials"] = connection(&merchant, "active")["credentials"].clone();
    let told = house
        .post("/v1/connections", body.clone())
        .await
        .refused(422, "invalid_body")
        .json();
    let mut paths: Vec<_> = told["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| text(&f["path"]))
        .collect();
    paths.sort();
    assert_eq!(
        paths,
        ["settings.base_ulr", "settings.base_url", "settings.cut_off"]
    );
    body["connector"] = json!("paperbrid");
    let told = house
        .post("/v1/connections", body.clone())
        .await
        .refused(422, "unknown_connector")
        .json();
    assert_eq!(told["hint"], "did you mean `paperbird`?");
    body["state"] = json!("deleted");
    house
        .post("/v1/connections", body)
        .await
        .refused(422, "invalid_body");
    let stranger = connection("mer_0123456789abcdef0123456789abcdef", "active");
    house
        .post("/v1/connections", stranger)
        .await
        .refused(422, "invalid_body");
}

#[actix_web::test]
async fn activation_sets_the_moment_of_release_and_observing_takes_it_back() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let made = house
        .post("/v1/connections", connection(&merchant, "observing"))
        .await
        .is(201)
        .json();
    let path = format!("/v1/connections/{}", text(&made["id"]));
    let active = house
        .patch(&path, json!({"state": "active"}))
        .await
        .is(200)
        .json();
    assert_eq!(active["state"], "active");
    assert_eq!(active["release_from"], "2026-11-23T08:00:00Z");
    let paused = house
        .ask(ADMIN, "POST", &format!("{path}/pause"), None)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&paused["state"], &paused["release_from"]),
        (&json!("paused"), &active["release_from"])
    );
    let resumed = house
        .ask(ADMIN, "POST", &format!("{path}/resume"), None)
        .await
        .is(200)
        .json();
    assert_eq!(resumed["state"], "active");
    let events = house
        .get("/v1/events?types=connection.resumed")
        .await
        .is(200)
        .json();
    assert_eq!(events["data"][0]["data"]["connection"]["id"], made["id"]);
    let watching = house
        .patch(&path, json!({"state": "observing"}))
        .await
        .is(200)
        .json();
    assert_eq!(watching["release_from"], Value::Null);
    // Pausing what only watched must not make it ship when it is resumed.
    house
        .ask(ADMIN, "POST", &format!("{path}/pause"), None)
        .await
        .is(200);
    let resumed = house
        .ask(ADMIN, "POST", &format!("{path}/resume"), None)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&resumed["state"], &resumed["release_from"]),
        (&json!("observing"), &Value::Null)
    );
}

#[actix_web::test]
async fn a_patch_merges_and_says_what_it_cannot_change() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let id = house.connection(&merchant).await;
    let path = format!("/v1/connections/{id}");
    let patch = json!({"name": "New", "settings": {"location": "sofia"}, "credentials": {"token": "pb_abcdefghij"}});
    let shown = house.patch(&path, patch).await.is(200).json();
    assert_eq!(shown["name"], "New");
    assert_eq!(
        shown["settings"]["base_url"],
        "https://shop.paperbird.example"
    );
    assert_eq!(shown["settings"]["location"], "sofia");
    let shown = house
        .patch(&path, json!({"settings": {"location": null}}))
        .await
        .is(200)
        .json();
    assert_eq!(shown["settings"].get("location"), None);
    let same = house.patch(&path, json!({})).await.is(200).json();
    assert_eq!(same["version"], shown["version"]);
    let other = house.merchant("Other").await;
    house
        .patch(&path, json!({"merchant_id": other}))
        .await
        .refused(422, "invalid_body");
    house
        .patch(&path, json!({"connector": "x"}))
        .await
        .refused(422, "invalid_body");
    house
        .patch(&path, json!({"release_from": null}))
        .await
        .refused(422, "invalid_body");
    house
        .patch(&path, json!({"settings": {"base_url": null}}))
        .await
        .refused(422, "invalid_body");
    house.ask(ADMIN, "DELETE", &path, None).await.is(204);
    house
        .patch(&path, json!({"name": "x"}))
        .await
        .refused(410, "gone");
    assert_eq!(house.get(&path).await.is(200).json()["state"], "deleted");
    assert_eq!(house.get("/v1/connections").await.json()["data"], json!([]));
}

#[actix_web::test]
async fn check_and_pull_are_jobs() {
    let house = house();
    let merchant = house.merchant("Foto").await;
    let id = house.connection(&merchant).await;
    let told = house
        .ask(ADMIN, "POST", &format!("/v1/connections/{id}/check"), None)
        .await
        .is(202);
    assert_eq!(told.json(), json!({"queued": ["connection.check"]}));
    let told = house
        .post(&format!("/v1/connections/{id}/pull"), json!({}))
        .await
        .is(202);
    assert_eq!(told.json(), json!({"queued": ["orders.pull"]}));
}

#[actix_web::test]
async fn connectors_show_their_form() {
    let house = house();
    let list = house.get("/v1/connectors").await.is(200).json();
    assert!(
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["id"] == "paperbird")
    );
    let one = house.get("/v1/connectors/paperbird").await.is(200).json();
    assert_eq!(
        one["form"]["properties"]["credentials"]["properties"]["token"]["writeOnly"],
        true
    );
    assert_eq!(one["webhook_secret"], "webhook_secret");
    house
        .get("/v1/connectors/nothing")
        .await
        .refused(404, "not_found");
}

#[actix_web::test]
async fn a_subscriptions_secret_is_shown_once() {
    let house = house();
    let body = json!({"url": "https://wms.example/in", "event_types": ["order.released", "order.released"]});
    let made = house.post("/v1/subscriptions", body).await.is(201).json();
    assert!(text(&made["secret"]).starts_with("whsec_"));
    assert_eq!(made["event_types"], json!(["order.released"]));
    let path = format!("/v1/subscriptions/{}", text(&made["id"]));
    let shown = house.get(&path).await.is(200).json();
    assert_eq!(shown.get("secret"), None);
    let off = house
        .patch(&path, json!({"state": "disabled", "reason": "moving"}))
        .await
        .is(200)
        .json();
    assert_eq!(
        (&off["state"], &off["disabled_reason"]),
        (&json!("disabled"), &json!("moving"))
    );
    house.ask(ADMIN, "DELETE", &path, None).await.is(204);
    house.get(&path).await.refused(404, "not_found");
    for bad in [
        json!({"url": "ftp://x.example"}),
        json!({"url": "https://x.example", "event_types": ["order.eaten"]}),
        json!({"url": "https://x.example", "from": "yesterday"}),
    ] {
        house
            .post("/v1/subscriptions", bad)
            .await
            .refused(422, "invalid_body");
    }
}

#[actix_web::test]
async fn a_merchant_is_erased_when_its_connections_are_gone() {
    let house = house();
    let made = house.post("/v1/merchants", json!({"name": "Leaves"})).await;
    let merchant = text(&made.is(201).json()["id"]);
    let shop = house
        .post("/v1/connections", connection(&merchant, "active"))
        .await;
    let shop = text(&shop.is(201).json()["id"]);
    let path = format!("/v1/merchants/{merchant}/erase");
    let name = || json!({"name": "Leaves"});
    house
        .post(&path, json!({"name": "Stays"}))
        .await
        .refused(422, "invalid_body");
    let told = house.post(&path, name()).await;
    let told = told.refused(409, "invalid_state").json();
    assert_eq!(told["current"]["connections"], json!([shop]));
    let path_of_shop = format!("/v1/connections/{shop}");
    house
        .ask(ADMIN, "DELETE", &path_of_shop, None)
        .await
        .is(204);
    let erased = house.post(&path, name()).await.is(200).json();
    assert_eq!(erased["name"], "Leaves");
    assert!(erased["erased_at"].is_string(), "{erased}");
    // Nothing is begun for it.
    let token = json!({"name": "t", "scope": "merchant", "merchant_id": merchant});
    for (path, body) in [
        ("/v1/connections", connection(&merchant, "active")),
        (
            "/v1/subscriptions",
            json!({"url": "https://wms.example/in", "merchant_id": merchant}),
        ),
        ("/v1/tokens", token),
    ] {
        house.post(path, body).await.refused(422, "invalid_body");
    }
    // There is nothing left to erase, and of the operator nothing may be.
    house.post(&path, name()).await.refused(404, "not_found");
    let operator = "/v1/merchants/mer_00000000000000000000000000000001";
    let called = house.get(operator).await.is(200).json()["name"].clone();
    house
        .post(&format!("{operator}/erase"), json!({"name": called}))
        .await
        .refused(409, "conflict");
}
