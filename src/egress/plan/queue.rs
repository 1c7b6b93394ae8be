//! The queues of a plan: what waits per key, rows for what failed, and how far the cursor may go.
//!
//! What always holds: only the head of a key stands in `ready` or `timed`; a fresh event that gets a
//! row leaves the window.

use super::super::schedule;
use super::{After, Item, Plan, Row};
use crate::canonical::problem::Class;
use crate::canonical::{DeliveryId, ProblemId, SubscriptionId, Timestamp};
use crate::flow::change::NewProblem;
use crate::store::query::{DeliveryRow, DeliveryState, RenderedEvent};

/// What comes after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Another attempt by the schedule.
    InTime,
    /// The same, and at once when the endpoint is back.
    WhenBack,
    /// Nothing: it is given up.
    Never,
}

impl Plan {
    pub(super) fn enqueue(&mut self, key: String, item: Item) {
        let queue = self.keys.entry(key).or_default();
        queue.push_back(item.clone());
        if queue.len() == 1 {
            self.offer(&item);
        }
    }

    /// Puts a head of a key where it can be picked.
    pub(super) fn offer(&mut self, item: &Item) {
        match item {
            Item::Fresh(sequence) => {
                let cut_off = self
                    .fresh
                    .get(sequence)
                    .and_then(|fresh| fresh.event.cut_off_at);
                self.ready
                    .insert((cut_off.unwrap_or(Timestamp::MAX), *sequence, item.clone()));
            }
            Item::Row(id) => {
                let at = self.rows.get(id).and_then(|row| row.row.next_at);
                self.timed
                    .insert((at.unwrap_or(Timestamp::MIN), item.clone()));
            }
        }
    }

    pub(super) fn wake_timed(&mut self, now: Timestamp) {
        while let Some((at, item)) = self.timed.pop_first() {
            if at > now {
                self.timed.insert((at, item));
                return;
            }
            let sequence = self.row(&item).map_or(0, |row| row.sequence);
            self.ready.insert((Timestamp::MIN, sequence, item));
        }
    }

    pub(super) fn requeue(&mut self, item: &Item) {
        self.offer(item);
    }

    /// Takes an item out of its key's queue and offers the next one of that key.
    pub(super) fn dequeue(&mut self, key: &str, item: &Item) {
        let Some(queue) = self.keys.get_mut(key) else {
            return;
        };
        let was_head = queue.front() == Some(item);
        queue.retain(|queued| queued != item);
        let next = queue.front().cloned();
        if queue.is_empty() {
            self.keys.remove(key);
        }
        self.ready
            .retain(|(_, _, ready)| ready != item || !was_head);
        self.timed.retain(|(_, timed)| timed != item || !was_head);
        if was_head && let Some(next) = next {
            self.offer(&next);
        }
    }

    /// Like [`Plan::dequeue`] for a head that was in flight, hence in neither set: no search.
    pub(super) fn pop_head(&mut self, key: &str) {
        let Some(queue) = self.keys.get_mut(key) else {
            return;
        };
        queue.pop_front();
        match queue.front().cloned() {
            Some(next) => self.offer(&next),
            None => {
                self.keys.remove(key);
            }
        }
    }

    pub(super) fn mark(&mut self, item: &Item, in_flight: bool) {
        match item {
            Item::Fresh(sequence) => {
                if let Some(fresh) = self.fresh.get_mut(sequence) {
                    fresh.in_flight = in_flight;
                }
            }
            Item::Row(id) => {
                if let Some(row) = self.rows.get_mut(id) {
                    row.in_flight = in_flight;
                }
            }
        }
    }

    pub(super) fn complete(&mut self, item: &Item) {
        match item {
            Item::Fresh(sequence) => {
                let Some(fresh) = self.fresh.get_mut(sequence) else {
                    return;
                };
                fresh.done = true;
                let key = fresh.event.ordering_key.clone();
                self.pop_head(&key);
            }
            Item::Row(id) => {
                let Some(row) = self.rows.remove(id) else {
                    return;
                };
                self.pop_head(&row.row.ordering_key);
                self.out.upsert.retain(|upsert| upsert.id != *id);
                if row.row.replay_of.is_some() {
                    let done = DeliveryRow {
                        state: DeliveryState::Delivered,
                        next_at: None,
                        last_error: None,
                        attempts: row.row.attempts.saturating_add(1),
                        ..row.row
                    };
                    self.out.upsert.push(done);
                } else {
                    self.out.resolve.push((row.row.merchant_id, id.to_string()));
                    self.out.remove.push(*id);
                }
            }
        }
    }

