//! `make bench`: what the gateway does, as ratios within one run where it can be.
//!
//! Loopback only, bounded, ends by itself. Everything printed was measured in this run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs
)]

mod connectors;
mod database;
mod fair;
mod fill;
mod gateway;
mod load;
mod nodes;
mod orders;
mod place;
mod points;
mod receiver;
mod ship;
mod stored;
mod stores;

use gateway::{Gateway, SECRET};
use place::Place;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As the gateway has it, so that what is measured in this process is what happens there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("load")
        .enable_all()
        .build()
        .unwrap();
    machine();
    runtime.block_on(async {
        let wanted: Vec<String> = std::env::args()
            .skip(1)
            .filter(|a| !a.starts_with('-'))
            .collect();
        let all = wanted.is_empty();
        let on = |name: &str| all || wanted.iter().any(|w| w == name);
        if on("startup") {
            startup().await;
        }
        if on("mapping") {
            mapping();
        }
        if on("connectors") {
            connectors::run();
        }
        if on("points") {
            points::points().await;
        }
        if on("intake") {
            intake().await;
        }
        if on("pipeline") {
            pipeline().await;
        }
        if on("latency") {
            latency().await;
        }
        if on("ship") {
            ship::ship().await;
        }
        if on("stores") {
            stores::stores().await;
        }
        if on("nodes") {
            nodes::nodes().await;
        }
        if on("fairness") {
            fair::fairness().await;
        }
        if on("stored") {
            stored::stored().await;
        }
    });
}

/// What it runs on: a ratio travels, a rate does not.
fn machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("?", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let (p50, p99) = fsync_ms();
    println!(
        "machine   {cores} cores of {model}, Linux {}, load {}; write + fdatasync of 64 KiB: p50 {p50:.2} ms, p99 {p99:.2} ms",
        read("/proc/sys/kernel/osrelease").trim(),
        load.split(' ').next().unwrap_or("?"),
    );
}

/// The disk's part of a commit: appends of 64 KiB, each synced.
fn fsync_ms() -> (f64, f64) {
    use std::io::Write;
    let mut file = tempfile::tempfile().unwrap();
    let block = vec![7u8; 64 << 10];
    let mut times: Vec<u64> = (0..200)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&block).unwrap();
            file.sync_data().unwrap();
            started.elapsed().as_micros() as u64
        })
        .collect();
    times.sort_unstable();
    (
        load::percentile(&times, 0.5) / 1e3,
        load::percentile(&times, 0.99) / 1e3,
    )
}

/// CPU of every stage since `before`, by thread name, gateway first, then what runs beside it.
fn stages(gateway: &Gateway, before: &[BTreeMap<String, f64>; 2], count: usize, what: &str) {
    let mut sum = 0.0;
    for (who, (now, before)) in ["gateway", "beside it"]
        .iter()
        .zip(cpu(gateway).iter().zip(before))
    {
        let mut parts = String::new();
        let mut total = 0.0;
        for (name, spent) in now {
            let spent = spent - before.get(name).copied().unwrap_or(0.0);
            let each = spent * 1e6 / count as f64;
            total += each;
            if each >= 0.5 {
                parts.push_str(&format!(", {name} {each:.1}"));
            }
        }
        sum += total;
        println!("          CPU {who}: {total:.1} µs {what}{parts}");
    }
    println!("          CPU in all: {sum:.1} µs {what}");
}

fn cpu(gateway: &Gateway) -> [BTreeMap<String, f64>; 2] {
    [gateway.cpu_by_thread(), gateway::cpu_by_thread("self")]
}

fn memory(gateway: &Gateway) {
    let (now, peak) = gateway.memory_mib();
    println!("          memory {now:.0} MiB, peak {peak:.0} MiB (target ≤ 256)");
}

async fn startup() {
    let data = tempfile::tempdir().unwrap();
    drop(Gateway::start(data.path(), "all").await);
    let mut times = Vec::new();
    let mut idle = 0.0;
    for _ in 0..5 {
        let gateway = Gateway::start(data.path(), "all").await;
        times.push(gateway.ready_ms);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        idle = gateway.memory_mib().0;
    }
    times.sort_by(f64::total_cmp);
    println!(
        "startup   process start to /readyz, median of 5: {:.0} ms (target < 500); memory idle {idle:.0} MiB (target ≤ 64)",
        times[2]
    );
}

