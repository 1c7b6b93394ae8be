//! A gateway without its HTTP server: store in a directory of its own, a made-up shop's folder,
//! one merchant with one connection.

use crate::canonical::connection::{Connection, ConnectionState, Health, Merchant};
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::canonical::{AuditId, ConnectionId, MerchantId, Timestamp};
use crate::clock::{Clock, TestClock};
use crate::connector::Registry;
use crate::flow::change::{AuditEntry, ChangeSet, OrderState};
use crate::ingress::{IngressState, Reply, receive};
use crate::operation::limit::Limiter;
use crate::operation::{ClientConfig, Engine, GuardedClient};
use crate::store::query::{InboxFilter, LedgerFilter, PageRequest, ProblemFilter};
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreOptions};
use crate::worker::apply::Applier;
use crate::worker::connectors::Folders;
use crate::worker::pool::MappingPool;
use crate::worker::settle::Settler;
use crate::worker::stop::{Stop, Stopper};
use crate::worker::watch::Watcher;
use crate::worker::work::Work;
use crate::worker::world::Worlds;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub const MANIFEST: &str = include_str!("shop/manifest.toml");
pub const ORDER: &str = include_str!("shop/order.jq");
pub const SECRET: &str = "made-up-secret";

pub struct House {
    pub dir: tempfile::TempDir,
    pub store: Arc<dyn Store>,
    pub clock: Arc<TestClock>,
    pub registry: Arc<Registry>,
    pub folders: Arc<Folders>,
    pub pool: Arc<MappingPool>,
    pub worlds: Arc<Worlds>,
    pub ingress: Arc<IngressState>,
    pub engine: Engine,
    pub applier: Arc<Applier>,
    pub stop: Stop,
    pub stopper: Stopper,
    pub merchant: Merchant,
    pub connection: ConnectionId,
}

pub fn audit() -> AuditEntry {
    AuditEntry {
        id: AuditId::new(),
        at: Timestamp::now(),
        actor: "test".into(),
        action: "test".into(),
        subject: "test".into(),
        detail: Value::Null,
    }
}

pub async fn house() -> House {
    House::at("http://shop.invalid", ConnectionState::Active).await
}

