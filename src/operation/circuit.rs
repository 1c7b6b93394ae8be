//! The circuit of each connection: a provider that fails is left alone for a while, one that
//! refuses our credentials until a person has mended them.
//!
//! What always holds: closed lets everything through; so many transient failures in a row open it
//! for a time; then one call probes, and its outcome closes or opens it again; refused credentials
//! stop it for good, until [`Circuits::resume`]. Any answer that is no failure of the provider
//! (also a refusal of our data) counts as a sign of life.

use super::classify::Outcome;
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, Timestamp};
use crate::clock::after;
use crate::manifest::model::Retry;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// May a call go?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Yes.
    Go,
    /// Yes, as the one that shows whether the provider is back.
    Probe,
    /// Not before then.
    Wait(Timestamp),
    /// Not until the credentials are mended.
    Stopped,
}

/// The circuit of one connection. This is what is shown and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circuit {
    /// Failures since the last sign of life.
    pub failures_in_row: u32,
    /// No call before then, except that after it one probes.
    pub open_until: Option<Timestamp>,
    /// The credentials are refused.
    pub stopped: bool,
}

impl Circuit {
    /// Asks for passage at `now`. A probe that never reports back counts as failed after
    /// `circuit_for`: then the next one may go.
    pub fn ask(&mut self, retry: &Retry, now: Timestamp) -> Passage {
        match self.open_until {
            _ if self.stopped => Passage::Stopped,
            None => Passage::Go,
            Some(until) if now < until => Passage::Wait(until),
            Some(_) => {
                self.open_until = Some(after(now, retry.circuit_for.0));
                Passage::Probe
            }
        }
    }

    /// Takes note of what a call came to.
    pub fn note(&mut self, retry: &Retry, outcome: &Outcome, now: Timestamp) {
        match outcome.class {
            Some(Class::AuthBroken) => self.stopped = true,
            Some(Class::Transient | Class::Ambiguous) => {
                self.failures_in_row = self.failures_in_row.saturating_add(1);
                if self.failures_in_row >= retry.circuit_after.max(1) {
                    self.open_until = Some(after(now, retry.circuit_for.0));
                }
            }
            // Not about the provider's health: our pace, our token. A probe stays undecided.
            Some(Class::Throttled | Class::AuthExpired) => {}
            _ => {
                self.failures_in_row = 0;
                self.open_until = None;
            }
        }
    }
}

/// The circuits of all connections of this node.
#[derive(Debug, Default)]
pub struct Circuits {
    all: Mutex<HashMap<ConnectionId, Circuit>>,
}

impl Circuits {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Circuit>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for passage.
    pub fn ask(&self, connection: ConnectionId, retry: &Retry, now: Timestamp) -> Passage {
        match self.lock().get_mut(&connection) {
            Some(circuit) => circuit.ask(retry, now),
            None => Passage::Go,
        }
    }

    /// Takes note of what a call came to, and shows where the circuit stands now.
    pub fn note(
        &self,
        connection: ConnectionId,
        retry: &Retry,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Circuit {
        let mut all = self.lock();
        let circuit = all.entry(connection).or_default();
        circuit.note(retry, outcome, now);
        *circuit
    }

    /// Where a circuit stands.
    pub fn get(&self, connection: ConnectionId) -> Circuit {
        self.lock().get(&connection).copied().unwrap_or_default()
    }

    /// Puts back what was stored (another node's, or our own before a restart).
    pub fn put(&self, connection: ConnectionId, circuit: Circuit) {
        self.lock().insert(connection, circuit);
    }

    /// Closes the circuit: credentials were mended, or a person says "try again".
    pub fn resume(&self, connection: ConnectionId) {
        self.lock().remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn at(seconds: u64) -> Timestamp {
        after(START, Duration::from_secs(seconds))
    }

    fn failed(class: Class) -> Outcome {
        Outcome::failed(class, "x", "x")
    }

    /// Five in a row, thirty seconds.
    fn opened() -> (Circuits, ConnectionId, Retry) {
        let (circuits, connection, retry) =
            (Circuits::default(), ConnectionId::new(), Retry::default());
        for _ in 0..5 {
            assert_eq!(circuits.ask(connection, &retry, at(0)), Passage::Go);
            circuits.note(connection, &retry, &failed(Class::Transient), at(0));
        }
        (circuits, connection, retry)
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let (circuits, connection, retry) = opened();
        assert_eq!(
            circuits.ask(connection, &retry, at(1)),
            Passage::Wait(at(30))
        );
        assert_eq!(circuits.ask(connection, &retry, at(30)), Passage::Probe);
        assert_eq!(
            circuits.ask(connection, &retry, at(30)),
            Passage::Wait(at(60))
        );
        circuits.note(connection, &retry, &Outcome::ok(Some(200)), at(31));
        assert_eq!(circuits.ask(connection, &retry, at(31)), Passage::Go);
        assert_eq!(circuits.get(connection), Circuit::default());
        // Another connection is not touched.
        assert_eq!(
            circuits.ask(ConnectionId::new(), &retry, at(1)),
            Passage::Go
        );
    }

    #[test]
    fn a_failed_or_lost_probe_opens_it_again() {
        let (circuits, connection, retry) = opened();
        assert_eq!(circuits.ask(connection, &retry, at(40)), Passage::Probe);
        circuits.note(connection, &retry, &failed(Class::Ambiguous), at(45));
        assert_eq!(
            circuits.ask(connection, &retry, at(46)),
            Passage::Wait(at(75))
        );
        assert_eq!(circuits.ask(connection, &retry, at(75)), Passage::Probe);
        assert_eq!(
            circuits.ask(connection, &retry, at(105)),
            Passage::Probe,
            "the first probe never came back"
        );
    }

    #[test]
    fn a_sign_of_life_between_failures_keeps_it_closed() {
        let (mut circuit, retry) = (Circuit::default(), Retry::default());
        for class in [
            Class::Transient,
            Class::Transient,
            Class::Invalid,
            Class::Transient,
            Class::Transient,
            Class::Throttled,
        ] {
            circuit.note(&retry, &failed(class), START);
        }
        assert_eq!(
            circuit,
            Circuit {
                failures_in_row: 2,
                open_until: None,
                stopped: false
            }
        );
    }

    #[test]
    fn refused_credentials_stop_it_until_resumed() {
        let (circuits, connection, retry) =
            (Circuits::default(), ConnectionId::new(), Retry::default());
        circuits.note(connection, &retry, &failed(Class::AuthBroken), at(0));
        circuits.note(connection, &retry, &Outcome::ok(Some(200)), at(1));
        assert_eq!(
            circuits.ask(connection, &retry, at(1_000_000)),
            Passage::Stopped
        );
        let stored = circuits.get(connection);
        circuits.resume(connection);
        assert_eq!(circuits.ask(connection, &retry, at(1)), Passage::Go);
        circuits.put(connection, stored);
        assert_eq!(circuits.ask(connection, &retry, at(1)), Passage::Stopped);
    }
}
