//! Wake-up calls: what was committed a moment ago, so that workers need not poll.
//!
//! What always holds: a call is counted, so one that comes while nobody waits is not lost (the next
//! `changed()` returns at once). A call is a hint only: whoever wakes reads the store. On several
//! nodes a slow poll stands behind it.

use tokio::sync::watch;

/// The bells of a store.
#[derive(Debug)]
pub struct Wakeups {
    deliveries: watch::Sender<u64>,
    events: watch::Sender<u64>,
    jobs: watch::Sender<u64>,
    setup: watch::Sender<u64>,
}

impl Default for Wakeups {
    fn default() -> Self {
        Self {
            deliveries: watch::Sender::new(0),
            events: watch::Sender::new(0),
            jobs: watch::Sender::new(0),
            setup: watch::Sender::new(0),
        }
    }
}

impl Wakeups {
    /// Rings when deliveries were appended to the inbox.
    pub fn deliveries(&self) -> watch::Receiver<u64> {
        self.deliveries.subscribe()
    }
    /// Rings when events were appended, and when subscriptions or their deliveries changed.
    pub fn events(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }
    /// Rings when jobs were enqueued, ended or unparked (the next of an ordering key may be free).
    pub fn jobs(&self) -> watch::Receiver<u64> {
        self.jobs.subscribe()
    }
    /// How often what decisions are made by has changed: merchants, connections (not their health
    /// and memory), directories of points. Who keeps a copy of it reads anew when this has moved.
    pub fn setup(&self) -> u64 {
        *self.setup.borrow()
    }
    /// Rings when that has changed.
    pub fn setup_changes(&self) -> watch::Receiver<u64> {
        self.setup.subscribe()
    }
    pub(super) fn ring(&self, bells: Bells) {
        if bells.deliveries {
            self.deliveries.send_modify(|n| *n = n.wrapping_add(1));
        }
        if bells.events {
            self.events.send_modify(|n| *n = n.wrapping_add(1));
        }
        if bells.jobs {
            self.jobs.send_modify(|n| *n = n.wrapping_add(1));
        }
        if bells.setup {
            self.setup.send_modify(|n| *n = n.wrapping_add(1));
        }
    }
}

/// Which bells a commit rings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bells {
    pub deliveries: bool,
    pub events: bool,
    pub jobs: bool,
    pub setup: bool,
}

impl Bells {
    pub(super) const fn and(self, other: Bells) -> Bells {
        Bells {
            deliveries: self.deliveries || other.deliveries,
            events: self.events || other.events,
            jobs: self.jobs || other.jobs,
            setup: self.setup || other.setup,
        }
    }
}
