//! The release binary under test, with a fresh store, and what the system says of it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const TOKEN: &str = "bench-admin-token-0123456789abcdef0123456789";
pub const SECRET: &str = "bench-webhook-secret";

pub struct Gateway {
    child: Child,
    pub addr: SocketAddr,
    pub ready_ms: f64,
    http: reqwest::Client,
}

impl Gateway {
    pub async fn start(data: &Path, role: &str) -> Self {
        Self::start_with(data, role, &[]).await
    }

    /// The same with settings of its own.
    pub async fn start_with(data: &Path, role: &str, env: &[(&str, &str)]) -> Self {
        let addr = free_addr();
        let started = Instant::now();
        // Another build's binary can be measured beside this one's.
        let binary = std::env::var("BENCH_BINARY")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_crossdock").to_owned());
        let child = Command::new(binary)
            .arg("serve")
            .env("CROSSDOCK_LISTEN", addr.to_string())
            .env("CROSSDOCK_DATA_DIR", data)
            .env("CROSSDOCK_ADMIN_TOKEN", TOKEN)
            .env("CROSSDOCK_ROLE", role)
            .env("CROSSDOCK_ALLOW_PRIVATE_TARGETS", "true")
            .env("CROSSDOCK_LOG", "warn")
            .envs(env.iter().copied())
            .current_dir(data)
            .stdout(Stdio::null())
            .spawn()
            .expect("start the gateway");
        let http = client();
        let limit = Instant::now() + Duration::from_secs(60);
        while http
            .get(format!("http://{addr}/readyz"))
            .send()
            .await
            .map_or(true, |r| !r.status().is_success())
        {
            assert!(Instant::now() < limit, "the gateway did not become ready");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let ready_ms = started.elapsed().as_secs_f64() * 1_000.0;
        Self {
            child,
            addr,
            ready_ms,
            http,
        }
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.send(reqwest::Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Value {
        self.send(reqwest::Method::PATCH, path, body).await
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let answer = self
            .http
            .request(method, format!("http://{}{path}", self.addr))
            .bearer_auth(TOKEN)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("json")
    }

    pub async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.addr);
        let answer = self
            .http
            .get(url)
            .bearer_auth(TOKEN)
            .send()
            .await
            .expect("get");
        serde_json::from_str(&answer.text().await.expect("text")).expect("json")
    }

    /// A merchant with an active shop connection; returns the path that its webhooks go to.
    pub async fn shop(&self, name: &str) -> String {
        self.shop_of(name).await.0
    }

    /// The same, and the merchant's id.
    pub async fn shop_of(&self, name: &str) -> (String, Value) {
        let merchant = self.post("/v1/merchants", json!({"name": name})).await;
        let connection = self
            .post(
                "/v1/connections",
                json!({
                    "merchant_id": merchant["id"], "connector": "woocommerce", "name": name,
                    "state": "active", "release_from": "2020-01-01T00:00:00Z",
                    // Nobody listens there: polls fail and wait, which is what the bench wants.
                    "settings": {"base_url": "http://127.0.0.1:9"},
                    "credentials": {"consumer_key": "ck_0000000000000000000000000000000000000000",
                        "consumer_secret": "cs_0000000000000000000000000000000000000000", "webhook_secret": SECRET},
                }),
            )
            .await;
        let hook = format!("/hooks/{}", connection["id"].as_str().expect("id"));
        (hook, merchant["id"].clone())
    }

    /// A metric by its name and labels; 0 when it is not there.
    pub async fn metric(&self, name: &str) -> f64 {
        let url = format!("http://{}/metrics", self.addr);
        let answer = self.http.get(url).bearer_auth(TOKEN).send().await;
        let text = answer.expect("get").text().await.expect("text");
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|v| v.trim().parse().ok()).unwrap_or(0.0)
    }

    /// CPU seconds by thread name.
    pub fn cpu_by_thread(&self) -> BTreeMap<String, f64> {
        cpu_by_thread(&self.child.id().to_string())
    }

    /// CPU seconds in all.
    pub fn cpu(&self) -> f64 {
        self.cpu_by_thread().values().sum()
    }

    /// Sends a GET and reads the answer whole; how long it took, in microseconds.
    pub async fn timed(&self, path: &str) -> (u64, Value) {
        let started = Instant::now();
        let answer = self.get(path).await;
        let took = started.elapsed().as_micros() as u64;
        assert!(answer["code"].is_null(), "{path}: {answer}");
        (took, answer)
    }

    /// Resident memory now and at its peak, MiB.
    pub fn memory_mib(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .unwrap_or_default();
        let read = |key: &str| {
            status
                .lines()
                .find_map(|line| {
                    line.strip_prefix(key)?
                        .trim()
                        .trim_end_matches(" kB")
                        .parse::<f64>()
                        .ok()
                })
                .unwrap_or(0.0)
                / 1_024.0
        };
        (read("VmRSS:"), read("VmHWM:"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU seconds of a process's threads, by name without their numbers.
pub fn cpu_by_thread(process: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else {
        return sums;
    };
    for task in tasks.flatten() {
        let Ok(name) = std::fs::read_to_string(task.path().join("comm")) else {
            continue;
        };
        // Nanoseconds on a core; `stat` counts in hundredths of a second.
        let Ok(spent) = std::fs::read_to_string(task.path().join("schedstat")) else {
            continue;
        };
        let nanos = spent.split(' ').next().and_then(|n| n.parse::<f64>().ok());
        let name = name
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || "-:".contains(c));
        *sums.entry(name.to_owned()).or_insert(0.0) += nanos.unwrap_or(0.0) / 1e9;
    }
    sums
}

fn free_addr() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a free port")
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("client")
}
