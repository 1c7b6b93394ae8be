//! The conformance suite over PostgreSQL, and what only a server can be asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod keys;
mod migrations;
mod nodes;
mod races;
mod server;

use super::open;

use super::connect::Connector;
use crate::store::conformance::support::*;
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreError, StoreOptions};
use std::sync::Arc;
use tokio::runtime::Runtime;

fn options() -> StoreOptions {
    StoreOptions::new(MasterKey::generate())
}

async fn fresh() -> (Arc<dyn Store>, ()) {
    let url = server::fresh_url().await;
    (Arc::new(open(&url, options(), true).unwrap()), ())
}

mod suite {
    crate::store::conformance::suite!(super::fresh);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_there_after_a_restart() {
    let (url, options) = (server::fresh_url().await, options());
    let store: Arc<dyn Store> = Arc::new(open(&url, options.clone(), true).unwrap());
    let bench = Bench::new(&store).await;
    bench.put(bench.order("1")).await;
    bench.appended("{}").await;
    let taken = open(&url, options.clone(), true).map(|_| ());
    let Err(StoreError::Unavailable(text)) = taken else {
        panic!("two servers that work alone on one database")
    };
    assert!(text.contains("another server"), "{text}");
    let reader = open(&url, options.clone(), false).unwrap();
    let lines = Store::ledger(&reader, Scope::All, Default::default()).await;
    assert_eq!(lines.unwrap().len(), 1);
    store.close().await;
    drop(store);
    let other = open(&url, self::options(), true).map(|_| ());
    let Err(StoreError::Corrupt(text)) = other else {
        panic!("opened with another key")
    };
    assert!(text.contains("master key"));
    let store: Arc<dyn Store> = Arc::new(open(&url, options, true).unwrap());
    let key = [(bench.connection.id, "1".to_owned())];
    assert!(store.orders_by_external(&key).await.unwrap()[0].is_some());
    assert_eq!(store.pending_deliveries(0, 10).await.unwrap().len(), 1);
}

/// A connection as the store makes it, without a store. Not for where a runtime is.
fn connected(url: &str) -> (Runtime, Connector) {
    let runtime = super::runtime().unwrap();
    let connector = Connector::new(url, runtime.handle().clone()).unwrap();
    (runtime, connector)
}

/// Runs aside from the test's runtime.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn a_commit_waits_for_the_disk_whatever_the_default_is() {
    let url = server::fresh_url().await;
    let told = |url: String| {
        aside(move || {
            let (_runtime, connector) = connected(&url);
            let session = connector.session().unwrap();
            let setting = "SELECT current_setting('synchronous_commit')";
            let rows = session.prepare(setting).unwrap().query(&[]).unwrap();
            rows[0].get::<_, String>(0)
        })
    };
    // The server of the tests has it off; a database or role may say so too.
    for (asked, is) in [
        ("off", "on"),
        ("local", "local"),
        ("remote_write", "remote_write"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        let url = format!("{url}%20-c%20synchronous_commit%3D{asked}");
        assert_eq!(told(url).await, is);
    }
    assert_eq!(told(url).await, "on");
}

#[tokio::test]
async fn another_master_key_opens_nothing_until_it_is_rewrapped() {
    let (url, options) = (server::fresh_url().await, options());
    let (old, new) = (options.master_key.clone(), MasterKey::generate());
    assert!(matches!(
        super::is_sealed_with(&url, &old),
        Err(StoreError::NotFound(_))
    ));
    let missing = super::rewrap(&url, &old, &new);
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    let store: Arc<dyn Store> = Arc::new(open(&url, options.clone(), true).unwrap());
    let bench = Bench::new(&store).await;
    bench.put(bench.order("1")).await;
    let hash = store.content_hash(b"x");
    let busy = super::rewrap(&url, &old, &new);
    assert!(matches!(busy, Err(StoreError::Unavailable(_))), "{busy:?}");
    store.close().await;
    let wrong = super::rewrap(&url, &new, &old);
    assert!(matches!(wrong, Err(StoreError::Corrupt(_))));
    assert!(super::is_sealed_with(&url, &old).unwrap());
    assert_eq!(super::rewrap(&url, &old, &new).unwrap(), 2);
    assert!(!super::is_sealed_with(&url, &old).unwrap());
    assert!(super::is_sealed_with(&url, &new).unwrap());
    assert!(open(&url, options.clone(), true).is_err());
    let options = StoreOptions {
        master_key: new,
        ..options
    };
    let store: Arc<dyn Store> = Arc::new(open(&url, options, true).unwrap());
    assert_eq!(
        store.content_hash(b"x"),
        hash,
        "hashes outlive the master key"
    );
    let key = [(bench.connection.id, "1".to_owned())];
    assert!(store.orders_by_external(&key).await.unwrap()[0].is_some());
    let secrets = store.credentials(bench.connection.id).await.unwrap();
    assert!(!secrets.is_empty());
}
