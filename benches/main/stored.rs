//! 10,000 against 1,000,000 stored orders: does what is stored slow what comes? Two gateways of the
//! same build over two stores, loaded in turns within one run.
//!
//! `BENCH_ORDERS` sets the larger number, `BENCH_STORES` (`sqlite`, `postgres`) leaves one out.

use crate::database::Database;
use crate::fill::fill;
use crate::gateway::{Gateway, SECRET};
use crate::load::{self, percentile};
use crate::orders;
use crate::place::Place;
use crate::receiver::{self, Receiver};
use crate::stores::median;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const FEW: usize = 10_000;
const MANY: usize = 1_000_000;
const ROUNDS: usize = 3;
const WEBHOOKS: usize = 20_000;
const ORDERS: usize = 4_000;
const PER_SECOND: f64 = 500.0;
const PACED: usize = 2_500;
const LOOKS: usize = 150;
/// Bytes on the disk that a stored order may take, with the log behind it.
const BYTES: u64 = 20_000;
/// Left free on the disk, whatever is asked for.
const SPARE: u64 = 4 << 30;
/// The load's orders have numbers that no stored one has.
const FRESH: usize = 100_000_000;

/// A gateway over so many orders.
struct Side {
    count: usize,
    place: Place,
    hook: String,
    gateway: Option<Gateway>,
    receiver: Receiver,
    next: usize,
    intake: Vec<f64>,
    intake_p99: Vec<f64>,
    pipeline: Vec<f64>,
    told_p50: Vec<f64>,
    told_p99: Vec<f64>,
    memory_mib: f64,
}

/// Free bytes where temporary files go.
fn free(folder: &Path) -> u64 {
    let told = std::process::Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(folder)
        .output();
    let told = told.map(|done| String::from_utf8_lossy(&done.stdout).into_owned());
    let last = told.unwrap_or_default();
    last.lines()
        .last()
        .and_then(|line| line.trim().parse().ok())
        .unwrap_or(0)
}

fn wanted() -> usize {
    let asked = std::env::var("BENCH_ORDERS")
        .ok()
        .and_then(|n| n.parse().ok());
    let asked = asked.unwrap_or(MANY);
    let room = free(&std::env::temp_dir()).saturating_sub(SPARE) / BYTES;
    let fits = usize::try_from(room).unwrap_or(MANY);
    if asked > fits {
        println!("stored    the disk has room for {fits} orders, not for {asked}");
    }
    asked.min(fits).max(FEW)
}

pub async fn stored() {
    let stores = std::env::var("BENCH_STORES").unwrap_or_else(|_| "sqlite postgres".to_owned());
    if stores.contains("sqlite") {
        let (few, many) = (Place::embedded(), Place::embedded());
        compared("SQLite", few, many).await;
    }
    if stores.contains("postgres")
        && let Some(server) = Database::start()
    {
        let (few, many) = (Place::server(&server).await, Place::server(&server).await);
        compared("PostgreSQL", few, many).await;
    }
}

async fn compared(name: &str, few: Place, many: Place) {
    let mut sides = [
        Side::filled(few, FEW).await,
        Side::filled(many, wanted()).await,
    ];
    for side in &mut sides {
        side.begin("all").await;
        side.subscribe().await;
        side.pipeline(500).await; // To warm up.
        side.pipeline.clear();
    }
    for _ in 0..ROUNDS {
        for side in &mut sides {
            side.pipeline(ORDERS).await;
        }
    }
    for _ in 0..2 {
        for side in &mut sides {
            side.latency().await;
        }
    }
    let looks = looks(&sides).await;
    for side in &mut sides {
        side.memory_mib = side.gateway.as_ref().expect("runs").memory_mib().1;
        side.begin("api").await;
    }
    for _ in 0..ROUNDS {
        for side in &mut sides {
            side.intake().await;
        }
    }
    rows(name, &sides, &looks);
}

impl Side {
    async fn filled(place: Place, count: usize) -> Self {
        let gateway = place.start("api").await;
        let hook = gateway.shop("Bench").await;
        drop(gateway);
        let store = place.open().await;
        let shop = hook.trim_start_matches("/hooks/").parse().expect("an id");
        let seconds = fill(&store, shop, 1..count + 1).await;
        store.close().await;
        drop(store);
        if let Some(url) = place.server_url() {
            Database::settle(url).await;
        }
        println!(
            "stored    {}: {count} orders written in {seconds:.0} s ({:.0}/s), {:.1} GB free",
            place.name(),
            count as f64 / seconds,
            free(place.folder.path()) as f64 / 1e9
        );
        Self {
            count,
            place,
            hook,
            gateway: None,
            receiver: receiver::start(),
            next: FRESH,
            intake: Vec::new(),
            intake_p99: Vec::new(),
            pipeline: Vec::new(),
            told_p50: Vec::new(),
            told_p99: Vec::new(),
            memory_mib: 0.0,
        }
    }

    async fn begin(&mut self, role: &str) {
        self.gateway = None;
        self.gateway = Some(self.place.start(role).await);
    }

    fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("runs")
    }

    async fn subscribe(&self) {
        let url = format!("http://{}/", self.receiver.addr);
        let body = json!({"url": url, "event_types": ["fulfillment_order.submitted"]});
        self.gateway().post("/v1/subscriptions", body).await;
    }

    /// The next so many requests.
    fn requests(&mut self, count: usize) -> Arc<Vec<Vec<u8>>> {
        let first = self.next;
        self.next += count;
        let addr = self.gateway().addr;
        let each = (first..first + count).map(|n| orders::request(addr, &self.hook, SECRET, n));
        Arc::new(each.collect())
    }

    async fn pipeline(&mut self, count: usize) {
        let requests = self.requests(count);
        let there = *self.receiver.count.borrow();
        let started = Instant::now();
        load::blast(self.gateway().addr, requests, 64).await;
        self.receiver.wait(there + count, 180).await;
        self.pipeline
            .push(count as f64 / started.elapsed().as_secs_f64());
    }

    async fn latency(&mut self) {
        let (first, requests) = (self.next, self.requests(PACED));
        let there = *self.receiver.count.borrow();
        let started = Instant::now();
        load::paced(self.gateway().addr, requests, 32, PER_SECOND).await;
        self.receiver.wait(there + PACED, 120).await;
        let told = self
            .receiver
            .latencies_us(started, PER_SECOND, first..first + PACED);
        self.told_p50.push(percentile(&told, 0.5) / 1e3);
        self.told_p99.push(percentile(&told, 0.99) / 1e3);
    }

    async fn intake(&mut self) {
        let requests = self.requests(WEBHOOKS);
        let run = load::blast(self.gateway().addr, requests, 64).await;
        assert_eq!(run.not_2xx, 0);
        self.intake.push(run.rate());
        self.intake_p99.push(run.percentile_ms(0.99));
    }

    /// What people and programs ask for, about one of the stored orders: how long each took. It is
    /// found by the channel's id first, when nothing of it was read lately.
    async fn asked(&self, n: usize) -> Vec<(&'static str, u64)> {
        let number = 1 + (n * 7_919) % self.count;
        let path = format!("/v1/orders?external_id={number}");
        let (took, found) = self.gateway().timed(&path).await;
        let id = found["data"][0]["id"].as_str().expect("stored");
        let mut times = vec![("an order by the channel's id", took)];
        let paths = [
            ("an order by its id", format!("/v1/orders/{id}")),
            ("an order's timeline", format!("/v1/orders/{id}/timeline")),
            ("search by number", format!("/v1/orders?q={number}")),
            (
                "search by e-mail",
                format!("/v1/orders?q={}", orders::email(number)),
            ),
            ("50 newest orders", "/v1/orders?limit=50".to_owned()),
            (
                "50 of the work list",
                "/v1/fulfillment-orders?awaiting=accept&limit=50".to_owned(),
            ),
            (
                "100 events from the middle",
                format!("/v1/events?after={}&limit=100", number * 3),
            ),
            ("50 newest inbox records", "/v1/inbox?limit=50".to_owned()),
        ];
        for (what, path) in paths {
            times.push((what, self.gateway().timed(&path).await.0));
        }
        times
    }
}

/// A question, and what either side took to answer it: median and p95 in ms.
type Look = (&'static str, [[f64; 2]; 2]);

/// Asks both sides in turns.
async fn looks(sides: &[Side; 2]) -> Vec<Look> {
    let mut times: Vec<(&'static str, [Vec<u64>; 2])> = Vec::new();
    for n in 0..LOOKS {
        for (at, side) in sides.iter().enumerate() {
            for (k, (what, took)) in side.asked(n).await.into_iter().enumerate() {
                if times.len() <= k {
                    times.push((what, Default::default()));
                }
                times[k].1[at].push(took);
            }
        }
    }
    let summed = |mut times: Vec<u64>| {
        times.sort_unstable();
        [0.5, 0.95].map(|p| percentile(&times, p) / 1e3)
    };
    times
        .into_iter()
        .map(|(what, both)| (what, both.map(summed)))
        .collect()
}

fn rows(name: &str, sides: &[Side; 2], looks: &[Look]) {
    let [few, many] = sides;
    println!(
        "| {name} | {} orders | {} orders | ratio | target |\n|---|---|---|---|---|",
        few.count, many.count
    );
    let rate = |what: &str, target: &str, of: fn(&Side) -> &[f64]| {
        let (one, two) = (median(of(few)), median(of(many)));
        println!(
            "| {what} | {one:.0} | {two:.0} | {:.2} | {target} |",
            two / one
        );
    };
    rate("intake, webhooks/s", "≥ 0.9", |s| &s.intake);
    rate("pipeline, orders/s", "≥ 0.9", |s| &s.pipeline);
    let time = |what: &str, of: fn(&Side) -> &[f64]| {
        let (one, two) = (median(of(few)), median(of(many)));
        println!(
            "| {what} | {one:.1} ms | {two:.1} ms | {:.2} | – |",
            two / one
        );
    };
    time("intake at full load, p99", |s| &s.intake_p99);
    time("at 500 orders/s, delivered, p50", |s| &s.told_p50);
    time("at 500 orders/s, delivered, p99", |s| &s.told_p99);
    for (what, [one, two]) in looks {
        println!(
            "| {what}, p50 (p95) | {:.1} ms ({:.1}) | {:.1} ms ({:.1}) | {:.2} | – |",
            one[0],
            one[1],
            two[0],
            two[1],
            two[0] / one[0]
        );
    }
    println!(
        "| memory peak | {:.0} MiB | {:.0} MiB | {:.2} | ≤ 256 MiB |",
        few.memory_mib,
        many.memory_mib,
        many.memory_mib / few.memory_mib
    );
}
