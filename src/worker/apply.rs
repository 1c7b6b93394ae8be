//! The applier: deliveries become records, states, events and jobs.
//!
//! What always holds: a connection's deliveries are applied in order of arrival, so each order's
//! records are too; where more wait than one commit takes, connections take turns (`turns`);
//! a delivery leaves "pending" in the transaction that writes what it came to; one that fails again
//! and again becomes a problem record and its neighbours go on; while the store cannot be written
//! everything waits and nothing is lost.

use super::around::Around;
use super::connectors::Connectors;
use super::decide::{self, Decided, Setting};
use super::mapped::{self, Failure, Mapped, ToMap};
use super::memory::Memory;
use super::pool::MappingPool;
use super::stop::Stop;
use super::tell::{self, Heard, Timing};
use super::turns::{self, Turns};
use super::world::Worlds;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::{Clock, between};
use crate::flow::change::{ChangeSet, ConnectionUpdate};
use crate::store::query::PendingDelivery;
use crate::store::{Store, StoreError};
use crate::telemetry::trace::Traces;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long to wait for a bell before looking anyway.
const SLOW_POLL: Duration = Duration::from_secs(1);
/// A connection's `last_received_at` is written at most so often.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// Waits while the store cannot be written.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The applier. See the module.
pub struct Applier {
    pub(super) store: Arc<dyn Store>,
    pub(super) connectors: Arc<dyn Connectors>,
    pub(super) pool: Arc<MappingPool>,
    pub(super) worlds: Arc<Worlds>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
    pub(super) traces: Traces,
    noted: Mutex<HashMap<ConnectionId, Timestamp>>,
}

/// Deliveries that are mapped and wait to be decided.
pub(super) struct Batch {
    pub items: Arc<Vec<ToMap>>,
    pub mapped: Vec<Option<Mapped>>,
    pub around: Around,
}

/// A batch whose writing must be tried again.
struct Again {
    error: StoreError,
    items: Arc<Vec<ToMap>>,
}

