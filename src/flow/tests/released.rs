//! What goes to the warehouse, and what a person may let go.
use super::*;
use crate::canonical::connection::ConnectionState;

/// How a world is made, and why an order does not go in it.
type Barred = (fn(&mut World), &'static str);

#[test]
fn orders_that_do_not_go_by_themselves_say_why_and_a_person_may_let_them_go() {
    let observing = |world: &mut World| world.connection.state = ConnectionState::Observing;
    let paused = |world: &mut World| world.connection.state = ConnectionState::Paused;
    let old = |world: &mut World| world.connection.release_from = Some(START.parse().unwrap());
    let cases: [Barred; 3] = [
        (observing, "connection_observing"),
        (paused, "connection_paused"),
        (old, "placed_before_release_from"),
    ];
    for (arrange, why) in cases {
        let mut world = World::active();
        arrange(&mut world);
        let outcome = world.record(paid());
        assert_eq!(kinds(&outcome), ["order.received"]);
        assert_eq!(
            outcome.events[0].extra,
            json!({"released": false, "not_released": why})
        );
        assert_eq!(
            (world.status(), world.part().status),
            (OrderStatus::Open, FulfillmentStatus::Open)
        );
        assert!(!world.order().meta.released && world.holds().is_empty());
        let outcome = world.run(Command::Release { reasons: None });
        assert_eq!(
            kinds(&outcome),
            ["order.released", "fulfillment_order.submitted"]
        );
        assert!(world.order().meta.released);
    }
    let mut world = World::active();
    observing(&mut world);
    world.record(paid());
    world.connection.state = ConnectionState::Active;
    let outcome = world.settle();
    assert_eq!(
        kinds(&outcome),
        ["order.released", "fulfillment_order.submitted"]
    );
}

#[test]
fn a_paused_connection_submits_nothing_more() {
    let mut world = World::with(but(paid(), &[("payment.status", json!("unpaid"))]));
    world.connection.state = ConnectionState::Paused;
    world.record(later(paid(), 5, &[]));
    assert_eq!(world.part().status, FulfillmentStatus::Open);
    world.connection.state = ConnectionState::Active;
    assert_eq!(kinds(&world.settle()), ["fulfillment_order.submitted"]);
}

#[test]
fn tests_and_orders_that_the_channel_fulfils_have_no_fulfillment_order() {
    for change in [("test", json!(true)), ("fulfilled_by", json!("channel"))] {
        let mut world = World::with(but(paid(), &[change]));
        assert_eq!(world.parts(), 0);
        assert_eq!(world.status(), OrderStatus::Open);
        let error = world
            .try_run(Command::Release { reasons: None })
            .unwrap_err();
        assert_eq!(error.code(), "illegal_state");
        world.record(later(paid(), 9, &[("channel_state", json!("fulfilled"))]));
        assert_eq!(world.status(), OrderStatus::Fulfilled);
    }
}

#[test]
fn digital_lines_never_reach_the_warehouse() {
    let digital = but(paid(), &[("lines.1.kind", json!("digital"))]);
    let world = World::with(digital);
    assert_eq!(world.part().lines.len(), 1);
    let all = but(
        paid(),
        &[
            ("lines.0.kind", json!("service")),
            ("lines.1.kind", json!("digital")),
        ],
    );
    let world = World::with(but(all, &[("ship_to", json!(null))]));
    assert_eq!((world.parts(), world.status()), (0, OrderStatus::Open));
    assert!(world.holds().is_empty());
}

#[test]
fn of_bundles_the_parts_go_or_by_setting_the_parent() {
    let set = json!([
        but(line("set", 1, "25.00"), &[("kind", json!("bundle"))]),
        but(
            line("cup", 2, "0.00"),
            &[("parent_external_id", json!("set"))]
        ),
    ]);
    for (bundles, wanted) in [("parts", "CUP"), ("parent", "SET")] {
        let mut world = World::new(json!({"bundles": bundles}));
        world.record(but(paid(), &[("lines", set.clone())]));
        let skus: Vec<_> = world
            .part()
            .lines
            .iter()
            .map(|l| l.sku.clone().unwrap())
            .collect();
        assert_eq!(skus, [wanted]);
    }
}

#[test]
fn the_next_cut_off_is_in_the_merchants_time_zone() {
    let mut world = World::new(json!({"cut_off": "15:00"}));
    world.record(paid());
    // 15:00 in Sofia is 13:00 UTC in winter.
    assert_eq!(
        world.part().cut_off_at.unwrap().to_string(),
        "2026-11-20T13:00:00Z"
    );
    let mut late = World::new(json!({"cut_off": "11:00"}));
    late.record(paid());
    assert_eq!(
        late.part().cut_off_at.unwrap().to_string(),
        "2026-11-21T09:00:00Z"
    );
    let mut due = World::new(json!({"cut_off": "15:00"}));
    due.record(but(
        paid(),
        &[("deadlines", json!({"ship_by": "2026-11-20T12:00:00Z"}))],
    ));
    assert_eq!(
        due.part().cut_off_at.unwrap().to_string(),
        "2026-11-20T12:00:00Z"
    );
}
