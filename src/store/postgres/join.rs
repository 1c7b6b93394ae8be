//! This node among the nodes of one store: which things are its own, and for how long.
//!
//! What always holds: what is granted is locked by one session of this node's, and granted under a
//! number that rose with the lock; the store vouches for a few seconds from each beat, and nobody is
//! given anything while a node that fell silent may still be within those seconds; what another node
//! is to have is let go when nobody is at work on it any more; with the session everything is lost,
//! and then it is begun anew.

use super::connect::Connector;
use super::nodes::{Nodes, Seen};
use crate::store::StoreError;
use crate::store::placement::{Thing, shares};
use crate::store::sql::Shared;
use crate::store::sql::codec::{Result, uint};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio_postgres::Client;
use uuid::Uuid;

/// How often a node says that it is there.
const BEAT: Duration = Duration::from_millis(500);
/// The least pause between two beats that were called for.
const PAUSE: Duration = Duration::from_millis(50);
/// So long after a beat what was granted may be worked on.
pub(super) const VOUCHED: Duration = Duration::from_secs(4);
/// A beat that takes longer was not heard.
const ANSWER: Duration = Duration::from_secs(10);
/// Before a session is made again.
const AGAIN: Duration = Duration::from_millis(500);
/// How often all things are read without a bell.
const LOOK: Duration = Duration::from_secs(5);
/// Work that was begun on a thing may go on for so long before it is passed on all the same.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long leaving may take.
const PARTING: Duration = Duration::from_secs(5);

/// What a session of a node is like: a peer that is gone is noticed, nothing waits long, and a number
/// that was given is on the disk, so that it is never given twice.
const SETUP: &str = "SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') = 'off'; SET statement_timeout = '8s'; SET lock_timeout = '5s';
    SET client_min_messages = warning; SET tcp_keepalives_idle = 5;
    SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 10000";

/// The number of a thing's lock.
const LOCK: &str = "hashtextextended('crossdock thing ' || current_schema() || id::text, 0)";

/// A node that takes part, until it is told to leave.
pub(super) struct Membership {
    leave: oneshot::Sender<()>,
    gone: oneshot::Receiver<()>,
}

impl Membership {
    /// Takes part from now on; yields when the first share is there.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(super) async fn start(
        connector: &Arc<Connector>,
        shared: &Arc<Shared>,
        node: &str,
    ) -> Result<Self> {
        let (leave, leaving) = oneshot::channel();
        let (began, beginning) = oneshot::channel();
        let (left, gone) = oneshot::channel();
        let member = Member {
            connector: Arc::clone(connector),
            shared: Arc::clone(shared),
            nodes: Nodes::new(node),
            held: HashMap::new(),
            things: Vec::new(),
            looked: None,
            began: Some(began),
        };
        connector.runtime().spawn(async move {
            member.run(leaving).await;
            let _ = left.send(());
        });
        let ended = || StoreError::Unavailable("the node ended".to_owned());
        beginning.await.map_err(|_| ended())??;
        Ok(Self { leave, gone })
    }

    /// Gives everything back and goes. Nobody may be at work any more.
    pub(super) async fn leave(self) {
        let _ = self.leave.send(());
        let _ = self.gone.await;
    }
}

struct Member {
    connector: Arc<Connector>,
    shared: Arc<Shared>,
    nodes: Nodes,
    /// What is locked by the session; since when it is to be passed on.
    held: HashMap<Thing, Option<Instant>>,
    /// All there is, as of the last look, and when and at which bell that was.
    things: Vec<Thing>,
    looked: Option<(Instant, u64)>,
    began: Option<oneshot::Sender<Result<()>>>,
}

/// Within a time that a silent server cannot stretch.
async fn within<T>(span: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(span, work).await {
        Ok(done) => done,
        Err(_) => Err(StoreError::Unavailable(
            "the PostgreSQL server does not answer".to_owned(),
        )),
    }
}

