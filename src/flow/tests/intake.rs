//! Records: newer, equal, older, echo, hints, drafts, cancellations, remapping.
use super::*;

#[test]
fn a_paid_order_is_submitted_with_its_first_record() {
    let mut world = World::active();
    let outcome = world.record(paid());
    assert_eq!(outcome.disposition, Disposition::Applied);
    assert_eq!(
        kinds(&outcome),
        [
            "order.received",
            "order.released",
            "fulfillment_order.submitted"
        ]
    );
    assert_eq!(world.status(), OrderStatus::Open);
    let part = world.part();
    assert_eq!(
        (part.status, part.revision),
        (FulfillmentStatus::Submitted, 1)
    );
    assert_eq!(part.location, "main");
    assert_eq!(part.lines.len(), 2);
    assert_eq!(part.lines[0].remaining, qty(2));
    assert_eq!(
        part.supported_actions,
        ["accept", "ship", "short", "reject"]
    );
    let totals = world.order().facts.totals.value().unwrap().clone();
    assert_eq!(totals.items.value().unwrap().amount.to_string(), "25.00");
    assert!(outcome.jobs.is_empty() && outcome.problems.is_empty());
}

#[test]
fn the_same_again_is_unchanged_whatever_came_first() {
    let mut world = World::with(paid());
    let version = world.order().meta.version;
    for shape in [
        paid(),
        json!({"external_id": "1001", "source_updated_at": "2026-11-20T09:00:00Z", "lines": [line("b", 1, "5.0"), line("a", 2, "20.00")]}),
        json!({"external_id": "1001", "channel_state": "open"}),
    ] {
        let outcome = world.record(shape);
        assert_eq!(outcome.disposition, Disposition::Unchanged);
        assert!(outcome.jobs.is_empty());
    }
    assert_eq!(world.order().meta.version, version);
}

#[test]
fn content_that_is_known_still_moves_the_newest_revision() {
    let mut world = World::with(paid());
    assert_eq!(
        world.record(later(paid(), 30, &[])).disposition,
        Disposition::Unchanged
    );
    let between = later(paid(), 20, &[("note", json!("late"))]);
    assert_eq!(world.record(between).disposition, Disposition::Stale);
    assert_eq!(world.order().meta.version, 1);
}

#[test]
fn older_is_stale_and_numbers_compare_as_numbers() {
    for (old, new, wanted) in [
        ("9", "10", Disposition::Applied),
        ("10", "9", Disposition::Stale),
        ("10", "10", Disposition::Applied),
    ] {
        let revision = |n: &str, note: &str| {
            but(
                paid(),
                &[("source_revision", json!(n)), ("note", json!(note))],
            )
        };
        let mut world = World::with(revision(old, "one"));
        let outcome = world.record(revision(new, "two"));
        assert_eq!(outcome.disposition, wanted, "{old} then {new}");
        let read = if old == new {
            vec!["orders.get"]
        } else {
            vec![]
        };
        assert_eq!(jobs(&outcome), read);
    }
}

#[test]
fn equal_revisions_that_differ_are_applied_and_read_once_more() {
    let mut world = World::with(paid());
    let outcome = world.record(but(paid(), &[("note", json!("ring twice"))]));
    assert_eq!(kinds(&outcome), ["order.updated"]);
    assert_eq!(jobs(&outcome), ["orders.get"]);
    assert_eq!(
        outcome.jobs[0].key,
        jobs::orders_get_key(world.connection.id, "1001")
    );
    // Its answer decides, and asks for no other.
    let outcome = world.fetched(paid());
    assert_eq!(outcome.disposition, Disposition::Unchanged);
    let outcome = world.fetched(but(paid(), &[("note", json!("ring once"))]));
    assert_eq!(outcome.disposition, Disposition::Applied);
    assert!(outcome.jobs.is_empty());
}

#[test]
fn without_revision_and_time_the_arrival_counts() {
    let timeless = |note: &str| {
        let mut order = but(paid(), &[("note", json!(note))]);
        order.as_object_mut().unwrap().remove("source_updated_at");
        order
    };
    let mut world = World::with(timeless("a"));
    for note in ["b", "a", "b"] {
        let outcome = world.record(timeless(note));
        assert_eq!(
            outcome.disposition,
            Disposition::Applied,
            "A, B, A are three changes"
        );
        assert!(outcome.jobs.is_empty());
    }
}

#[test]
fn what_a_shape_does_not_tell_stays_and_null_is_known_to_be_none() {
    let mut world = World::with(but(
        paid(),
        &[("note", json!("hello")), ("attributes", json!({"a": 1}))],
    ));
    let thin = json!({"external_id": "1001", "source_updated_at": "2026-11-20T09:05:00Z",
        "note": null, "attributes": {"b": 2}, "customer": {"phone": "+359888123456"}});
    let outcome = world.record(thin);
    assert_eq!(
        outcome.events[0].extra["changed"],
        json!(["customer.phone", "note", "attributes.b"])
    );
    let facts = &world.order().facts;
    assert_eq!(facts.note.text(), None);
    assert_eq!(
        facts.customer.value().unwrap().name.text(),
        Some("Иван Петров")
    );
    assert_eq!(facts.lines().len(), 2);
    assert_eq!(
        serde_json::to_value(&facts.attributes).unwrap(),
        json!({"a": 1, "b": 2})
    );
}

