//! Stock to the channels: what the warehouse tells is pushed to every connection that wants it, as
//! soon as it changes; what a channel has is compared now and then.
//!
//! What always holds: a connection's position moves only over what was told or became a problem of
//! its own; a connection is told by one task at a time; after its settings, its state or its
//! credentials changed it is told everything once more, because what it has may be anything; an
//! article that is refused stops no other: where several are refused alike and nothing is taken, the
//! next try begins with others; only connections that are active and say so are told.

mod pull;
mod push;

use super::in_hand::InHand;
use super::merchants;
use super::settle::Settler;
use super::work::Work;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::after;
use crate::flow::settings::accepts_when_in_stock;
use crate::flow::stock::{PushStock, push_stock};
use crate::store::placement::Thing;
use crate::store::{Scope, StoreError};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// The operation that tells levels.
pub(super) const PUSH: &str = "stock.push";
/// The operation that reads them.
pub(super) const PULL: &str = "stock.pull";
/// How often is looked without a bell.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The least pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Connections that are told at once.
const AT_ONCE: usize = 16;
/// So long a connection rests that could not be told.
const REST: Duration = Duration::from_secs(10);

/// How often orders are accepted by stock.
const ACCEPT_EVERY: Duration = Duration::from_secs(1);

/// Up to where a connection was told: the newest place, by which version of the connection.
type Seen = (u64, u64);

/// Tells channels of stock. See the module.
pub struct Stocker {
    work: Arc<Work>,
    settler: Arc<Settler>,
    told: InHand<ConnectionId>,
    seen: Mutex<HashMap<ConnectionId, Seen>>,
    rests: Mutex<HashMap<ConnectionId, Timestamp>>,
    /// Articles with a problem at a channel, once they were read from the store.
    refused: Mutex<HashMap<ConnectionId, HashSet<String>>>,
    /// How often in a row a channel seemed to refuse everything.
    stuck: Mutex<HashMap<ConnectionId, usize>>,
    /// When channels were compared last, as far as we know: saves asking the store every time.
    compared: Mutex<HashMap<ConnectionId, Timestamp>>,
    accepted_at: Mutex<Option<Duration>>,
    /// Whether any merchant's orders are accepted by stock, and as of which change.
    merchants_wait: Mutex<Option<(u64, bool)>>,
}

impl Stocker {
    /// A stocker of all connections.
    pub fn new(work: Arc<Work>, settler: Arc<Settler>) -> Self {
        Self {
            work,
            settler,
            told: InHand::new(),
            seen: Mutex::default(),
            rests: Mutex::default(),
            refused: Mutex::default(),
            stuck: Mutex::default(),
            compared: Mutex::default(),
            accepted_at: Mutex::default(),
            merchants_wait: Mutex::default(),
        }
    }

