//! Subscriptions and deliveries.

use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::{DeliveryId, EventId, SubscriptionId};
use crate::store::query::*;
use crate::store::{Scope, Store, StoreError};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

fn subscription(bench: &Bench) -> Subscription {
    Subscription {
        id: SubscriptionId::new(),
        url: "https://warehouse.example/hooks".to_owned(),
        event_types: vec![EventType::OrderReceived],
        merchant_id: Some(bench.merchant),
        state: SubscriptionState::Active,
        disabled_reason: None,
        cursor: 3,
        created_at: at(0),
    }
}

fn row(bench: &Bench, of: SubscriptionId, sequence: u64) -> DeliveryRow {
    DeliveryRow {
        id: DeliveryId::new(),
        subscription_id: of,
        merchant_id: bench.merchant,
        event_id: EventId::new(),
        sequence,
        ordering_key: format!("key-{sequence}"),
        state: DeliveryState::Waiting,
        attempts: 1,
        first_at: at(0),
        next_at: Some(at(5)),
        last_status: Some(503),
        last_error: Some("transient".to_owned()),
        replay_of: None,
    }
}

async fn stored(store: &Arc<dyn Store>, bench: &Bench) -> Subscription {
    let new = subscription(bench);
    let secret = SecretString::from("whsec_of-test");
    store
        .insert_subscription(&new, &secret, audit(new.id), None)
        .await
        .unwrap();
    new
}

pub async fn a_subscription_goes_through_its_life(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let new = stored(&store, &bench).await;
    assert_eq!(
        store.subscriptions(Scope::All).await.unwrap(),
        vec![new.clone()]
    );
    let secret = store.subscription_secret(new.id).await.unwrap();
    assert_eq!(secret.expose_secret(), "whsec_of-test");
    let next = SecretString::from("whsec_next");
    store
        .set_subscription_secret(new.id, &next, audit("subscription.secret"), None)
        .await
        .unwrap();
    let secret = store.subscription_secret(new.id).await.unwrap();
    assert_eq!(secret.expose_secret(), "whsec_next");
    let gone = Some("410".to_owned());
    let disabled = SubscriptionState::Disabled;
    store
        .set_subscription_state(new.id, disabled, gone.clone(), None)
        .await
        .unwrap();
    let now = store.subscriptions(Scope::All).await.unwrap().remove(0);
    assert_eq!((now.state, now.disabled_reason), (disabled, gone));
    let deleted = SubscriptionState::Deleted;
    let entry = Some(audit(new.id));
    store
        .set_subscription_state(new.id, deleted, None, entry)
        .await
        .unwrap();
    assert!(store.subscriptions(Scope::All).await.unwrap().is_empty());
    assert!(store.subscription_secret(new.id).await.is_err());
    let again = store
        .set_subscription_state(new.id, disabled, None, None)
        .await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
}

pub async fn progress_is_one_commit(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let new = stored(&store, &bench).await;
    let (mut one, two) = (row(&bench, new.id, 4), row(&bench, new.id, 5));
    let progress = EgressProgress {
        subscription_id: Some(new.id),
        cursor: Some(5),
        upsert: vec![two.clone(), one.clone()],
        problems: vec![(bench.merchant, bench.problem("delivery_dead", "sub"))],
        ..EgressProgress::default()
    };
    store.egress_progress(progress).await.unwrap();
    assert_eq!(
        store.open_deliveries(new.id).await.unwrap(),
        vec![one.clone(), two.clone()]
    );
    assert_eq!(store.last_sequence().await.unwrap(), 1, "problem.opened");
    one.state = DeliveryState::Dead;
    one.attempts = 9;
    let progress = EgressProgress {
        subscription_id: Some(new.id),
        cursor: Some(2),
        upsert: vec![one.clone()],
        remove: vec![two.id],
        resolve: vec![(bench.merchant, "sub".to_owned())],
        ..EgressProgress::default()
    };
    store.egress_progress(progress).await.unwrap();
    assert!(store.open_deliveries(new.id).await.unwrap().is_empty());
    assert_eq!(
        store.subscriptions(Scope::All).await.unwrap()[0].cursor,
        5,
        "never back"
    );
    let dead = DeliveryFilter {
        state: Some(DeliveryState::Dead),
        ..Default::default()
    };
    let listed = store.deliveries(Scope::All, dead, page(5)).await.unwrap();
    assert_eq!(listed.data, vec![one.clone()]);
    assert_eq!(
        store.delivery_row(Scope::All, one.id).await.unwrap(),
        Some(one)
    );
    assert_eq!(store.last_sequence().await.unwrap(), 2, "problem.resolved");
}

pub async fn replays_have_rows_of_their_own(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let new = stored(&store, &bench).await;
    let mut replay = row(&bench, new.id, 1);
    replay.replay_of = Some(replay.event_id);
    let mut bell = store.wake().events();
    bell.mark_unchanged();
    store
        .insert_deliveries(vec![replay.clone()], None, None)
        .await
        .unwrap();
    assert!(bell.has_changed().unwrap());
    assert_eq!(store.open_deliveries(new.id).await.unwrap(), vec![replay]);
}
