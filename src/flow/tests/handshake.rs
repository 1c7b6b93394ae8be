//! The race with packing: applied before the accept, asked for after it.
use super::*;
use crate::canonical::fulfillment::RequestKind;

fn cancelled(minutes: u32) -> Value {
    json!({"external_id": "1001", "channel_state": "cancelled",
           "source_updated_at": format!("2026-11-20T09:{minutes:02}:00Z")})
}
pub fn moved(minutes: u32) -> Value {
    later(
        paid(),
        minutes,
        &[("ship_to.line1", json!("ul. Vitosha 2"))],
    )
}
pub fn at_work() -> World {
    let mut world = World::with(paid());
    let outcome = world.accept();
    assert_eq!(kinds(&outcome), ["fulfillment_order.accepted"]);
    world
}

#[test]
fn before_the_accept_a_change_is_applied_and_an_old_revision_is_refused() {
    let mut world = World::with(paid());
    let outcome = world.record(moved(5));
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.submitted"]
    );
    let id = world.part().id;
    let accept = |revision| Command::FulfillmentAccept {
        id,
        revision,
        wms_ref: None,
    };
    let error = world.try_run(accept(1)).unwrap_err();
    assert_eq!(error.code(), "stale_revision");
    let current = error.current().unwrap();
    assert_eq!(current.revision, 2);
    assert_eq!(
        current.ship_to.as_ref().unwrap().line1.as_deref(),
        Some("ul. Vitosha 2")
    );
    assert_eq!(world.run(accept(2)).disposition, Disposition::Applied);
    assert_eq!(
        world.run(accept(2)).disposition,
        Disposition::Unchanged,
        "told twice"
    );
    assert_eq!(world.status(), OrderStatus::InProgress);
    assert_eq!(
        world.part().revision,
        2,
        "its own answer is no news to the warehouse"
    );
}

#[test]
fn before_the_accept_a_cancellation_is_applied() {
    let mut world = World::with(paid());
    let outcome = world.record(cancelled(5));
    assert_eq!(
        kinds(&outcome),
        ["fulfillment_order.cancelled", "order.cancelled"]
    );
    assert_eq!(
        (world.status(), world.part().revision),
        (OrderStatus::Cancelled, 2)
    );
    let id = world.part().id;
    let late = Command::FulfillmentAccept {
        id,
        revision: 1,
        wms_ref: None,
    };
    assert_eq!(world.try_run(late).unwrap_err().code(), "stale_revision");
}

#[test]
fn a_cancellation_of_work_is_asked_for_and_bars_the_ship() {
    let mut world = at_work();
    let outcome = world.record(cancelled(5));
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.change_requested"]
    );
    assert_eq!(
        (world.status(), world.part().revision),
        (OrderStatus::InProgress, 2)
    );
    assert_eq!(
        world.part().request.as_ref().unwrap().kind,
        RequestKind::Cancel
    );
    let ship = world.ship_of(0, "S1", None);
    let error = world.try_run(ship).unwrap_err();
    assert_eq!(error.code(), "request_pending");
    assert!(error.current().is_some());
    let outcome = world.answer(true);
    assert_eq!(
        kinds(&outcome),
        ["fulfillment_order.cancelled", "order.cancelled"]
    );
    assert_eq!(world.status(), OrderStatus::Cancelled);
    let ship = world.ship_of(0, "S1", None);
    assert_eq!(world.try_run(ship).unwrap_err().code(), "illegal_state");
}

#[test]
fn a_refused_cancellation_lets_the_order_go_on_and_is_not_asked_again() {
    let mut world = at_work();
    world.record(cancelled(5));
    let outcome = world.answer(false);
    assert_eq!(kinds(&outcome), ["order.updated"]);
    assert_eq!(outcome.events[0].extra["requests"][0]["state"], "refused");
    assert_eq!(world.status(), OrderStatus::InProgress);
    assert_eq!(
        world.answer(false).disposition,
        Disposition::Unchanged,
        "told twice"
    );
    let outcome = world.record(but(cancelled(6), &[("note", json!("really"))]));
    assert_eq!(kinds(&outcome), ["order.updated"]);
    assert_eq!(world.request_state(), Some(RequestState::Refused));
    world.ship("S1", None);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
}

