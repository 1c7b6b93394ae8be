//! Numbers and papers of labels: whose they are, and that each is kept once.
use super::carrier::*;
use super::tracking::{answer, scan};
use super::*;
use crate::canonical::problem::Class;
use crate::canonical::shipment::ShipmentStatus as S;
use crate::canonical::tracking::TrackingStatus;

#[test]
fn papers_may_come_later_and_are_stored_once() {
    let mut world = with_carrier(paid());
    world.buy("S1", None);
    let outcome = world.labels(0, vec![label("T1", vec![])]);
    assert_eq!(kinds(&outcome), ["fulfillment_order.closed"]);
    let charge = json!([{"kind": "shipping", "total": eur("4.20"), "tax": eur("0.70")}]);
    let paper = crate::canonical::document::LabelAnswer {
        charges: serde_json::from_value(charge).unwrap(),
        ..label("T1", vec![pdf(), document("zpl", ZPL)])
    };
    let outcome = world.labels(0, vec![paper.clone()]);
    assert_eq!(kinds(&outcome), ["shipment.label_created"]);
    assert_eq!(world.shipment(0).charges.len(), 1);
    // The carrier prints it anew: other bytes of the same paper.
    let reprint = label(
        "T1",
        vec![document("pdf", "JVBERi0xLjU="), document("zpl", ZPL)],
    );
    let outcome = world.labels(0, vec![reprint]);
    assert_eq!(outcome.disposition, Disposition::Unchanged);
    assert_eq!(world.shipment(0).documents.len(), 2);
    assert_eq!(
        world.shipment(0).parcels[0].label.as_ref().unwrap().format,
        "pdf"
    );
}

#[test]
fn a_paper_that_is_none_leaves_the_purchase_as_it_is() {
    for (format, content) in [
        ("pdf", "PGh0bWw+"),
        ("zpl", "SGVsbG8="),
        ("png", PDF),
        ("pdf", "not base64!"),
        ("pdf", ""),
    ] {
        let mut world = with_carrier(paid());
        world.buy("S1", None);
        let outcome = world.labels(0, vec![label("T1", vec![document(format, content)])]);
        assert_eq!(
            codes(&outcome),
            ["label_document_unreadable"],
            "{format} {content}"
        );
        assert_eq!(outcome.problems[0].class, Class::BrokenContract);
        assert_eq!(world.standing(0), S::Purchased);
        assert!(outcome.documents.is_empty());
        assert_eq!(kinds(&world.complete(0)), ["shipment.label_created"]);
    }
    let wrapped = document("zpl", "\n XlhB\r\nXlha \n");
    let mut world = with_carrier(paid());
    world.buy("S1", None);
    let outcome = world.labels(0, vec![label("T1", vec![wrapped])]);
    assert_eq!(outcome.documents[0].content, b"^XA^XZ");
}

#[test]
fn several_parcels_by_one_answer_by_several_or_one_by_one() {
    let of = |world: &World| -> Vec<Option<String>> {
        let parcels = &world.shipment(0).parcels;
        parcels.iter().map(|p| p.tracking_number.clone()).collect()
    };
    let three = || {
        let mut world = with_carrier(paid());
        let what = world.label_of(0, "S1", None, 3);
        world.run(what);
        world
    };
    let numbers = |names: [&str; 3]| names.map(|name| Some(name.to_owned())).to_vec();
    let mut one = three();
    one.labels(0, vec![label("T", vec![pdf()])]);
    assert_eq!(of(&one), numbers(["T", "T", "T"]));
    assert!(one.shipment(0).documents[0].parcel_id.is_none());
    assert_eq!(one.part().status, FulfillmentStatus::Closed);
    let mut all = three();
    let each = ["T1", "T2", "T3"].map(|number| label(number, vec![pdf()]));
    all.labels(0, each.to_vec());
    assert_eq!(of(&all), numbers(["T1", "T2", "T3"]));
    assert_eq!(all.shipment(0).documents.len(), 3);
    let mut single = three();
    for (place, answer) in each.iter().enumerate() {
        assert_eq!(single.part().status, FulfillmentStatus::InProgress);
        let shipment_id = single.id(0);
        let labels = vec![answer.clone()];
        single.fact(CarrierFact::Labels {
            shipment_id,
            parcel: Some(place),
            labels,
        });
        assert_eq!(single.standing(0), S::Purchased);
    }
    assert_eq!(of(&single), numbers(["T1", "T2", "T3"]));
    assert_eq!(single.part().status, FulfillmentStatus::Closed);
    // A number more than there are parcels is not lost.
    single.labels(0, vec![label("T4", vec![])]);
    let related = &single.shipment(0).parcels[2].tracking.related;
    assert_eq!(related[0].tracking_number, "T4");
}

#[test]
fn of_labels_bought_in_part_the_rest_is_void() {
    let mut world = with_carrier(paid());
    let what = world.label_of(0, "S1", None, 2);
    world.run(what);
    let shipment_id = world.id(0);
    let labels = vec![label("T1", vec![pdf()])];
    world.fact(CarrierFact::Labels {
        shipment_id,
        parcel: Some(0),
        labels,
    });
    let outcome = world.failed(0, Class::Rejected);
    assert_eq!(world.standing(0), S::Failed);
    assert_eq!(jobs(&outcome), ["shipment.cancel"]);
    assert_eq!(outcome.jobs[0].input["tracking_numbers"], json!(["T1"]));
    assert_eq!(
        world.shipment(0).parcels[0].tracking_number.as_deref(),
        Some("T1")
    );
    assert_eq!(world.part().lines[0].remaining, qty(2));
    let again = world.label_of(0, "S1", None, 2);
    assert_eq!(
        world.try_run(again.clone()).unwrap_err().code(),
        "illegal_state"
    );
    world.voided(0);
    let outcome = world.run(again);
    assert_eq!(world.shipment(0).former_numbers, ["T1"]);
    assert!(world.shipment(0).parcels[0].tracking_number.is_none());
    let reference = outcome.jobs[0].input["shipment"]["reference"]
        .as_str()
        .unwrap();
    assert!(
        reference.ends_with("-2"),
        "a look-up must not find the void ones"
    );
    let numbers = ["T5", "T6"].map(|number| label(number, vec![]));
    world.labels(0, numbers.to_vec());
    assert_eq!(world.part().status, FulfillmentStatus::Closed);
    // The parcel travels with the void one: that is on record, and moves nothing.
    let account = world.carrier();
    let told = answer(
        "T1",
        vec![scan("pre_transit", "10:20"), scan("in_transit", "10:30")],
    );
    let outcome = world.told(account, told.clone());
    assert_eq!(codes(&outcome), ["scan_on_void_label"]);
    assert_eq!(kinds(&outcome), ["tracking.updated"]);
    let stored = &world.state.as_ref().unwrap().tracking;
    assert_eq!(stored[0].status, TrackingStatus::Info);
    assert_eq!(stored[0].carrier_code.as_deref(), Some("in_transit"));
    assert_eq!(world.tracked(0).first_scan_at, None);
    assert_eq!(
        world.told(account, told).disposition,
        Disposition::Unchanged
    );
}
