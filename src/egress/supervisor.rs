//! Keeps one task for each subscription that is active and this node's.
//!
//! What always holds: a dead endpoint never slows another; a task that ended badly is started again;
//! on shutdown every task is waited for.

use super::nats::Brokers;
use super::sender::Sender;
use super::task::{LOOK_AGAIN, run};
use crate::canonical::SubscriptionId;
use crate::clock::Clock;
use crate::store::query::SubscriptionState;
use crate::store::{Scope, Store};
use crate::telemetry::trace::Traces;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What egress needs.
#[derive(Clone)]
pub struct EgressDeps {
    /// The store.
    pub store: Arc<dyn Store>,
    /// What sends webhooks.
    pub sender: Arc<dyn Sender>,
    /// What publishes to brokers.
    pub brokers: Arc<Brokers>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Deliveries in flight per subscription.
    pub concurrency: usize,
    /// Where deliveries are told as spans.
    pub traces: Traces,
}

/// All subscriptions' tasks.
pub struct Egress {
    stop: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
}

impl Egress {
    /// Starts a supervisor that keeps one task for each active subscription.
    pub fn start(deps: EgressDeps) -> Self {
        let (stop, stopped) = watch::channel(false);
        let supervisor = tokio::spawn(supervise(deps, stopped));
        Self { stop, supervisor }
    }

    /// Ends all tasks; what is in flight is answered and committed first.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(error) = self.supervisor.await {
            tracing::error!(%error, "egress ended badly");
        }
    }
}

async fn supervise(deps: EgressDeps, mut stopped: watch::Receiver<bool>) {
    let mut tasks: HashMap<SubscriptionId, JoinHandle<()>> = HashMap::new();
    let mut placed = deps.store.placement().changes();
    while !*stopped.borrow() {
        placed.mark_unchanged();
        match deps.store.subscriptions(Scope::All).await {
            Ok(subscriptions) => {
                for subscription in subscriptions {
                    let id = subscription.id;
                    let runs = tasks.get(&id).is_some_and(|task| !task.is_finished());
                    if subscription.state != SubscriptionState::Active || runs {
                        continue;
                    }
                    let Some(entered) = deps.store.placement().enter(id) else {
                        continue; // Another node serves it.
                    };
                    let task = run(deps.clone(), subscription, stopped.clone());
                    tasks.insert(
                        id,
                        tokio::spawn(async move {
                            let _until_done = entered;
                            task.await;
                        }),
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "subscriptions cannot be read"),
        }
        tokio::select! {
            _ = stopped.changed() => {}
            Ok(()) = placed.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
    for (_, task) in tasks {
        if let Err(error) = task.await {
            tracing::error!(%error, "a subscription's task ended badly");
        }
    }
}
