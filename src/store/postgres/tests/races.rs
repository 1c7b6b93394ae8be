//! Two handles over one database that write at one moment, as two nodes may.

use super::super::open;
use super::{aside, connected, options, server};
use crate::canonical::ConnectionId;
use crate::canonical::job::Lane;
use crate::flow::change::ChangeSet;
use crate::store::conformance::support::*;
use crate::store::placement::Thing;
use crate::store::sql::conn::Conn;
use crate::store::sql::{SqlStore, parcels};
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreError, StoreOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: u32 = 25;

async fn two() -> (Arc<SqlStore>, Arc<SqlStore>) {
    let url = server::fresh_url().await;
    let options = StoreOptions {
        shared: true,
        ..options()
    };
    let store = || Arc::new(open(&url, options.clone(), true).unwrap());
    (store(), store())
}

fn dynamic(store: &Arc<SqlStore>) -> Arc<dyn Store> {
    Arc::<SqlStore>::clone(store)
}

fn set(bench: &Bench, state: crate::flow::change::OrderState) -> Vec<ChangeSet> {
    vec![ChangeSet {
        states: vec![state],
        ..ChangeSet::of(bench.merchant)
    }]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_buy_one_number_at_one_moment_one_has_it() {
    let (one, other) = two().await;
    let bench = Bench::new(&dynamic(&one)).await;
    for round in 0..ROUNDS {
        let number = format!("N{round}");
        let mine = bench.shipped(&format!("a{round}"), &number);
        let theirs = bench.shipped(&format!("b{round}"), &number);
        let (mine, theirs) = tokio::join!(
            one.apply(set(&bench, mine)),
            other.apply(set(&bench, theirs))
        );
        let both = [mine.unwrap().remove(0), theirs.unwrap().remove(0)];
        let written = both.iter().filter(|result| result.is_ok()).count();
        assert_eq!(written, 1, "{both:?}");
        for lost in both.into_iter().filter_map(Result::err) {
            assert!(matches!(lost, StoreError::Conflict(_)), "{lost}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_tells_two_apart_that_cannot_see_each_other() {
    let url = server::fresh_url().await;
    let store: Arc<dyn Store> = Arc::new(open(&url, options(), true).unwrap());
    let bench = Bench::new(&store).await;
    let shipment = |n: &str| bench.shipped(n, "N1").shipments.remove(0);
    let (first, second) = (shipment("1"), shipment("2"));
    store.close().await;
    aside(move || {
        let (_runtime, connector) = connected(&url);
        let (one, other) = (connector.session().unwrap(), connector.session().unwrap());
        for session in [&one, &other] {
            session.begin("BEGIN").unwrap();
        }
        parcels::write(Conn::Postgres(&one), &first).unwrap();
        one.settle().unwrap();
        // It sees no other shipment with the number, and waits for the first one's end.
        parcels::write(Conn::Postgres(&other), &second).unwrap();
        one.commit().unwrap();
        let Err(StoreError::Exists(text)) = other.settle() else {
            panic!("two shipments with one number")
        };
        assert!(text.contains("parcels_held"), "{text}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_lease_one_ordering_key_one_has_it() {
    let (one, other) = two().await;
    let bench = Bench::new(&dynamic(&one)).await;
    let mine = Thing::from(bench.connection.id);
    for store in [&one, &other] {
        store.shared().placement.vouch(Instant::now(), PATIENCE);
        store.shared().placement.grant(mine, 1);
    }
    for round in 0..ROUNDS {
        // One name for both: a former owner's lease would be void.
        let jobs = ["a", "b", "c"].map(|key| {
            bench.job(
                "push",
                &format!("{key}{round}"),
                &format!("o{round}"),
                Lane::StatusPush,
            )
        });
        let mut change = ChangeSet::of(bench.merchant);
        change.jobs = jobs.into();
        change.jobs.push(bench.job(
            "push",
            &format!("x{round}"),
            &format!("p{round}"),
            Lane::StatusPush,
        ));
        one.apply(vec![change]).await.unwrap().remove(0).unwrap();
        let skip: [ConnectionId; 0] = [];
        let (mine, theirs) = tokio::join!(
            one.lease_jobs("same", at(9), at(99), 9, &skip),
            other.lease_jobs("same", at(9), at(99), 9, &skip)
        );
        let all = [mine.unwrap(), theirs.unwrap()].concat();
        let of = |key: String| all.iter().filter(|job| job.ordering_key == key).count();
        assert_eq!(of(format!("o{round}")), 1);
        assert_eq!(of(format!("p{round}")), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_merchant_that_one_node_erases_is_forgotten_by_the_other() {
    let (one, other) = two().await;
    let bench = Bench::new(&dynamic(&one)).await;
    bench.put(bench.order("1")).await;
    let key = [(bench.connection.id, "1".to_owned())];
    assert!(other.orders_by_external(&key).await.unwrap()[0].is_some());
    assert!(
        other.shared().vault.of_merchant(bench.merchant).is_some()
            || !other.shared().vault.loaded().is_empty()
    );
    let loaded = other.shared().vault.loaded();
    one.erase_merchant(bench.merchant, audit("m"))
        .await
        .unwrap();
    let forgotten = async {
        // Each read asks the store: the pause.
        while other.orders_by_external(&key).await.is_ok() {}
    };
    tokio::time::timeout(PATIENCE, forgotten).await.unwrap();
    let left = other.shared().vault.loaded();
    assert!(loaded.iter().any(|id| !left.contains(id)));
    let late = other.append_inbox(vec![bench.delivery("late")], None).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_that_works_alone_is_kept_off_by_those_that_share() {
    let url = server::fresh_url().await;
    let alone = options();
    let shares = StoreOptions {
        shared: true,
        ..alone.clone()
    };
    let one = open(&url, shares.clone(), true).unwrap();
    let other = open(&url, shares.clone(), true).unwrap();
    one.close().await;
    for _ in 0..2 {
        let refused = open(&url, alone.clone(), true).map(|_| ());
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
        let refused = super::super::rewrap(&url, &alone.master_key, &MasterKey::generate());
        assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    }
    other.close().await;
    let only = open(&url, alone.clone(), true).unwrap();
    let refused = open(&url, shares, true).map(|_| ());
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    // One that only reads is in nobody's way, and writes nothing.
    let reader: Arc<dyn Store> = Arc::new(open(&url, alone, false).unwrap());
    assert!(reader.ledger(Scope::All, Default::default()).await.is_ok());
    let refused = reader
        .count_refused(ConnectionId::new(), at(0), "signature", 1)
        .await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    only.close().await;
}
