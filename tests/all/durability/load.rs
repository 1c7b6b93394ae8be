//! `kill -9` at any moment under load: a shop with several connections sends new revisions, resends
//! what was not acknowledged, and sends old ones again.
//!
//! `CROSSDOCK_SOAK_ROUNDS` sets how often the process dies (`make soak`: hundreds).

use super::super::support::{Gateway, Warehouse};
use super::{check, revision, set_up};
use std::collections::BTreeMap;
use tokio::sync::watch;

const ROUNDS: u64 = 40;
/// Senders at once, and orders of each.
const SENDERS: u64 = 6;
const ORDERS: u64 = 4;
/// Revisions are told by the second within one hour.
const MOST_REVISIONS: u32 = 3_500;

/// Numbers that look like chance and are the same at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A shop's connection: its orders and the newest revision sent of each.
struct Sender {
    newest: BTreeMap<u64, u32>,
    chance: Chance,
}

impl Sender {
    fn new(n: u64) -> Self {
        let ids = (0..ORDERS).map(|k| (1 + n * ORDERS + k, 0));
        Self {
            newest: ids.collect(),
            chance: Chance(n + 1),
        }
    }

    /// What is sent next: mostly a newer revision, now and then the same or an older one again.
    fn next(&mut self) -> (u64, u32) {
        let n = usize::try_from(self.chance.below(ORDERS)).unwrap();
        let dice = self.chance.below(10);
        let (id, newest) = self.newest.iter_mut().nth(n).unwrap();
        match dice {
            0 | 1 if *newest > 0 => (*id, *newest),
            2 if *newest > 1 => (*id, *newest - 1),
            _ => {
                *newest = (*newest + 1).min(MOST_REVISIONS);
                (*id, *newest)
            }
        }
    }

    /// Sends until the gateway is gone.
    async fn run(&mut self, gateway: &Gateway, hook: &str, taken: &watch::Sender<u64>) {
        loop {
            let (id, n) = self.next();
            match gateway.webhook(hook, &revision(id, n)).await {
                Some(200) => taken.send_modify(|n| *n += 1),
                Some(status) => panic!("the gateway answered {status}"),
                None => return,
            }
        }
    }
}

fn rounds() -> u64 {
    let told = std::env::var("CROSSDOCK_SOAK_ROUNDS").ok();
    told.map_or(ROUNDS, |text| text.parse().expect("a number of rounds"))
}

#[tokio::test]
async fn kill_nine_under_load_loses_nothing() {
    killed_under_load(tempfile::tempdir().unwrap(), rounds()).await;
}

/// The same with this data directory, so many times.
pub async fn killed_under_load(data: tempfile::TempDir, rounds: u64) {
    let warehouse = Warehouse::start().await;
    let hook = set_up(data.path(), &warehouse).await;
    let mut acknowledged = 0;
    let mut senders: Vec<Sender> = (0..SENDERS).map(Sender::new).collect();
    let mut chance = Chance(99);
    for _ in 0..rounds {
        let mut gateway = Gateway::start(data.path(), &[]).await;
        let pid = gateway.pid();
        let taken = watch::channel(0).0;
        let last = 1 + chance.below(40);
        let killer = async {
            let mut seen = taken.subscribe();
            seen.wait_for(|n| *n >= last).await.unwrap();
            super::super::support::gateway::signal("-KILL", &pid);
        };
        let sending = senders.iter_mut().map(|s| s.run(&gateway, &hook, &taken));
        tokio::join!(killer, futures_util::future::join_all(sending));
        acknowledged += *taken.borrow();
        gateway.ended().await;
    }
    // What was sent and not acknowledged is sent again, as shops do.
    let gateway = Gateway::start(data.path(), &[]).await;
    let mut newest = BTreeMap::new();
    for (id, n) in senders.iter().flat_map(|sender| &sender.newest) {
        let n = (*n).max(1);
        assert_eq!(gateway.webhook(&hook, &revision(*id, n)).await, Some(200));
        newest.insert(*id, n);
    }
    gateway.kill().await;
    check(data.path(), &hook, &warehouse, &newest, acknowledged).await;
}
