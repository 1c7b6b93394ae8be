//! What decisions are told of carriers: the accounts that a merchant may use, the rules that choose
//! among them, and the pickup points that an order names.
//!
//! What always holds: without a carrier account it costs one look at a counter and yields the empty
//! world; what is kept is read anew once merchants, connections or directories have changed
//! ([`Wakeups::setup`](crate::store::Wakeups::setup)), and every few seconds in any case, because
//! other processes ring no bell here.

use super::asked::Place;
use super::connectors::Connectors;
use super::reading::ORDERS_GET;
use crate::canonical::connection::{Connection, ConnectionKind, Merchant};
use crate::canonical::point::StoredPoint;
use crate::canonical::{ConnectionId, MerchantId};
use crate::clock::Clock;
use crate::flow::world::{CarrierAccount, CarrierRule};
use crate::flow::{World, carrier_rules};
use crate::store::query::PointFilter;
use crate::store::{Scope, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub use super::asked::AskedPoint;

/// What is kept is never older.
const OLDEST: Duration = Duration::from_secs(5);
/// So many points are proposed instead of one that is gone.
const PROPOSALS: usize = 5;

/// The operation that makes a label.
const CREATE: &str = "shipment.create";

static EMPTY: LazyLock<Arc<World>> = LazyLock::new(Arc::default);

/// The world of each merchant. One a process, shared. See the module.
pub struct Worlds {
    store: Arc<dyn Store>,
    connectors: Arc<dyn Connectors>,
    clock: Arc<dyn Clock>,
    kept: RwLock<Option<Arc<Kept>>>,
}

/// What was read, as of one moment.
struct Kept {
    version: u64,
    read_at: Duration,
    accounts: Vec<CarrierAccount>,
    networks: BTreeMap<String, ConnectionId>,
    operator_rules: Vec<CarrierRule>,
    worlds: Mutex<HashMap<MerchantId, Arc<World>>>,
}

impl Worlds {
    /// The worlds over this store and these connectors.
    pub fn new(
        store: Arc<dyn Store>,
        connectors: Arc<dyn Connectors>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            connectors,
            clock,
            kept: RwLock::default(),
        }
    }

    /// How often a connection's orders are read anew, where its connector wants that.
    pub(super) fn rereads(&self, connection: &Connection) -> Option<Duration> {
        let connector = self.connectors.get(&connection.connector)?;
        let operations = &connector.provider.manifest().operations;
        Some(operations.get(ORDERS_GET)?.reread?.0)
    }

    /// The world of a merchant, without points.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(&self, merchant: &Merchant) -> Result<Arc<World>, StoreError> {
        let kept = self.kept().await?;
        if kept.accounts.is_empty() {
            return Ok(EMPTY.clone());
        }
        let mut worlds = kept.worlds.lock().unwrap_or_else(PoisonError::into_inner);
        let world = worlds
            .entry(merchant.id)
            .or_insert_with(|| Arc::new(kept.world(merchant)));
        Ok(world.clone())
    }

    /// The world of a merchant with the points that orders name. Points of networks without a
    /// directory are not looked for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn with_points(
        &self,
        merchant: &Merchant,
        asked: &[AskedPoint],
    ) -> Result<Arc<World>, StoreError> {
        let world = self.of(merchant).await?;
        let mut keys = BTreeSet::new();
        for point in asked {
            keys.extend(point.keys(&world));
        }
        if keys.is_empty() {
            return Ok(world);
        }
        let keys: Vec<(String, String)> = keys.into_iter().collect();
        let found = self.store.points_by_id(&keys).await?;
        let mut world = World::clone(&world);
        world.points = keys.into_iter().zip(found).collect();
        for point in asked {
            for key in point.keys(&world) {
                let known = world.points.get(&key).and_then(Option::as_ref);
                let there = known.is_some_and(|stored| point.does(stored));
                if there || world.proposals.contains_key(&key) {
                    continue;
                }
                let nearest = self.nearest(point, &key.0, known).await?;
                world.proposals.insert(key, nearest);
            }
        }
        Ok(Arc::new(world))
    }

    /// Points to go to instead: near the one that is gone, else near the address, else of its town.
    async fn nearest(
        &self,
        asked: &AskedPoint,
        network: &str,
        gone: Option<&StoredPoint>,
    ) -> Result<Vec<StoredPoint>, StoreError> {
        let filter = PointFilter {
            network: Some(network.to_owned()),
            country: asked.country.clone(),
            cod: asked.cod,
            limit: PROPOSALS,
            ..PointFilter::default()
        };
        for place in asked.places(gone) {
            let mut filter = filter.clone();
            match place {
                Place::Near(near) => filter.near = Some(near),
                Place::Town(town) => filter.q = Some(town),
            }
            let found = self.store.points(filter).await?;
            if !found.is_empty() {
                return Ok(found.into_iter().map(|found| found.point).collect());
            }
        }
        Ok(Vec::new())
    }

    async fn kept(&self) -> Result<Arc<Kept>, StoreError> {
        // Taken before reading: a change meanwhile is seen the next time.
        let version = self.store.wake().setup();
        let now = self.clock.elapsed();
        let kept = self
            .kept
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(kept) = kept
            && kept.version == version
            && now.saturating_sub(kept.read_at) < OLDEST
        {
            return Ok(kept);
        }
        let kept = Arc::new(self.read(version, now).await?);
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        Ok(kept)
    }

    async fn read(&self, version: u64, read_at: Duration) -> Result<Kept, StoreError> {
        let mut kept = Kept {
            version,
            read_at,
            accounts: Vec::new(),
            networks: BTreeMap::new(),
            operator_rules: Vec::new(),
            worlds: Mutex::default(),
        };
        let connections = self.store.connections(Scope::All).await?;
        let mut carriers = connections
            .into_iter()
            .filter(|connection| self.makes_labels(connection))
            .peekable();
        if carriers.peek().is_none() {
            return Ok(kept);
        }
        let directories = self.store.directories().await?;
        let loaded: BTreeSet<ConnectionId> = directories.iter().map(|d| d.connection_id).collect();
        kept.accounts = carriers
            .map(|connection| self.account(connection, &loaded))
            .collect();
        kept.networks = directories
            .into_iter()
            .map(|directory| (directory.network, directory.connection_id))
            .collect();
        let operator = self
            .store
            .merchant(Scope::All, MerchantId::OPERATOR)
            .await?;
        kept.operator_rules =
            operator.map_or_else(Vec::new, |operator| carrier_rules(&operator.settings).0);
        Ok(kept)
    }

    /// A carrier, or a channel that issues the labels of its orders.
    fn makes_labels(&self, connection: &Connection) -> bool {
        let issues = || {
            let connector = self.connectors.of(connection);
            let manifest = connector.as_ref().map(|c| c.provider.manifest());
            manifest.is_some_and(|m| m.operations.contains_key(CREATE))
        };
        connection.kind == ConnectionKind::Carrier || issues()
    }

    fn account(&self, connection: Connection, loaded: &BTreeSet<ConnectionId>) -> CarrierAccount {
        let connector = self.connectors.of(&connection);
        let manifest = connector.as_ref().map(|c| c.provider.manifest());
        let operation = |name: &str| manifest.and_then(|manifest| manifest.operations.get(name));
        CarrierAccount {
            carrier_name: manifest
                .map_or(&connection.connector, |manifest| &manifest.name)
                .clone(),
            buys_labels: operation(CREATE).is_some(),
            voids: operation("shipment.cancel").is_some(),
            asks_by_number: operation("tracking.pull").is_some_and(|o| o.poll.is_none()),
            has_directory: loaded.contains(&connection.id),
            connection: Arc::new(connection),
        }
    }
}

impl Kept {
    fn world(&self, merchant: &Merchant) -> World {
        let own = |account: &&CarrierAccount| {
            let owner = account.connection.merchant_id;
            owner == merchant.id || owner == MerchantId::OPERATOR
        };
        let carriers: Vec<CarrierAccount> = self.accounts.iter().filter(own).cloned().collect();
        if carriers.is_empty() {
            return World::default();
        }
        let mut rules = carrier_rules(&merchant.settings).0;
        if merchant.id != MerchantId::OPERATOR {
            rules.extend(self.operator_rules.iter().cloned());
        }
        World {
            carriers,
            rules,
            networks: self.networks.clone(),
            ..World::default()
        }
    }
}
