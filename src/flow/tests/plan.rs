//! Which carrier account an order goes with, and what happens when none does.
use super::*;
use crate::canonical::connection::{ConnectionState, Contract};
use crate::canonical::fulfillment::CarrierPlan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The world of an order with these rules; `$1` and `$2` stand for two accounts.
fn ruled(order: Value, rules: Value) -> (World, [ConnectionId; 2]) {
    let mut world = World::active();
    let ids = [world.account(json!({})), world.account(json!({}))];
    set_rules(&mut world, ids, rules);
    world.record(order);
    (world, ids)
}
fn set_rules(world: &mut World, ids: [ConnectionId; 2], rules: Value) {
    let text = rules.to_string();
    let text = text.replace("$1", &ids[0].to_string());
    let text = text.replace("$2", &ids[1].to_string());
    let settings = json!({ "carrier_rules": serde_json::from_str::<Value>(&text).unwrap() });
    let (rules, problems) = crate::flow::carrier_rules(settings.as_object().unwrap());
    assert!(problems.is_empty(), "{problems:?}");
    world.around.rules = rules;
}
fn plan(world: &World) -> &CarrierPlan {
    world.part().carrier_plan.as_ref().unwrap()
}
fn account_of(world: &World) -> Option<ConnectionId> {
    world
        .part()
        .carrier_plan
        .as_ref()
        .and_then(|p| p.connection_id)
}
fn hold_detail(world: &World) -> &str {
    world.order().meta.holds[0].detail.as_deref().unwrap()
}
fn change(world: &mut World, n: usize, change: impl FnOnce(&mut Connection)) {
    let connection = &mut world.around.carriers[n].connection;
    change(Arc::make_mut(connection));
}
fn correct(set: Value) -> Command {
    Command::Override {
        set: serde_json::from_value(set).unwrap(),
        reason: "the customer asked".to_owned(),
    }
}

#[test]
fn no_rules_no_plan_no_hold() {
    let (world, _) = ruled(paid(), json!([]));
    assert!(world.part().carrier_plan.is_none());
    assert!(world.holds().is_empty());
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
}

#[test]
fn the_first_rule_that_fits_decides_and_says_why() {
    let rules = json!([
        { "name": "lockers", "mode": ["pickup_point"], "connection_id": "$1" },
        { "name": "Bulgaria", "country": ["bg"], "connection_id": "$2", "service": "office" },
        { "connection_id": "$1" },
    ]);
    let (mut world, ids) = ruled(
        but(paid(), &[("delivery.method_code", json!("flat_rate:3"))]),
        rules,
    );
    assert_eq!(
        *plan(&world),
        CarrierPlan {
            connection_id: Some(ids[1]),
            service: Some("office".to_owned()),
            decided_by: "rule".to_owned(),
            why: "rule 2: Bulgaria".to_owned(),
        }
    );
    // Not accepted yet: another address, another carrier, another revision, and it is told.
    let outcome = world.record(later(paid(), 5, &[("ship_to.country", json!("GR"))]));
    assert_eq!(account_of(&world), Some(ids[0]));
    assert_eq!(plan(&world).why, "rule 3");
    assert_eq!(world.part().revision, 2);
    let submitted = outcome
        .events
        .iter()
        .find(|e| e.kind.as_str() == "fulfillment_order.submitted");
    assert_eq!(submitted.unwrap().extra["carrier_plan"]["why"], "rule 3");
    // Accepted: it stays.
    world.accept();
    set_rules(&mut world, ids, json!([{ "connection_id": "$2" }]));
    world.settle();
    assert_eq!(account_of(&world), Some(ids[0]));
}

#[test]
fn a_plan_that_changes_only_in_words_is_no_new_revision() {
    let (mut world, ids) = ruled(paid(), json!([{ "name": "a", "connection_id": "$1" }]));
    set_rules(
        &mut world,
        ids,
        json!([{ "name": "b", "connection_id": "$1" }]),
    );
    let outcome = world.settle();
    assert_eq!(plan(&world).why, "rule 1: b");
    assert_eq!(world.part().revision, 1);
    assert!(outcome.events.is_empty());
}

