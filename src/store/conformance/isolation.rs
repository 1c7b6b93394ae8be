//! A merchant's token sees its own rows, in every query that takes a scope.

use super::shipping::*;
use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::{DeliveryId, SubscriptionId};
use crate::store::query::*;
use crate::store::{Scope, Store};
use secrecy::SecretString;
use std::sync::Arc;

pub async fn a_merchant_sees_its_own_rows_only(store: Arc<dyn Store>) {
    let (mine, theirs) = (Bench::new(&store).await, Bench::new(&store).await);
    let own = Scope::Merchant(mine.merchant);
    let delivery = theirs.appended("secret").await;
    theirs.appended("pending").await;
    let mut state = theirs.order("1");
    let part = theirs.part(&state, None);
    let shipment = theirs.bought(&state, part.id, "box", Some("N1"));
    state.cod = vec![theirs.cod(&shipment, money("1.00", "EUR"))];
    let label = theirs.label(&shipment, b"label");
    state.shipments = vec![shipment.clone()];
    state.fulfillment_orders = vec![part.clone()];
    let problem = theirs.problem("code", "subject");
    let record = theirs.record(&delivery, 0, Disposition::Applied);
    let event = theirs.event(&state, EventType::OrderReceived);
    let mut set = theirs.decided(&delivery, vec![record.clone()]);
    set.states = vec![state.clone()];
    set.documents = vec![label.clone()];
    set.events = vec![event.clone()];
    set.problems = vec![problem.clone()];
    theirs.apply(set).await.unwrap();
    let subscription = Subscription {
        id: SubscriptionId::new(),
        url: "https://example.com".to_owned(),
        event_types: Vec::new(),
        merchant_id: None,
        state: SubscriptionState::Active,
        disabled_reason: None,
        cursor: 0,
        created_at: at(0),
    };
    let secret = SecretString::from("s");
    store
        .insert_subscription(&subscription, &secret, audit("s"), None)
        .await
        .unwrap();
    let row = DeliveryRow {
        id: DeliveryId::new(),
        subscription_id: subscription.id,
        merchant_id: theirs.merchant,
        event_id: event.id,
        sequence: 1,
        ordering_key: "k".to_owned(),
        state: DeliveryState::Dead,
        attempts: 1,
        first_at: at(0),
        next_at: None,
        last_status: None,
        last_error: None,
        replay_of: None,
    };
    store
        .insert_deliveries(vec![row.clone()], None, None)
        .await
        .unwrap();

    for (scope, sees) in [
        (Scope::All, true),
        (Scope::Merchant(theirs.merchant), true),
        (own, false),
    ] {
        let id = state.order.meta.id;
        let all = || page(50);
        let found = [
            store.order(scope, id).await.unwrap().is_some(),
            store
                .order_of_fulfillment(scope, part.id)
                .await
                .unwrap()
                .is_some(),
            store.event(scope, event.id).await.unwrap().is_some(),
            store
                .inbox_record(scope, record.id)
                .await
                .unwrap()
                .is_some(),
            store.problem(scope, problem.id).await.unwrap().is_some(),
            store
                .merchant(scope, theirs.merchant)
                .await
                .unwrap()
                .is_some(),
            store
                .connection(scope, theirs.connection.id)
                .await
                .unwrap()
                .is_some(),
            store
                .order_of_shipment(scope, shipment.id)
                .await
                .unwrap()
                .is_some(),
            store
                .document(scope, label.about.id)
                .await
                .unwrap()
                .is_some(),
            !store
                .shipments(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .is_empty(),
            !store
                .cod_items(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .is_empty(),
            !store
                .cod_statement(scope, Default::default())
                .await
                .unwrap()
                .is_empty(),
            store.delivery_row(scope, row.id).await.unwrap().is_some(),
            !store.timeline(scope, id).await.unwrap().is_empty(),
            !store
                .orders(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .is_empty(),
            !store
                .fulfillment_orders(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .is_empty(),
            !store
                .events(scope, 0, 50, &[])
                .await
                .unwrap()
                .data
                .is_empty(),
            store
                .inbox(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .len()
                == 2,
            !store
                .ledger(scope, Default::default())
                .await
                .unwrap()
                .is_empty(),
            !store
                .problems(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .is_empty(),
            !store
                .deliveries(scope, Default::default(), all())
                .await
                .unwrap()
                .data
                .is_empty(),
        ];
        assert_eq!(found, [sees; 21], "{scope:?}");
        let merchants = store.merchants(scope, all()).await.unwrap().data;
        assert_eq!(merchants.iter().any(|m| m.id == theirs.merchant), sees);
        let connections = store.connections(scope).await.unwrap();
        assert_eq!(
            connections.iter().any(|c| c.merchant_id == theirs.merchant),
            sees
        );
        let subscriptions = store.subscriptions(scope).await.unwrap();
        assert_eq!(subscriptions.is_empty(), scope != Scope::All);
    }
    // A filter does not widen a scope.
    let filter = OrderFilter {
        merchant_id: Some(theirs.merchant),
        ..Default::default()
    };
    assert!(
        store
            .orders(own, filter, page(5))
            .await
            .unwrap()
            .data
            .is_empty()
    );
    let next = store.events(own, 0, 50, &[]).await.unwrap().next;
    assert_eq!(
        next,
        store.last_sequence().await.unwrap(),
        "others' events are passed over"
    );
}
