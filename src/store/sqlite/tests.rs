//! The conformance suite over SQLite, and what only an embedded store can be asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::store::conformance;
use crate::store::sqlite;
use crate::store::vault::MasterKey;
use crate::store::{Store, StoreOptions};
use std::sync::Arc;
use tempfile::TempDir;

fn options(folder: &TempDir) -> StoreOptions {
    let mut options = StoreOptions::new(MasterKey::generate()).at(folder.path().join("t.db"));
    options.min_free_mb = 0;
    options
}

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite::open(options(&folder)).unwrap();
    (Arc::new(store), folder)
}

mod suite {
    crate::store::conformance::suite!(super::fresh);
}

mod embedded;
mod migrations;