#[test]
fn every_condition_counts() {
    let order = || {
        let mut order = but(
            super::cod("28.00"),
            &[(
                "delivery",
                json!({ "mode": "pickup_point", "carrier": "Swift", "method_code": "swift:office:7",
                "pickup_point": { "network": "swift", "id": "7", "name": null } }),
            )],
        );
        order["lines"][0]["weight_g"] = json!(1000);
        order["lines"][1]["weight_g"] = json!(500.5);
        order
    };
    let merchant = MerchantId::new();
    for (fits, rule) in [
        (true, json!({})),
        (true, json!({ "method_code": ["x", "swift:*"] })),
        (true, json!({ "method_code": ["swift:office:7"] })),
        (false, json!({ "method_code": ["swift:office"] })),
        (true, json!({ "carrier": ["SWIFT"] })),
        (false, json!({ "carrier": ["other"] })),
        (true, json!({ "network": ["Swift"] })),
        (false, json!({ "network": ["other"] })),
        (true, json!({ "mode": ["home", "pickup_point"] })),
        (false, json!({ "mode": ["home"] })),
        (true, json!({ "country": ["GR", "BG"] })),
        (false, json!({ "country": ["GR"] })),
        (true, json!({ "min_weight_g": 2500, "max_weight_g": 2501 })),
        (false, json!({ "max_weight_g": 2500 })),
        (false, json!({ "min_weight_g": 2501 })),
        (true, json!({ "cod": true })),
        (false, json!({ "cod": false })),
        (false, json!({ "merchant_id": merchant })),
        (false, json!({ "shop_id": ConnectionId::new() })),
        (false, json!({ "carrier": ["swift"], "cod": false })),
    ] {
        let mut wanted = rule.clone();
        wanted["connection_id"] = json!("$1");
        let (world, ids) = ruled(order(), json!([wanted, { "connection_id": "$2" }]));
        let expected = if fits { ids[0] } else { ids[1] };
        assert_eq!(account_of(&world), Some(expected), "{rule}");
    }
    // A weight that is not known fits every bound.
    let heavy = json!([{ "min_weight_g": 100_000, "connection_id": "$1" }]);
    let (world, ids) = ruled(paid(), heavy);
    assert_eq!(account_of(&world), Some(ids[0]));
}

#[test]
fn no_rule_that_fits_holds_until_one_does() {
    let (mut world, ids) = ruled(
        paid(),
        json!([{ "country": ["GR"], "connection_id": "$1" }]),
    );
    assert_eq!(world.holds(), [HoldReason::MethodUnmapped]);
    assert_eq!(world.part().status, FulfillmentStatus::OnHold);
    assert!(world.part().carrier_plan.is_none());
    set_rules(
        &mut world,
        ids,
        json!([{ "country": ["BG"], "connection_id": "$1" }]),
    );
    let outcome = world.settle();
    assert!(world.holds().is_empty());
    assert!(kinds(&outcome).contains(&"order.released".to_owned()));
    assert_eq!(account_of(&world), Some(ids[0]));
    // A person may let it go without.
    set_rules(
        &mut world,
        ids,
        json!([{ "country": ["GR"], "connection_id": "$1" }]),
    );
    world.settle();
    world.run(Command::Release { reasons: None });
    assert!(world.holds().is_empty());
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
}

#[test]
fn goods_that_no_carrier_brings_need_no_rule() {
    let collect = || but(paid(), &[("delivery.mode", json!("collect"))]);
    let (world, _) = ruled(collect(), json!([{ "connection_id": "$1" }]));
    assert!(world.holds().is_empty() && world.part().carrier_plan.is_none());
    let named = json!([{ "mode": ["collect"], "name": "at the counter" }]);
    let (world, _) = ruled(collect(), named);
    assert_eq!(plan(&world).connection_id, None);
    assert_eq!(plan(&world).why, "rule 1: at the counter");
}

#[test]
fn an_account_that_cannot_be_used_holds_and_says_which() {
    let rules =
        || json!([{ "connection_id": "$1", "service": "express" }, { "connection_id": "$2" }]);
    let (mut world, _) = ruled(paid(), rules());
    let merchant = world.merchant.id.to_string();
    let express = |services: &[&str]| Contract {
        services: services.iter().map(|s| (*s).to_owned()).collect(),
        ..Contract::default()
    };
    for (n, what) in [
        (0, "is paused"),
        (1, "has no contract for this merchant"),
        (2, "has no service express"),
    ] {
        change(&mut world, 0, |connection| match n {
            0 => connection.state = ConnectionState::Paused,
            1 => {
                connection.state = ConnectionState::Active;
                connection.contracts = BTreeMap::new();
            }
            _ => {
                let contract = express(&["office"]);
                connection.contracts = BTreeMap::from([("default".to_owned(), contract)]);
            }
        });
        world.settle();
        assert_eq!(world.holds(), [HoldReason::MethodUnmapped]);
        assert!(
            hold_detail(&world).contains(what),
            "{}",
            hold_detail(&world)
        );
    }
    change(&mut world, 0, |connection| {
        connection.contracts = BTreeMap::from([(merchant, express(&["office", "express"]))]);
    });
    world.settle();
    assert!(world.holds().is_empty());
    world.around.carriers.remove(0);
    world.settle();
    assert!(hold_detail(&world).contains("none that this merchant may use"));
}