impl Member {
    async fn run(mut self, mut leaving: oneshot::Receiver<()>) {
        loop {
            let ended = self.session(&mut leaving).await;
            self.shared.placement.lost();
            self.held.clear();
            self.looked = None;
            let Err(error) = ended else { return };
            if let Some(began) = self.began.take() {
                let _ = began.send(Err(error));
                return;
            }
            tracing::warn!(%error, "this node's session was lost, and with it what it worked on; it takes part again as soon as it can");
            tokio::select! {
                _ = &mut leaving => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// One session, until it is lost or the node leaves.
    async fn session(&mut self, leaving: &mut oneshot::Receiver<()>) -> Result<()> {
        let connector = Arc::clone(&self.connector);
        let (client, connection) = within(ANSWER, connector.raw()).await?;
        tokio::select! {
            biased;
            ended = connection => Err(match ended {
                Err(error) => error.into(),
                Ok(()) => StoreError::Unavailable("the session was closed".to_owned()),
            }),
            left = self.stay(&client, leaving) => left,
        }
    }

    async fn stay(&mut self, client: &Client, leaving: &mut oneshot::Receiver<()>) -> Result<()> {
        within(ANSWER, async { Ok(client.batch_execute(SETUP).await?) }).await?;
        within(ANSWER, self.nodes.enter(client)).await?;
        let mut setup = self.shared.wake.setup_changes();
        loop {
            setup.mark_unchanged();
            within(ANSWER, self.beat(client)).await?;
            if let Some(began) = self.began.take() {
                let _ = began.send(Ok(()));
            }
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                _ = &mut *leaving => return within(PARTING, self.part(client)).await,
                Ok(()) = setup.changed() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    /// Says that this node is there, and brings what it has nearer to what it is to have.
    async fn beat(&mut self, client: &Client) -> Result<()> {
        let asked = Instant::now();
        self.nodes.beat(client).await?;
        self.shared.placement.vouch(asked, VOUCHED);
        let seen = self.nodes.look(client).await?;
        self.look(client).await?;
        let wanted = self.wanted(&seen);
        let passed_on = self.pass_on(client, &wanted).await?;
        let taken = if seen.wait {
            0
        } else {
            self.take(client, &wanted).await?
        };
        if passed_on + taken > 0 {
            tracing::info!(
                nodes = seen.alive.len(),
                taken,
                passed_on,
                has = self.held.len(),
                "work was shared out anew"
            );
        }
        Ok(())
    }

    /// Reads what there is, when it may have changed.
    async fn look(&mut self, client: &Client) -> Result<()> {
        let bell = self.shared.wake.setup();
        let fresh = |(at, of): (Instant, u64)| of == bell && at.elapsed() < LOOK;
        if self.looked.is_some_and(fresh) {
            return Ok(());
        }
        let rows = client
            .query(
                "SELECT id FROM connections
                 UNION ALL SELECT id FROM subscriptions WHERE state <> 'deleted'",
                &[],
            )
            .await?;
        let mut things = vec![Thing::CLOCKS];
        for row in rows {
            things.push(Thing(row.try_get(0)?));
        }
        (self.things, self.looked) = (things, Some((Instant::now(), bell)));
        Ok(())
    }

    /// What is to be this node's.
    fn wanted(&self, seen: &Seen) -> HashSet<Thing> {
        let me = self.nodes.name();
        let nodes: Vec<&str> = seen.alive.iter().map(String::as_str).collect();
        let all = shares(&self.things, &nodes).into_iter();
        all.filter(|(_, node)| *node == me)
            .map(|(thing, _)| thing)
            .collect()
    }

    /// Lets go of what is not to be this node's any more, once nobody is at work on it; how much.
    async fn pass_on(&mut self, client: &Client, wanted: &HashSet<Thing>) -> Result<usize> {
        let placement = &self.shared.placement;
        let mut free = Vec::new();
        for (thing, since) in &mut self.held {
            if wanted.contains(thing) {
                if since.take().is_some() {
                    placement.stay(*thing);
                }
                continue;
            }
            let since = *since.get_or_insert_with(Instant::now);
            if placement.leave(*thing) || since.elapsed() > PATIENCE {
                free.push(*thing);
            }
        }
        if free.is_empty() {
            return Ok(0);
        }
        for thing in &free {
            placement.revoke(*thing);
            self.held.remove(thing);
        }
        let ids: Vec<Uuid> = free.iter().map(|thing| thing.0).collect();
        let sql = format!("SELECT pg_advisory_unlock({LOCK}) FROM unnest($1::uuid[]) AS t(id)");
        client.query(&sql, &[&ids]).await?;
        self.call(client).await?;
        Ok(free.len())
    }

    /// Takes what is to be this node's and free, each under a new number; how much.
    async fn take(&mut self, client: &Client, wanted: &HashSet<Thing>) -> Result<usize> {
        let missing = wanted
            .iter()
            .filter(|thing| !self.held.contains_key(*thing));
        let missing: Vec<Uuid> = missing.map(|thing| thing.0).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "SELECT id FROM unnest($1::uuid[]) AS t(id) WHERE pg_try_advisory_lock({LOCK})"
        );
        let mut locked: Vec<Uuid> = Vec::new();
        for row in client.query(&sql, &[&missing]).await? {
            locked.push(row.try_get(0)?);
        }
        if locked.is_empty() {
            return Ok(0);
        }
        // A store that was copied brings numbers with its connections: the next is above both.
        let rows = client
            .query(
                "WITH taken AS (
                   INSERT INTO placements AS p (thing, epoch)
                     SELECT t.id, coalesce(c.epoch, 0) + 1
                       FROM unnest($1::uuid[]) AS t(id) LEFT JOIN connections c ON c.id = t.id
                       ORDER BY t.id
                   ON CONFLICT (thing) DO UPDATE SET epoch = greatest(p.epoch + 1, excluded.epoch)
                   RETURNING p.thing, p.epoch),
                 told AS (
                   UPDATE connections c SET epoch = t.epoch FROM taken t WHERE c.id = t.thing)
                 SELECT thing, epoch FROM taken",
                &[&locked],
            )
            .await?;
        for row in &rows {
            let thing = Thing(row.try_get(0)?);
            self.held.insert(thing, None);
            self.shared.placement.grant(thing, uint(row.try_get(1)?));
        }
        Ok(rows.len())
    }

    /// Gives everything back.
    async fn part(&mut self, client: &Client) -> Result<()> {
        self.shared.placement.lost();
        self.nodes.part(client).await?;
        client
            .batch_execute("SELECT pg_advisory_unlock_all()")
            .await?;
        self.call(client).await
    }

    /// Calls the others: something is free.
    async fn call(&self, client: &Client) -> Result<()> {
        let call = self.connector.notification("s");
        Ok(client.batch_execute(&call).await?)
    }
}
