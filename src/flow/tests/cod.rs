//! The cash: born with the label, followed to its end, never more than is owed.
use super::super::cod;
use super::tracking::{answer, numbered, scan};
use super::*;
use crate::canonical::cod::{CodItem, CodPayee, CodStatus};
use crate::canonical::shipment::{Shipment, ShipmentStatus};
use crate::canonical::{Money, ShipmentId};
use crate::flow::draft::Draft;

fn money(amount: &str, currency: &str) -> Money {
    serde_json::from_value(json!({ "amount": amount, "currency": currency })).unwrap()
}
fn items(world: &World) -> &[CodItem] {
    &world.state.as_ref().unwrap().cod
}
fn item(world: &World) -> &CodItem {
    items(world).last().unwrap()
}
fn left(world: &World) -> Option<Money> {
    cod::left_without(world.state.as_ref().unwrap(), &[])
}
fn with_cash(world: &mut World) -> ConnectionId {
    let account = world.account(json!({}));
    world.labelled(account, &["N1", "N2"]);
    account
}
fn paid_at_the_door(amount: Value, status: &str) -> Value {
    let mut told = answer("N1", vec![scan("delivered", "12:00")]);
    told["cod"] = json!({ "amount": amount, "status": status });
    told
}

#[test]
fn an_item_is_born_with_the_label_once_and_for_the_first_parcel() {
    let mut world = World::with(super::cod("28.00"));
    let account = world.account(json!({ "cod_currency": "BGN" }));
    world.labelled(account, &["N1", "N2"]);
    assert_eq!(items(&world).len(), 1);
    let born = item(&world).clone();
    assert_eq!(born.status, CodStatus::Expected);
    assert_eq!(born.order_amount, money("28.00", "EUR"));
    assert_eq!(born.due, money("54.76", "BGN"), "28 × 1.95583 = 54.763");
    assert_eq!(born.parcel_id, world.last().parcels[0].id);
    assert_eq!(born.tracking_number.as_deref(), Some("N1"));
    assert_eq!(
        (born.connection_id, born.payee),
        (account, CodPayee::Operator)
    );
    let id = world.last().id;
    let again = world.decide(|draft| cod::born(draft, id));
    assert_eq!(again.disposition, Disposition::Unchanged);
    assert_eq!(left(&world), None);
}

#[test]
fn without_cash_or_account_none_is_born() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    assert!(items(&world).is_empty());
    let mut world = World::with(super::cod("28.00"));
    world.ship("S1", None);
    let id = world.last().id;
    world.decide(|draft| cod::born(draft, id));
    assert!(items(&world).is_empty(), "the warehouse ships by itself");
    assert_eq!(left(&world), None, "and takes the cash with it");
}

#[test]
fn collected_is_what_was_due_or_disputed() {
    for (amount, told, status, event) in [
        (
            eur("28.00"),
            "collected",
            CodStatus::Collected,
            "cod.collected",
        ),
        (eur("28"), "remitted", CodStatus::Remitted, "cod.remitted"),
        (
            json!(null),
            "collected",
            CodStatus::Collected,
            "cod.collected",
        ),
        (
            eur("27.99"),
            "collected",
            CodStatus::ShortPaid,
            "cod.disputed",
        ),
        (
            eur("28.01"),
            "collected",
            CodStatus::OverPaid,
            "cod.disputed",
        ),
        (
            json!({"amount": "54.76", "currency": "BGN"}),
            "collected",
            CodStatus::Collected,
            "cod.collected",
        ),
        (
            json!({"amount": "28.00", "currency": "USD"}),
            "collected",
            CodStatus::Disputed,
            "cod.disputed",
        ),
    ] {
        let mut world = World::with(super::cod("28.00"));
        let account = with_cash(&mut world);
        let outcome = world.told(account, paid_at_the_door(amount.clone(), told));
        assert_eq!(item(&world).status, status, "{amount}");
        assert_eq!(kinds(&outcome).last().unwrap(), event, "{amount}");
        let disputed = event == "cod.disputed";
        assert_eq!(outcome.problems.len(), usize::from(disputed));
        assert_eq!(item(&world).reason.is_some(), disputed);
        let door: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        assert_eq!(item(&world).collected_at, Some(door));
        let again = world.told(account, paid_at_the_door(amount, told));
        assert_eq!(again.disposition, Disposition::Unchanged);
        assert!(again.problems.is_empty());
    }
}

#[test]
fn silence_is_no_answer() {
    let mut world = World::with(super::cod("28.00"));
    let account = with_cash(&mut world);
    world.told(account, answer("N1", vec![scan("delivered", "12:00")]));
    world.told(account, paid_at_the_door(eur("28.00"), "expected"));
    assert_eq!(item(&world).status, CodStatus::Expected);
}

