//! Labels that are not needed, labels ahead of packing, and cancellations.
use super::carrier::*;
use super::*;
use crate::canonical::cod::CodStatus;
use crate::canonical::shipment::ShipmentStatus as S;

#[test]
fn a_void_gives_the_goods_back_when_the_carrier_says_so() {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", Some(vec![(0, 1)]));
    world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
    let outcome = world.void(0);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert_eq!(
        outcome.jobs[0].input,
        json!({
            "shipment": {"id": world.id(0), "reference": world.shipment(0).reference, "shipment_ref": "S1"},
            "tracking_numbers": ["T1"],
        })
    );
    assert_eq!(world.standing(0), S::VoidRequested);
    assert_eq!(world.void(0).disposition, Disposition::Unchanged);
    assert_eq!(world.part().lines[0].remaining, qty(1));
    let outcome = world.voided(0);
    assert_eq!(kinds(&outcome), ["shipment.voided"]);
    assert_eq!(world.part().lines[0].remaining, qty(2));
    assert_eq!(
        world.state.as_ref().unwrap().cod[0].status,
        CodStatus::NotDue
    );
    assert_eq!(outcome.track, [(world.shipment(0).parcels[0].id, None)]);
    assert_eq!(
        world.shipment(0).void_reason.as_deref(),
        Some("packed wrong")
    );
    assert_eq!(world.status(), OrderStatus::InProgress);
    // The same words again name the same, void shipment; the goods go under another name.
    let again = world.label_of(0, "S1", Some(vec![(0, 1)]), 1);
    assert_eq!(world.run(again).disposition, Disposition::Unchanged);
    world.buy("S2", None);
    assert_eq!(
        world.shipment(1).cod,
        Some(money("28.00")),
        "the cash goes with the next"
    );
}

#[test]
fn where_the_carrier_voids_none_it_is_void_at_once() {
    let mut world = with_account(paid(), account(|a| a.voids = false));
    world.buy("S1", None);
    world.labels(0, vec![label("T1", vec![pdf()])]);
    let outcome = world.void(0);
    assert!(outcome.jobs.is_empty());
    assert!(kinds(&outcome).contains(&"shipment.voided".to_owned()));
    assert_eq!(world.standing(0), S::Voided);
    assert_eq!(
        world.shipment(0).void_reason.as_deref(),
        Some("carrier_has_no_cancellation")
    );
    // Its fulfillment order had closed: what is still wanted is a new one.
    assert_eq!(world.part().status, FulfillmentStatus::Closed);
    assert_eq!(world.nth(1).status, FulfillmentStatus::Submitted);
    assert_eq!(world.nth(1).lines.len(), 2);
}

#[test]
fn the_cash_of_a_void_label_goes_with_the_new_fulfillment_order() {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", None);
    world.labels(0, vec![label("T1", vec![pdf()])]);
    world.void(0);
    world.voided(0);
    assert_eq!(world.nth(1).cod, Some(money("28.00")));
    let what = world.label_of(1, "S2", None, 1);
    world.run(what);
    assert_eq!(world.shipment(1).cod, Some(money("28.00")));
    world.labels(1, vec![label("T2", vec![pdf()])]);
    let live = world
        .state
        .as_ref()
        .unwrap()
        .cod
        .iter()
        .filter(|item| item.status.live())
        .count();
    assert_eq!(live, 1);
}

#[test]
fn a_void_that_is_refused_leaves_a_valid_label() {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", None);
    world.labels(0, vec![label("T1", vec![pdf()])]);
    world.void(0);
    let outcome = world.void_refused(0);
    assert_eq!(codes(&outcome), ["label_not_voided"]);
    assert_eq!(world.standing(0), S::VoidRefused);
    assert_eq!(
        world.state.as_ref().unwrap().cod[0].status,
        CodStatus::Expected
    );
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    // Once more, and then it leaves by it after all.
    assert_eq!(jobs(&world.void(0)), ["shipment.cancel"]);
    world.void_refused(0);
    let id = world.id(0);
    world.run(Command::ManifestShipment {
        id,
        handed_over: true,
    });
    assert_eq!(world.standing(0), S::HandedOver);
    let void = Command::VoidShipment { id, reason: None };
    assert_eq!(world.try_run(void).unwrap_err().code(), "illegal_state");
}

