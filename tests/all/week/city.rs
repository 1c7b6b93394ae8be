//! The gateway, the shops and the couriers, on one clock.

mod rest;

use crate::support::Warehouse;
use crate::support::gateway::PATIENCE;
use crossdock::app::App;
use crossdock::canonical::Timestamp;
use crossdock::clock::{Clock, TestClock};
use crossdock::connector::Registry;
use crossdock::manifest::folder::Folder;
use crossdock::settings::Settings;
use crossdock::simulator::{self, SimClock};
use crossdock::store::Store;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const TOKEN: &str = "week-admin-token-0123456789abcdef0123456789abcdef";
/// The operator: carriers are its, and so are the rules that choose among them.
const OPERATOR: &str = "mer_00000000000000000000000000000001";

/// How large it is.
#[derive(Clone, Copy)]
pub struct Scale {
    pub shops: usize,
    pub hours: u32,
    /// Orders of one shop in a day.
    pub orders: u32,
}

impl Scale {
    pub const DAY: Scale = Scale {
        shops: 3,
        hours: 24,
        orders: 12,
    };
    pub const WEEK: Scale = Scale {
        shops: 20,
        hours: 7 * 24,
        orders: 10,
    };
    pub fn steps(self, step: Duration) -> u32 {
        u32::try_from(u64::from(self.hours) * 3_600 / step.as_secs()).unwrap()
    }
}

/// A simulated party and its connection.
pub struct Party {
    pub connector: String,
    pub handle: simulator::Handle,
    pub connection: String,
}

pub struct City {
    pub scale: Scale,
    pub clock: Arc<TestClock>,
    pub shops: Vec<Party>,
    pub couriers: Vec<Party>,
    pub warehouse: Warehouse,
    app: App,
    http: reqwest::Client,
    base: String,
    _data: tempfile::TempDir,
}

fn settings(data: &std::path::Path) -> Settings {
    let flags = vec![
        ("listen", "127.0.0.1:0".to_owned()),
        ("data_dir", data.display().to_string()),
        ("admin_token", TOKEN.to_owned()),
        ("allow_private_targets", "true".to_owned()),
        ("min_free_mb", "0".to_owned()),
        ("public_url", "http://127.0.0.1:1".to_owned()),
    ];
    Settings::load(None, flags).unwrap()
}

/// No connection is kept: a server that ends an idle one would break the next call.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy();
    let client = client.pool_max_idle_per_host(0);
    client.timeout(Duration::from_secs(120)).build().unwrap()
}

impl City {
    pub async fn open(scale: Scale, seed: u64) -> Self {
        let data = tempfile::tempdir().unwrap();
        let started: Timestamp = "2026-11-16T06:00:00Z".parse().unwrap();
        let clock = Arc::new(TestClock::at(started));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let mut settings = settings(data.path());
        settings.listen = addr;
        settings.public_url = Some(format!("http://{addr}"));
        let app = App::start_at(&settings, clock.clone()).await.unwrap();
        let mut city = Self {
            scale,
            clock,
            shops: Vec::new(),
            couriers: Vec::new(),
            warehouse: Warehouse::start().await,
            base: format!("http://{}", app.addr),
            app,
            http: client(),
            _data: data,
        };
        city.furnish(seed).await;
        city
    }

