//! Encryption at rest, restarts, locks.

use super::conformance::erased::filled;
use super::conformance::support::*;
use super::options;
use crate::canonical::inbox::Disposition;
use crate::flow::change::ChangeSet;
use crate::store::sqlite;
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreError};
use std::sync::Arc;

#[tokio::test]
async fn nothing_secret_or_personal_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options(&folder)).unwrap());
    filled(&store).await;
    let look = |when: &str| {
        let mut seen = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            seen += bytes.len();
            for text in [
                "pending-of-test",
                "body-of-test",
                "kept header",
                "Papadopoulou",
                "Example.gr",
                "example.gr",
                "6912345678",
                "κουδούνι",
                "credential-of-test",
                "whsec_of-test",
                "input-of-test",
                "answer-of-test",
                "label-of-test",
                "reason-of-test",
                "παραδόθηκε",
            ] {
                let found = bytes.windows(text.len()).any(|w| w == text.as_bytes());
                assert!(!found, "{text} is in a file {when}");
            }
        }
        assert!(seen > 8192);
    };
    look("while the log is full");
    store.close().await;
    look("after closing");
}

#[tokio::test]
async fn all_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    let key = [(bench.connection.id, "1".to_owned())];
    let before = store.orders_by_external(&key).await.unwrap();
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    store.close().await;
    let closed = store.append_inbox(vec![bench.delivery("late")], None).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))));

    let store: Arc<dyn Store> = Arc::new(sqlite::open(options.clone()).unwrap());
    assert_eq!(store.orders_by_external(&key).await.unwrap(), before);
    let again = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    assert_eq!(again.data[0].json, events.data[0].json);
    let pending = store.pending_deliveries(0, 10).await.unwrap();
    assert_eq!(pending.len(), 1);
    // Decided without having been read since the restart: it is found through its batch.
    let record = bench.record(&pending[0].wire, 0, Disposition::Ignored);
    store.close().await;
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options).unwrap());
    let set = bench.decided(&pending[0].wire, vec![record]);
    assert!(store.apply(vec![set]).await.unwrap()[0].is_ok());
    let next = bench.delivery("next");
    store.append_inbox(vec![next], None).await.unwrap();
    let after = store
        .pending_deliveries(pending[0].place, 10)
        .await
        .unwrap();
    assert_eq!(after.len(), 1, "places go on rising");
    let counted = store.ledger(Scope::All, Default::default()).await.unwrap();
    assert_eq!(counted, store.recount_ledger().await.unwrap());
}

#[tokio::test]
async fn another_master_key_opens_nothing_until_it_is_rewrapped() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    let hash = store.content_hash(b"x");
    store.close().await;
    let mut other = options.clone();
    other.master_key = MasterKey::generate();
    for result in [
        sqlite::open(other.clone()).map(|_| ()),
        sqlite::open_read_only(other.clone()).map(|_| ()),
    ] {
        let Err(StoreError::Corrupt(text)) = result else {
            panic!("opened with another key")
        };
        assert!(text.contains("master key"));
    }
    let wrong = sqlite::rewrap(&options.path, &other.master_key, &options.master_key);
    assert!(matches!(wrong, Err(StoreError::Corrupt(_))));
    let count = sqlite::rewrap(&options.path, &options.master_key, &other.master_key);
    assert_eq!(count.unwrap(), 2, "the operator's and the merchant's");
    assert!(sqlite::open(options).is_err());
    let store = sqlite::open(other).unwrap();
    assert_eq!(
        Store::content_hash(&store, b"x"),
        hash,
        "hashes outlive the master key"
    );
    let key = [(bench.connection.id, "1".to_owned())];
    assert!(store.orders_by_external(&key).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_second_server_is_kept_off_and_a_reader_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let missing = sqlite::open_read_only(options.clone());
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    let Err(StoreError::Unavailable(text)) = sqlite::open(options.clone()) else {
        panic!("two servers on one file")
    };
    assert!(text.contains("another server"));
    let reader: Arc<dyn Store> = Arc::new(sqlite::open_read_only(options.clone()).unwrap());
    assert_eq!(
        reader
            .ledger(Scope::All, Default::default())
            .await
            .unwrap()
            .len(),
        1
    );
    let refused = reader.append_inbox(vec![bench.delivery("x")], None).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    drop((store, bench));
    assert!(sqlite::open(options).is_ok(), "dropping releases the lock");
}

#[tokio::test]
async fn a_full_disk_refuses_at_once_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    store.close().await;
    options.min_free_mb = u64::MAX >> 21;
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options).unwrap());
    let refused = store.append_inbox(vec![bench.delivery("x")], None).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    let set = ChangeSet {
        states: vec![bench.order("2")],
        ..ChangeSet::of(bench.merchant)
    };
    assert!(matches!(
        store.apply(vec![set]).await,
        Err(StoreError::Unavailable(_))
    ));
    assert_eq!(store.pending_deliveries(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.queue = 4;
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options.clone()).unwrap());
    let bench = Bench::new(&store).await;
    // Someone else has the database: the writer waits with what it took.
    let other = rusqlite::Connection::open(&options.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut waiting = Vec::new();
    loop {
        let mut append = Box::pin(store.append_inbox(vec![bench.delivery("x")], None));
        match futures_util::poll!(append.as_mut()) {
            std::task::Poll::Pending => waiting.push(append),
            std::task::Poll::Ready(result) => {
                assert!(matches!(result, Err(StoreError::Unavailable(_))));
                break;
            }
        }
        assert!(waiting.len() < 5_000, "the queue is never full");
    }
    other.execute_batch("ROLLBACK").unwrap();
    let taken = waiting.len();
    for append in waiting {
        append.await.unwrap();
    }
    let line = store
        .ledger(Scope::All, Default::default())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(line.pending, taken as u64);
}
