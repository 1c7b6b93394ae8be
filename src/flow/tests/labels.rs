//! Labels that we buy: asked for once, their papers and numbers, what they cost, refusals.
use super::carrier::*;
use super::*;
use crate::canonical::job::Lane;
use crate::canonical::problem::Class;
use crate::canonical::shipment::ShipmentStatus as S;

#[test]
fn shipping_buys_the_label_and_closes_when_it_is_there() {
    let mut world = with_carrier(paid());
    let outcome = world.buy("S1", None);
    assert_eq!(kinds(&outcome), ["fulfillment_order.accepted"]);
    assert_eq!(world.standing(0), S::Requested);
    assert!(world.shipment(0).packed);
    assert_eq!(world.part().status, FulfillmentStatus::InProgress);
    assert!(!fulfillment::remains(world.part()), "lines leave at once");
    assert_eq!(world.status(), OrderStatus::InProgress);
    let job = &outcome.jobs[0];
    let id = world.id(0);
    assert_eq!(job.kind, "shipment.create");
    assert_eq!(job.key, format!("shipment.create:{id}:1"));
    assert_eq!(
        (job.ordering_key.clone(), job.lane),
        (id.to_string(), Lane::Label)
    );
    assert_eq!(job.connection_id, world.carrier());
    // The same `ship` meanwhile is the same shipment.
    let again = world.label_of(0, "S1", None, 1);
    let (outcome, answer) = world.try_run(again).unwrap();
    assert_eq!(outcome.disposition, Disposition::Unchanged);
    assert_eq!(answer, CommandAnswer::Shipment(id));

    let outcome = world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(
        kinds(&outcome),
        ["shipment.label_created", "fulfillment_order.closed"]
    );
    assert_eq!(world.standing(0), S::Purchased);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    let parcel = &world.shipment(0).parcels[0];
    assert_eq!(parcel.tracking_number.as_deref(), Some("T1"));
    assert_eq!(
        parcel.tracking_url.as_deref(),
        Some("https://carrier.example/T1")
    );
    assert_eq!(
        parcel.label.as_ref().unwrap().document_id,
        outcome.documents[0].about.id
    );
    assert_eq!(outcome.documents[0].content, b"%PDF-1.4");
    assert_eq!(
        outcome.track,
        [(
            parcel.id,
            Some(world.now + jiff::SignedDuration::from_mins(30))
        )]
    );
    assert!(outcome.jobs.is_empty(), "the channel is told at handover");
    assert!(kinds(&world.complete(0)).is_empty());
    let again = world.label_of(0, "S1", None, 1);
    assert_eq!(world.run(again).disposition, Disposition::Unchanged);
}

#[test]
fn the_input_is_what_carrier_folders_are_promised() {
    let order = but(
        cod("28.00"),
        &[
            ("customer.phone", json!("+359888123456")),
            ("customer.language", json!("bg")),
            (
                "delivery",
                json!({"mode": "pickup_point", "instructions": "ring",
            "pickup_point": {"network": "a", "id": "77", "name": "Office"}}),
            ),
            ("lines.0.weight_g", json!(150)),
            ("lines.1.weight_g", json!(20.5)),
        ],
    );
    let mut world = with_carrier(order);
    let mut what = world.label_of(0, "S1", None, 1);
    if let Command::Ship {
        parcels, service, ..
    } = &mut what
    {
        parcels.clear();
        *service = Some("express".to_owned());
    }
    let outcome = world.run(what);
    let input = outcome.jobs[0].input.clone();
    let shipment = world.shipment(0);
    let tail = shipment.id.to_string();
    let reference = format!("1001-{}", &tail[tail.len() - 8..]);
    assert_eq!(
        input,
        json!({
            "shipment": {"id": shipment.id, "reference": reference, "shipment_ref": "S1", "request_number": 1},
            "order": {"id": world.order().meta.id, "external_id": "1001", "external_number": "#1001",
                      "currency": "EUR", "language": "bg", "attributes": null},
            "service": "express", "mode": "pickup_point",
            "sender": crate::canonical::Address { name: Some("Depot".to_owned()), city: Some("Sofia".to_owned()),
                country: Some("BG".to_owned()), ..Default::default() },
            "return_to": null, "customer_number": null,
            "receiver": crate::canonical::Address { phone: Some("+359888123456".to_owned()),
                email: Some("i@example.com".to_owned()), ..shipment.ship_to.clone().unwrap() },
            "pickup_point": {"network": "a", "id": "77", "name": "Office"}, "instructions": "ring",
            "parcels": [{"id": shipment.parcels[0].id, "number": 1, "reference": reference,
                "weight_g": 321, "length_mm": null, "width_mm": null, "height_mm": null}],
            "cod": eur("28.00"), "cod_account": "CD-1", "cod_payee": "operator",
            "insured": null, "value": eur("25.00"), "contents": "a, b", "label_format": "pdf",
        })
    );
}

