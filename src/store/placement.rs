//! Which of the things that one node at a time works on are this node's: connections,
//! subscriptions, and the clocks.
//!
//! What always holds: where one server has the store to itself, everything is its own. Where
//! several nodes share it, a thing is a node's from a grant to its revocation, and no longer than
//! the store vouches for it: a node that cannot reach the store stops sending by itself, before
//! another one can be given the same thing. What was begun may end: a thing is passed on only when
//! nobody is at work on it any more, or when waiting for that takes too long.
//!
//! This places work. It does not make writes safe: that is done by the rows themselves (versions,
//! a job's lease, a delivery that is decided once).

use crate::canonical::{ConnectionId, SubscriptionId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use uuid::Uuid;

/// A thing that one node at a time works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thing(pub Uuid);

impl Thing {
    /// Everything that runs by the clock and is no connection's: deadlines, housekeeping, overdue
    /// cash.
    pub const CLOCKS: Self = Self(Uuid::from_u128(0xc10c));
}

impl From<ConnectionId> for Thing {
    fn from(id: ConnectionId) -> Self {
        Self(id.uuid())
    }
}

impl From<SubscriptionId> for Thing {
    fn from(id: SubscriptionId) -> Self {
        Self(id.uuid())
    }
}

/// What is whose. See the module.
pub struct Placement {
    mine: Option<RwLock<Mine>>,
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Mine {
    granted: HashMap<Thing, Grant>,
    /// Until when the store vouches for the grants: by what is measured, which stands still while a
    /// machine is suspended, and by the clock, which may be set. Whichever comes first counts.
    until: Option<(Instant, SystemTime)>,
}

struct Grant {
    /// Rises with each owner: what a former one still writes is told by it.
    epoch: u64,
    /// No new work: it is to be passed on.
    leaving: bool,
    at_work: Arc<()>,
}

/// Work on a thing, until this is dropped.
pub struct Entered(#[allow(dead_code)] Option<Arc<()>>);

impl Placement {
    /// Of a server that has the store to itself.
    pub fn everything() -> Self {
        Self {
            mine: None,
            changes: watch::Sender::new(0),
        }
    }

    /// Of a node that was given nothing yet.
    pub fn nothing() -> Self {
        Self {
            mine: Some(RwLock::default()),
            changes: watch::Sender::new(0),
        }
    }

    /// Whether everything is this node's, always.
    pub fn is_everything(&self) -> bool {
        self.mine.is_none()
    }

    /// Whether new work on this may be begun here.
    pub fn has(&self, thing: impl Into<Thing>) -> bool {
        let Some(mine) = self.read() else {
            return true;
        };
        mine.vouched() && mine.granted.get(&thing.into()).is_some_and(|g| !g.leaving)
    }

    /// Whether a call on behalf of this may be sent now: work that was begun goes on while its
    /// thing waits to be passed on, but not when the store does not vouch for it any more.
    pub fn may_send(&self, thing: impl Into<Thing>) -> bool {
        let Some(mine) = self.read() else {
            return true;
        };
        mine.vouched() && mine.granted.contains_key(&thing.into())
    }

    /// Begins work on this; `None` when it is not this node's.
    pub fn enter(&self, thing: impl Into<Thing>) -> Option<Entered> {
        let Some(mine) = self.read() else {
            return Some(Entered(None));
        };
        let grant = mine.granted.get(&thing.into()).filter(|g| !g.leaving);
        let grant = grant.filter(|_| mine.vouched())?;
        Some(Entered(Some(grant.at_work.clone())))
    }

    /// The owner's number of this node for a thing that is its own; 0 where everything is.
    pub fn epoch(&self, thing: impl Into<Thing>) -> Option<u64> {
        match self.read() {
            None => Some(0),
            Some(mine) => mine.granted.get(&thing.into()).map(|grant| grant.epoch),
        }
    }

    /// What new work may be begun on; `None` where that is everything.
    pub fn things(&self) -> Option<Vec<Thing>> {
        let mine = self.read()?;
        if !mine.vouched() {
            return Some(Vec::new());
        }
        let open = mine.granted.iter().filter(|(_, grant)| !grant.leaving);
        let mut things: Vec<Thing> = open.map(|(thing, _)| *thing).collect();
        things.sort_unstable();
        Some(things)
    }

    /// Rings when something was granted or revoked.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    // ── for the store's own task ──────────────────────────────────────────────────────────────
    /// This is this node's from now on.
    pub fn grant(&self, thing: Thing, epoch: u64) {
        if let Some(mut mine) = self.write() {
            let grant = Grant {
                epoch,
                leaving: false,
                at_work: Arc::default(),
            };
            mine.granted.insert(thing, grant);
        }
        self.ring();
    }

    /// The store vouches for all grants for so long from `asked`, when it was asked.
    pub fn vouch(&self, asked: Instant, span: Duration) {
        if let Some(mut mine) = self.write() {
            let left = span.saturating_sub(asked.elapsed());
            let by_clock = SystemTime::now().checked_add(left);
            mine.until = asked.checked_add(span).zip(by_clock);
        }
    }

    /// No new work on this. `true` when nobody is at work on it: it can be passed on.
    pub fn leave(&self, thing: Thing) -> bool {
        let Some(mut mine) = self.write() else {
            return false;
        };
        let Some(grant) = mine.granted.get_mut(&thing) else {
            return true;
        };
        let first = !std::mem::replace(&mut grant.leaving, true);
        let idle = Arc::strong_count(&grant.at_work) == 1;
        drop(mine);
        if first {
            self.ring();
        }
        idle
    }

    /// It is wanted here again before it was passed on.
    pub fn stay(&self, thing: Thing) {
        let stays = self.write().and_then(|mut mine| {
            let grant = mine.granted.get_mut(&thing)?;
            Some(std::mem::replace(&mut grant.leaving, false))
        });
        if stays == Some(true) {
            self.ring();
        }
    }

    /// It is not this node's any more.
    pub fn revoke(&self, thing: Thing) {
        if let Some(mut mine) = self.write() {
            mine.granted.remove(&thing);
        }
        self.ring();
    }

    /// The store was lost: nothing is this node's any more.
    pub fn lost(&self) {
        if let Some(mut mine) = self.write() {
            *mine = Mine::default();
        }
        self.ring();
    }

    fn ring(&self) {
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn read(&self) -> Option<RwLockReadGuard<'_, Mine>> {
        let mine = self.mine.as_ref()?;
        Some(mine.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self) -> Option<RwLockWriteGuard<'_, Mine>> {
        let mine = self.mine.as_ref()?;
        Some(mine.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Mine {
    fn vouched(&self) -> bool {
        self.until.is_some_and(|(measured, by_clock)| {
            Instant::now() < measured && SystemTime::now() < by_clock
        })
    }
}

/// Who of these nodes is to have a thing: each node comes to the same answer, things spread evenly,
/// and a node that comes or goes moves only what becomes or was its own (highest random weight).
/// `None` when there is no node.
pub fn wanted_by<'n>(thing: Thing, nodes: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let weight = |node: &str| {
        let digest = Sha256::new()
            .chain_update(thing.0.as_bytes())
            .chain_update(node.as_bytes())
            .finalize();
        <[u8; 32]>::from(digest)
    };
    nodes
        .into_iter()
        .max_by(|a, b| weight(a).cmp(&weight(b)).then_with(|| a.cmp(b)))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONG: Duration = Duration::from_secs(600);

    fn node() -> (Placement, Thing) {
        let placement = Placement::nothing();
        placement.vouch(Instant::now(), LONG);
        (placement, Thing(Uuid::from_u128(7)))
    }

    #[test]
    fn one_server_has_everything() {
        let placement = Placement::everything();
        let thing = Thing::CLOCKS;
        assert!(placement.has(thing) && placement.may_send(thing) && placement.things().is_none());
        assert!(placement.enter(thing).is_some() && placement.epoch(thing) == Some(0));
    }

    #[test]
    fn a_thing_is_passed_on_when_nobody_is_at_work_on_it() {
        let (placement, thing) = node();
        assert!(!placement.has(thing) && placement.enter(thing).is_none());
        placement.grant(thing, 3);
        let work = placement.enter(thing);
        assert!(work.is_some() && placement.epoch(thing) == Some(3));
        assert!(!placement.leave(thing), "somebody is at work");
        assert!(!placement.has(thing) && placement.enter(thing).is_none());
        assert!(placement.may_send(thing), "what was begun may end");
        drop(work);
        assert!(placement.leave(thing));
        placement.revoke(thing);
        assert!(!placement.may_send(thing) && placement.leave(thing));
    }

    #[test]
    fn work_under_a_former_grant_does_not_hold_up_the_next() {
        let (placement, thing) = node();
        placement.grant(thing, 1);
        let former = placement.enter(thing);
        placement.lost();
        placement.vouch(Instant::now(), LONG);
        placement.grant(thing, 2);
        assert!(former.is_some() && placement.leave(thing));
    }

    #[test]
    fn without_the_stores_word_nothing_is_sent() {
        let (placement, thing) = node();
        placement.grant(thing, 1);
        placement.vouch(Instant::now(), Duration::ZERO);
        assert!(!placement.may_send(thing) && !placement.has(thing));
        assert_eq!(placement.things(), Some(Vec::new()));
        assert!(placement.enter(thing).is_none());
    }

    proptest! {
        #[test]
        fn a_node_that_goes_moves_only_its_own(seed in any::<u128>(), gone in 0..5usize) {
            let nodes = ["a", "b", "c", "d", "e"];
            let left: Vec<&str> = nodes.iter().enumerate().filter(|(i, _)| *i != gone).map(|(_, n)| *n).collect();
            for n in 0..50 {
                let thing = Thing(Uuid::from_u128(seed.wrapping_add(n)));
                let before = wanted_by(thing, nodes).unwrap();
                if before != nodes[gone] {
                    prop_assert_eq!(wanted_by(thing, left.iter().copied()), Some(before));
                }
            }
        }
    }

    #[test]
    fn things_spread_evenly() {
        let nodes = ["node-1", "node-2", "node-3"];
        let mut of: HashMap<&str, u32> = HashMap::new();
        for n in 0..3000u128 {
            *of.entry(wanted_by(Thing(Uuid::from_u128(n)), nodes).unwrap())
                .or_default() += 1;
        }
        assert!(of.values().all(|n| (850..1150).contains(n)), "{of:?}");
        assert_eq!(wanted_by(Thing::CLOCKS, []), None);
    }
}
