//! Several nodes over one store: who has what, and how it is passed on.

use super::*;
use crate::canonical::job::{JobState, Lane, NewJob};
use crate::canonical::{ConnectionId, JobId};
use crate::clock::after;
use crate::flow::change::{ChangeSet, JobResult};
use crate::store::placement::Thing;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(40);

struct Cluster {
    url: String,
    options: StoreOptions,
    all: BTreeSet<Thing>,
}

impl Cluster {
    /// A store with so many connections.
    async fn with(connections: usize) -> Self {
        let (url, mut options) = (server::fresh_url().await, options());
        options.shared = true;
        let mut all = BTreeSet::from([Thing::CLOCKS]);
        let store: Arc<dyn Store> = Arc::new(open(&url, options.clone(), true).unwrap());
        for _ in 0..connections {
            all.insert(Bench::new(&store).await.connection.id.into());
        }
        assert!(of(&store).is_empty(), "it did not join");
        store.close().await;
        Self { url, options, all }
    }

    async fn node(&self, name: &str) -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(open(&self.url, self.options.clone(), true).unwrap());
        store.join(name).await.unwrap();
        store
    }

    /// Waits until these nodes have everything between them, each thing one of them.
    async fn shared_out(&self, nodes: &[&Arc<dyn Store>]) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let mut changes: Vec<_> = nodes.iter().map(|n| n.placement().changes()).collect();
            let parts: Vec<BTreeSet<Thing>> = nodes.iter().map(|node| of(node)).collect();
            let mut seen = BTreeSet::new();
            for thing in parts.iter().flatten() {
                assert!(seen.insert(*thing), "{thing:?} is two nodes'");
            }
            if seen == self.all && parts.iter().all(|part| !part.is_empty()) {
                return;
            }
            assert!(Instant::now() < limit, "{parts:?}");
            let any = changes.iter_mut().map(|c| Box::pin(c.changed()));
            let any = futures_util::future::select_all(any);
            // What the store vouches for is no change.
            let _ = tokio::time::timeout(Duration::from_millis(100), any).await;
        }
    }

    async fn ask(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }
}

