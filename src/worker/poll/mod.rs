//! Polling: the truth beside every webhook. Each connection's changed orders (a carrier's news of all
//! its parcels, where it tells them so) are read at an
//! interval, and now and then everything of the last hours once more (the sweep), because
//! providers drop webhooks and commit late.
//!
//! What always holds: a page and its cursor are one transaction; a connection is polled by one
//! task at a time; what fails is tried again at the next interval and told to people.

mod once;
pub mod pages;

pub(super) use once::failed;
pub use once::since;

use super::in_hand::InHand;
use super::reading::{ORDERS_PULL, POLLED, TRACKING_PULL};
use super::work::Work;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::after;
use crate::flow::tracking::ladder::Ladder;
use crate::manifest::model::Poll;
use crate::store::{Scope, StoreError};
use rand::Rng;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often connections are looked at for new ones and changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Polls under way at once.
const AT_ONCE: usize = 32;

/// When a connection is read next.
#[derive(Debug, Clone, Copy)]
struct Plan {
    poll: Timestamp,
    sweep: Timestamp,
}

/// What is polled: a connection's operation.
type Polling = (ConnectionId, &'static str);

/// What one poll came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Polled {
    /// Records read.
    pub read: usize,
    /// Records that were new or changed.
    pub fresh: usize,
    /// More is left: poll again at once.
    pub more: bool,
    /// Why it failed.
    pub failed: Option<Class>,
}

/// The setting of a connection: seconds between two polls for changed orders.
const ORDERS_EVERY: &str = "orders_every_s";

fn orders_every(connection: &Connection) -> Option<Duration> {
    let every = connection.settings.get(ORDERS_EVERY)?.as_u64()?;
    (1..=86_400)
        .contains(&every)
        .then(|| Duration::from_secs(every))
}

/// The poller. See the module.
pub struct Poller {
    work: Arc<Work>,
    plans: Mutex<HashMap<Polling, Plan>>,
    polled: InHand<Polling>,
}

impl Poller {
    /// A poller of all connections.
    pub fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            plans: Mutex::default(),
            polled: InHand::new(),
        }
    }

    /// Polls until told to stop.
    pub async fn run(self: Arc<Self>) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        while !self.work.stop.is_set() {
            let next = match self.start_due(&mut tasks).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "connections cannot be read; polling waits");
                    after(self.work.clock.now(), LOOK_EVERY)
                }
            };
            tokio::select! {
                () = self.work.stop.wait() => {}
                () = self.work.clock.sleep_until(next) => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
        // Pages are whole or not at all: a poll may end anywhere.
        tasks.shutdown().await;
    }

    /// Starts what is due; when to look again.
    async fn start_due(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Result<Timestamp, StoreError> {
        let now = self.work.clock.now();
        let mut next = after(now, LOOK_EVERY);
        let connections = self.work.store.connections(Scope::All).await?;
        self.forget_all_but(&connections);
        let polled = connections
            .into_iter()
            .flat_map(|connection| POLLED.map(|operation| (connection.clone(), operation)));
        for (connection, operation) in polled {
            let Some(rule) = self.rule(&connection, operation) else {
                continue;
            };
            let plan = self.plan(&connection, operation, &rule, now).await?;
            if self.polled.has(&(connection.id, operation)) || tasks.len() >= AT_ONCE {
                continue;
            }
            let sweep = plan.sweep <= now;
            if plan.poll > now && !sweep {
                next = next.min(plan.poll).min(plan.sweep);
                continue;
            }
            let Some(entered) = self.work.enter(connection.id) else {
                continue;
            };
            let Some(in_hand) = self.polled.take((connection.id, operation)) else {
                continue;
            };
            // Also where the poll ends by a panic.
            let poll = after(now, rule.interval.0);
            let later = Plan {
                poll,
                sweep: if sweep { poll } else { plan.sweep },
            };
            self.set((connection.id, operation), later);
            let poller = self.clone();
            tasks.spawn(async move {
                let _until_done = (entered, in_hand);
                poller.turn(connection, operation, rule, sweep).await;
            });
        }
        Ok(next)
    }

    fn rule(&self, connection: &Connection, operation: &str) -> Option<Poll> {
        if !matches!(
            connection.state,
            ConnectionState::Active | ConnectionState::Observing
        ) {
            return None;
        }
        let connector = self.work.connector(connection)?;
        let operations = &connector.provider.manifest().operations;
        let mut rule = operations.get(operation)?.poll.clone()?;
        let set = match operation {
            TRACKING_PULL => Ladder::set(connection),
            _ => orders_every(connection),
        };
        rule.interval.0 = set.unwrap_or(rule.interval.0);
        Some(rule)
    }

    async fn plan(
        &self,
        connection: &Connection,
        operation: &'static str,
        rule: &Poll,
        now: Timestamp,
    ) -> Result<Plan, StoreError> {
        if let Some(plan) = self.plans().get(&(connection.id, operation)) {
            return Ok(*plan);
        }
        let swept = self
            .work
            .store
            .cursor(connection.id, &once::sweep_cursor(operation))
            .await?;
        let swept: Option<Timestamp> = swept.and_then(|text| text.parse().ok());
        let due = |last: Option<Timestamp>, every: Duration| {
            last.map_or(now, |last| after(last, every).min(after(now, every)))
        };
        let last = connection.health.last_poll_at;
        let plan = Plan {
            poll: due(last.filter(|_| operation == ORDERS_PULL), rule.interval.0),
            // The first poll reads further back than any sweep.
            sweep: due(swept.or(Some(now)), rule.sweep_interval.0),
        };
        self.set((connection.id, operation), plan);
        Ok(plan)
    }

    async fn turn(&self, connection: Connection, operation: &'static str, rule: Poll, sweep: bool) {
        let id = connection.id;
        let polled = match self.poll(&connection, operation, sweep).await {
            Ok(polled) => polled,
            Err(error) => {
                tracing::warn!(connection = %id, %error, "a poll could not be stored");
                Polled {
                    failed: Some(Class::Transient),
                    ..Polled::default()
                }
            }
        };
        let now = self.work.clock.now();
        let jitter = rule
            .interval
            .0
            .mul_f64(rand::rng().random_range(0.0..=rule.jitter.clamp(0.0, 1.0)));
        let mut plans = self.plans();
        let Some(plan) = plans.get_mut(&(id, operation)) else {
            return;
        };
        plan.poll = match polled.more {
            true => now,
            false => after(now, rule.interval.0 + jitter),
        };
        if sweep {
            let pause = if polled.failed.is_none() {
                rule.sweep_interval.0
            } else {
                rule.interval.0
            };
            plan.sweep = after(now, pause);
        }
    }

    fn forget_all_but(&self, connections: &[Connection]) {
        let mut plans = self.plans();
        if plans.len() > connections.len() * POLLED.len() {
            plans.retain(|(id, _), _| connections.iter().any(|c| c.id == *id));
        }
    }

    fn set(&self, what: Polling, plan: Plan) {
        self.plans().insert(what, plan);
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<Polling, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