#[test]
fn a_line_that_vanished_stays_cancelled_and_a_new_one_is_added() {
    let mut world = World::with(paid());
    let (a, b) = (world.line(0), world.line(1));
    let order = later(
        paid(),
        5,
        &[
            (
                "lines",
                json!([line("c", 3, "9.00"), line("a", 2, "20.00")]),
            ),
            ("totals.total", eur("32.00")),
        ],
    );
    let outcome = world.record(order);
    assert_eq!(
        kinds(&outcome),
        ["order.updated", "fulfillment_order.submitted"]
    );
    assert_eq!(
        (world.line(0), world.line(1)),
        (a, b),
        "ids and places stay"
    );
    let gone = &world.order().facts.lines()[1];
    assert!(!gone.wanted().is_positive());
    assert!(gone.total.value().unwrap().amount.is_zero());
    let part = world.part();
    assert_eq!(part.revision, 2);
    let picked: Vec<_> = part
        .lines
        .iter()
        .map(|l| (l.sku.clone().unwrap(), l.quantity))
        .collect();
    assert_eq!(picked, [("A".to_owned(), qty(2)), ("C".to_owned(), qty(3))]);
    assert!(outcome.problems.is_empty(), "amounts still add up");
}

#[test]
fn repeated_line_ids_are_matched_one_by_one() {
    let twice = json!([line("x", 1, "10.00"), line("x", 2, "15.00")]);
    let order = but(paid(), &[("lines", twice)]);
    let mut world = World::with(order.clone());
    let ids = (world.line(0), world.line(1));
    assert_ne!(ids.0, ids.1);
    assert_eq!(world.record(order).disposition, Disposition::Unchanged);
    assert_eq!((world.line(0), world.line(1)), ids);
}

#[test]
fn a_new_order_needs_its_keys() {
    for path in ["external_id", "currency", "lines", "totals", "placed_at"] {
        let mut order = paid();
        order.as_object_mut().unwrap().remove(path);
        let error = World::active().try_record(order, false).unwrap_err();
        assert_eq!(error.code(), "broken_contract");
        assert!(
            error.fields().keys().any(|field| field.starts_with(path)),
            "{path}"
        );
    }
    let error = World::active()
        .try_record(but(paid(), &[("lines.1.quantity", json!(null))]), false)
        .unwrap_err();
    assert_eq!(error.fields().keys().next().unwrap(), "lines.1.quantity");
}

#[test]
fn a_newer_mapping_counts_for_the_newest_record_only() {
    let mut world = World::with(paid());
    world.record(later(paid(), 5, &[("note", json!("two"))]));
    let newest = world.last_record;
    let remap = |world: &mut World, id, order: Value| {
        let meta = RecordMeta {
            inbox_id: id,
            source: crate::canonical::order::Source::Webhook,
            received_at: START.parse().unwrap(),
            mapping_version: "m2",
            sweep: false,
            fetched: false,
            remap: true,
        };
        let mapped = serde_json::from_value(order).unwrap();
        let outcome = super::super::intake(&world.ctx(), world.state.clone(), mapped, &meta);
        world.keep(outcome.unwrap())
    };
    let old = remap(
        &mut world,
        InboxId::new(),
        but(paid(), &[("note", json!("one, better"))]),
    );
    assert_eq!(old.disposition, Disposition::Stale);
    let again = later(paid(), 5, &[("note", json!("two, better"))]);
    let outcome = remap(&mut world, newest, again);
    assert_eq!(outcome.disposition, Disposition::Applied);
    assert!(outcome.jobs.is_empty());
    assert_eq!(world.order().meta.mapping_version.as_deref(), Some("m2"));
}

#[test]
fn orders_of_people_follow_the_same_rules() {
    let mut world = World::active();
    let phone = json!({"currency": "EUR", "kind": "standard", "lines": [line("a", 1, "10.00")],
        "payment": {"method": "on_account"}, "ship_to": paid()["ship_to"]});
    let source = crate::canonical::order::Source::Phone;
    let mapped = serde_json::from_value(phone).unwrap();
    let (state, outcome) = super::super::create(&world.ctx(), mapped, source, "desk").unwrap();
    assert_eq!(Some(&state), outcome.state.as_ref());
    assert_eq!(outcome.events[0].extra["created_by"], "desk");
    world.keep(outcome);
    assert_eq!(
        world
            .order()
            .facts
            .stated_total()
            .unwrap()
            .amount
            .to_string(),
        "10.00"
    );
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
    let empty = serde_json::from_value(json!({})).unwrap();
    let error = super::super::create(&world.ctx(), empty, source, "desk").unwrap_err();
    assert_eq!(error.code(), "invalid");
    assert!(error.fields().contains_key("currency") && error.fields().contains_key("lines"));
}
