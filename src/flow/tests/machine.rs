//! Random stories: the channel's revisions in any order and repeatedly, the warehouse's answers,
//! operators, time. [`World`] checks every step; here is what must hold from step to step.
use super::story::{Revision, Shape, Step, command_of, revision, step};
use super::*;
use crate::canonical::connection::ConnectionState;
use proptest::prelude::*;
use std::collections::HashMap;

fn take(world: &mut World, revisions: &[Revision], step: &Step, counter: usize) -> Option<Outcome> {
    match step {
        Step::Record(n, fetched) => {
            let order = revisions[*n].order(n + 1);
            let outcome = world.try_record(order.clone(), *fetched).ok()?;
            let version = world.state.as_ref().map(|state| state.order.meta.version);
            let again = world.try_record(order, *fetched).unwrap();
            assert!(
                matches!(
                    again.disposition,
                    Disposition::Unchanged | Disposition::Stale | Disposition::Ignored
                ),
                "the same record twice: {:?} {:?}",
                again.disposition,
                again.events
            );
            assert!(again.events.is_empty());
            assert_eq!(
                world.state.as_ref().map(|state| state.order.meta.version),
                version
            );
            Some(outcome)
        }
        Step::Connection(active) => {
            world.connection.state = if *active {
                ConnectionState::Active
            } else {
                ConnectionState::Paused
            };
            world.state.as_ref()?;
            Some(world.settle())
        }
        Step::Time(minutes) => {
            world.pass(*minutes);
            world.state.as_ref()?;
            Some(world.settle())
        }
        _ => {
            let what = command_of(world, step, counter)?;
            world.try_run(what).ok().map(|(outcome, _)| outcome)
        }
    }
}

/// What must hold between the state before a step and after it.
fn check_step(before: &OrderState, after: &OrderState, step: &Step) {
    for part in &after.fulfillment_orders {
        let Some(was) = before.fulfillment_orders.iter().find(|p| p.id == part.id) else {
            continue;
        };
        let pending = |part: &FulfillmentOrder| {
            let request = part.request.as_ref();
            request
                .filter(|r| r.state == RequestState::Pending)
                .map(|r| r.id)
        };
        if let (Some(old), Some(new)) = (pending(was), pending(part)) {
            let answered = matches!(step, Step::Answer(..));
            assert!(old == new || answered, "one request as long as it waits");
        }
        if pending(part) != pending(was) && pending(part).is_some() {
            assert!(part.revision > was.revision, "what is asked has a revision");
        }
        let (ended, ends) = (
            matches!(
                was.status,
                FulfillmentStatus::Closed | FulfillmentStatus::Cancelled
            ),
            part.status == was.status,
        );
        assert!(
            !ended || ends,
            "what ended stays ended: {:?} → {:?}",
            was.status,
            part.status
        );
    }
    let new_shipments = after.shipments.len() - before.shipments.len();
    if new_shipments > 0 {
        assert!(matches!(step, Step::Ship { .. }));
        let shipment = after.shipments.last().unwrap();
        let part = |state: &OrderState| {
            let parts = &state.fulfillment_orders;
            parts
                .iter()
                .find(|p| p.id == shipment.fulfillment_order_id)
                .unwrap()
                .clone()
        };
        assert!(
            matches!(
                part(before).status,
                FulfillmentStatus::Submitted
                    | FulfillmentStatus::InProgress
                    | FulfillmentStatus::Incomplete
            ),
            "nothing leaves that the warehouse was not given"
        );
        assert!(
            !matches!(
                before.order.meta.status,
                OrderStatus::Cancelled | OrderStatus::Closed
            ),
            "nothing is shipped after a cancellation took effect"
        );
        let overridden = matches!(step, Step::Ship { over: true, .. });
        let was_asked = part(before)
            .request
            .is_some_and(|r| r.state == RequestState::Pending);
        assert!(overridden || !was_asked);
    }
    let cod: Vec<_> = after.shipments.iter().filter(|s| s.cod.is_some()).collect();
    assert!(cod.len() <= 1, "the cash of an order travels once");
}

