//! Tracking by number: carriers that tell nothing by themselves are asked for the parcels whose
//! time has come, so many numbers in one call as the manifest's `batch` says.
//!
//! What always holds: a parcel's next moment is written before its question leaves, so that neither
//! a crash nor a broken carrier makes a loop of questions; an account is asked by one task at a
//! time; a number that the carrier refuses stops no other, and an account that it refuses is one
//! problem; what comes in goes through the inbox like everything else.

mod ask;

use super::halves::{Halves, is_about_what_it_held};
use super::in_hand::InHand;
use super::poll::failed;
use super::reading::TRACKING_PULL;
use super::work::Work;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, ParcelId, ProblemId, Timestamp};
use crate::clock::after;
use crate::flow::change::{ChangeSet, ConnectionUpdate, NewProblem, ResolveProblems};
use crate::flow::tracking::ladder::Ladder;
use crate::operation::Stopped;
use crate::store::query::DueParcel;
use crate::store::{Scope, StoreError};
use crate::worker::apply::first;
use crate::worker::work::remember;
use ask::Asked;
use serde_json::json;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often parcels are looked for whose time has come.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The least pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Accounts that are asked at once.
const AT_ONCE: usize = 32;
/// Calls of one turn; the next turn goes on.
const CALLS: usize = 20;
/// So long an account rests that could not answer; its parcels are asked for then, however slow
/// their step is.
const REST: Duration = Duration::from_secs(60);

/// What one turn of an account came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracked {
    /// Numbers asked for.
    pub asked: usize,
    /// Parcels of which something new was told.
    pub fresh: usize,
    /// Numbers that the carrier refused to tell of.
    pub refused: usize,
    /// Why the turn broke off.
    pub failed: Option<Class>,
}

/// One turn of an account, while it runs.
#[derive(Default)]
struct Turn {
    tracked: Tracked,
    learned: ConnectionUpdate,
    parcels: Halves<DueParcel>,
}

/// Asks by number. See the module.
pub struct Tracker {
    work: Arc<Work>,
    asked: InHand<ConnectionId>,
    rests: Mutex<HashMap<ConnectionId, Timestamp>>,
    /// Parcels with a problem, as far as this process knows: resolved when they are told of.
    refused: Mutex<HashSet<ParcelId>>,
}

