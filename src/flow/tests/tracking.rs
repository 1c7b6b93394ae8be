//! What carriers tell of a parcel, and what follows.
use super::*;
use crate::canonical::cod::CodStatus;
use crate::canonical::shipment::{Parcel, Shipment, ShipmentStatus};
use crate::canonical::tracking::{Origin, ParcelState, TrackingStatus};
use crate::canonical::{ParcelId, TrackingEventId};
use crate::flow::world::CarrierAccount;
use std::sync::Arc;

impl World {
    /// A carrier account of the operator that this merchant has a contract on.
    pub fn account(&mut self, settings: Value) -> ConnectionId {
        let id = ConnectionId::new();
        let connection: Connection = serde_json::from_value(json!({
            "id": id, "merchant_id": MerchantId::OPERATOR, "connector": "a-courier",
            "name": "courier", "kind": "carrier", "owner": "operator", "settings": settings,
            "contracts": { self.merchant.id.to_string(): {} },
            "state": "active", "release_from": null, "health": {}, "memory": {},
            "credentials_set": [], "created_at": START, "updated_at": START, "version": 1,
            "epoch": 1,
        }))
        .unwrap();
        self.around.carriers.push(CarrierAccount {
            connection: Arc::new(connection),
            carrier_name: "A Courier".to_owned(),
            buys_labels: true,
            voids: true,
            asks_by_number: true,
            has_directory: false,
        });
        id
    }
    /// The whole order under a label of this account, one parcel a number, not handed over yet.
    pub fn labelled(&mut self, account: ConnectionId, numbers: &[&str]) -> Outcome {
        self.ship("S1", None);
        let parcels = numbers.iter().map(|number| numbered(number)).collect();
        let cod = self.part().cod;
        let shipment = &mut self.state.as_mut().unwrap().shipments[0];
        shipment.label_ready_at = Some(shipment.created_at);
        shipment.connection_id = Some(account);
        shipment.status = ShipmentStatus::Printed;
        shipment.handed_over_at = None;
        shipment.purchased_at = Some(shipment.created_at);
        shipment.parcels = parcels;
        shipment.cod = cod;
        let id = shipment.id;
        self.decide(|draft| super::super::cod::born(draft, id))
    }
    pub fn told(&mut self, account: ConnectionId, answer: Value) -> Outcome {
        self.now += jiff::SignedDuration::from_secs(1);
        let fact = CarrierFact::Tracked {
            connection_id: account,
            origin: Origin::Poll,
            received_at: self.now,
            answer: serde_json::from_value(answer).unwrap(),
        };
        let outcome = super::super::fact(&self.ctx(), self.state.clone().unwrap(), fact).unwrap();
        self.keep(outcome)
    }
    pub fn last(&self) -> &Shipment {
        self.state.as_ref().unwrap().shipments.last().unwrap()
    }
    pub fn tracked(&self, n: usize) -> &ParcelState {
        &self.state.as_ref().unwrap().shipments[0].parcels[n].tracking
    }
}

pub fn numbered(number: &str) -> Parcel {
    serde_json::from_value(json!({
        "id": ParcelId::new(), "tracking_number": number, "tracking_url": null, "weight_g": 500,
        "length_mm": null, "width_mm": null, "height_mm": null, "sscc": null, "label": null,
    }))
    .unwrap()
}
/// A scan at this hour and minute of the day.
pub fn scan(status: &str, time: &str) -> Value {
    let occurred_at = format!("2026-11-20T{time}:00Z");
    json!({ "status": status, "carrier_code": status, "occurred_at": occurred_at })
}
pub fn answer(number: &str, events: Vec<Value>) -> Value {
    json!({ "tracking_number": number, "related": [], "events": events, "cod": null })
}
fn problems(outcome: &Outcome) -> Vec<&str> {
    outcome.problems.iter().map(|p| p.code.as_str()).collect()
}

