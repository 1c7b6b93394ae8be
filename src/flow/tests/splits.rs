//! Several fulfillment orders: pre-ordered goods and shortages.
use super::*;

#[test]
fn goods_expected_later_go_by_themselves_later() {
    let soon = "2026-12-01T00:00:00Z";
    let mut world = World::with(but(cod("28.00"), &[("lines.1.expected_at", json!(soon))]));
    assert_eq!(world.parts(), 2);
    assert_eq!(world.nth(0).status, FulfillmentStatus::Submitted);
    assert_eq!(world.nth(1).status, FulfillmentStatus::Scheduled);
    assert_eq!(world.nth(1).fulfill_at.unwrap().to_string(), soon);
    assert!(world.nth(0).cod.is_some() && world.nth(1).cod.is_none());
    world.ship("S1", None);
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
    world.now = soon.parse().unwrap();
    assert_eq!(kinds(&world.settle()), ["fulfillment_order.submitted"]);
    let ship = world.ship_of(1, "S2", None);
    world.run(ship);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
}

fn short(world: &mut World, line: usize, n: i64) -> Outcome {
    let what = Command::FulfillmentShort {
        id: world.part().id,
        revision: world.part().revision,
        lines: vec![ShortLine {
            line_id: world.line(line),
            quantity: qty(n),
        }],
        note: Some("shelf empty".to_owned()),
    };
    world.run(what)
}

#[test]
fn of_a_shortage_the_rest_ships_and_the_remainder_waits() {
    let mut world = World::with(paid());
    world.accept();
    let outcome = short(&mut world, 0, 1);
    assert_eq!(
        kinds(&outcome),
        ["order.held", "fulfillment_order.incomplete"]
    );
    assert_eq!(outcome.events[1].extra["short"][0]["quantity"], json!(1));
    assert_eq!(world.part().status, FulfillmentStatus::Incomplete);
    assert_eq!(world.part().supported_actions, ["ship", "short"]);
    assert_eq!(world.nth(1).status, FulfillmentStatus::OnHold);
    assert_eq!(
        world.nth(1).holds[0].reason,
        HoldReason::InventoryOutOfStock
    );
    assert_eq!(world.nth(1).lines[0].remaining, qty(1));
    let outcome = world.ship("S1", None);
    assert_eq!(outcome.jobs[0].input["complete"], false);
    assert_eq!(world.part().status, FulfillmentStatus::Incomplete);
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
    let outcome = world.run(Command::Release { reasons: None });
    assert_eq!(kinds(&outcome), ["fulfillment_order.submitted"]);
    let ship = world.ship_of(1, "S2", None);
    world.run(ship);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert!(world.order().meta.closed_reason.is_none());
}

#[test]
fn by_setting_all_waits_or_the_shortage_is_given_up() {
    let mut wait = World::new(json!({"on_short": "wait"}));
    wait.record(paid());
    wait.accept();
    short(&mut wait, 0, 1);
    assert_eq!(wait.nth(1).lines.len(), 2);
    assert_eq!(wait.nth(1).lines[0].remaining, qty(2));
    assert_eq!(wait.status(), OrderStatus::OnHold);

    let mut rest = World::new(json!({"on_short": "cancel_rest"}));
    rest.record(paid());
    let outcome = short(&mut rest, 0, 1);
    assert_eq!(
        kinds(&outcome),
        ["fulfillment_order.accepted", "fulfillment_order.incomplete"]
    );
    assert_eq!(jobs(&outcome), ["orders.cancel"]);
    assert_eq!(outcome.jobs[0].input["lines"][0]["external_id"], "a");
    assert_eq!(rest.parts(), 1);
    // The channel confirms: nothing more is taken away.
    rest.record(later(
        paid(),
        5,
        &[
            ("lines.0.cancelled_quantity", json!(1)),
            ("lines.0.total", eur("10.00")),
            ("totals.total", eur("18.00")),
        ],
    ));
    assert!(rest.part().request.is_none());
    rest.ship("S1", None);
    assert_eq!(rest.status(), OrderStatus::Fulfilled);

    let mut none = World::new(json!({"on_short": "cancel_rest"}));
    none.record(but(paid(), &[("lines", json!([line("a", 2, "25.00")]))]));
    let outcome = short(&mut none, 0, 2);
    assert!(kinds(&outcome).contains(&"order.cancelled".to_owned()));
    assert_eq!(
        none.order().meta.closed_reason.as_deref(),
        Some("out_of_stock")
    );
}

#[test]
fn what_is_cancelled_after_a_shortage_comes_off_the_remainder_first() {
    let mut world = World::with(paid());
    world.accept();
    short(&mut world, 0, 1);
    let outcome = world.record(later(
        paid(),
        5,
        &[
            ("lines.0.cancelled_quantity", json!(1)),
            ("lines.0.total", eur("10.00")),
            ("totals.total", eur("18.00")),
        ],
    ));
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.cancelled"]
    );
    assert!(world.part().request.is_none());
    assert_eq!(world.part().lines[0].remaining, qty(1));
}

#[test]
fn a_cancellation_after_the_rest_of_a_shortage_left_is_answered() {
    let mut world = World::with(paid());
    world.accept();
    short(&mut world, 0, 1);
    world.ship("S1", None);
    assert_eq!(world.part().status, FulfillmentStatus::Incomplete);
    world.record(json!({"external_id": "1001", "channel_state": "cancelled", "source_updated_at": "2026-11-20T09:05:00Z"}));
    let request = world.part().request.clone().unwrap();
    assert_eq!(request.state, RequestState::Refused);
    assert_eq!(request.answer.as_deref(), Some("already_shipped"));
}

#[test]
fn too_much_cannot_be_short() {
    let mut world = World::with(paid());
    let what = Command::FulfillmentShort {
        id: world.part().id,
        revision: 1,
        lines: vec![ShortLine {
            line_id: world.line(0),
            quantity: qty(3),
        }],
        note: None,
    };
    assert_eq!(world.try_run(what).unwrap_err().code(), "invalid");
}

#[test]
fn more_of_a_line_after_all_has_left_is_a_fulfillment_order_of_its_own() {
    let mut world = World::with(paid());
    world.ship("S1", None);
    let outcome = world.record(later(
        paid(),
        5,
        &[
            ("lines.0.quantity", json!(3)),
            ("lines.0.total", eur("30.00")),
            ("totals.total", eur("38.00")),
        ],
    ));
    assert!(kinds(&outcome).contains(&"fulfillment_order.submitted".to_owned()));
    assert_eq!(world.nth(1).lines[0].quantity, qty(1));
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
}
