//! Channels with duties of their own: a receipt for every order, labels that they issue themselves.
use super::carrier::*;
use super::*;
use crate::canonical::connection::{ConnectionKind, ConnectionState};
use crate::flow::world::CarrierAccount;
use std::sync::Arc;

fn receipt(state: &str) -> (&'static str, Value) {
    ("acceptance", json!({"state": state, "kind": "receipt"}))
}

/// The order's own channel, as a maker of labels.
fn channel(world: &World) -> CarrierAccount {
    let mut connection = world.connection.clone();
    connection.kind = ConnectionKind::Marketplace;
    CarrierAccount {
        connection: Arc::new(connection),
        carrier_name: "A Marketplace".to_owned(),
        voids: false,
        ..account(|_| {})
    }
}

/// A world with a carrier of the operator, a rule for it, and a channel that issues labels.
fn issuing(settings: Value, order: Value) -> World {
    let mut world = World::new(settings);
    let (own, carrier) = (channel(&world), account(|_| {}));
    let rules = json!({"carrier_rules": [{"connection_id": carrier.connection.id}]});
    world.around.rules = crate::flow::carrier_rules(rules.as_object().unwrap()).0;
    world.around.carriers = vec![own, carrier];
    world.record(order);
    world
}

fn plan(world: &World) -> (Option<ConnectionId>, &str) {
    let plan = world.part().carrier_plan.as_ref().unwrap();
    (plan.connection_id, plan.decided_by.as_str())
}

#[test]
fn a_receipt_is_given_without_asking_anyone() {
    // Nobody decides (`accept` is manual), and it cannot go yet: it has arrived all the same.
    let waits = but(
        paid(),
        &[receipt("pending"), ("channel_state", json!("on_hold"))],
    );
    let mut world = World::active();
    let outcome = world.record(waits.clone());
    assert_eq!(jobs(&outcome), ["orders.ack"]);
    assert!(world.holds().contains(&HoldReason::AwaitingAcceptance));
    let again = world.record(later(waits, 5, &[("note", json!("x"))]));
    assert!(again.jobs.is_empty(), "once");
    let refuse = Command::RefuseOrder(Refusal {
        reason: "no stock".to_owned(),
        ..Refusal::default()
    });
    assert_eq!(world.try_run(refuse).unwrap_err().code(), "illegal_state");
    // By hand, should it have failed.
    assert_eq!(
        jobs(&world.run(Command::AcceptOrder { choice: None })),
        ["orders.ack"]
    );
    let outcome = world.fetched(later(paid(), 6, &[receipt("accepted")]));
    assert!(kinds(&outcome).contains(&"fulfillment_order.submitted".to_owned()));
}

#[test]
fn no_receipt_while_we_only_watch_nor_for_what_is_not_ours() {
    let mut watching = World::active();
    watching.connection.state = ConnectionState::Observing;
    let pending = but(paid(), &[receipt("pending")]);
    assert!(watching.record(pending.clone()).jobs.is_empty());
    watching.connection.state = ConnectionState::Active;
    assert_eq!(jobs(&watching.settle()), ["orders.ack"]);
    for other in [
        ("fulfilled_by", json!("channel")),
        ("placed_at", json!("2026-10-01T00:00:00Z")),
        ("channel_state", json!("cancelled")),
    ] {
        let mut world = World::active();
        let outcome = world.record(but(pending.clone(), std::slice::from_ref(&other)));
        assert!(outcome.jobs.is_empty(), "{other:?}");
    }
}

#[test]
fn a_channel_that_issues_labels_makes_those_of_its_own_orders() {
    let world = issuing(json!({}), paid());
    assert_eq!(plan(&world), (Some(world.connection.id), "channel"));
    // By setting the rules decide, as for any other channel.
    let world = issuing(json!({"labels": "carrier"}), paid());
    let carrier = world.around.carriers[1].connection.id;
    assert_eq!(plan(&world), (Some(carrier), "rule"));
    // An operator's word goes first.
    let mut world = issuing(json!({}), paid());
    world.run(Command::Override {
        set: serde_json::from_value(json!({"delivery.carrier": "carrier"})).unwrap(),
        reason: "too heavy for them".to_owned(),
    });
    let carrier = world.around.carriers[1].connection.id;
    assert_eq!(plan(&world), (Some(carrier), "operator"));
}

