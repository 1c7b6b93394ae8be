//! Jobs: leased when they are due, run through the call engine, judged.
//!
//! Read in this order: the runner here, [`run`] (one job), [`observer`] (what is written while it
//! runs), [`verdict`] (what it comes to), [`labels`] (what it means for a shipment).
//!
//! What always holds: a job runs on one node at a time, by its lease and its connection's place, and
//! there in one task; no more jobs of a connection are under way than its provider takes calls at
//! once, so that none waits its lease away; a node that stops lets what is under way end and takes
//! nothing new.

mod call;
mod commit;
pub mod labels;
mod observer;
pub mod run;
pub mod verdict;
mod wanted;

use super::in_hand::InHand;
use super::work::Work;
use crate::canonical::job::Job;
use crate::canonical::{ConnectionId, JobId};
use crate::clock::after;
use crate::manifest::model::Limits;
use crate::store::{Scope, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// Jobs under way at once.
const AT_ONCE: usize = 64;
/// How long a lease is. Longer than any call's time-out; a job of many steps goes on with the next.
const LEASE: Duration = Duration::from_secs(120);
/// How long to wait for a bell before looking anyway.
const SLOW_POLL: Duration = Duration::from_secs(2);
/// How long a lease that nobody is at work on is kept: what went wrong may take a moment to pass.
const KEPT: Duration = Duration::from_secs(5);

/// The runner. See the module.
pub struct JobRunner {
    work: Arc<Work>,
    /// Jobs that a task is at work on. A clock that jumps ends leases early.
    in_hand: InHand<JobId>,
    /// Leases of ours that nobody is at work on any more.
    left: Mutex<Vec<(JobId, Duration)>>,
}

impl JobRunner {
    /// A runner of all connections' jobs.
    pub fn new(work: Arc<Work>) -> Self {
        Self {
            work,
            in_hand: InHand::new(),
            left: Mutex::default(),
        }
    }

    /// Runs jobs until told to stop; then waits for those under way.
    pub async fn run(self: &Arc<Self>) {
        let work = &self.work;
        let mut bell = work.store.wake().jobs();
        let mut under_way: HashMap<ConnectionId, u32> = HashMap::new();
        let mut tasks: JoinSet<ConnectionId> = JoinSet::new();
        while !work.stop.is_set() {
            bell.mark_unchanged();
            let leased = match self
                .lease(AT_ONCE.saturating_sub(tasks.len()), &under_way)
                .await
            {
                Ok(leased) => leased,
                Err(error) => {
                    tracing::warn!(%error, "jobs cannot be leased; waiting");
                    work.stop.pause(SLOW_POLL).await;
                    continue;
                }
            };
            let took = !leased.is_empty();
            for job in leased {
                let Some(in_hand) = self.in_hand.take(job.id) else {
                    continue;
                };
                *under_way.entry(job.connection_id).or_default() += 1;
                let runner = self.clone();
                tasks.spawn(async move {
                    let _until_done = in_hand;
                    let connection = job.connection_id;
                    runner.one(job).await;
                    connection
                });
            }
            if took && tasks.len() < AT_ONCE {
                continue;
            }
            let next = self.next().await;
            tokio::select! {
                () = work.stop.wait() => {}
                () = work.clock.sleep_until(next) => {}
                changed = bell.changed(), if tasks.len() < AT_ONCE => {
                    if changed.is_err() { work.stop.pause(SLOW_POLL).await; }
                }
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => ended_of(ended, &mut under_way, &tasks),
            }
            while let Some(ended) = tasks.try_join_next() {
                ended_of(ended, &mut under_way, &tasks);
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended_of(ended, &mut under_way, &tasks);
        }
    }

    /// Runs one; a lease that is left over is given back.
    async fn one(&self, job: Job) {
        let id = job.id;
        // Whoever has the connection now takes the job over.
        let written = match self.work.enter(job.connection_id) {
            Some(_until_done) => run::run(&self.work, job).await,
            None => false,
        };
        if !written {
            self.left().push((id, self.work.clock.elapsed()));
        }
    }

    fn left(&self) -> MutexGuard<'_, Vec<(JobId, Duration)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends leases that nobody has been at work on for a while.
    async fn give_back(&self) -> Result<(), StoreError> {
        let now = self.work.clock.elapsed();
        let due = |at: Duration| now.saturating_sub(at) >= KEPT;
        let ids: Vec<JobId> = {
            let left = self.left();
            left.iter().filter(|l| due(l.1)).map(|l| l.0).collect()
        };
        if !ids.is_empty() {
            let owner = &self.work.owner;
            self.work.store.give_back(owner, ids.clone()).await?;
            self.left().retain(|(id, _)| !ids.contains(id));
        }
        Ok(())
    }

    /// Runs everything that is due now, one after the other. For tests and commands that end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn drain(&self) -> Result<usize, StoreError> {
        let mut ran = 0;
        loop {
            let leased = self.lease(1, &HashMap::new()).await?;
            let Some(job) = leased.into_iter().next() else {
                return Ok(ran);
            };
            run::run(&self.work, job).await;
            ran += 1;
        }
    }

    async fn lease(
        &self,
        room: usize,
        under_way: &HashMap<ConnectionId, u32>,
    ) -> Result<Vec<Job>, StoreError> {
        if room == 0 {
            return Ok(Vec::new());
        }
        self.give_back().await?;
        let now = self.work.clock.now();
        let mut skip = Vec::new();
        for connection in self.work.store.connections(Scope::All).await? {
            let frozen = connection
                .health
                .frozen_until
                .is_some_and(|until| until > now);
            let at_once = || {
                let connector = self.work.connector(&connection);
                let limits = connector
                    .map_or_else(Limits::default, |c| c.provider.manifest().limits.clone());
                limits.concurrency.max(1)
            };
            let busy = under_way
                .get(&connection.id)
                .is_some_and(|n| *n >= at_once());
            if frozen || busy {
                skip.push(connection.id);
            }
        }
        // A lease takes several jobs of one connection at once, and more than its provider takes
        // calls would wait: few at a time keeps the leases short.
        let room = room.min(8);
        self.work
            .store
            .lease_jobs(&self.work.owner, now, after(now, LEASE), room, &skip)
            .await
    }

    /// When to look again without a bell.
    async fn next(&self) -> crate::canonical::Timestamp {
        let slow = after(self.work.clock.now(), SLOW_POLL);
        match self.work.store.next_job_at().await {
            Ok(Some(at)) if at > self.work.clock.now() => at.min(slow),
            _ => slow,
        }
    }
}

fn ended_of(
    ended: Result<ConnectionId, tokio::task::JoinError>,
    under_way: &mut HashMap<ConnectionId, u32>,
    tasks: &JoinSet<ConnectionId>,
) {
    match ended {
        Ok(connection) => {
            if let Some(n) = under_way.get_mut(&connection) {
                *n = n.saturating_sub(1);
            }
        }
        // Whose it was is not known any more: with nothing under way all counts are zero.
        Err(error) => tracing::error!(%error, "a job's task ended by a panic; its lease runs out"),
    }
    if tasks.is_empty() {
        under_way.clear();
    }
}