impl Applier {
    /// An applier over these.
    pub fn new(
        store: Arc<dyn Store>,
        connectors: Arc<dyn Connectors>,
        pool: Arc<MappingPool>,
        worlds: Arc<Worlds>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            connectors,
            pool,
            worlds,
            clock,
            stop,
            traces: Traces::default(),
            noted: Mutex::default(),
        }
    }

    /// With a place where it is told what deliveries came to.
    pub fn telling(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Applies what is pending and what comes, until it is told to stop.
    pub async fn run(&self) {
        let mut bell = self.store.wake().deliveries();
        let mut placed = self.store.placement().changes();
        let mut waiting = Turns::default();
        let mut current: Option<Batch> = None;
        while !self.stop.is_set() {
            if let Some(batch) = current.take() {
                if placed.has_changed().unwrap_or(false) {
                    self.write(batch).await;
                    continue;
                }
                // The next batch is read and mapped while this one is decided and committed.
                let (count, started) = (batch.items.len(), self.clock.elapsed());
                let ((), next) = tokio::join!(self.write(batch), self.fetch(&mut waiting));
                waiting.took(count, self.clock.elapsed().saturating_sub(started));
                current = next.unwrap_or_else(|error| {
                    tracing::warn!(%error, "pending deliveries cannot be read");
                    waiting.forget();
                    None
                });
                continue;
            }
            if placed.has_changed().unwrap_or(false) {
                // What another node left is further back.
                placed.mark_unchanged();
                waiting.forget();
            }
            match self.fetch(&mut waiting).await {
                Ok(Some(batch)) => current = Some(batch),
                Ok(None) => {
                    tokio::select! {
                        () = self.stop.wait() => {}
                        _ = placed.changed() => waiting.forget(),
                        changed = bell.changed() => if changed.is_err() { tokio::time::sleep(SLOW_POLL).await },
                        // Nothing is under way: look at everything once more, whoever wrote it.
                        () = tokio::time::sleep(SLOW_POLL) => waiting.forget(),
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "pending deliveries cannot be read; waiting");
                    waiting.forget();
                    self.stop.pause(SLOW_POLL).await;
                }
            }
        }
        if let Some(batch) = current {
            self.write(batch).await;
        }
    }

    /// Applies everything that is pending now; how many deliveries. For tests and for commands that
    /// end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn drain(&self) -> Result<usize, StoreError> {
        let (mut waiting, mut done) = (Turns::default(), 0);
        while let Some(batch) = self.fetch(&mut waiting).await? {
            done += batch.items.len();
            self.write(batch).await;
        }
        Ok(done)
    }

    /// The next batch, mapped; none when nothing waits.
    pub(super) async fn fetch(&self, waiting: &mut Turns) -> Result<Option<Batch>, StoreError> {
        let pending = turns::next(self.store.as_ref(), waiting).await?;
        if pending.is_empty() {
            return Ok(None);
        }
        let wires = pending
            .into_iter()
            .map(|PendingDelivery { wire, .. }| wire)
            .collect();
        let (items, around) = self.prepare(wires).await?;
        Ok(Some(self.map(items, around).await))
    }

    pub(super) async fn map(&self, items: Arc<Vec<ToMap>>, around: Around) -> Batch {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let each = move |item: &ToMap| {
            let (began, started) = (clock.now(), clock.elapsed());
            let mut mapped = mapped::map(item, &|bytes| store.content_hash(bytes));
            let took = clock.elapsed().saturating_sub(started);
            metrics::histogram!("crossdock_mapping_seconds")
                .record(took.as_secs_f64() / mapped.records.len().max(1) as f64);
            mapped.timing = Some(Timing { began, took });
            mapped
        };
        let mapped = self.pool.map(items.clone(), each).await;
        Batch {
            items,
            mapped,
            around,
        }
    }

    pub(super) async fn write(&self, mut batch: Batch) {
        let mut pause = PAUSE;
        loop {
            match self.try_write(batch).await {
                Ok(failed) => {
                    for wire in failed {
                        self.alone(wire).await;
                    }
                    return;
                }
                Err(again) => {
                    tracing::warn!(error = %again.error, "the store cannot be written; waiting");
                    if self.stop.pause(pause).await {
                        return;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    let wires = again.items.iter().map(|item| item.wire.clone()).collect();
                    match self.prepare(wires).await {
                        Ok((items, around)) => batch = self.map(items, around).await,
                        Err(_) => {
                            batch = Batch {
                                mapped: Vec::new(),
                                items: again.items,
                                around: Around::default(),
                            }
                        }
                    }
                }
            }
        }
    }

    /// Decides and writes a batch; the deliveries whose change set was refused, in order.
    async fn try_write(&self, batch: Batch) -> Result<Vec<WireDelivery>, Again> {
        let Batch {
            items,
            mapped,
            mut around,
        } = batch;
        let again = |error| Again {
            error,
            items: items.clone(),
        };
        if mapped.len() != items.len() {
            return Err(again(StoreError::Unavailable(
                "what deliveries need could not be read".into(),
            )));
        }
        let mut memory = self
            .remember(&items, &mapped, &mut around)
            .await
            .map_err(again)?;
        let mut changes = Vec::with_capacity(items.len());
        let (mut beside, mut heard) = (Vec::new(), Vec::with_capacity(items.len()));
        // One whose connection is unknown is not among them: a result belongs to what was decided.
        let mut wires = Vec::with_capacity(items.len());
        for (item, mapped) in items.iter().zip(mapped) {
            let now = self.clock.now();
            let Some(setting) = around.setting(item.wire.connection_id, now) else {
                continue;
            };
            let timing = tell::timing(mapped.as_ref());
            let mut decided = self.decide(setting, &item.wire, mapped, &mut memory);
            self.note_received(&item.wire, &mut decided.change);
            let connector = &setting.connection.connector;
            heard.push(Heard::of(&self.traces, &decided.change, connector, timing));
            wires.push(&item.wire);
            changes.push(decided.change);
            beside.extend(decided.beside);
            if changes.len() % 32 == 0 {
                tokio::task::yield_now().await;
            }
        }
        changes.extend(beside);
        crate::failpoint::failpoint!("worker.before_apply");
        let results = self.store.apply(changes).await.map_err(again)?;
        crate::failpoint::failpoint!("worker.after_apply");
        let (mut failed, now) = (Vec::new(), self.clock.now());
        for ((wire, result), heard) in wires.into_iter().zip(results).zip(heard) {
            match result {
                Ok(_) => heard.into_iter().for_each(|it| it.told(&self.traces, now)),
                Err(error) => {
                    tracing::debug!(delivery = %wire.id, %error, "decided again, alone");
                    failed.push(wire.clone());
                }
            }
        }
        Ok(failed)
    }

    pub(super) fn decide(
        &self,
        setting: Setting<'_>,
        wire: &WireDelivery,
        mapped: Option<Mapped>,
        memory: &mut Memory,
    ) -> Decided {
        let Some(mapped) = mapped else {
            tracing::error!(delivery = %wire.id, "mapping panicked");
            return decide::poison(setting, wire, &Failure::internal("mapping"));
        };
        if mapped.warnings > 0 {
            let connector = setting.connection.connector.clone();
            metrics::counter!("crossdock_mapping_warnings_total", "connector" => connector)
                .increment(mapped.warnings as u64);
        }
        let decided = decide::delivery(setting, wire, mapped, memory);
        self.count(setting.now, wire, &decided.change);
        decided
    }

    fn count(&self, now: Timestamp, wire: &WireDelivery, change: &ChangeSet) {
        let Some(result) = &change.delivery else {
            return;
        };
        for record in &result.records {
            metrics::counter!("crossdock_records_total", "disposition" => record.disposition.as_str())
                .increment(1);
        }
        metrics::histogram!("crossdock_apply_seconds")
            .record(between(wire.received_at, now).as_secs_f64());
    }

    /// Notes that the provider calls us, not for every delivery.
    pub(super) fn note_received(&self, wire: &WireDelivery, change: &mut ChangeSet) {
        if wire.source != Source::Webhook {
            return;
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let last = noted.entry(wire.connection_id).or_insert(Timestamp::MIN);
        if between(*last, wire.received_at) < NOTE_EVERY {
            return;
        }
        *last = wire.received_at;
        let mut update = ConnectionUpdate::default();
        let at = Value::String(wire.received_at.to_string());
        update.health.insert("last_received_at".to_owned(), at);
        change.connection = Some((wire.connection_id, update));
    }
}

/// The result of one change set.
pub(super) fn first(
    results: Vec<Result<crate::store::Applied, StoreError>>,
) -> Result<(), StoreError> {
    match results.into_iter().next() {
        Some(result) => result.map(drop),
        None => Err(StoreError::Corrupt("the store answered nothing".into())),
    }
}
