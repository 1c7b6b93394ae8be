//! When a delivery is tried again: schedules as data.
//!
//! What always holds: an event-level failure is repeated over three days, then given up; an
//! endpoint that is down is probed, never flooded.

use crate::canonical::Timestamp;
use std::time::Duration;

/// Waits after the 1st, 2nd, … failure of one delivery (Standard Webhooks asks for a schedule of
/// this shape; the last one repeats until [`GIVE_UP_AFTER`]).
pub const EVENT_RETRY_S: [u64; 9] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800];
/// Waits between probes of an endpoint that is down; the last one repeats.
pub const PROBE_S: [u64; 7] = [1, 2, 5, 10, 20, 30, 60];
/// A delivery whose first attempt is older is given up (`dead`, with a problem).
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 3_600);
/// So many event-level failures in a row without a success count as an endpoint that is down.
pub const FAILURES_THAT_MEAN_DOWN: u32 = 16;

fn nth(waits: &[u64], n: u32) -> Duration {
    let index = usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = waits.get(index).or(waits.last()).copied().unwrap_or(60);
    Duration::from_secs(seconds)
}

/// `now` and a while; the far end of time when it does not fit.
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// When the delivery that has failed `attempts` times is tried again; `None` when it is given up.
pub fn next_attempt(now: Timestamp, first_at: Timestamp, attempts: u32) -> Option<Timestamp> {
    (now < after(first_at, GIVE_UP_AFTER)).then(|| after(now, nth(&EVENT_RETRY_S, attempts)))
}

/// When an endpoint that has been down for `probes` probes is probed again.
pub fn next_probe(now: Timestamp, probes: u32) -> Timestamp {
    after(now, nth(&PROBE_S, probes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gives_up_after_three_days_and_not_before() {
        let first: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2026-11-22T23:59:59Z".parse().unwrap();
        assert_eq!(
            next_attempt(late, first, 40),
            Some("2026-11-23T07:59:59Z".parse().unwrap())
        );
        assert_eq!(
            next_attempt("2026-11-23T00:00:00Z".parse().unwrap(), first, 41),
            None
        );
        assert_eq!(
            next_attempt(first, first, 1),
            Some("2026-11-20T00:00:05Z".parse().unwrap())
        );
    }
}
