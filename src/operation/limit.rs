//! The pace of each connection: one [`Permit`] a call.
//!
//! What always holds: a permit is given only when the rate allows it (governor's cell), fewer
//! than `concurrency` calls are under way and the connection is not frozen. When several wait,
//! urgent lanes go first by weight, and within a lane the first come; no lane starves. Bulk work
//! (directories, tracking) leaves one place free where there are several, so that a label never
//! waits for the end of a long answer. A permit
//! that is dropped, also unused, frees its place. Freezes only grow, and can be taken out and put
//! back, because they are stored per connection. A change of owner does not double the burst: a new
//! owner begins with nothing saved up.

use super::lanes::Lanes;
use crate::canonical::job::Lane;
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::{Clock, after};
use crate::manifest::model::Limits;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter, clock::Reference as _, middleware::NoOpMiddleware};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::oneshot;

/// Why there is no permit. Both mean: come back, no attempt is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The provider asked for a pause that outlasts the deadline.
    #[error("the connection is frozen: the provider asked for a pause")]
    Frozen(Timestamp),
    /// More is waiting than the pace allows until the deadline.
    #[error("the pace of the connection is used up")]
    Busy,
}

/// The right to send one request. Hold it until the answer is there.
#[derive(Debug)]
pub struct Permit {
    gate: Arc<Gate>,
    lane: Lane,
}

impl Permit {
    /// The call counts for so many: providers often allow fewer calls of one kind than of another.
    /// What it takes beyond itself is taken before the next call goes.
    pub fn counts_for(&self, calls: u32) {
        let mut state = self.gate.lock();
        state.owed = state.owed.saturating_add(calls.saturating_sub(1));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.lock().leave(self.lane);
        self.gate.pump();
    }
}

type Cell = RateLimiter<NotKeyed, InMemoryState, CellClock, NoOpMiddleware<Duration>>;

/// governor's view of our clock.
#[derive(Clone)]
struct CellClock(Arc<dyn Clock>);

impl governor::clock::Clock for CellClock {
    type Instant = Duration;
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The gate of one connection.
struct Gate {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

struct State {
    rate: f64,
    burst: u32,
    concurrency: u32,
    cell: Cell,
    /// Calls that were made already and are still to be taken from the cell.
    owed: u32,
    under_way: u32,
    /// Of those, bulk work.
    bulk: u32,
    frozen_until: Option<Timestamp>,
    /// Under which owner's number this counts; 0 where nobody else could have it.
    owner: u64,
    waiting: Lanes<oneshot::Sender<Permit>>,
    /// A task sleeps until the next permit may be given.
    alarm: bool,
}

/// What stands in the way of the next permit.
enum Blocked {
    /// Nothing but time.
    Until(Timestamp),
    /// Calls under way: one that ends pumps.
    Full,
}

/// The number under which a connection is this node's.
pub type OwnerNumber = Arc<dyn Fn(ConnectionId) -> u64 + Send + Sync>;

/// The pace of all connections of this node. Cheap to share.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    owner: Option<OwnerNumber>,
    gates: RwLock<HashMap<ConnectionId, Arc<Gate>>>,
}

impl Limiter {
    /// A limiter without any state.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            owner: None,
            gates: RwLock::default(),
        }
    }

    /// The same where connections change hands, each time under another number.
    #[must_use]
    pub fn owned_by(mut self, number: OwnerNumber) -> Self {
        self.owner = Some(number);
        self
    }

    /// Waits for a permit, at most until `deadline`. Must be called within a tokio runtime.
    pub async fn acquire(
        &self,
        connection: ConnectionId,
        lane: Lane,
        limits: &Limits,
        deadline: Timestamp,
    ) -> Result<Permit, LimitError> {
        let gate = self.gate(connection, limits);
        let mut waiter = {
            let mut state = gate.lock();
            state.adopt(limits, &self.clock);
            let owner = self.owner.as_ref().map_or(0, |number| number(connection));
            state.take_over(owner, limits, &self.clock);
            if let Some(until) = state.frozen_until.filter(|until| *until > deadline) {
                return Err(LimitError::Frozen(until));
            }
            let alone = state.waiting.is_empty() && state.has_place(lane);
            if alone && state.blocked(&self.clock).is_none() {
                state.enter(lane);
                drop(state);
                return Ok(Permit { gate, lane });
            }
            let (sender, receiver) = oneshot::channel();
            state.waiting.push(lane, sender);
            receiver
        };
        gate.pump();
        tokio::select! {
            biased;
            permit = &mut waiter => permit.map_err(|_| LimitError::Busy),
            () = self.clock.sleep_until(deadline) => {
                waiter.close();
                // One given in this very moment is still good.
                waiter.try_recv().map_err(|_| LimitError::Busy)
            }
        }
    }

    /// No call of this connection before `until` (`Retry-After`, limit headers). Never shortens.
    pub fn freeze_until(&self, connection: ConnectionId, until: Timestamp) {
        let gate = self.gate(connection, &Limits::default());
        let mut state = gate.lock();
        state.frozen_until = state.frozen_until.max(Some(until));
    }

    /// Lifts a freeze: a person says "try again".
    pub fn thaw(&self, connection: ConnectionId) {
        let gate = self.gate(connection, &Limits::default());
        gate.lock().frozen_until = None;
        gate.pump();
    }

    /// Until when a connection is frozen, if it is.
    pub fn frozen_until(&self, connection: ConnectionId) -> Option<Timestamp> {
        let now = self.clock.now();
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.get(&connection)?;
        gate.lock().frozen_until.filter(|until| *until > now)
    }

    /// All freezes, to be stored.
    pub fn frozen(&self) -> Vec<(ConnectionId, Timestamp)> {
        let now = self.clock.now();
        let gates = self.gates.read().unwrap_or_else(PoisonError::into_inner);
        let until = |gate: &Gate| gate.lock().frozen_until.filter(|until| *until > now);
        gates
            .iter()
            .filter_map(|(connection, gate)| Some((*connection, until(gate)?)))
            .collect()
    }

    /// Forgets a connection that is gone or that another node owns now.
    pub fn forget(&self, connection: ConnectionId) {
        self.gates
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&connection);
    }

    fn gate(&self, connection: ConnectionId, limits: &Limits) -> Arc<Gate> {
        let known = self
            .gates
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&connection)
            .cloned();
        known.unwrap_or_else(|| {
            let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
            gates
                .entry(connection)
                .or_insert_with(|| Arc::new(Gate::new(limits, &self.clock)))
                .clone()
        })
    }
}