#[test]
fn a_ship_with_override_refuses_the_request() {
    let mut world = at_work();
    world.record(cancelled(5));
    let mut ship = world.ship_of(0, "S1", None);
    if let Command::Ship {
        override_request, ..
    } = &mut ship
    {
        *override_request = true;
    }
    let outcome = world.run(ship);
    assert_eq!(
        kinds(&outcome),
        [
            "order.updated",
            "shipment.handed_over",
            "fulfillment_order.closed"
        ]
    );
    assert_eq!(outcome.events[0].extra["override"], true);
    let request = world.part().request.clone().unwrap();
    assert_eq!(request.state, RequestState::Refused);
    assert_eq!(request.answer.as_deref(), Some("already_shipped"));
}

#[test]
fn a_ship_that_was_first_wins() {
    let mut world = at_work();
    world.ship("S1", None);
    let outcome = world.record(cancelled(5));
    assert_eq!(kinds(&outcome), ["order.updated"]);
    assert_eq!(
        outcome.events[0].extra["requests"][0]["answer"],
        "already_shipped"
    );
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert_eq!(world.request_state(), Some(RequestState::Refused));
}

#[test]
fn after_a_part_left_only_the_remainder_can_be_cancelled() {
    let mut world = at_work();
    world.ship("S1", Some(vec![(0, 2)]));
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
    world.record(cancelled(5));
    let outcome = world.answer(true);
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.closed"]
    );
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert_eq!(
        world.order().meta.closed_reason.as_deref(),
        Some("remainder_cancelled")
    );
}

#[test]
fn an_operator_cancels_by_the_same_handshake_and_the_channel_is_told_when_it_took_effect() {
    let mut world = World::with(paid());
    let cancel = Command::Cancel {
        reason: Some("customer called".to_owned()),
    };
    let outcome = world.run(cancel.clone());
    assert_eq!(
        kinds(&outcome),
        ["fulfillment_order.cancelled", "order.cancelled"]
    );
    assert_eq!(jobs(&outcome), ["orders.cancel"]);
    assert_eq!(outcome.jobs[0].input["external_id"], "1001");
    assert_eq!(
        world.run(cancel.clone()).disposition,
        Disposition::Unchanged
    );
    // The channel's older idea of it does not bring it back, and its echo is no event.
    assert!(
        kinds(&world.record(later(paid(), 5, &[("note", json!("n"))])))
            .contains(&"order.updated".to_owned())
    );
    assert_eq!(world.status(), OrderStatus::Cancelled);
    assert!(world.record(cancelled(6)).events.is_empty());

    let mut busy = at_work();
    let outcome = busy.run(cancel.clone());
    assert_eq!(kinds(&outcome), ["fulfillment_order.change_requested"]);
    assert!(outcome.jobs.is_empty());
    let outcome = busy.answer(true);
    assert_eq!(jobs(&outcome), ["orders.cancel"]);

    let mut firm = at_work();
    firm.run(cancel);
    firm.answer(false);
    assert_eq!(firm.status(), OrderStatus::InProgress);
    assert!(
        firm.order().meta.overrides.is_empty(),
        "the cancellation is off"
    );
}

#[test]
fn fulfilled_elsewhere_while_at_work_is_asked_for() {
    let mut world = at_work();
    world.record(later(paid(), 5, &[("channel_state", json!("fulfilled"))]));
    assert_eq!(
        world.part().request.as_ref().unwrap().kind,
        RequestKind::Cancel
    );
    let outcome = world.answer(true);
    assert_eq!(
        kinds(&outcome),
        [
            "order.updated",
            "fulfillment_order.cancelled",
            "order.closed"
        ]
    );
    assert_eq!(
        world.order().meta.closed_reason.as_deref(),
        Some("closed_elsewhere")
    );
}
