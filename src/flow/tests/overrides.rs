//! An operator's corrections: laid over, never wiped, in conflict only where the channel changes
//! the very path.
use super::*;

fn set(path: &str, value: Value) -> Command {
    Command::Override {
        set: [(path.to_owned(), value)].into(),
        reason: "phoned".to_owned(),
    }
}
fn line1(world: &World) -> String {
    world
        .order()
        .facts
        .ship_to
        .value()
        .unwrap()
        .line1
        .clone()
        .unwrap()
}

#[test]
fn a_correction_clears_the_hold_whose_cause_it_mends() {
    let mut world = World::with(but(paid(), &[("ship_to.city", json!(null))]));
    assert_eq!(world.holds(), [HoldReason::IncorrectAddress]);
    let outcome = world.run(set("ship_to.city", json!("Sofia")));
    assert_eq!(
        kinds(&outcome),
        [
            "order.updated",
            "order.released",
            "fulfillment_order.submitted"
        ]
    );
    assert_eq!(outcome.events[0].extra["changed"], json!(["ship_to.city"]));
    let over = &world.order().meta.overrides[0];
    assert_eq!(
        (over.path.as_str(), &over.base_value, over.by.as_str()),
        ("ship_to.city", &json!(null), "tester")
    );
    assert_eq!(
        world.part().ship_to.as_ref().unwrap().city.as_deref(),
        Some("Sofia")
    );
}

#[test]
fn a_newer_revision_never_wipes_a_correction() {
    let mut world = World::with(paid());
    world.run(set("ship_to.line1", json!("ul. Shipka 10")));
    let same = world.record(paid());
    assert_eq!(
        same.disposition,
        Disposition::Unchanged,
        "the channel said nothing new"
    );
    let outcome = world.record(later(
        paid(),
        5,
        &[("note", json!("x")), ("ship_to.postal_code", json!("1001"))],
    ));
    assert_eq!(
        outcome.events[0].extra["changed"],
        json!(["ship_to.postal_code", "note"])
    );
    assert_eq!(line1(&world), "ul. Shipka 10");
    assert!(world.holds().is_empty());
}

#[test]
fn a_correction_in_nothing_leaves_nothing_behind() {
    let mut world = World::with(but(paid(), &[("ship_to", json!(null))]));
    world.run(set("ship_to.city", json!("Sofia")));
    let again = but(paid(), &[("ship_to", json!(null))]);
    assert_eq!(world.record(again).disposition, Disposition::Unchanged);
}

#[test]
fn the_channel_changing_that_path_is_a_conflict_until_someone_chooses() {
    for (choose, wanted) in [
        (Choice::Ours, "ul. Shipka 10"),
        (Choice::Theirs, "ul. Rila 3"),
    ] {
        let mut world = World::with(paid());
        world.run(set("ship_to.line1", json!("ul. Shipka 10")));
        let outcome = world.record(later(paid(), 5, &[("ship_to.line1", json!("ul. Rila 3"))]));
        assert_eq!(outcome.problems[0].code, "override_conflict");
        assert_eq!(world.holds(), [HoldReason::Conflict]);
        assert_eq!(world.part().status, FulfillmentStatus::OnHold);
        assert_eq!(line1(&world), "ul. Shipka 10");
        let choice = |path: &str| Command::ResolveConflict {
            path: path.to_owned(),
            choose,
        };
        assert_eq!(
            world.try_run(choice("note")).unwrap_err().code(),
            "not_found"
        );
        let outcome = world.run(choice("ship_to.line1"));
        assert_eq!(
            outcome.resolve[0].code.as_deref(),
            Some("override_conflict")
        );
        assert_eq!(line1(&world), wanted);
        assert_eq!(world.part().status, FulfillmentStatus::Submitted);
        // Known by now: the same revision is no second conflict.
        let again = later(paid(), 5, &[("ship_to.line1", json!("ul. Rila 3"))]);
        assert_eq!(world.record(again).disposition, Disposition::Unchanged);
    }
}

#[test]
fn a_channel_that_comes_to_agree_ends_the_correction() {
    let mut world = World::with(paid());
    world.run(set("ship_to.line1", json!("ul. Shipka 10")));
    world.record(later(paid(), 5, &[("ship_to.line1", json!("ul. Rila 3"))]));
    let outcome = world.record(later(
        paid(),
        6,
        &[("ship_to.line1", json!("ul. Shipka 10"))],
    ));
    assert!(world.order().meta.overrides.is_empty() && world.holds().is_empty());
    assert_eq!(
        outcome.resolve[0].code.as_deref(),
        Some("override_conflict")
    );
}

#[test]
fn only_allowed_paths_and_fitting_values_and_all_or_nothing() {
    for (path, value) in [
        ("external_id", json!("x")),
        ("status", json!("open")),
        ("lines", json!([])),
        ("lines.0.id", json!("x")),
        ("lines.9.sku", json!("x")),
        ("lines.0.quantity", json!("two")),
        ("ship_to.nowhere", json!("x")),
        ("ship_to.city.name", json!("x")),
        ("payment.method", json!("gold")),
        ("totals.total", eur("1.00")),
        ("released", json!(true)),
        ("holds.conflict", json!(true)),
    ] {
        let mut world = World::with(paid());
        let what = Command::Override {
            set: [("note".to_owned(), json!("ok")), (path.to_owned(), value)].into(),
            reason: "r".to_owned(),
        };
        let error = world.try_run(what).unwrap_err();
        assert_eq!(error.code(), "invalid", "{path}");
        assert!(
            error.fields().contains_key(&format!("set.{path}")),
            "{path}"
        );
        assert!(world.order().facts.note.text().is_none());
    }
}

#[test]
fn lines_and_cash_can_be_corrected_and_taken_back() {
    let mut world = World::with(cod("28.00"));
    world.run(set("payment.cod_amount", eur("20.00")));
    assert_eq!(world.part().cod.unwrap().amount.to_string(), "20.00");
    world.run(set("lines.0.sku", json!("A-NEW")));
    assert_eq!(world.part().lines[0].sku.as_deref(), Some("A-NEW"));
    // The channel sends its lines in another order: the correction stays with its line.
    world.record(later(
        cod("28.00"),
        5,
        &[
            (
                "lines",
                json!([line("b", 1, "5.00"), line("a", 2, "20.00")]),
            ),
            ("note", json!("n")),
        ],
    ));
    assert_eq!(world.part().lines[0].sku.as_deref(), Some("A-NEW"));
    world.run(set("lines.0.sku", json!("A")));
    assert_eq!(
        world.order().meta.overrides.len(),
        1,
        "what the channel says is no correction"
    );
}

#[test]
fn a_correction_of_work_is_asked_for() {
    let mut world = World::with(paid());
    world.accept();
    let outcome = world.run(set("ship_to.line1", json!("ul. Shipka 10")));
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.change_requested"]
    );
    assert_eq!(
        world.part().request.as_ref().unwrap().wanted["ship_to"]["line1"],
        "ul. Shipka 10"
    );
}

#[test]
fn an_amount_in_another_scale_is_no_other_amount() {
    let mut world = World::with(cod("28.00"));
    world.run(set("payment.cod_amount", eur("25.00")));
    let amount = |text| but(cod(text), &[("note", json!(text))]);
    world.record(later(amount("28.0"), 5, &[]));
    assert!(world.holds().is_empty(), "{:?}", world.holds());
    world.record(later(amount("25.0"), 6, &[]));
    assert!(
        world.order().meta.overrides.is_empty(),
        "the channel agrees"
    );
    assert!(world.holds().is_empty(), "{:?}", world.holds());
}
