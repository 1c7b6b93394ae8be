//! Runs the plan of one subscription: reads events, sends, commits progress.
//!
//! What always holds: it ends promptly when it should, after what is in flight has been answered and
//! committed.

use super::plan::{After, Item, Plan};
use super::sender::Verdict;
use super::supervisor::EgressDeps;
use super::tell::{Delivery, Endpoint};
use super::way::Way;
use crate::canonical::Timestamp;
use crate::failpoint::failpoint;
use crate::store::query::{
    DeliveryRow, DeliveryState, RenderedEvent, Subscription, SubscriptionState,
};
use crate::store::{Scope, StoreError};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The pause between two looks at subscriptions and rows that others changed (new subscriptions,
/// replays, skips); events themselves wake the tasks at once.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Progress is committed at the latest after so many deliveries.
const COMMIT_EVERY: usize = 256;

struct Sent {
    item: Item,
    verdict: Verdict,
    told: Delivery,
    duration: Duration,
}

struct Task {
    deps: EgressDeps,
    subscription: Subscription,
    way: Way,
    plan: Plan,
    wake: watch::Receiver<u64>,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    uncommitted: usize,
    /// When what others changed was looked at last.
    looked: Instant,
}

/// Serves one subscription until it is over, another node's, or everything stops.
pub(super) async fn run(
    deps: EgressDeps,
    subscription: Subscription,
    mut stopped: watch::Receiver<bool>,
) {
    let id = subscription.id;
    let mut task = match Task::open(deps, subscription).await {
        Ok(task) => task,
        Err(reason) => {
            tracing::error!(subscription = %id, reason, "a subscription cannot be served");
            return;
        }
    };
    loop {
        if *stopped.borrow() {
            task.drain().await;
            return;
        }
        match task.turn(&mut stopped).await {
            Ok(true) => {}
            Ok(false) => return task.show_age(None),
            Err(error) => {
                tracing::warn!(subscription = %id, %error, "egress waits for the store");
                tokio::select! {
                    _ = stopped.changed() => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        }
    }
}

impl Task {
    async fn open(deps: EgressDeps, subscription: Subscription) -> Result<Self, String> {
        let secret = deps.store.subscription_secret(subscription.id).await;
        let secret = secret.map_err(|error| error.to_string())?;
        let way = Way::of(&deps, &subscription, &secret)?;
        let rows = deps.store.open_deliveries(subscription.id).await;
        let rows = rows.map_err(|error| error.to_string())?;
        let plan = Plan::new(subscription.id, subscription.cursor, rows);
        let wake = deps.store.wake().events();
        let sending = FuturesUnordered::new();
        Ok(Self {
            deps,
            subscription,
            way,
            plan,
            wake,
            sending,
            uncommitted: 0,
            looked: Instant::now(),
        })
    }

    /// Reads, sends and waits once. `false` when the subscription is over.
    async fn turn(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<bool, StoreError> {
        // By the clock and not when nothing else happens: events may come without a pause.
        if self.looked.elapsed() >= LOOK_AGAIN {
            self.looked = Instant::now();
            if !self.look_again().await? {
                return Ok(false);
            }
        }
        self.wake.borrow_and_update();
        let read = self.read().await?;
        self.fill().await?;
        if self.uncommitted >= COMMIT_EVERY || (self.sending.is_empty() && !read) {
            self.commit().await?;
        }
        if read && self.sending.len() < self.deps.concurrency {
            return Ok(true);
        }
        let until = self.until_next();
        tokio::select! {
            Some(sent) = self.sending.next(), if !self.sending.is_empty() => {
                if !self.take(sent).await? {
                    return Ok(false);
                }
                // Whatever else has come back meanwhile shares the next commit.
                while let Some(Some(sent)) = futures_util::FutureExt::now_or_never(self.sending.next()) {
                    if !self.take(sent).await? {
                        return Ok(false);
                    }
                }
            }
            _ = self.wake.changed() => {}
            _ = stopped.changed() => {}
            () = tokio::time::sleep(until) => {}
        }
        Ok(true)
    }

    /// Reads events ahead; true when there were some.
    async fn read(&mut self) -> Result<bool, StoreError> {
        let Some((after, limit)) = self.plan.wants() else {
            return Ok(false);
        };
        let scope = self
            .subscription
            .merchant_id
            .map_or(Scope::All, Scope::Merchant);
        let types = &self.subscription.event_types;
        let page = self.deps.store.events(scope, after, limit, types).await?;
        let moved = page.next > after;
        if moved {
            self.plan.add_events(page.data, page.next);
        }
        Ok(moved)
    }

    /// Sends as much as may go now.
    async fn fill(&mut self) -> Result<(), StoreError> {
        while self.sending.len() < self.deps.concurrency && self.is_ours() {
            let Some(item) = self.plan.next(self.deps.clock.now()) else {
                return Ok(());
            };
            let row = self.plan.row(&item).cloned();
            let event = match (&row, self.plan.event(&item)) {
                (Some(row), _) => self.deps.store.event(Scope::All, row.event_id).await?,
                (None, event) => event.cloned(),
            };
            match event {
                Some(event) => self.send(item, event, row),
                None => {
                    // Retention removed the event: there is nothing left to deliver.
                    self.plan
                        .finished(&item, &Verdict::Delivered, self.deps.clock.now());
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, item: Item, event: RenderedEvent, row: Option<DeliveryRow>) {
        let now = self.deps.clock.now();
        let mut outgoing = self.way.outgoing(&event, row.as_ref(), now);
        let told = Delivery::begin(&self.deps.traces, &event, row.as_ref(), now);
        if let Some(place) = told.traceparent() {
            outgoing.headers.push(("traceparent", place));
        }
        let sender = self.way.sender();
        self.sending.push(Box::pin(async move {
            let started = std::time::Instant::now();
            failpoint!("egress.before_send");
            let verdict = sender.send(outgoing).await;
            failpoint!("egress.after_send");
            Sent {
                item,
                verdict,
                told,
                duration: started.elapsed(),
            }
        }));
    }

    /// Takes one answer. `false` when the subscriber does not want any more.
    async fn take(&mut self, sent: Sent) -> Result<bool, StoreError> {
        let now = self.deps.clock.now();
        let was_down = self.plan.is_down();
        let after = self.plan.finished(&sent.item, &sent.verdict, now);
        self.uncommitted += 1;
        let endpoint = Endpoint {
            subscription: self.subscription.id,
            was_down,
            waiting: self.plan.waiting(),
        };
        sent.told
            .ended(&endpoint, (&sent.verdict, after), sent.duration, now);
        if after == After::Disable {
            self.commit().await?;
            let reason = Some("the endpoint answered 410 Gone".to_owned());
            let state = SubscriptionState::Disabled;
            self.deps
                .store
                .set_subscription_state(self.subscription.id, state, reason, None)
                .await?;
            return Ok(false);
        }
        Ok(true)
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.uncommitted = 0;
        let Some(progress) = self.plan.progress() else {
            return Ok(());
        };
        failpoint!("egress.before_progress");
        let told = self.deps.store.egress_progress(progress.clone()).await;
        failpoint!("egress.after_progress");
        if told.is_err() {
            self.plan.give_back(progress);
        }
        told
    }

    /// Whether this node still serves the subscription.
    fn is_ours(&self) -> bool {
        self.deps.store.placement().has(self.subscription.id)
    }

    /// What others changed: the subscription's own state, replays, skips.
    async fn look_again(&mut self) -> Result<bool, StoreError> {
        self.commit().await?;
        if !self.is_ours() {
            self.drain().await;
            return Ok(false);
        }
        self.show_age(self.plan.oldest_at());
        let all = self.deps.store.subscriptions(Scope::All).await?;
        let Some(now) = all.into_iter().find(|s| s.id == self.subscription.id) else {
            return Ok(false);
        };
        if now.state != SubscriptionState::Active {
            self.drain().await;
            return Ok(false);
        }
        self.subscription.event_types = now.event_types;
        self.subscription.url = now.url;
        self.follow().await?;
        let rows = self
            .deps
            .store
            .open_deliveries(self.subscription.id)
            .await?;
        let rows: Vec<DeliveryRow> = rows
            .into_iter()
            .filter(|row| row.state == DeliveryState::Waiting)
            .collect();
        let waiting: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
        self.plan.drop_rows_except(&waiting);
        self.plan.add_rows(rows);
        Ok(true)
    }

    /// Goes on with the secret, or the broker's credentials, that are kept now. What is in flight
    /// ends as it began.
    async fn follow(&mut self) -> Result<(), StoreError> {
        let id = self.subscription.id;
        let secret = self.deps.store.subscription_secret(id).await?;
        if self.way.is_of(&self.subscription, &secret) {
            return Ok(());
        }
        match Way::of(&self.deps, &self.subscription, &secret) {
            Ok(way) => {
                self.way = way;
                self.plan.probe_now();
            }
            Err(reason) => tracing::error!(subscription = %id, reason, "a subscription's secret"),
        }
        Ok(())
    }

    fn show_age(&self, oldest: Option<Timestamp>) {
        let now = self.deps.clock.now();
        let age = oldest.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        let subscription = self.subscription.id.to_string();
        metrics::gauge!("crossdock_undelivered_age_seconds", "subscription" => subscription)
            .set(age);
    }

    fn until_next(&self) -> Duration {
        let Some(at) = self.plan.wake_at() else {
            return LOOK_AGAIN;
        };
        let wait = at.duration_since(self.deps.clock.now());
        Duration::try_from(wait).unwrap_or_default().min(LOOK_AGAIN)
    }

    /// Answers what is in flight and commits.
    async fn drain(&mut self) {
        while let Some(sent) = self.sending.next().await {
            if self.take(sent).await.is_err() {
                break;
            }
        }
        if let Err(error) = self.commit().await {
            tracing::warn!(%error, "egress progress was not written; the last deliveries may repeat");
        }
    }
}