    async fn furnish(&mut self, seed: u64) {
        let registry = Registry::load(None);
        let subscription = json!({"url": self.warehouse.url(), "event_types": []});
        self.ask("POST", "/v1/subscriptions", subscription).await;
        let mut rules = Vec::new();
        let contract = json!({"sender": {"name": "Depot", "company": "Week 3PL", "line1": "Industrial 1", "street": "Industrial",
            "house_number": "1", "postal_code": "1528", "city": "София", "country": "BG", "phone": "+359888000111", "email": "depot@example.com"},
            "cod_payee": "operator"});
        for (connector, countries, account, customer) in [
            ("econt", json!(["BG", "GR"]), "CD100001", json!("SIM1001")),
            (
                "omniva",
                json!(["LV", "LT", "EE", "DE"]),
                "LV80BANK0000435195001",
                Value::Null,
            ),
        ] {
            let mut contract = contract.clone();
            contract["cod_account"] = json!(account);
            if !customer.is_null() {
                contract["customer_number"] = customer;
            }
            let party = self
                .party(&registry, connector, seed, OPERATOR, Some(&contract))
                .await;
            rules.push(json!({"name": connector, "network": [connector], "connection_id": party.connection}));
            rules.push(
                json!({"name": connector, "country": countries, "connection_id": party.connection}),
            );
            self.couriers.push(party);
        }
        self.ask(
            "PATCH",
            &format!("/v1/merchants/{OPERATOR}"),
            json!({"settings": {"carrier_rules": rules}}),
        )
        .await;
        self.directories().await;
        for shop in 0..self.scale.shops {
            let name = format!("Shop {shop}");
            let merchant = self
                .ask("POST", "/v1/merchants", json!({"name": name}))
                .await;
            let merchant = merchant["id"].as_str().unwrap().to_owned();
            let seed = seed + 7 * u64::try_from(shop).unwrap();
            let party = self
                .party(&registry, "woocommerce", seed, &merchant, None)
                .await;
            self.shops.push(party);
        }
        self.settle().await;
    }

    /// The directories of points are read before the first order comes.
    async fn directories(&self) {
        let mut setup = self.store().wake().setup_changes();
        let read = async {
            loop {
                let known = self.store().directories().await.unwrap();
                let read: BTreeSet<String> = known
                    .iter()
                    .map(|one| one.connection_id.to_string())
                    .collect();
                if read.len() == self.couriers.len() {
                    return;
                }
                // Who looks now and then, and calls that are spread, wait for the clock.
                let rang = tokio::time::timeout(Duration::from_millis(20), setup.changed());
                if rang.await.is_err() {
                    self.clock.advance(Duration::from_secs(1));
                }
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the directories of points are read");
    }

    async fn party(
        &self,
        registry: &Registry,
        connector: &str,
        seed: u64,
        merchant: &str,
        contract: Option<&Value>,
    ) -> Party {
        let folder = Folder::load(registry.source(connector).unwrap()).unwrap();
        // Parcels travel when the warehouse has handed them over.
        let mut behaviour = Map::new();
        if contract.is_some() {
            behaviour.insert("hand_over".to_owned(), json!("control"));
        }
        let options = simulator::Options {
            seed,
            clock: SimClock(self.clock.clone()),
            options: behaviour,
            ..simulator::Options::default()
        };
        let handle = simulator::serve(&folder, "127.0.0.1:0".parse().unwrap(), options)
            .await
            .unwrap();
        let mut body = json!({"merchant_id": merchant, "connector": connector, "name": format!("{connector} {seed}"),
            "state": "active", "settings": handle.settings, "credentials": handle.credentials});
        if let Some(contract) = contract {
            body["contracts"] = json!({"default": contract});
        }
        let made = self.ask("POST", "/v1/connections", body).await;
        Party {
            connector: connector.to_owned(),
            handle,
            connection: made["id"].as_str().unwrap().to_owned(),
        }
    }

    /// An API call that must succeed.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// An API call: status and JSON.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.base))
            .bearer_auth(TOKEN);
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Every entry of a list, whatever number of pages it has.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = self
                .ask("GET", &format!("{path}{sign}limit=500{after}"), Value::Null)
                .await;
            found.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) if !page["data"].as_array().unwrap().is_empty() => {
                    let next: String =
                        url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                    after = format!("&after={next}");
                }
                _ => return found,
            }
        }
    }

    /// A call of a simulator's controls, or of its state.
    pub async fn control(
        &self,
        party: &Party,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let url = format!("{}{path}", party.handle.url());
        let mut request = self.http.request(method.parse().unwrap(), url);
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.app.store()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn close(self) {
        self.app.stop().await;
        for party in self.shops.into_iter().chain(self.couriers) {
            party.handle.stop().await;
        }
    }
}
