//! The real binary as a child process, with a data directory that survives its death.

use super::log::Log;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

pub const TOKEN: &str = "test-admin-token-0123456789abcdef0123456789abcdef";
pub const SECRET: &str = "whsec-test-shop";
/// The order of [`Gateway::settled`].
pub const LAST: u64 = 999_999;
/// Nothing in these tests takes longer; a hang fails instead of blocking CI.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The master key of stores that are not in the data directory.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Settings of a gateway whose store is not in its data directory: that has its URL in a file.
pub fn elsewhere(data: &Path) -> Vec<(&'static str, String)> {
    match std::fs::read_to_string(data.join("store-url")) {
        Err(_) => Vec::new(),
        Ok(url) => vec![
            ("CROSSDOCK_STORE_URL", url),
            ("CROSSDOCK_SECRET_KEY", KEY.to_owned()),
        ],
    }
}

pub struct Gateway {
    child: tokio::process::Child,
    pub addr: SocketAddr,
    pub http: reqwest::Client,
    pub log: Log,
}

/// An answer: status and JSON (null when there is none).
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

impl Gateway {
    /// Starts `serve` on a port of its own and returns when it says that it is ready.
    pub async fn start(data: &Path, env: &[(&str, &str)]) -> Self {
        let started = Self::try_start(data, env).await;
        started.unwrap_or_else(|| {
            let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            panic!("the gateway does not start; its log, newest first: {last:#?}")
        })
    }

