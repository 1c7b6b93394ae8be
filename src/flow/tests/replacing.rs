//! Another label in place of one that was bought, and labels that are outdated.
use super::carrier::*;
use super::*;
use crate::canonical::cod::CodStatus;
use crate::canonical::problem::Class;
use crate::canonical::shipment::ShipmentStatus as S;

fn labelled() -> World {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", None);
    world.labels(0, vec![label("T1", vec![pdf()])]);
    world
}
fn moved(minutes: u32) -> Value {
    later(
        cod("28.00"),
        minutes,
        &[("ship_to.line1", json!("ul. Rila 3"))],
    )
}

#[test]
fn the_new_label_is_bought_and_then_the_old_one_is_void() {
    let mut world = labelled();
    let outcome = world.record(moved(5));
    assert_eq!(codes(&outcome), ["label_outdated"]);
    assert_eq!(outcome.problems[0].detail["fields"], json!(["ship_to"]));
    assert_eq!(outcome.problems[0].subject, world.id(0).to_string());
    let what = world.replace_of(0);
    let (outcome, answer) = world.try_run(what.clone()).unwrap();
    assert_eq!(answer, CommandAnswer::Shipment(world.id(1)));
    assert_eq!(mended(&outcome), ["label_outdated"]);
    assert_eq!(outcome.jobs[0].input["receiver"]["line1"], "ul. Rila 3");
    assert_eq!(outcome.jobs[0].input["cod"], eur("28.00"));
    assert_eq!(world.shipment(1).shipment_ref, "S1~2");
    assert_eq!(world.shipment(0).replaced_by, Some(world.id(1)));
    assert_eq!(world.shipment(1).replaces, Some(world.id(0)));
    assert_eq!(world.shipment(1).parcels[0].weight_g, Some(500));
    assert_eq!(
        (world.status(), world.standing(0)),
        (OrderStatus::Fulfilled, S::Purchased)
    );
    assert_eq!(world.run(what).disposition, Disposition::Unchanged);

    let outcome = world.labels(1, vec![label("T2", vec![pdf()])]);
    assert_eq!(kinds(&outcome), ["shipment.label_created"]);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert_eq!(outcome.jobs[0].input["tracking_numbers"], json!(["T1"]));
    let cod: Vec<_> = world
        .state
        .as_ref()
        .unwrap()
        .cod
        .iter()
        .map(|c| (c.shipment_id, c.status))
        .collect();
    assert_eq!(
        cod,
        [
            (world.id(0), CodStatus::NotDue),
            (world.id(1), CodStatus::Expected)
        ]
    );
    let outcome = world.voided(0);
    assert_eq!(kinds(&outcome), ["shipment.voided"]);
    assert!(
        outcome.track.is_empty(),
        "a scan on it would be a mistake to be seen"
    );
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert_eq!(world.parts(), 1);
    // And once more.
    let what = world.replace_of(1);
    world.run(what);
    assert_eq!(world.shipment(2).shipment_ref, "S1~3");
}

