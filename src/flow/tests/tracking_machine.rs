//! Scans in any order: what the projection may not depend on, and what it never undoes.
use super::tracking::answer;
use super::*;
use crate::canonical::cod::CodStatus;
use crate::canonical::tracking::{ParcelState, TrackingStatus};
use proptest::prelude::*;

const STATUSES: [&str; 12] = [
    "unknown",
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "failed_attempt",
    "available_for_pickup",
    "return_in_transit",
    "delivered",
    "returned",
    "cancelled",
    "exception",
    "info",
];

fn scan(status: usize, minute: usize) -> Value {
    json!({
        "status": STATUSES[status], "carrier_code": STATUSES[status],
        "occurred_at": format!("2026-11-20T{:02}:{:02}:00Z", 6 + minute / 60, minute % 60),
    })
}

/// The parcel after these answers, one after the other.
fn after(answers: &[Vec<Value>]) -> (ParcelState, usize) {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1"]);
    for scans in answers {
        let told = answer("N1", scans.clone());
        world.told(account, told.clone());
        let again = world.told(account, told);
        assert_eq!(
            again.disposition,
            Disposition::Unchanged,
            "repeats collapse"
        );
    }
    let stored = world.state.as_ref().unwrap().tracking.len();
    (world.tracked(0).clone(), stored)
}

/// Scans at moments of their own, and the same ones in another order.
fn shuffled() -> impl Strategy<Value = (Vec<Value>, Vec<Value>, usize)> {
    proptest::collection::vec(0..STATUSES.len(), 1..12).prop_flat_map(|statuses| {
        let sorted: Vec<Value> = statuses
            .iter()
            .enumerate()
            .map(|(minute, status)| scan(*status, minute))
            .collect();
        let len = sorted.len();
        (Just(sorted.clone()), Just(sorted).prop_shuffle(), 1..=len)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_arrival_does_not_matter((sorted, shuffled, size) in shuffled()) {
        let (expected, stored) = after(std::slice::from_ref(&sorted));
        prop_assert_eq!(stored, sorted.len(), "each once");
        let batches: Vec<Vec<Value>> = shuffled.chunks(size).map(<[Value]>::to_vec).collect();
        let (found, stored) = after(&batches);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(stored, sorted.len());
    }

    #[test]
    fn what_has_ended_is_not_undone_by_what_comes_late(
        end in 7usize..10,
        before in proptest::collection::vec((0..STATUSES.len(), 0usize..100), 0..8),
        later in proptest::collection::vec(0usize..6, 0..4),
    ) {
        let last = scan(end, 200);
        let (expected, _) = after(&[vec![last.clone()]]);
        let late: Vec<Value> = before.iter().map(|(status, minute)| scan(*status, *minute)).collect();
        let (found, _) = after(&[vec![last.clone()], late]);
        // A return that is told late only says whose hands those were.
        let back = before.iter().any(|(status, _)| matches!(status, 6 | 8));
        let ended = match expected.status {
            TrackingStatus::Delivered if back => TrackingStatus::Returned,
            status => status,
        };
        prop_assert_eq!((found.status, found.since), (ended, expected.since));
        // Scans of a later moment open nothing either, but for a return after `delivered`.
        let more: Vec<Value> = later.iter().enumerate().map(|(n, s)| scan(*s, 201 + n)).collect();
        let (found, _) = after(&[vec![last.clone()], more]);
        prop_assert_eq!(found.status, expected.status);
        let (found, _) = after(&[vec![last], vec![scan(6, 300)]]);
        let back = found.status == TrackingStatus::ReturnInTransit;
        prop_assert_eq!(back, expected.status == TrackingStatus::Delivered);
    }

    #[test]
    fn notes_and_unknown_codes_move_nothing(statuses in proptest::collection::vec(1usize..10, 1..6)) {
        let real: Vec<Value> = statuses.iter().enumerate().map(|(n, s)| scan(*s, 2 * n)).collect();
        let noise: Vec<Value> = (0..statuses.len()).map(|n| scan(if n % 2 == 0 { 0 } else { 11 }, 2 * n + 1)).collect();
        let (expected, _) = after(std::slice::from_ref(&real));
        let (found, _) = after(&[real, noise]);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn behind_a_return_nothing_is_delivered_and_no_cash_comes(
        before in proptest::collection::vec(0usize..7, 0..5),
        begins in prop_oneof![Just(6usize), Just(8)],
        later in proptest::collection::vec((0..STATUSES.len(), 101usize..140, 1usize..4), 1..10),
    ) {
        let mut world = World::with(cod("28.00"));
        let account = world.account(json!({}));
        world.labelled(account, &["N1"]);
        let way: Vec<Value> = before.iter().enumerate().map(|(n, s)| scan(*s, n)).collect();
        world.told(account, answer("N1", way));
        world.told(account, answer("N1", vec![scan(begins, 100)]));
        let first = world.state.as_ref().unwrap().tracking.len();
        // In answers of one to three scans each, in any order.
        let mut rest = &later[..];
        while let Some((_, _, size)) = rest.first() {
            let (now, then) = rest.split_at((*size).min(rest.len()));
            rest = then;
            let told: Vec<Value> = now.iter().map(|(s, minute, _)| scan(*s, *minute)).collect();
            let outcome = world.told(account, answer("N1", told));
            for job in outcome.jobs.iter().filter(|job| job.kind == "delivery.push") {
                prop_assert_eq!(&job.input["status"], "returned");
            }
            let state = world.state.as_ref().unwrap();
            let told = &state.tracking[first..];
            prop_assert!(told.iter().all(|scan| scan.status != TrackingStatus::Delivered));
            let parcel = world.tracked(0);
            prop_assert_ne!(parcel.status, TrackingStatus::Delivered);
            prop_assert!(parcel.returning);
            prop_assert_eq!(state.cod[0].status, CodStatus::NotDue);
            prop_assert!(state.cod[0].collected.is_none());
        }
    }

    #[test]
    fn cash_follows_the_scans_in_whatever_order_they_are_told((sorted, shuffled, size) in shuffled()) {
        let cash = |answers: &[Vec<Value>]| {
            let mut world = World::with(cod("28.00"));
            let account = world.account(json!({}));
            world.labelled(account, &["N1"]);
            for scans in answers {
                world.told(account, answer("N1", scans.clone()));
            }
            world.state.as_ref().unwrap().cod[0].status
        };
        let batches: Vec<Vec<Value>> = shuffled.chunks(size).map(<[Value]>::to_vec).collect();
        prop_assert_eq!(cash(&batches), cash(&[sorted]));
    }
}