#[test]
fn a_correction_ends_a_dispute_and_a_remittance_net_of_fees_begins_none() {
    let mut world = World::with(super::cod("28.00"));
    let account = with_cash(&mut world);
    world.told(account, paid_at_the_door(eur("20.00"), "collected"));
    let outcome = world.told(account, paid_at_the_door(eur("28.00"), "collected"));
    assert_eq!(item(&world).status, CodStatus::Collected);
    assert!(
        outcome
            .resolve
            .iter()
            .any(|r| r.code.as_deref() == Some("cod_disputed"))
    );
    let outcome = world.told(account, paid_at_the_door(eur("27.20"), "remitted"));
    assert_eq!(kinds(&outcome), ["cod.remitted"]);
    assert_eq!(item(&world).collected, Some(money("28.00", "EUR")));
    let outcome = world.told(account, paid_at_the_door(eur("27.20"), "remitted"));
    assert_eq!(outcome.disposition, Disposition::Unchanged);
}

#[test]
fn what_travels_back_is_not_due() {
    for (status, reason) in [
        ("return_in_transit", "return_begun"),
        ("returned", "returned"),
        ("cancelled", "cancelled"),
    ] {
        let mut world = World::with(super::cod("28.00"));
        let account = with_cash(&mut world);
        world.told(
            account,
            answer(
                "N1",
                vec![scan("in_transit", "10:30"), scan(status, "11:00")],
            ),
        );
        assert_eq!(item(&world).status, CodStatus::NotDue);
        assert_eq!(item(&world).reason.as_deref(), Some(reason));
        assert_eq!(
            left(&world),
            Some(money("28.00", "EUR")),
            "may be tried again"
        );
    }
    // The other parcel's way is not the cash's.
    let mut world = World::with(super::cod("28.00"));
    let account = with_cash(&mut world);
    world.told(account, answer("N2", vec![scan("returned", "11:00")]));
    assert_eq!(item(&world).status, CodStatus::Expected);
    // What the carrier itself says.
    world.told(account, paid_at_the_door(eur("28.00"), "not_due"));
    assert_eq!(item(&world).reason.as_deref(), Some("carrier_says_not_due"));
}

#[test]
fn what_comes_back_is_never_collected() {
    for tracked in ["delivered", "out_for_delivery", "available_for_pickup"] {
        let mut world = World::with(super::cod("28.00"));
        let account = with_cash(&mut world);
        let begun = answer("N1", vec![scan("return_in_transit", "11:00")]);
        world.told(account, begun);
        // A feed that tells only what is new: its mapping cannot know of the return.
        let outcome = world.told(account, answer("N1", vec![scan(tracked, "12:00")]));
        assert_eq!(kinds(&outcome), ["tracking.updated"]);
        assert_eq!(
            (item(&world).status, item(&world).reason.as_deref()),
            (CodStatus::NotDue, Some("return_begun"))
        );
        world.pass(60 * 24 * 60);
        world.settle();
        assert_eq!(item(&world).status, CodStatus::NotDue, "nor ever overdue");
        // A return that was called off after all: the carrier's own word of the cash is looked at.
        let mut told = answer("N1", vec![]);
        told["cod"] = json!({ "amount": eur("28.00"), "status": "collected" });
        assert_eq!(kinds(&world.told(account, told)), ["cod.disputed"]);
    }
}

#[test]
fn what_was_delivered_before_it_came_back_is_due_whenever_that_is_told() {
    let late = ["return_in_transit", "returned", "cancelled"];
    for later in late {
        let mut world = World::with(super::cod("28.00"));
        let account = with_cash(&mut world);
        world.told(account, answer("N1", vec![scan(later, "13:00")]));
        assert_eq!(item(&world).status, CodStatus::NotDue);
        let outcome = world.told(account, answer("N1", vec![scan("delivered", "12:00")]));
        assert_eq!(
            (item(&world).status, &item(&world).reason),
            (CodStatus::Expected, &None),
            "paid at the door, and then {later}"
        );
        assert!(outcome.problems.is_empty());
    }
}

#[test]
fn money_never_comes_without_an_account() {
    let mut world = World::with(super::cod("28.00"));
    let account = with_cash(&mut world);
    world.told(account, answer("N1", vec![scan("returned", "11:00")]));
    let mut told = answer("N1", vec![]);
    told["cod"] = json!({ "amount": eur("28.00"), "status": "collected" });
    let outcome = world.told(account, told);
    assert_eq!(kinds(&outcome), ["cod.disputed"]);
    assert_eq!(outcome.problems[0].code, "cod_disputed");
    assert_eq!(
        item(&world).reason.as_deref(),
        Some("collected_after_not_due")
    );
    let mut world = World::with(paid());
    let account = with_cash(&mut world);
    let outcome = world.told(account, paid_at_the_door(eur("5.00"), "collected"));
    assert_eq!(outcome.problems[0].code, "cod_without_item");
    assert!(kinds(&outcome).contains(&"cod.disputed".to_owned()));
    let stray = item(&world);
    assert_eq!(outcome.problems[0].subject, stray.id.to_string());
    assert_eq!(stray.status, CodStatus::Disputed);
    assert_eq!(stray.reason.as_deref(), Some("collected_without_cash"));
    assert_eq!(stray.collected, Some(money("5.00", "EUR")));
    assert!(stray.due.amount.is_zero() && stray.order_amount.amount.is_zero());
    // Every poll tells it again: it is one fact.
    for amount in ["5.00", "0.00"] {
        let again = world.told(account, paid_at_the_door(eur(amount), "collected"));
        assert_eq!(again.disposition, Disposition::Unchanged);
        assert!(again.problems.is_empty());
    }
    assert_eq!(items(&world).len(), 1);
    let mut world = World::with(paid());
    let account = with_cash(&mut world);
    let outcome = world.told(account, paid_at_the_door(eur("0.00"), "collected"));
    assert!(outcome.problems.is_empty() && items(&world).is_empty());
}

