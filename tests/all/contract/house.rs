//! The worker's way from deliveries to orders over an embedded store, for one connector, without
//! a server: what comes in is put where webhooks, polls and answers about one order put it.

use crossdock::canonical::connection::{Connection, ConnectionState, Health, Merchant};
use crossdock::canonical::inbox::{Disposition, LedgerLine, WireDelivery};
use crossdock::canonical::order::Source;
use crossdock::canonical::{AuditId, ConnectionId, MerchantId, RawId, Timestamp};
use crossdock::clock::{Clock, TestClock};
use crossdock::connector::{Connector, Registry};
use crossdock::flow::change::{AuditEntry, ChangeSet};
use crossdock::store::query::{InboxFilter, JobFilter, LedgerFilter, OrderFilter, PageRequest};
use crossdock::store::vault::MasterKey;
use crossdock::store::{Scope, Store, StoreOptions};
use crossdock::worker::apply::Applier;
use crossdock::worker::connectors::Folders;
use crossdock::worker::pool::MappingPool;
use crossdock::worker::reading::{ORDERS_GET, ORDERS_PULL};
use crossdock::worker::stop::{Stop, Stopper};
use crossdock::worker::world::Worlds;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: PageRequest = PageRequest {
    limit: 500,
    after: None,
};

/// By which an order reaches the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    source: Source,
    topic: String,
    /// Simple path to the records of what is delivered.
    records: String,
}

impl Way {
    /// A webhook of this topic.
    pub fn hook(topic: &str) -> Self {
        Self {
            source: Source::Webhook,
            topic: topic.to_owned(),
            records: ".".to_owned(),
        }
    }

    /// All by which orders come whole, as the manifest says.
    pub fn all(connector: &Connector) -> Vec<Self> {
        let manifest = connector.manifest();
        let topics = manifest.webhooks.iter().flat_map(|hooks| &hooks.topics);
        let hooks = topics.filter(|(_, rule)| rule.mapping.as_deref() == Some("order"));
        let mut ways: Vec<Self> = hooks
            .take(1)
            .map(|(topic, rule)| Self {
                records: rule.records.clone(),
                ..Self::hook(topic)
            })
            .collect();
        let read = |name: &str| {
            let steps = &manifest.operations.get(name)?.steps;
            let step = steps.iter().rev().find(|step| step.mapping.is_some())?;
            let composed = step.input.is_some();
            Some(Self {
                source: Source::Poll,
                topic: name.to_owned(),
                records: if composed {
                    ".".to_owned()
                } else {
                    step.records.clone()
                },
            })
        };
        ways.extend(read(ORDERS_PULL));
        if ways.is_empty() {
            ways.extend(read(ORDERS_GET));
        }
        assert!(!ways.is_empty(), "{} takes no orders", connector.id());
        ways
    }

    /// A record as it stands in a delivery of this way.
    fn around(&self, record: &Value) -> Value {
        let names: Vec<&str> = self.records.split('.').filter(|n| !n.is_empty()).collect();
        let list = match names.is_empty() && self.source == Source::Webhook {
            true => record.clone(),
            false => json!([record]),
        };
        names
            .iter()
            .rev()
            .fold(list, |inner, name| json!({ *name: inner }))
    }
}

/// See the module.
pub struct House {
    pub connector: Arc<Connector>,
    pub applier: Applier,
    pub clock: Arc<TestClock>,
    store: Arc<dyn Store>,
    merchant: MerchantId,
    _stopper: Stopper,
    _dir: tempfile::TempDir,
}

fn audit(at: Timestamp) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(),
        at,
        actor: "test".into(),
        action: "test".into(),
        subject: "test".into(),
        detail: Value::Null,
    }
}

