//! The checks can fail: each is shown what it is there to find.

use super::checks::{Figures, delivered, once, read};
use super::reader::Seen;
use serde_json::{Value, json};

fn event(sequence: u64, order: &str) -> Seen {
    Seen::of(&told(sequence, order))
}

fn told(sequence: u64, order: &str) -> Value {
    json!({
        "sequence": sequence, "id": format!("evt_{sequence}"), "type": "order.updated",
        "merchant_id": "mer_1", "data": {"order": {"id": order}},
    })
}

fn arrived(events: &[(u64, &str)]) -> Vec<(String, Value)> {
    let events = events.iter();
    let events = events.map(|(n, order)| (format!("evt_{n}"), told(*n, order)));
    events.collect()
}

#[test]
fn what_a_reader_skipped_or_saw_otherwise_is_found() {
    let log: Vec<Seen> = (1..=3).map(|n| event(n, "ord_1")).collect();
    let found = |seen: &[Seen], log: &[Seen]| {
        let (mut figures, mut wrong) = (Figures::default(), Vec::new());
        read(seen, log, &mut figures, &mut wrong);
        (figures.skipped, wrong.len())
    };
    assert_eq!(found(&log, &log), (0, 0));
    assert_eq!(found(&[log[0].clone(), log[2].clone()], &log), (1, 1));
    // One that was taken back after it was seen; one below a cursor that has passed.
    assert_eq!(found(&log, &log[..2]), (0, 1));
    assert_eq!(
        found(&log[..2], &[log[0].clone(), event(3, "ord_1")]),
        (1, 2)
    );
    let other = [log[0].clone(), event(2, "ord_2"), log[2].clone()];
    assert_eq!(found(&other, &log), (0, 1));
}

#[test]
fn what_happens_twice_is_found() {
    let mut wrong = Vec::new();
    let mut first = event(1, "ord_1");
    first.kind = "order.received".to_owned();
    let mut again = first.clone();
    (again.sequence, again.id) = (2, "evt_2".to_owned());
    once(&[first.clone(), event(3, "ord_1")], &mut wrong);
    assert!(wrong.is_empty());
    once(&[first, again], &mut wrong);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
}

#[test]
fn deliveries_that_overtake_or_do_not_come_are_found() {
    let log = [event(1, "ord_1"), event(2, "ord_2"), event(3, "ord_1")];
    let found = |taken: &[(u64, &str)]| {
        let (mut figures, mut wrong) = (Figures::default(), Vec::new());
        delivered(&log, &arrived(taken), &mut figures, &mut wrong);
        (figures.delivered_again, figures.out_of_order, wrong.len())
    };
    // Orders are independent, and what comes again changes nothing.
    let again = [(2, "ord_2"), (1, "ord_1"), (3, "ord_1"), (1, "ord_1")];
    assert_eq!(found(&again), (1, 0, 0));
    let overtaken = [(3, "ord_1"), (1, "ord_1"), (2, "ord_2")];
    assert_eq!(found(&overtaken), (0, 1, 1));
    assert_eq!(found(&[(1, "ord_1"), (2, "ord_2")]), (0, 0, 1));
}