/// What must hold of a state by itself, beyond what the world checks.
fn check_whole(state: &OrderState, most: &HashMap<LineId, Quantity>) {
    let parts = &state.fulfillment_orders;
    for line in state.order.facts.lines() {
        let id = *line.id.value().unwrap();
        let shipped = parts.iter().fold(Quantity::ZERO, |sum, part| {
            sum.plus(fulfillment::shipped(state, part.id, id)).unwrap()
        });
        assert!(shipped <= most[&id], "more left than was ever ordered");
        let held = parts.iter().fold(shipped, |sum, part| {
            let inside = part.lines.iter().find(|l| l.line_id == id);
            sum.plus(inside.map_or(Quantity::ZERO, |l| l.remaining))
                .unwrap()
        });
        let undecided = parts.iter().any(|part| {
            part.status == FulfillmentStatus::Incomplete
                || part.request.as_ref().is_some_and(|r| {
                    matches!(r.state, RequestState::Pending | RequestState::Refused)
                })
        });
        if release::fate(state) == release::Fate::Alive && !undecided {
            assert_eq!(held, line.wanted().max(shipped), "what is wanted is placed");
        }
    }
    let totals = state.order.facts.totals.value().unwrap();
    let sum = state
        .order
        .facts
        .lines()
        .iter()
        .fold(rust_decimal::Decimal::ZERO, |sum, line| {
            sum + line.total.value().unwrap().amount.decimal()
        });
    assert_eq!(totals.items.value().unwrap().amount.decimal(), sum);
    let live = parts.iter().any(fulfillment::live);
    let ended = matches!(
        state.order.meta.status,
        OrderStatus::Cancelled | OrderStatus::Closed | OrderStatus::Fulfilled
    );
    assert_eq!(ended && !parts.is_empty(), !live && !parts.is_empty());
    let cod = parts
        .iter()
        .filter(|part| fulfillment::live(part) && part.cod.is_some())
        .count();
    let asked = parts.iter().any(|part| part.request.is_some());
    assert!(cod <= 1 || asked, "the cash is asked for once");
}

fn wanted_most(state: &OrderState, most: &mut HashMap<LineId, Quantity>) {
    for line in state.order.facts.lines() {
        let entry = most
            .entry(*line.id.value().unwrap())
            .or_insert(Quantity::ZERO);
        *entry = (*entry).max(line.wanted());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_story_keeps_its_promises(
        revisions in prop::collection::vec(revision(), 1..6),
        steps in prop::collection::vec(step(6), 1..40),
        on_short in prop::sample::select(vec!["ship_rest", "wait", "cancel_rest", "ask"]),
    ) {
        let mut world = World::new(json!({ "on_short": on_short }));
        let mut most = HashMap::new();
        for (counter, step) in steps.iter().enumerate() {
            let step = match step {
                Step::Record(n, read) => Step::Record(n % revisions.len(), *read),
                other => other.clone(),
            };
            let before = world.state.clone();
            take(&mut world, &revisions, &step, counter);
            let Some(after) = &world.state else { continue };
            wanted_most(after, &mut most);
            check_whole(after, &most);
            if let Some(before) = &before {
                check_step(before, after, &step);
            }
        }
    }

    /// In whatever order and however often full revisions come: the newest counts.
    #[test]
    fn the_newest_revision_counts_in_any_order(
        revisions in prop::collection::vec(revision(), 1..5),
        order in prop::collection::vec(0usize..5, 0..12),
    ) {
        let revisions: Vec<Revision> = revisions
            .into_iter()
            .map(|revision| Revision { shape: Shape::Full, state: "open", ..revision })
            .collect();
        let newest = revisions.len() - 1;
        let mut world = World::active();
        for n in order.iter().map(|n| n % revisions.len()).chain([newest]) {
            world.record(revisions[n].order(n + 1));
        }
        // Late repetitions change nothing.
        for n in &order {
            let n = n % revisions.len();
            let outcome = world.record(revisions[n].order(n + 1));
            prop_assert!(matches!(outcome.disposition, Disposition::Stale | Disposition::Unchanged));
        }
        let direct = {
            let mut world = World::active();
            world.record(revisions[newest].order(newest + 1));
            plain(&world)
        };
        prop_assert_eq!(plain(&world), direct);
    }

    #[test]
    fn any_correction_survives_until_the_channel_contradicts(
        revisions in prop::collection::vec(revision(), 2..5),
    ) {
        let mut world = World::active();
        let full = |n: usize| {
            let state = "open";
            Revision { shape: Shape::Full, state, ..revisions[n].clone() }.order(n + 1)
        };
        world.record(full(0));
        world.run(Command::Override {
            set: [("ship_to.city".to_owned(), json!("Варна"))].into(),
            reason: "r".to_owned(),
        });
        for n in 1..revisions.len() {
            world.record(full(n));
            let city = world.order().facts.ship_to.value().unwrap().city.clone();
            prop_assert_eq!(city.as_deref(), Some("Варна"));
            prop_assert!(!world.holds().contains(&HoldReason::Conflict));
        }
    }
}

/// The facts without our ids, and without lines that are wholly gone.
fn plain(world: &World) -> Value {
    let mut facts = serde_json::to_value(&world.order().facts).unwrap();
    let mut lines: Vec<Value> = world
        .order()
        .facts
        .lines()
        .iter()
        .filter(|line| line.wanted().is_positive())
        .map(|line| {
            let mut line = serde_json::to_value(line).unwrap();
            line.as_object_mut().unwrap().remove("id");
            line
        })
        .collect();
    lines.sort_by_key(|line| line["external_id"].to_string());
    facts["lines"] = json!(lines);
    facts
}
