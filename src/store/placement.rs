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

/// Who of these nodes is to have each thing: every node comes to the same answer.
///
/// A thing goes to the node that weighs most for it (highest random weight) and has room: none gets
/// more than a quarter above the even share, however few things there are. Those that came first
/// choose first, so a new thing moves hardly any other; a node that comes or goes moves what becomes or was
/// its own, and the few that had to give way.
pub fn shares<'n>(things: &[Thing], nodes: &[&'n str]) -> HashMap<Thing, &'n str> {
    let mut things = things.to_vec();
    things.sort_unstable();
    things.dedup();
    let room = (things.len() * 5).div_ceil(4 * nodes.len().max(1));
    let mut taken = vec![0_usize; nodes.len()];
    let mut shares = HashMap::with_capacity(things.len());
    for thing in things {
        let free = nodes.iter().zip(&mut taken).filter(|(_, n)| **n < room);
        let best = free.max_by_key(|(node, _)| (weight(thing, node), **node));
        if let Some((node, taken)) = best {
            *taken += 1;
            shares.insert(thing, *node);
        }
    }
    shares
}

fn weight(thing: Thing, node: &str) -> [u8; 32] {
    let digest = Sha256::new()
        .chain_update(thing.0.as_bytes())
        .chain_update(node.as_bytes());
    digest.finalize().into()
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

    fn things(seed: u128, count: u128) -> Vec<Thing> {
        let ids = (0..count).map(|n| Uuid::from_u128(seed.wrapping_add(n)));
        ids.map(Thing).collect()
    }

    proptest! {
        #[test]
        fn every_thing_is_one_nodes_and_no_node_has_too_much(
            seed in any::<u128>(), count in 0..80u128, nodes in 1..6usize,
        ) {
            let nodes = &["a", "b", "c", "d", "e"][..nodes];
            let all = things(seed, count);
            let shares = shares(&all, nodes);
            prop_assert_eq!(shares.len(), all.len());
            let room = (all.len() * 5).div_ceil(4 * nodes.len());
            for node in nodes {
                prop_assert!(shares.values().filter(|has| *has == node).count() <= room);
            }
            // In whatever order they are read, the answer is the same.
            let mut turned = all;
            turned.reverse();
            let back: Vec<&str> = nodes.iter().rev().copied().collect();
            prop_assert_eq!(super::shares(&turned, &back), shares);
        }

        #[test]
        fn a_new_thing_moves_hardly_any_other(seed in any::<u64>(), count in 1..80u128) {
            let nodes = ["a", "b", "c"];
            let all = things(seed.into(), count);
            let before = shares(&all[..all.len() - 1], &nodes);
            let after = shares(&all, &nodes);
            // More room for all may bring one home that had to give way.
            let moved = before.iter().filter(|(thing, node)| after[thing] != **node);
            prop_assert!(moved.count() <= nodes.len());
        }
    }

    #[test]
    fn two_nodes_share_few_things() {
        for seed in 0..1000 {
            let all = things(seed * 1000, 9);
            let shares = shares(&all, &["a", "b"]);
            let of_a = shares.values().filter(|node| **node == "a").count();
            assert!((3..=6).contains(&of_a), "{of_a} of 9");
        }
    }

    #[test]
    fn a_node_that_goes_moves_little_but_its_own() {
        let all = things(0, 3000);
        let before = shares(&all, &["node-1", "node-2", "node-3", "node-4"]);
        let after = shares(&all, &["node-1", "node-2", "node-3"]);
        let moved = |(thing, node): &(&Thing, &&str)| **node != "node-4" && after[*thing] != **node;
        assert_eq!(
            before.iter().filter(moved).count(),
            0,
            "nobody had to give way"
        );
        for node in ["node-1", "node-2", "node-3"] {
            let has = after.values().filter(|has| **has == node).count();
            assert!((850..1150).contains(&has), "{node} has {has}");
        }
        assert_eq!(shares(&all, &[]), HashMap::new());
    }
}