#[test]
fn overdue_by_the_clock() {
    let mut world = World::with(super::cod("28.00"));
    let account = with_cash(&mut world);
    let at = |world: &World| cod_overdue_at(&world.ctx(), world.state.as_ref().unwrap());
    assert_eq!(at(&world), None, "not delivered");
    world.told(account, answer("N1", vec![scan("delivered", "12:00")]));
    assert_eq!(at(&world), Some("2026-11-27T12:00:00Z".parse().unwrap()));
    world.pass(6 * 24 * 60);
    assert_eq!(world.settle().disposition, Disposition::Unchanged);
    world.pass(2 * 24 * 60);
    let outcome = world.settle();
    assert_eq!(item(&world).status, CodStatus::Overdue);
    assert_eq!(outcome.problems[0].code, "cod_overdue");
    assert_eq!(at(&world), None);
    let outcome = world.told(account, paid_at_the_door(eur("28.00"), "collected"));
    assert_eq!(item(&world).status, CodStatus::Collected);
    assert!(
        outcome
            .resolve
            .iter()
            .any(|r| r.code.as_deref() == Some("cod_overdue"))
    );
}

#[test]
fn a_replacement_takes_the_cash_over() {
    let mut world = World::with(super::cod("28.00"));
    let account = with_cash(&mut world);
    let old = world.last().id;
    let new = replacement(&mut world, account, old);
    assert_eq!(items(&world).len(), 2);
    assert_eq!(items(&world)[0].status, CodStatus::NotDue);
    assert_eq!(items(&world)[0].reason.as_deref(), Some("replaced"));
    assert_eq!(
        (item(&world).shipment_id, item(&world).order_amount),
        (new, money("28.00", "EUR"))
    );
}

fn replacement(world: &mut World, account: ConnectionId, old: ShipmentId) -> ShipmentId {
    let mut new: Shipment = world.last().clone();
    new.id = ShipmentId::new();
    new.shipment_ref = "S2".to_owned();
    (new.connection_id, new.replaces, new.version) = (Some(account), Some(old), 1);
    new.lines = Vec::new();
    new.parcels = vec![numbered("N9")];
    let id = new.id;
    world.decide(|draft| {
        let shipments = &mut draft.state.shipments;
        shipments[0].replaced_by = Some(id);
        shipments.push(new);
        cod::born(draft, id);
    });
    id
}

#[test]
fn a_label_for_more_than_is_owed_is_a_problem_with_an_account() {
    let mut world = World::with(super::cod("28.00"));
    let account = world.account(json!({}));
    world.ship("S1", None);
    // Paid online while the label was being bought.
    world.record(later(
        super::cod("28.00"),
        5,
        &[("payment.status", json!("paid"))],
    ));
    let shipment = &mut world.state.as_mut().unwrap().shipments[0];
    shipment.connection_id = Some(account);
    shipment.status = ShipmentStatus::Purchased;
    let id = shipment.id;
    let outcome = world.decide(|draft| cod::born(draft, id));
    assert_eq!(outcome.problems[0].code, "cod_above_left");
    assert_eq!(
        item(&world).due,
        money("28.00", "EUR"),
        "what the carrier collects"
    );
    assert!(item(&world).order_amount.amount.is_zero());
}

#[test]
fn the_rate_comes_from_law_then_from_settings() {
    let mut world = World::with(super::cod("28.00"));
    world.connection.settings = serde_json::from_value(json!({
        "exchange_rates": { "EUR/RON": "4.97", "EUR/BGN": "2" },
    }))
    .unwrap();
    let due = |world: &World, currency: Value| {
        let mut other = World::active();
        other.account(json!({ "cod_currency": currency }));
        let ctx = world.ctx();
        let draft = Draft::over(&ctx, world.state.clone().unwrap());
        cod::due(&draft, &other.around.carriers[0], money("10.00", "EUR"))
    };
    assert_eq!(due(&world, json!(null)).unwrap(), money("10.00", "EUR"));
    assert_eq!(due(&world, json!("")).unwrap(), money("10.00", "EUR"));
    assert_eq!(
        due(&world, json!("BGN")).unwrap(),
        money("19.56", "BGN"),
        "the law"
    );
    assert_eq!(due(&world, json!("RON")).unwrap(), money("49.70", "RON"));
    let none = due(&world, json!("USD")).unwrap_err().to_string();
    assert!(none.contains("USD") && none.contains("EUR"));
    assert!(due(&world, json!("usd")).is_err());
}
