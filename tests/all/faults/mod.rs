//! Whole runs under faults: gateways over a store, shops that send and shops that are polled, couriers,
//! a warehouse and a reader by cursor, while nodes are killed, the database is stopped and killed,
//! connections are refused, delayed, stalled, cut and torn, disks fill up, clocks are set wrong,
//! and providers err, lie and lose answers.
//!
//! What it proves, and fails on: the ledger adds up and equals its rows; nothing acknowledged is missing
//! and nothing is stored more often than it was told; no label is bought twice; no event is out of
//! order within its order; a reader by cursor skips none; every event arrives, and in effect once.
//!
//! The short form (every kind of fault once) is part of `make test`. `make soak` sets
//! `CROSSDOCK_FAULT_MINUTES`; `CROSSDOCK_FAULT_SEED` makes another run, and `CROSSDOCK_FAULT_NODES`
//! another number of nodes. What is not ours to decide (threads, the network) does not repeat.

mod chaos;
mod checks;
mod client;
mod database;
mod disk;
mod load;
mod node;
mod packer;
mod proof;
mod proxy;
mod reader;
mod rest;
mod time;
mod town;

use chaos::Length;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};
use town::{Kind, Town};

/// A polled shop gets an order so often in the short form, and in the long one: each is told of its
/// shipment by several calls, and a shop takes few a second.
const ORDERS_EVERY: [Duration; 2] = [Duration::from_millis(900), Duration::from_millis(2_500)];
/// Lines of a node's log that are told when something is wrong.
const LAST_WORDS: usize = 15;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed() -> u64 {
    match number("CROSSDOCK_FAULT_SEED") {
        Some(seed) => seed,
        None if number("CROSSDOCK_FAULT_MINUTES").is_some() => {
            rand::rng().random_range(1..1_000_000)
        }
        None => 20_261_125,
    }
}

/// The minutes of a soak are shared by the kinds of stores: so many of ten.
fn length(tenths: u64) -> Length {
    match number("CROSSDOCK_FAULT_MINUTES") {
        Some(minutes) => Length::For(Duration::from_secs(minutes * 6 * tenths)),
        None => Length::Round,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_loses_nothing_under_faults() {
    run(Kind::Embedded, length(3), seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_over_a_server_lose_nothing_under_faults() {
    let nodes = number("CROSSDOCK_FAULT_NODES").map_or(NODES, |n| usize::try_from(n).unwrap());
    run(Kind::Server(nodes), length(7), seed()).await;
}

/// How many nodes share PostgreSQL.
const NODES: usize = 3;

/// Customers of the polled shops place orders.
async fn street(town: &Town, length: Length, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let every = ORDERS_EVERY[usize::from(!matches!(length, Length::Round))];
    let mut pace = tokio::time::interval(every);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !*town.load.stop.borrow() {
        pace.tick().await;
        let channel = &town.channels[rng.random_range(0..town.channels.len())];
        let one = json!({"count": 1, "quiet": true});
        channel.sim.sim("POST", "/orders", one).await;
    }
}

async fn run(kind: Kind, length: Length, seed: u64) {
    let began = Instant::now();
    eprintln!("faults: {kind:?}, CROSSDOCK_FAULT_SEED={seed}");
    let town = Town::open(kind, seed).await;
    let loaded = async {
        tokio::join!(town.load.run(seed), street(&town, length, seed));
    };
    let broken = async {
        assert!(
            town.load.goes_on(10, Duration::from_secs(60)).await,
            "nothing is acknowledged before anything is broken"
        );
        chaos::run(&town, kind, length, seed).await;
        town.load.stop.send_replace(true);
    };
    let rested = async {
        tokio::join!(loaded, broken);
        let faults = began.elapsed();
        rest::comes(&town).await;
        let found = checks::all(&town).await;
        town.reader.stop.send_replace(true);
        (found, faults)
    };
    let (((figures, mut wrong), faults), ()) = tokio::join!(rested, town.reader.run());
    town.close().await;
    checks::recounted(&town, &mut wrong).await;
    report(&town, kind, seed, &figures, (faults, began.elapsed()));
    if wrong.is_empty() {
        return;
    }
    for (node, n) in town.nodes.iter().zip(1..) {
        let folder = node.folder().display();
        eprintln!(
            "node {n} ({folder}) said last:\n{}",
            node.last_words(LAST_WORDS)
        );
    }
    let few: Vec<&String> = wrong.iter().take(30).collect();
    panic!(
        "CROSSDOCK_FAULT_SEED={seed} {kind:?}: {} things are wrong:\n{few:#?}",
        wrong.len()
    );
}

#[allow(clippy::print_stdout)]
fn report(
    town: &Town,
    kind: Kind,
    seed: u64,
    figures: &checks::Figures,
    (faults, all): (Duration, Duration),
) {
    use std::sync::atomic::Ordering::SeqCst;
    let mut text = format!(
        "\n{kind:?}, seed {seed}: {} s of faults, {} s in all, {} h simulated\n",
        faults.as_secs(),
        all.as_secs(),
        town.time.passed().as_secs() / 3_600
    );
    let sum = |of: &dyn Fn(&node::Node) -> u32| -> u32 { town.nodes.iter().map(|n| of(n)).sum() };
    text.push_str(&format!(
        "  starts of nodes {}, starts that failed {}, ended by themselves {}\n",
        sum(&|n| n.starts.load(SeqCst)),
        sum(&|n| n.failed_starts.load(SeqCst)),
        sum(&|n| n.ended_itself.load(SeqCst)),
    ));
    for (fault, n) in town.faults.lock().unwrap().iter() {
        text.push_str(&format!("  {fault:<36} {n:>7}\n"));
    }
    let (mut doubled, mut reordered, mut cut_off, mut forged) = (0, 0, 0, 0);
    let mut answers = std::collections::BTreeMap::<u16, u64>::new();
    for shop in &town.load.shops {
        let book = shop.book.lock().unwrap();
        (doubled, reordered) = (doubled + book.doubled, reordered + book.reordered);
        (cut_off, forged) = (cut_off + book.cut_off, forged + book.wrongly_signed);
        for (status, n) in &book.answers {
            *answers.entry(*status).or_default() += n;
        }
    }
    text.push_str(&format!(
        "  webhooks doubled {doubled}, reordered {reordered}, cut off {cut_off}, wrongly signed {forged}\n  \
           answers (0: none) {answers:?}\n"
    ));
    text.push_str(&format!("  {figures:#?}\n"));
    if town.disk.is_none() && kind == Kind::Embedded {
        text.push_str("  NOT RUN: a full disk (a file system cannot be mounted here)\n");
    }
    println!("{text}");
}