#[test]
fn a_label_that_is_being_bought_is_void_as_soon_as_it_comes() {
    let mut world = with_carrier(cod("28.00"));
    world.buy("S1", None);
    let outcome = world.void(0);
    assert!(outcome.jobs.is_empty());
    assert!(world.shipment(0).voiding);
    let outcome = world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert!(!kinds(&outcome).contains(&"shipment.label_created".to_owned()));
    assert_eq!(world.standing(0), S::VoidRequested);
    assert!(world.state.as_ref().unwrap().cod.is_empty());
    world.voided(0);
    assert_eq!(world.standing(0), S::Voided);

    let mut never = with_carrier(paid());
    never.buy("S1", None);
    never.void(0);
    let outcome = never.failed(0, crate::canonical::problem::Class::Rejected);
    assert!(codes(&outcome).is_empty(), "nobody wants it");
    assert_eq!(never.part().lines[0].remaining, qty(2));
}

#[test]
fn a_label_ahead_of_packing_changes_nothing_until_it_is_packed() {
    let mut world = with_carrier(cod("28.00"));
    let what = world.ahead_of(0, "S1", None);
    let outcome = world.run(what.clone());
    assert_eq!(jobs(&outcome), ["shipment.create"]);
    assert!(kinds(&outcome).is_empty());
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
    assert_eq!(world.part().lines[0].remaining, qty(2));
    assert_eq!(world.run(what).disposition, Disposition::Unchanged);
    // The same goods are not labelled twice ahead.
    let twice = world.ahead_of(0, "S2", Some(vec![(0, 1)]));
    assert_eq!(world.try_run(twice).unwrap_err().code(), "invalid");
    let all = world.label_of(0, "S3", None, 1);
    assert_eq!(world.try_run(all).unwrap_err().code(), "invalid");
    let outcome = world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(kinds(&outcome), ["shipment.label_created"]);
    assert_eq!(world.status(), OrderStatus::Open);
    let id = world.id(0);
    let gone = Command::ManifestShipment {
        id,
        handed_over: true,
    };
    assert_eq!(world.try_run(gone).unwrap_err().code(), "illegal_state");
    world.run(Command::PrintShipment { id });
    world.run(Command::PrintShipment { id });
    assert_eq!(world.shipment(0).printed.len(), 2);
    assert_eq!(world.standing(0), S::Printed);

    let mut pack = world.ship_of(0, "S1", None);
    if let Command::Ship { parcels, .. } = &mut pack {
        parcels[0].tracking_number = None;
        parcels[0].weight_g = Some(777);
    }
    let outcome = world.run(pack);
    assert!(outcome.jobs.is_empty(), "no other label is bought");
    assert_eq!(
        kinds(&outcome),
        ["fulfillment_order.accepted", "fulfillment_order.closed"]
    );
    assert_eq!(world.shipment(0).parcels[0].weight_g, Some(777));
    assert_eq!(world.status(), OrderStatus::Fulfilled);
}

#[test]
fn packing_must_fit_the_label() {
    let mut world = with_carrier(paid());
    let what = world.ahead_of(0, "S1", Some(vec![(0, 1)]));
    world.run(what);
    for (lines, parcels, number, path) in [
        (Some(vec![(0, 2)]), 1, None, "lines.0.quantity"),
        (Some(vec![(1, 1)]), 1, None, "lines.0.quantity"),
        (None, 2, None, "parcels"),
        (None, 1, Some("OTHER"), "parcels.0.tracking_number"),
    ] {
        let mut pack = world.ship_of(0, "S1", lines);
        if let Command::Ship { parcels: new, .. } = &mut pack {
            *new = vec![
                NewParcel {
                    tracking_number: number.map(str::to_owned),
                    ..NewParcel::default()
                };
                parcels
            ];
        }
        let error = world.try_run(pack).unwrap_err();
        assert!(
            error.fields().contains_key(path),
            "{path}: {:?}",
            error.fields()
        );
    }
}

