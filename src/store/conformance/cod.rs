//! The COD ledger: items listed and summed.

use super::shipping::*;
use super::support::*;
use crate::canonical::cod::CodStatus;
use crate::canonical::{Money, OrderId};
use crate::store::query::*;
use crate::store::{Scope, Store};
use std::sync::Arc;

/// Stores an order with one item.
async fn item(bench: &Bench, n: u32, status: CodStatus, due: Money, got: Option<Money>) -> OrderId {
    let mut state = bench.shipped(&n.to_string(), &format!("N{n}"));
    let mut item = bench.cod(&state.shipments[0], due);
    item.status = status;
    item.collected = got;
    state.cod = vec![item];
    bench.put(state).await.order.meta.id
}

pub async fn cod_items_are_listed_newest_first(store: Arc<dyn Store>) {
    let (bench, other) = (Bench::new(&store).await, Bench::new(&store).await);
    let eur = || money("1.00", "EUR");
    item(&bench, 1, CodStatus::Expected, eur(), None).await;
    let second = item(&bench, 2, CodStatus::NotDue, eur(), None).await;
    item(&bench, 3, CodStatus::Expected, eur(), None).await;
    item(&other, 4, CodStatus::Expected, eur(), None).await;
    let numbers = |page: Page<bytes::Bytes>| -> Vec<String> {
        let number = |json: &bytes::Bytes| {
            let number = &parsed(json)["tracking_number"];
            number.as_str().unwrap().to_owned()
        };
        page.data.iter().map(number).collect()
    };
    let none = CodFilter::default;
    let list = |scope: Scope, filter: CodFilter, limit: usize| {
        let store = Arc::clone(&store);
        async move { numbers(store.cod_items(scope, filter, page(limit)).await.unwrap()) }
    };
    assert_eq!(list(Scope::All, none(), 9).await, ["N4", "N3", "N2", "N1"]);
    let own = Scope::Merchant(bench.merchant);
    assert_eq!(list(own, none(), 9).await, ["N3", "N2", "N1"]);
    let filter = CodFilter {
        status: Some(CodStatus::Expected),
        connection_id: Some(bench.connection.id),
        ..none()
    };
    assert_eq!(list(Scope::All, filter, 9).await, ["N3", "N1"]);
    let filter = CodFilter {
        order_id: Some(second),
        ..none()
    };
    assert_eq!(list(Scope::All, filter, 9).await, ["N2"]);
    let filter = CodFilter {
        merchant_id: Some(other.merchant),
        ..none()
    };
    assert!(list(own, filter, 9).await.is_empty());
    let first = store.cod_items(own, none(), page(2)).await.unwrap();
    let request = PageRequest {
        limit: 2,
        after: first.next,
    };
    let rest = store.cod_items(own, none(), request).await.unwrap();
    assert_eq!(numbers(rest), ["N1"]);
}

pub async fn a_statement_is_exact(store: Arc<dyn Store>) {
    let (bench, other) = (Bench::new(&store).await, Bench::new(&store).await);
    // Amounts that no float sums up right, of several scales.
    let eur = |amount: &str| money(amount, "EUR");
    use CodStatus::{Collected, Expected};
    item(&bench, 1, Expected, eur("0.1"), None).await;
    item(&bench, 2, Expected, eur("0.20"), None).await;
    item(&bench, 3, Expected, eur("90071992547409.93"), None).await;
    item(&bench, 4, Collected, eur("12.30"), Some(eur("12.300"))).await;
    // Collected in another currency: it is in no sum of this one.
    let lev = money("24.06", "BGN");
    item(&bench, 5, Collected, eur("12.30"), Some(lev)).await;
    item(&bench, 6, Expected, money("7.77", "BGN"), None).await;
    item(&other, 7, Expected, eur("5"), None).await;
    let line = |of: &Bench, status, count, due: &str, collected: &str, currency: &str| CodSum {
        connection_id: of.connection.id,
        merchant_id: of.merchant,
        status,
        count,
        due: money(due, currency),
        collected: money(collected, currency),
    };
    let mut mine = vec![
        line(&bench, Expected, 1, "7.77", "0", "BGN"),
        line(&bench, Collected, 2, "24.60", "12.30", "EUR"),
        line(&bench, Expected, 3, "90071992547410.23", "0", "EUR"),
    ];
    let theirs = line(&other, Expected, 1, "5", "0", "EUR");
    let all = CodFilter::default;
    let own = Scope::Merchant(bench.merchant);
    let found = store.cod_statement(own, all()).await.unwrap();
    assert_eq!(found, mine);
    mine.push(theirs.clone());
    let found = store.cod_statement(Scope::All, all()).await.unwrap();
    assert_eq!(found, mine, "by account, currency and status");
    let filter = CodFilter {
        connection_id: Some(other.connection.id),
        ..all()
    };
    let found = store.cod_statement(Scope::All, filter).await.unwrap();
    assert_eq!(found, [theirs]);
    let filter = CodFilter {
        status: Some(CodStatus::WrittenOff),
        ..all()
    };
    let found = store.cod_statement(Scope::All, filter).await.unwrap();
    assert!(found.is_empty());
}
