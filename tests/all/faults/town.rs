//! Everything that takes part in a run: nodes over a store, shops, couriers, a warehouse, a reader
//! and packers; what can be broken stands behind a proxy.
//!
//! What always holds: what counts (books of shops and couriers, what the warehouse was told, what the
//! reader saw) lives in the test's own process and survives every fault.

use super::client::Client;
use super::database::Database;
use super::disk::Disk;
use super::load::{self, Load};
use super::node::Node;
use super::packer::{Accounts, Packer};
use super::proxy::Proxy;
use super::reader::Reader;
use super::time::Time;
use crate::support::courier::{self, Courier};
use crate::support::gateway::{SECRET, client};
use crate::support::{Shop, Warehouse};
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Options, SimClock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Shops that send webhooks.
const SENDERS: usize = 3;
/// Shops that are polled.
const POLLED: usize = 2;

/// Where the nodes keep what they know.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// SQLite, on a disk that can be filled where that is possible; one node.
    Embedded,
    /// PostgreSQL; so many nodes.
    Server(usize),
}

/// A shop that is polled, and whose shipments are told to it.
pub struct Channel {
    pub sim: Shop,
    pub door: Proxy,
    pub merchant: String,
    pub connection: String,
}

/// A courier, by its own name, and our accounts there.
pub struct Carrier {
    pub sim: Courier,
    pub door: Proxy,
}

/// PostgreSQL, and the way to it.
pub struct Server {
    pub database: Database,
    pub door: Proxy,
}

pub struct Town {
    pub time: Time,
    pub nodes: Arc<Vec<Arc<Node>>>,
    pub client: Client,
    pub server: Option<Server>,
    pub disk: Option<Disk>,
    pub store_url: String,
    pub warehouse: Warehouse,
    pub to_warehouse: Proxy,
    pub channels: Vec<Channel>,
    pub carriers: Vec<Carrier>,
    pub load: Load,
    pub reader: Reader,
    pub packer: Arc<Packer>,
    /// Faults put in, by kind.
    pub faults: Mutex<BTreeMap<String, u32>>,
    pub wrong: Mutex<Vec<String>>,
    _data: tempfile::TempDir,
    _quiet: Shop,
}

fn options(time: &Time) -> Options {
    Options {
        clock: SimClock(Arc::new(time.clone())),
        ..Options::default()
    }
}

async fn shop(time: &Time, seed: u64) -> Shop {
    let mut sources = Source::built_in().into_iter();
    let source = sources.find(|source| source.name() == "woocommerce");
    let folder = Folder::load(source.unwrap()).unwrap();
    let options = Options {
        seed,
        ..options(time)
    };
    let listen = "127.0.0.1:0".parse().unwrap();
    Shop {
        handle: simulator::serve(&folder, listen, options).await.unwrap(),
        http: client(),
    }
}

impl Town {
    pub async fn open(kind: Kind, seed: u64) -> Arc<Self> {
        let time = Time::new();
        let data = tempfile::tempdir().unwrap();
        let (mut server, mut disk) = (None, None);
        let store_url = match kind {
            Kind::Embedded => {
                disk = Disk::mounted();
                let folder = disk.as_ref().map_or(data.path(), Disk::path);
                format!("sqlite://{}", folder.join("crossdock.db").display())
            }
            Kind::Server(_) => {
                let database = Database::start().await;
                let door = Proxy::to(database.addr()).await;
                let url = database.url(door.addr);
                server = Some(Server { database, door });
                url
            }
        };
        let count = match kind {
            Kind::Embedded => 1,
            Kind::Server(nodes) => nodes,
        };
        let folders = courier::folders().display().to_string();
        let env = vec![("CROSSDOCK_CONNECTORS_DIR", folders)];
        let mut nodes = Vec::new();
        for _ in 0..count {
            let node = Node::new(&store_url, &time, &env).await;
            node.ready().await;
            nodes.push(node);
        }
        let nodes = Arc::new(nodes);
        let client = Client::new(nodes.clone());
        let warehouse = Warehouse::start().await;
        warehouse.takes_any_time();
        let to_warehouse = Proxy::to(warehouse.addr).await;
        let body = json!({"url": format!("{}/", to_warehouse.url()), "event_types": []});
        let subscription = client.ask("POST", "/v1/subscriptions", &body).await;
        warehouse.trust(subscription["secret"].as_str().unwrap());
        let quiet = shop(&time, seed).await;
        let mut senders = Vec::new();
        for _ in 0..SENDERS {
            let (_, connection) = connect(&client, &quiet, &quiet.handle.url(), SECRET).await;
            senders.push(load::Shop::new(connection));
        }
        let (carriers, channels, accounts) = trade(&client, &time, seed).await;
        let (reader, events) = Reader::new(client.clone());
        let packer = Packer::new(client.clone(), accounts);
        tokio::spawn(packer.clone().run(events));
        Arc::new(Self {
            time,
            nodes,
            load: Load::new(client.clone(), senders),
            client,
            server,
            disk,
            store_url,
            warehouse,
            to_warehouse,
            channels,
            carriers,
            reader,
            packer,
            faults: Mutex::default(),
            wrong: Mutex::default(),
            _data: data,
            _quiet: quiet,
        })
    }

