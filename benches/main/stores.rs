//! Both stores in one run, in turns: what PostgreSQL costs beside the embedded store. Everything of
//! it is on this machine: the server's share of the cores, and no network between.

use crate::database::Database;
use crate::gateway::SECRET;
use crate::load::{self, percentile};
use crate::orders;
use crate::place::Place;
use crate::ship;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const WEBHOOKS: usize = 20_000;
const ORDERS: usize = 6_000;
const PER_SECOND: f64 = 500.0;
const PACED: usize = 5_000;

/// What was measured of one store; a value a round.
#[derive(Default)]
struct Found {
    start_ms: Vec<f64>,
    idle_mib: Vec<f64>,
    peak_mib: Vec<f64>,
    server_mib: Vec<f64>,
    intake: Vec<f64>,
    intake_p99: Vec<f64>,
    pipeline: Vec<f64>,
    taken_p99: Vec<f64>,
    told_p50: Vec<f64>,
    told_p99: Vec<f64>,
    ship_one: Vec<f64>,
    ship_eight: Vec<f64>,
}

/// What one of the two has.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

async fn place(database: Option<&Database>) -> Place {
    match database {
        None => Place::embedded(),
        Some(database) => Place::server(database).await,
    }
}

pub async fn stores() {
    let server = Database::start();
    let (mut file, mut other) = (Found::default(), Found::default());
    for round in 1..=ROUNDS {
        measure(None, &mut file).await;
        if let Some(server) = &server {
            measure(Some(server), &mut other).await;
        }
        println!("stores    round {round} of {ROUNDS} done");
    }
    shipped(None, &mut file).await;
    if let Some(server) = &server {
        shipped(Some(server), &mut other).await;
    }
    rows(&file, &other, server.is_some());
}

async fn measure(database: Option<&Database>, found: &mut Found) {
    start(database, found).await;
    intake(database, found).await;
    pipeline(database, found).await;
    latency(database, found).await;
}

async fn start(database: Option<&Database>, found: &mut Found) {
    let place = place(database).await;
    drop(place.start("all").await); // Makes the schema.
    let gateway = place.start("all").await;
    found.start_ms.push(gateway.ready_ms);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    found.idle_mib.push(gateway.memory_mib().0);
}

async fn intake(database: Option<&Database>, found: &mut Found) {
    let place = place(database).await;
    let gateway = place.start("api").await;
    let path = gateway.shop("Bench").await;
    let requests: Vec<_> = (1..=WEBHOOKS + 500)
        .map(|n| orders::request(gateway.addr, &path, SECRET, n))
        .collect();
    load::blast(gateway.addr, Arc::new(requests[..500].to_vec()), 64).await;
    let run = load::blast(gateway.addr, Arc::new(requests[500..].to_vec()), 64).await;
    assert_eq!(run.not_2xx, 0);
    found.intake.push(run.rate());
    found.intake_p99.push(run.percentile_ms(0.99));
    found.peak_mib.push(gateway.memory_mib().1);
}

async fn pipeline(database: Option<&Database>, found: &mut Found) {
    let place = place(database).await;
    let (gateway, mut receiver, path) = place.subscribed("all").await;
    crate::warm_up(&gateway, &mut receiver, &path, 500).await;
    let requests: Vec<_> = (501..=500 + ORDERS)
        .map(|n| orders::request(gateway.addr, &path, SECRET, n))
        .collect();
    let started = Instant::now();
    load::blast(gateway.addr, Arc::new(requests), 64).await;
    receiver.wait(500 + ORDERS, 180).await;
    let seconds = started.elapsed().as_secs_f64();
    found.pipeline.push(ORDERS as f64 / seconds);
    found.peak_mib.push(gateway.memory_mib().1);
    if let Some(server) = database {
        found.server_mib.push(server.memory_mib());
    }
}

async fn latency(database: Option<&Database>, found: &mut Found) {
    let place = place(database).await;
    let (gateway, mut receiver, path) = place.subscribed("all").await;
    crate::warm_up(&gateway, &mut receiver, &path, 500).await;
    let requests: Vec<_> = (501..=500 + PACED)
        .map(|n| orders::request(gateway.addr, &path, SECRET, n))
        .collect();
    let started = Instant::now();
    let run = load::paced(gateway.addr, Arc::new(requests), 32, PER_SECOND).await;
    receiver.wait(500 + PACED, 120).await;
    let told = receiver.latencies_us(started, PER_SECOND, 501..501 + PACED);
    found.taken_p99.push(run.percentile_ms(0.99));
    found.told_p50.push(percentile(&told, 0.5) / 1e3);
    found.told_p99.push(percentile(&told, 0.99) / 1e3);
}

async fn shipped(database: Option<&Database>, found: &mut Found) {
    let times = ship::packers(&place(database).await, &[(1, 200), (8, 600)]).await;
    found.ship_one.push(percentile(&times[0], 0.95) / 1e3);
    found.ship_eight.push(percentile(&times[1], 0.95) / 1e3);
}

fn rows(file: &Found, other: &Found, both: bool) {
    println!("| | SQLite | PostgreSQL | PostgreSQL / SQLite | target |\n|---|---|---|---|---|");
    let row = |what: &str, unit: &str, target: &str, of: &dyn Fn(&Found) -> f64| {
        let (one, two) = (of(file), of(other));
        let digits = if one >= 100.0 { 0 } else { 1 };
        let (two, ratio) = match both {
            true => (format!("{two:.digits$}{unit}"), format!("{:.2}", two / one)),
            false => ("not measured".to_owned(), "–".to_owned()),
        };
        println!("| {what} | {one:.digits$}{unit} | {two} | {ratio} | {target} |");
    };
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    row("start to `/readyz`", " ms", "< 500 ms", &|f| {
        median(&f.start_ms)
    });
    row("memory idle", " MiB", "≤ 64 MiB", &|f| most(&f.idle_mib));
    row(
        "memory peak, of intake and pipeline",
        " MiB",
        "≤ 256 MiB",
        &|f| most(&f.peak_mib),
    );
    row("intake, webhooks/s", "", "–", &|f| median(&f.intake));
    row("intake at full load, p99", " ms", "–", &|f| {
        median(&f.intake_p99)
    });
    row("pipeline, orders/s", "", "–", &|f| median(&f.pipeline));
    row("at 500 orders/s, acknowledged, p99", " ms", "–", &|f| {
        median(&f.taken_p99)
    });
    row("at 500 orders/s, delivered, p50", " ms", "–", &|f| {
        median(&f.told_p50)
    });
    row("at 500 orders/s, delivered, p99", " ms", "< 50 ms", &|f| {
        median(&f.told_p99)
    });
    row("`ship?wait=8`, one packer, p95", " ms", "< 50 ms", &|f| {
        median(&f.ship_one)
    });
    row(
        "`ship?wait=8`, eight packers, p95",
        " ms",
        "< 50 ms",
        &|f| median(&f.ship_eight),
    );
    if both {
        println!(
            "          the server's own memory after the pipeline: {:.0} MiB",
            most(&other.server_mib)
        );
    }
}