#[test]
fn only_accounts_and_services_that_the_merchant_may_use() {
    for (account, field) in [
        (account(paused), "carrier_connection_id"),
        (account(without_contract), "carrier_connection_id"),
        (account(|a| a.buys_labels = false), "carrier_connection_id"),
        (
            account(|a| contract(a, |c| c.services = vec!["slow".to_owned()])),
            "service",
        ),
    ] {
        let mut world = with_account(paid(), account);
        let mut what = world.label_of(0, "S1", None, 1);
        if let Command::Ship { service, .. } = &mut what {
            *service = Some("standard".to_owned());
        }
        let error = world.try_run(what).unwrap_err();
        assert_eq!(error.code(), "invalid");
        assert!(error.fields().contains_key(field), "{:?}", error.fields());
    }
    let mut world = with_carrier(paid());
    let mut both = world.label_of(0, "S1", None, 1);
    if let Command::Ship { parcels, .. } = &mut both {
        parcels[0].tracking_number = Some("MINE".to_owned());
    }
    let error = world.try_run(both).unwrap_err();
    assert!(error.fields().contains_key("parcels.0.tracking_number"));
}

#[test]
fn the_planned_account_is_asked_unless_the_warehouse_has_its_own_label() {
    let planned = |world: &mut World| {
        let plan = crate::canonical::fulfillment::CarrierPlan {
            connection_id: Some(world.carrier()),
            service: Some("standard".to_owned()),
            decided_by: "rule".to_owned(),
            why: "all".to_owned(),
        };
        world.state.as_mut().unwrap().fulfillment_orders[0].carrier_plan = Some(plan);
    };
    let mut world = with_carrier(paid());
    planned(&mut world);
    let mut what = world.label_of(0, "S1", Some(vec![(0, 1)]), 1);
    if let Command::Ship {
        carrier_connection_id,
        ..
    } = &mut what
    {
        *carrier_connection_id = None;
    }
    assert_eq!(jobs(&world.run(what)), ["shipment.create"]);
    assert_eq!(world.shipment(0).service.as_deref(), Some("standard"));
    let own = world.ship("S2", None);
    assert_eq!(jobs(&own), ["fulfillment.push"]);
    assert_eq!(world.standing(1), S::HandedOver);
}

#[test]
fn a_refused_label_gives_the_goods_back_and_is_asked_for_anew() {
    let mut world = with_carrier(paid());
    world.buy("S1", None);
    let outcome = world.failed(0, Class::Invalid);
    assert_eq!(codes(&outcome), ["label_refused"]);
    let problem = &outcome.problems[0];
    assert_eq!(problem.subject, world.id(0).to_string());
    assert_eq!(problem.class, Class::Invalid);
    assert!(problem.hint.as_ref().unwrap().contains("same shipment_ref"));
    assert_eq!(problem.detail["fields"], json!(["receiver.postal_code"]));
    assert_eq!(world.part().status, FulfillmentStatus::InProgress);
    assert_eq!(world.part().lines[0].remaining, qty(2));
    assert_eq!(world.status(), OrderStatus::InProgress);

    world.run(Command::Override {
        set: [("ship_to.postal_code".to_owned(), json!("1001"))].into(),
        reason: "typo".to_owned(),
    });
    let again = world.label_of(0, "S1", None, 1);
    assert_eq!(world.try_run(again).unwrap_err().code(), "request_pending");
    world.answer(true);
    let again = world.label_of(0, "S1", None, 1);
    let (outcome, answer) = world.try_run(again).unwrap();
    let id = world.id(0);
    assert_eq!(answer, CommandAnswer::Shipment(id));
    assert_eq!(outcome.jobs[0].key, format!("shipment.create:{id}:2"));
    assert_eq!(outcome.jobs[0].input["receiver"]["postal_code"], "1001");
    assert_eq!(world.shipments(), 1);
    assert!(world.shipment(0).failure.is_none());
    let outcome = world.labels(0, vec![label("T1", vec![])]);
    assert_eq!(mended(&outcome), ["label_refused", "label_outcome_unknown"]);
    assert_eq!(world.part().status, FulfillmentStatus::Closed);
}

