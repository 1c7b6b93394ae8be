//! Webhooks of every connector that takes them, against a whole gateway: told twice, cut off, with a
//! strange sender, and from a provider that says more than it did.

use super::{cases, connectors};
use crate::support::gateway::Gateway;
use crossdock::connector::Connector;
use crossdock::manifest::fixture::{Case, Kind, Outcome};
use crossdock::manifest::model::Verify;
use serde_json::{Map, Value, json};

const FORWARDED: &str = "x-forwarded-for";

/// A request to a hook, with every header that its fixture has.
async fn send(gateway: &Gateway, hook: &str, case: &Case, body: Vec<u8>) -> u16 {
    let path = match &case.topic {
        Some(topic) if case.headers.is_empty() => format!("{hook}/{topic}"),
        _ => hook.to_owned(),
    };
    let mut request = gateway.http.post(gateway.url(&path)).body(body);
    let mut headers = case.headers.clone();
    if let Some(from) = case.from {
        // It comes from this machine, which is one of the connection's proxies.
        let before = headers.get(FORWARDED).map(|hops| format!("{hops}, "));
        let hops = format!("{}{from}", before.unwrap_or_default());
        headers.insert(FORWARDED.to_owned(), hops);
    }
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// A connection as the fixture wants it; what its form requires comes from the examples.
async fn connect(gateway: &Gateway, connector: &Connector, case: &Case) -> String {
    let merchant = gateway
        .post("/v1/merchants", json!({"name": "Test merchant"}))
        .await;
    let manifest = connector.manifest();
    let mut settings = case.settings.clone();
    for (name, field) in &manifest.settings {
        if let (true, Some(example)) = (field.required, &field.example) {
            settings
                .entry(name.clone())
                .or_insert_with(|| json!(example));
        }
    }
    let verify = manifest.webhooks.as_ref().map(|hooks| &hooks.verify);
    if let Some(Verify::IpAllow { proxies, .. }) = verify {
        let name = proxies.clone().unwrap();
        let others = settings.get(&name).and_then(Value::as_str);
        let others = others.map(|others| format!("{others}, "));
        let all = format!("{}127.0.0.0/8", others.unwrap_or_default());
        settings.insert(name, json!(all));
        // What is read anew is asked of nobody here.
        settings.insert("base_url".to_owned(), json!("http://127.0.0.1:9"));
    }
    let mut credentials: Map<String, Value> = Map::new();
    for (name, field) in &manifest.credentials {
        let given = case.credentials.get(name).cloned();
        if let Some(value) = given.or_else(|| field.example.clone().filter(|_| field.required)) {
            credentials.insert(name.clone(), json!(value));
        }
    }
    let body = json!({
        "merchant_id": merchant["id"], "connector": connector.id(), "name": "Provider",
        "state": "observing", "settings": settings, "credentials": credentials,
    });
    let connection = gateway.post("/v1/connections", body).await;
    connection["id"].as_str().unwrap().to_owned()
}

/// All records of a connection once none is pending.
async fn records(gateway: &Gateway, connection: &str) -> Vec<Value> {
    let limit = tokio::time::Instant::now() + crate::support::gateway::PATIENCE;
    loop {
        let path = format!("/v1/inbox?connection_id={connection}&limit=500");
        let all = gateway.get(&path).await["data"].as_array().unwrap().clone();
        if all.iter().all(|record| record["disposition"] != "pending") {
            return all;
        }
        assert!(
            tokio::time::Instant::now() < limit,
            "still pending: {all:#?}"
        );
        // A long poll of the feed is the pause.
        gateway.get("/v1/events?after=999999999&wait=1").await;
    }
}

fn signed(connector: &Connector) -> bool {
    let webhooks = connector.manifest().webhooks.as_ref().unwrap();
    matches!(webhooks.verify, Verify::Hmac { .. })
}

#[tokio::test]
async fn hooks_take_what_is_proved_and_keep_what_they_took() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    for connector in connectors() {
        if connector.manifest().webhooks.is_none() {
            continue;
        }
        let accepted = cases(&connector, Kind::Webhook);
        let accepted = accepted
            .iter()
            .filter(|case| case.outcome == Some(Outcome::Accepted));
        let accepted: Vec<&Case> = accepted.collect();
        assert!(!accepted.is_empty(), "{} shows no webhook", connector.id());
        for case in accepted {
            let at = format!("{}/{}", connector.id(), case.name);
            let connection = connect(&gateway, &connector, case).await;
            let hook = format!("/hooks/{connection}");
            let body = case.bytes("input").unwrap().unwrap_or_default();
            if signed(&connector) {
                let mut other = body.clone();
                other.push(b' ');
                assert_eq!(
                    send(&gateway, &hook, case, other).await,
                    401,
                    "{at}: another body"
                );
                let cut = body[..body.len() / 2].to_vec();
                assert_eq!(send(&gateway, &hook, case, cut).await, 401, "{at}: cut off");
                assert_eq!(records(&gateway, &connection).await.len(), 0, "{at}");
            }
            let status = send(&gateway, &hook, case, body.clone()).await;
            assert!((200..300).contains(&status), "{at}: {status}");
            let once = records(&gateway, &connection).await;
            assert!(!once.is_empty(), "{at}");
            send(&gateway, &hook, case, body).await;
            let twice = records(&gateway, &connection).await;
            let changed = |records: &[Value]| {
                records
                    .iter()
                    .filter(|r| r["disposition"] == "applied")
                    .count()
            };
            assert_eq!(
                changed(&once),
                changed(&twice),
                "{at}: told twice, done twice"
            );
            let problems = gateway
                .get(&format!("/v1/problems?status=open&subject={connection}"))
                .await;
            assert_eq!(problems["data"], json!([]), "{at}");
        }
    }
    let ledger = gateway.get("/v1/ledger").await;
    for line in ledger["data"].as_array().unwrap() {
        assert_eq!(line["pending"], 0, "{line}");
    }
}
