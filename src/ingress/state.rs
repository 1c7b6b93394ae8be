//! The endpoints of all connections, kept ready.
//!
//! What always holds: the hot path is one atomic load and one hash lookup; an endpoint that was
//! read before its connection changed is never put back after [`IngressState::invalidate`]; asking
//! for ids that do not exist costs the store a bounded number of reads.

use super::endpoint::Endpoint;
use super::refused::RefusedCounters;
use crate::canonical::connection::Connection;
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::Clock;
use crate::connector::Registry;
use crate::manifest::model::Webhooks;
use crate::store::{Scope, Store, StoreError};
use crate::telemetry::trace::Traces;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// How often refusals are written.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// So many of these later other nodes' changes are looked for.
const REFRESH_ROUNDS: u32 = 15;
/// How long an id that leads nowhere is remembered. Short: another node may create it.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How many such ids are remembered.
const UNKNOWN_MOST: usize = 4_096;
/// How many endpoints may be read from the store at once.
const READS_AT_ONCE: usize = 8;

/// What a connector takes from outside.
#[derive(Debug, Clone)]
pub enum Webhooked {
    /// Its table.
    Yes(Arc<Webhooks>),
    /// It has none.
    No,
    /// Its folder is missing or refused at the moment.
    Broken,
}

/// Looks the connector of a connection up.
pub type ConnectorLookup = Box<dyn Fn(&Connection) -> Webhooked + Send + Sync>;
/// The current moment.
pub type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything intake needs. One per process, shared by all HTTP workers.
pub struct IngressState {
    /// Where deliveries go.
    pub store: Arc<dyn Store>,
    /// What was refused.
    pub refused: RefusedCounters,
    /// Where deliveries are told as spans.
    pub traces: Traces,
    lookup: ConnectorLookup,
    now: Now,
    endpoints: ArcSwap<HashMap<ConnectionId, Arc<Endpoint>>>,
    /// Held while `endpoints` is replaced; never on the hot path. Its generation rises with every
    /// invalidation, so that a read that began before one is not kept after it.
    writing: Mutex<Writing>,
    reads: Semaphore,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Writing {
    generation: u64,
    unknown: HashMap<ConnectionId, Instant>,
}

impl IngressState {
    /// An empty state; endpoints are read when first asked for, or by [`IngressState::warm`].
    pub fn new(store: Arc<dyn Store>, lookup: ConnectorLookup, now: Now) -> Self {
        Self {
            store,
            refused: RefusedCounters::default(),
            traces: Traces::default(),
            lookup,
            now,
            endpoints: ArcSwap::default(),
            writing: Mutex::default(),
            reads: Semaphore::new(READS_AT_ONCE),
            changes: watch::Sender::new(0),
        }
    }

    /// A state over the connector folders and the clock.
    pub fn over(store: Arc<dyn Store>, registry: Arc<Registry>, clock: Arc<dyn Clock>) -> Self {
        let find = move |connection: &Connection| {
            let version = connection.connector_version.as_deref();
            registry.get_version(&connection.connector, version)
        };
        let lookup = move |connection: &Connection| match find(connection) {
            None => Webhooked::Broken,
            Some(connector) => match &connector.manifest().webhooks {
                Some(webhooks) => Webhooked::Yes(Arc::new(webhooks.clone())),
                None => Webhooked::No,
            },
        };
        Self::new(store, Box::new(lookup), Box::new(move || clock.now()))
    }

    /// Writes counters and looks for what other nodes changed, for ever. Spawn it beside the HTTP
    /// server; end it by dropping its task and a last [`RefusedCounters::flush`].
    pub async fn maintain(&self) {
        let mut rounds: u32 = 0;
        loop {
            tokio::time::sleep(FLUSH_EVERY).await;
            self.refused.flush(self.store.as_ref(), self.now()).await;
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(REFRESH_ROUNDS)
                && let Err(error) = self.refresh().await
            {
                tracing::warn!(%error, "connections could not be looked through for changes");
            }
        }
    }

    /// The current moment.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The endpoint of a connection.
    ///
    /// # Errors
    /// [`StoreError`] when it must be read and the store cannot.
    pub async fn endpoint(&self, id: ConnectionId) -> Result<Arc<Endpoint>, StoreError> {
        if let Some(known) = self.endpoints.load().get(&id) {
            if !known.is_stale(self.now()) {
                return Ok(known.clone());
            }
            self.invalidate(id);
        }
        self.read(id).await
    }

