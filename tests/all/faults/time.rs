//! Time in a run: what all have in common is set ahead together, and one node's clock may be off.
//!
//! What always holds: the simulated parties' clock is that of a node whose clock is right.

use async_trait::async_trait;
use crossdock::canonical::Timestamp;
use crossdock::clock::{Clock, after, between};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(20);

/// How far ahead everyone's time is, in milliseconds.
#[derive(Clone)]
pub struct Time {
    ahead: Arc<AtomicI64>,
    start: Instant,
}

impl Time {
    pub fn new() -> Self {
        Self {
            ahead: Arc::default(),
            start: Instant::now(),
        }
    }

    fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::SeqCst)
    }

    fn pass(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap();
        self.ahead.fetch_add(ms, Ordering::SeqCst);
    }

    /// Time passes for everyone at once; the nodes' clocks are among these.
    pub fn passes<'c>(&self, span: Duration, clocks: impl IntoIterator<Item = &'c NodeClock>) {
        self.pass(span);
        for clock in clocks {
            clock.write();
        }
    }

    /// How much has passed beside real time.
    pub fn passed(&self) -> Duration {
        Duration::from_millis(self.ahead().unsigned_abs())
    }
}

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Timestamp {
        after(Timestamp::now(), self.passed())
    }
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
    async fn sleep_until(&self, moment: Timestamp) {
        loop {
            let wait = between(self.now(), moment);
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait.min(LOOK)).await;
        }
    }
}

/// A node's clock: the file that `CROSSDOCK_TEST_CLOCK` names.
pub struct NodeClock {
    pub file: PathBuf,
    time: Time,
    skew: AtomicI64,
}

impl NodeClock {
    pub fn new(folder: &Path, time: &Time) -> Self {
        let clock = Self {
            file: folder.join("clock"),
            time: time.clone(),
            skew: AtomicI64::new(0),
        };
        clock.write();
        clock
    }

    /// It is off by so many milliseconds from now on.
    pub fn skew(&self, ms: i64) {
        self.skew.store(ms, Ordering::SeqCst);
        self.write();
    }

    fn write(&self) {
        let off = self.time.ahead() + self.skew.load(Ordering::SeqCst);
        let new = self.file.with_extension("new");
        std::fs::write(&new, off.to_string()).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }
}
