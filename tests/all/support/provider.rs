//! A built-in connector's simulator, in this process, and connections to it.

use super::gateway::{Gateway, PATIENCE, client};
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options};
use serde_json::{Value, json};

pub struct Provider {
    pub connector: String,
    pub handle: Handle,
    pub http: reqwest::Client,
    pub folder: Folder,
}

impl Provider {
    /// Starts the simulator of this connector with these options.
    pub async fn open(connector: &str, options: Value) -> Self {
        let mut sources = Source::built_in().into_iter();
        let source = sources.find(|source| source.name() == connector).unwrap();
        let options = Options {
            options: options.as_object().unwrap().clone(),
            ..Options::default()
        };
        let folder = Folder::load(source).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        Self {
            connector: connector.to_owned(),
            handle: simulator::serve(&folder, listen, options).await.unwrap(),
            http: client(),
            folder,
        }
    }

    /// A control call, below `/_sim`.
    pub async fn sim(&self, verb: &str, route: &str, body: Value) -> Value {
        let url = format!("{}/_sim{route}", self.handle.url());
        let request = self.http.request(verb.parse().unwrap(), url);
        let request = request.header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{verb} {route}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null)
    }

    /// Waits until what it holds (state and counters) fits.
    pub async fn until(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let mut changes = self.handle.changes();
        let limit = tokio::time::Instant::now() + PATIENCE;
        loop {
            changes.mark_unchanged();
            let state = self.sim("GET", "/state", Value::Null).await;
            if fits(&state) {
                return state;
            }
            let changed = tokio::time::timeout_at(limit, changes.changed()).await;
            assert!(changed.is_ok(), "it never came to that: {state:#}");
        }
    }

    /// So many orders are placed, and nothing is told of them by itself.
    pub async fn orders(&self, count: usize) -> Value {
        let wish = json!({"count": count, "quiet": true});
        self.sim("POST", "/orders", wish).await
    }

    /// An active connection of a new merchant, with these settings beside those that it needs;
    /// merchant and connection.
    pub async fn plug(&self, gateway: &Gateway, settings: Value) -> (String, String) {
        let merchant = gateway.post("/v1/merchants", json!({"name": "Test merchant"}));
        let merchant = merchant.await["id"].as_str().unwrap().to_owned();
        let mut all = json!(self.handle.settings);
        for (name, value) in settings.as_object().unwrap() {
            all[name] = value.clone();
        }
        let connection = json!({
            "merchant_id": merchant, "connector": self.connector, "name": "Channel", "state": "active",
            "release_from": "2020-01-01T00:00:00Z", "settings": all, "credentials": self.handle.credentials,
        });
        let connection = gateway.post("/v1/connections", connection).await;
        (merchant, connection["id"].as_str().unwrap().to_owned())
    }
}
