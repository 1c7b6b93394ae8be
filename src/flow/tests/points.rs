//! The pickup point that an order names: looked up, held, proposed.
use super::*;
use crate::canonical::hold::Hold;
use crate::canonical::point::StoredPoint;

/// An order to this point, one kilogram.
fn to(network: Value, id: &str) -> Value {
    let point = json!({ "network": network, "id": id, "name": null });
    let delivery = json!({ "mode": "pickup_point", "pickup_point": point });
    let mut order = but(paid(), &[("delivery", delivery)]);
    order["lines"][0]["weight_g"] = json!(500);
    order
}
fn point(id: &str, more: Value) -> StoredPoint {
    let mut point = json!({
        "network": "net", "point_id": id, "kind": "locker", "name": format!("Locker {id}"),
        "address": { "line1": "ul. Vitosha 1", "city": "Sofia", "country": "BG" },
    });
    point
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    StoredPoint {
        point: serde_json::from_value(point).unwrap(),
        connection_id: ConnectionId::new(),
        gone_at: None,
    }
}
fn loaded() -> World {
    let mut world = World::active();
    let account = world.account(json!({}));
    world.around.networks.insert("net".to_owned(), account);
    world
}
fn key(id: &str) -> (String, String) {
    ("net".to_owned(), id.to_owned())
}
fn knows(world: &mut World, id: &str, point: Option<StoredPoint>) {
    world.around.points.insert(key(id), point);
}
fn hold(world: &World) -> Option<&Hold> {
    assert!(
        world
            .holds()
            .iter()
            .all(|reason| *reason == HoldReason::PickupPointInvalid)
    );
    world.order().meta.holds.first()
}
fn detail(world: &World) -> &str {
    hold(world).unwrap().detail.as_deref().unwrap()
}

#[test]
fn a_known_point_passes_in_any_case_of_its_network() {
    for network in [json!("net"), json!("NET")] {
        let mut world = loaded();
        knows(&mut world, "7", Some(point("7", json!({}))));
        world.record(to(network, "7"));
        assert!(world.holds().is_empty());
        assert_eq!(world.part().status, FulfillmentStatus::Submitted);
    }
}

#[test]
fn an_unknown_point_holds_with_the_nearest_that_fit() {
    let mut world = loaded();
    knows(&mut world, "7", None);
    let geo = |lat: f64| json!({ "geo": { "lat": lat, "lon": 23.3 } });
    let near = (1..=5).map(|n| point(&n.to_string(), geo(42.7 + f64::from(n) / 1000.0)));
    world.around.proposals.insert(key("7"), near.collect());
    let mut order = to(json!("net"), "7");
    order["ship_to"]["geo"] = json!({ "lat": 42.7, "lon": 23.3 });
    let outcome = world.record(order);
    assert!(kinds(&outcome).contains(&"order.held".to_owned()));
    assert_eq!(detail(&world), "the carrier's directory has no such point");
    let proposals = &hold(&world).unwrap().proposals;
    assert_eq!(proposals.len(), 3);
    assert_eq!(
        proposals[0],
        json!({
            "network": "net", "point_id": "1", "kind": "locker", "name": "Locker 1",
            "address": { "line1": "ul. Vitosha 1", "city": "Sofia", "country": "BG" },
            "distance_m": 111,
        })
    );
    // The operator takes one of them.
    knows(&mut world, "1", Some(point("1", json!({}))));
    world.run(Command::Override {
        set: [("delivery.pickup_point.id".to_owned(), json!("1"))].into(),
        reason: "as proposed".to_owned(),
    });
    assert!(world.holds().is_empty());
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
}

