//! A purchase that came twice waits until a person or a cancellation decides.

use super::*;
use crate::canonical::Order;

/// A world that looks an hour far, with what was found so far.
fn world(similar: Vec<Order>) -> World {
    let mut world = World::new(json!({"duplicate_window_minutes": 60}));
    world.similar = Some(similar);
    world
}

fn same_merchant(world: &mut World, first: &World) {
    world.connection.merchant_id = first.connection.merchant_id;
    world.merchant.id = first.merchant.id;
}

/// A second order beside the first one, both as `paid`, changed like this.
fn second(first: &World, changes: &[(&str, Value)]) -> World {
    let mut world = world(vec![first.order().clone()]);
    same_merchant(&mut world, first);
    let order = but(paid(), &[("external_id", json!("1002"))]);
    world.record(but(order, changes));
    world
}

fn suspected(world: &World) -> bool {
    world.holds().contains(&HoldReason::SuspectedDuplicate)
}

#[test]
fn the_later_of_two_equal_orders_waits() {
    let first = World::with(paid());
    let twin = second(&first, &[]);
    assert!(suspected(&twin));
    assert_eq!(twin.order().meta.duplicate_of, Some(first.order().meta.id));
    assert_eq!(twin.status(), OrderStatus::OnHold);
    let other_spelling = [
        ("customer.email", json!("I@Example.com ")),
        ("ship_to.city", json!("  SOFIA")),
        (
            "lines",
            json!([line("b", 1, "5.00"), line("a", 2, "20.00")]),
        ),
    ];
    assert!(suspected(&second(&first, &other_spelling)));
    assert!(suspected(&second(
        &first,
        &[("placed_at", json!("2026-11-20T10:00:00Z"))]
    )));
    assert!(suspected(&second(
        &first,
        &[("placed_at", json!("2026-11-20T08:00:00Z"))]
    )));
}

#[test]
fn what_differs_is_no_duplicate() {
    let first = World::with(paid());
    for change in [
        ("customer.email", json!("other@example.com")),
        ("ship_to.line1", json!("ul. Shipka 2")),
        ("ship_to", json!(null)),
        (
            "lines",
            json!([line("a", 3, "23.00"), line("b", 1, "5.00")]),
        ),
        ("lines", json!([line("a", 2, "28.00")])),
        ("placed_at", json!("2026-11-20T10:00:01Z")),
        ("placed_at", json!("2026-11-20T07:59:59Z")),
        ("kind", json!("replacement")),
        (
            "delivery",
            json!({"mode": "pickup_point", "pickup_point": {"id": "7"}}),
        ),
        ("test", json!(true)),
        ("channel_state", json!("cancelled")),
    ] {
        let twin = second(&first, std::slice::from_ref(&change));
        assert!(!suspected(&twin), "{change:?}");
        assert_eq!(twin.order().meta.duplicate_of, None, "{change:?}");
    }
}

#[test]
fn a_cancelled_or_unpaid_order_and_another_merchants_make_none() {
    let cancelled = World::with(but(paid(), &[("channel_state", json!("cancelled"))]));
    assert!(!suspected(&second(&cancelled, &[])));
    let waiting = World::with(but(paid(), &[("channel_state", json!("pending_payment"))]));
    assert_eq!(waiting.status(), OrderStatus::PendingPayment);
    assert!(!suspected(&second(&waiting, &[])));
    let first = World::with(paid());
    let mut other = world(vec![first.order().clone()]);
    other.record(but(paid(), &[("external_id", json!("1002"))]));
    assert!(!suspected(&other));
}

#[test]
fn nothing_is_held_where_the_setting_is_off_or_nobody_looked() {
    let first = World::with(paid());
    let mut off = World::active();
    same_merchant(&mut off, &first);
    off.similar = Some(vec![first.order().clone()]);
    off.record(paid());
    assert!(!suspected(&off));
    let mut nobody = world(Vec::new());
    nobody.similar = None;
    nobody.record(paid());
    assert!(!suspected(&nobody));
}

#[test]
fn it_stands_through_revisions_and_commands_until_the_other_is_cancelled() {
    let mut first = World::with(paid());
    let mut twin = second(&first, &[]);
    twin.similar = None;
    let changed = later(paid(), 5, &[("note", json!("ring twice"))]);
    twin.record(but(changed, &[("external_id", json!("1002"))]));
    assert!(suspected(&twin));
    twin.similar = Some(vec![first.order().clone()]);
    twin.settle();
    assert!(suspected(&twin), "the other one stands");
    first.record(later(paid(), 6, &[("channel_state", json!("cancelled"))]));
    twin.similar = Some(vec![first.order().clone()]);
    let outcome = twin.settle();
    assert!(!suspected(&twin));
    assert_eq!(twin.order().meta.duplicate_of, None);
    assert!(kinds(&outcome).contains(&"fulfillment_order.submitted".to_owned()));
}

#[test]
fn of_three_the_next_one_is_held_by_the_one_that_is_left() {
    let mut first = World::with(paid());
    let mut b = second(&first, &[]);
    let mut c = second(&first, &[("external_id", json!("1003"))]);
    first.record(later(paid(), 6, &[("channel_state", json!("cancelled"))]));
    let all = vec![first.order().clone(), b.order().clone(), c.order().clone()];
    b.similar = Some(all.clone());
    c.similar = Some(all);
    b.settle();
    c.settle();
    assert!(!suspected(&b));
    assert_eq!(c.order().meta.duplicate_of, Some(b.order().meta.id));
}

#[test]
fn a_person_lets_it_go_and_it_stays_let_go() {
    let first = World::with(paid());
    let mut twin = second(&first, &[]);
    twin.run(Command::Release { reasons: None });
    assert!(!suspected(&twin));
    twin.settle();
    assert!(!suspected(&twin));
    assert_eq!(twin.part().status, FulfillmentStatus::Submitted);
}
