//! Who goes first when several wait: lanes with weights (smooth weighted round robin).
//!
//! What always holds: an urgent lane gets its turn at once when it has been empty, and keeps
//! getting most of them; a lane that waits gets its share, so none starves; within a lane the
//! first come is the first served.

use crate::canonical::job::Lane;
use std::collections::VecDeque;

/// Waiting things by lane.
#[derive(Debug)]
pub struct Lanes<T> {
    queues: [Queue<T>; 6],
}

#[derive(Debug)]
struct Queue<T> {
    weight: i64,
    credit: i64,
    waiting: VecDeque<T>,
}

/// Each lane gets twice the turns of the next.
const fn weight(lane: Lane) -> i64 {
    match lane {
        Lane::Label => 32,
        Lane::Acknowledgement => 16,
        Lane::OrderImport => 8,
        Lane::StatusPush => 4,
        Lane::Stock => 2,
        Lane::TrackingPoll => 1,
    }
}

const LANES: [Lane; 6] = [
    Lane::Label,
    Lane::Acknowledgement,
    Lane::OrderImport,
    Lane::StatusPush,
    Lane::Stock,
    Lane::TrackingPoll,
];

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            queues: LANES.map(|lane| Queue {
                weight: weight(lane),
                credit: 0,
                waiting: VecDeque::new(),
            }),
        }
    }
}

impl<T> Lanes<T> {
    /// True when nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.waiting.is_empty())
    }

    /// Joins the end of a lane.
    pub fn push(&mut self, lane: Lane, waiter: T) {
        let own = LANES.iter().position(|known| *known == lane);
        if let Some(queue) = own.and_then(|index| self.queues.get_mut(index)) {
            queue.waiting.push_back(waiter);
        }
    }

    /// Takes out those whose turn is next.
    pub fn pop(&mut self) -> Option<T> {
        let mut total = 0;
        for queue in self
            .queues
            .iter_mut()
            .filter(|queue| !queue.waiting.is_empty())
        {
            queue.credit += queue.weight;
            total += queue.weight;
        }
        let waiting = self
            .queues
            .iter_mut()
            .filter(|queue| !queue.waiting.is_empty());
        // `max_by_key` takes the last of equals: reversed, the more urgent lane.
        let next = waiting.rev().max_by_key(|queue| queue.credit)?;
        next.credit -= total;
        let waiter = next.waiting.pop_front();
        if next.waiting.is_empty() {
            next.credit = 0;
        }
        waiter
    }

    /// Drops those that no longer wait.
    pub fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        for queue in &mut self.queues {
            queue.waiting.retain(&keep);
            if queue.waiting.is_empty() {
                queue.credit = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_urgent_lane_goes_first_and_no_lane_starves() {
        let mut lanes = Lanes::default();
        for n in 0..40 {
            lanes.push(Lane::Stock, ("stock", n));
        }
        assert_eq!(lanes.pop(), Some(("stock", 0)));
        for n in 0..40 {
            lanes.push(Lane::Label, ("label", n));
        }
        assert_eq!(lanes.pop(), Some(("label", 0)));
        let turns: Vec<_> = std::iter::from_fn(|| lanes.pop()).take(17).collect();
        assert_eq!(
            turns.iter().filter(|(lane, _)| *lane == "stock").count(),
            1,
            "{turns:?}"
        );
        assert_eq!(std::iter::from_fn(|| lanes.pop()).count(), 79 - 18);
        assert!(lanes.is_empty());
    }

    #[test]
    fn within_a_lane_first_come_first_served() {
        let mut lanes = Lanes::default();
        (0..5).for_each(|n| lanes.push(Lane::OrderImport, n));
        lanes.retain(|n| *n != 2);
        assert_eq!(
            std::iter::from_fn(|| lanes.pop()).collect::<Vec<_>>(),
            [0, 1, 3, 4]
        );
    }
}