#[test]
fn the_way_to_the_door() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let outcome = world.told(
        account,
        answer(
            "N1",
            vec![
                scan("pre_transit", "10:00"),
                scan("info", "10:01"),
                scan("in_transit", "10:30"),
            ],
        ),
    );
    assert_eq!(
        kinds(&outcome),
        [
            "shipment.handed_over",
            "tracking.updated",
            "tracking.updated",
            "tracking.updated"
        ]
    );
    assert_eq!(outcome.events[0].extra["reason"], "first_scan");
    assert_eq!(outcome.events[1].extra["tracking_number"], "N1");
    assert_eq!(world.last().status, ShipmentStatus::HandedOver);
    let first: Timestamp = "2026-11-20T10:30:00Z".parse().unwrap();
    assert_eq!(world.last().handed_over_at, Some(first));
    assert_eq!(world.tracked(0).status, TrackingStatus::InTransit);
    assert_eq!(world.tracked(0).first_scan_at, Some(first));
    let next = outcome.track[0].1.unwrap();
    assert_eq!(next.duration_since(world.now).as_mins(), 30);
    // The rest, with what is known already, out of order, and at the door.
    let whole = answer(
        "N1",
        vec![
            scan("pre_transit", "10:00"),
            scan("info", "10:01"),
            scan("in_transit", "10:30"),
            scan("delivered", "12:00"),
            scan("out_for_delivery", "11:00"),
        ],
    );
    let outcome = world.told(account, whole.clone());
    assert_eq!(kinds(&outcome), ["tracking.updated", "tracking.updated"]);
    let scans = &world.state.as_ref().unwrap().tracking;
    let of = |n: usize| {
        scans
            .iter()
            .find(|s| s.id.uuid() == outcome.events[n].snapshots[0].id)
    };
    assert_eq!(of(0).unwrap().status, TrackingStatus::OutForDelivery);
    assert_eq!(of(1).unwrap().status, TrackingStatus::Delivered);
    let job = &outcome.jobs[0];
    assert_eq!(job.kind, "delivery.push");
    assert_eq!(
        job.key,
        format!("delivery.push:{}:delivered", world.last().id)
    );
    assert_eq!(job.input["status"], "delivered");
    assert_eq!(job.input["complete"], true);
    assert_eq!(job.input["occurred_at"], "2026-11-20T12:00:00Z");
    assert_eq!(job.input["tracking"][0]["tracking_number"], "N1");
    assert!(
        !job.input.to_string().contains("Shipka"),
        "no personal data"
    );
    // Told again: nothing but the next question.
    let again = world.told(account, whole);
    assert_eq!(again.disposition, Disposition::Unchanged);
    assert!(again.state.is_none() && again.jobs.is_empty() && again.problems.is_empty());
    assert_eq!(again.track.len(), 1);
}

#[test]
fn numbers_that_are_not_ours_are_ignored() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let scans = || vec![scan("in_transit", "10:30")];
    let other = world.account(json!({}));
    for (account, number) in [
        (account, json!("N2")),
        (account, json!(null)),
        (other, json!("N1")),
    ] {
        let mut told = answer("", scans());
        told["tracking_number"] = number;
        let outcome = world.told(account, told);
        assert_eq!(outcome.disposition, Disposition::Ignored);
        assert!(outcome.reason.is_some() && outcome.state.is_none() && outcome.track.is_empty());
    }
    // A number that the carrier does not know yet: nothing happened, and it is asked for again.
    let outcome = world.told(account, answer("N1", vec![]));
    assert_eq!(outcome.disposition, Disposition::Unchanged);
    assert_eq!(world.tracked(0).status, TrackingStatus::Unknown);
    assert_eq!(outcome.track.len(), 1);
}

#[test]
fn what_the_mended_table_understands_is_told_anew() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let coded = |status: &str| {
        let mut event = scan(status, "12:00");
        event["carrier_code"] = json!("Z9");
        answer("N1", vec![event])
    };
    assert_eq!(
        kinds(&world.told(account, coded("unknown"))),
        ["tracking.updated"]
    );
    assert_eq!(world.tracked(0).status, TrackingStatus::Unknown);
    world.told(account, coded("delivered"));
    assert_eq!(world.tracked(0).status, TrackingStatus::Delivered);
    for status in ["delivered", "unknown"] {
        let again = world.told(account, coded(status));
        assert_eq!(again.disposition, Disposition::Unchanged);
    }
}

#[test]
fn the_same_scan_with_another_meaning_stands_beside_the_first() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let office = |status: &str| {
        let mut event = scan(status, "12:00");
        event["carrier_code"] = json!("office");
        answer("N1", vec![event])
    };
    world.told(account, office("in_transit"));
    // The newest event was read with the carrier's short status: it waits at the receiver's office.
    let outcome = world.told(account, office("available_for_pickup"));
    assert_eq!(kinds(&outcome), ["tracking.updated"]);
    assert_eq!(world.tracked(0).status, TrackingStatus::AvailableForPickup);
    // Once it is not the newest any more it is read as before: both are known.
    for known in ["in_transit", "available_for_pickup", "in_transit"] {
        let again = world.told(account, office(known));
        assert_eq!(again.disposition, Disposition::Unchanged);
    }
    assert_eq!(world.tracked(0).status, TrackingStatus::AvailableForPickup);
}

#[test]
fn a_hand_over_to_the_sender_is_returned_also_when_the_feed_says_delivered() {
    let mut world = World::with(cod("28.00"));
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    world.told(
        account,
        answer("N1", vec![scan("return_in_transit", "11:00")]),
    );
    let told = answer("N1", vec![scan("delivered", "12:00")]);
    let outcome = world.told(account, told.clone());
    assert_eq!(world.tracked(0).status, TrackingStatus::Returned);
    let stored = &world.state.as_ref().unwrap().tracking[1];
    assert_eq!(stored.status, TrackingStatus::Returned);
    assert_eq!(stored.carrier_code.as_deref(), Some("delivered"));
    assert_eq!(jobs(&outcome), ["delivery.push"]);
    assert_eq!(outcome.jobs[0].input["status"], "returned");
    assert_eq!(
        world.told(account, told).disposition,
        Disposition::Unchanged
    );
    // The return is told late: where the parcel is follows, and nothing is told twice.
    let mut world = World::with(cod("28.00"));
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let whole = answer(
        "N1",
        vec![
            scan("return_in_transit", "11:00"),
            scan("delivered", "12:00"),
        ],
    );
    world.told(account, answer("N1", vec![scan("delivered", "12:00")]));
    let outcome = world.told(account, whole);
    assert_eq!(world.tracked(0).status, TrackingStatus::Returned);
    assert_eq!(outcome.jobs[0].input["status"], "returned");
    assert_eq!(world.state.as_ref().unwrap().tracking.len(), 2);
    assert_eq!(
        world.state.as_ref().unwrap().cod[0].status,
        CodStatus::NotDue
    );
}