fn of(store: &Arc<dyn Store>) -> BTreeSet<Thing> {
    store.placement().things().unwrap().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_come_and_go_and_everything_is_somebodys() {
    let cluster = Cluster::with(12).await;
    let a = cluster.node("a").await;
    cluster.shared_out(&[&a]).await;
    let b = cluster.node("b").await;
    cluster.shared_out(&[&a, &b]).await;
    let (has, epochs) = (of(&b), |store: &Arc<dyn Store>, of: &BTreeSet<Thing>| {
        let epoch = |thing: &Thing| store.placement().epoch(*thing).unwrap();
        of.iter().map(epoch).collect::<Vec<_>>()
    });
    let before = epochs(&b, &has);
    b.close().await;
    assert!(of(&b).is_empty());
    cluster.shared_out(&[&a]).await;
    let after = epochs(&a, &has);
    assert!(
        before.iter().zip(&after).all(|(b, a)| a > b),
        "{before:?} {after:?}"
    );
    // Gone without a word: its row is there, its session is not.
    let c = cluster.node("c").await;
    cluster.shared_out(&[&a, &c]).await;
    drop(c);
    let gone = Instant::now();
    cluster.shared_out(&[&a]).await;
    assert!(
        gone.elapsed() > Duration::from_secs(2),
        "the store still vouched for it"
    );
    // A new connection is somebody's at once.
    let store: Arc<dyn Store> = Arc::clone(&a);
    let mut cluster = cluster;
    cluster
        .all
        .insert(Bench::new(&store).await.connection.id.into());
    cluster.shared_out(&[&a]).await;
    a.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_the_session_loses_everything_and_takes_part_again() {
    let cluster = Cluster::with(8).await;
    let a = cluster.node("a").await;
    let b = cluster.node("b").await;
    cluster.shared_out(&[&a, &b]).await;
    let mut changes = a.placement().changes();
    let (thing, epoch) = {
        let thing = *of(&a).first().unwrap();
        (thing, a.placement().epoch(thing))
    };
    changes.mark_unchanged();
    cluster
        .ask(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
               AND ((classid::bigint << 32) | objid::bigint)
                 = hashtextextended('crossdock node ' || current_schema() || 'a', 0)",
        )
        .await;
    changes.changed().await.unwrap();
    assert!(!a.placement().may_send(thing) || a.placement().epoch(thing) != epoch);
    cluster.shared_out(&[&a, &b]).await;
    assert!(a.placement().epoch(thing) > epoch);
    a.close().await;
    b.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_worked_on_is_passed_on_when_that_ends() {
    let cluster = Cluster::with(8).await;
    let a = cluster.node("a").await;
    cluster.shared_out(&[&a]).await;
    let work: Vec<_> = of(&a).iter().map(|t| a.placement().enter(*t)).collect();
    let b = cluster.node("b").await;
    // New work is not begun on what is to be passed on, and it is nobody else's yet.
    let mut changes = a.placement().changes();
    while of(&a).len() == cluster.all.len() {
        changes.changed().await.unwrap();
    }
    assert!(of(&b).is_empty());
    assert!(
        cluster
            .all
            .iter()
            .all(|thing| a.placement().may_send(*thing))
    );
    drop(work);
    cluster.shared_out(&[&a, &b]).await;
    a.close().await;
    b.close().await;
}

fn job(bench: &Bench) -> NewJob {
    NewJob {
        kind: "shipments.push".to_owned(),
        connection_id: bench.connection.id,
        order_id: None,
        lane: Lane::StatusPush,
        key: "1".to_owned(),
        ordering_key: bench.connection.id.to_string(),
        run_at: at(0),
        input: Value::Null,
        merchant_id: bench.merchant,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_owners_result_is_refused() {
    let mut cluster = Cluster::with(0).await;
    let a = cluster.node("a").await;
    let mut benches = Vec::new();
    for _ in 0..8 {
        let bench = Bench::new(&a).await;
        cluster.all.insert(bench.connection.id.into());
        let mut change = ChangeSet::of(bench.merchant);
        change.jobs = vec![job(&bench)];
        a.apply(vec![change]).await.unwrap().remove(0).unwrap();
        benches.push(bench);
    }
    cluster.shared_out(&[&a]).await;
    let until = after(at(0), Duration::from_secs(120));
    let leased = a.lease_jobs("a", at(1), until, 100, &[]).await.unwrap();
    assert_eq!(leased.len(), 8);
    let b = cluster.node("b").await;
    cluster.shared_out(&[&a, &b]).await;
    // What the other node has now it takes over at once, though the lease has not run out.
    let taken = b.lease_jobs("b", at(2), until, 100, &[]).await.unwrap();
    let places: BTreeSet<Thing> = taken.iter().map(|job| job.connection_id.into()).collect();
    let connections = |store| {
        let mut things = of(store);
        things.remove(&Thing::CLOCKS);
        things
    };
    assert_eq!(places, connections(&b));
    assert!(
        a.lease_jobs("a", at(2), until, 100, &[])
            .await
            .unwrap()
            .is_empty()
    );
    let ids: BTreeSet<JobId> = taken.iter().map(|job| job.id).collect();
    for old in &leased {
        let mut change = ChangeSet::of(old.merchant_id);
        change.job = Some(JobResult {
            job_id: old.id,
            epoch: old.epoch,
            state: JobState::Done,
            run_at: None,
            step: 0,
            checkpoint: Value::Null,
            spends_attempt: true,
            attempt: None,
        });
        let written = a.apply(vec![change]).await.unwrap().remove(0);
        let refused = matches!(written, Err(StoreError::Conflict(_)));
        assert_eq!(refused, ids.contains(&old.id), "{written:?}");
    }
    // A setting that is changed leaves the owner's number as it is.
    let moved: ConnectionId = taken[0].connection_id;
    let connection = a.connection(Scope::All, moved).await.unwrap().unwrap();
    let change = ChangeSet::of(connection.merchant_id);
    a.update_connection(&connection, None, change, audit(moved))
        .await
        .unwrap();
    let mut change = ChangeSet::of(connection.merchant_id);
    change.job = Some(JobResult {
        job_id: taken[0].id,
        epoch: taken[0].epoch,
        state: JobState::Done,
        run_at: None,
        step: 0,
        checkpoint: Value::Null,
        spends_attempt: true,
        attempt: None,
    });
    b.apply(vec![change]).await.unwrap().remove(0).unwrap();
    a.close().await;
    b.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_the_store_alone_waits_for_all_nodes() {
    let cluster = Cluster::with(0).await;
    let a = cluster.node("a").await;
    let mut alone = cluster.options.clone();
    alone.shared = false;
    let taken = open(&cluster.url, alone.clone(), true).map(|_| ());
    assert!(matches!(taken, Err(StoreError::Unavailable(_))));
    a.close().await;
    drop(a);
    open(&cluster.url, alone, true).unwrap();
}