#[test]
fn what_the_point_cannot_do_holds() {
    let gone = StoredPoint {
        gone_at: Some(START.parse().unwrap()),
        ..point("7", json!({}))
    };
    let plain = |more: Value| point("7", more);
    for (stored, expected) in [
        (gone, "gone"),
        (
            plain(json!({ "valid_to": "2026-11-19" })),
            "closed since 2026-11-19",
        ),
        (
            plain(json!({ "valid_from": "2026-12-01T00:00:00" })),
            "opens on 2026-12-01",
        ),
        (plain(json!({ "max_weight_g": 900 })), "weigh 1000 g"),
        (plain(json!({ "cod_allowed": false })), ""),
        (
            plain(json!({ "valid_to": "2026-11-20", "max_weight_g": 1000 })),
            "",
        ),
    ] {
        let mut world = loaded();
        knows(&mut world, "7", Some(stored));
        world.record(to(json!("net"), "7"));
        match expected {
            "" => assert!(world.holds().is_empty()),
            words => assert!(detail(&world).contains(words), "{}", detail(&world)),
        }
    }
    // Cash on delivery.
    for (allowed, held) in [
        (json!(false), true),
        (json!(true), false),
        (json!(null), false),
    ] {
        let mut world = loaded();
        knows(
            &mut world,
            "7",
            Some(point("7", json!({ "cod_allowed": allowed }))),
        );
        let payment = super::cod("28.00")["payment"].clone();
        world.record(but(to(json!("net"), "7"), &[("payment", payment)]));
        assert_eq!(hold(&world).is_some(), held, "{allowed}");
    }
}

#[test]
fn what_nobody_looked_for_is_not_judged() {
    // No directory.
    let mut world = World::active();
    world.record(to(json!("net"), "7"));
    assert!(world.holds().is_empty());
    // A directory, and nobody looked: no hold is placed, and none is cleared.
    let mut world = loaded();
    world.record(to(json!("net"), "7"));
    assert!(world.holds().is_empty());
    knows(&mut world, "7", None);
    world.settle();
    assert!(hold(&world).is_some());
    world.around.points.clear();
    assert_eq!(world.settle().disposition, Disposition::Unchanged);
    // Released by a person: it stays so, whether somebody looks or not.
    world.run(Command::Release { reasons: None });
    assert!(hold(&world).is_none());
    knows(&mut world, "7", None);
    world.settle();
    assert!(hold(&world).is_none());
    // The point is back.
    knows(&mut world, "7", Some(point("7", json!({}))));
    world.settle();
    knows(&mut world, "7", None);
    world.settle();
    assert!(hold(&world).is_some(), "gone a second time");
}

#[test]
fn a_network_that_is_not_loaded_means_the_planned_accounts() {
    let mut world = loaded();
    let account = *world.around.networks.get("net").unwrap();
    let rules = json!({ "carrier_rules": [{ "connection_id": account }] });
    world.around.rules = crate::flow::carrier_rules(rules.as_object().unwrap()).0;
    knows(&mut world, "7", None);
    assert_eq!(
        crate::flow::networks_asked(&world.around, Some("plugin")),
        ["net"]
    );
    assert_eq!(
        crate::flow::networks_asked(&world.around, Some("Net")),
        ["net"]
    );
    world.record(to(json!("plugin"), "7"));
    assert!(detail(&world).contains("no such point"));
    // Another account of the same carrier reads the same directory.
    let other = world.account(json!({}));
    let rules = json!({ "carrier_rules": [{ "connection_id": other }] });
    world.around.rules = crate::flow::carrier_rules(rules.as_object().unwrap()).0;
    assert_eq!(
        world.settle().disposition,
        Disposition::Applied,
        "another plan"
    );
    assert!(hold(&world).is_some());
    // No plan: nobody can say whose point it is.
    world.around.rules.clear();
    world.settle();
    assert!(world.holds().is_empty());
}

#[test]
fn a_missing_point_is_said_without_looking() {
    let mut world = loaded();
    world.record(but(
        paid(),
        &[("delivery", json!({ "mode": "pickup_point" }))],
    ));
    assert_eq!(detail(&world), "no pickup point is named");
    knows(&mut world, "7", Some(point("7", json!({}))));
    world.record(later(to(json!("net"), "7"), 5, &[]));
    assert!(world.holds().is_empty());
}
