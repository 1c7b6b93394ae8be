//! Pickup points: carriers' directories are read when an account starts to work, when its settings
//! change, and every `every` of the manifest.
//!
//! What always holds: a reading that broke off, was empty or had rows that cannot be read makes no
//! point go; a directory is read by one task at a time; people are told of what fails.

mod read;

use super::apply::first;
use super::in_hand::InHand;
use super::poll::failed;
use super::reading::POINTS_LIST;
use super::work::{Work, remember};
use crate::canonical::connection::{Connection, ConnectionKind, ConnectionState};
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, ProblemId, Timestamp};
use crate::clock::after;
use crate::flow::change::{ChangeSet, ConnectionUpdate, NewProblem, ResolveProblems};
use crate::operation::{Ended, Finished, RunError};
use crate::store::query::Directory;
use crate::store::{Scope, StoreError};
use read::{Rows, Unread};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often accounts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often a directory is read where the manifest does not say.
const DAILY: Duration = Duration::from_secs(24 * 3_600);
/// After a failure it is read again so much later.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// The longest that one reading may take.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Directories that are read at once: they are large.
const AT_ONCE: usize = 2;

/// What one reading came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Points that were read.
    pub points: u64,
    /// Points that are no longer there.
    pub gone: u64,
    /// Rows that could not be read.
    pub unread: u64,
    /// Why it broke off.
    pub failed: Option<Class>,
}

/// When a directory is read next, and by which settings it was read last.
#[derive(Debug, Clone)]
struct Plan {
    next: Timestamp,
    settings: Map<String, Value>,
}

/// Reads directories. See the module.
pub struct PointLoader {
    work: Arc<Work>,
    plans: Mutex<HashMap<ConnectionId, Plan>>,
    read: InHand<ConnectionId>,
}