    /// Tells until told to stop.
    pub async fn run(self: Arc<Self>) {
        // Rings with every event: a level that changed is one.
        let mut bell = self.work.store.wake().events();
        let mut tasks: JoinSet<()> = JoinSet::new();
        while !self.work.stop.is_set() {
            bell.mark_unchanged();
            if let Err(error) = self.look(&mut tasks).await {
                tracing::warn!(%error, "stock cannot be looked at");
            }
            if self.work.stop.pause(PAUSE).await {
                break;
            }
            let next = after(self.work.clock.now(), LOOK_EVERY);
            tokio::select! {
                () = self.work.stop.wait() => {}
                () = self.work.clock.sleep_until(next) => {}
                Ok(()) = bell.changed() => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
            while tasks.try_join_next().is_some() {}
        }
        // The position stands where it was: what was under way is told again.
        tasks.shutdown().await;
    }

    async fn look(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Result<(), StoreError> {
        let connections = self.work.store.connections(Scope::All).await?;
        if self.work.store.placement().has(Thing::CLOCKS) {
            self.accept(&connections).await?;
        }
        let place = self.work.store.stock_place().await?;
        let now = self.work.clock.now();
        for connection in connections {
            if tasks.len() >= AT_ONCE {
                break;
            }
            let Some(channel) = self.channel(connection) else {
                continue;
            };
            let id = channel.connection.id;
            let pulls = self.pull_due(&channel, now).await?;
            let seen = locked(&self.seen).get(&id) == Some(&(place, channel.connection.version));
            if (seen && !pulls) || self.rests(id, now) {
                continue;
            }
            let Some(entered) = self.work.enter(id) else {
                continue;
            };
            let Some(in_hand) = self.told.take(id) else {
                continue;
            };
            let stocker = self.clone();
            tasks.spawn(async move {
                let _until_done = (entered, in_hand);
                if let Err(error) = stocker.turn(&channel, place, pulls).await {
                    tracing::warn!(connection = %id, %error, "stock could not be told");
                    stocker.rest(id);
                }
            });
        }
        Ok(())
    }

    /// Accepts what is in stock, at most once a second, where anybody wants that.
    async fn accept(&self, connections: &[Connection]) -> Result<(), StoreError> {
        let now = self.work.clock.elapsed();
        let rested = |at: Duration| now.saturating_sub(at) >= ACCEPT_EVERY;
        let due = locked(&self.accepted_at).is_none_or(rested);
        if !due || !self.anybody_waits(connections).await? {
            return Ok(());
        }
        *locked(&self.accepted_at) = Some(now);
        let accepted = self.settler.accept_what_is_in_stock().await?;
        if accepted > 0 {
            tracing::info!(accepted, "orders were accepted: all of it is in stock");
        }
        Ok(())
    }

    /// Whether a marketplace's orders are accepted by stock at all. Merchants are read anew when
    /// something of them has changed.
    async fn anybody_waits(&self, connections: &[Connection]) -> Result<bool, StoreError> {
        let waits = |connection: &Connection| accepts_when_in_stock(&connection.settings);
        if connections.iter().any(waits) {
            return Ok(true);
        }
        let setup = self.work.store.wake().setup();
        let known = *locked(&self.merchants_wait);
        if let Some((_, waits)) = known.filter(|(as_of, _)| *as_of == setup) {
            return Ok(waits);
        }
        let merchants = merchants::all(self.work.store.as_ref()).await?;
        let waits = merchants.iter().any(|m| accepts_when_in_stock(&m.settings));
        *locked(&self.merchants_wait) = Some((setup, waits));
        Ok(waits)
    }

    /// What of this connection is told of stock; `None` where nothing is.
    fn channel(&self, connection: Connection) -> Option<Channel> {
        let listed = match push_stock(&connection) {
            PushStock::Off => return None,
            PushStock::Listed => true,
            PushStock::All => false,
        };
        if connection.state != ConnectionState::Active {
            return None;
        }
        let connector = self.work.connector(&connection)?;
        let operations = &connector.provider.manifest().operations;
        let batch = operations.get(PUSH)?.batch.unwrap_or(push::BATCH);
        let pull_every = operations
            .get(PULL)
            .map(|pull| pull.every.map_or(pull::DAILY, |every| every.0));
        Some(Channel {
            connection,
            listed,
            batch: batch.max(1) as usize,
            pull_every,
        })
    }

    /// Compares, where that is due, and tells what changed.
    async fn turn(&self, channel: &Channel, place: u64, pulls: bool) -> Result<(), StoreError> {
        if pulls {
            self.pull(channel).await?;
        }
        if self.push(channel).await? {
            let id = channel.connection.id;
            locked(&self.seen).insert(id, (place, channel.connection.version));
        }
        Ok(())
    }

    fn rests(&self, id: ConnectionId, now: Timestamp) -> bool {
        locked(&self.rests)
            .get(&id)
            .is_some_and(|until| *until > now)
    }

    fn rest(&self, id: ConnectionId) {
        let until = after(self.work.clock.now(), REST);
        locked(&self.rests).insert(id, until);
    }
}

/// A connection that is told of stock, and how.
pub(super) struct Channel {
    connection: Connection,
    /// Only what it is known to sell.
    listed: bool,
    /// Articles of one call.
    batch: usize,
    /// How often what it has is compared; `None` where it cannot be read.
    pull_every: Option<Duration>,
}

/// Under which subject the problems of these calls stand: those of the connection itself come and
/// go with other operations.
fn subject(connection: ConnectionId, operation: &str) -> String {
    format!("{connection}/{operation}")
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
