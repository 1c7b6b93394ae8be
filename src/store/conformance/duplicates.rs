//! Orders like another one, and those whose like is gone.

use super::support::*;
use crate::canonical::order::OrderStatus;
use crate::canonical::{Contact, Field, OrderId};
use crate::flow::Similar;
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::Store;
use std::sync::Arc;

async fn placed(bench: &Bench, external: &str, seconds: i64) -> OrderState {
    let mut state = bench.order(external);
    state.order.facts.placed_at = Field::Value(at(seconds));
    store(bench, &state).await
}

async fn store(bench: &Bench, state: &OrderState) -> OrderState {
    let set = ChangeSet {
        states: vec![state.clone()],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    OrderState {
        lock: state.lock + 1,
        ..state.clone()
    }
}

pub async fn similar_orders_are_found_by_contact_and_time(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let other = Bench::new(&store).await;
    let one = placed(&bench, "1", 100).await;
    let two = placed(&bench, "2", 200).await;
    placed(&bench, "3", 301).await;
    placed(&other, "1", 100).await;
    let wanted = |email: Option<&str>, phone: Option<&str>| Similar {
        merchant_id: bench.merchant,
        contact: Contact {
            email: email.map(str::to_owned),
            phone: phone.map(str::to_owned),
        },
        from: at(100),
        to: at(300),
    };
    let asked = [
        wanted(None, Some("306912345678")),
        wanted(Some("eleni+2@example.gr"), None),
        wanted(Some("eleni+1@example.gr"), Some("306912345678")),
        wanted(Some("nobody@example.gr"), None),
        wanted(None, None),
    ];
    let found = store.similar_orders(&asked).await.unwrap();
    let ids: Vec<Vec<OrderId>> = found
        .iter()
        .map(|orders| orders.iter().map(|order| order.meta.id).collect())
        .collect();
    let (one, two) = (one.order.meta.id, two.order.meta.id);
    let expected = [vec![two, one], vec![two], vec![two, one], vec![], vec![]];
    assert_eq!(ids, expected);
}

pub async fn a_duplicate_outlives_a_cancelled_order(store_: Arc<dyn Store>) {
    let bench = Bench::new(&store_).await;
    let first = bench.stored("1").await;
    let mut second = bench.order("2");
    second.order.meta.duplicate_of = Some(first.order.meta.id);
    second.order.meta.status = OrderStatus::OnHold;
    let second = store(&bench, &second).await;
    let outlived = async || store_.outlived_duplicates(10).await.unwrap();
    assert_eq!(outlived().await, []);
    let mut gone = changed(&first, "cancelled");
    gone.order.meta.status = OrderStatus::Cancelled;
    store(&bench, &gone).await;
    assert_eq!(outlived().await, [second.order.meta.id]);
    let mut free = changed(&second, "not any more");
    free.order.meta.duplicate_of = None;
    let free = store(&bench, &free).await;
    assert_eq!(outlived().await, []);
    // One that was never stored (its write was refused) is none, too.
    let mut stray = changed(&free, "of nothing");
    stray.order.meta.duplicate_of = Some(OrderId::new());
    let stray = store(&bench, &stray).await;
    assert_eq!(outlived().await, [second.order.meta.id]);
    let mut done = changed(&stray, "shipped");
    done.order.meta.status = OrderStatus::Fulfilled;
    store(&bench, &done).await;
    assert_eq!(outlived().await, []);
}
