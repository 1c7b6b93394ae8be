//! When a failed call is repeated: schedules are data, this reads them. Pure.
//!
//! What always holds: `throttled` spends no attempt; what may have been executed is repeated only
//! where the manifest says that this is safe, or after a look-up; a decision is always one of
//! three, so that no job is left without one.

use super::classify::Outcome;
use crate::canonical::problem::Class;
use crate::manifest::model::{Method, Repeat, Retry};
use rand::Rng;
use std::time::Duration;

/// The wait after `throttled` when the provider names none.
pub const THROTTLED: Duration = Duration::from_secs(30);

/// What to do with a failed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Run it again after the delay.
    RetryAfter {
        /// From now.
        delay: Duration,
        /// False: this try does not count.
        spends_attempt: bool,
        /// True: from the operation's first step (it looks whether the call has happened), not
        /// from the step that failed.
        restart: bool,
    },
    /// Keep it, open a problem, wait for a person or a mended connection.
    Park,
    /// End it: the answer is a final no.
    GiveUp,
}

/// True when a step whose answer was lost may simply be sent again.
pub const fn repeatable(repeat: Repeat, method: Method) -> bool {
    match repeat {
        Repeat::Safe => true,
        Repeat::ByMethod => matches!(method, Method::Get | Method::Put | Method::Delete),
        // The look-up at GET steps of the same operation may be repeated all the same.
        Repeat::LookupFirst | Repeat::Never => matches!(method, Method::Get),
    }
}

/// Decides on a failed call. `attempts` counts those that were spent, this one included;
/// `repeat` is the failed step's. A success is `GiveUp` by no one's wish: do not ask.
pub fn next(
    retry: &Retry,
    attempts: u32,
    outcome: &Outcome,
    repeat: Repeat,
    rng: &mut impl Rng,
) -> Decision {
    let Some(class) = outcome.class else {
        return Decision::GiveUp;
    };
    let mut scheduled = |restart| scheduled(retry, attempts, outcome, restart, rng);
    match class {
        Class::Throttled => Decision::RetryAfter {
            delay: outcome.retry_after.unwrap_or(THROTTLED),
            spends_attempt: false,
            restart: false,
        },
        Class::Transient => scheduled(false),
        // Stale: what was read before is read again.
        Class::Conflict => scheduled(true),
        Class::Ambiguous if matches!(repeat, Repeat::LookupFirst) => scheduled(true),
        // Refreshed once; a second refusal in a row is no matter of time.
        Class::AuthExpired if attempts <= 1 => Decision::RetryAfter {
            delay: Duration::ZERO,
            spends_attempt: true,
            restart: false,
        },
        Class::Rejected | Class::Gone => Decision::GiveUp,
        Class::Ambiguous
        | Class::AuthExpired
        | Class::AuthBroken
        | Class::Invalid
        | Class::BrokenContract
        | Class::Drift
        | Class::TotalsMismatch => Decision::Park,
    }
}

fn scheduled(
    retry: &Retry,
    attempts: u32,
    outcome: &Outcome,
    restart: bool,
    rng: &mut impl Rng,
) -> Decision {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    match retry.schedule.get(index) {
        None => Decision::Park,
        Some(wait) => Decision::RetryAfter {
            delay: jittered(wait.0, retry.jitter, rng).max(outcome.retry_after.unwrap_or_default()),
            spends_attempt: true,
            restart,
        },
    }
}

/// The wait times a random factor in 1 ± jitter.
fn jittered(wait: Duration, jitter: f64, rng: &mut impl Rng) -> Duration {
    let jitter = if jitter.is_finite() {
        jitter.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let factor = rng.random_range(1.0 - jitter..=1.0 + jitter);
    Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::scalar::Span;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn decide(class: Class, attempts: u32, repeat: Repeat, retry_after: Option<u64>) -> Decision {
        let retry = Retry {
            schedule: vec![Span::secs(2), Span::secs(10)],
            jitter: 0.0,
            ..Retry::default()
        };
        let outcome = Outcome {
            retry_after: retry_after.map(Duration::from_secs),
            ..Outcome::failed(class, "x", "x")
        };
        next(
            &retry,
            attempts,
            &outcome,
            repeat,
            &mut StdRng::seed_from_u64(1),
        )
    }

    fn after(seconds: u64, spends_attempt: bool, restart: bool) -> Decision {
        Decision::RetryAfter {
            delay: Duration::from_secs(seconds),
            spends_attempt,
            restart,
        }
    }

    #[test]
    fn each_class_has_its_decision() {
        use Class::*;
        use Repeat::*;
        let cases = [
            (Transient, 1, ByMethod, None, after(2, true, false)),
            (Transient, 2, ByMethod, None, after(10, true, false)),
            (Transient, 3, ByMethod, None, Decision::Park),
            (Transient, 1, ByMethod, Some(60), after(60, true, false)),
            (Throttled, 9, ByMethod, Some(7), after(7, false, false)),
            (Throttled, 9, ByMethod, None, after(30, false, false)),
            (Conflict, 1, ByMethod, None, after(2, true, true)),
            (Ambiguous, 1, ByMethod, None, Decision::Park),
            (Ambiguous, 1, Never, None, Decision::Park),
            (Ambiguous, 1, LookupFirst, None, after(2, true, true)),
            (Ambiguous, 3, LookupFirst, None, Decision::Park),
            (AuthExpired, 1, ByMethod, None, after(0, true, false)),
            (AuthExpired, 2, ByMethod, None, Decision::Park),
            (AuthBroken, 1, ByMethod, None, Decision::Park),
            (Invalid, 1, ByMethod, None, Decision::Park),
            (BrokenContract, 1, ByMethod, None, Decision::Park),
            (Rejected, 1, ByMethod, None, Decision::GiveUp),
            (Gone, 1, ByMethod, None, Decision::GiveUp),
        ];
        for (class, attempts, repeat, retry_after, expected) in cases {
            assert_eq!(
                decide(class, attempts, repeat, retry_after),
                expected,
                "{class:?} {attempts} {repeat:?}"
            );
        }
    }

    #[test]
    fn only_what_is_safe_is_repeated() {
        for method in [
            Method::Get,
            Method::Post,
            Method::Put,
            Method::Patch,
            Method::Delete,
        ] {
            let idempotent = matches!(method, Method::Get | Method::Put | Method::Delete);
            assert_eq!(repeatable(Repeat::ByMethod, method), idempotent);
            assert!(repeatable(Repeat::Safe, method));
            assert_eq!(repeatable(Repeat::Never, method), method == Method::Get);
            assert_eq!(
                repeatable(Repeat::LookupFirst, method),
                method == Method::Get
            );
        }
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_bounds(seed: u64, jitter in -1.0f64..3.0, seconds in 0u64..100_000) {
            let wait = Duration::from_secs(seconds);
            let found = jittered(wait, jitter, &mut StdRng::seed_from_u64(seed)).as_secs_f64();
            let jitter = jitter.clamp(0.0, 1.0);
            let seconds = wait.as_secs_f64();
            prop_assert!(found >= seconds * (1.0 - jitter) - 1e-6 && found <= seconds * (1.0 + jitter) + 1e-6);
        }
    }
}
