#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::canonical::event::EventType;
use crate::canonical::{MerchantId, OrderId};
use proptest::prelude::*;
use std::time::Duration;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn event(sequence: u64, key: &str) -> RenderedEvent {
    RenderedEvent {
        id: EventId::new(),
        sequence,
        kind: EventType::OrderReceived,
        at: at(0),
        merchant_id: MerchantId::OPERATOR,
        order_id: None::<OrderId>,
        ordering_key: key.to_owned(),
        cut_off_at: None,
        json: bytes::Bytes::from_static(b"{}"),
    }
}

fn plan_with(events: Vec<RenderedEvent>) -> Plan {
    let last = events.last().map_or(0, |e| e.sequence);
    let mut plan = Plan::new(SubscriptionId::new(), 0, Vec::new());
    plan.add_events(events, last);
    plan
}

#[test]
fn one_key_is_sent_in_order_and_others_do_not_wait() {
    let mut plan = plan_with(vec![event(1, "a"), event(2, "a"), event(3, "b")]);
    assert_eq!(plan.next(at(0)), Some(Item::Fresh(1)));
    assert_eq!(plan.next(at(0)), Some(Item::Fresh(3)));
    assert_eq!(plan.next(at(0)), None);
    plan.finished(&Item::Fresh(3), &Verdict::Delivered, at(1));
    assert!(
        plan.progress().is_none_or(|p| p.cursor.is_none()),
        "1 is not done yet"
    );
    plan.finished(&Item::Fresh(1), &Verdict::Delivered, at(1));
    assert_eq!(plan.progress().unwrap().cursor, Some(1));
    assert_eq!(plan.next(at(1)), Some(Item::Fresh(2)));
    plan.finished(&Item::Fresh(2), &Verdict::Delivered, at(1));
    assert_eq!(plan.progress().unwrap().cursor, Some(3));
}

#[test]
fn a_refused_event_blocks_its_key_only_and_is_tried_again() {
    let mut plan = plan_with(vec![event(1, "a"), event(2, "a"), event(3, "b")]);
    let first = plan.next(at(0)).unwrap();
    let other = plan.next(at(0)).unwrap();
    assert_eq!(
        plan.finished(&first, &Verdict::Refused { status: 400 }, at(1)),
        After::WillRetry
    );
    plan.finished(&other, &Verdict::Delivered, at(1));
    assert_eq!(plan.next(at(1)), None, "2 waits behind 1");
    let progress = plan.progress().unwrap();
    assert_eq!(progress.cursor, Some(3), "1 and 2 have rows now");
    assert_eq!(
        progress
            .upsert
            .iter()
            .map(|r| r.sequence)
            .collect::<Vec<_>>(),
        vec![1, 2]
    );
    let again = plan.next(at(6)).unwrap();
    assert_eq!(plan.row(&again).unwrap().sequence, 1);
    plan.finished(&again, &Verdict::Delivered, at(6));
    let second = plan.next(at(6)).unwrap();
    assert_eq!(plan.row(&second).unwrap().sequence, 2);
}

#[test]
fn an_endpoint_that_is_down_is_probed_and_drains_at_once_when_it_is_back() {
    let mut plan = plan_with((1..=50).map(|n| event(n, &format!("k{n}"))).collect());
    let down = Verdict::Down {
        status: None,
        why: "refused".into(),
        retry_after: None,
    };
    let sent: Vec<Item> = (0..8).filter_map(|_| plan.next(at(0))).collect();
    assert_eq!(sent.len(), 8);
    for item in &sent {
        plan.finished(item, &down, at(0));
    }
    assert_eq!(plan.next(at(0)), None);
    let mut now = 0;
    for _ in 0..100 {
        let due = plan.wake_at().unwrap();
        now = due.as_second() - at(0).as_second();
        let probe = plan.next(due).unwrap();
        assert_eq!(plan.next(due), None, "one probe at a time");
        plan.finished(&probe, &down, due);
    }
    let due = plan.wake_at().unwrap();
    let probe = plan.next(due).unwrap();
    plan.finished(&probe, &Verdict::Delivered, due);
    let drained = std::iter::from_fn(|| plan.next(due)).count();
    assert_eq!(drained, 49, "after {now} s everything goes at once");
}

