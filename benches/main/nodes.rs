//! One node against two over one PostgreSQL, all on this machine: generator, receiver, server and
//! nodes share its cores, so this shows what a second node costs and not what a second machine gives.

use crate::database::Database;
use crate::gateway::{self, Gateway, SECRET};
use crate::load;
use crate::orders;
use crate::place::Place;
use crate::receiver::{self, Receiver};
use crate::stores::median;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const SHOPS: usize = 16;
const ORDERS: usize = 6_000;

/// Nodes over one store, with merchants that have a shop and a subscription each.
struct Cluster {
    nodes: Vec<Gateway>,
    hooks: Vec<String>,
    receiver: Receiver,
    next: usize,
    rates: Vec<f64>,
    /// CPU of an order in µs: nodes, server, generator and receiver.
    cpu: [f64; 3],
    _places: Vec<Place>,
}

pub async fn nodes() {
    let Some(server) = Database::start() else {
        return;
    };
    let mut one = Cluster::start(&server, 1).await;
    let mut two = Cluster::start(&server, 2).await;
    for _ in 0..ROUNDS {
        one.round(&server, ORDERS).await;
        two.round(&server, ORDERS).await;
    }
    let (a, b) = (median(&one.rates), median(&two.rates));
    println!("| | one node | two nodes | ratio |\n|---|---|---|---|");
    println!("| pipeline, orders/s | {a:.0} | {b:.0} | {:.2} |", b / a);
    let names = [
        "CPU of an order, nodes",
        "CPU of an order, PostgreSQL",
        "CPU of an order, generator and receiver",
    ];
    for (k, name) in names.iter().enumerate() {
        let (a, b) = (one.cpu[k], two.cpu[k]);
        println!("| {name} | {a:.0} µs | {b:.0} µs | {:.2} |", b / a);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    for (name, cluster) in [("one node", &one), ("two nodes", &two)] {
        let used = median(&cluster.rates) * cluster.cpu.iter().sum::<f64>() / 1e6;
        println!(
            "          {name}: {used:.2} of {cores:.0} cores busy with orders; shares of connections {:?}",
            cluster.shares().await
        );
    }
}

impl Cluster {
    async fn start(server: &Database, count: usize) -> Self {
        let first = Place::server(server).await;
        let mut places: Vec<Place> = (1..count).map(|_| first.beside()).collect();
        places.insert(0, first);
        let mut nodes = Vec::new();
        for place in &places {
            nodes.push(place.start("all").await);
        }
        let receiver = receiver::start();
        let mut hooks = Vec::new();
        for n in 0..SHOPS {
            let (hook, merchant) = nodes[0].shop_of(&format!("Shop {n}")).await;
            let body = json!({
                "url": format!("http://{}/", receiver.addr), "merchant_id": merchant,
                "event_types": ["fulfillment_order.submitted"],
            });
            nodes[0].post("/v1/subscriptions", body).await;
            hooks.push(hook);
        }
        let mut cluster = Self {
            nodes,
            hooks,
            receiver,
            next: 1,
            rates: Vec::new(),
            cpu: [0.0; 3],
            _places: places,
        };
        // Until each has its share.
        let limit = Instant::now() + Duration::from_secs(60);
        while cluster.shares().await.contains(&0.0) {
            assert!(Instant::now() < limit, "a node has no share");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        cluster.round(server, 1_000).await;
        cluster.rates.clear();
        cluster
    }

    async fn round(&mut self, server: &Database, count: usize) {
        let addrs: Vec<_> = self.nodes.iter().map(|node| node.addr).collect();
        let requests = (self.next..self.next + count)
            .map(|n| orders::request(addrs[0], &self.hooks[n % SHOPS], SECRET, n))
            .collect();
        self.next += count;
        let there = *self.receiver.count.borrow();
        let before = self.spent(server);
        let started = Instant::now();
        let run = load::blast_over(&addrs, Arc::new(requests), 64).await;
        assert_eq!(run.not_2xx, 0);
        self.receiver.wait(there + count, 180).await;
        let seconds = started.elapsed().as_secs_f64();
        let after = self.spent(server);
        self.cpu = [0, 1, 2].map(|k| (after[k] - before[k]) * 1e6 / count as f64);
        self.rates.push(count as f64 / seconds);
    }

    fn spent(&self, server: &Database) -> [f64; 3] {
        let nodes = self.nodes.iter().map(Gateway::cpu).sum();
        let own = gateway::cpu_by_thread("self").values().sum();
        [nodes, server.cpu(), own]
    }

    /// Connections that each node has.
    async fn shares(&self) -> Vec<f64> {
        let mut shares = Vec::new();
        for node in &self.nodes {
            let placed = node.metric("crossdock_placed{kind=\"connection\"}").await;
            shares.push(placed);
        }
        shares
    }
}
