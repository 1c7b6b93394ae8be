//! A made-up carrier that runs: a folder of `tests/data/carriers` with its simulator, which counts
//! the labels that it makes.

use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;

pub struct Courier {
    pub name: &'static str,
    handle: Handle,
    http: reqwest::Client,
}

/// The folder of carriers, for `CROSSDOCK_CONNECTORS_DIR`.
pub fn folders() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/carriers")
}

impl Courier {
    pub async fn start(name: &'static str) -> Self {
        Self::with(name, Options::default()).await
    }

    pub async fn with(name: &'static str, options: Options) -> Self {
        let folder = Folder::load(Source::Disk(folders().join(name))).unwrap();
        let handle = simulator::serve(&folder, "127.0.0.1:0".parse().unwrap(), options)
            .await
            .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            name,
            handle,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.handle.addr
    }

    /// What a connection to it needs.
    pub fn connection(&self, merchant: &Value) -> Value {
        json!({
            "merchant_id": merchant, "connector": self.name, "name": "Carrier", "state": "active",
            "settings": self.handle.settings, "credentials": self.handle.credentials,
            "contracts": {"default": {"sender": {"name": "Depot", "line1": "Dock 1", "city": "Athens", "country": "GR"}}},
        })
    }

    pub async fn sim(&self, verb: &str, route: &str, body: Value) -> Value {
        let url = format!("{}/_sim{route}", self.handle.url());
        let request = self.http.request(verb.parse().unwrap(), url);
        let answer = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{verb} {route}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub async fn state(&self) -> Value {
        self.sim("GET", "/state", Value::Null).await["state"].clone()
    }

    /// Numbers of all labels that it ever made.
    pub async fn made(&self) -> Vec<String> {
        let state = self.state().await;
        let made = state["made"].as_array().unwrap();
        made.iter()
            .map(|label| label["number"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The next answers of this route are lost, though the call is done.
    pub async fn lose_answers(&self, route: &str, times: u64) {
        let fault = json!({"route": route, "drop_answer": true, "times": times});
        self.sim("POST", "/faults", fault).await;
    }

    /// Calls of a route so far.
    pub async fn calls(&self, route: &str) -> u64 {
        let shown = self.sim("GET", "/state", Value::Null).await;
        shown["counters"][format!("request.{route}")]
            .as_u64()
            .unwrap_or(0)
    }
}
