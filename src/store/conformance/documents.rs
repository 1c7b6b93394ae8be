//! Labels and other papers.

use super::support::*;
use crate::canonical::DocumentId;
use crate::flow::change::ChangeSet;
use crate::store::{Scope, Store};
use std::sync::Arc;

pub async fn a_document_is_kept_as_it_came(store: Arc<dyn Store>) {
    let (bench, other) = (Bench::new(&store).await, Bench::new(&store).await);
    let state = bench.shipped("1", "N1");
    let content: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let label = bench.label(&state.shipments[0], &content);
    let id = label.about.id;
    let set = ChangeSet {
        states: vec![state],
        documents: vec![label.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let document = |scope| {
        let store = Arc::clone(&store);
        async move { store.document(scope, id).await.unwrap() }
    };
    assert!(document(Scope::All).await == Some(label.clone()));
    assert!(document(Scope::Merchant(bench.merchant)).await.is_some());
    assert!(document(Scope::Merchant(other.merchant)).await.is_none());
    let none = store.document(Scope::All, DocumentId::new()).await.unwrap();
    assert!(none.is_none());
    // Whatever comes under its id later.
    let mut changed = label.clone();
    changed.content = b"other bytes".to_vec();
    let set = ChangeSet {
        documents: vec![changed],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    assert!(document(Scope::All).await == Some(label));
}
