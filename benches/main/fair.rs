//! Fairness: 100 merchants, one of whom floods; an endpoint that never answers; a provider that
//! never answers. What the others wait, without and with it, in one run each.
//!
//! Their load is steady and low (a fraction of what the gateway can do), so that what they wait is
//! somebody else's doing. Generator and receiver share the cores with the gateway: the flood takes
//! CPU of everything, also of what measures.

use crate::database::Database;
use crate::gateway::{Gateway, SECRET};
use crate::load::{self, Run, percentile};
use crate::orders;
use crate::place::Place;
use crate::receiver::{self, Receiver};
use crate::ship::Depot;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MERCHANTS: usize = 100;
/// Of the 99 together.
const PER_SECOND: f64 = 99.0;
const SECONDS: usize = 10;
/// The flood's connections.
const WIDE: usize = 16;
/// The flood's orders have numbers that no other has.
const FLOOD: usize = 100_000_000;

/// A row of the table, and its cells.
type Row = (&'static str, fn(&Waited) -> f64);

/// What the others waited: median and p99 in ms.
struct Waited {
    taken: [f64; 2],
    told: [f64; 2],
}

struct House {
    gateway: Gateway,
    hooks: Vec<String>,
    receiver: Receiver,
    next: usize,
}

pub async fn fairness() {
    table("SQLite", &Place::embedded()).await;
    if let Some(server) = Database::start() {
        table("PostgreSQL", &Place::server(&server).await).await;
    }
    provider().await;
}

async fn table(name: &str, place: &Place) {
    let mut house = House::start(place).await;
    house.steady().await; // To warm up.
    let alone = house.steady().await;
    let dead = house.beside_a_dead_endpoint().await;
    let (flooded, flood, depth) = house.flooded().await;
    println!(
        "| {name}: what {} others wait | alone | beside a dead endpoint | ratio | beside a flood | ratio |\n|---|---|---|---|---|---|",
        MERCHANTS - 1
    );
    let rows: [Row; 4] = [
        ("acknowledged, p50", |w| w.taken[0]),
        ("acknowledged, p99", |w| w.taken[1]),
        ("`order.received` at the warehouse, p50", |w| w.told[0]),
        ("`order.received` at the warehouse, p99", |w| w.told[1]),
    ];
    for (what, of) in rows {
        let (a, d, f) = (of(&alone), of(&dead), of(&flooded));
        println!(
            "| {what} | {a:.1} ms | {d:.1} ms | {:.1} | {f:.1} ms | {:.1} |",
            d / a,
            f / a
        );
    }
    println!(
        "          the flood: {:.0} webhooks/s over {WIDE} connections, {} refused, {depth} deliveries waited at its end",
        flood.rate(),
        flood.not_2xx
    );
}

impl House {
    async fn start(place: &Place) -> Self {
        let gateway = place.start("all").await;
        let mut hooks = Vec::new();
        for n in 0..MERCHANTS {
            hooks.push(gateway.shop(&format!("Shop {n}")).await);
        }
        let receiver = receiver::start();
        let house = Self {
            gateway,
            hooks,
            receiver,
            next: 1,
        };
        house.subscribe(house.receiver.addr).await;
        house
    }

    /// The depot's own warehouse: it is told of all merchants' orders.
    async fn subscribe(&self, addr: std::net::SocketAddr) -> Value {
        let body = json!({"url": format!("http://{addr}/"), "event_types": ["order.received"]});
        self.gateway.post("/v1/subscriptions", body).await
    }

    /// The others' load for a while: each merchant but the first in its turn.
    async fn steady(&mut self) -> Waited {
        let count = PER_SECOND as usize * SECONDS;
        let (first, addr) = (self.next, self.gateway.addr);
        self.next += count;
        let hook = |n: usize| &self.hooks[1 + n % (MERCHANTS - 1)];
        let requests = (first..first + count)
            .map(|n| orders::request(addr, hook(n), SECRET, n))
            .collect();
        let started = Instant::now();
        let run = load::paced(addr, Arc::new(requests), 32, PER_SECOND).await;
        assert_eq!(run.not_2xx, 0, "nobody is told to come again");
        let limit = Instant::now() + Duration::from_secs(120);
        let told = loop {
            let told = self
                .receiver
                .latencies_us(started, PER_SECOND, first..first + count);
            if told.len() == count {
                break told;
            }
            assert!(Instant::now() < limit, "{} of {count} came", told.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        Waited {
            taken: [0.5, 0.99].map(|p| run.percentile_ms(p)),
            told: [0.5, 0.99].map(|p| percentile(&told, p) / 1e3),
        }
    }

    async fn beside_a_dead_endpoint(&mut self) -> Waited {
        let dead = self.subscribe(receiver::silent()).await;
        let waited = self.steady().await;
        let path = format!("/v1/subscriptions/{}", dead["id"].as_str().expect("id"));
        let body = json!({"state": "disabled"});
        self.gateway.patch(&path, body).await;
        waited
    }

    /// The others' load while the first merchant sends as fast as it is answered; with how many
    /// deliveries waited at the end.
    async fn flooded(&mut self) -> (Waited, Run, u64) {
        let (addr, hook) = (self.gateway.addr, self.hooks[0].clone());
        let stop = Arc::new(AtomicBool::new(false));
        let make = move |n| orders::request(addr, &hook, SECRET, FLOOD + n);
        let flood = tokio::spawn(load::flood(addr, make, WIDE, stop.clone()));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let waited = self.steady().await;
        stop.store(true, Ordering::Relaxed);
        let run = flood.await.expect("flood");
        let ready = self.gateway.get("/v1/ledger").await;
        let lines = ready["data"].as_array().expect("lines");
        let depth = lines.iter().filter_map(|line| line["pending"].as_u64());
        (waited, run, depth.sum())
    }
}

/// Labels at a carrier that answers, without and with labels wanted of one that never does.
async fn provider() {
    let (packers, labels, wanted) = (2, 200, 40);
    let mut depot = Depot::start(&Place::embedded()).await;
    let account = depot.account.clone();
    let warm = depot.parts(50).await;
    depot.packed(&account, warm, packers).await;
    let some = depot.parts(labels).await;
    let alone = depot.packed(&account, some, packers).await;
    let dead = depot
        .account_at(&format!("http://{}", receiver::silent()))
        .await;
    for part in depot.parts(wanted).await {
        let body = json!({"shipment_ref": "S-1", "parcels": [{"weight_g": 900}], "carrier_connection_id": dead});
        let path = format!("/v1/fulfillment-orders/{part}/ship");
        depot.gateway.post(&path, body).await;
    }
    let some = depot.parts(labels).await;
    let beside = depot.packed(&account, some, packers).await;
    println!(
        "| `ship?wait=8`, {packers} packers, {labels} labels | alone | beside {wanted} labels wanted of a carrier that never answers | ratio |\n|---|---|---|---|"
    );
    for (name, p) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let (a, b) = (percentile(&alone, p) / 1e3, percentile(&beside, p) / 1e3);
        println!("| {name} | {a:.1} ms | {b:.1} ms | {:.1} |", b / a);
    }
    depot.courier.stop().await;
}
