//! Connections, tokens, idempotency keys.

use super::support::*;
use crate::canonical::TokenId;
use crate::canonical::connection::ConnectionState;
use crate::canonical::event::EventType;
use crate::flow::change::{ChangeSet, ConnectionUpdate, IdempotentAnswer};
use crate::store::query::{IdempotencyClaim, TokenRow, TokenScope};
use crate::store::{Scope, Store, StoreError};
use secrecy::ExposeSecret;
use serde_json::json;
use std::sync::Arc;

async fn learn(bench: &Bench, update: ConnectionUpdate) {
    let set = ChangeSet {
        connection: Some((bench.connection.id, update)),
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
}

pub async fn connections_keep_what_was_learned(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let id = bench.connection.id;
    let read = async || store.connection(Scope::All, id).await.unwrap().unwrap();
    let before = read().await;
    assert_eq!(before.credentials_set, ["key"]);
    let mut update = ConnectionUpdate::default();
    update.memory.insert("webhook".to_owned(), json!("77"));
    update.memory.insert("ways".to_owned(), json!([1]));
    update
        .health
        .insert("last_poll_at".to_owned(), json!(at(5)));
    update.freeze_until = Some(at(60));
    learn(&bench, update).await;
    let mut update = ConnectionUpdate::default();
    update.memory.insert("ways".to_owned(), json!(null));
    learn(&bench, update).await;
    // A person saves a form that was read before all this.
    let mut edited = before.clone();
    edited.name = "Renamed".to_owned();
    let none = ChangeSet::of(bench.merchant);
    store
        .update_connection(&edited, None, none.clone(), audit(id))
        .await
        .unwrap();
    let now = read().await;
    assert_eq!((now.name.as_str(), now.version), ("Renamed", 2));
    assert_eq!(
        serde_json::to_value(&now.memory).unwrap(),
        json!({"webhook": "77"})
    );
    assert_eq!(now.health.last_poll_at, Some(at(5)));
    assert_eq!(now.health.frozen_until, Some(at(60)));
    let stale = store
        .update_connection(&edited, None, none.clone(), audit(id))
        .await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));
    let entries = store.audit(Some(&id.to_string()), page(9)).await.unwrap();
    assert_eq!(entries.data.len(), 2, "the refused change left no trace");
    let twice = store
        .insert_connection(&now, &secrets(&[]), none, audit(id))
        .await;
    assert!(matches!(twice, Err(StoreError::Exists(_))));
}

pub async fn credentials_are_merged_by_name(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let more = secrets(&[("key", "new"), ("webhook_secret", "w")]);
    let none = ChangeSet::of(bench.merchant);
    store
        .update_connection(&bench.connection, Some(&more), none, audit("c"))
        .await
        .unwrap();
    let all = store.credentials(bench.connection.id).await.unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|(name, s)| (name.as_str(), s.expose_secret()))
        .collect();
    assert_eq!(all, [("key", "new"), ("webhook_secret", "w")]);
    let now = store
        .connection(Scope::All, bench.connection.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(now.credentials_set, ["key", "webhook_secret"]);
}

pub async fn suspension_is_an_event(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let suspend = || ConnectionUpdate {
        suspend: Some("401 at every call".to_owned()),
        ..ConnectionUpdate::default()
    };
    learn(&bench, suspend()).await;
    learn(&bench, suspend()).await;
    let now = store
        .connection(Scope::All, bench.connection.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(now.state, ConnectionState::Suspended);
    assert_eq!(
        now.health.suspended_reason.as_deref(),
        Some("401 at every call")
    );
    let events = store.events(Scope::All, 0, 9, &[]).await.unwrap().data;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventType::ConnectionSuspended);
    let json = parsed(&events[0].json);
    assert_eq!(json["data"]["connection"]["state"], "suspended");
    let mut resumed = now.clone();
    resumed.state = ConnectionState::Active;
    let none = ChangeSet::of(bench.merchant);
    store
        .update_connection(&resumed, None, none, audit("c"))
        .await
        .unwrap();
    let now = store
        .connection(Scope::All, bench.connection.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (now.state, now.health.suspended_reason),
        (ConnectionState::Active, None)
    );
}

