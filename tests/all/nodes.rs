//! Several gateways over one database: each connection is worked on by one of them, a dead one's
//! work is taken over, and a rolling restart loses nothing and keeps each order's events in order.

use super::durability::{adds_up, each_once, revision, told_in_order};
use super::postgres::server;
use super::support::gateway::{PATIENCE, SECRET, client, signed_at};
use super::support::{Gateway, Warehouse};
use serde_json::json;
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;

const TYPES: [&str; 2] = ["order.received", "order.updated"];
const SHOPS: u64 = 4;

/// Gateways with a data directory each and one store.
struct Cluster {
    places: Vec<TempDir>,
    /// Where each listens now.
    nodes: Vec<Mutex<Option<String>>>,
    warehouse: Warehouse,
    hooks: Vec<String>,
}

impl Cluster {
    /// So many, with shops and a warehouse.
    async fn start(count: usize) -> (Self, Vec<Gateway>) {
        let url = server::fresh_url().await;
        let mut cluster = Self {
            places: Vec::new(),
            nodes: Vec::new(),
            warehouse: Warehouse::start().await,
            hooks: Vec::new(),
        };
        let mut gateways = Vec::new();
        for n in 0..count {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join("store-url"), &url).unwrap();
            cluster.places.push(place);
            cluster.nodes.push(Mutex::new(None));
            gateways.push(cluster.node(n).await);
        }
        let body = json!({"url": cluster.warehouse.url(), "event_types": TYPES});
        let subscription = gateways[0].post("/v1/subscriptions", body).await;
        cluster
            .warehouse
            .trust(subscription["secret"].as_str().unwrap());
        for n in 0..SHOPS {
            let at = usize::try_from(n).unwrap() % count;
            let (_, hook) = gateways[at].shop("http://127.0.0.1:9", "active").await;
            cluster.hooks.push(hook);
        }
        (cluster, gateways)
    }

    /// Starts one, for the first time or again.
    async fn node(&self, n: usize) -> Gateway {
        let gateway = Gateway::start(self.places[n].path(), &[]).await;
        *self.nodes[n].lock().unwrap() = Some(gateway.url(""));
        gateway
    }

    fn gone(&self, n: usize) {
        *self.nodes[n].lock().unwrap() = None;
    }

    /// Sends a shop's webhook to one node after the other until one takes it, as a load balancer
    /// with a shop behind it does.
    async fn send(&self, http: &reqwest::Client, first: u64, hook: &str, body: &str) {
        let mut at = usize::try_from(first).unwrap();
        for _ in 0..10_000 {
            at += 1;
            let base = self.nodes[at % self.nodes.len()].lock().unwrap().clone();
            if let Some(base) = base
                && signed_at(http, &base, hook, SECRET, body).await == Some(200)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("no node takes webhooks");
    }

    /// Each shop sends revisions of its orders until `done`; how many were taken is told.
    async fn load(
        &self,
        taken: &watch::Sender<u64>,
        done: &watch::Sender<bool>,
    ) -> Vec<(u64, u32)> {
        let shops = (0..SHOPS).map(|shop| async move {
            let http = client();
            let mut newest = Vec::new();
            let mut n = 0;
            while !*done.borrow() || n < 2 {
                n += 1;
                for id in [shop * 10 + 1, shop * 10 + 2] {
                    let hook = &self.hooks[usize::try_from(shop).unwrap()];
                    let first = id + u64::from(n);
                    self.send(&http, first, hook, &revision(id, n)).await;
                    taken.send_modify(|n| *n += 1);
                }
            }
            for id in [shop * 10 + 1, shop * 10 + 2] {
                newest.push((id, n));
            }
            newest
        });
        futures_util::future::join_all(shops).await.concat()
    }

    /// Everything that was taken is there, once, in order, and was told.
    async fn check(&self, gateway: &Gateway, taken: u64, newest: &[(u64, u32)]) {
        let limit = tokio::time::Instant::now() + PATIENCE;
        let mut after = 0;
        let ledger = loop {
            let ledger = gateway.get("/v1/ledger").await;
            let lines = ledger["data"].as_array().unwrap();
            if lines.iter().all(|line| line["pending"] == 0) {
                break ledger;
            }
            assert!(tokio::time::Instant::now() < limit, "{ledger:#}");
            let next = format!("/v1/events?after={after}&limit=500&wait=1");
            let next = gateway.get(&next).await["next"].to_string();
            after = next.trim_matches('"').parse().unwrap();
        };
        let received = adds_up(&ledger);
        assert!(received >= taken, "{received} of {taken}");
        let events = each_once(gateway, newest.iter().map(|(id, _)| *id)).await;
        for (id, n) in newest {
            let list = gateway.get(&format!("/v1/orders?external_id={id}")).await;
            assert_eq!(list["data"][0]["note"], format!("revision {n}"));
        }
        told_in_order(&self.warehouse, &events).await;
    }
}

#[tokio::test]
async fn a_dead_nodes_work_is_taken_over() {
    let (cluster, mut gateways) = Cluster::start(3).await;
    let (taken, done) = (watch::channel(0).0, watch::channel(false).0);
    let killing = async {
        let mut seen = taken.subscribe();
        for victim in [0, 1] {
            let so_far = *seen.borrow();
            seen.wait_for(|n| *n >= so_far + 40).await.unwrap();
            cluster.gone(victim);
            gateways.remove(0).kill().await;
        }
        let so_far = *seen.borrow();
        seen.wait_for(|n| *n >= so_far + 40).await.unwrap();
        done.send_replace(true);
    };
    let (newest, ()) = tokio::join!(cluster.load(&taken, &done), killing);
    let all = *taken.borrow();
    cluster.check(&gateways[0], all, &newest).await;
    assert!(gateways.remove(0).stop().await.success());
}

#[tokio::test]
async fn a_rolling_restart_loses_nothing() {
    let (cluster, gateways) = Cluster::start(2).await;
    let (taken, done) = (watch::channel(0).0, watch::channel(false).0);
    let rolling = async {
        let mut seen = taken.subscribe();
        let mut after = Vec::new();
        for (n, gateway) in gateways.into_iter().enumerate() {
            let so_far = *seen.borrow();
            seen.wait_for(|n| *n >= so_far + 40).await.unwrap();
            cluster.gone(n);
            assert!(gateway.stop().await.success());
            after.push(cluster.node(n).await);
        }
        let so_far = *seen.borrow();
        seen.wait_for(|n| *n >= so_far + 40).await.unwrap();
        done.send_replace(true);
        after
    };
    let (newest, mut gateways) = tokio::join!(cluster.load(&taken, &done), rolling);
    let all = *taken.borrow();
    cluster.check(&gateways[1], all, &newest).await;
    for gateway in gateways.drain(..) {
        assert!(gateway.stop().await.success());
    }
}