#[test]
fn nobody_else_s_orders_go_by_a_channel_s_labels() {
    let mut world = World::active();
    let mut other = channel(&world);
    Arc::make_mut(&mut other.connection).id = ConnectionId::new();
    let rules = json!({"carrier_rules": [{"connection_id": other.connection.id}]});
    world.around.rules = crate::flow::carrier_rules(rules.as_object().unwrap()).0;
    world.around.carriers = vec![other];
    world.record(paid());
    assert_eq!(world.holds(), [HoldReason::MethodUnmapped]);
    world.around.rules.clear();
    world.settle();
    let named = world.label_of(0, "S1", None, 1);
    let error = world.try_run(named).unwrap_err();
    assert_eq!(error.code(), "invalid");
    assert!(format!("{error:?}").contains("its own orders only"));
}

#[test]
fn what_the_channel_says_because_it_issued_our_label_closes_nothing() {
    let fulfilled = |second| {
        let told = [
            ("channel_state", json!("fulfilled")),
            ("channel_status", json!("4")),
        ];
        later(paid(), second, &told)
    };
    let mut world = issuing(json!({}), paid());
    world.accept();
    let ahead = world.ahead_of(0, "S1", None);
    let outcome = world.run(ahead);
    let job = &outcome.jobs[0];
    assert_eq!(job.connection_id, world.connection.id);
    world.labels(0, vec![label("AWB1", vec![pdf()])]);
    let outcome = world.record(fulfilled(5));
    assert!(kinds(&outcome).is_empty(), "its own echo");
    assert_eq!(world.part().status, FulfillmentStatus::InProgress);
    let packed = world.ship_of(0, "S1", None);
    let packed = match packed {
        Command::Ship { id, lines, .. } => Command::Ship {
            id,
            revision: None,
            shipment_ref: "S1".to_owned(),
            lines,
            parcels: vec![],
            carrier: None,
            service: None,
            carrier_connection_id: None,
            label_format: Default::default(),
            override_request: false,
        },
        _ => unreachable!(),
    };
    world.run(packed);
    assert_eq!(world.part().status, FulfillmentStatus::Closed);
    assert_eq!(world.shipments(), 1);
    // A void label was issued all the same: the goods are still to go.
    let mut world = issuing(json!({}), paid());
    world.accept();
    let ahead = world.ahead_of(0, "S1", None);
    world.run(ahead);
    world.labels(0, vec![label("AWB1", vec![pdf()])]);
    world.record(fulfilled(5));
    world.void(0);
    world.settle();
    assert_eq!(world.part().status, FulfillmentStatus::InProgress);
    // Without a label of ours it is fulfilled elsewhere.
    let mut world = issuing(json!({}), paid());
    world.record(fulfilled(5));
    assert_eq!(
        world.order().meta.closed_reason.as_deref(),
        Some("closed_elsewhere")
    );
}

#[test]
fn a_label_is_ready_when_each_parcel_has_its_paper() {
    let mut world = issuing(json!({}), paid());
    let ship = world.label_of(0, "S1", None, 2);
    world.run(ship);
    // One number for both, then a paper for each.
    world.labels(0, vec![label("AWB1", vec![])]);
    let (shipment_id, mut ready) = (world.id(0), Vec::new());
    for place in 0..2 {
        world.fact(CarrierFact::Labels {
            shipment_id,
            parcel: Some(place),
            labels: vec![label("AWB1", vec![pdf()])],
        });
        ready.push(world.shipment(0).label_ready_at.is_some());
    }
    assert_eq!(ready, [false, true]);
    let papers = &world.shipment(0).documents;
    assert_eq!(papers.len(), 2);
    assert_ne!(papers[0].parcel_id, papers[1].parcel_id);
}

fn question(accept_by: &str) -> Value {
    but(
        paid(),
        &[
            ("acceptance", json!({"state": "pending"})),
            ("deadlines", json!({"accept_by": accept_by})),
        ],
    )
}

const LATER: &str = "2026-11-20T12:00:00Z";

fn input(outcome: &crate::flow::change::Outcome, at: usize) -> Value {
    outcome.jobs[at].input.clone()
}

