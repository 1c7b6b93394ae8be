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
fn what_was_mended_is_probed_at_once() {
    let down = || Verdict::Down {
        status: None,
        why: "refuses the credentials".into(),
        retry_after: None,
    };
    let mut plan = plan_with(vec![event(1, "a"), event(2, "b")]);
    plan.probe_now();
    let mut item = plan.next(at(0)).unwrap();
    for seconds in [0, 100, 200, 300, 400, 500, 600] {
        plan.finished(&item, &down(), at(seconds));
        item = plan.next(at(seconds + 99)).unwrap();
    }
    // One that went out before what was mended comes back after it, and is no reason to wait long.
    plan.probe_now();
    plan.finished(&item, &down(), at(700));
    assert_eq!(plan.next(at(700)), None);
    assert!(plan.next(at(702)).is_some_and(|again| {
        plan.finished(&again, &down(), at(702));
        true
    }));
    assert_eq!(plan.next(at(702)), None);
    plan.probe_now();
    let probe = plan.next(at(702)).unwrap();
    plan.finished(&probe, &Verdict::Delivered, at(702));
    assert!(!plan.is_down());
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

/// What a restart finds in the store.
fn row(id: DeliveryId, sequence: u64, key: &str, last_status: Option<u16>) -> DeliveryRow {
    DeliveryRow {
        id,
        subscription_id: SubscriptionId::new(),
        merchant_id: MerchantId::OPERATOR,
        event_id: EventId::new(),
        sequence,
        ordering_key: key.to_owned(),
        state: DeliveryState::Waiting,
        attempts: 5,
        first_at: at(0),
        next_at: Some(at(8 * 3_600)),
        last_status,
        last_error: Some("down".to_owned()),
        replay_of: None,
    }
}

#[test]
fn after_a_restart_an_endpoint_that_was_down_is_probed_at_once() {
    let (one, two, three) = (DeliveryId::new(), DeliveryId::new(), DeliveryId::new());
    let rows = vec![
        row(one, 1, "a", None),
        row(two, 2, "b", Some(503)),
        row(three, 3, "c", Some(422)),
    ];
    let mut plan = Plan::new(SubscriptionId::new(), 3, rows);
    assert_eq!(plan.next(at(1)), Some(Item::Row(one)));
    assert_eq!(plan.next(at(1)), None, "one probe");
    plan.finished(&Item::Row(one), &Verdict::Delivered, at(1));
    assert_eq!(plan.next(at(1)), Some(Item::Row(two)));
    assert_eq!(
        plan.next(at(1)),
        None,
        "what was refused waits for its time"
    );
    assert_eq!(plan.next(at(8 * 3_600)), Some(Item::Row(three)));
}

#[test]
fn what_the_store_did_not_take_is_told_again() {
    let mut plan = plan_with(vec![event(1, "a"), event(2, "b")]);
    let (a, b) = (plan.next(at(0)).unwrap(), plan.next(at(0)).unwrap());
    plan.finished(&a, &Verdict::Refused { status: 422 }, at(0));
    let first = plan.progress().unwrap();
    assert_eq!((first.cursor, first.upsert.len()), (Some(1), 1));
    plan.give_back(first.clone());
    // Looking at the rows of the store, where it is not, must not make it forgotten.
    plan.drop_rows_except(&BTreeSet::new());
    assert_eq!(plan.progress().unwrap(), first);
    plan.give_back(first.clone());
    plan.finished(&b, &Verdict::Delivered, at(1));
    let then = plan.progress().unwrap();
    assert_eq!((then.cursor, then.upsert), (Some(2), first.upsert));
    let again = plan.next(at(5)).unwrap();
    assert_eq!(plan.row(&again).unwrap().sequence, 1);
}

/// A store, an endpoint and a plan between them; what happened so far.
struct Story {
    plan: Plan,
    subscription: SubscriptionId,
    events: Vec<RenderedEvent>,
    rows: BTreeMap<DeliveryId, DeliveryRow>,
    cursor: u64,
    delivered: Vec<(String, u64)>,
    flying: Vec<(Item, String, u64)>,
}

impl Story {
    fn new() -> Self {
        let subscription = SubscriptionId::new();
        Self {
            plan: Plan::new(subscription, 0, Vec::new()),
            subscription,
            events: Vec::new(),
            rows: BTreeMap::new(),
            cursor: 0,
            delivered: Vec::new(),
            flying: Vec::new(),
        }
    }
    fn happens(&mut self, key: u8) {
        let sequence = self.events.len() as u64 + 1;
        let new = event(sequence, &format!("k{key}"));
        self.events.push(new.clone());
        self.plan.add_events(vec![new], sequence);
    }
    fn send(&mut self, now: Timestamp) {
        while let Some(item) = self.plan.next(now) {
            let (key, sequence) = match (self.plan.row(&item), self.plan.event(&item)) {
                (Some(row), _) => (row.ordering_key.clone(), row.sequence),
                (_, Some(event)) => (event.ordering_key.clone(), event.sequence),
                _ => unreachable!(),
            };
            assert!(
                self.flying.iter().all(|(_, other, _)| *other != key),
                "two of one key"
            );
            self.flying.push((item, key, sequence));
        }
    }
    fn answer(&mut self, verdict: &Verdict, now: Timestamp) {
        if let Some((item, key, sequence)) = self.flying.pop() {
            if *verdict == Verdict::Delivered {
                self.delivered.push((key, sequence));
            }
            self.plan.finished(&item, verdict, now);
        }
    }
    fn commit(&mut self, taken: bool) {
        let Some(progress) = self.plan.progress() else {
            return;
        };
        if !taken {
            return self.plan.give_back(progress);
        }
        for row in &progress.upsert {
            self.rows.insert(row.id, row.clone());
        }
        for id in &progress.remove {
            self.rows.remove(id);
        }
        if let Some(cursor) = progress.cursor {
            assert!(cursor >= self.cursor);
            self.cursor = cursor;
        }
        for s in 1..=self.cursor {
            let safe = self.delivered.iter().any(|(_, d)| *d == s)
                || self.rows.values().any(|row| row.sequence == s);
            assert!(
                safe,
                "{s} is behind the cursor, neither delivered nor a row"
            );
        }
    }
    /// The process dies and starts anew from what is stored.
    fn die(&mut self) {
        self.flying.clear();
        let rows = self.rows.values().cloned().collect();
        self.plan = Plan::new(self.subscription, self.cursor, rows);
        let after = self
            .events
            .iter()
            .filter(|event| event.sequence > self.cursor);
        self.plan
            .add_events(after.cloned().collect(), self.events.len() as u64);
    }
}

proptest! {
    /// Whatever the endpoint and the store answer, and whenever the process dies: per key in order,
    /// one in flight, nothing lost, and the cursor passes only what is delivered or has a row.
    #[test]
    fn nothing_is_lost_or_reordered(script in prop::collection::vec((0u8..6, 0u8..5, any::<bool>()), 1..200)) {
        let mut story = Story::new();
        let mut now = 0i64;
        for (action, key, taken) in script {
            now += 7;
            match (action, key) {
                (0 | 1, _) => story.happens(key),
                (2, _) => story.send(at(now)),
                (3, 0) => story.die(),
                (_, 0) => story.answer(&Verdict::Down { status: Some(503), why: "503".into(), retry_after: None }, at(now)),
                (_, 1) => story.answer(&Verdict::Refused { status: 500 }, at(now)),
                _ => story.answer(&Verdict::Delivered, at(now)),
            }
            story.commit(taken);
        }
        // The endpoint is well from now on.
        for _ in 0..story.events.len() * 2 + 2 {
            now += 8 * 3_600;
            story.send(at(now));
            while !story.flying.is_empty() {
                story.answer(&Verdict::Delivered, at(now));
            }
            story.commit(true);
        }
        for key in 0..5 {
            let of_key = |k: &str| k == format!("k{key}");
            let mut order: Vec<u64> = Vec::new();
            for (_, s) in story.delivered.iter().filter(|(k, _)| of_key(k)) {
                if !order.contains(s) { order.push(*s); }
            }
            let wanted: Vec<u64> = story.events.iter().filter(|e| of_key(&e.ordering_key)).map(|e| e.sequence).collect();
            prop_assert_eq!(order, wanted);
        }
    }
}

#[test]
fn what_can_never_pass_is_given_up_at_once_and_its_order_goes_on() {
    let mut plan = plan_with(vec![event(1, "a"), event(2, "a")]);
    let first = plan.next(at(0)).unwrap();
    let never = Verdict::Never {
        status: 413,
        why: "too large".into(),
    };
    assert_eq!(plan.finished(&first, &never, at(0)), After::Dead);
    assert!(!plan.is_down());
    assert_eq!(plan.next(at(0)), Some(Item::Fresh(2)));
    let progress = plan.progress().unwrap();
    assert_eq!(progress.problems.len(), 1);
    let row = &progress.upsert[0];
    assert_eq!(
        (row.state, row.last_status, row.last_error.as_deref()),
        (DeliveryState::Dead, Some(413), Some("too large"))
    );
}