impl House {
    pub async fn at(base_url: &str, state: ConnectionState) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_folder(dir.path().join("connectors"), MANIFEST, ORDER);
        let options = StoreOptions {
            min_free_mb: 0,
            ..StoreOptions::new(MasterKey::generate())
        };
        let url = format!("sqlite://{}", dir.path().join("test.db").display());
        let store = crate::store::open(&url, options).unwrap();
        let registry = Arc::new(Registry::load(Some(dir.path().join("connectors"))));
        let refused = registry.catalogue().refused().to_vec();
        assert!(registry.get("testshop").is_some(), "{refused:?}");
        let folders = Arc::new(Folders::new(registry.clone()));
        // Whole seconds: the store keeps microseconds.
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        let clock = Arc::new(TestClock::at(now));
        let pool = Arc::new(MappingPool::new(2).unwrap());
        let (stopper, stop) = Stopper::new();
        let worlds = Arc::new(Worlds::new(store.clone(), folders.clone(), clock.clone()));
        let applier = Arc::new(Applier::new(
            store.clone(),
            folders.clone(),
            pool.clone(),
            worlds.clone(),
            clock.clone(),
            stop.clone(),
        ));
        let ingress = Arc::new(IngressState::over(
            store.clone(),
            registry.clone(),
            clock.clone(),
        ));
        let engine = engine(clock.clone());
        let merchant = Merchant {
            id: MerchantId::new(),
            name: "Test merchant".into(),
            timezone: "Europe/Riga".into(),
            settings: Map::new(),
            created_at: clock.now(),
            erased_at: None,
        };
        store
            .insert_merchant(&merchant, audit(), None)
            .await
            .unwrap();
        let connection = new_connection(merchant.id, base_url, state, clock.now());
        let id = connection.id;
        let credentials = secrets(&[("token", "ts_123456789"), ("webhook_secret", SECRET)]);
        let change = ChangeSet::of(merchant.id);
        store
            .insert_connection(&connection, &credentials, change, audit())
            .await
            .unwrap();
        Self {
            dir,
            store,
            clock,
            registry,
            folders,
            pool,
            worlds,
            ingress,
            engine,
            applier,
            stop,
            stopper,
            merchant,
            connection: id,
        }
    }

    pub fn work(&self) -> Arc<Work> {
        Arc::new(Work {
            store: self.store.clone(),
            connectors: self.folders.clone(),
            pool: self.pool.clone(),
            worlds: self.worlds.clone(),
            clock: self.clock.clone(),
            engine: self.engine.clone(),
            stop: self.stop.clone(),
            owner: format!("node-{}", uuid::Uuid::now_v7()),
            public_url: Some("https://gateway.example".into()),
            taken: std::sync::Mutex::default(),
        })
    }

    /// As after a restart: nothing is remembered but what is stored.
    pub fn work_anew(&self) -> Arc<Work> {
        let mut work = self.work();
        Arc::get_mut(&mut work).unwrap().engine = engine(self.clock.clone());
        work
    }

    pub fn watcher(&self) -> Watcher {
        Watcher::new(
            self.work(),
            self.applier.clone(),
            Arc::new(self.settler()),
            self.ingress.clone(),
        )
    }

    pub fn settler(&self) -> Settler {
        Settler::new(
            self.store.clone(),
            self.worlds.clone(),
            self.clock.clone(),
            self.stop.clone(),
        )
    }
    /// Changes one setting of the connection.
    pub async fn set(&self, key: &str, value: serde_json::Value) {
        let mut connection = self.connection().await;
        connection.settings.insert(key.into(), value);
        let change = ChangeSet::of(self.merchant.id);
        self.store
            .update_connection(&connection, None, change, audit())
            .await
            .unwrap();
    }

    pub fn folder(&self, manifest: &str, order: &str) {
        write_folder(self.dir.path().join("connectors"), manifest, order);
    }

    /// A signed webhook.
    pub async fn hook(&self, topic: &str, body: &Value) -> Reply {
        self.hook_bytes(topic, body.to_string().into_bytes(), &[])
            .await
    }

    pub async fn hook_bytes(&self, topic: &str, body: Vec<u8>, more: &[(&str, &str)]) -> Reply {
        let mut headers = vec![
            ("x-shop-topic".to_owned(), topic.to_owned()),
            ("x-shop-signature".to_owned(), sign(SECRET, &body)),
        ];
        headers.extend(more.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        receive(&self.ingress, self.connection, None, &headers, body.into()).await
    }

    pub async fn apply(&self) -> usize {
        self.applier.drain().await.unwrap()
    }

    /// Newest first.
    pub async fn records(&self) -> Vec<InboxRecord> {
        let page = PageRequest {
            limit: 500,
            after: None,
        };
        self.store
            .inbox(Scope::All, InboxFilter::default(), page)
            .await
            .unwrap()
            .data
    }

    /// In order of arrival.
    pub async fn dispositions(&self) -> Vec<Disposition> {
        let mut records = self.records().await;
        records.reverse();
        records.iter().map(|r| r.disposition).collect()
    }

    pub async fn problems(&self) -> Vec<crate::canonical::problem::Problem> {
        let filter = ProblemFilter {
            status: Some(crate::canonical::problem::ProblemStatus::Open),
            ..ProblemFilter::default()
        };
        let page = PageRequest {
            limit: 500,
            after: None,
        };
        self.store
            .problems(Scope::All, filter, page)
            .await
            .unwrap()
            .data
    }

    pub async fn order(&self, external_id: &str) -> Option<OrderState> {
        let key = (self.connection, external_id.to_owned());
        self.store
            .orders_by_external(&[key])
            .await
            .unwrap()
            .remove(0)
    }

    pub async fn connection(&self) -> Connection {
        self.store
            .connection(Scope::All, self.connection)
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn set_state(&self, state: ConnectionState) {
        let connection = Connection {
            state,
            ..self.connection().await
        };
        let change = ChangeSet::of(self.merchant.id);
        self.store
            .update_connection(&connection, None, change, audit())
            .await
            .unwrap();
        self.ingress.invalidate(self.connection);
    }

    /// Every record has exactly one disposition, and the counters say what the rows say.
    pub async fn assert_balanced(&self) {
        let lines = self
            .store
            .ledger(Scope::All, LedgerFilter::default())
            .await
            .unwrap();
        assert!(lines.iter().all(|line| line.balances()), "{lines:?}");
    }
}

fn engine(clock: Arc<TestClock>) -> Engine {
    let config = ClientConfig {
        allow_private: true,
        ..ClientConfig::default()
    };
    Engine {
        client: GuardedClient::new(config).unwrap(),
        limiter: Arc::new(Limiter::new(clock.clone())),
        circuits: Arc::default(),
        clock,
        traces: Default::default(),
    }
}

pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

pub fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), SecretString::from(*v)))
        .collect()
}

pub fn write_folder(dir: PathBuf, manifest: &str, order: &str) {
    let dir = dir.join("testshop");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("manifest.toml"), manifest).unwrap();
    std::fs::write(dir.join("order.jq"), order).unwrap();
}

pub fn new_connection(
    merchant: MerchantId,
    base_url: &str,
    state: ConnectionState,
    now: Timestamp,
) -> Connection {
    let mut settings = Map::new();
    settings.insert("base_url".into(), json!(base_url));
    Connection {
        contracts: std::collections::BTreeMap::new(),
        connector_version: None,
        id: ConnectionId::new(),
        merchant_id: merchant,
        connector: "testshop".into(),
        name: "Shop".into(),
        kind: Default::default(),
        owner: Default::default(),
        settings,
        state,
        release_from: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        health: Health::default(),
        memory: Map::new(),
        credentials_set: vec![],
        created_at: now,
        updated_at: now,
        version: 1,
        epoch: 1,
    }
}

/// An order of the shop, `minute` past ten.
pub fn order(id: u32, minute: u32, status: &str) -> Value {
    json!({
        "id": id,
        "number": format!("T-{id}"),
        "placed": "2026-07-01T10:00:00Z",
        "changed": format!("2026-07-01T10:{minute:02}:00Z"),
        "status": status,
        "buyer": "Jānis Bērziņš",
        "items": [{"id": 1, "sku": "A-1", "count": 2, "sum": 20.50}],
        "total": 20.50,
    })
}
