//! The clock that everything reads, so that tests move time instead of waiting for it.
//!
//! What always holds: nothing outside this file asks the system for the time. `now` may jump when
//! the system's clock is set; `elapsed` never goes back, so rates are measured with it. Whoever
//! sleeps until a moment looks at the clock again now and then, since it may be set meanwhile.
//!
//! With the feature `failpoints`, `CROSSDOCK_TEST_CLOCK` names a file with a number of milliseconds:
//! the system's clock is off by so much, from the moment that the file is written.

use crate::canonical::Timestamp;
use async_trait::async_trait;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where time comes from.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The moment in UTC.
    fn now(&self) -> Timestamp;
    /// Time since some fixed start; never goes back.
    fn elapsed(&self) -> Duration;
    /// Returns when `moment` has come; at once when it is past.
    async fn sleep_until(&self, moment: Timestamp);
}

/// Time from `from` to `to`; zero when `to` is earlier.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// `moment` + `span`; the last moment there is when that overflows.
pub fn after(moment: Timestamp, span: Duration) -> Timestamp {
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// `moment` − `span`; the first moment there is when that overflows.
pub fn before(moment: Timestamp, span: Duration) -> Timestamp {
    moment.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// A sleeper looks at the clock so often: a machine may be suspended, or its clock set.
const NAP: Duration = Duration::from_secs(60);

/// The system's time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        outside::set(Timestamp::now())
    }

    fn elapsed(&self) -> Duration {
        START.elapsed()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        loop {
            let wait = between(self.now(), moment);
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait.min(outside::nap())).await;
        }
    }
}

#[cfg(not(feature = "failpoints"))]
mod outside {
    use super::{Duration, NAP, Timestamp};

    pub(super) const fn set(now: Timestamp) -> Timestamp {
        now
    }
    pub(super) const fn nap() -> Duration {
        NAP
    }
}

/// The clock of a process under test, set from outside.
#[cfg(feature = "failpoints")]
mod outside {
    use super::{Duration, Instant, LazyLock, NAP, Timestamp, after, before};
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};

    /// The file is read so often.
    const LOOK: Duration = Duration::from_millis(20);

    #[expect(
        clippy::disallowed_methods,
        reason = "no setting: it exists in test builds only"
    )]
    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| Some(std::env::var("CROSSDOCK_TEST_CLOCK").ok()?.into()));
    static READ: Mutex<Option<(Instant, i64)>> = Mutex::new(None);

    fn off_by(file: &PathBuf) -> i64 {
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        match *read {
            Some((at, off)) if at.elapsed() < LOOK => off,
            known => {
                let text = std::fs::read_to_string(file).ok();
                let told = text.and_then(|text| text.trim().parse().ok());
                let off = told.or(known.map(|(_, off)| off)).unwrap_or(0);
                *read = Some((Instant::now(), off));
                off
            }
        }
    }

    pub(super) fn set(now: Timestamp) -> Timestamp {
        let off = FILE.as_ref().map_or(0, off_by);
        let span = Duration::from_millis(off.unsigned_abs());
        if off < 0 {
            before(now, span)
        } else {
            after(now, span)
        }
    }

    pub(super) fn nap() -> Duration {
        if FILE.is_some() { LOOK } else { NAP }
    }
}

/// A clock that stands still until it is moved. Clones are not shared: hold it in an `Arc`.
#[derive(Debug)]
pub struct TestClock {
    start: Timestamp,
    now: watch::Sender<Timestamp>,
}

impl TestClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            start: now,
            now: watch::Sender::new(now),
        }
    }

    /// Moves time on; whoever sleeps until then wakes up.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = after(*now, by));
    }

    /// How many tasks sleep on this clock now (so that a test moves it only when they do).
    pub fn sleepers(&self) -> usize {
        self.now.receiver_count()
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn elapsed(&self) -> Duration {
        between(self.start, self.now())
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let mut changes = self.now.subscribe();
        // An error means that the clock is gone, and with it whoever could move it.
        let _ = changes.wait_for(|now| *now >= moment).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_sleeper_wakes_only_when_its_moment_has_come() {
        let start: Timestamp = "2026-07-01T10:00:00Z".parse().unwrap();
        let clock = Arc::new(TestClock::at(start));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock
                    .sleep_until(after(start, Duration::from_secs(10)))
                    .await;
                clock.now()
            }
        });
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert_eq!(
            sleeper.await.unwrap(),
            after(start, Duration::from_secs(10))
        );
        assert_eq!(clock.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test]
    async fn the_past_is_not_waited_for() {
        SystemClock.sleep_until(Timestamp::UNIX_EPOCH).await;
        assert_eq!(between(Timestamp::MAX, Timestamp::MIN), Duration::ZERO);
        assert_eq!(
            after(Timestamp::MAX, Duration::from_secs(1)),
            Timestamp::MAX
        );
    }
}