    /// A failed attempt: the delivery becomes (or stays) a row with its next time, or is given up.
    pub(super) fn fail(
        &mut self,
        item: &Item,
        status: Option<u16>,
        why: String,
        then: Then,
        now: Timestamp,
    ) -> After {
        let Some(mut row) = self.as_row(item, now) else {
            return After::WillRetry;
        };
        if row.attempts == 0 {
            row.first_at = now; // the three days begin with the first attempt, not with the wait
        }
        row.attempts = row.attempts.saturating_add(1);
        row.last_status = status;
        row.last_error = Some(why);
        row.next_at = match then {
            Then::Never => None,
            _ => schedule::next_attempt(now, row.first_at, row.attempts),
        };
        let (id, key) = (row.id, row.ordering_key.clone());
        if row.next_at.is_none() {
            row.state = DeliveryState::Dead;
            self.out
                .problems
                .push((row.merchant_id, dead_problem(&row, then)));
        }
        self.out.upsert.retain(|upsert| upsert.id != id);
        self.out.upsert.push(row.clone());
        if row.state == DeliveryState::Dead {
            self.rows.remove(&id);
            self.pop_head(&key);
            return After::Dead;
        }
        if let Some(queue) = self.keys.get_mut(&key)
            && let Some(head) = queue.front_mut()
        {
            *head = Item::Row(id);
        }
        self.rows.insert(
            id,
            Row {
                row,
                in_flight: false,
                endpoint_was_down: then == Then::WhenBack,
            },
        );
        self.offer(&Item::Row(id));
        After::WillRetry
    }

    /// The row of an item; a fresh event gets one and leaves the window.
    pub(super) fn as_row(&mut self, item: &Item, now: Timestamp) -> Option<DeliveryRow> {
        match item {
            Item::Row(id) => self.rows.get(id).map(|row| row.row.clone()),
            Item::Fresh(sequence) => {
                let fresh = self.fresh.remove(sequence)?;
                Some(new_row(self.subscription_id, &fresh.event, now))
            }
        }
    }

    /// Fresh events behind a row of their key get rows too, so that the cursor can pass them.
    pub(super) fn rows_for_blocked(&mut self) {
        let blocked: Vec<(String, Vec<u64>)> = self
            .keys
            .iter()
            .filter(|(_, queue)| matches!(queue.front(), Some(Item::Row(_))) && queue.len() > 1)
            .map(|(key, queue)| {
                let fresh = queue.iter().filter_map(|item| match item {
                    Item::Fresh(sequence) => Some(*sequence),
                    Item::Row(_) => None,
                });
                (key.clone(), fresh.collect())
            })
            .collect();
        for (key, sequences) in blocked {
            for sequence in sequences {
                let Some(fresh) = self.fresh.remove(&sequence) else {
                    continue;
                };
                let row = new_row(self.subscription_id, &fresh.event, fresh.event.at);
                let id = row.id;
                self.out.upsert.push(row.clone());
                self.rows.insert(
                    id,
                    Row {
                        row,
                        in_flight: false,
                        endpoint_was_down: false,
                    },
                );
                if let Some(queue) = self.keys.get_mut(&key) {
                    for item in queue
                        .iter_mut()
                        .filter(|item| **item == Item::Fresh(sequence))
                    {
                        *item = Item::Row(id);
                    }
                }
            }
        }
    }

    pub(super) fn advance(&mut self) -> u64 {
        while let Some(entry) = self.fresh.first_entry() {
            if !entry.get().done {
                break;
            }
            entry.remove();
        }
        self.fresh
            .first_key_value()
            .map_or(self.read_to, |(first, _)| first.saturating_sub(1))
    }
}

fn new_row(subscription_id: SubscriptionId, event: &RenderedEvent, now: Timestamp) -> DeliveryRow {
    DeliveryRow {
        id: DeliveryId::new(),
        subscription_id,
        merchant_id: event.merchant_id,
        event_id: event.id,
        sequence: event.sequence,
        ordering_key: event.ordering_key.clone(),
        state: DeliveryState::Waiting,
        attempts: 0,
        first_at: now,
        next_at: None,
        last_status: None,
        last_error: None,
        replay_of: None,
    }
}

fn dead_problem(row: &DeliveryRow, then: Then) -> NewProblem {
    let message = match then {
        Then::Never => "an event cannot be delivered to this subscriber",
        _ => "a delivery was given up after three days",
    };
    NewProblem {
        id: ProblemId::new(),
        class: Class::Rejected,
        code: "delivery_dead".into(),
        subject: row.id.to_string(),
        connection_id: None,
        message: message.into(),
        detail: serde_json::json!({
            "event_id": row.event_id, "subscription_id": row.subscription_id,
            "attempts": row.attempts, "last_status": row.last_status,
            "last_error": row.last_error,
        }),
        hint: Some("mend the endpoint, then POST /v1/deliveries/{id}/replay".into()),
    }
}
