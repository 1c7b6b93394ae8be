//! Encryption at rest, restarts, locks.

use super::conformance::shipping::{money, told};
use super::conformance::support::*;
use super::options;
use crate::canonical::DocumentId;
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::job::Lane;
use crate::canonical::tracking::TrackingStatus;
use crate::flow::change::{ChangeSet, IdempotentAnswer};
use crate::store::query::{Subscription, SubscriptionState};
use crate::store::sql::SqlStore;
use crate::store::sqlite;
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
    let shipment = bench.bought(&state, part.id, "box", Some("number"));
    state.tracking = vec![told(&shipment.parcels[0], TrackingStatus::InTransit, 50)];
    let mut item = bench.cod(&shipment, money("25.50", "EUR"));
    item.reason = Some("reason-of-test".to_owned());
    state.cod = vec![item];
    let label = bench.label(&shipment, b"label-of-test");
    let parcel = shipment.parcels[0].id;
    state.shipments = vec![shipment];
    state.fulfillment_orders = vec![part];
    let mut set = bench.decided(
        &delivery,
        vec![bench.record(&delivery, 0, Disposition::Applied)],
    );
    set.events = vec![bench.event(&state, EventType::OrderReceived)];
    set.states = vec![state];
    set.documents = vec![label];
    set.track = vec![(parcel, Some(at(60)))];
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
async fn an_erased_merchant_is_unreadable_and_hurts_no_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(sqlite::open(options(&folder)).unwrap());
    let shared: Arc<dyn Store> = Arc::<SqlStore>::clone(&store);
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
    erased_on_its_way(&store, &gone, &kept).await;
    let late = shared.append_inbox(vec![gone.delivery("late")], None).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    let operator = crate::canonical::MerchantId::OPERATOR;
    assert!(store.erase_merchant(operator, audit("m")).await.is_err());
}

/// Nothing of the erased merchant's parcels, cash and papers is found; the other's are.
async fn erased_on_its_way(store: &SqlStore, gone: &Bench, kept: &Bench) {
    let numbers = [gone, kept].map(|bench| (bench.connection.id, "number".to_owned()));
    let found = store.orders_by_tracking(&numbers).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some());
    for (bench, n) in [(gone, 0), (kept, 1)] {
        let due = store.due_parcels(bench.connection.id, at(99), 9).await;
        assert_eq!(due.unwrap().len(), n);
        let scope = Scope::Merchant(bench.merchant);
        let shipments = store.shipments(scope, Default::default(), page(9)).await;
        assert_eq!(shipments.unwrap().data.len(), n);
        let items = store.cod_items(scope, Default::default(), page(9)).await;
        assert_eq!(items.unwrap().data.len(), n);
        // The sums stay: they are the house's books and name nobody.
        let sums = store.cod_statement(scope, Default::default()).await;
        assert_eq!(sums.unwrap().len(), 1);
        let paper = store.document(Scope::All, paper_of(store, bench)).await;
        assert_eq!(paper.unwrap().is_some(), n == 1);
    }
}

/// The id of a bench's only document.
fn paper_of(store: &SqlStore, bench: &Bench) -> DocumentId {
    let conn = rusqlite::Connection::open(&store.shared().options.path).unwrap();
    let id = conn.query_row(
        "SELECT id FROM documents WHERE merchant_id = ?",
        [bench.merchant.as_bytes()],
        |row| row.get::<_, Vec<u8>>(0),
    );
    DocumentId::from_slice(&id.unwrap()).unwrap()
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
