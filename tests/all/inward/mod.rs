//! No calls inward: a gateway that may not call private addresses is told of them in every place that
//! a merchant, a shop or a subscriber can write an address into, and in every spelling; and a
//! redirect leads nowhere.
//!
//! The listener at the other end counts: nobody ever connects to it.

use super::support::Gateway;
use super::support::gateway::PATIENCE;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every request with this head, and counts them.
struct Inside {
    addr: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Inside {
    async fn answering(head: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let head = head.clone();
                tokio::spawn(async move {
                    let mut request = [0; 8_192];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(head.as_bytes()).await;
                });
            }
        });
        Self { addr, asked }
    }
    async fn start() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into())
            .await
    }
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The same place, and others of its kind, in every spelling that a URL has for it.
fn spellings(port: u16) -> Vec<String> {
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "[fe80::1]",
    ]
    .iter()
    .map(|host| format!("http://{host}:{port}"))
    .collect()
}

async fn guarded() -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let env = [("CROSSDOCK_ALLOW_PRIVATE_TARGETS", "false")];
    let gateway = Gateway::start(data.path(), &env).await;
    (data, gateway)
}

/// Asks until the answer fits; a long poll of the feed is the pause.
async fn until(gateway: &Gateway, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let limit = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = gateway.get(path).await;
        if fits(&now) {
            return now;
        }
        assert!(tokio::time::Instant::now() < limit, "{path}: {now:#}");
        gateway.get("/v1/events?after=999999999&wait=1").await;
    }
}

/// What is said of a broker that is not called.
const BROKER_BLOCKED: &str = "blocked: the broker's address is not a public one";

#[tokio::test]
async fn deliveries_do_not_go_inward() {
    not_inward("http", 20).await;
}

#[tokio::test]
async fn events_to_brokers_do_not_go_inward() {
    not_inward("nats", 20).await;
}

/// Subscriptions of this scheme in every spelling; so many at least are blocked at the last moment
/// and not refused before.
async fn not_inward(scheme: &str, at_least: usize) {
    let inside = Inside::start().await;
    let (_data, gateway) = guarded().await;
    let mut subscriptions = Vec::new();
    for url in spellings(inside.addr.port()) {
        let url = url.replace("http:", &format!("{scheme}:"));
        let body = json!({"url": format!("{url}/in"), "from": "start"});
        let made = gateway
            .try_call("POST", "/v1/subscriptions", Some(body))
            .await;
        let made = made.unwrap();
        assert!(matches!(made.status, 201 | 422), "{url}: {}", made.json);
        if made.status == 201 {
            subscriptions.push(made.json["id"].as_str().unwrap().to_owned());
        }
    }
    assert!(subscriptions.len() > at_least, "{}", subscriptions.len());
    let (_, hook) = gateway.shop("https://shop.invalid", "observing").await;
    gateway.settled(&hook).await;
    let mut blocked = 0;
    for id in subscriptions {
        // To replay is to try at once, and the row tells what came of it.
        let path = format!("/v1/deliveries?subscription_id={id}");
        let tried = |list: &Value| {
            let rows = list["data"].as_array().unwrap();
            rows.iter().any(|row| row["last_error"].is_string())
        };
        let body = json!({"subscription_id": id, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"});
        gateway.post("/v1/replays", body).await;
        let rows = until(&gateway, &path, tried).await;
        for row in rows["data"].as_array().unwrap() {
            match row["last_error"].as_str() {
                Some("address_blocked" | BROKER_BLOCKED) => blocked += 1,
                // A spelling that is a name here, of nobody.
                None | Some("dns" | "the broker's name cannot be resolved") => {}
                Some(other) => panic!("{other}"),
            }
        }
    }
    assert!(blocked > at_least, "{blocked}");
    assert_eq!(inside.asked(), 0);
}

#[tokio::test]
async fn calls_of_providers_and_what_is_read_anew_do_not_go_inward() {
    let inside = Inside::start().await;
    let (_data, gateway) = guarded().await;
    let mut made_of = 0;
    for url in spellings(inside.addr.port()) {
        let merchant = gateway.post("/v1/merchants", json!({"name": url})).await;
        let body = json!({
            "merchant_id": merchant["id"], "connector": "woocommerce", "name": "Shop",
            "state": "active", "settings": {"base_url": url},
            "credentials": {
                "consumer_key": "ck_1111111111111111111111111111111111111111",
                "consumer_secret": "cs_2222222222222222222222222222222222222222",
                "webhook_secret": "whsec-test-shop",
            },
        });
        let made = gateway
            .try_call("POST", "/v1/connections", Some(body))
            .await;
        let made = made.unwrap();
        assert!(matches!(made.status, 201 | 422), "{url}: {}", made.json);
        made_of += usize::from(made.status == 201);
    }
    assert!(made_of > 20, "{made_of}");
    // The check, the registration of webhooks and the poll are tried by themselves.
    let told = |list: &Value| {
        let problems = list["data"].as_array().unwrap().iter();
        let blocked = problems.filter(|p| p.to_string().contains("address_blocked"));
        let of: BTreeSet<&str> = blocked
            .filter_map(|p| p["connection_id"].as_str())
            .collect();
        of.len() >= 20
    };
    until(&gateway, "/v1/problems?limit=500", told).await;
    assert_eq!(inside.asked(), 0);
}

#[tokio::test]
async fn a_webhook_makes_nobody_read_an_order_inside() {
    let inside = Inside::start().await;
    let (_data, gateway) = guarded().await;
    let merchant = gateway.post("/v1/merchants", json!({"name": "M"})).await;
    let port = inside.addr.port();
    let body = json!({
        "merchant_id": merchant["id"], "connector": "skroutz", "name": "Market", "state": "active",
        "settings": {"base_url": format!("http://127.0.0.1:{port}"), "hook_networks": "127.0.0.0/8"},
        "credentials": {"token": "made-up-orders-token"},
    });
    let made = gateway
        .try_call("POST", "/v1/connections", Some(body))
        .await
        .unwrap();
    assert_eq!(made.status, 201, "{}", made.json);
    let id = made.json["id"].as_str().unwrap();
    let hook = include_str!("../../../connectors/skroutz/fixtures/hook-accepted/input.json");
    let request = gateway.http.post(gateway.url(&format!("/hooks/{id}")));
    let sent = request
        .header("content-type", "application/json")
        .body(hook)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let told = |list: &Value| list.to_string().contains("address_blocked");
    until(&gateway, &format!("/v1/problems?connection_id={id}"), told).await;
    assert_eq!(inside.asked(), 0);
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let inside = Inside::start().await;
    let head = |code: u16| {
        format!(
            "HTTP/1.1 {code} Elsewhere\r\nlocation: http://{}/secret\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            inside.addr
        )
    };
    let data = tempfile::tempdir().unwrap();
    // Private targets are allowed here: only so are there two of them.
    let gateway = Gateway::start(data.path(), &[]).await;
    for code in [301, 302, 303, 307, 308] {
        let outside = Inside::answering(head(code)).await;
        let body = json!({"url": format!("http://{}/in", outside.addr), "from": "start"});
        gateway.post("/v1/subscriptions", body).await;
        // The subscriber and the shop are both asked, and both send elsewhere.
        gateway
            .shop(&format!("http://{}", outside.addr), "active")
            .await;
        let limit = tokio::time::Instant::now() + PATIENCE;
        while outside.asked() < 3 {
            assert!(
                tokio::time::Instant::now() < limit,
                "{code}: {}",
                outside.asked()
            );
            gateway.get("/v1/events?after=999999999&wait=1").await;
        }
    }
    assert_eq!(inside.asked(), 0);
}
