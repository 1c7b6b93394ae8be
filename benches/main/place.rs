//! Where a gateway keeps its things: a folder of its own, and a store in it or on the bench's server.

use crate::database::Database;
use crate::gateway::Gateway;
use crate::receiver::{self, Receiver};
use crossdock::store::vault::MasterKey;
use crossdock::store::{self, Store, StoreError, StoreOptions};
use secrecy::ExposeSecret;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// See the module.
pub struct Place {
    pub folder: TempDir,
    url: Option<String>,
    key: MasterKey,
}

impl Place {
    /// An embedded store, not there yet.
    pub fn embedded() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            url: None,
            key: MasterKey::generate(),
        }
    }

    /// An empty store on a server.
    pub async fn server(database: &Database) -> Self {
        Self {
            url: Some(database.fresh().await),
            ..Self::embedded()
        }
    }

    /// Another node's folder over the same store.
    pub fn beside(&self) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            url: self.url.clone(),
            key: self.key.clone(),
        }
    }

    /// What a row of a table calls it.
    pub fn name(&self) -> &'static str {
        match self.url {
            None => "SQLite",
            Some(_) => "PostgreSQL",
        }
    }

    /// The server's database, where it is one.
    pub fn server_url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    fn url(&self) -> String {
        self.url.clone().unwrap_or_else(|| {
            format!(
                "sqlite://{}",
                self.folder.path().join("crossdock.db").display()
            )
        })
    }

    pub async fn start(&self, role: &str) -> Gateway {
        self.start_with(role, &[]).await
    }

    /// The same with settings of its own.
    pub async fn start_with(&self, role: &str, env: &[(&str, &str)]) -> Gateway {
        let (url, key) = (self.url(), self.key.to_base64());
        let mut env = env.to_vec();
        env.push(("CROSSDOCK_STORE_URL", &url));
        env.push(("CROSSDOCK_SECRET_KEY", key.expose_secret()));
        Gateway::start_with(self.folder.path(), role, &env).await
    }

    /// A gateway with a shop, and a warehouse that is told of what is to be packed.
    pub async fn subscribed(&self, role: &str) -> (Gateway, Receiver, String) {
        let gateway = self.start(role).await;
        let path = gateway.shop("Bench").await;
        let receiver = receiver::start();
        let body = json!({"url": format!("http://{}/", receiver.addr), "event_types": ["fulfillment_order.submitted"]});
        gateway.post("/v1/subscriptions", body).await;
        (gateway, receiver, path)
    }

    /// The store itself, when no gateway has it: one that was just killed lets it go in a moment.
    pub async fn open(&self) -> Arc<dyn Store> {
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            let (url, options) = (self.url(), StoreOptions::new(self.key.clone()));
            let opened = tokio::task::spawn_blocking(move || store::open(&url, options)).await;
            match opened.expect("open") {
                Ok(store) => return store,
                Err(StoreError::Unavailable(_)) if Instant::now() < limit => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