impl Tracker {
    /// A tracker of all accounts.
    pub fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            asked: InHand::new(),
            rests: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// Asks until told to stop.
    pub async fn run(self: Arc<Self>) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        while !self.work.stop.is_set() {
            let now = self.work.clock.now();
            let next = match self.start_due(&mut tasks).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "parcels cannot be read; tracking waits");
                    None
                }
            };
            let latest = after(now, LOOK_EVERY);
            let next = next.map_or(latest, |next| next.clamp(after(now, PAUSE), latest));
            tokio::select! {
                () = self.work.stop.wait() => {}
                () = self.work.clock.sleep_until(next) => {}
            }
            while tasks.try_join_next().is_some() {}
        }
        // A page is stored whole or not at all, and every parcel has its next moment.
        tasks.shutdown().await;
    }

    /// Starts the accounts of which a parcel is due; when the next one is.
    async fn start_due(
        self: &Arc<Self>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.work.clock.now();
        let next = self.work.store.next_parcel_at().await?;
        if next.is_none_or(|next| next > now) {
            return Ok(next);
        }
        for connection in self.work.store.connections(Scope::All).await? {
            if tasks.len() >= AT_ONCE {
                break;
            }
            if self.batch(&connection).is_none() || self.rests(connection.id, now) {
                continue;
            }
            let Some(entered) = self.work.enter(connection.id) else {
                continue;
            };
            let Some(in_hand) = self.asked.take(connection.id) else {
                continue;
            };
            let tracker = self.clone();
            tasks.spawn(async move {
                let _until_done = (entered, in_hand);
                let id = connection.id;
                if let Err(error) = tracker.turn(&connection).await {
                    tracing::warn!(connection = %id, %error, "tracking could not be stored");
                }
            });
        }
        Ok(next)
    }

    /// How many numbers one call of this account takes; `None` where it is not asked by number.
    fn batch(&self, connection: &Connection) -> Option<usize> {
        if !matches!(
            connection.state,
            ConnectionState::Active | ConnectionState::Observing
        ) {
            return None;
        }
        let connector = self.work.connector(connection)?;
        let operations = &connector.provider.manifest().operations;
        let operation = operations.get(TRACKING_PULL).filter(|o| o.poll.is_none())?;
        Some(operation.batch.unwrap_or(1).max(1) as usize)
    }

    fn rests(&self, id: ConnectionId, now: Timestamp) -> bool {
        let rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.get(&id).is_some_and(|until| *until > now)
    }

    /// Asks for the parcels of one account whose time has come.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn turn(&self, connection: &Connection) -> Result<Tracked, StoreError> {
        let Some(batch) = self.batch(connection) else {
            return Ok(Tracked::default());
        };
        let mut turn = Turn::default();
        let mut broken = None;
        for _ in 0..CALLS {
            let now = self.work.clock.now();
            let due = self.work.store.due_parcels(connection.id, now, batch);
            let due = due.await?;
            if due.is_empty() || self.work.stop.is_set() {
                break;
            }
            if let Err(stopped) = self.ask_all(connection, due, &mut turn).await? {
                broken = Some(stopped);
                break;
            }
        }
        let Turn {
            mut tracked,
            learned,
            mut parcels,
        } = turn;
        for (parcels, stopped) in parcels.take_refused() {
            tracked.refused += 1;
            self.refuse(connection, &parcels, &stopped).await?;
        }
        if let Some(stopped) = broken {
            self.rest(connection.id);
            tracked.failed = stopped.outcome.class;
            self.note_failure(connection, &stopped, learned).await?;
        } else if tracked.asked > 0 {
            self.note_success(connection, &tracked, learned).await?;
        }
        Ok(tracked)
    }

    /// Asks for these together; where the carrier refuses them together, in halves, down to the one
    /// that it refuses. The inner error: the carrier cannot be asked at the moment.
    async fn ask_all(
        &self,
        connection: &Connection,
        due: Vec<DueParcel>,
        turn: &mut Turn,
    ) -> Result<Result<(), Box<Stopped>>, StoreError> {
        let ladder = Ladder::of(connection);
        let now = self.work.clock.now();
        let next = |parcel: &DueParcel| ladder.next(parcel.status, parcel.since, now, None);
        let moments = due.iter().map(|parcel| (parcel.parcel_id, next(parcel)));
        self.work.store.parcels_asked(moments.collect()).await?;
        turn.parcels.add(due);
        while let Some(parcels) = turn.parcels.next() {
            let numbers: BTreeSet<&str> = parcels
                .iter()
                .map(|parcel| parcel.tracking_number.as_str())
                .collect();
            let stopped = match self.ask(connection, &numbers).await? {
                Asked::Told { fresh, memory } => {
                    turn.tracked.asked += numbers.len();
                    turn.tracked.fresh += fresh;
                    turn.parcels.taken();
                    remember(memory, &mut turn.learned);
                    self.told(connection, &parcels).await?;
                    continue;
                }
                Asked::Stopped(stopped) => stopped,
            };
            let (parcels, stopped) = if is_about_what_it_held(&stopped) {
                let alone = numbers.len() == 1;
                match turn.parcels.refused(parcels, alone, stopped) {
                    Ok(()) => continue,
                    Err(account) => account,
                }
            } else {
                (parcels, stopped)
            };
            let soon = after(self.work.clock.now(), REST);
            let unasked = turn.parcels.left().chain(&parcels);
            let moments = unasked.map(|parcel| {
                let next = next(parcel).filter(|next| *next <= soon);
                (parcel.parcel_id, Some(next.unwrap_or(soon)))
            });
            self.work.store.parcels_asked(moments.collect()).await?;
            return Ok(Err(stopped));
        }
        Ok(Ok(()))
    }

    fn rest(&self, id: ConnectionId) {
        let until = after(self.work.clock.now(), REST);
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        rests.insert(id, until);
    }

    async fn note_failure(
        &self,
        connection: &Connection,
        stopped: &Stopped,
        mut learned: ConnectionUpdate,
    ) -> Result<(), StoreError> {
        let mut change = ChangeSet::of(connection.merchant_id);
        failed(
            &self.work,
            connection,
            TRACKING_PULL,
            stopped,
            &mut change,
            &mut learned,
        );
        self.work.note_circuit(connection, &mut learned);
        let class = stopped.outcome.class.map_or("unknown", Class::as_str);
        tracing::info!(connection = %connection.id, class, "parcels could not be asked for");
        change.connection = Some((connection.id, learned));
        first(self.work.store.apply(vec![change]).await?)
    }

    async fn note_success(
        &self,
        connection: &Connection,
        tracked: &Tracked,
        mut learned: ConnectionUpdate,
    ) -> Result<(), StoreError> {
        let Tracked { asked, fresh, .. } = *tracked;
        tracing::info!(connection = %connection.id, asked, fresh, "parcels were asked for");
        self.work.note_circuit(connection, &mut learned);
        let mut change = ChangeSet::of(connection.merchant_id);
        change.resolve.push(ResolveProblems {
            subject: connection.id.to_string(),
            code: None,
        });
        change.connection = Some((connection.id, learned));
        first(self.work.store.apply(vec![change]).await?)
    }

    /// The carrier does not want to tell of this number: people are told.
    async fn refuse(
        &self,
        connection: &Connection,
        parcels: &[DueParcel],
        stopped: &Stopped,
    ) -> Result<(), StoreError> {
        let outcome = &stopped.outcome;
        let mut change = ChangeSet::of(connection.merchant_id);
        for parcel in parcels {
            set(&self.refused).insert(parcel.parcel_id);
            change.problems.push(NewProblem {
                id: ProblemId::new(),
                class: outcome.class.unwrap_or(Class::Rejected),
                code: outcome.code.clone(),
                subject: parcel.parcel_id.to_string(),
                connection_id: Some(connection.id),
                message: format!("the carrier tells nothing of a parcel: {}", outcome.message),
                detail: json!({ "operation": TRACKING_PULL, "status": outcome.status }),
                hint: Some(
                    "Look the number up at the carrier. It is asked for again as usual.".to_owned(),
                ),
            });
        }
        first(self.work.store.apply(vec![change]).await?)
    }

    /// What was refused before and is told of now is no problem any more.
    async fn told(&self, connection: &Connection, parcels: &[DueParcel]) -> Result<(), StoreError> {
        let mended: Vec<ParcelId> = {
            let mut refused = set(&self.refused);
            let parcels = parcels.iter().map(|parcel| parcel.parcel_id);
            parcels.filter(|id| refused.remove(id)).collect()
        };
        if mended.is_empty() {
            return Ok(());
        }
        let mut change = ChangeSet::of(connection.merchant_id);
        change
            .resolve
            .extend(mended.iter().map(|id| ResolveProblems {
                subject: id.to_string(),
                code: None,
            }));
        first(self.work.store.apply(vec![change]).await?)
    }
}

fn set<T>(of: &Mutex<HashSet<T>>) -> std::sync::MutexGuard<'_, HashSet<T>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