    /// Like [`Gateway::start`]; `None` when the process ended before it was ready (a kill point).
    pub async fn try_start(data: &Path, env: &[(&str, &str)]) -> Option<Self> {
        let addr = free_addr();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdock"));
        // Settings of whoever runs the tests, and the tests' own, are none of this gateway's.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CROSSDOCK_")) {
            command.env_remove(name);
        }
        command
            .arg("serve")
            .env("CROSSDOCK_LISTEN", addr.to_string())
            .env("CROSSDOCK_DATA_DIR", data)
            .env("CROSSDOCK_ADMIN_TOKEN", TOKEN)
            .env("CROSSDOCK_ALLOW_PRIVATE_TARGETS", "true")
            .env("CROSSDOCK_MIN_FREE_MB", "0")
            .env("CROSSDOCK_LOG", "debug,hyper=info,h2=info")
            .envs(elsewhere(data))
            .envs(env.iter().copied())
            .current_dir(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut log = Log::of(child.stderr.take().unwrap(), data);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("ready") {
                    return true;
                }
            }
            false
        };
        let ready = tokio::time::timeout(PATIENCE, ready)
            .await
            .expect("ready in time");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        if !ready {
            log.ended().await;
            return None;
        }
        Some(Self {
            child,
            addr,
            http: client(),
            log,
        })
    }

    /// SIGKILL, at once; returns when it is dead, so that the next may have the store.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// The process.
    pub fn pid(&self) -> String {
        self.child.id().unwrap().to_string()
    }

    /// SIGTERM, and the exit status when it has drained.
    pub async fn stop(mut self) -> ExitStatus {
        signal("-TERM", &self.pid());
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("stops in time")
            .unwrap();
        self.log.ended().await;
        status
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("ends in time")
            .unwrap()
    }

    /// The exit status, however long it takes.
    pub async fn gone(&mut self) -> ExitStatus {
        let status = self.child.wait().await.unwrap();
        self.log.ended().await;
        status
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// An API call with the admin's token; `None` when the gateway did not answer.
    pub async fn try_call(&self, method: &str, path: &str, body: Option<Value>) -> Option<Answer> {
        let mut request = self
            .http
            .request(method.parse().unwrap(), self.url(path))
            .bearer_auth(TOKEN)
            .timeout(PATIENCE);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some(Answer { status, json })
    }

    /// An API call that must succeed.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.try_call(method, path, body).await.expect("an answer");
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.json
        );
        answer.json
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    /// A page that is no JSON.
    pub async fn text(&self, path: &str) -> String {
        let answer = self.http.get(self.url(path)).send().await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(body)).await
    }

    /// Every event of the log, by cursor.
    pub async fn all_events(&self) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), 0u64);
        loop {
            let page = self
                .get(&format!("/v1/events?after={after}&limit=500"))
                .await;
            let data = page["data"].as_array().unwrap().clone();
            let next: u64 = page["next"].to_string().trim_matches('"').parse().unwrap();
            if data.is_empty() && next <= after {
                return all;
            }
            all.extend(data);
            if next <= after {
                return all;
            }
            after = next;
        }
    }

    /// Waits, by long poll, until an event fits; everything seen is returned.
    pub async fn wait_for_event(&self, mut fits: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), 0u64);
        let limit = tokio::time::Instant::now() + PATIENCE;
        loop {
            assert!(
                tokio::time::Instant::now() < limit,
                "no such event; seen: {all:#?}"
            );
            let page = self
                .get(&format!("/v1/events?after={after}&limit=500&wait=5"))
                .await;
            after = page["next"].to_string().trim_matches('"').parse().unwrap();
            let data = page["data"].as_array().unwrap().clone();
            let found = data.iter().any(&mut fits);
            all.extend(data);
            if found {
                return all;
            }
        }
    }

    /// A merchant with an active shop connection; (connection id, hook path).
    pub async fn shop(&self, base_url: &str, state: &str) -> (String, String) {
        let credentials = json!({
            "consumer_key": "ck_1111111111111111111111111111111111111111",
            "consumer_secret": "cs_2222222222222222222222222222222222222222",
            "webhook_secret": SECRET,
        });
        self.connect(base_url, state, credentials).await
    }

    /// The same with a simulated shop's own credentials.
    pub async fn shop_of(&self, shop: &super::Shop, state: &str) -> (String, String) {
        let credentials = json!(shop.handle.credentials);
        self.connect(&shop.handle.url(), state, credentials).await
    }

    async fn connect(&self, base_url: &str, state: &str, credentials: Value) -> (String, String) {
        let merchant = self
            .post("/v1/merchants", json!({"name": "Test merchant"}))
            .await;
        let connection = self
            .post(
                "/v1/connections",
                json!({
                    "merchant_id": merchant["id"], "connector": "woocommerce", "name": "Shop",
                    "state": state, "release_from": "2020-01-01T00:00:00Z",
                    "settings": {"base_url": base_url},
                    "credentials": credentials,
                }),
            )
            .await;
        let id = connection["id"].as_str().unwrap().to_owned();
        let hook = format!("/hooks/{id}");
        assert!(connection["hook_url"].as_str().unwrap().ends_with(&hook));
        (id, hook)
    }

    /// Waits until everything that was sent before is decided: deliveries are applied in order of
    /// arrival, and this sends one more.
    pub async fn settled(&self, hook: &str) -> Value {
        self.settled_with(hook, SECRET).await
    }

    /// The same, signed with this secret.
    pub async fn settled_with(&self, hook: &str, secret: &str) -> Value {
        let last = super::orders::order(LAST, 1).to_string();
        assert_eq!(self.signed(hook, secret, &last).await, Some(200));
        let id = LAST.to_string();
        self.wait_for_event(|e| {
            e["type"] == "order.received" && e["data"]["order"]["external_id"] == id.as_str()
        })
        .await;
        let ledger = self.get("/v1/ledger").await;
        for line in ledger["data"].as_array().unwrap() {
            assert_eq!(line["pending"], 0, "{line}");
        }
        ledger
    }

    /// Waits until an order is with the warehouse; its fulfillment order.
    pub async fn submitted(&self, order: &str) -> String {
        let submitted = |e: &Value| {
            e["type"] == "fulfillment_order.submitted" && e["data"]["order"]["external_id"] == order
        };
        let events = self.wait_for_event(submitted).await;
        let event = events.iter().find(|e| submitted(e)).unwrap();
        let id = &event["data"]["fulfillment_order"]["id"];
        id.as_str().unwrap().to_owned()
    }

    /// Ships a fulfillment order; `None` when the gateway did not answer.
    pub async fn ship(&self, part: &str, reference: &str) -> Option<Answer> {
        let parcel = json!({"weight_g": 700, "tracking_number": format!("TN-{reference}")});
        let body = json!({"shipment_ref": reference, "carrier": "Courier", "parcels": [parcel]});
        let path = format!("/v1/fulfillment-orders/{part}/ship");
        self.try_call("POST", &path, Some(body)).await
    }

    /// A signed webhook; the status, or `None` when the gateway did not answer.
    pub async fn webhook(&self, hook: &str, body: &str) -> Option<u16> {
        self.signed(hook, SECRET, body).await
    }

    /// A webhook signed with this secret.
    pub async fn signed(&self, hook: &str, secret: &str, body: &str) -> Option<u16> {
        signed_at(&self.http, &self.url(""), hook, secret, body).await
    }
}

/// A webhook to the gateway at this address.
pub async fn signed_at(
    http: &reqwest::Client,
    base: &str,
    hook: &str,
    secret: &str,
    body: &str,
) -> Option<u16> {
    let request = http
        .post(format!("{base}{hook}"))
        .header("content-type", "application/json")
        .header("x-wc-webhook-topic", "order.updated")
        .header("x-wc-webhook-signature", super::orders::sign(secret, body))
        .body(body.to_owned());
    Some(request.send().await.ok()?.status().as_u16())
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}

/// Sends a signal to a process that we started.
pub fn signal(which: &str, pid: &str) {
    Command::new("kill").args([which, pid]).status().unwrap();
}

pub fn free_addr() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .unwrap()
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
