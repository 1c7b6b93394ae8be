//! What a subscription sends next: a state machine without I/O.
//!
//! What always holds: of one ordering key at most one delivery is in flight and none goes before an
//! older one that is neither done, skipped nor dead; the cursor never passes an event that is
//! neither delivered nor a row; while the endpoint is down only one probe is in flight.

use super::schedule;
use super::sender::Verdict;
use crate::canonical::problem::Class;
use crate::canonical::{DeliveryId, EventId, ProblemId, SubscriptionId, Timestamp};
use crate::flow::change::NewProblem;
use crate::store::query::{DeliveryRow, DeliveryState, EgressProgress, RenderedEvent};
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
            self.rows.insert(
                id,
                Row {
                    row,
                    in_flight: false,
                    endpoint_was_down: false,
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
                let after = self.fail(item, Some(*status), format!("answered {status}"), down, now);
                if down { After::EndpointDown } else { after }
            }
            Verdict::Down {
                status,
                why,
                retry_after,
            } => {
                self.endpoint_fails(now, *retry_after);
                match self.fail(item, *status, why.clone(), true, now) {
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

    // ── queues ────────────────────────────────────────────────────────────────────────────────

    fn enqueue(&mut self, key: String, item: Item) {
        let queue = self.keys.entry(key).or_default();
        queue.push_back(item.clone());
        if queue.len() == 1 {
            self.offer(&item);
        }
    }

    /// Puts a head of a key where it can be picked.
    fn offer(&mut self, item: &Item) {
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

    fn wake_timed(&mut self, now: Timestamp) {
        while let Some((at, item)) = self.timed.pop_first() {
            if at > now {
                self.timed.insert((at, item));
                return;
            }
            let sequence = self.row(&item).map_or(0, |row| row.sequence);
            self.ready.insert((Timestamp::MIN, sequence, item));
        }
    }

    fn requeue(&mut self, item: &Item) {
        self.offer(item);
    }

    /// Takes an item out of its key's queue and offers the next one of that key.
    fn dequeue(&mut self, key: &str, item: &Item) {
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
    fn pop_head(&mut self, key: &str) {
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

    fn mark(&mut self, item: &Item, in_flight: bool) {
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

    fn complete(&mut self, item: &Item) {
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
    fn fail(
        &mut self,
        item: &Item,
        status: Option<u16>,
        why: String,
        endpoint: bool,
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
        row.next_at = schedule::next_attempt(now, row.first_at, row.attempts);
        let (id, key) = (row.id, row.ordering_key.clone());
        if row.next_at.is_none() {
            row.state = DeliveryState::Dead;
            self.out
                .problems
                .push((row.merchant_id, dead_problem(&row)));
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
                endpoint_was_down: endpoint,
            },
        );
        self.offer(&Item::Row(id));
        After::WillRetry
    }

    /// The row of an item; a fresh event gets one and leaves the window.
    fn as_row(&mut self, item: &Item, now: Timestamp) -> Option<DeliveryRow> {
        match item {
            Item::Row(id) => self.rows.get(id).map(|row| row.row.clone()),
            Item::Fresh(sequence) => {
                let fresh = self.fresh.remove(sequence)?;
                Some(new_row(self.subscription_id, &fresh.event, now))
            }
        }
    }

    // ── cursor ────────────────────────────────────────────────────────────────────────────────

    /// Fresh events behind a row of their key get rows too, so that the cursor can pass them.
    fn rows_for_blocked(&mut self) {
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

    fn advance(&mut self) -> u64 {
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

    // ── endpoint ──────────────────────────────────────────────────────────────────────────────

    fn endpoint_answers(&mut self, now: Timestamp) {
        let was_down = self.is_down();
        self.endpoint = Endpoint::Up { failures: 0 };
        if !was_down {
            return;
        }
        // It is back: what failed only because it was down goes at once, oldest first.
        let heads: Vec<Item> = self.timed.iter().map(|(_, item)| item.clone()).collect();
        for item in heads {
            let Item::Row(id) = &item else { continue };
            let Some(row) = self.rows.get_mut(id) else {
                continue;
            };
            if row.endpoint_was_down {
                let sequence = row.row.sequence;
                row.row.next_at = Some(now);
                self.timed.retain(|(_, timed)| *timed != item);
                self.ready.insert((Timestamp::MIN, sequence, item));
            }
        }
    }

    fn endpoint_fails(&mut self, now: Timestamp, retry_after: Option<std::time::Duration>) {
        let probes = match self.endpoint {
            // A straggler of the same outage is no new probe.
            Endpoint::Down {
                probes,
                probing: false,
                probe_at,
            } => {
                self.endpoint = Endpoint::Down {
                    probes,
                    probing: false,
                    probe_at,
                };
                return;
            }
            Endpoint::Down { probes, .. } => probes.saturating_add(1),
            Endpoint::Up { .. } => 1,
        };
        let probe_at = retry_after.map_or_else(
            || schedule::next_probe(now, probes),
            |wait| schedule::after(now, wait),
        );
        self.endpoint = Endpoint::Down {
            probes,
            probe_at,
            probing: false,
        };
    }

    /// Counts an event-level refusal; true when there were so many that the endpoint counts as down.
    fn count_refusal(&mut self, now: Timestamp) -> bool {
        match &mut self.endpoint {
            Endpoint::Up { failures } => {
                *failures += 1;
                let down = *failures >= schedule::FAILURES_THAT_MEAN_DOWN;
                if down {
                    self.endpoint_fails(now, None);
                }
                down
            }
            Endpoint::Down { .. } => {
                self.endpoint_fails(now, None);
                true
            }
        }
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

fn dead_problem(row: &DeliveryRow) -> NewProblem {
    NewProblem {
        id: ProblemId::new(),
        class: Class::Rejected,
        code: "delivery_dead".into(),
        subject: row.id.to_string(),
        connection_id: None,
        message: "a delivery was given up after three days".into(),
        detail: serde_json::json!({
            "event_id": row.event_id, "subscription_id": row.subscription_id,
            "attempts": row.attempts, "last_status": row.last_status,
        }),
        hint: Some("mend the endpoint, then POST /v1/deliveries/{id}/replay".into()),
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
