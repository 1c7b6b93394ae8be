//! Answers that were lost: nothing is bought twice, a person says what happened.
use super::carrier::*;
use super::*;
use crate::canonical::problem::Class;
use crate::canonical::shipment::ShipmentStatus as S;

fn lost() -> World {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", None);
    let outcome = world.lost(0);
    assert_eq!(codes(&outcome), ["label_outcome_unknown"]);
    assert_eq!(outcome.problems[0].class, Class::Ambiguous);
    let hint = outcome.problems[0].hint.clone().unwrap();
    assert!(hint.contains(&format!("/v1/shipments/{}/resolve", world.id(0))));
    assert_eq!(world.standing(0), S::OutcomeUnknown);
    assert!(!fulfillment::remains(world.part()));
    world
}
fn resolve(world: &World, outcome: Resolution) -> Command {
    Command::ResolveShipment {
        id: world.id(0),
        outcome,
    }
}
fn purchased(numbers: &[&str]) -> Resolution {
    let tracking_numbers = numbers.iter().map(|n| (*n).to_owned()).collect();
    Resolution::Purchased { tracking_numbers }
}

#[test]
fn a_person_says_that_it_was_bought() {
    let mut world = lost();
    let again = world.label_of(0, "S1", None, 1);
    assert_eq!(
        world.run(again).disposition,
        Disposition::Unchanged,
        "never by itself"
    );
    let void = Command::VoidShipment {
        id: world.id(0),
        reason: None,
    };
    assert_eq!(world.try_run(void).unwrap_err().code(), "illegal_state");
    for wrong in [purchased(&[]), purchased(&[" "]), purchased(&["a", "b"])] {
        let what = resolve(&world, wrong);
        assert_eq!(world.try_run(what).unwrap_err().code(), "invalid");
    }
    let what = resolve(&world, purchased(&[" T1 "]));
    let outcome = world.run(what);
    assert_eq!(
        kinds(&outcome),
        ["shipment.label_created", "fulfillment_order.closed"]
    );
    assert!(mended(&outcome).contains(&"label_outcome_unknown"));
    assert_eq!(
        world.shipment(0).parcels[0].tracking_number.as_deref(),
        Some("T1")
    );
    assert_eq!(world.state.as_ref().unwrap().cod.len(), 1);
    let what = resolve(&world, purchased(&["T1"]));
    assert_eq!(world.run(what).disposition, Disposition::Unchanged);
    let what = resolve(&world, Resolution::NotPurchased);
    assert_eq!(world.try_run(what).unwrap_err().code(), "illegal_state");
}

#[test]
fn a_person_says_that_it_was_not_and_it_is_asked_for_again() {
    let mut world = lost();
    let what = resolve(&world, Resolution::NotPurchased);
    let outcome = world.run(what.clone());
    assert_eq!(
        outcome.jobs[0].key,
        format!("shipment.create:{}:2", world.id(0))
    );
    assert_eq!(mended(&outcome), ["label_outcome_unknown"]);
    assert_eq!(world.standing(0), S::Requested);
    assert_eq!(world.run(what).disposition, Disposition::Unchanged);
    world.labels(0, vec![label("T1", vec![])]);
    assert_eq!(world.part().status, FulfillmentStatus::Closed);
}

#[test]
fn a_look_up_may_find_it_later() {
    let mut world = lost();
    world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(world.standing(0), S::Purchased);
    let mut refused = lost();
    refused.failed(0, Class::Rejected);
    assert_eq!(refused.part().lines[0].remaining, qty(2));
}

#[test]
fn nothing_is_asked_for_again_that_nobody_wants_any_more() {
    let mut world = lost();
    world.record(later(
        cod("28.00"),
        5,
        &[("channel_state", json!("cancelled"))],
    ));
    let what = resolve(&world, Resolution::NotPurchased);
    assert_eq!(
        world.try_run(what.clone()).unwrap_err().code(),
        "request_pending"
    );
    world.answer(true);
    assert!(world.shipment(0).voiding);
    assert_eq!(world.status(), OrderStatus::Cancelled);
    let outcome = world.run(what);
    assert!(outcome.jobs.is_empty());
    assert_eq!(world.standing(0), S::Failed);
}

#[test]
fn of_several_parcels_what_is_known_stays_known() {
    let mut world = with_carrier(paid());
    let what = world.label_of(0, "S1", None, 2);
    world.run(what);
    let shipment_id = world.id(0);
    let labels = vec![label("T1", vec![])];
    world.fact(CarrierFact::Labels {
        shipment_id,
        parcel: Some(0),
        labels,
    });
    world.lost(0);
    assert_eq!(world.standing(0), S::OutcomeUnknown);
    let what = resolve(&world, purchased(&["T9", "T2"]));
    assert_eq!(world.try_run(what).unwrap_err().code(), "invalid");
    let mut not = world_clone(&world);
    let what = resolve(&not, Resolution::NotPurchased);
    let outcome = not.run(what);
    assert_eq!(
        jobs(&outcome),
        ["shipment.cancel"],
        "what was bought is void"
    );
    assert_eq!(not.standing(0), S::Failed);
    let what = resolve(&world, purchased(&["T1", "T2"]));
    world.run(what);
    assert_eq!(world.part().status, FulfillmentStatus::Closed);
}

fn world_clone(world: &World) -> World {
    World {
        connection: world.connection.clone(),
        merchant: world.merchant.clone(),
        now: world.now,
        state: world.state.clone(),
        last_record: world.last_record,
        similar: None,
        around: world.around.clone(),
    }
}
