//! What happens because time passes or a connection changed, not because something arrived.
//!
//! What always holds: every decision is `flow::settle` over the stored state, so that doing it
//! twice changes nothing; a warning is given once, whatever restarts.

use super::apply::first;
use super::stop::Stop;
use super::world::Worlds;
use crate::canonical::connection::ConnectionState;
use crate::canonical::event::{EventType, NewEvent};
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::{EventId, OrderId, Timestamp};
use crate::clock::{Clock, after, between};
use crate::flow::change::{ChangeSet, IdempotentAnswer};
use crate::store::placement::Thing;
use crate::store::query::{FulfillmentFilter, IdempotencyClaim};
use crate::store::{Scope, Store, StoreError};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the clocks are looked at.
const EVERY: Duration = Duration::from_secs(15);
/// A connection that sent webhooks before and none for so long is quiet.
const QUIET_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// Under which name warnings are remembered, so that each is given once.
const ONCE: &str = "gateway:warning";
pub(super) const PAGE: usize = 200;
/// How often what is past its time is deleted.
const CLEAN_EVERY: Duration = Duration::from_secs(3_600);
/// How often data whose time is over is gone over.
const RETAIN_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Warnings that are remembered in memory.
const GIVEN_MOST: usize = 50_000;

/// The clocks. See the module.
pub struct Settler {
    pub(super) store: Arc<dyn Store>,
    pub(super) worlds: Arc<Worlds>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stop: Stop,
    /// What was given before, as far as we know: saves asking the store every time.
    given: Mutex<HashSet<String>>,
    cleaned: Mutex<Timestamp>,
    retained: Mutex<Timestamp>,
}

impl Settler {
    /// Clocks over these.
    pub fn new(
        store: Arc<dyn Store>,
        worlds: Arc<Worlds>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Self {
        Self {
            store,
            worlds,
            clock,
            stop,
            given: Mutex::default(),
            cleaned: Mutex::new(Timestamp::MIN),
            retained: Mutex::new(Timestamp::MIN),
        }
    }

    /// Looks at the clocks until told to stop.
    pub async fn run(&self) {
        while !self.stop.is_set() {
            if let Err(error) = self.tick().await {
                tracing::warn!(%error, "clocks could not be looked at");
            }
            let next = after(self.clock.now(), EVERY);
            tokio::select! {
                () = self.stop.wait() => {}
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    /// Everything whose time has come; on several nodes one of them looks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tick(&self) -> Result<(), StoreError> {
        if !self.store.placement().has(Thing::CLOCKS) {
            return Ok(());
        }
        self.scheduled().await?;
        self.deadlines().await?;
        self.duplicates().await?;
        self.quiet().await?;
        self.reread().await?;
        self.housekeeping().await
    }

    fn retained_at(&self) -> std::sync::MutexGuard<'_, Timestamp> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn housekeeping(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        {
            let mut cleaned = self.cleaned.lock().unwrap_or_else(PoisonError::into_inner);
            if between(*cleaned, now) < CLEAN_EVERY {
                return Ok(());
            }
            *cleaned = now;
        }
        self.overdue_cash().await?;
        if between(*self.retained_at(), now) >= RETAIN_EVERY {
            self.retention().await?;
            *self.retained_at() = now;
        }
        self.store.housekeeping(now).await
    }

    /// Parts whose moment has come (an edit window ended, pre-ordered goods arrive).
    async fn scheduled(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let filter = FulfillmentFilter {
            status: Some(FulfillmentStatus::Scheduled),
            by_cut_off: true,
            ..FulfillmentFilter::default()
        };
        let mut due: HashSet<OrderId> = HashSet::new();
        self.each_part(filter, |part| {
            if part.fulfill_at.is_some_and(|at| at <= now) {
                due.insert(part.order_id);
            }
            true
        })
        .await?;
        for order in due {
            self.settle(order).await?;
        }
        Ok(())
    }

    /// The mark to store with a warning; `None` when it was given before.
    pub(super) async fn once(&self, key: &str) -> Result<Option<IdempotentAnswer>, StoreError> {
        if !self.note_given(key) {
            return Ok(None);
        }
        match self
            .store
            .claim_idempotency(ONCE, key, [0; 32], self.clock.now())
            .await?
        {
            // Claimed and not finished: we stopped in between, so it was not given yet.
            IdempotencyClaim::Fresh | IdempotencyClaim::InFlight => Ok(Some(IdempotentAnswer {
                scope: ONCE.to_owned(),
                key: key.to_owned(),
                status: 200,
                body: Vec::new(),
            })),
            IdempotencyClaim::Done(..) | IdempotencyClaim::Mismatch => Ok(None),
        }
    }

    /// True when it was not noted before.
    fn note_given(&self, key: &str) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.len() >= GIVEN_MOST {
            given.clear();
        }
        given.insert(key.to_owned())
    }

    /// Connections whose provider used to call us and does not any more.
    async fn quiet(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for connection in self.store.connections(Scope::All).await? {
            let Some(last) = connection.health.last_received_at else {
                continue;
            };
            let active = connection.state == ConnectionState::Active;
            if !active || between(last, now) < QUIET_AFTER || between(last, now) > QUIET_AFTER * 2 {
                continue;
            }
            let key = format!("quiet:{}:{last}", connection.id);
            let Some(once) = self.once(&key).await? else {
                continue;
            };
            let mut change = ChangeSet::of(connection.merchant_id);
            change.events.push(NewEvent {
                id: EventId::new(),
                kind: EventType::ConnectionQuiet,
                at: now,
                merchant_id: connection.merchant_id,
                order_id: None,
                subject: connection.id.to_string(),
                snapshots: Vec::new(),
                extra: json!({ "connection": connection, "last_received_at": last }),
            });
            change.idempotency = Some(once);
            first(self.store.apply(vec![change]).await?)?;
        }
        Ok(())
    }
}