#[test]
fn earliest_cut_off_goes_first() {
    let mut events = vec![event(1, "a"), event(2, "b"), event(3, "c")];
    events[2].cut_off_at = Some(at(10));
    events[1].cut_off_at = Some(at(20));
    let mut plan = plan_with(events);
    let order: Vec<Item> = std::iter::from_fn(|| plan.next(at(0))).collect();
    assert_eq!(order, vec![Item::Fresh(3), Item::Fresh(2), Item::Fresh(1)]);
}

#[test]
fn a_delivery_is_dead_after_three_days_and_frees_its_key() {
    let mut plan = plan_with(vec![event(1, "a"), event(2, "a")]);
    let mut item = plan.next(at(0)).unwrap();
    let mut now = at(0);
    loop {
        match plan.finished(&item, &Verdict::Refused { status: 422 }, now) {
            After::Dead => break,
            After::WillRetry => {}
            other => unreachable!("{other:?}"),
        }
        // Another key is delivered in between, so the endpoint counts as up.
        plan.add_events(
            vec![event(
                1_000_000 + u64::try_from(now.as_second()).unwrap(),
                "z",
            )],
            0,
        );
        let z = plan.next(now).unwrap();
        plan.finished(&z, &Verdict::Delivered, now);
        now = plan.wake_at().unwrap();
        item = plan.next(now).unwrap();
    }
    assert!(now >= at(0).checked_add(Duration::from_secs(3 * 86_400)).unwrap());
    let progress = plan.progress().unwrap();
    assert_eq!(progress.problems.len(), 1);
    assert!(plan.next(now).is_some(), "the next of its key may go");
}

proptest! {
    /// Whatever the endpoint answers: per key in order, one in flight, nothing lost, and the cursor
    /// passes only what is delivered or has a row.
    #[test]
    fn nothing_is_lost_or_reordered(script in prop::collection::vec((0u8..4, 0u8..5), 1..200)) {
        let mut plan = Plan::new(SubscriptionId::new(), 0, Vec::new());
        let mut delivered: Vec<(String, u64)> = Vec::new();
        let mut rows: BTreeMap<DeliveryId, u64> = BTreeMap::new();
        let mut flying: Vec<(Item, String, u64)> = Vec::new();
        let mut sequence = 0u64;
        let mut now = 0i64;
        let mut cursor = 0u64;
        for (action, key) in script {
            now += 7;
            match action {
                0 | 1 => {
                    sequence += 1;
                    plan.add_events(vec![event(sequence, &format!("k{key}"))], sequence);
                }
                2 => while let Some(item) = plan.next(at(now)) {
                    let (k, s) = match (plan.row(&item), plan.event(&item)) {
                        (Some(row), _) => (row.ordering_key.clone(), row.sequence),
                        (_, Some(e)) => (e.ordering_key.clone(), e.sequence),
                        _ => unreachable!(),
                    };
                    prop_assert!(flying.iter().all(|(_, key, _)| *key != k), "two of one key in flight");
                    flying.push((item, k, s));
                },
                _ => if let Some((item, k, s)) = flying.pop() {
                    let verdict = match key {
                        0 => Verdict::Down { status: Some(503), why: "503".into(), retry_after: None },
                        1 => Verdict::Refused { status: 500 },
                        _ => Verdict::Delivered,
                    };
                    if verdict == Verdict::Delivered { delivered.push((k, s)); }
                    plan.finished(&item, &verdict, at(now));
                },
            }
            if let Some(progress) = plan.progress() {
                for row in &progress.upsert { rows.insert(row.id, row.sequence); }
                for id in &progress.remove { rows.remove(id); }
                if let Some(c) = progress.cursor { prop_assert!(c >= cursor); cursor = c; }
                for s in 1..=cursor {
                    let safe = delivered.iter().any(|(_, d)| *d == s) || rows.values().any(|r| *r == s);
                    prop_assert!(safe, "{s} is behind the cursor {cursor}, neither delivered nor a row");
                }
            }
        }
        for key in 0..5 {
            let order: Vec<u64> = delivered.iter().filter(|(k, _)| *k == format!("k{key}")).map(|(_, s)| *s).collect();
            prop_assert!(order.windows(2).all(|w| w[0] < w[1]), "{order:?}");
        }
    }
}
