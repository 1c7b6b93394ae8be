//! The conformance suite over PostgreSQL, and what only a server can be asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod nodes;
mod server;

use super::open;

use crate::store::conformance::support::*;
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreError, StoreOptions};
use std::sync::Arc;

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
