//! Everything that runs by itself: deliveries are applied, connections polled, jobs run, clocks
//! looked at, changes followed up.
//!
//! Read in this order: [`apply`] with [`mapped`] and `decide` (from bytes to change sets),
//! [`remap`] (records tried again), [`poll`], [`track`], [`points`], [`stock`], [`jobs`], [`settle`] and [`watch`].
//!
//! What always holds: every loop ends promptly when told to stop and loses nothing by it; a panic
//! in one loop restarts that loop and no other; each loop may find everything done already.

mod alone;
pub mod apply;
pub mod around;
mod asked;
pub mod connectors;
mod deadlines;
mod decide;
mod evaluate;
mod gather;
pub mod gauges;
mod halves;
mod in_hand;
mod in_stock;
pub mod jobs;
pub mod mapped;
mod memory;
mod merchants;
mod overdue;
pub mod points;
pub mod poll;
pub mod pool;
pub mod reading;
pub mod remap;
mod reread;
mod retention;
pub mod settle;
pub mod stock;
pub mod stop;
mod surroundings;
mod tell;
pub mod track;
mod turns;
pub mod watch;
pub mod work;
pub mod world;

use crate::canonical::ProblemId;
use crate::clock::Clock;
use crate::connector::Registry;
use crate::ingress::IngressState;
use crate::operation::Engine;
use crate::store::{Scope, Store};
use apply::Applier;
use connectors::Folders;
use futures_util::future::BoxFuture;
use gauges::Gauges;
use jobs::JobRunner;
use points::PointLoader;
use poll::Poller;
use pool::MappingPool;
use remap::{Retried, RetryError};
use settle::Settler;
use std::sync::Arc;
use std::time::Duration;
use stock::Stocker;
use stop::{Stop, Stopper};
use tokio::task::JoinHandle;
use track::Tracker;
use watch::Watcher;
use work::Work;
use world::Worlds;

/// What a worker is made of.
pub struct WorkerDeps {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// The connector folders.
    pub registry: Arc<Registry>,
    /// Its endpoints are forgotten when a connection or a folder changes.
    pub ingress: Arc<IngressState>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Calls providers.
    pub engine: Engine,
    /// The address at which providers reach us, without a slash at its end; without it no webhooks
    /// are registered by themselves.
    pub public_url: Option<String>,
    /// Threads that map; as many as there are cores when 0.
    pub mapping_threads: usize,
}

/// The parts, ready to be started. Also what the API needs where nothing runs by itself.
pub struct Worker {
    applier: Arc<Applier>,
    settler: Arc<Settler>,
    watcher: Arc<Watcher>,
    poller: Arc<Poller>,
    tracker: Arc<Tracker>,
    loader: Arc<PointLoader>,
    runner: Arc<JobRunner>,
    gauges: Arc<Gauges>,
    stocker: Arc<Stocker>,
    node: String,
    stop: Stop,
    stopper: Stopper,
}

impl Worker {
    /// Puts the parts together; nothing runs yet but the mapping threads.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(deps: WorkerDeps) -> std::io::Result<Arc<Self>> {
        let threads = match deps.mapping_threads {
            0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            n => n,
        };
        let (stopper, stop) = Stopper::new();
        let pool = Arc::new(MappingPool::new(threads)?);
        let folders = Arc::new(Folders::new(deps.registry));
        let worlds = Arc::new(Worlds::new(
            deps.store.clone(),
            folders.clone(),
            deps.clock.clone(),
        ));
        let node = format!("node-{}", uuid::Uuid::now_v7().simple());
        let work = Arc::new(Work {
            store: deps.store.clone(),
            connectors: folders.clone(),
            pool: pool.clone(),
            worlds: worlds.clone(),
            clock: deps.clock.clone(),
            engine: deps.engine,
            stop: stop.clone(),
            owner: node.clone(),
            public_url: deps.public_url,
            taken: std::sync::Mutex::default(),
        });
        let applier = Arc::new(
            Applier::new(
                deps.store.clone(),
                folders,
                pool,
                worlds.clone(),
                deps.clock.clone(),
                stop.clone(),
            )
            .telling(work.engine.traces.clone()),
        );
        let settler = Arc::new(Settler::new(deps.store, worlds, deps.clock, stop.clone()));
        let watcher = Watcher::new(work.clone(), applier.clone(), settler.clone(), deps.ingress);
        Ok(Arc::new(Self {
            applier,
            settler: settler.clone(),
            watcher: Arc::new(watcher),
            poller: Arc::new(Poller::new(work.clone())),
            tracker: Arc::new(Tracker::new(work.clone())),
            loader: Arc::new(PointLoader::new(work.clone())),
            gauges: Arc::new(Gauges::new(work.clone())),
            stocker: Arc::new(Stocker::new(work.clone(), settler.clone())),
            runner: Arc::new(JobRunner::new(work)),
            node,
            stop,
            stopper,
        }))
    }

    /// This node's name: in leases, and for [`Store::join`].
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Starts every loop on the current tokio runtime.
    pub fn start(self: &Arc<Self>) -> WorkerHandle {
        let run = |name, start: fn(Arc<Self>) -> BoxFuture<'static, ()>| {
            let worker = self.clone();
            supervise(name, self.stop.clone(), move || start(worker.clone()))
        };
        let loops = vec![
            run("apply", |it| {
                Box::pin(async move { it.applier.run().await })
            }),
            run("poll", |it| Box::pin(it.poller.clone().run())),
            run("track", |it| Box::pin(it.tracker.clone().run())),
            run("points", |it| Box::pin(it.loader.clone().run())),
            run("stock", |it| Box::pin(it.stocker.clone().run())),
            run("jobs", |it| Box::pin(async move { it.runner.run().await })),
            run("clocks", |it| {
                Box::pin(async move { it.settler.run().await })
            }),
            run("watch", |it| {
                Box::pin(async move { it.watcher.run().await })
            }),
            run("gauges", |it| {
                Box::pin(async move { it.gauges.run().await })
            }),
        ];
        WorkerHandle {
            worker: self.clone(),
            loops,
        }
    }

    /// Does again what a problem stands for. For `POST /v1/problems/{id}/retry`.
    ///
    /// # Errors
    /// [`RetryError`].
    pub async fn retry_problem(&self, scope: Scope, id: ProblemId) -> Result<Retried, RetryError> {
        self.applier.retry_problem(scope, id).await
    }
}

/// A worker that runs.
pub struct WorkerHandle {
    worker: Arc<Worker>,
    loops: Vec<JoinHandle<()>>,
}

impl WorkerHandle {
    /// The worker itself.
    pub fn worker(&self) -> &Arc<Worker> {
        &self.worker
    }

    /// Ends every loop: what is under way is written, nothing new is taken.
    pub async fn stop(self) {
        self.worker.stopper.stop();
        for task in self.loops {
            // Panics were told of by the supervision.
            let _ = task.await;
        }
    }
}

/// How long a loop that panicked rests before it goes on.
const REST: Duration = Duration::from_secs(1);

/// Runs a loop until it ends by itself; after a panic it is started again.
fn supervise<F, R>(name: &'static str, stop: Stop, make: F) -> JoinHandle<()>
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        loop {
            match tokio::spawn(make()).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(name, %error, "a loop ended by a panic and is started again")
                }
            }
            if stop.pause(REST).await {
                return;
            }
        }
    })
}

#[cfg(test)]
pub(crate) mod tests;