#[test]
fn yes_by_setting_is_said_once_nothing_else_holds_the_order() {
    let mut world = World::new(json!({"accept": "auto"}));
    let unpaid = but(
        question(LATER),
        &[
            ("payment.status", json!("unpaid")),
            ("channel_state", json!("pending_payment")),
        ],
    );
    assert!(world.record(unpaid.clone()).jobs.is_empty());
    assert!(world.order().meta.answer.is_none());
    let outcome = world.record(later(question(LATER), 3, &[]));
    assert_eq!(jobs(&outcome), ["orders.ack"]);
    assert_eq!(input(&outcome, 0)["choice"], Value::Null);
    let answer = world.order().meta.answer.clone().unwrap();
    assert!(answer.accept && answer.by == "gateway");
    assert!(world.settle().jobs.is_empty(), "once");
    // Only the channel's word counts.
    assert_eq!(world.holds(), [HoldReason::AwaitingAcceptance]);
    // Asked anew, it is answered anew.
    world.record(later(
        question(LATER),
        4,
        &[("acceptance.state", json!("accepted"))],
    ));
    let outcome = world.record(later(question(LATER), 5, &[]));
    assert_eq!(jobs(&outcome), ["orders.ack"]);
}

#[test]
fn a_person_chooses_how_and_says_why_not() {
    let mut world = World::with(question(LATER));
    let choice = json!({"pickup_window": 3});
    let outcome = world.run(Command::AcceptOrder {
        choice: choice.as_object().cloned(),
    });
    assert_eq!(input(&outcome, 0)["choice"], choice);
    let mut world = World::with(question(LATER));
    let line = world.order().facts.lines()[0].clone();
    let line_id = *line.id.value().unwrap();
    let refusal = Refusal {
        reason: "limited_quantity".to_owned(),
        note: Some("one is broken".to_owned()),
        lines: Some(vec![crate::flow::RefusedLine {
            line_id,
            reason: None,
            available: Some(Quantity::ONE),
        }]),
    };
    let outcome = world.run(Command::RefuseOrder(refusal.clone()));
    assert_eq!(jobs(&outcome), ["orders.refuse"]);
    let told = input(&outcome, 0);
    assert_eq!(told["note"], "one is broken");
    assert_eq!(told["lines"][0]["external_id"], json!(line.external_id));
    assert_eq!(told["lines"][0]["reason"], "limited_quantity");
    assert_eq!(told["lines"][0]["available"], 1);
    let answer = world.order().meta.answer.clone().unwrap();
    assert_eq!(
        (answer.accept, answer.reason.as_deref()),
        (false, Some("limited_quantity"))
    );
    let mut other = World::with(question(LATER));
    let error = other.try_run(Command::RefuseOrder(refusal)).unwrap_err();
    assert_eq!(error.code(), "invalid", "another order's line");
}

#[test]
fn what_nobody_answers_is_refused_by_setting_before_it_expires() {
    let settings =
        json!({"refuse": "before_deadline", "refuse_minutes": 20, "refuse_reason": "other"});
    let mut world = World::new(settings);
    assert!(world.record(question(LATER)).jobs.is_empty());
    let due = |world: &World| crate::flow::answer_due(&world.ctx(), world.order());
    world.pass(90);
    assert!(!due(&world));
    assert!(world.settle().jobs.is_empty());
    world.pass(15);
    assert!(due(&world));
    let outcome = world.settle();
    assert_eq!(jobs(&outcome), ["orders.refuse"]);
    assert_eq!(input(&outcome, 0)["reason"], "other");
    assert_eq!(input(&outcome, 0)["lines"].as_array().unwrap().len(), 2);
    assert!(!due(&world), "once");
    assert!(world.settle().jobs.is_empty());
    // What was accepted is not refused, and what is over is not answered.
    let mut said = World::new(json!({"refuse": "before_deadline", "accept": "auto"}));
    said.record(question(LATER));
    said.pass(110);
    assert!(said.settle().jobs.is_empty());
    let mut late = World::new(json!({"refuse": "before_deadline"}));
    late.record(question(LATER));
    late.pass(121);
    assert!(late.settle().jobs.is_empty());
}

#[test]
fn a_point_told_in_words_will_do_where_the_channel_makes_the_label() {
    let point = json!({"mode": "pickup_point", "pickup_point": {"network": null, "id": null, "name": "Kiosk 5"}});
    let order = but(paid(), &[("delivery", point)]);
    let world = issuing(json!({}), order.clone());
    assert_eq!(world.holds(), []);
    let world = issuing(json!({"labels": "carrier"}), order);
    assert_eq!(world.holds(), [HoldReason::PickupPointInvalid]);
}
