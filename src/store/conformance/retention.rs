//! What is not kept for ever: personal data of orders that have ended, and payloads.

use super::shipping::*;
use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::order::{Customer, OrderStatus};
use crate::canonical::{Address, Field, MerchantId, Timestamp};
use crate::store::query::*;
use crate::store::{Scope, Store};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const NAME: &str = "Eleni Pappa";

/// An order of a person, with a part, a label and cash, told of by an event.
async fn of_a_person(
    bench: &Bench,
    external: &str,
    status: OrderStatus,
) -> (
    crate::flow::change::OrderState,
    crate::canonical::DocumentId,
) {
    let mut state = with_status(bench.order(external), status);
    let address = Address {
        name: Some(NAME.to_owned()),
        line1: Some("Ermou 12".to_owned()),
        country: Some("GR".to_owned()),
        ..Address::default()
    };
    let facts = &mut state.order.facts;
    facts.customer = Field::Value(Customer {
        email: Field::Value("eleni@example.test".to_owned()),
        name: Field::Value(NAME.to_owned()),
        ..Customer::default()
    });
    facts.ship_to = Field::Value(address.clone());
    facts.note = Field::Value(format!("for {NAME}"));
    let mut part = bench.part(&state, None);
    part.ship_to = Some(address.clone());
    let mut shipment = bench.bought(
        &state,
        part.id,
        &format!("box-{external}"),
        Some(&format!("N{external}")),
    );
    shipment.ship_to = Some(address);
    let label = bench.label(&shipment, NAME.as_bytes());
    state.cod = vec![bench.cod(&shipment, money("5.00", "EUR"))];
    state.shipments = vec![shipment];
    state.fulfillment_orders = vec![part];
    let mut set = crate::flow::change::ChangeSet::of(bench.merchant);
    set.events = vec![bench.event(&state, EventType::OrderReceived)];
    set.documents = vec![label.clone()];
    set.states = vec![state.clone()];
    bench.apply(set).await.unwrap();
    (state, label.about.id)
}

pub async fn personal_data_of_ended_orders_goes(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let own = bench.merchant;
    let (done, label) = of_a_person(&bench, "1", OrderStatus::Fulfilled).await;
    let (open, _) = of_a_person(&bench, "2", OrderStatus::Open).await;
    let (id, other) = (done.order.meta.id, open.order.meta.id);
    let late = |seconds: i64| done.order.meta.updated_at + jiff::SignedDuration::from_secs(seconds);
    assert!(
        store
            .erasable_orders(own, late(0), 9)
            .await
            .unwrap()
            .is_empty(),
        "its time is not over"
    );
    assert_eq!(
        store.erasable_orders(own, late(1), 9).await.unwrap(),
        [id],
        "only what has ended"
    );
    assert!(
        store
            .erasable_orders(MerchantId::new(), late(1), 9)
            .await
            .unwrap()
            .is_empty()
    );
    let before = store
        .cod_statement(Scope::All, CodFilter::default())
        .await
        .unwrap();
    assert!(store.erase_order(id, late(1)).await.unwrap());
    assert!(
        store
            .erasable_orders(own, late(1), 9)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store.erase_order(id, late(9)).await.unwrap(),
        "twice is once"
    );
    // Nothing of the person is left, in no version and no event; the rest is as it was.
    let state = store.order(Scope::All, id).await.unwrap().unwrap();
    assert_eq!(state.order.meta.erased_at, Some(late(1)));
    assert_eq!(state.order.facts.totals, done.order.facts.totals);
    assert_eq!(
        state
            .order
            .facts
            .ship_to
            .value()
            .unwrap()
            .country
            .as_deref(),
        Some("GR")
    );
    assert_eq!(state.shipments[0].parcels, done.shipments[0].parcels);
    assert_eq!(state.cod, done.cod);
    let events = store.events(Scope::All, 0, 50, &[]).await.unwrap();
    let told: Vec<Value> = events.data.iter().map(|e| parsed(&e.json)).collect();
    let about = |order: &str| {
        told.iter()
            .filter(|e| e["data"]["order"]["id"] == order)
            .map(Value::to_string)
            .collect::<String>()
    };
    let (erased, kept) = (about(&id.to_string()), about(&other.to_string()));
    assert!(!erased.is_empty() && !erased.contains(NAME) && !erased.contains("Ermou"));
    assert!(kept.contains(NAME) && kept.contains("Ermou"));
    assert!(store.document(Scope::All, label).await.unwrap().is_none());
    for q in ["eleni@example.test"] {
        let filter = OrderFilter {
            q: Some(q.to_owned()),
            ..OrderFilter::default()
        };
        let found = store.orders(Scope::All, filter, page(9)).await.unwrap();
        let ids: Vec<Value> = found.data.iter().map(|o| parsed(o)["id"].clone()).collect();
        assert_eq!(ids, [json!(other)]);
    }
    let after = store
        .cod_statement(Scope::All, CodFilter::default())
        .await
        .unwrap();
    assert_eq!(before, after, "the cash ledger is as it was");
    assert!(
        !store
            .erase_order(crate::canonical::OrderId::new(), late(1))
            .await
            .unwrap()
    );
}