impl House {
    pub async fn of(connector: &Arc<Connector>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            min_free_mb: 0,
            ..StoreOptions::new(MasterKey::generate())
        };
        let url = format!("sqlite://{}", dir.path().join("contract.db").display());
        let store = crossdock::store::open(&url, options).unwrap();
        let clock = Arc::new(TestClock::at("2026-12-01T10:00:00Z".parse().unwrap()));
        let folders = Arc::new(Folders::new(Arc::new(Registry::load(None))));
        let worlds = Worlds::new(store.clone(), folders.clone(), clock.clone());
        let (stopper, stop): (Stopper, Stop) = Stopper::new();
        let applier = Applier::new(
            store.clone(),
            folders,
            Arc::new(MappingPool::new(1).unwrap()),
            Arc::new(worlds),
            clock.clone(),
            stop,
        );
        let merchant = Merchant {
            id: MerchantId::new(),
            name: "Test merchant".into(),
            timezone: "Europe/Riga".into(),
            settings: Map::new(),
            created_at: clock.now(),
            erased_at: None,
        };
        let now = clock.now();
        store
            .insert_merchant(&merchant, audit(now), None)
            .await
            .unwrap();
        Self {
            connector: connector.clone(),
            applier,
            clock,
            store,
            merchant: merchant.id,
            _stopper: stopper,
            _dir: dir,
        }
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new active connection; what its form requires and the fixture does not set comes from the
    /// examples.
    pub async fn connect(&self, given: &Map<String, Value>) -> ConnectionId {
        let manifest = self.connector.manifest();
        let mut settings = given.clone();
        for (name, field) in manifest.settings.iter().filter(|(_, field)| field.required) {
            if let Some(example) = &field.example {
                let example = json!(example);
                settings.entry(name.clone()).or_insert(example);
            }
        }
        let connection = Connection {
            contracts: BTreeMap::new(),
            connector_version: None,
            id: ConnectionId::new(),
            merchant_id: self.merchant,
            connector: self.connector.id().to_owned(),
            name: "Provider".into(),
            kind: manifest.kind,
            owner: Default::default(),
            settings,
            state: ConnectionState::Active,
            release_from: Some(Timestamp::UNIX_EPOCH),
            health: Health::default(),
            memory: Map::new(),
            credentials_set: vec![],
            created_at: self.clock.now(),
            updated_at: self.clock.now(),
            version: 1,
            epoch: 1,
        };
        let change = ChangeSet::of(self.merchant);
        let audit = audit(self.clock.now());
        self.store
            .insert_connection(&connection, &BTreeMap::new(), change, audit)
            .await
            .unwrap();
        connection.id
    }

    /// Puts a record into the inbox; `at` is when it came, or when it was asked for.
    pub async fn deliver(
        &self,
        connection: ConnectionId,
        way: &Way,
        record: &Value,
        at: Timestamp,
    ) {
        let wire = WireDelivery {
            id: RawId::new(),
            merchant_id: self.merchant,
            connection_id: connection,
            source: way.source,
            topic: way.topic.clone(),
            received_at: at,
            dedupe_key: None,
            headers: vec![],
            body: way.around(record).to_string().into(),
        };
        self.store.append_inbox(vec![wire], None).await.unwrap();
    }

    /// Of each row, in order of arrival.
    pub async fn dispositions(&self, connection: ConnectionId) -> Vec<Disposition> {
        let filter = InboxFilter {
            connection_id: Some(connection),
            ..InboxFilter::default()
        };
        let rows = self.store.inbox(Scope::All, filter, PAGE).await.unwrap();
        rows.data.iter().rev().map(|row| row.disposition).collect()
    }

    /// The connection's only order.
    pub async fn order(&self, connection: ConnectionId) -> Value {
        let filter = OrderFilter {
            connection_id: Some(connection),
            ..OrderFilter::default()
        };
        let orders = self.store.orders(Scope::All, filter, PAGE).await.unwrap();
        assert_eq!(orders.data.len(), 1);
        serde_json::from_slice(&orders.data[0]).unwrap()
    }

    /// The sums of the connection's ledger.
    pub async fn ledger(&self, connection: ConnectionId) -> LedgerLine {
        let filter = LedgerFilter {
            connection_id: Some(connection),
            ..LedgerFilter::default()
        };
        let lines = self.store.ledger(Scope::All, filter).await.unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }

    /// The number of the newest event.
    pub async fn last_event(&self) -> u64 {
        self.store.last_sequence().await.unwrap()
    }

    /// How many orders are to be read from the channel.
    pub async fn reads(&self, connection: ConnectionId) -> usize {
        let filter = JobFilter {
            connection_id: Some(connection),
            ..JobFilter::default()
        };
        let jobs = self.store.jobs(Scope::All, filter, PAGE).await.unwrap();
        jobs.data
            .iter()
            .filter(|job| job.kind == ORDERS_GET)
            .count()
    }
}