impl PointLoader {
    /// A loader of all accounts' directories.
    pub fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            plans: Mutex::default(),
            read: InHand::new(),
        }
    }

    /// Reads directories until told to stop.
    pub async fn run(self: Arc<Self>) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        while !self.work.stop.is_set() {
            if let Err(error) = self.start_due(&mut tasks).await {
                tracing::warn!(%error, "directories of points cannot be looked at");
            }
            let next = after(self.work.clock.now(), LOOK_EVERY);
            tokio::select! {
                () = self.work.stop.wait() => {}
                () = self.work.clock.sleep_until(next) => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            }
        }
        // A reading that breaks off changes nothing but what it wrote: it is done anew.
        tasks.shutdown().await;
    }

    async fn start_due(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> Result<(), StoreError> {
        let now = self.work.clock.now();
        let connections = self.work.store.connections(Scope::All).await?;
        let mut directories = None;
        for connection in connections {
            let Some(every) = self.every(&connection) else {
                continue;
            };
            if directories.is_none() {
                directories = Some(self.work.store.directories().await?);
            }
            let known = directories.as_deref().unwrap_or_default();
            if !self.due(&connection, known, every, now) || tasks.len() >= AT_ONCE {
                continue;
            }
            let Some(entered) = self.work.enter(connection.id) else {
                continue;
            };
            let Some(in_hand) = self.read.take(connection.id) else {
                continue;
            };
            // Also where the reading ends by a panic.
            self.plan(&connection, after(now, AGAIN.min(every)));
            let loader = self.clone();
            tasks.spawn(async move {
                let _until_done = (entered, in_hand);
                let id = connection.id;
                let pause = match loader.load(&connection).await {
                    Ok(loaded) if loaded.failed.is_none() => every,
                    Ok(_) => AGAIN.min(every),
                    Err(error) => {
                        tracing::warn!(connection = %id, %error, "points could not be stored");
                        AGAIN.min(every)
                    }
                };
                loader.plan(&connection, after(loader.work.clock.now(), pause));
            });
        }
        Ok(())
    }

    /// How often the directory of this account is read; `None` where it has none.
    fn every(&self, connection: &Connection) -> Option<Duration> {
        let works = matches!(
            connection.state,
            ConnectionState::Active | ConnectionState::Observing
        );
        if !works || connection.kind != ConnectionKind::Carrier {
            return None;
        }
        let connector = self.work.connector(connection)?;
        let operations = &connector.provider.manifest().operations;
        let every = operations.get(POINTS_LIST)?.every;
        Some(every.map_or(DAILY, |every| every.0))
    }

    fn due(
        &self,
        connection: &Connection,
        directories: &[Directory],
        every: Duration,
        now: Timestamp,
    ) -> bool {
        let mut plans = self.plans();
        let plan = plans.entry(connection.id).or_insert_with(|| {
            let own = directories
                .iter()
                .filter(|directory| directory.connection_id == connection.id);
            let last = own.map(|directory| directory.loaded_at).min();
            Plan {
                next: last.map_or(now, |last| after(last, every)),
                settings: connection.settings.clone(),
            }
        });
        plan.next <= now || plan.settings != connection.settings
    }

    fn plan(&self, connection: &Connection, next: Timestamp) {
        let plan = Plan {
            next,
            settings: connection.settings.clone(),
        };
        self.plans().insert(connection.id, plan);
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the directory of one account, whole.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn load(&self, connection: &Connection) -> Result<Loaded, StoreError> {
        let work = &self.work;
        let Some(connector) = work.connector(connection) else {
            return Ok(Loaded::default());
        };
        let credentials = work.store.credentials(connection.id).await?;
        let hook_url = work.hook_url(connection.id);
        let now = work.clock.now();
        let mut rows = Rows::new(work.clone(), connection.id, connector.clone(), now);
        let mut call = work.call(
            connection,
            &connector,
            POINTS_LIST,
            &credentials,
            &Value::Null,
        );
        call.hook_url = hook_url.as_deref();
        call.send_until = after(now, LONGEST);
        let mut change = ChangeSet::of(connection.merchant_id);
        let mut update = ConnectionUpdate::default();
        let loaded = match work.engine.run(&call, &mut rows).await {
            Ok(Ended::Finished(run)) => {
                self.finish(connection, rows, *run, &mut change, &mut update)
                    .await?
            }
            Ok(Ended::Stopped(stopped)) => {
                failed(
                    work,
                    connection,
                    POINTS_LIST,
                    &stopped,
                    &mut change,
                    &mut update,
                );
                for problem in &mut change.problems {
                    problem.subject = subject(connection.id);
                }
                Loaded {
                    points: rows.put,
                    failed: stopped.outcome.class,
                    ..Loaded::default()
                }
            }
            Err(error @ (RunError::Refused(_) | RunError::UnknownOperation(_))) => {
                return Err(StoreError::Unavailable(error.to_string()));
            }
        };
        work.note_circuit(connection, &mut update);
        let class = loaded.failed.map_or("ok", Class::as_str);
        tracing::info!(connection = %connection.id, class, points = loaded.points, gone = loaded.gone, unread = loaded.unread, "pickup points were read");
        change.connection = Some((connection.id, update));
        first(work.store.apply(vec![change]).await?)?;
        Ok(loaded)
    }

    /// Every page was read.
    async fn finish(
        &self,
        connection: &Connection,
        rows: Rows,
        run: Finished,
        change: &mut ChangeSet,
        update: &mut ConnectionUpdate,
    ) -> Result<Loaded, StoreError> {
        remember(run.memory_update, update);
        let mut loaded = Loaded {
            points: rows.put,
            unread: rows.unread.count,
            ..Loaded::default()
        };
        let complete = loaded.points > 0 && !run.more;
        // Rows that were not read may be points that are still there: nothing goes because of them.
        let knows = async || {
            let known = self.work.store.directories().await?;
            Ok::<_, StoreError>(known.iter().any(|d| d.connection_id == connection.id))
        };
        if complete && (loaded.unread == 0 || !knows().await?) {
            let now = self.work.clock.now();
            let id = connection.id;
            let finished = self.work.store.finish_points(id, rows.reading, now).await?;
            loaded.gone = finished.gone;
        }
        if complete && loaded.unread == 0 {
            change.resolve.push(ResolveProblems {
                subject: subject(connection.id),
                code: None,
            });
        } else {
            loaded.failed = Some(Class::BrokenContract);
            change
                .problems
                .push(problem(connection, &loaded, rows.unread, run.more));
        }
        Ok(loaded)
    }
}

/// Under which subject a directory's problems stand: those of the connection itself come and go with
/// other operations.
fn subject(id: ConnectionId) -> String {
    format!("{id}/{POINTS_LIST}")
}

fn problem(connection: &Connection, loaded: &Loaded, unread: Unread, more: bool) -> NewProblem {
    let (code, message) = match loaded {
        Loaded { points: 0, .. } => (
            "points_empty",
            "the carrier's directory holds no pickup point".to_owned(),
        ),
        _ if more => (
            "points_page_limit",
            "the directory has more pages than are read of one list".to_owned(),
        ),
        _ => (
            "points_unreadable",
            format!("{} rows of the directory cannot be read", loaded.unread),
        ),
    };
    NewProblem {
        id: ProblemId::new(),
        class: Class::BrokenContract,
        code: code.to_owned(),
        subject: subject(connection.id),
        connection_id: Some(connection.id),
        message,
        detail: json!({
            "operation": POINTS_LIST, "read": loaded.points, "unread": loaded.unread,
            "first": unread.first,
        }),
        hint: Some("The points that were known stay. Mend the mapping `points` of the connector's folder, or ask the carrier.".to_owned()),
    }
}