    /// A fault was put in.
    pub fn count(&self, fault: &str) {
        let mut faults = self.faults.lock().unwrap();
        *faults.entry(fault.to_owned()).or_default() += 1;
    }

    pub fn is_wrong(&self, what: String) {
        eprintln!("WRONG: {what}");
        self.wrong.lock().unwrap().push(what);
    }

    /// Time passes for everyone.
    pub fn passes(&self, span: std::time::Duration) {
        self.time
            .passes(span, self.nodes.iter().map(|node| &node.clock));
    }

    pub async fn close(&self) {
        let all = self.nodes.iter().map(|node| node.close());
        futures_util::future::join_all(all).await;
    }
}

/// A merchant with an active shop; merchant and connection.
async fn connect(client: &Client, shop: &Shop, url: &str, secret: &str) -> (String, String) {
    let merchant = json!({"name": "Fault merchant"});
    let merchant = client.ask("POST", "/v1/merchants", &merchant).await;
    let merchant = merchant["id"].as_str().unwrap().to_owned();
    let mut credentials = json!(shop.handle.credentials);
    credentials["webhook_secret"] = json!(secret);
    let body = json!({
        "merchant_id": merchant, "connector": "woocommerce", "name": "Shop", "state": "active",
        "release_from": "2020-01-01T00:00:00Z", "settings": {"base_url": url}, "credentials": credentials,
    });
    let connection = client.ask("POST", "/v1/connections", &body).await;
    (merchant, connection["id"].as_str().unwrap().to_owned())
}

/// Couriers and polled shops behind proxies, each shop's merchant with an account at each courier.
async fn trade(client: &Client, time: &Time, seed: u64) -> (Vec<Carrier>, Vec<Channel>, Accounts) {
    let (mut carriers, mut channels, mut accounts) = (Vec::new(), Vec::new(), Accounts::new());
    for name in ["hornpost", "owlpost"] {
        let sim = Courier::with(name, options(time)).await;
        let door = Proxy::to(sim.addr()).await;
        carriers.push(Carrier { sim, door });
    }
    for n in 1..=POLLED {
        let sim = shop(time, seed + u64::try_from(n).unwrap()).await;
        let door = Proxy::to(sim.handle.addr).await;
        let secret = sim.handle.credentials["webhook_secret"].clone();
        let (merchant, connection) = connect(client, &sim, &door.url(), &secret).await;
        let often = json!({"settings": {"orders_every_s": 1}});
        let path = format!("/v1/connections/{connection}");
        client.ask("PATCH", &path, &often).await;
        for carrier in &carriers {
            let mut body = carrier.sim.connection(&json!(merchant));
            body["settings"]["base_url"] = json!(carrier.door.url());
            let made = client.ask("POST", "/v1/connections", &body).await;
            let id = made["id"].as_str().unwrap().to_owned();
            accounts.entry(merchant.clone()).or_default().push(id);
        }
        channels.push(Channel {
            sim,
            door,
            merchant,
            connection,
        });
    }
    (carriers, channels, accounts)
}

/// A list of a JSON value.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