#[test]
fn an_operators_word_goes_before_the_rules() {
    let (mut world, ids) = ruled(
        paid(),
        json!([{ "connection_id": "$1", "service": "office" }]),
    );
    change(&mut world, 1, |connection| {
        connection.name = "Night Express".to_owned()
    });
    world.run(correct(json!({ "delivery.carrier": "night express" })));
    assert_eq!(
        (account_of(&world), plan(&world).decided_by.as_str()),
        (Some(ids[1]), "operator")
    );
    assert_eq!(plan(&world).service, None);
    world.run(correct(
        json!({ "delivery.carrier": ids[0].to_string(), "delivery.service": "door" }),
    ));
    assert_eq!(account_of(&world), Some(ids[0]));
    assert_eq!(plan(&world).service.as_deref(), Some("door"));
    // The service alone: the rule's account.
    let (mut world, ids) = ruled(
        paid(),
        json!([{ "connection_id": "$1", "service": "office" }]),
    );
    world.run(correct(json!({ "delivery.service": "door" })));
    assert_eq!(account_of(&world), Some(ids[0]));
    assert_eq!(plan(&world).service.as_deref(), Some("door"));
    assert_eq!(plan(&world).decided_by, "operator");
    // A carrier of which there is no account: the rules look at it as at any other.
    world.run(correct(json!({ "delivery.carrier": "Pigeon" })));
    assert_eq!(account_of(&world), Some(ids[0]));
    // What the channel says is a fact for the rules, no decision.
    let (world, ids) = ruled(
        but(paid(), &[("delivery.carrier", json!("courier"))]),
        json!([{ "connection_id": "$2" }]),
    );
    assert_eq!(account_of(&world), Some(ids[1]));
}

#[test]
fn cash_in_a_currency_without_a_rate_holds() {
    let (mut world, ids) = ruled(super::cod("28.00"), json!([{ "connection_id": "$1" }]));
    let collects = |world: &mut World, currency: &str| {
        change(world, 0, |connection| {
            connection
                .settings
                .insert("cod_currency".to_owned(), json!(currency));
        });
        world.settle();
    };
    collects(&mut world, "USD");
    assert_eq!(world.holds(), [HoldReason::CodCurrency]);
    assert!(hold_detail(&world).contains("USD"));
    collects(&mut world, "BGN");
    assert!(world.holds().is_empty());
    // Paid orders have no cash.
    let (mut world, _) = ruled(paid(), json!([{ "connection_id": "$1" }]));
    collects(&mut world, "USD");
    assert!(world.holds().is_empty());
    // Without a plan the warehouse ships by itself: the currency is its business.
    let (mut world, _) = ruled(super::cod("28.00"), json!([]));
    collects(&mut world, "USD");
    assert!(world.holds().is_empty());
    let _ = ids;
}

#[test]
fn rules_are_checked_before_they_are_stored() {
    let wrong = |rule: Value| {
        let settings = json!({ "carrier_rules": [{ "name": "good" }, rule] });
        crate::flow::check_carrier_rules(settings.as_object().unwrap())
    };
    for rule in [
        json!({ "conection_id": ConnectionId::new() }),
        json!({ "connection_id": "con_1" }),
        json!({ "connection_id": ConnectionId::new(), "min_weight_g": 2, "max_weight_g": 1 }),
        json!({ "name": "x", "country": ["Bulgaria"] }),
        json!({ "name": "x", "method_code": ["a*b"] }),
        json!({ "name": "x", "network": [""] }),
        json!({}),
        json!("x"),
    ] {
        let wrong = wrong(rule.clone());
        assert_eq!(
            wrong.keys().collect::<Vec<_>>(),
            ["carrier_rules.1"],
            "{rule}"
        );
    }
    assert!(wrong(json!({ "name": "x", "method_code": ["a*"], "country": ["BG"] })).is_empty());
    let no_list = json!({ "carrier_rules": {} });
    assert_eq!(
        crate::flow::check_carrier_rules(no_list.as_object().unwrap()).len(),
        1
    );
    // The merchant's go first, then the operator's; what cannot be read is left out and named.
    let of = |names: &[&str]| {
        let mut world = World::active();
        let rules: Vec<Value> = names.iter().map(|n| json!({ "name": n })).collect();
        world
            .merchant
            .settings
            .insert("carrier_rules".to_owned(), json!(rules));
        world.merchant
    };
    let mut operator = of(&["c"]);
    operator.settings["carrier_rules"]
        .as_array_mut()
        .unwrap()
        .push(json!(1));
    let (rules, problems) = crate::flow::rules_of(&of(&["a", "b"]), &operator);
    let names: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule.name.as_deref())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("carrier_rules.1: "));
}
