//! What `/metrics` shows as it is now: queues, ages, open problems, circuits, what this node has.
//!
//! What always holds: it only reads; a label that has nothing any more shows 0, not its last value.

use super::work::Work;
use crate::canonical::connection::Connection;
use crate::canonical::{Timestamp, word};
use crate::clock::{after, between};
use crate::store::placement::Thing;
use crate::store::{Scope, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Counts by a label's value.
type Counts = BTreeMap<String, f64>;

/// Sets the gauges of a node that works.
pub struct Gauges {
    work: Arc<Work>,
    /// Labels that were shown, by metric.
    shown: Mutex<BTreeMap<&'static str, Counts>>,
}

impl Gauges {
    /// Gauges of this work.
    pub fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            shown: Mutex::default(),
        }
    }

    /// Sets them until told to stop.
    pub async fn run(&self) {
        while !self.work.stop.is_set() {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the gauges cannot be read");
            }
            let next = after(self.work.clock.now(), EVERY);
            tokio::select! {
                () = self.work.stop.wait() => {}
                () = self.work.clock.sleep_until(next) => {}
            }
        }
    }

    /// Sets them once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look(&self) -> Result<(), StoreError> {
        let store = &self.work.store;
        let now = self.work.clock.now();
        let age = |since: Option<Timestamp>| since.map_or(0.0, |at| between(at, now).as_secs_f64());
        let health = store.health().await?;
        metrics::gauge!("crossdock_inbox_pending").set(health.pending_deliveries as f64);
        metrics::gauge!("crossdock_inbox_age_seconds").set(age(health.oldest_pending_at));
        let (mut depths, mut ages) = (Counts::new(), Counts::new());
        for (lane, waiting, oldest) in store.queue_depths().await? {
            depths.insert(word(&lane).to_owned(), waiting as f64);
            ages.insert(word(&lane).to_owned(), age(oldest));
        }
        self.show("crossdock_queue_depth", "lane", depths);
        self.show("crossdock_queue_age_seconds", "lane", ages);
        let mut problems = Counts::new();
        for (class, count) in store.open_problems().await? {
            problems.insert(word(&class).to_owned(), count as f64);
        }
        self.show("crossdock_problems_open", "class", problems);
        let connections = store.connections(Scope::All).await?;
        self.of_connections(&connections, now);
        self.placed(&connections).await
    }

    fn of_connections(&self, connections: &[Connection], now: Timestamp) {
        let (mut states, mut circuits) = (Counts::new(), Counts::new());
        for connection in connections {
            *states
                .entry(word(&connection.state).to_owned())
                .or_default() += 1.0;
            let circuit = self.work.engine.circuits.get(connection.id);
            let open = circuit.stopped || circuit.open_until.is_some_and(|until| until > now);
            let count = circuits.entry(connection.connector.clone()).or_default();
            *count += f64::from(u8::from(open));
        }
        self.show("crossdock_connections", "state", states);
        self.show("crossdock_circuits_open", "connector", circuits);
    }

    async fn placed(&self, connections: &[Connection]) -> Result<(), StoreError> {
        let placement = self.work.store.placement();
        let subscriptions = self.work.store.subscriptions(Scope::All).await?;
        let connections = connections.iter().filter(|c| placement.has(c.id)).count();
        let subscriptions = subscriptions.iter().filter(|s| placement.has(s.id)).count();
        let clocks = u8::from(placement.has(Thing::CLOCKS));
        let placed = [
            ("connection", connections as f64),
            ("subscription", subscriptions as f64),
            ("clocks", f64::from(clocks)),
        ];
        let placed = placed.map(|(kind, count)| (kind.to_owned(), count));
        self.show("crossdock_placed", "kind", placed.into());
        Ok(())
    }

    fn show(&self, metric: &'static str, label: &'static str, now: Counts) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.entry(metric).or_default();
        for gone in before.keys().filter(|value| !now.contains_key(*value)) {
            metrics::gauge!(metric, label => gone.clone()).set(0.0);
        }
        for (value, count) in &now {
            metrics::gauge!(metric, label => value.clone()).set(*count);
        }
        before.extend(now);
    }
}
