//! What a subscription sends next: a state machine without I/O.
//!
//! What always holds: of one ordering key at most one delivery is in flight and none goes before an
//! older one that is neither done, skipped nor dead; the cursor never passes an event that is
//! neither delivered nor a row; while the endpoint is down only one probe is in flight; what the
//! store did not take is given to it again.

mod endpoint;
mod queue;

use super::sender::{Verdict, means_down};
use crate::canonical::{DeliveryId, EventId, SubscriptionId, Timestamp};
use crate::store::query::{DeliveryRow, DeliveryState, EgressProgress, RenderedEvent};
use queue::Then;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Events read ahead of the cursor. A backlog drains by cut-off within this window.
pub const WINDOW: usize = 2_000;

/// What is to be sent: a fresh event, or a row that is tried again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// By sequence.
    Fresh(u64),
    /// By delivery row.
    Row(DeliveryId),
}

#[derive(Debug)]
struct Fresh {
    event: RenderedEvent,
    done: bool,
    in_flight: bool,
}

#[derive(Debug)]
struct Row {
    row: DeliveryRow,
    in_flight: bool,
    /// The last failure said that the endpoint was down: tried at once when it is back.
    endpoint_was_down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Up {
        failures: u32,
    },
    Down {
        probes: u32,
        probe_at: Timestamp,
        probing: bool,
    },
}

/// The plan of one subscription.
#[derive(Debug)]
pub struct Plan {
    subscription_id: SubscriptionId,
    committed_cursor: u64,
    read_to: u64,
    fresh: BTreeMap<u64, Fresh>,
    rows: BTreeMap<DeliveryId, Row>,
    /// Per key: what waits, oldest first (rows before fresh ones, since their events are older).
    keys: HashMap<String, VecDeque<Item>>,
    /// Heads of keys that may go now, by (cut-off, sequence).
    ready: BTreeSet<(Timestamp, u64, Item)>,
    /// Heads of keys that wait for their time.
    timed: BTreeSet<(Timestamp, Item)>,
    in_flight: usize,
    endpoint: Endpoint,
    out: EgressProgress,
    changed: bool,
}

/// What became of an attempt, for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum After {
    Delivered,
    WillRetry,
    Dead,
    EndpointDown,
    Disable,
}

impl Plan {
    /// A plan from what is stored: the cursor and the rows that are not done.
    pub fn new(subscription_id: SubscriptionId, cursor: u64, rows: Vec<DeliveryRow>) -> Self {
        let mut plan = Self {
            subscription_id,
            committed_cursor: cursor,
            read_to: cursor,
            fresh: BTreeMap::new(),
            rows: BTreeMap::new(),
            keys: HashMap::new(),
            ready: BTreeSet::new(),
            timed: BTreeSet::new(),
            in_flight: 0,
            endpoint: Endpoint::Up { failures: 0 },
            out: EgressProgress::default(),
            changed: false,
        };
        plan.add_rows(rows);
        if plan.rows.values().any(|row| row.endpoint_was_down) {
            // It was down when we stopped: whether it is back is found out now, not when the row
            // whose time comes first is due, which may be hours away.
            plan.endpoint = Endpoint::Down {
                probes: 0,
                probe_at: Timestamp::MIN,
                probing: false,
            };
        }
        plan
    }

    /// Rows that came from outside (replays) or were changed by an operator (skipped).
    pub fn add_rows(&mut self, mut rows: Vec<DeliveryRow>) {
        rows.sort_by_key(|row| (row.sequence, row.id));
        for row in rows {
            if row.state != DeliveryState::Waiting || self.rows.contains_key(&row.id) {
                continue;
            }
            let (id, key) = (row.id, row.ordering_key.clone());
            let endpoint_was_down = row.attempts > 0 && means_down(row.last_status);
            self.rows.insert(
                id,
                Row {
                    row,
                    in_flight: false,
                    endpoint_was_down,
                },
            );
            self.enqueue(key, Item::Row(id));
        }
    }