#[test]
fn every_parcel_counts() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1", "N2", "N3"]);
    let delivered = |n: &str| answer(n, vec![scan("delivered", "12:00")]);
    assert_eq!(jobs(&world.told(account, delivered("N1"))).len(), 0);
    assert_eq!(jobs(&world.told(account, delivered("N2"))).len(), 0);
    let last = world.told(account, delivered("N3"));
    assert_eq!(jobs(&last), ["delivery.push"]);
    // One of them comes back later: a new leg.
    let back = world.told(
        account,
        answer("N2", vec![scan("return_in_transit", "13:00")]),
    );
    assert_eq!(kinds(&back), ["order.updated", "tracking.updated"]);
    assert_eq!(
        back.events[0].extra["changed"],
        json!(["shipments.returning"])
    );
    assert!(back.jobs.is_empty());
    let back = world.told(account, answer("N2", vec![scan("returned", "14:00")]));
    assert_eq!(
        back.jobs[0].key,
        format!("delivery.push:{}:returned", world.last().id)
    );
    assert_eq!(back.jobs[0].input["tracking"][0]["status"], "delivered");
    assert_eq!(back.jobs[0].input["tracking"][1]["status"], "returned");
}

#[test]
fn lost_and_found() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let mut lost = scan("exception", "11:00");
    lost["reason"] = json!("carrier_lost");
    world.told(
        account,
        answer("N1", vec![scan("in_transit", "10:30"), lost]),
    );
    assert_eq!(world.tracked(0).status, TrackingStatus::InTransit);
    assert_eq!(world.tracked(0).exception.as_deref(), Some("carrier_lost"));
    let mut told = answer("N1", vec![scan("info", "11:30")]);
    told["related"] = json!([{ "kind": "redirect", "tracking_number": "R1" }]);
    world.told(account, told.clone());
    assert!(world.tracked(0).exception.is_some(), "a note is no scan");
    told["related"] = json!([{ "kind": "return", "tracking_number": "R2" }]);
    world.told(account, told);
    let related: Vec<&str> = world
        .tracked(0)
        .related
        .iter()
        .map(|r| r.tracking_number.as_str())
        .collect();
    assert_eq!(related, ["R1", "R2"]);
    world.told(account, answer("N1", vec![scan("in_transit", "12:00")]));
    assert_eq!(world.tracked(0).exception, None);
}

#[test]
fn a_scan_on_a_void_label_is_a_problem_and_hands_nothing_over() {
    for status in [ShipmentStatus::Voided, ShipmentStatus::VoidRequested] {
        let mut world = World::with(cod("28.00"));
        let account = world.account(json!({}));
        world.labelled(account, &["N1"]);
        world.decide(|draft| {
            draft.state.shipments[0].status = status;
            let id = draft.state.shipments[0].id;
            super::super::cod::not_due(draft, id, "voided");
        });
        let scans = answer("N1", vec![scan("in_transit", "10:30")]);
        let outcome = world.told(account, scans.clone());
        assert_eq!(problems(&outcome), ["scan_on_void_label"]);
        assert_eq!(kinds(&outcome), ["tracking.updated"]);
        assert_eq!(world.last().status, status);
        assert!(world.told(account, scans).problems.is_empty());
        // Its cash is not due; collected all the same, it has an account.
        let mut paid = answer("N1", vec![scan("delivered", "12:00")]);
        paid["cod"] = json!({ "amount": eur("28.00"), "status": "collected" });
        let outcome = world.told(account, paid);
        assert!(kinds(&outcome).contains(&"cod.disputed".to_owned()));
        assert!(
            outcome.jobs.is_empty(),
            "the shop is not told of a void label"
        );
        assert_eq!(
            world.state.as_ref().unwrap().cod[0].status,
            CodStatus::Disputed
        );
    }
}

#[test]
fn events_of_a_stored_order_name_their_snapshots() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    let outcome = world.told(account, answer("N1", vec![scan("info", "10:30")]));
    let scan = &world.state.as_ref().unwrap().tracking[0];
    let id = TrackingEventId::from_uuid(outcome.events[0].snapshots[0].id);
    assert_eq!(id, scan.id);
    assert_eq!(
        outcome.events[0].extra["shipment_id"],
        json!(world.last().id)
    );
    assert_eq!(
        outcome.events[0].extra["order_id"],
        json!(world.order().meta.id)
    );
}
