//! Whose delivery is next, where more wait than one commit takes: connections take turns, so that one
//! shop's flood does not put the others' orders behind it.
//!
//! What always holds: a connection's deliveries are picked in order of arrival; every connection that
//! has one waiting is picked from before any is picked from a second time; as long as what waits fits
//! one commit, nothing is remembered here and the order is that of arrival alone; where several
//! connections wait, a commit takes no more than can be done in a short time, so that whoever comes
//! next waits for no more than that.

use crate::canonical::ConnectionId;
use crate::store::query::{PendingDelivery, PendingPlace};
use crate::store::{Store, StoreError};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Places are read so many at a time.
const PAGE: usize = 4_096;
/// So many are remembered; what comes after them waits unseen until some of them are done, so that a
/// flood takes 20 MB at the most.
const MOST: usize = 500_000;
/// Deliveries of one commit, at most …
const BATCH: usize = 256;
/// … and at least, however long they take: where a commit's time is the disk's, it is the same for
/// many as for few, and small ones would only make less of it …
const LEAST: usize = 32;
/// … and a commit is to take so long.
const AIM: Duration = Duration::from_millis(25);

/// What waits, by connection.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Everything up to this place was handed out or is remembered.
    read_to: u64,
    lines: HashMap<ConnectionId, VecDeque<PendingPlace>>,
    /// Connections that have something in `lines`, whoever is next first.
    order: VecDeque<ConnectionId>,
    count: usize,
    /// What a delivery took lately.
    each: Duration,
}

impl Turns {
    /// Begins anew with whatever waits, also what was handed out before.
    pub(super) fn forget(&mut self) {
        *self = Self {
            each: self.each,
            ..Self::default()
        };
    }

    /// So many were done in so long. It is followed slowly: one commit that had to wait says little.
    pub(super) fn took(&mut self, count: usize, time: Duration) {
        if let Ok(count) = u32::try_from(count.max(1)) {
            self.each = (self.each * 3 + time / count) / 4;
        }
    }

    /// How many can be done in a short time.
    fn few(&self) -> usize {
        let fit = AIM.as_nanos().checked_div(self.each.as_nanos());
        let fit = fit.and_then(|n| usize::try_from(n).ok()).unwrap_or(BATCH);
        fit.clamp(LEAST, BATCH)
    }

    fn add(&mut self, places: Vec<PendingPlace>) {
        for place in places {
            self.read_to = self.read_to.max(place.place);
            self.count += 1;
            match self.lines.entry(place.connection_id) {
                Entry::Occupied(mut line) => line.get_mut().push_back(place),
                Entry::Vacant(free) => {
                    free.insert(VecDeque::from([place]));
                    self.order.push_back(place.connection_id);
                }
            }
        }
    }

    /// How many the next commit takes: where there is only one connection, nobody waits for it.
    fn most(&self) -> usize {
        match self.lines.len() {
            0 | 1 => BATCH,
            _ => self.few(),
        }
    }

    fn pick(&mut self, most: usize) -> Vec<PendingPlace> {
        let mut picked = Vec::with_capacity(most.min(self.count));
        while picked.len() < most {
            let Some(id) = self.order.pop_front() else {
                break;
            };
            let Entry::Occupied(mut line) = self.lines.entry(id) else {
                continue;
            };
            picked.extend(line.get_mut().pop_front());
            if line.get().is_empty() {
                line.remove();
            } else {
                self.order.push_back(id);
            }
        }
        self.count = self.count.saturating_sub(picked.len());
        picked
    }
}

/// The next deliveries to be applied, as many as one commit takes; none when nothing waits.
///
/// # Errors
/// When the store cannot be read: then [`Turns::forget`].
pub(super) async fn next(
    store: &dyn Store,
    turns: &mut Turns,
) -> Result<Vec<PendingDelivery>, StoreError> {
    loop {
        if turns.count == 0 {
            let few = turns.few();
            let all = store.pending_deliveries(turns.read_to, few).await?;
            if all.len() < few {
                turns.read_to = all.last().map_or(turns.read_to, |last| last.place);
                return Ok(all);
            }
        }
        while turns.count < MOST {
            let places = store.pending_places(turns.read_to, PAGE).await?;
            let more = places.len() == PAGE;
            turns.add(places);
            if !more {
                break;
            }
        }
        let picked = turns.pick(turns.most());
        if picked.is_empty() {
            return Ok(Vec::new());
        }
        // Another one may have decided them meanwhile: then on to the next.
        let found = store.pending_at(picked).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::canonical::RawId;

    fn places(of: &[(u64, ConnectionId)]) -> Vec<PendingPlace> {
        let place = |(place, connection_id): &(u64, ConnectionId)| PendingPlace {
            place: *place,
            id: RawId::new(),
            connection_id: *connection_id,
        };
        of.iter().map(place).collect()
    }

    fn picked(turns: &mut Turns, most: usize) -> Vec<u64> {
        turns.pick(most).iter().map(|place| place.place).collect()
    }

    #[test]
    fn everyone_is_next_before_anyone_is_next_again() {
        let (flood, one, two) = (
            ConnectionId::new(),
            ConnectionId::new(),
            ConnectionId::new(),
        );
        let mut turns = Turns::default();
        turns.add(places(&[(1, flood), (2, flood), (3, flood), (4, flood)]));
        assert_eq!(picked(&mut turns, 1), [1]);
        turns.add(places(&[(5, one), (6, one), (7, two), (8, flood)]));
        assert_eq!(picked(&mut turns, 4), [2, 5, 7, 3]);
        assert_eq!(picked(&mut turns, 9), [6, 4, 8]);
        assert_eq!((turns.count, turns.read_to), (0, 8));
        assert!(turns.lines.is_empty() && turns.order.is_empty());
        // Back after a pause.
        turns.add(places(&[(9, one), (10, flood)]));
        assert_eq!(picked(&mut turns, 9), [9, 10]);
    }
    #[test]
    fn a_commit_takes_what_can_be_done_in_a_short_time() {
        let run = |turns: &mut Turns, each: u64| {
            for _ in 0..40 {
                let count = turns.few();
                let took = each * u64::try_from(count).unwrap();
                turns.took(count, Duration::from_micros(took));
            }
            turns.few()
        };
        let mut turns = Turns::default();
        assert_eq!(run(&mut turns, 50), BATCH);
        let slower = run(&mut turns, 250);
        assert!((99..=100).contains(&slower), "{slower}");
        turns.add(places(&[(1, ConnectionId::new())]));
        assert_eq!(turns.most(), BATCH, "nobody else waits");
        turns.add(places(&[(2, ConnectionId::new())]));
        assert_eq!(turns.most(), slower);
        turns.forget();
        assert_eq!((turns.count, turns.read_to), (0, 0));
        assert_eq!(turns.few(), slower, "the pace is kept");
        assert_eq!(run(&mut turns, 100_000), LEAST);
        assert_eq!(run(&mut turns, 20), BATCH);
    }
}