    /// Rows that an operator skipped (or that are gone from the store) stop blocking their key.
    pub fn drop_rows_except(&mut self, waiting: &BTreeSet<DeliveryId>) {
        let gone: Vec<DeliveryId> = self
            .rows
            .iter()
            .filter(|(id, row)| !row.in_flight && !waiting.contains(id))
            .filter(|(id, _)| !self.out.upsert.iter().any(|row| row.id == **id))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(row) = self.rows.remove(&id) {
                self.dequeue(&row.row.ordering_key, &Item::Row(id));
            }
        }
    }

    /// How many more events may be read, and after which sequence.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let room = WINDOW.saturating_sub(self.fresh.len());
        (room >= WINDOW / 4).then_some((self.read_to, room.min(500)))
    }

    /// Events that were read; `read_to` is the page's `next` (everything up to it was looked at).
    pub fn add_events(&mut self, events: Vec<RenderedEvent>, read_to: u64) {
        for event in events {
            let (sequence, key) = (event.sequence, event.ordering_key.clone());
            self.fresh.insert(
                sequence,
                Fresh {
                    event,
                    done: false,
                    in_flight: false,
                },
            );
            self.enqueue(key, Item::Fresh(sequence));
        }
        self.read_to = self.read_to.max(read_to);
        self.changed = true;
    }

    /// The next delivery to send, if any may go now. It counts as in flight from here on.
    pub fn next(&mut self, now: Timestamp) -> Option<Item> {
        self.wake_timed(now);
        match &mut self.endpoint {
            Endpoint::Down {
                probing, probe_at, ..
            } => {
                if *probing || self.in_flight > 0 || now < *probe_at {
                    return None;
                }
                *probing = true;
                // Anything that waits may serve as the probe: a head that is ready, or else the
                // head whose time comes first.
                if self.ready.is_empty()
                    && let Some((_, item)) = self.timed.pop_first()
                {
                    self.in_flight += 1;
                    self.mark(&item, true);
                    return Some(item);
                }
            }
            Endpoint::Up { .. } => {}
        }
        let Some((_, _, item)) = self.ready.pop_first() else {
            if let Endpoint::Down { probing, .. } = &mut self.endpoint {
                *probing = false;
            }
            return None;
        };
        self.in_flight += 1;
        self.mark(&item, true);
        Some(item)
    }

    /// The event of a fresh item.
    pub fn event(&self, item: &Item) -> Option<&RenderedEvent> {
        match item {
            Item::Fresh(sequence) => self.fresh.get(sequence).map(|fresh| &fresh.event),
            Item::Row(_) => None,
        }
    }

    /// The row of a row item.
    pub fn row(&self, item: &Item) -> Option<&DeliveryRow> {
        match item {
            Item::Row(id) => self.rows.get(id).map(|row| &row.row),
            Item::Fresh(_) => None,
        }
    }

    /// How many deliveries are in flight.
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// When something that waits for its time is due.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let timed = self.timed.first().map(|(at, _)| *at);
        match self.endpoint {
            Endpoint::Down {
                probe_at,
                probing: false,
                ..
            } if self.waiting() > 0 => Some(probe_at),
            Endpoint::Down { .. } => None,
            Endpoint::Up { .. } => timed,
        }
    }

    /// True while the endpoint is down.
    pub const fn is_down(&self) -> bool {
        matches!(self.endpoint, Endpoint::Down { .. })
    }

    /// Deliveries that wait: read and not done.
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.timed.len()
    }

    /// When the oldest event that was read and is not delivered came; for one with a row, when it
    /// was tried first.
    pub fn oldest_at(&self) -> Option<Timestamp> {
        let fresh = self.fresh.values().find(|fresh| !fresh.done);
        let rows = self.rows.values().map(|row| row.row.first_at);
        rows.chain(fresh.map(|fresh| fresh.event.at)).min()
    }

    /// Takes an attempt's verdict.
    pub fn finished(&mut self, item: &Item, verdict: &Verdict, now: Timestamp) -> After {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.mark(item, false);
        self.changed = true;
        match verdict {
            Verdict::Delivered => {
                self.endpoint_answers(now);
                self.complete(item);
                After::Delivered
            }
            Verdict::Gone => {
                self.requeue(item);
                After::Disable
            }
            Verdict::Refused { status } => {
                let down = self.count_refusal(now);
                let then = if down { Then::WhenBack } else { Then::InTime };
                let after = self.fail(item, Some(*status), format!("answered {status}"), then, now);
                if down { After::EndpointDown } else { after }
            }
            Verdict::Never { status, why } => {
                if self.is_down() {
                    self.endpoint_fails(now, None); // It says nothing of whether it is back.
                }
                self.fail(item, Some(*status), why.clone(), Then::Never, now)
            }
            Verdict::Down {
                status,
                why,
                retry_after,
            } => {
                self.endpoint_fails(now, *retry_after);
                match self.fail(item, *status, why.clone(), Then::WhenBack, now) {
                    After::Dead => After::Dead,
                    _ => After::EndpointDown,
                }
            }
        }
    }

    /// What must be committed, if anything changed since the last call.
    pub fn progress(&mut self) -> Option<EgressProgress> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        self.rows_for_blocked();
        let cursor = self.advance();
        let mut out = std::mem::take(&mut self.out);
        if cursor > self.committed_cursor {
            self.committed_cursor = cursor;
            out.cursor = Some(cursor);
        }
        let empty = out.cursor.is_none()
            && out.upsert.is_empty()
            && out.remove.is_empty()
            && out.problems.is_empty()
            && out.resolve.is_empty();
        out.subscription_id = Some(self.subscription_id);
        (!empty).then_some(out)
    }

    /// Takes back what the store did not take, before anything else happens: it is told again with
    /// whatever comes to it.
    pub fn give_back(&mut self, mut progress: EgressProgress) {
        if let Some(cursor) = progress.cursor.take() {
            self.committed_cursor = self.committed_cursor.min(cursor.saturating_sub(1));
        }
        self.out = progress;
        self.changed = true;
    }
}

/// The id that the receiver dedupes by: the event's, or for a replay the delivery's own.
pub fn webhook_id(event_id: EventId, row: Option<&DeliveryRow>) -> String {
    match row {
        Some(row) if row.replay_of.is_some() => row.id.to_string(),
        _ => event_id.to_string(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
