//! Polling: the truth beside every webhook. Each connection's changed orders are read at an
//! interval, and now and then everything of the last hours once more (the sweep), because
//! providers drop webhooks and commit late.
//!
//! What always holds: a page and its cursor are one transaction; a connection is polled by one
//! task at a time; what fails is tried again at the next interval and told to people.

pub mod pages;

use super::apply::first;
use super::reading::{ORDERS_PULL, SWEEP, poll_topic};
use super::work::{Work, remember, suspends};
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, ConnectionId, ProblemId, Timestamp};
use crate::clock::{after, before, between};
use crate::flow::change::{ChangeSet, ConnectionUpdate, NewProblem, ResolveProblems};
use crate::manifest::model::Poll;
use crate::operation::{Call, Checkpoint, Ended, Observer, Page, PageUse, PlannedRequest, Refused, Report, Stopped};
use crate::store::{CursorWrite, Scope, StoreError};
use async_trait::async_trait;
use pages::{CURSOR, PullPages};
use rand::Rng;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often connections are looked at for new ones and changes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Polls under way at once.
const AT_ONCE: usize = 32;
/// The longest that one poll may take; it goes on at the next from its cursor.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After so many failures in a row people are told.
const TOLD_AFTER: u32 = 5;

/// When a connection is read next.
#[derive(Debug, Clone, Copy)]
struct Plan {
    poll: Timestamp,
    sweep: Timestamp,
    running: bool,
}

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

/// The poller. See the module.
pub struct Poller {
    work: Arc<Work>,
    plans: Mutex<HashMap<ConnectionId, Plan>>,
}

impl Poller {
    /// A poller of all connections.
    pub fn new(work: Arc<Work>) -> Self {
        Self { work, plans: Mutex::default() }
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
        for connection in connections {
            let Some(rule) = self.rule(&connection) else { continue };
            let plan = self.plan(&connection, &rule, now).await?;
            if plan.running || tasks.len() >= AT_ONCE {
                continue;
            }
            let sweep = plan.sweep <= now;
            if plan.poll > now && !sweep {
                next = next.min(plan.poll).min(plan.sweep);
                continue;
            }
            self.set(connection.id, Plan { running: true, ..plan });
            let poller = self.clone();
            tasks.spawn(async move { poller.turn(connection, rule, sweep).await });
        }
        Ok(next)
    }

    fn rule(&self, connection: &Connection) -> Option<Poll> {
        if !matches!(connection.state, ConnectionState::Active | ConnectionState::Observing) {
            return None;
        }
        let connector = self.work.connector(connection)?;
        connector.provider.manifest().operations.get(ORDERS_PULL)?.poll.clone()
    }

    async fn plan(&self, connection: &Connection, rule: &Poll, now: Timestamp) -> Result<Plan, StoreError> {
        if let Some(plan) = self.plans().get(&connection.id) {
            return Ok(*plan);
        }
        if let Some(until) = connection.health.frozen_until.filter(|until| *until > now) {
            self.work.engine.limiter.freeze_until(connection.id, until);
        }
        let swept = self.work.store.cursor(connection.id, &sweep_cursor()).await?;
        let swept: Option<Timestamp> = swept.and_then(|text| text.parse().ok());
        let due = |last: Option<Timestamp>, every: Duration| last.map_or(now, |last| after(last, every).min(after(now, every)));
        let plan = Plan {
            poll: due(connection.health.last_poll_at, rule.interval.0),
            // The first poll reads further back than any sweep.
            sweep: due(swept.or(Some(now)), rule.sweep_interval.0),
            running: false,
        };
        self.set(connection.id, plan);
        Ok(plan)
    }

    async fn turn(&self, connection: Connection, rule: Poll, sweep: bool) {
        let id = connection.id;
        let polled = match self.poll(&connection, sweep).await {
            Ok(polled) => polled,
            Err(error) => {
                tracing::warn!(connection = %id, %error, "a poll could not be stored");
                Polled { failed: Some(Class::Transient), ..Polled::default() }
            }
        };
        let now = self.work.clock.now();
        let jitter = rule.interval.0.mul_f64(rand::rng().random_range(0.0..=rule.jitter.clamp(0.0, 1.0)));
        let mut plans = self.plans();
        let Some(plan) = plans.get_mut(&id) else { return };
        plan.running = false;
        plan.poll = match polled.more {
            true => now,
            false => after(now, rule.interval.0 + jitter),
        };
        if sweep {
            let pause = if polled.failed.is_none() { rule.sweep_interval.0 } else { rule.interval.0 };
            plan.sweep = after(now, pause);
        }
    }