    async fn read(&self, id: ConnectionId) -> Result<Arc<Endpoint>, StoreError> {
        let generation = {
            let writing = self.writing();
            if writing
                .unknown
                .get(&id)
                .is_some_and(|until| *until > Instant::now())
            {
                return Ok(Arc::new(Endpoint::Unknown));
            }
            writing.generation
        };
        let _permit = self
            .reads
            .acquire()
            .await
            .map_err(|_| StoreError::Unavailable("shutting down".into()))?;
        if let Some(known) = self.endpoints.load().get(&id) {
            return Ok(known.clone());
        }
        let endpoint = Arc::new(self.prepare(id).await?);
        self.keep(id, &endpoint, generation);
        Ok(endpoint)
    }

    async fn prepare(&self, id: ConnectionId) -> Result<Endpoint, StoreError> {
        let Some(connection) = self.store.connection(Scope::All, id).await? else {
            return Ok(Endpoint::Unknown);
        };
        let webhooks = match (self.lookup)(&connection) {
            Webhooked::Yes(webhooks) => webhooks,
            Webhooked::No => return Ok(Endpoint::Unknown),
            Webhooked::Broken => return Ok(Endpoint::Broken),
        };
        let credentials = self.store.credentials(id).await?;
        Ok(Endpoint::prepare(
            &connection,
            &webhooks,
            &credentials,
            self.now(),
        ))
    }

    fn keep(&self, id: ConnectionId, endpoint: &Arc<Endpoint>, generation: u64) {
        let mut writing = self.writing();
        if writing.generation != generation {
            return;
        }
        match endpoint.as_ref() {
            Endpoint::Unknown => {
                if writing.unknown.len() >= UNKNOWN_MOST {
                    writing.unknown.clear();
                }
                writing.unknown.insert(id, Instant::now() + UNKNOWN_FOR);
            }
            // Asked for again at the next request: the folder may be mended any moment.
            Endpoint::Broken => {}
            Endpoint::Gone | Endpoint::Open(_) => {
                let mut map = HashMap::clone(&self.endpoints.load());
                map.insert(id, endpoint.clone());
                self.endpoints.store(Arc::new(map));
            }
        }
    }

    /// Counts what [`IngressState::invalidate`] was told, so that others can follow a change up.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Forgets a connection's endpoint because the connection changed (or was created).
    pub fn invalidate(&self, id: ConnectionId) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        let mut writing = self.writing();
        writing.generation += 1;
        writing.unknown.remove(&id);
        let mut map = HashMap::clone(&self.endpoints.load());
        if map.remove(&id).is_some() {
            self.endpoints.store(Arc::new(map));
        }
    }

    /// Forgets all endpoints because connector folders changed.
    pub fn invalidate_all(&self) {
        let mut writing = self.writing();
        writing.generation += 1;
        writing.unknown.clear();
        self.endpoints.store(Arc::default());
    }

    /// Reads the endpoints of all connections, so that the first requests after a start do not
    /// queue for it. Broken ones are left for later.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn warm(&self) -> Result<(), StoreError> {
        let generation = self.writing().generation;
        let connections = self.store.connections(Scope::All).await?;
        let mut map = HashMap::with_capacity(connections.len());
        for connection in &connections {
            if let Webhooked::Yes(webhooks) = (self.lookup)(connection) {
                let credentials = self.store.credentials(connection.id).await?;
                let endpoint = Endpoint::prepare(connection, &webhooks, &credentials, self.now());
                map.insert(connection.id, Arc::new(endpoint));
            }
        }
        let writing = self.writing();
        if writing.generation == generation {
            self.endpoints.store(Arc::new(map));
        }
        Ok(())
    }

    /// Finds what other nodes changed: endpoints whose connection has another version by now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let connections = self.store.connections(Scope::All).await?;
        let versions: HashMap<_, _> = connections.iter().map(|c| (c.id, c.version)).collect();
        let known = self.endpoints.load_full();
        for (id, endpoint) in known.iter() {
            let same = match endpoint.as_ref() {
                Endpoint::Open(open) => versions.get(id) == Some(&open.version),
                _ => !versions.contains_key(id),
            };
            if !same {
                self.invalidate(*id);
            }
        }
        Ok(())
    }

    fn writing(&self) -> std::sync::MutexGuard<'_, Writing> {
        self.writing
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
