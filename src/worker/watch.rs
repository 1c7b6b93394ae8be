//! What follows when a connection or a connector's folder changes, whoever changed it.
//!
//! What always holds: parked work whose outcome is unknown, or that was refused, waits for a
//! person; everything else that waited for the change goes on by itself.

use super::apply::{Applier, first};
use super::settle::Settler;
use super::surroundings::Surroundings;
use super::work::Work;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::job::{Job, JobState, Lane, NewJob};
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::{after, between};
use crate::flow::change::{ChangeSet, ConnectionUpdate};
use crate::ingress::IngressState;
use crate::store::placement::Thing;
use crate::store::query::{JobFilter, PageRequest};
use crate::store::{Scope, StoreError};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often to look without a nudge.
const EVERY: Duration = Duration::from_secs(2);
/// What changed so shortly before a start may not have been followed up.
const FRESH: Duration = Duration::from_secs(3_600);
/// Webhooks are registered anew so often: providers switch them off.
const REGISTER_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// A connection that changed so shortly ago is left to whoever changes it.
const SETTLED: Duration = Duration::from_secs(60);
/// The operation that registers webhooks.
pub const REGISTER: &str = "webhook.register";
/// Where a connection remembers when that was last done or asked for.
pub const REGISTERED_AT: &str = "webhooks_checked_at";

type Seen = (u64, ConnectionState);

/// The watcher. See the module.
pub struct Watcher {
    work: Arc<Work>,
    applier: Arc<Applier>,
    settler: Arc<Settler>,
    ingress: Arc<IngressState>,
    surroundings: Surroundings,
    seen: Mutex<HashMap<ConnectionId, Seen>>,
    started: Mutex<bool>,
    /// Connections that another node has.
    elsewhere: Mutex<HashSet<ConnectionId>>,
}

impl Watcher {
    /// A watcher over these.
    pub fn new(
        work: Arc<Work>,
        applier: Arc<Applier>,
        settler: Arc<Settler>,
        ingress: Arc<IngressState>,
    ) -> Self {
        Self {
            work,
            applier,
            settler,
            ingress,
            surroundings: Surroundings::default(),
            seen: Mutex::default(),
            started: Mutex::new(false),
            elsewhere: Mutex::default(),
        }
    }

    /// Looks until told to stop.
    pub async fn run(&self) {
        // Rings when this process changed a connection; other processes' changes show by the clock.
        let mut bell = self.ingress.changes();
        // Rings for merchants and directories, too.
        let mut setup = self.work.store.wake().setup_changes();
        while !self.work.stop.is_set() {
            bell.mark_unchanged();
            setup.mark_unchanged();
            if let Err(error) = self.tick().await {
                tracing::warn!(%error, "changes could not be followed up; tried again");
            }
            let next = after(self.work.clock.now(), EVERY);
            tokio::select! {
                () = self.work.stop.wait() => {}
                Ok(()) = bell.changed() => {}
                Ok(()) = setup.changed() => {}
                () = self.work.clock.sleep_until(next) => {}
            }
        }
    }