#[test]
fn when_the_new_one_fails_the_old_one_is_as_it_was() {
    let mut world = labelled();
    let before = world.shipment(0).clone();
    let what = world.replace_of(0);
    world.run(what.clone());
    let outcome = world.failed(1, Class::Invalid);
    assert!(
        outcome.problems[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("old label stays")
    );
    assert_eq!(world.shipment(0).replaced_by, None);
    assert_eq!(
        (world.standing(0), &world.shipment(0).lines),
        (before.status, &before.lines)
    );
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    // Again: the same reference, another request.
    let outcome = world.run(what);
    assert_eq!(
        outcome.jobs[0].key,
        format!("shipment.create:{}:2", world.id(1))
    );
    assert_eq!(world.shipments(), 2);
    let ship = world.label_of(0, "S1~2", None, 1);
    world.failed(1, Class::Invalid);
    assert_eq!(world.try_run(ship).unwrap_err().code(), "illegal_state");
}

#[test]
fn a_parcel_that_left_with_the_old_label_needs_no_new_one() {
    let mut world = labelled();
    let what = world.replace_of(0);
    world.run(what);
    let id = world.id(0);
    let manifest = Command::ManifestShipment {
        id,
        handed_over: true,
    };
    assert_eq!(world.try_run(manifest).unwrap_err().code(), "illegal_state");
    // The carrier scanned it all the same.
    world.state.as_mut().unwrap().shipments[0].status = S::HandedOver;
    let outcome = world.labels(1, vec![label("T2", vec![pdf()])]);
    assert_eq!(jobs(&outcome), ["shipment.cancel", "fulfillment.push"]);
    assert_eq!(outcome.jobs[0].input["tracking_numbers"], json!(["T2"]));
    assert_eq!(
        outcome.jobs[1].input["tracking"][0]["tracking_number"],
        "T1"
    );
    assert_eq!(world.shipment(0).replaced_by, None);
    assert_eq!(world.state.as_ref().unwrap().cod.len(), 1);
}

#[test]
fn a_replacement_that_is_not_wanted_any_more_leaves_the_old_one() {
    let mut world = labelled();
    let what = world.replace_of(0);
    world.run(what);
    let old = Command::VoidShipment {
        id: world.id(0),
        reason: None,
    };
    assert_eq!(world.try_run(old).unwrap_err().code(), "illegal_state");
    world.void(1);
    world.labels(1, vec![label("T2", vec![pdf()])]);
    assert_eq!(
        (world.standing(0), world.standing(1)),
        (S::Purchased, S::VoidRequested)
    );
    world.voided(1);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert_eq!(world.parts(), 1);
}

#[test]
fn the_cash_of_now_stands_on_the_new_label() {
    let mut world = labelled();
    let outcome = world.record(later(cod("25.00"), 5, &[]));
    assert_eq!(outcome.problems[0].detail["fields"], json!(["cod"]));
    let what = world.replace_of(0);
    let outcome = world.run(what);
    assert_eq!(outcome.jobs[0].input["cod"], eur("25.00"));
    world.labels(1, vec![label("T2", vec![pdf()])]);
    assert_eq!(
        world.state.as_ref().unwrap().cod[1].order_amount,
        money("25.00")
    );
    // Paid meanwhile: nothing is to be collected.
    let outcome = world.record(later(paid(), 6, &[]));
    assert_eq!(codes(&outcome), ["label_outdated"]);
    let what = world.replace_of(1);
    assert_eq!(world.run(what).jobs[0].input["cod"], Value::Null);
}

#[test]
fn while_the_warehouse_is_asked_a_label_is_not_outdated() {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", Some(vec![(0, 1)]));
    world.labels(0, vec![label("T1", vec![pdf()])]);
    let outcome = world.record(moved(5));
    assert!(codes(&outcome).is_empty());
    let what = world.replace_of(0);
    assert_eq!(world.try_run(what).unwrap_err().code(), "request_pending");
    let outcome = world.answer(true);
    assert_eq!(codes(&outcome), ["label_outdated"]);
    // Back again: the label is right.
    world.record(later(cod("28.00"), 6, &[]));
    let outcome = world.answer(true);
    assert_eq!(mended(&outcome), ["label_outdated"]);

    let mut refused = with_carrier(cod("28.00"));
    refused.buy("S1", Some(vec![(0, 1)]));
    refused.labels(0, vec![label("T1", vec![pdf()])]);
    refused.record(moved(5));
    assert!(codes(&refused.answer(false)).is_empty());
}

#[test]
fn only_a_bought_label_in_the_house_is_replaced() {
    let mut world = with_carrier(paid());
    world.buy("S1", None);
    let what = world.replace_of(0);
    assert_eq!(
        world.try_run(what.clone()).unwrap_err().code(),
        "illegal_state"
    );
    world.labels(0, vec![label("T1", vec![pdf()])]);
    let id = world.id(0);
    world.run(Command::ManifestShipment {
        id,
        handed_over: false,
    });
    assert_eq!(world.try_run(what).unwrap_err().code(), "illegal_state");
}