async fn strip(store: &Arc<dyn Store>, before: &BTreeMap<MerchantId, Timestamp>) -> u64 {
    let (mut all, mut after) = (0, 0);
    loop {
        let turn = store.strip_payloads(before.clone(), after).await.unwrap();
        all += turn.deliveries;
        match turn.next {
            Some(next) => after = next,
            None => return all,
        }
    }
}

pub async fn payloads_go_when_nobody_needs_them(store: Arc<dyn Store>) {
    let (bench, other) = (Bench::new(&store).await, Bench::new(&store).await);
    let decided = bench.appended("decided").await;
    let problem = bench.appended("problem").await;
    let pending = bench.appended("pending").await;
    let theirs = other.appended("theirs").await;
    let record = bench.record(&decided, 0, Disposition::Applied);
    bench
        .apply(bench.decided(&decided, vec![record.clone()]))
        .await
        .unwrap();
    let opened = bench.problem("code", "subject");
    let mut bad = bench.record(&problem, 0, Disposition::Problem);
    bad.problem_id = Some(opened.id);
    let mut set = bench.decided(&problem, vec![bad]);
    set.problems = vec![opened];
    bench.apply(set).await.unwrap();
    let record_of = other.record(&theirs, 0, Disposition::Applied);
    other
        .apply(other.decided(&theirs, vec![record_of]))
        .await
        .unwrap();
    let ledger = store
        .ledger(Scope::All, LedgerFilter::default())
        .await
        .unwrap();
    let arrived = decided.received_at;
    let early = BTreeMap::from([(bench.merchant, arrived)]);
    assert_eq!(strip(&store, &early).await, 0, "its time is not over");
    assert_eq!(strip(&store, &BTreeMap::new()).await, 0);
    let late = arrived + jiff::SignedDuration::from_hours(1);
    let late = BTreeMap::from([(bench.merchant, late)]);
    assert_eq!(strip(&store, &late).await, 1);
    assert_eq!(strip(&store, &late).await, 0, "twice is once");
    let bytes = |of: &crate::canonical::inbox::WireDelivery| {
        let (store, id) = (Arc::clone(&store), of.id);
        async move { store.delivery(id).await.unwrap().map(|wire| wire.body) }
    };
    assert!(bytes(&decided).await.is_none());
    assert_eq!(bytes(&problem).await.unwrap(), "problem");
    assert_eq!(bytes(&pending).await.unwrap(), "pending");
    assert_eq!(bytes(&theirs).await.unwrap(), "theirs");
    let kept = store
        .inbox_record(Scope::All, record.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.disposition, Disposition::Applied);
    let again = store
        .ledger(Scope::All, LedgerFilter::default())
        .await
        .unwrap();
    assert_eq!(again, ledger);
    let mut recounted = store.recount_ledger().await.unwrap();
    recounted.retain(|line| line.pending + line.applied + line.problem > 0);
    assert_eq!(recounted.len(), 2);
    // What was pending goes on and goes when its time is over.
    let record = bench.record(&pending, 0, Disposition::Applied);
    bench
        .apply(bench.decided(&pending, vec![record]))
        .await
        .unwrap();
    assert_eq!(strip(&store, &late).await, 1);
    assert_eq!(bytes(&problem).await.unwrap(), "problem");
}
