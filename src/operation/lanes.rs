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

    /// True when somebody waits in a lane that `may` go.
    pub fn any(&self, may: impl Fn(Lane) -> bool) -> bool {
        let mut lanes = LANES.into_iter().zip(&self.queues);
        lanes.any(|(lane, queue)| !queue.waiting.is_empty() && may(lane))
    }

    /// Joins the end of a lane.
    pub fn push(&mut self, lane: Lane, waiter: T) {
        let own = LANES.iter().position(|known| *known == lane);
        if let Some(queue) = own.and_then(|index| self.queues.get_mut(index)) {
            queue.waiting.push_back(waiter);
        }
    }

    /// Takes out those whose turn is next, and says of which lane; of lanes that `may` go.
    pub fn pop(&mut self, may: impl Fn(Lane) -> bool) -> Option<(Lane, T)> {
        let mut total = 0;
        let mut waiting: Vec<(Lane, &mut Queue<T>)> = LANES
            .into_iter()
            .zip(&mut self.queues)
            .filter(|(lane, queue)| !queue.waiting.is_empty() && may(*lane))
            .collect();
        for (_, queue) in &mut waiting {
            queue.credit += queue.weight;
            total += queue.weight;
        }
        // `max_by_key` takes the last of equals: reversed, the more urgent lane.
        let (lane, next) = waiting
            .into_iter()
            .rev()
            .max_by_key(|(_, queue)| queue.credit)?;
        next.credit -= total;
        let waiter = next.waiting.pop_front();
        if next.waiting.is_empty() {
            next.credit = 0;
        }
        waiter.map(|waiter| (lane, waiter))
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
        let any = |_: Lane| true;
        assert_eq!(lanes.pop(any), Some((Lane::Stock, ("stock", 0))));
        for n in 0..40 {
            lanes.push(Lane::Label, ("label", n));
        }
        assert_eq!(lanes.pop(any), Some((Lane::Label, ("label", 0))));
        let turns: Vec<_> = std::iter::from_fn(|| lanes.pop(any)).take(17).collect();
        assert_eq!(
            turns
                .iter()
                .filter(|(lane, _)| *lane == Lane::Stock)
                .count(),
            1,
            "{turns:?}"
        );
        assert_eq!(std::iter::from_fn(|| lanes.pop(any)).count(), 79 - 18);
        assert!(lanes.is_empty());
    }

    #[test]
    fn within_a_lane_first_come_first_served() {
        let mut lanes = Lanes::default();
        (0..5).for_each(|n| lanes.push(Lane::OrderImport, n));
        lanes.retain(|n| *n != 2);
        assert_eq!(
            std::iter::from_fn(|| lanes.pop(|_| true))
                .map(|(_, n)| n)
                .collect::<Vec<_>>(),
            [0, 1, 3, 4]
        );
    }

    #[test]
    fn a_lane_that_may_not_go_waits() {
        let mut lanes = Lanes::default();
        lanes.push(Lane::TrackingPoll, 1);
        assert_eq!(lanes.pop(|lane| lane != Lane::TrackingPoll), None);
        lanes.push(Lane::Label, 2);
        let next = lanes.pop(|lane| lane != Lane::TrackingPoll);
        assert_eq!(next, Some((Lane::Label, 2)));
        assert_eq!(lanes.pop(|_| true), Some((Lane::TrackingPoll, 1)));
    }
}
