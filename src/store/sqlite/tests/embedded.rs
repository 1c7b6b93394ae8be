//! Encryption at rest, restarts, locks, migrations.

use super::conformance::support::*;
use super::{SqliteStore, options};
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::job::Lane;
use crate::flow::change::{ChangeSet, IdempotentAnswer};
use crate::store::query::{Subscription, SubscriptionState};
use crate::store::sqlite::migrate::{self, MIGRATIONS};
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreError};
use secrecy::SecretString;
use std::sync::Arc;

/// Fills a store with one of everything that is secret or personal.
async fn filled(store: &Arc<dyn Store>) -> Bench {
    let bench = Bench::new(store).await;
    bench.appended("{\"payload\": \"pending-of-test\"}").await;
    let delivery = bench.appended("{\"payload\": \"body-of-test\"}").await;
    let mut state = bench.order("1");
    let part = bench.part(&state, None);
    state.shipments = vec![bench.shipment(&state, &part, "box")];
    state.fulfillment_orders = vec![part];
    let mut set = bench.decided(
        &delivery,
        vec![bench.record(&delivery, 0, Disposition::Applied)],
    );
    set.events = vec![bench.event(&state, EventType::OrderReceived)];
    set.states = vec![state];
    set.jobs = vec![bench.job("push", "k", "o", Lane::StatusPush)];
    set.idempotency = Some(IdempotentAnswer {
        scope: "s".to_owned(),
        key: "k".to_owned(),
        status: 200,
        body: b"answer-of-test".to_vec(),
    });
    bench.apply(set).await.unwrap();
    let subscription = Subscription {
        id: crate::canonical::SubscriptionId::new(),
        url: "https://example.com".to_owned(),
        event_types: Vec::new(),
        merchant_id: None,
        state: SubscriptionState::Active,
        disabled_reason: None,
        cursor: 0,
        created_at: at(0),
    };
    let secret = SecretString::from("whsec_of-test");
    store
        .insert_subscription(&subscription, &secret, audit("s"), None)
        .await
        .unwrap();
    bench
}

#[tokio::test]
async fn nothing_secret_or_personal_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options(&folder)).unwrap());
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
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    let key = [(bench.connection.id, "1".to_owned())];
    let before = store.orders_by_external(&key).await.unwrap();
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    store.close().await;
    let closed = store.append_inbox(vec![bench.delivery("late")], None).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))));

    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).unwrap());
    assert_eq!(store.orders_by_external(&key).await.unwrap(), before);
    let again = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    assert_eq!(again.data[0].json, events.data[0].json);
    let pending = store.pending_deliveries(0, 10).await.unwrap();
    assert_eq!(pending.len(), 1);
    // Decided without having been read since the restart: it is found through its batch.
    let record = bench.record(&pending[0].wire, 0, Disposition::Ignored);
    store.close().await;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).unwrap());
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
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    let hash = store.content_hash(b"x");
    store.close().await;
    let mut other = options.clone();
    other.master_key = MasterKey::generate();
    for result in [
        SqliteStore::open(other.clone()).map(|_| ()),
        SqliteStore::open_read_only(other.clone()).map(|_| ()),
    ] {
        let Err(StoreError::Corrupt(text)) = result else {
            panic!("opened with another key")
        };
        assert!(text.contains("master key"));
    }
    let wrong = SqliteStore::rewrap(&options.path, &other.master_key, &options.master_key);
    assert!(matches!(wrong, Err(StoreError::Corrupt(_))));
    let count = SqliteStore::rewrap(&options.path, &options.master_key, &other.master_key);
    assert_eq!(count.unwrap(), 2, "the operator's and the merchant's");
    assert!(SqliteStore::open(options).is_err());
    let store = SqliteStore::open(other).unwrap();
    assert_eq!(
        Store::content_hash(&store, b"x"),
        hash,
        "hashes outlive the master key"
    );
    let key = [(bench.connection.id, "1".to_owned())];
    assert!(store.orders_by_external(&key).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn an_erased_merchant_is_unreadable_and_hurts_no_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(options(&folder)).unwrap());
    let shared: Arc<dyn Store> = Arc::<SqliteStore>::clone(&store);
    let (gone, kept) = (filled(&shared).await, filled(&shared).await);
    assert_eq!(
        store
            .erase_merchant(gone.merchant, audit("m"))
            .await
            .unwrap(),
        1
    );
    let key = |bench: &Bench| [(bench.connection.id, "1".to_owned())];
    assert!(store.orders_by_external(&key(&gone)).await.is_err());
    assert!(store.orders_by_external(&key(&kept)).await.unwrap()[0].is_some());
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    assert_eq!(events.data.len(), 2);
    assert!(parsed(&events.data[0].json)["data"]["order"].is_null());
    assert!(parsed(&events.data[1].json)["data"]["order"].is_object());
    let listed = store
        .orders(Scope::All, Default::default(), page(9))
        .await
        .unwrap();
    assert_eq!(listed.data.len(), 1);
    let late = shared.append_inbox(vec![gone.delivery("late")], None).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    let operator = crate::canonical::MerchantId::OPERATOR;
    assert!(store.erase_merchant(operator, audit("m")).await.is_err());
}

#[tokio::test]
async fn a_second_server_is_kept_off_and_a_reader_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let missing = SqliteStore::open_read_only(options.clone());
    assert!(matches!(missing, Err(StoreError::NotFound(_))));
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    let Err(StoreError::Unavailable(text)) = SqliteStore::open(options.clone()) else {
        panic!("two servers on one file")
    };
    assert!(text.contains("another server"));
    let reader: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(options.clone()).unwrap());
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
    assert!(
        SqliteStore::open(options).is_ok(),
        "dropping releases the lock"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_at_once_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).unwrap());
    let bench = filled(&store).await;
    store.close().await;
    options.min_free_mb = u64::MAX >> 21;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).unwrap());
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

#[test]
fn every_schema_that_landed_migrates() {
    let now = at(0);
    for landed in 0..=MIGRATIONS.len() {
        let mut conn = rusqlite::Connection::open_in_memory().unwrap();
        for sql in &MIGRATIONS[..landed] {
            conn.execute_batch(sql).unwrap();
        }
        conn.pragma_update(None, "user_version", landed as u32)
            .unwrap();
        migrate::migrate(&mut conn, now).unwrap();
        assert_eq!(migrate::version(&conn).unwrap(), MIGRATIONS.len());
        migrate::migrate(&mut conn, now).unwrap();
    }
    let mut newer = rusqlite::Connection::open_in_memory().unwrap();
    newer.pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(
        migrate::migrate(&mut newer, now),
        Err(StoreError::Corrupt(_))
    ));
}

#[test]
fn landed_schemas_never_change() {
    use sha2::{Digest, Sha256};
    // The SHA-256 of each schema/*.sql: a landed one is never edited, a new one is added.
    let landed: [&str; MIGRATIONS.len()] = [
        "61662f024eee77b98a6a96c23d23e80e8cc6bebc271899d24defd3a584a0e7a5",
        "92235a80108f715f1af2facb7853a7361355dbd1167fd39147442fc81adbe9f9",
        "8a00ac27ec2c642befedba381a656856bb47447eccdb80094cad70ccb4001823",
    ];
    for (sql, expected) in MIGRATIONS.iter().zip(landed) {
        assert_eq!(hex::encode(Sha256::digest(sql.as_bytes())), expected);
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.queue = 4;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options.clone()).unwrap());
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
