//! What requests ask for, and what comes of their answers.
use super::handshake::{at_work, moved};
use super::*;
use crate::canonical::fulfillment::RequestKind;

#[test]
fn a_second_change_takes_the_place_of_the_first() {
    let mut world = at_work();
    world.record(moved(5));
    let first = world.part().request.clone().unwrap();
    assert_eq!(first.wanted["ship_to"]["line1"], "ul. Vitosha 2");
    assert!(
        first.wanted.get("lines").is_none(),
        "only what is wanted otherwise"
    );
    let outcome = world.record(later(paid(), 6, &[("ship_to.line1", json!("ul. Rila 3"))]));
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.change_requested"]
    );
    let second = world.part().request.clone().unwrap();
    assert_eq!((second.id, second.state), (first.id, RequestState::Pending));
    assert_eq!(second.wanted["ship_to"]["line1"], "ul. Rila 3");
    assert_eq!(world.part().revision, 3);
    let stale = Command::AnswerRequest {
        fulfillment_id: world.part().id,
        request_id: first.id,
        accept: true,
        revision: 2,
        note: None,
    };
    assert_eq!(world.try_run(stale).unwrap_err().code(), "stale_revision");
    let old = world.part().ship_to.clone();
    world.answer(true);
    assert_ne!(world.part().ship_to, old);
    assert_eq!(
        world.part().ship_to.as_ref(),
        world.order().facts.ship_to.value()
    );
    assert_eq!(
        (world.part().revision, world.status()),
        (3, OrderStatus::InProgress)
    );
    world.ship("S1", None);
}

#[test]
fn a_wish_that_is_withdrawn_expires() {
    let mut world = at_work();
    world.record(moved(5));
    let outcome = world.record(later(paid(), 6, &[]));
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.change_requested"]
    );
    assert_eq!(outcome.events[1].extra["withdrawn"], true);
    assert_eq!(world.request_state(), Some(RequestState::Expired));
    assert_eq!(world.part().revision, 3);
    let answered = world.part().request.clone().unwrap();
    let late = Command::AnswerRequest {
        fulfillment_id: world.part().id,
        request_id: answered.id,
        accept: true,
        revision: 3,
        note: None,
    };
    assert_eq!(world.try_run(late).unwrap_err().code(), "illegal_state");
    world.ship("S1", None);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
}

#[test]
fn a_refused_change_stays_refused_until_it_went_away_once() {
    let mut world = at_work();
    world.record(moved(5));
    world.answer(false);
    let again = later(
        paid(),
        6,
        &[
            ("ship_to.line1", json!("ul. Vitosha 2")),
            ("note", json!("x")),
        ],
    );
    assert_eq!(kinds(&world.record(again)), ["order.updated"]);
    world.record(later(paid(), 7, &[]));
    let outcome = world.record(moved(8));
    assert!(kinds(&outcome).contains(&"fulfillment_order.change_requested".to_owned()));
}

#[test]
fn lines_are_asked_for_as_a_whole_list_and_applied() {
    let mut world = at_work();
    let fewer = later(
        paid(),
        5,
        &[
            ("lines.0.cancelled_quantity", json!(1)),
            ("lines.0.total", eur("10.00")),
            ("totals.total", eur("18.00")),
        ],
    );
    world.record(fewer);
    let wanted = world.part().request.clone().unwrap().wanted;
    let quantities: Vec<_> = wanted["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["sku"].clone(), line["quantity"].clone()))
        .collect();
    assert_eq!(quantities, [(json!("A"), json!(1)), (json!("B"), json!(1))]);
    assert_eq!(
        world.part().lines[0].quantity,
        qty(2),
        "not before the warehouse says so"
    );
    world.answer(true);
    assert_eq!(world.part().lines[0].quantity, qty(1));
    let error = {
        let ship = world.ship_of(0, "S1", Some(vec![(0, 2)]));
        world.try_run(ship).unwrap_err()
    };
    assert_eq!(error.fields()["lines.0.quantity"], "only 1 remain");
}

#[test]
fn a_refused_addition_becomes_a_fulfillment_order_of_its_own() {
    let mut world = at_work();
    let more = later(
        paid(),
        5,
        &[
            (
                "lines",
                json!([
                    line("a", 3, "30.00"),
                    line("b", 1, "5.00"),
                    line("c", 1, "1.00")
                ]),
            ),
            ("totals.total", eur("39.00")),
        ],
    );
    world.record(more.clone());
    let outcome = world.answer(false);
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.submitted"]
    );
    assert_eq!(world.parts(), 2);
    let extra: Vec<_> = world
        .nth(1)
        .lines
        .iter()
        .map(|l| (l.sku.clone().unwrap(), l.quantity))
        .collect();
    assert_eq!(extra, [("A".to_owned(), qty(1)), ("C".to_owned(), qty(1))]);
    world.ship("S1", None);
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
    let ship = world.ship_of(1, "S2", None);
    let outcome = world.run(ship);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert_eq!(outcome.jobs[0].input["complete"], true);
}

#[test]
fn a_hold_of_work_is_asked_for() {
    let mut world = at_work();
    let hold = Command::Hold {
        reason: HoldReason::HighRiskOfFraud,
        detail: None,
    };
    let outcome = world.run(hold);
    assert_eq!(
        kinds(&outcome),
        ["order.held", "fulfillment_order.change_requested"]
    );
    assert_eq!(
        world.part().request.as_ref().unwrap().kind,
        RequestKind::Hold
    );
    world.answer(true);
    assert_eq!(
        (world.status(), world.part().status),
        (OrderStatus::OnHold, FulfillmentStatus::OnHold)
    );
    let outcome = world.run(Command::Release { reasons: None });
    assert_eq!(
        kinds(&outcome),
        ["order.released", "fulfillment_order.submitted"]
    );

    let mut firm = at_work();
    firm.record(later(paid(), 5, &[("channel_state", json!("on_hold"))]));
    firm.answer(false);
    assert_eq!(firm.status(), OrderStatus::InProgress);
    firm.ship("S1", None);
    assert_eq!(firm.status(), OrderStatus::Fulfilled);
    assert!(firm.holds().is_empty());
}

#[test]
fn a_reject_holds_until_a_person_releases() {
    let mut world = at_work();
    let (id, revision) = (world.part().id, world.part().revision);
    let reject = Command::FulfillmentReject {
        id,
        revision,
        reason: HoldReason::SkuUnmapped,
        note: Some("no such item".to_owned()),
    };
    let outcome = world.run(reject);
    assert_eq!(kinds(&outcome), ["order.held"]);
    assert_eq!(outcome.events[0].extra["reasons"], json!(["sku_unmapped"]));
    assert_eq!(
        (world.status(), world.part().status),
        (OrderStatus::OnHold, FulfillmentStatus::OnHold)
    );
    // The channel's changes are simply applied meanwhile.
    world.record(moved(5));
    assert_eq!(
        world.part().ship_to.as_ref().unwrap().line1.as_deref(),
        Some("ul. Vitosha 2")
    );
    let outcome = world.run(Command::Release { reasons: None });
    assert_eq!(
        kinds(&outcome),
        ["order.released", "fulfillment_order.submitted"]
    );
}