    /// Reads one connection once.
    ///
    /// # Errors
    /// When the store cannot take the result; pages that were stored stay.
    pub async fn poll(&self, connection: &Connection, sweep: bool) -> Result<Polled, StoreError> {
        let work = &self.work;
        let Some(connector) = work.connector(connection) else { return Ok(Polled::default()) };
        let Some(rule) = self.rule(connection) else { return Ok(Polled::default()) };
        let started = work.clock.now();
        let (stored, since) = since(work, connection.id, &rule, sweep, started).await?;
        let pages = PullPages::new(
            work.clone(),
            connection.clone(),
            connector.clone(),
            rule,
            poll_topic(ORDERS_PULL, sweep),
            sweep,
            stored,
        );
        let mut observer = PollObserver { pages, asked_at: started, frozen_until: None };
        let credentials = work.store.credentials(connection.id).await?;
        let hook_url = work.hook_url(connection.id);
        let call = Call {
            provider: connector.provider.as_ref(),
            operation: ORDERS_PULL,
            connection: connection.id,
            settings: &connection.settings,
            hook_url: hook_url.as_deref(),
            memory: &connection.memory,
            credentials: &credentials,
            input: &Value::Null,
            checkpoint: Checkpoint::default(),
            cursor: Some(&since),
            limits: None,
            send_until: after(started, LONGEST),
        };
        let ended = match work.engine.run(&call, &mut observer).await {
            Ok(ended) => ended,
            Err(error) => return Err(StoreError::Unavailable(error.to_string())),
        };
        let mut polled = Polled { read: observer.pages.read, fresh: observer.pages.fresh, ..Polled::default() };
        let mut change = ChangeSet::of(connection.merchant_id);
        let mut update = ConnectionUpdate { freeze_until: observer.frozen_until, ..ConnectionUpdate::default() };
        update.health.insert("last_poll_at".to_owned(), json!(started));
        match ended {
            Ended::Finished(finished) => {
                polled.more = finished.more;
                observer.pages.finish(!finished.more).await?;
                remember(finished.memory_update, &mut update);
                change.resolve.push(ResolveProblems { subject: connection.id.to_string(), code: None });
                if sweep {
                    self.swept(connection.id, started).await?;
                }
            }
            Ended::Stopped(stopped) => {
                polled.failed = stopped.outcome.class;
                self.failed(connection, &stopped, &mut change, &mut update);
            }
        }
        work.note_circuit(connection, &mut update);
        log(connection, sweep, &polled, between(started, work.clock.now()));
        change.connection = Some((connection.id, update));
        first(work.store.apply(vec![change]).await?)?;
        Ok(polled)
    }

    async fn swept(&self, id: ConnectionId, at: Timestamp) -> Result<(), StoreError> {
        let cursor = CursorWrite { connection_id: id, name: sweep_cursor(), value: at.to_string() };
        self.work.store.append_inbox(Vec::new(), Some(cursor)).await
    }

    /// Tells people of a failure that does not pass by itself.
    fn failed(&self, connection: &Connection, stopped: &Stopped, change: &mut ChangeSet, update: &mut ConnectionUpdate) {
        let outcome = &stopped.outcome;
        let Some(class) = outcome.class else { return };
        let failures = self.work.engine.circuits.get(connection.id).failures_in_row;
        let passes = class.retryable() && (failures < TOLD_AFTER || class == Class::Throttled);
        if passes {
            return;
        }
        if class == Class::AuthBroken && suspends(connection) {
            update.suspend = Some(outcome.message.clone());
        }
        change.problems.push(NewProblem {
            id: ProblemId::new(),
            class,
            code: outcome.code.clone(),
            subject: connection.id.to_string(),
            connection_id: Some(connection.id),
            message: format!("orders cannot be read: {}", outcome.message),
            detail: json!({
                "operation": ORDERS_PULL,
                "step": stopped.step,
                "status": outcome.status,
                "fields": outcome.fields,
            }),
            hint: Some(hint(class).to_owned()),
        });
    }

    fn forget_all_but(&self, connections: &[Connection]) {
        let mut plans = self.plans();
        if plans.len() > connections.len() {
            plans.retain(|id, plan| plan.running || connections.iter().any(|c| c.id == *id));
        }
    }

    fn set(&self, id: ConnectionId, plan: Plan) {
        self.plans().insert(id, plan);
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sweep_cursor() -> String {
    format!("{CURSOR}{SWEEP}")
}

const fn hint(class: Class) -> &'static str {
    match class {
        Class::AuthBroken | Class::AuthExpired => "Enter working credentials for the connection and resume it.",
        Class::BrokenContract => "The answer does not fit the connector's folder: mend it. Polling goes on.",
        _ => "Check the connection's address and the provider's state. Polling goes on.",
    }
}

/// The stored cursor, and the moment from which to read.
///
/// # Errors
/// When the store cannot be read.
pub async fn since(
    work: &Work,
    id: ConnectionId,
    rule: &Poll,
    sweep: bool,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Value), StoreError> {
    let stored: Option<Timestamp> = work.store.cursor(id, CURSOR).await?.and_then(|text| text.parse().ok());
    let from = match stored {
        _ if sweep => before(now, rule.sweep_depth.0),
        Some(cursor) => before(cursor, rule.overlap.0),
        None => before(now, rule.first_depth.0),
    };
    // Whole seconds: what most providers read, and earlier rather than later.
    let from = Timestamp::from_second(from.as_second()).unwrap_or(from);
    Ok((stored, Value::String(from.to_string())))
}

fn log(connection: &Connection, sweep: bool, polled: &Polled, took: Duration) {
    let class = polled.failed.map_or("ok", Class::as_str);
    metrics::counter!("crossdock_attempts_total", "operation" => ORDERS_PULL, "class" => class).increment(1);
    tracing::info!(
        connection = %connection.id, sweep, read = polled.read, fresh = polled.fresh, class,
        duration_ms = took.as_millis(), "polled"
    );
}

/// A poll has no attempt rows: it only reads, and its pages tell how far it came.
struct PollObserver {
    pages: PullPages,
    asked_at: Timestamp,
    frozen_until: Option<Timestamp>,
}

#[async_trait]
impl Observer for PollObserver {
    async fn before_send(&mut self, _: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.asked_at = self.pages.now();
        Ok(AttemptId::new())
    }
    async fn after(&mut self, _: AttemptId, report: Report<'_>) -> Result<(), Refused> {
        self.frozen_until = self.frozen_until.max(report.frozen_until);
        Ok(())
    }
    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        self.pages.take(page, self.asked_at).await
    }
}
