//! Stock: what a channel is told, and orders that are accepted when all of it is there.
use super::*;
use crate::canonical::stock::StockLevel;
use crate::flow::stock::{available, offer};
use crate::flow::{awaits_stock, stock};
use proptest::prelude::*;

fn quantity(n: i64) -> Quantity {
    Quantity::new(n.into())
}

fn level(location: &str, on_hand: i64, reserved: i64, buffer: i64) -> StockLevel {
    let (on_hand, reserved, buffer) = (quantity(on_hand), quantity(reserved), quantity(buffer));
    let now = "2026-11-23T08:00:00Z".parse().unwrap();
    StockLevel {
        merchant_id: MerchantId::new(),
        location: location.to_owned(),
        sku: "A".to_owned(),
        on_hand,
        reserved,
        unavailable: Quantity::ZERO,
        buffer,
        incoming: Quantity::ZERO,
        available: available(on_hand, reserved, Quantity::ZERO, buffer).unwrap(),
        as_of: now,
        sequence: None,
        updated_at: now,
    }
}

fn waiting(settings: Value) -> World {
    let mut world = World::new(settings);
    let pending = ("acceptance", json!({"state": "pending"}));
    world.record(but(paid(), &[pending]));
    world
}

/// So much of each article of the order is free.
fn with_free(world: &mut World, n: i64) {
    let asked = awaits_stock(&world.ctx(), &world.state.as_ref().unwrap().order).unwrap();
    world.around.stock = asked.into_keys().map(|sku| (sku, quantity(n))).collect();
}

#[test]
fn an_order_is_accepted_when_all_of_it_is_free() {
    let mut world = waiting(json!({"accept": "when_in_stock"}));
    assert!(world.settle().jobs.is_empty(), "nobody knows of stock");
    with_free(&mut world, 0);
    assert!(world.settle().jobs.is_empty(), "there is none");
    with_free(&mut world, 1_000);
    assert_eq!(jobs(&world.settle()), ["orders.ack"]);
    assert!(world.settle().jobs.is_empty(), "once");
    let order = &world.state.as_ref().unwrap().order;
    assert!(
        awaits_stock(&world.ctx(), order).is_none(),
        "it is answered"
    );
}

#[test]
fn other_settings_and_other_holds_do_not_look_at_stock() {
    for settings in [json!({}), json!({"accept": "manual"})] {
        let world = waiting(settings);
        assert!(awaits_stock(&world.ctx(), &world.state.as_ref().unwrap().order).is_none());
    }
    let mut world = waiting(json!({"accept": "when_in_stock"}));
    with_free(&mut world, 1_000);
    let free = world.around.stock.clone();
    world.around.stock.clear();
    world.run(Command::Hold {
        detail: Some("a person looks".to_owned()),
        reason: HoldReason::Other,
    });
    world.around.stock = free;
    assert!(world.settle().jobs.is_empty());
    assert!(awaits_stock(&world.ctx(), &world.state.as_ref().unwrap().order).is_none());
}

#[test]
fn a_channel_is_told_the_sum_of_its_places_and_never_less_than_nothing() {
    let mut world = World::new(json!({}));
    let levels = [level("main", 7, 2, 1), level("shop", 1, 4, 0)];
    let told = offer(&world.connection, "A", Some("17"), 9, &levels).unwrap();
    let expected = json!({
        "sku": "A", "external_id": "17", "location": null, "on_hand": 8, "reserved": 6,
        "unavailable": 0, "buffer": 1, "incoming": 0, "available": 1, "sequence": 9,
    });
    assert_eq!(told, expected);
    let places = json!({"stock_locations": ["shop"]});
    world.connection.settings = places.as_object().unwrap().clone();
    let told = offer(&world.connection, "A", None, 9, &levels).unwrap();
    assert_eq!(
        (&told["location"], &told["available"]),
        (&json!("shop"), &json!(0))
    );
    let none = offer(&world.connection, "A", None, 9, &levels[..1]).unwrap();
    assert_eq!(
        (&none["location"], &none["available"]),
        (&Value::Null, &json!(0))
    );
}

proptest! {
    #[test]
    fn what_is_free_adds_up(rows in prop::collection::vec((0..1_000_000i64, 0..1_000i64, 0..1_000i64), 0..6)) {
        let world = World::new(json!({}));
        let levels: Vec<StockLevel> = rows.iter().enumerate().map(|(n, (a, b, c))| level(&n.to_string(), *a, *b, *c)).collect();
        let told = offer(&world.connection, "A", None, 1, &levels).unwrap();
        let sum: i64 = rows.iter().map(|(a, b, c)| a - b - c).sum();
        prop_assert_eq!(&told["available"], &json!(sum.max(0)));
    }

    #[test]
    fn what_is_newer_wins_in_any_order(moments in prop::collection::vec(0..20i64, 1..12)) {
        // Levels told in any order of their moments leave the newest; of equal ones the last told.
        let mut stored: Option<StockLevel> = None;
        for (n, moment) in moments.iter().enumerate() {
            let mut new = level("main", n as i64, 0, 0);
            new.as_of = Timestamp::from_second(1_790_000_000 + moment).unwrap();
            if stock::told(stored.as_ref(), &new) != stock::Told::Stale {
                stored = Some(new);
            }
        }
        let newest = moments.iter().enumerate().max_by_key(|(n, moment)| (**moment, *n)).unwrap();
        prop_assert_eq!(stored.unwrap().on_hand, quantity(newest.0 as i64));
    }
}