impl Gate {
    fn new(limits: &Limits, clock: &Arc<dyn Clock>) -> Self {
        let state = State {
            rate: limits.rate_per_second,
            burst: limits.burst,
            concurrency: limits.concurrency.max(1),
            cell: cell(limits, clock),
            owed: 0,
            under_way: 0,
            bulk: 0,
            frozen_until: None,
            owner: 0,
            waiting: Lanes::default(),
            alarm: false,
        };
        Self {
            clock: clock.clone(),
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out what may be given, and sees to it that somebody does so again when time allows.
    fn pump(self: &Arc<Self>) {
        let mut refused = Vec::new();
        {
            let mut state = self.lock();
            state.waiting.retain(|sender| !sender.is_closed());
            while state.waiting.any(|lane| state.has_place(lane)) {
                match state.blocked(&self.clock) {
                    None => {}
                    Some(Blocked::Full) => break,
                    Some(Blocked::Until(moment)) => {
                        self.set_alarm(&mut state, moment);
                        break;
                    }
                }
                let (bulk, places) = (state.bulk, state.bulk_places());
                let next = state.waiting.pop(|lane| !is_bulk(lane) || bulk < places);
                let Some((lane, sender)) = next else {
                    break;
                };
                state.enter(lane);
                let gate = self.clone();
                if let Err(permit) = sender.send(Permit { gate, lane }) {
                    refused.push(permit);
                }
            }
        }
        // Dropping a permit takes the lock, so only now.
        drop(refused);
    }

    fn set_alarm(self: &Arc<Self>, state: &mut State, moment: Timestamp) {
        if std::mem::replace(&mut state.alarm, true) {
            return;
        }
        let gate = self.clone();
        tokio::spawn(async move {
            gate.clock.sleep_until(moment).await;
            gate.lock().alarm = false;
            gate.pump();
        });
    }
}

impl State {
    /// Takes over changed limits (a new manifest, a setting).
    fn adopt(&mut self, limits: &Limits, clock: &Arc<dyn Clock>) {
        self.concurrency = limits.concurrency.max(1);
        if self.rate.to_bits() != limits.rate_per_second.to_bits() || self.burst != limits.burst {
            self.rate = limits.rate_per_second;
            self.burst = limits.burst;
            self.cell = cell(limits, clock);
        }
    }

    /// Another owner may have used up all there was until now.
    fn take_over(&mut self, owner: u64, limits: &Limits, clock: &Arc<dyn Clock>) {
        if std::mem::replace(&mut self.owner, owner) != owner {
            self.cell = cell(limits, clock);
            self.owed = self.owed.max(limits.burst);
        }
    }

    /// Places that bulk work may take.
    const fn bulk_places(&self) -> u32 {
        match self.concurrency {
            0 | 1 => 1,
            several => several - 1,
        }
    }

    fn has_place(&self, lane: Lane) -> bool {
        !is_bulk(lane) || self.bulk < self.bulk_places()
    }

    fn enter(&mut self, lane: Lane) {
        self.under_way += 1;
        self.bulk += u32::from(is_bulk(lane));
    }

    fn leave(&mut self, lane: Lane) {
        self.under_way = self.under_way.saturating_sub(1);
        self.bulk = self.bulk.saturating_sub(u32::from(is_bulk(lane)));
    }

    /// What stands in the way. None takes one from the cell: the permit must then be given.
    fn blocked(&mut self, clock: &Arc<dyn Clock>) -> Option<Blocked> {
        if self.under_way >= self.concurrency {
            return Some(Blocked::Full);
        }
        let now = clock.now();
        if let Some(until) = self.frozen_until.filter(|until| *until > now) {
            return Some(Blocked::Until(until));
        }
        let not_until = loop {
            match self.cell.check() {
                Err(not_until) => break not_until,
                Ok(_) if self.owed == 0 => return None,
                Ok(_) => self.owed -= 1,
            }
        };
        let wait = not_until
            .earliest_possible()
            .duration_since(clock.elapsed());
        // At least a millisecond: a wait that rounds to nothing would spin.
        Some(Blocked::Until(after(
            now,
            Duration::from(wait).max(Duration::from_millis(1)),
        )))
    }
}

/// Work that nobody waits for.
const fn is_bulk(lane: Lane) -> bool {
    matches!(lane, Lane::Stock | Lane::TrackingPoll)
}

/// The cell for a rate and burst. Rates that are no positive number count as one call a day.
fn cell(limits: &Limits, clock: &Arc<dyn Clock>) -> Cell {
    const SLOWEST: Duration = Duration::from_secs(86_400);
    let period = Duration::try_from_secs_f64(1.0 / limits.rate_per_second).unwrap_or(SLOWEST);
    let period = period.clamp(Duration::from_nanos(1), SLOWEST);
    let burst = NonZeroU32::new(limits.burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota.allow_burst(burst), CellClock(clock.clone()))
}

#[cfg(test)]
mod tests;
