//! `ship`: idempotent, never too much, and the channel is told.
use super::*;

#[test]
fn shipping_all_closes_and_tells_the_channel_once() {
    let mut world = World::with(paid());
    let outcome = world.ship("S1", None);
    assert_eq!(
        kinds(&outcome),
        [
            "fulfillment_order.accepted",
            "shipment.handed_over",
            "fulfillment_order.closed"
        ]
    );
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    let job = &outcome.jobs[0];
    assert_eq!(job.kind, "fulfillment.push");
    let shipment = &world.state.as_ref().unwrap().shipments[0];
    assert_eq!(job.key, format!("fulfillment.push:{}", shipment.id));
    assert_eq!(job.input["order"]["external_id"], "1001");
    assert_eq!(job.input["complete"], true);
    assert_eq!(job.input["tracking"][0]["tracking_number"], "T-S1");
    assert_eq!(job.input["tracking"][0]["carrier"], "carrier");
    assert_eq!(job.input["lines"][0]["external_id"], "a");
    assert_eq!(job.input["lines"][0]["quantity"], json!(2));
    let text = job.input.to_string();
    assert!(
        !text.contains("Shipka") && !text.contains("example.com"),
        "no personal data"
    );
    assert_eq!(
        outcome.events[1].extra["order_id"],
        json!(world.order().meta.id)
    );
    // Told again, with lines spelled out and without: the same shipment, nothing new.
    for lines in [None, Some(vec![(1, 1), (0, 2)])] {
        let again = world.ship_of(0, "S1", lines);
        let (outcome, answer) = world.try_run(again).unwrap();
        assert_eq!(outcome.disposition, Disposition::Unchanged);
        assert!(outcome.jobs.is_empty());
        assert_eq!(
            answer,
            CommandAnswer::Shipment(world.state.as_ref().unwrap().shipments[0].id)
        );
    }
    let mut other = world.ship_of(0, "S1", None);
    if let Command::Ship { parcels, .. } = &mut other {
        parcels[0].tracking_number = Some("T-other".to_owned());
    }
    assert_eq!(
        world.try_run(other).unwrap_err().code(),
        "shipment_ref_reused"
    );
}

#[test]
fn parts_ship_one_after_the_other_and_never_too_much() {
    let mut world = World::with(paid());
    let outcome = world.ship("S1", Some(vec![(0, 1)]));
    assert_eq!(outcome.jobs[0].input["complete"], false);
    assert_eq!(world.status(), OrderStatus::PartiallyFulfilled);
    assert_eq!(world.part().status, FulfillmentStatus::InProgress);
    // Two equal partial shipments are legal.
    world.ship("S2", Some(vec![(0, 1)]));
    for (lines, path) in [
        (vec![(0, 1)], "lines.0.quantity"),
        (vec![(1, 1), (1, 1)], "lines.1.quantity"),
        (vec![(1, 0)], "lines.0.quantity"),
        (vec![(1, -1)], "lines.0.quantity"),
        (vec![], "lines"),
    ] {
        let ship = world.ship_of(0, "S3", Some(lines));
        let error = world.try_run(ship).unwrap_err();
        assert_eq!(error.code(), "invalid");
        assert!(
            error.fields().contains_key(path),
            "{path} in {:?}",
            error.fields()
        );
    }
    let outcome = world.ship("S3", Some(vec![(1, 1)]));
    assert_eq!(outcome.jobs[0].input["complete"], true);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
}

#[test]
fn what_is_not_released_is_not_shipped() {
    let mut world = World::with(but(paid(), &[("payment.status", json!("unpaid"))]));
    let ship = world.ship_of(0, "S1", None);
    assert_eq!(world.try_run(ship).unwrap_err().code(), "illegal_state");
    let mut blank = world.ship_of(0, " ", None);
    assert_eq!(world.try_run(blank.clone()).unwrap_err().code(), "invalid");
    if let Command::Ship {
        id, shipment_ref, ..
    } = &mut blank
    {
        *id = FulfillmentOrderId::new();
        *shipment_ref = "S".to_owned();
    }
    assert_eq!(world.try_run(blank).unwrap_err().code(), "not_found");
}

#[test]
fn a_ship_that_names_an_old_revision_is_refused() {
    let mut world = World::with(paid());
    world.record(later(paid(), 5, &[("ship_to.line1", json!("ul. Rila 3"))]));
    let mut ship = world.ship_of(0, "S1", None);
    if let Command::Ship { revision, .. } = &mut ship {
        *revision = Some(1);
    }
    assert_eq!(world.try_run(ship).unwrap_err().code(), "stale_revision");
}

#[test]
fn the_cash_travels_with_the_first_shipment_only() {
    let mut world = World::with(cod("28.00"));
    assert_eq!(world.part().cod.unwrap().amount.to_string(), "28.00");
    world.ship("S1", Some(vec![(0, 1)]));
    world.ship("S2", None);
    let shipments = &world.state.as_ref().unwrap().shipments;
    let cod: Vec<_> = shipments
        .iter()
        .map(|s| s.cod.map(|c| c.amount.to_string()))
        .collect();
    assert_eq!(cod, [Some("28.00".to_owned()), None]);
    let paid_cod = but(cod_paid(), &[]);
    assert!(World::with(paid_cod).part().cod.is_none());
}

fn cod_paid() -> Value {
    but(cod("28.00"), &[("payment.status", json!("paid"))])
}

#[test]
fn a_changed_amount_to_collect_is_asked_for_at_work() {
    let mut world = World::with(cod("28.00"));
    world.accept();
    world.record(later(cod("25.00"), 5, &[]));
    assert_eq!(
        world.part().request.as_ref().unwrap().wanted["cod"],
        eur("25.00")
    );
    world.answer(true);
    assert_eq!(world.part().cod.unwrap().amount.to_string(), "25.00");
    world.ship("S1", None);
    assert_eq!(
        world.state.as_ref().unwrap().shipments[0]
            .cod
            .unwrap()
            .amount
            .to_string(),
        "25.00"
    );
}

#[test]
fn the_channel_is_not_told_before_the_first_scan_where_that_is_set() {
    let mut world = World::new(json!({"fulfillment_push": "first_scan"}));
    world.record(paid());
    assert!(world.ship("S1", None).jobs.is_empty());
}

#[test]
fn of_orders_that_no_channel_knows_nobody_is_told() {
    let mut world = World::active();
    let mapped = serde_json::from_value(paid()).unwrap();
    let source = crate::canonical::order::Source::Api;
    let (_, outcome) = super::super::create(&world.ctx(), mapped, source, "desk").unwrap();
    world.keep(outcome);
    assert!(world.ship("S1", None).jobs.is_empty());
}
