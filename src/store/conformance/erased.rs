//! A merchant that was erased: nothing of it opens, nobody else is touched.

use super::shipping::{money, told};
use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::job::Lane;
use crate::canonical::tracking::TrackingStatus;
use crate::canonical::{DocumentId, MerchantId};
use crate::flow::change::IdempotentAnswer;
use crate::store::query::{Subscription, SubscriptionState};
use crate::store::{Scope, Store, StoreError};
use secrecy::SecretString;
use std::sync::Arc;

/// Fills a store with one of everything that is secret or personal.
pub async fn filled(store: &Arc<dyn Store>) -> Bench {
    filled_with_paper(store).await.0
}

async fn filled_with_paper(store: &Arc<dyn Store>) -> (Bench, DocumentId) {
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
    let (parcel, paper) = (shipment.parcels[0].id, label.about.id);
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
    (bench, paper)
}

pub async fn an_erased_merchant_is_unreadable_and_hurts_no_one(store: Arc<dyn Store>) {
    let (gone, its_paper) = filled_with_paper(&store).await;
    let (kept, paper) = filled_with_paper(&store).await;
    let erased = store.erase_merchant(gone.merchant, audit("m")).await;
    assert_eq!(erased.unwrap(), 1);
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
    erased_on_its_way(&store, (&gone, its_paper), (&kept, paper)).await;
    erased_at_the_door(&store, &gone, &kept).await;
    let again = store.erase_merchant(gone.merchant, audit("m")).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
    let operator = store.erase_merchant(MerchantId::OPERATOR, audit("m")).await;
    assert!(matches!(operator, Err(StoreError::Conflict(_))));
}

/// Nothing of the erased merchant's parcels, cash and papers is found; the other's are.
async fn erased_on_its_way(
    store: &Arc<dyn Store>,
    gone: (&Bench, DocumentId),
    kept: (&Bench, DocumentId),
) {
    let numbers = [gone, kept].map(|(bench, _)| (bench.connection.id, "number".to_owned()));
    let found = store.orders_by_tracking(&numbers).await.unwrap();
    assert!(found[0].is_none() && found[1].is_some());
    for ((bench, paper), n) in [(gone, 0), (kept, 1)] {
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
        let found = store.document(Scope::All, paper).await;
        assert_eq!(found.unwrap().is_some(), n == 1);
    }
}

/// What waited of it is decided, what comes is refused, and what waits of the other is read.
async fn erased_at_the_door(store: &Arc<dyn Store>, gone: &Bench, kept: &Bench) {
    let late = store.append_inbox(vec![gone.delivery("late")], None).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    let waiting = store.pending_deliveries(0, 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].wire.merchant_id, kept.merchant);
    assert!(!waiting[0].wire.body.is_empty());
    let lines = store.ledger(Scope::All, Default::default()).await.unwrap();
    assert_eq!(lines, store.recount_ledger().await.unwrap());
    for line in &lines {
        let its = line.connection_id == gone.connection.id.to_string();
        assert!(
            line.balances() && line.pending == u64::from(!its) && line.ignored == u64::from(its)
        );
    }
    let none = store.credentials(gone.connection.id).await.unwrap();
    assert!(none.is_empty());
    assert!(
        !store
            .credentials(kept.connection.id)
            .await
            .unwrap()
            .is_empty()
    );
}