    /// Follows up everything that changed since the last look.
    ///
    /// # Errors
    /// When the store cannot be read; what was not followed up is at the next look.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let mut folders = self.work.connectors.reload_if_changed();
        if !folders.is_empty() {
            tracing::info!(?folders, "connectors were loaded anew");
            self.ingress.invalidate_all();
        }
        let connections = self.work.store.connections(Scope::All).await?;
        // Folders may have been mended while nobody ran.
        if self.first_look() {
            folders = connections.iter().map(|c| c.connector.clone()).collect();
        }
        for connection in &connections {
            self.look_at(connection, folders.contains(&connection.connector))
                .await?;
        }
        let store = self.work.store.as_ref();
        if !store.placement().has(Thing::CLOCKS) {
            // Whoever has them next makes up for what it did not see.
            self.surroundings.forget();
            return Ok(());
        }
        let around = self
            .surroundings
            .look(store, &self.settler, &connections)
            .await?;
        if around > 0 {
            tracing::info!(
                settled = around,
                "orders were evaluated anew: what is around them changed"
            );
        }
        Ok(())
    }

    /// Follows up what changed of one connection. Every node keeps its own copies fresh; what is
    /// to be done is done where the connection is.
    async fn look_at(&self, connection: &Connection, folder: bool) -> Result<(), StoreError> {
        let Some(_until_done) = self.work.enter(connection.id) else {
            self.changed_elsewhere(connection);
            return Ok(());
        };
        // What another node had until now is looked at as after a start.
        let taken_over = self.elsewhere().remove(&connection.id);
        if folder || taken_over {
            self.folder_changed(connection).await?;
        }
        self.connection_seen(connection).await?;
        self.register(connection).await
    }

    fn changed_elsewhere(&self, connection: &Connection) {
        self.elsewhere().insert(connection.id);
        let now = (connection.version, connection.state);
        if self.seen().insert(connection.id, now) != Some(now) {
            self.ingress.invalidate(connection.id);
        }
    }

    fn elsewhere(&self) -> MutexGuard<'_, HashSet<ConnectionId>> {
        self.elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn first_look(&self) -> bool {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *started, true)
    }

    async fn folder_changed(&self, connection: &Connection) -> Result<(), StoreError> {
        let Some(connector) = self.work.connector(connection) else {
            return Ok(());
        };
        let retried = self
            .applier
            .retry_broken(connection.id, &connector.version)
            .await?;
        if retried.mended + retried.left > 0 {
            tracing::info!(connection = %connection.id, mended = retried.mended, left = retried.left, "parked records and jobs were tried again");
        }
        Ok(())
    }

    async fn connection_seen(&self, connection: &Connection) -> Result<(), StoreError> {
        let now = (connection.version, connection.state);
        let before = self.seen().get(&connection.id).copied();
        if before == Some(now) {
            return Ok(());
        }
        let fresh = between(connection.updated_at, self.work.clock.now()) < FRESH;
        if before.is_some() || fresh {
            self.ingress.invalidate(connection.id);
            self.changed(connection).await?;
        }
        // Only now: what failed on the way is done again at the next look.
        self.seen().insert(connection.id, now);
        Ok(())
    }

    async fn changed(&self, connection: &Connection) -> Result<(), StoreError> {
        if connection.state != ConnectionState::Suspended {
            // Other credentials, another address: what was known of its health is void.
            self.work.engine.circuits.resume(connection.id);
        }
        if !matches!(
            connection.state,
            ConnectionState::Active | ConnectionState::Observing
        ) {
            return Ok(());
        }
        // It may keep to another version of its folder now.
        self.folder_changed(connection).await?;
        let freed = self.unpark(connection.id).await?;
        if freed > 0 {
            tracing::info!(connection = %connection.id, freed, "parked work goes on");
        }
        if connection.state != ConnectionState::Active {
            return Ok(());
        }
        let settled = self.settler.connection_changed(connection.id).await?;
        if settled > 0 {
            tracing::info!(connection = %connection.id, settled, "open orders were evaluated anew");
        }
        Ok(())
    }

    /// Lets go what waited for the connection.
    async fn unpark(&self, id: ConnectionId) -> Result<u64, StoreError> {
        let now = self.work.clock.now();
        let mut freed = 0;
        for job in self.parked(id).await? {
            if self.waits_for_the_connection(&job).await? {
                freed += self.work.store.unpark_jobs(id, Some(job.id), now).await?;
            }
        }
        Ok(freed)
    }

    async fn parked(&self, id: ConnectionId) -> Result<Vec<Job>, StoreError> {
        let filter = JobFilter {
            connection_id: Some(id),
            state: Some(JobState::Parked),
            ..JobFilter::default()
        };
        let mut page = PageRequest {
            limit: 200,
            after: None,
        };
        let mut found = Vec::new();
        loop {
            let next = self
                .work
                .store
                .jobs(Scope::All, filter.clone(), page.clone())
                .await?;
            found.extend(next.data);
            match next.next {
                Some(after) => page.after = Some(after),
                None => return Ok(found),
            }
        }
    }

    async fn waits_for_the_connection(&self, job: &Job) -> Result<bool, StoreError> {
        let Some(id) = job.problem_id else {
            return Ok(true);
        };
        let problem = self.work.store.problem(Scope::All, id).await?;
        Ok(problem.is_none_or(|problem| {
            matches!(
                problem.class,
                Class::AuthBroken | Class::AuthExpired | Class::Transient
            )
        }))
    }

    /// Registers webhooks anew, once a day.
    async fn register(&self, connection: &Connection) -> Result<(), StoreError> {
        if connection.state != ConnectionState::Active || self.work.public_url.is_none() {
            return Ok(());
        }
        let Some(connector) = self.work.connector(connection) else {
            return Ok(());
        };
        let manifest = connector.provider.manifest();
        let now = self.work.clock.now();
        let last: Option<Timestamp> = connection
            .memory
            .get(REGISTERED_AT)
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        // Whoever activates a connection asks for it himself.
        let settled = between(connection.updated_at, now) >= SETTLED;
        let due = settled && last.is_none_or(|last| between(last, now) >= REGISTER_EVERY);
        if !due || manifest.webhooks.is_none() || !manifest.operations.contains_key(REGISTER) {
            return Ok(());
        }
        let mut change = ChangeSet::of(connection.merchant_id);
        change.jobs.push(register_job(connection, now));
        let mut update = ConnectionUpdate::default();
        update.memory.insert(REGISTERED_AT.to_owned(), json!(now));
        change.connection = Some((connection.id, update));
        first(self.work.store.apply(vec![change]).await?)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The job that registers a connection's webhooks.
pub fn register_job(connection: &Connection, now: Timestamp) -> NewJob {
    connection_job(connection, REGISTER, now)
}

/// The job that tries a connection.
pub fn check_job(connection: &Connection, now: Timestamp) -> NewJob {
    connection_job(connection, super::jobs::run::CHECK, now)
}

/// The job that reads a connection's orders at once.
pub fn pull_job(connection: &Connection, now: Timestamp) -> NewJob {
    connection_job(connection, super::reading::ORDERS_PULL, now)
}

fn connection_job(connection: &Connection, kind: &str, now: Timestamp) -> NewJob {
    // The same key that the API gives these jobs: asked for twice, they run once.
    let key = format!("{kind}/{}", connection.id);
    NewJob {
        merchant_id: connection.merchant_id,
        kind: kind.to_owned(),
        connection_id: connection.id,
        order_id: None,
        lane: Lane::OrderImport,
        key,
        ordering_key: connection.id.to_string(),
        run_at: now,
        input: json!({}),
    }
}
