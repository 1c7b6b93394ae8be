//! Stock: levels judged and listed, changes in order, what channels are known to sell.

use super::support::*;
use crate::canonical::stock::StockLevel;
use crate::canonical::{MerchantId, Quantity};
use crate::flow::stock::{Told, available};
use crate::store::query::*;
use crate::store::{Scope, Store};
use serde_json::json;
use std::sync::Arc;

fn level(
    merchant: MerchantId,
    sku: &str,
    location: &str,
    on_hand: i64,
    seconds: i64,
) -> StockLevel {
    let quantity = |n: i64| Quantity::new(n.into());
    let (on_hand, reserved) = (quantity(on_hand), quantity(1));
    let none = Quantity::ZERO;
    StockLevel {
        merchant_id: merchant,
        location: location.to_owned(),
        sku: sku.to_owned(),
        on_hand,
        reserved,
        unavailable: none,
        buffer: none,
        incoming: none,
        available: available(on_hand, reserved, none, none).unwrap(),
        as_of: at(seconds),
        sequence: None,
        updated_at: at(seconds),
    }
}

async fn put(store: &Arc<dyn Store>, merchant: MerchantId, levels: Vec<StockLevel>) -> Vec<Told> {
    let put = store
        .put_stock(merchant, levels, audit("stock"))
        .await
        .unwrap();
    put.into_iter().map(|put| put.told).collect()
}

async fn changes(bench: &Bench, listed: bool, after: u64) -> Vec<(u64, String, Option<String>)> {
    let of = StockChanges {
        merchant_id: bench.merchant,
        connection_id: bench.connection.id,
        listed,
        after,
        limit: 10,
    };
    let found = bench.store.stock_changes(of).await.unwrap();
    let all = found.into_iter();
    all.map(|c| (c.place, c.sku, c.external_id)).collect()
}

pub async fn levels_are_judged_over_what_is_stored(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let own = bench.merchant;
    let two = vec![
        level(own, "A", "main", 5, 10),
        level(own, "B", "main", 2, 10),
    ];
    assert_eq!(put(&store, own, two).await, [Told::Changed, Told::Changed]);
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap();
    let told: Vec<_> = events.data.iter().map(|e| parsed(&e.json)).collect();
    let levels: Vec<_> = told
        .iter()
        .map(|e| (&e["type"], &e["data"]["stock_level"]["available"]))
        .collect();
    assert_eq!(
        levels,
        [
            (&json!("stock.changed"), &json!(4)),
            (&json!("stock.changed"), &json!(1))
        ]
    );
    // The same later, something older, something new.
    let next = vec![
        level(own, "A", "main", 5, 20),
        level(own, "B", "main", 9, 9),
        level(own, "A", "shop", 1, 9),
    ];
    assert_eq!(
        put(&store, own, next).await,
        [Told::Unchanged, Told::Stale, Told::Changed]
    );
    let last = store.last_sequence().await.unwrap();
    assert_eq!(last, 3, "what is unchanged or stale is no event");
    let all = store
        .stock_of(own, &["A".to_owned(), "B".to_owned(), "C".to_owned()])
        .await
        .unwrap();
    let shown = |levels: &Vec<StockLevel>| -> Vec<(String, String, i64)> {
        let one = |l: &StockLevel| {
            (
                l.location.clone(),
                l.on_hand.to_string(),
                l.as_of.as_second() - at(0).as_second(),
            )
        };
        levels.iter().map(one).collect()
    };
    let all: Vec<_> = all.iter().map(shown).collect();
    let main = |n: &str, at| ("main".to_owned(), n.to_owned(), at);
    assert_eq!(
        all,
        [
            vec![main("5", 20), ("shop".to_owned(), "1".to_owned(), 9)],
            vec![main("2", 10)],
            vec![]
        ]
    );
    // Their own numbers decide where both have one.
    let numbered = |n, on_hand, seconds| StockLevel {
        sequence: Some(n),
        ..level(own, "N", "main", on_hand, seconds)
    };
    assert_eq!(
        put(&store, own, vec![numbered(7, 1, 50)]).await,
        [Told::Changed]
    );
    assert_eq!(
        put(&store, own, vec![numbered(6, 2, 60)]).await,
        [Told::Stale]
    );
    assert_eq!(
        put(&store, own, vec![numbered(8, 3, 40)]).await,
        [Told::Changed]
    );
}