#[test]
fn with_override_the_label_says_what_the_order_says_now() {
    let mut world = with_carrier(paid());
    world.accept();
    world.record(later(paid(), 5, &[("ship_to.line1", json!("ul. Rila 3"))]));
    let mut what = world.label_of(0, "S1", None, 1);
    assert_eq!(
        world.try_run(what.clone()).unwrap_err().code(),
        "request_pending"
    );
    if let Command::Ship {
        override_request, ..
    } = &mut what
    {
        *override_request = true;
    }
    let outcome = world.run(what);
    assert_eq!(outcome.events[0].extra["override"], true);
    assert_eq!(outcome.jobs[0].input["receiver"]["line1"], "ul. Rila 3");
    assert_eq!(
        world.part().ship_to.as_ref().unwrap().line1.as_deref(),
        Some("ul. Rila 3")
    );
    assert_eq!(
        world.request_state(),
        Some(RequestState::Expired),
        "the wish is granted"
    );
}

#[test]
fn an_end_without_a_number_is_a_failure() {
    let mut world = with_carrier(paid());
    world.buy("S1", None);
    let nothing = crate::canonical::document::LabelAnswer {
        tracking_number: None,
        ..label("", vec![])
    };
    world.labels(0, vec![nothing]);
    assert_eq!(world.standing(0), S::Requested);
    let outcome = world.complete(0);
    assert_eq!(world.standing(0), S::Failed);
    assert_eq!(outcome.problems[0].class, Class::BrokenContract);
    // Its number comes by another way after all, while the goods still wait for it.
    let outcome = world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(
        kinds(&outcome),
        ["shipment.label_created", "fulfillment_order.closed"]
    );
}

#[test]
fn a_late_label_that_nobody_waits_for_is_recorded_and_void() {
    let mut world = with_carrier(paid());
    world.buy("S1", None);
    world.failed(0, Class::Rejected);
    world.ship("S2", None);
    let outcome = world.labels(0, vec![label("T1", vec![pdf()])]);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert_eq!(outcome.jobs[0].input["tracking_numbers"], json!(["T1"]));
    assert_eq!(world.standing(0), S::Failed);
    assert_eq!(
        world.shipment(0).parcels[0].tracking_number.as_deref(),
        Some("T1")
    );
    world.voided(0);
    assert!(!world.shipment(0).voiding);
}

#[test]
fn what_the_label_collects_is_compared_with_what_was_asked() {
    let told = |amount: &str| {
        let mut world = with_carrier(cod("28.00"));
        world.buy("S1", None);
        let answer = crate::canonical::document::LabelAnswer {
            cod: Some(money(amount)),
            ..label("T1", vec![pdf()])
        };
        let outcome = world.labels(0, vec![answer]);
        assert_eq!(world.state.as_ref().unwrap().cod.len(), 1);
        codes(&outcome).join(",")
    };
    assert_eq!(told("28"), "");
    assert_eq!(told("27.99"), "cod_amount_differs");
}

#[test]
fn the_channel_is_told_once_at_the_moment_that_is_set() {
    for (setting, label_job, handover_job) in
        [("label", 1, 0), ("handover", 0, 1), ("first_scan", 0, 0)]
    {
        let mut world = with_carrier(paid());
        world
            .connection
            .settings
            .insert("fulfillment_push".to_owned(), json!(setting));
        world.buy("S1", None);
        let outcome = world.labels(0, vec![label("T1", vec![pdf()])]);
        assert_eq!(outcome.jobs.len(), label_job, "{setting}");
        if let Some(job) = outcome.jobs.first() {
            assert_eq!(job.input["complete"], true);
            assert_eq!(job.input["tracking"][0]["tracking_number"], "T1");
        }
        let id = world.id(0);
        let handed = |handed_over| Command::ManifestShipment { id, handed_over };
        assert_eq!(kinds(&world.run(handed(false))), ["shipment.manifested"]);
        let outcome = world.run(handed(true));
        assert_eq!(kinds(&outcome), ["shipment.handed_over"]);
        assert_eq!(outcome.jobs.len(), handover_job, "{setting}");
        assert_eq!(world.run(handed(true)).disposition, Disposition::Unchanged);
        let mut draft = draft::Draft::over(&world.ctx(), world.state.clone().unwrap());
        for _ in 0..2 {
            shipping::scanned(&mut draft, id, world.now).unwrap();
        }
        let told = draft.finish().unwrap();
        assert_eq!(told.jobs.len(), usize::from(setting == "first_scan"));
    }
}
