//! Answers under an `Idempotency-Key` are stored with what they tell of, or not at all.

use super::support::*;
use crate::canonical::connection::Merchant;
use crate::canonical::{DeliveryId, EventId, MerchantId, SubscriptionId, TokenId};
use crate::flow::change::IdempotentAnswer;
use crate::store::query::{
    DeliveryRow, DeliveryState, IdempotencyClaim, Subscription, SubscriptionState, TokenRow,
    TokenScope,
};
use crate::store::{Store, StoreError};
use secrecy::SecretString;
use serde_json::Map;
use std::sync::Arc;

const SCOPE: &str = "token POST /v1/things";

async fn claim(store: &Arc<dyn Store>, key: &str) -> IdempotencyClaim {
    let claimed = store.claim_idempotency(SCOPE, key, [1; 32], at(0)).await;
    claimed.unwrap()
}

/// Claims the key and yields the answer to be stored.
async fn answer(store: &Arc<dyn Store>, key: &str) -> Option<IdempotentAnswer> {
    assert_eq!(claim(store, key).await, IdempotencyClaim::Fresh);
    Some(IdempotentAnswer {
        scope: SCOPE.to_owned(),
        key: key.to_owned(),
        status: 201,
        body: format!("made by {key}").into_bytes(),
    })
}

async fn answers_again(store: &Arc<dyn Store>, key: &str) {
    let body = format!("made by {key}").into_bytes();
    assert_eq!(claim(store, key).await, IdempotencyClaim::Done(201, body));
}

fn merchant(id: MerchantId) -> Merchant {
    Merchant {
        id,
        name: "Another".to_owned(),
        timezone: "UTC".to_owned(),
        settings: Map::new(),
        created_at: at(0),
        erased_at: None,
    }
}

fn token(bench: &Bench) -> TokenRow {
    TokenRow {
        id: TokenId::new(),
        name: "warehouse".to_owned(),
        hash: [7; 32],
        scope: TokenScope::Merchant,
        merchant_id: Some(bench.merchant),
        created_at: at(0),
        revoked_at: None,
    }
}

fn subscription(bench: &Bench) -> Subscription {
    Subscription {
        id: SubscriptionId::new(),
        url: "https://wms.example".to_owned(),
        event_types: Vec::new(),
        merchant_id: Some(bench.merchant),
        state: SubscriptionState::Active,
        disabled_reason: None,
        cursor: 0,
        created_at: at(0),
    }
}

fn replay(bench: &Bench, to: SubscriptionId) -> DeliveryRow {
    let event = EventId::new();
    DeliveryRow {
        id: DeliveryId::new(),
        subscription_id: to,
        merchant_id: bench.merchant,
        event_id: event,
        sequence: 1,
        ordering_key: "k".to_owned(),
        state: DeliveryState::Waiting,
        attempts: 0,
        first_at: at(0),
        next_at: Some(at(0)),
        last_status: None,
        last_error: None,
        replay_of: Some(event),
    }
}

pub async fn an_answer_is_stored_with_what_it_tells_of(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let given = answer(&store, "merchant").await;
    let new = merchant(MerchantId::new());
    store
        .insert_merchant(&new, audit(new.id), given)
        .await
        .unwrap();
    answers_again(&store, "merchant").await;
    let (new, given) = (token(&bench), answer(&store, "token").await);
    store
        .insert_token(&new, audit(new.id), given)
        .await
        .unwrap();
    answers_again(&store, "token").await;
    let (new, given) = (subscription(&bench), answer(&store, "subscription").await);
    let secret = SecretString::from("whsec_x");
    store
        .insert_subscription(&new, &secret, audit(new.id), given)
        .await
        .unwrap();
    answers_again(&store, "subscription").await;
    let (row, given) = (replay(&bench, new.id), answer(&store, "replay").await);
    store
        .insert_deliveries(vec![row.clone(), row.clone()], Some(audit(new.id)), given)
        .await
        .unwrap();
    answers_again(&store, "replay").await;
    assert_eq!(store.open_deliveries(new.id).await.unwrap(), vec![row]);
}

pub async fn an_answer_of_what_was_refused_is_not_stored(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let refused = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::Exists(_))), "{result:?}");
    };
    let given = answer(&store, "merchant").await;
    let again = merchant(bench.merchant);
    refused(store.insert_merchant(&again, audit("m"), given).await);
    assert_eq!(claim(&store, "merchant").await, IdempotencyClaim::InFlight);
    let first = token(&bench);
    store.insert_token(&first, audit("t"), None).await.unwrap();
    let given = answer(&store, "token").await;
    refused(store.insert_token(&token(&bench), audit("t"), given).await);
    assert_eq!(claim(&store, "token").await, IdempotencyClaim::InFlight);
    let secret = SecretString::from("whsec_x");
    let new = subscription(&bench);
    store
        .insert_subscription(&new, &secret, audit("s"), None)
        .await
        .unwrap();
    let given = answer(&store, "subscription").await;
    let again = store
        .insert_subscription(&new, &secret, audit("s"), given)
        .await;
    refused(again);
    let claimed = claim(&store, "subscription").await;
    assert_eq!(claimed, IdempotencyClaim::InFlight);
}