pub async fn levels_are_listed_in_the_order_of_changes(store: Arc<dyn Store>) {
    let (bench, other) = (Bench::new(&store).await, Bench::new(&store).await);
    let own = bench.merchant;
    put(
        &store,
        own,
        vec![level(own, "A", "main", 1, 1), level(own, "B", "shop", 2, 2)],
    )
    .await;
    put(
        &store,
        other.merchant,
        vec![level(other.merchant, "A", "main", 3, 3)],
    )
    .await;
    put(&store, own, vec![level(own, "A", "main", 4, 4)]).await;
    let list = |scope: Scope, filter: StockFilter, limit: usize, after: Option<String>| {
        let store = Arc::clone(&store);
        async move {
            let page = store
                .stock_levels(scope, filter, PageRequest { limit, after })
                .await
                .unwrap();
            let of = |l: &StockLevel| format!("{}{}", l.sku, l.on_hand);
            (page.data.iter().map(of).collect::<Vec<_>>(), page.next)
        }
    };
    let all = StockFilter::default;
    assert_eq!(list(Scope::All, all(), 9, None).await.0, ["B2", "A3", "A4"]);
    let mine = Scope::Merchant(own);
    let (first, next) = list(mine, all(), 1, None).await;
    assert_eq!(first, ["B2"]);
    assert_eq!(
        list(mine, all(), 1, next).await,
        (vec!["A4".to_owned()], None)
    );
    let of = StockFilter {
        merchant_id: Some(other.merchant),
        ..all()
    };
    assert!(list(mine, of.clone(), 9, None).await.0.is_empty());
    assert_eq!(list(Scope::All, of, 9, None).await.0, ["A3"]);
    let sku = StockFilter {
        sku: Some("A".to_owned()),
        location: Some("main".to_owned()),
        ..all()
    };
    assert_eq!(list(mine, sku, 9, None).await.0, ["A4"]);
    let late = StockFilter {
        updated_after: Some(at(3)),
        ..all()
    };
    assert_eq!(list(Scope::All, late, 9, None).await.0, ["A4"]);
    let bad = PageRequest {
        limit: 1,
        after: Some("x".to_owned()),
    };
    assert!(store.stock_levels(mine, all(), bad).await.is_err());
}

pub async fn changes_have_places_that_rise(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let (own, channel) = (bench.merchant, bench.connection.id);
    assert_eq!(store.stock_place().await.unwrap(), 0);
    put(
        &store,
        own,
        vec![level(own, "A", "main", 1, 1), level(own, "B", "main", 2, 1)],
    )
    .await;
    let of = |sku: &str, id: Option<&str>| (sku.to_owned(), id.map(str::to_owned));
    let names = |all: Vec<(u64, String, Option<String>)>| {
        all.into_iter()
            .map(|(_, sku, id)| (sku, id))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(changes(&bench, false, 0).await),
        [of("A", None), of("B", None)]
    );
    assert!(
        changes(&bench, true, 0).await.is_empty(),
        "nothing is listed"
    );
    // What becomes listed is a change of it, also without a level: that shows when there is one.
    let listed = vec![of("A", Some("17")), of("C", None)];
    store
        .note_listings(channel, listed.clone(), false)
        .await
        .unwrap();
    let place = store.stock_place().await.unwrap();
    assert_eq!(names(changes(&bench, true, 0).await), [of("A", Some("17"))]);
    store.note_listings(channel, listed, false).await.unwrap();
    store
        .note_listings(channel, vec![of("A", None)], false)
        .await
        .unwrap();
    assert_eq!(store.stock_place().await.unwrap(), place, "no news");
    assert!(changes(&bench, true, place).await.is_empty());
    // A level changes; it is told once more; both are one change of the article.
    put(
        &store,
        own,
        vec![level(own, "A", "main", 7, 2), level(own, "C", "main", 7, 2)],
    )
    .await;
    assert_eq!(
        names(changes(&bench, true, place).await),
        [of("A", Some("17")), of("C", None)]
    );
    let newest = store.stock_place().await.unwrap();
    store
        .note_listings(channel, vec![of("A", None)], true)
        .await
        .unwrap();
    let again = changes(&bench, true, newest).await;
    assert_eq!(again, [(newest + 1, "A".to_owned(), Some("17".to_owned()))]);
    // A new order tells what its channel sells.
    let mut state = bench.order("77");
    let lines = json!([{"sku": "B", "attributes": {"product_id": 9}}, {"sku": "", "name": "x"}]);
    state.order.facts.lines = serde_json::from_value(lines).unwrap();
    bench.put(state).await;
    let found = changes(&bench, true, newest + 1).await;
    assert_eq!(names(found), [of("B", Some("9"))]);
}
