//! Calls of the gateways from outside, through their proxies, at a node by chance: an answer or none.

use super::node::Node;
use crate::support::gateway::TOKEN;
use rand::Rng;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Whoever calls gives up after so long.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    nodes: Arc<Vec<Arc<Node>>>,
}

impl Client {
    pub fn new(nodes: Arc<Vec<Arc<Node>>>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        Self {
            http: client.build().unwrap(),
            nodes,
        }
    }

    /// One of the nodes.
    pub fn node(&self) -> &Arc<Node> {
        &self.nodes[rand::rng().random_range(0..self.nodes.len())]
    }

    /// A request for one of the nodes.
    pub fn to_some(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.node().door.url());
        self.http.request(method.parse().unwrap(), url)
    }

    /// Status and JSON; `None` when no whole answer came.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let mut request = self.to_some(method, path).bearer_auth(TOKEN);
        if !body.is_null() {
            let text = body.to_string();
            request = request
                .header("content-type", "application/json")
                .body(text);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// A call that must succeed: nothing is broken at the moment.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(method, path, body).await;
        let (status, answer) = answer.unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// Every entry of a list.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut found, mut after) = (Vec::new(), String::new());
        let sign = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = format!("{path}{sign}limit=500{after}");
            let page = self.ask("GET", &page, &Value::Null).await;
            let data = page["data"].as_array().unwrap();
            found.extend(data.iter().cloned());
            match page["next"].as_str() {
                Some(next) if !data.is_empty() => {
                    let next: String =
                        url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                    after = format!("&after={next}");
                }
                _ => return found,
            }
        }
    }
}