#[test]
fn a_label_ahead_of_goods_that_went_another_way_is_void() {
    let mut world = with_carrier(paid());
    let what = world.ahead_of(0, "A1", Some(vec![(0, 2)]));
    world.run(what);
    world.labels(0, vec![label("T1", vec![])]);
    world.ship("S1", Some(vec![(0, 1)]));
    assert_eq!(
        world.shipment(0).lines[0].quantity,
        qty(1),
        "it holds what remains"
    );
    let outcome = world.ship("S2", Some(vec![(0, 1)]));
    assert!(jobs(&outcome).contains(&"shipment.cancel"));
    assert_eq!(world.standing(0), S::VoidRequested);
}

#[test]
fn a_cancellation_voids_labels_ahead_at_once_and_packed_ones_when_it_is_accepted() {
    let gone = |minutes| {
        later(
            cod("28.00"),
            minutes,
            &[("channel_state", json!("cancelled"))],
        )
    };
    let mut ahead = with_carrier(cod("28.00"));
    let what = ahead.ahead_of(0, "S1", None);
    ahead.run(what);
    ahead.record(gone(5));
    assert_eq!(ahead.status(), OrderStatus::Cancelled);
    let outcome = ahead.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert_eq!(
        ahead.shipment(0).parcels[0].tracking_number.as_deref(),
        Some("T1")
    );

    let mut packed = with_carrier(cod("28.00"));
    packed.buy("S1", Some(vec![(0, 1)]));
    packed.labels(0, vec![label("T1", vec![pdf()])]);
    packed.record(gone(5));
    let what = packed.label_of(0, "S2", None, 1);
    assert_eq!(packed.try_run(what).unwrap_err().code(), "request_pending");
    let what = packed.ahead_of(0, "S2", None);
    assert_eq!(packed.try_run(what).unwrap_err().code(), "request_pending");
    let outcome = packed.answer(true);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert_eq!(packed.status(), OrderStatus::Cancelled);
    assert_eq!(packed.part().status, FulfillmentStatus::Cancelled);
    packed.voided(0);
    assert_eq!(
        packed.state.as_ref().unwrap().cod[0].status,
        CodStatus::NotDue
    );

    // `ship` was first: nothing is called back.
    let mut first = with_carrier(cod("28.00"));
    first.buy("S1", None);
    first.labels(0, vec![label("T1", vec![pdf()])]);
    first.record(gone(5));
    assert_eq!(first.request_state(), Some(RequestState::Refused));
    assert_eq!(first.standing(0), S::Purchased);
}

#[test]
fn a_void_label_that_the_channel_knows_is_told_to_people() {
    for told in [true, false] {
        let mut world = with_carrier(paid());
        if told {
            let settings = &mut world.connection.settings;
            settings.insert("fulfillment_push".to_owned(), json!("label"));
        }
        world.buy("S1", None);
        let bought = world.labels(0, vec![label("N1", vec![pdf()])]);
        assert_eq!(jobs(&bought).contains(&"fulfillment.push"), told);
        world.void(0);
        let outcome = world.voided(0);
        assert_eq!(
            codes(&outcome).contains(&"channel_told_of_void_label"),
            told
        );
    }
    // Replaced: the new label is told as it comes, and the old one is on record.
    let mut world = with_carrier(paid());
    let settings = &mut world.connection.settings;
    settings.insert("fulfillment_push".to_owned(), json!("label"));
    world.buy("S1", None);
    world.labels(0, vec![label("N1", vec![pdf()])]);
    world.run(world.replace_of(0));
    let outcome = world.labels(1, vec![label("N2", vec![pdf()])]);
    assert!(jobs(&outcome).contains(&"fulfillment.push"));
    assert_eq!(codes(&world.voided(0)), ["channel_told_of_void_label"]);
}