pub async fn tokens_are_found_by_hash_until_revoked(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let token = TokenRow {
        id: TokenId::new(),
        name: "warehouse".to_owned(),
        hash: [7; 32],
        scope: TokenScope::Merchant,
        merchant_id: Some(bench.merchant),
        created_at: at(0),
        revoked_at: None,
    };
    store
        .insert_token(&token, audit(token.id), None)
        .await
        .unwrap();
    let found = store.token_by_hash(&[7; 32]).await.unwrap().unwrap();
    assert_eq!((found.id, found.scope), (token.id, TokenScope::Merchant));
    assert_eq!(found.merchant_id, Some(bench.merchant));
    assert!(store.token_by_hash(&[8; 32]).await.unwrap().is_none());
    store.revoke_token(token.id, audit(token.id)).await.unwrap();
    assert!(store.token_by_hash(&[7; 32]).await.unwrap().is_none());
    let all = store.tokens().await.unwrap();
    assert!(all.len() == 1 && all[0].revoked_at.is_some());
    let unknown = store.revoke_token(TokenId::new(), audit("t")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
}

pub async fn an_idempotency_key_answers_again(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let claim = async |key: &str, body: u8, seconds: i64| {
        store
            .claim_idempotency("token /ship", key, [body; 32], at(seconds))
            .await
            .unwrap()
    };
    assert_eq!(claim("k", 1, 0).await, IdempotencyClaim::Fresh);
    assert_eq!(claim("k", 1, 1).await, IdempotencyClaim::InFlight);
    assert_eq!(claim("k", 2, 1).await, IdempotencyClaim::Mismatch);
    let set = ChangeSet {
        idempotency: Some(IdempotentAnswer {
            scope: "token /ship".to_owned(),
            key: "k".to_owned(),
            status: 201,
            body: b"the answer".to_vec(),
        }),
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let done = IdempotencyClaim::Done(201, b"the answer".to_vec());
    assert_eq!(claim("k", 1, 2).await, done);
    assert_eq!(claim("k", 2, 2).await, IdempotencyClaim::Mismatch);
    assert_eq!(
        claim("k", 2, 3 * 86_400).await,
        IdempotencyClaim::Fresh,
        "after 48 hours"
    );
    assert_eq!(claim("freed", 1, 0).await, IdempotencyClaim::Fresh);
    store
        .finish_idempotency("token /ship", "freed", None)
        .await
        .unwrap();
    assert_eq!(claim("freed", 2, 0).await, IdempotencyClaim::Fresh);
    let answer = Some((422, b"no".to_vec()));
    store
        .finish_idempotency("token /ship", "freed", answer)
        .await
        .unwrap();
    assert_eq!(
        claim("freed", 2, 0).await,
        IdempotencyClaim::Done(422, b"no".to_vec())
    );
}

pub async fn housekeeping_forgets_in_time(store: Arc<dyn Store>) {
    let claim = async |seconds: i64| {
        store
            .claim_idempotency("s", "k", [1; 32], at(seconds))
            .await
            .unwrap()
    };
    claim(0).await;
    store
        .finish_idempotency("s", "k", Some((200, Vec::new())))
        .await
        .unwrap();
    store.housekeeping(at(47 * 3600)).await.unwrap();
    assert_eq!(claim(0).await, IdempotencyClaim::Done(200, Vec::new()));
    store.housekeeping(at(49 * 3600)).await.unwrap();
    assert_eq!(claim(0).await, IdempotencyClaim::Fresh);
}

pub async fn a_merchant_is_changed(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let read = async || {
        let found = store.merchant(Scope::All, bench.merchant).await;
        found.unwrap().unwrap()
    };
    let mut merchant = read().await;
    let created = merchant.created_at;
    merchant.name = "Another name".to_owned();
    merchant.timezone = "Europe/Riga".to_owned();
    merchant
        .settings
        .insert("fulfillment_push".to_owned(), json!("label"));
    merchant.created_at = at(99);
    let entry = audit(merchant.id);
    let rung = store.wake().setup();
    store
        .update_merchant(&merchant, entry.clone())
        .await
        .unwrap();
    assert_ne!(store.wake().setup(), rung, "who keeps a copy reads anew");
    merchant.created_at = created;
    assert_eq!(read().await, merchant);
    let listed = store.merchants(Scope::All, page(50)).await.unwrap().data;
    assert!(listed.contains(&merchant));
    let subject = merchant.id.to_string();
    let noted = store.audit(Some(&subject), page(9)).await.unwrap().data;
    assert!(noted.iter().any(|row| row.id == entry.id));
    // Not without its audit entry, and not what is not there.
    merchant.name = "Third name".to_owned();
    assert!(store.update_merchant(&merchant, entry).await.is_err());
    assert_eq!(read().await.name, "Another name");
    merchant.id = crate::canonical::MerchantId::new();
    let refused = store.update_merchant(&merchant, audit("m")).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
}
