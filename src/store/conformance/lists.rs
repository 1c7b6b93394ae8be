//! Lists of orders and the warehouse's work list.

use super::support::*;
use crate::canonical::fulfillment::FulfillmentStatus;
use crate::canonical::order::OrderStatus;
use crate::flow::change::ChangeSet;
use crate::store::query::{Awaiting, FulfillmentFilter, OrderFilter, PageRequest};
use crate::store::{Scope, Store};
use std::sync::Arc;

pub async fn lists_filter_and_page(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let other = Bench::new(&store).await;
    for n in 0..5 {
        bench.stored(&format!("10{n}")).await;
    }
    let mut held = other.order("200");
    held = with_status(held, OrderStatus::OnHold);
    let set = ChangeSet {
        states: vec![held],
        ..ChangeSet::of(other.merchant)
    };
    other.apply(set).await.unwrap();
    let count = async |filter: OrderFilter| {
        store
            .orders(Scope::All, filter, page(50))
            .await
            .unwrap()
            .data
            .len()
    };
    let none = OrderFilter::default;
    assert_eq!(count(none()).await, 6);
    assert_eq!(
        count(OrderFilter {
            merchant_id: Some(other.merchant),
            ..none()
        })
        .await,
        1
    );
    let connection_id = Some(bench.connection.id);
    assert_eq!(
        count(OrderFilter {
            connection_id,
            ..none()
        })
        .await,
        5
    );
    let status = Some(OrderStatus::OnHold);
    assert_eq!(count(OrderFilter { status, ..none() }).await, 1);
    let external_id = Some("103".to_owned());
    assert_eq!(
        count(OrderFilter {
            external_id,
            ..none()
        })
        .await,
        1
    );
    let q = |q: &str| OrderFilter {
        q: Some(q.to_owned()),
        ..none()
    };
    for (text, expected) in [
        ("10", 5),
        ("N20", 1),
        ("eleni+103@example.gr", 1),
        ("eleni", 0),
        ("00306912345678", 6),
        ("+30 691 234 5678", 6),
        ("6912345678", 0),
        ("%", 0),
    ] {
        assert_eq!(count(q(text)).await, expected, "q={text}");
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let request = PageRequest { limit: 2, after };
        let found = store.orders(Scope::All, none(), request).await.unwrap();
        let number = |json: &bytes::Bytes| parsed(json)["external_id"].as_str().unwrap().to_owned();
        seen.extend(found.data.iter().map(number));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["200", "104", "103", "102", "101", "100"]);
}

pub async fn the_work_list_is_sorted_by_cut_off(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    for (external, cut_off) in [
        ("a", Some(300)),
        ("b", None),
        ("c", Some(100)),
        ("d", Some(200)),
    ] {
        let mut state = bench.order(external);
        let mut part = bench.part(&state, cut_off);
        if external == "d" {
            part.status = FulfillmentStatus::InProgress;
        }
        part.wms_ref = Some(external.to_owned());
        state.fulfillment_orders = vec![part];
        let set = ChangeSet {
            states: vec![state],
            ..ChangeSet::of(bench.merchant)
        };
        bench.apply(set).await.unwrap();
    }
    let list = async |filter: FulfillmentFilter, limit: usize| {
        let (mut after, mut seen) = (None, String::new());
        loop {
            let request = PageRequest { limit, after };
            let found = store
                .fulfillment_orders(Scope::All, filter.clone(), request)
                .await
                .unwrap();
            for json in &found.data {
                seen.push_str(parsed(json)["wms_ref"].as_str().unwrap());
            }
            after = found.next;
            if after.is_none() {
                return seen;
            }
        }
    };
    let all = FulfillmentFilter {
        by_cut_off: true,
        ..Default::default()
    };
    assert_eq!(list(all.clone(), 1).await, "cdab");
    assert_eq!(list(all.clone(), 10).await, "cdab");
    assert_eq!(list(FulfillmentFilter::default(), 2).await, "abcd");
    let accept = FulfillmentFilter {
        awaiting: vec![Awaiting::Accept],
        ..all.clone()
    };
    assert_eq!(list(accept, 2).await, "cab");
    let ship = FulfillmentFilter {
        awaiting: vec![Awaiting::Ship],
        ..all.clone()
    };
    assert_eq!(list(ship, 2).await, "d");
    // What was short still waits for its remainder.
    let mut short = bench.order("e");
    let mut part = bench.part(&short, Some(400));
    part.status = FulfillmentStatus::Incomplete;
    part.wms_ref = Some("e".to_owned());
    short.fulfillment_orders = vec![part];
    let set = ChangeSet {
        states: vec![short],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(set).await.unwrap();
    let ship = FulfillmentFilter {
        awaiting: vec![Awaiting::Ship],
        ..all.clone()
    };
    assert_eq!(list(ship, 2).await, "de");
    let answer = FulfillmentFilter {
        awaiting: vec![Awaiting::Answer],
        ..all.clone()
    };
    assert_eq!(list(answer, 2).await, "");
    let elsewhere = FulfillmentFilter {
        location: Some("skg".to_owned()),
        ..all
    };
    assert_eq!(list(elsewhere, 2).await, "");
}