fn mapping() {
    let registry = crossdock::connector::Registry::load(None);
    let connector = registry.catalogue().get("woocommerce").expect("connector");
    let bodies: Vec<String> = (1..=200).map(orders::order).collect();
    let size = bodies[0].len();
    let count = 4_000;
    let mut total = Duration::ZERO;
    for (index, body) in bodies.iter().cycle().take(count + 200).enumerate() {
        let started = Instant::now();
        crossdock::cli::map_one(&connector, "order", body.as_bytes()).expect("maps");
        if index >= 200 {
            total += started.elapsed();
        }
    }
    println!(
        "mapping   {size} B order, read + map + shape: {:.0} µs an order",
        total.as_secs_f64() * 1e6 / count as f64
    );
}

async fn intake() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), "api").await;
    let path = gateway.shop("Bench").await;
    let health = Arc::new(vec![orders::healthz(gateway.addr); 300_000]);
    load::blast(gateway.addr, Arc::new(health[..20_000].to_vec()), 64).await;
    let (mut bare, mut taken, mut latest) = (Vec::new(), Vec::new(), None);
    let mut id = 1;
    for _ in 0..3 {
        bare.push(load::blast(gateway.addr, health.clone(), 64).await.rate());
        let requests = (id..id + 60_000)
            .map(|n| orders::request(gateway.addr, &path, SECRET, n))
            .collect();
        id += 60_000;
        let before = cpu(&gateway);
        let run = load::blast(gateway.addr, Arc::new(requests), 64).await;
        assert_eq!(run.not_2xx, 0);
        taken.push(run.rate());
        latest = Some((run, before));
    }
    let (run, before) = latest.unwrap();
    bare.sort_by(f64::total_cmp);
    taken.sort_by(f64::total_cmp);
    println!(
        "intake    {:.0}/s durable signed webhooks, healthz {:.0}/s: ratio {:.2} (target ≥ 0.40), p50 {:.1} ms, p99 {:.1} ms",
        taken[1],
        bare[1],
        taken[1] / bare[1],
        run.percentile_ms(0.5),
        run.percentile_ms(0.99)
    );
    stages(&gateway, &before, run.requests, "a webhook");
    memory(&gateway);
    let ledger = gateway.get("/v1/ledger").await;
    assert_eq!(
        ledger["data"][0]["received"],
        json!(180_000),
        "every webhook that was acknowledged is in the ledger"
    );
}

/// Sends orders up to this number and waits for them: the subscription's task is awake, programs are compiled.
async fn warm_up(gateway: &Gateway, receiver: &mut receiver::Receiver, path: &str, upto: usize) {
    let warm = (1..=upto)
        .map(|n| orders::request(gateway.addr, path, SECRET, n))
        .collect();
    load::blast(gateway.addr, Arc::new(warm), 16).await;
    receiver.wait(upto, 60).await;
}

async fn pipeline() {
    let place = Place::embedded();
    let (gateway, mut receiver, path) = place.subscribed("all").await;
    warm_up(&gateway, &mut receiver, &path, 500).await;
    let count = 20_000;
    let requests: Vec<_> = (501..=500 + count)
        .map(|n| orders::request(gateway.addr, &path, SECRET, n))
        .collect();
    let before = cpu(&gateway);
    let started = Instant::now();
    load::blast(gateway.addr, Arc::new(requests), 64).await;
    let taken = started.elapsed().as_secs_f64();
    receiver.wait(500 + count, 120).await;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "pipeline  {:.0} orders/s from webhook to acknowledged signed delivery ({count} orders in {seconds:.1} s, intake done after {taken:.1} s; target 4,000, miss below 2,000)",
        count as f64 / seconds
    );
    stages(&gateway, &before, count, "an order");
    memory(&gateway);
}

async fn latency() {
    let place = Place::embedded();
    let (gateway, mut receiver, path) = place.subscribed("all").await;
    let (warm, per_second, count) = (500, 500.0, 7_500);
    warm_up(&gateway, &mut receiver, &path, warm).await;
    let requests: Vec<_> = (warm + 1..=warm + count)
        .map(|n| orders::request(gateway.addr, &path, SECRET, n))
        .collect();
    let before = cpu(&gateway);
    let started = Instant::now();
    let run = load::paced(gateway.addr, Arc::new(requests), 32, per_second).await;
    receiver.wait(warm + count, 30).await;
    let latencies = receiver.latencies_us(started, per_second, warm + 1..warm + 1 + count);
    println!(
        "latency   at {per_second:.0} orders/s, from due to delivered: p50 {:.1} ms, p99 {:.1} ms (target p99 < 50 ms); intake p99 {:.1} ms",
        load::percentile(&latencies, 0.5) / 1e3,
        load::percentile(&latencies, 0.99) / 1e3,
        run.percentile_ms(0.99)
    );
    stages(&gateway, &before, count, "an order");
    memory(&gateway);
}
