//! A simulated shop in the test's own process: its provider's API, its controls, and waiting for
//! what it came to.

use super::gateway::{PATIENCE, client};
use base64::Engine;
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
pub const HOOK_SECRET: &str = "a secret of sixteen";

pub fn hmac(key: &[u8], message: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

pub async fn json_of(answer: reqwest::Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

pub struct Shop {
    pub handle: Handle,
    pub http: reqwest::Client,
}

impl Shop {
    pub async fn open(options: Value) -> Self {
        let source = Source::built_in()
            .into_iter()
            .find(|source| source.name() == "woocommerce")
            .unwrap();
        let options = Options {
            options: options.as_object().unwrap().clone(),
            ..Options::default()
        };
        let handle = simulator::serve(
            &Folder::load(source).unwrap(),
            "127.0.0.1:0".parse().unwrap(),
            options,
        )
        .await
        .unwrap();
        Self {
            handle,
            http: client(),
        }
    }

    /// A call signed by OAuth 1.0a, as the shop wants it on plain http.
    pub async fn api(
        &self,
        verb: &str,
        route: &str,
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> reqwest::Response {
        let url = format!("{}/wp-json/wc/v3{route}", self.handle.url());
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let now = jiff::Timestamp::now().as_second().to_string();
        let mut params: Vec<(String, String)> = query
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let key = self.handle.credentials["consumer_key"].as_str();
        for (name, value) in [
            ("oauth_consumer_key", key),
            ("oauth_nonce", "n0nce"),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", &now),
        ] {
            params.push((name.to_owned(), value.to_owned()));
        }
        params.sort();
        let joined = params
            .iter()
            .map(|(n, v)| format!("{}={}", encode(n), encode(v)))
            .collect::<Vec<_>>()
            .join("&");
        let base = format!("{verb}&{}&{}", encode(&url), encode(&joined));
        let signature = hmac(
            format!("{}&", self.handle.credentials["consumer_secret"]).as_bytes(),
            base.as_bytes(),
        );
        let request = self.http.request(
            verb.parse().unwrap(),
            format!("{url}?{joined}&oauth_signature={}", encode(&signature)),
        );
        match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
            None => request,
        }
        .send()
        .await
        .unwrap()
    }

    pub async fn sim(&self, verb: &str, route: &str, body: Value) -> Value {
        let request = self.http.request(
            verb.parse().unwrap(),
            format!("{}/_sim{route}", self.handle.url()),
        );
        let answer = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert!(
            answer.status().is_success(),
            "{verb} {route}: {}",
            answer.text().await.unwrap()
        );
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    /// Waits until the simulator's state fits; it is returned.
    pub async fn until(&self, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let mut bell = self.handle.changes();
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                bell.mark_unchanged();
                let state = self.sim("GET", "/state", Value::Null).await;
                if fits(&state) {
                    return state;
                }
                bell.changed().await.unwrap();
            }
        });
        found.await.expect("the shop comes to it in time")
    }

    /// Waits until no webhook is queued.
    pub async fn settled(&self) -> Value {
        self.until(|state| state["webhooks"]["waiting"] == 0).await
    }

    /// Puts an order in, as its owner would; who listens is told.
    pub async fn put(&self, order: &Value) {
        let route = format!("/orders/{}", order["id"]);
        self.sim("PUT", &route, order.clone()).await;
    }
}
