//! When a parcel is asked for next.
//!
//! What always holds: pure and without jitter; the nearer to the door, the more often; what has
//! ended is asked for a while longer (cash, returns), and then never again.

use crate::canonical::Timestamp;
use crate::canonical::connection::Connection;
use crate::canonical::tracking::TrackingStatus;
use jiff::SignedDuration;
use std::time::Duration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The step while it is under way; every other one is in proportion to it.
const BASE: i64 = 30 * MINUTE;
/// So long in one status, and it is asked for daily.
const SLOW_AFTER: i64 = 14 * DAY;
/// So long in one status, and the carrier has forgotten the number.
const LOST_AFTER: i64 = 90 * DAY;
/// So long after the end it is asked for still: cash is told late, and returns begin.
const TAIL: i64 = 14 * DAY;
/// So long after the end it is asked for every two hours: most cash is told by then.
const WARM_TAIL: i64 = 2 * DAY;

/// The setting of a carrier account: seconds between two questions for a parcel under way. All
/// steps are scaled with it; how long a parcel is asked for at all is not.
pub const EVERY: &str = "tracking_every_s";

/// The steps of one carrier account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    base_s: i64,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { base_s: BASE }
    }
}

impl Ladder {
    /// As the account is set.
    pub fn of(account: &Connection) -> Self {
        set(account).map_or_else(Self::default, |base_s| Self { base_s })
    }

    /// The step while a parcel is under way, where the account sets it: the pause between two reads
    /// of an account's feed, too.
    pub fn set(account: &Connection) -> Option<Duration> {
        set(account).and_then(|every| u64::try_from(every).ok().map(Duration::from_secs))
    }

    /// When a parcel is asked for next that has had this status since then (by the carrier's
    /// clock; since the label was bought where there was no scan). `terminal_since`: when it
    /// ended. `None`: not any more.
    pub fn next(
        self,
        status: TrackingStatus,
        since: Timestamp,
        now: Timestamp,
        terminal_since: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let ended = terminal_since.or_else(|| status.terminal().then_some(since));
        let step = match ended {
            Some(end) => tail(seconds(end, now))?,
            None => under_way(status, seconds(since, now))?,
        };
        now.checked_add(SignedDuration::from_secs(self.scaled(step)))
            .ok()
    }

    fn scaled(self, step: i64) -> i64 {
        (step.saturating_mul(self.base_s) / BASE).max(1)
    }
}

fn set(account: &Connection) -> Option<i64> {
    let every = account.settings.get(EVERY)?.as_i64()?;
    (1..=DAY).contains(&every).then_some(every)
}

fn seconds(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

fn tail(age: i64) -> Option<i64> {
    match age {
        ..WARM_TAIL => Some(2 * HOUR),
        WARM_TAIL..TAIL => Some(DAY),
        _ => None,
    }
}

fn under_way(status: TrackingStatus, age: i64) -> Option<i64> {
    match age {
        LOST_AFTER.. => return None,
        SLOW_AFTER..LOST_AFTER => return Some(DAY),
        _ => {}
    }
    Some(match status {
        TrackingStatus::OutForDelivery => 10 * MINUTE,
        TrackingStatus::AvailableForPickup => 2 * HOUR,
        _ => BASE,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use TrackingStatus as S;
    use serde_json::json;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }
    /// Seconds until the next question, `age` after the status began.
    fn step(ladder: Ladder, status: S, age: i64) -> Option<i64> {
        let next = ladder.next(status, at(0), at(age), None)?;
        Some(seconds(at(age), next))
    }

    #[test]
    fn the_nearer_to_the_door_the_more_often() {
        let usual = Ladder::default();
        for status in [S::Unknown, S::PreTransit, S::InTransit, S::ReturnInTransit] {
            assert_eq!(step(usual, status, 0), Some(1_800), "{status:?}");
        }
        assert_eq!(step(usual, S::OutForDelivery, HOUR), Some(600));
        assert_eq!(step(usual, S::AvailableForPickup, DAY), Some(7_200));
        assert_eq!(step(usual, S::InTransit, 14 * DAY - 1), Some(1_800));
        assert_eq!(step(usual, S::OutForDelivery, 14 * DAY), Some(DAY));
        assert_eq!(step(usual, S::Unknown, 90 * DAY - 1), Some(DAY));
        assert_eq!(step(usual, S::Unknown, 90 * DAY), None);
    }

    #[test]
    fn after_the_end_for_two_weeks_more() {
        let usual = Ladder::default();
        assert_eq!(step(usual, S::Delivered, HOUR), Some(7_200));
        assert_eq!(step(usual, S::Returned, 2 * DAY), Some(DAY));
        assert_eq!(step(usual, S::Delivered, 14 * DAY - 1), Some(DAY));
        assert_eq!(step(usual, S::Cancelled, 14 * DAY), None);
        // A void label that nobody scanned: its end is told.
        let next = usual.next(S::PreTransit, at(0), at(DAY), Some(at(-14 * DAY)));
        assert_eq!(next, None);
        // A clock that runs ahead of ours asks on.
        assert_eq!(step(usual, S::Delivered, -HOUR), Some(7_200));
    }

    #[test]
    fn the_setting_scales_every_step() {
        let account = |every: serde_json::Value| {
            serde_json::from_value::<Connection>(json!({
                "id": crate::canonical::ConnectionId::new(),
                "merchant_id": crate::canonical::MerchantId::OPERATOR,
                "connector": "a-courier", "name": "courier", "kind": "carrier",
                "owner": "operator", "settings": { "tracking_every_s": every },
                "state": "active", "release_from": null, "health": {}, "memory": {},
                "credentials_set": [], "created_at": at(0), "updated_at": at(0),
                "version": 1, "epoch": 1,
            }))
            .unwrap()
        };
        let quick = Ladder::of(&account(json!(3)));
        assert_eq!(step(quick, S::InTransit, 0), Some(3));
        assert_eq!(step(quick, S::OutForDelivery, 0), Some(1));
        assert_eq!(step(quick, S::AvailableForPickup, 0), Some(12));
        assert_eq!(step(quick, S::InTransit, 20 * DAY), Some(144));
        assert_eq!(
            step(quick, S::Delivered, 14 * DAY),
            None,
            "ends all the same"
        );
        for wrong in [json!(0), json!("3"), json!(-5), json!(null)] {
            assert_eq!(Ladder::of(&account(wrong)), Ladder::default());
        }
    }
}
