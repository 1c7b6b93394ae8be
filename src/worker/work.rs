//! What polls and jobs share.

use super::connectors::{Connectors, Loaded};
use super::pool::MappingPool;
use super::stop::Stop;
use super::world::Worlds;
use crate::canonical::ConnectionId;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::inbox::WireDelivery;
use crate::clock::Clock;
use crate::flow::change::ConnectionUpdate;
use crate::ingress::Arrival;
use crate::operation::circuit::Circuit;
use crate::operation::{Call, Checkpoint, Credentials, Engine, Refused};
use crate::store::placement::Entered;
use crate::store::{CursorWrite, Store, StoreError};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The tools of a node's work.
pub struct Work {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// The loaded folders.
    pub connectors: Arc<dyn Connectors>,
    /// Where records are cut and hashed.
    pub pool: Arc<MappingPool>,
    /// What decisions are told of carriers.
    pub worlds: Arc<Worlds>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Calls providers.
    pub engine: Engine,
    /// The word that everything ends.
    pub stop: Stop,
    /// This node's name in leases.
    pub owner: String,
    /// The address at which providers reach us, without a slash at its end.
    pub public_url: Option<String>,
    /// Under which owner's number each connection was taken over.
    pub taken: Mutex<HashMap<ConnectionId, u64>>,
}

impl Work {
    /// Where a connection's provider delivers its webhooks.
    pub fn hook_url(&self, connection: ConnectionId) -> Option<String> {
        self.public_url
            .as_ref()
            .map(|url| format!("{url}/hooks/{connection}"))
    }

    /// Begins work on a connection; `None` when another node has it.
    pub fn enter(&self, connection: ConnectionId) -> Option<Entered> {
        self.store.placement().enter(connection)
    }

    /// Called before each request to a provider.
    ///
    /// # Errors
    /// When this node does not have the connection any more.
    pub fn may_send(&self, connection: ConnectionId) -> Result<(), Refused> {
        match self.store.placement().may_send(connection) {
            true => Ok(()),
            false => Err(Refused(
                "this node does not have the connection any more".to_owned(),
            )),
        }
    }

    /// Takes what a provider answered into the inbox, like any delivery.
    ///
    /// # Errors
    /// The store's: nothing is taken in then.
    pub async fn take_in(
        &self,
        wire: WireDelivery,
        cursor: Option<CursorWrite>,
    ) -> Result<(), StoreError> {
        let arrival = Arrival::of(&wire);
        let stored = self.store.append_inbox(vec![wire], cursor).await;
        arrival.told(&self.engine.traces, stored.is_ok(), self.clock.now());
        stored
    }

    /// The connector, if its folder can be used.
    pub fn connector(&self, connection: &Connection) -> Option<Loaded> {
        self.connectors.of(connection)
    }

    /// A call of an operation from its start, to be sent within nothing: set `send_until`.
    pub fn call<'a>(
        &self,
        connection: &'a Connection,
        connector: &'a Loaded,
        operation: &'a str,
        credentials: &'a Credentials,
        input: &'a Value,
    ) -> Call<'a> {
        self.take_over(connection);
        Call {
            provider: connector.provider.as_ref(),
            operation,
            connection: connection.id,
            settings: &connection.settings,
            hook_url: None,
            memory: &connection.memory,
            credentials,
            input,
            checkpoint: Checkpoint::default(),
            cursor: None,
            limits: None,
            send_until: self.clock.now(),
            order: None,
            job: None,
        }
    }

    /// Goes on from where the connection stood before a restart, or at its former owner: a freeze
    /// lasts, and an open circuit stays open.
    fn take_over(&self, connection: &Connection) {
        let id = connection.id;
        let number = self.store.placement().epoch(id).unwrap_or(0);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.insert(id, number) == Some(number) {
            return;
        }
        let health = &connection.health;
        let circuit = Circuit {
            failures_in_row: health.failures_in_row,
            open_until: health.circuit_open_until,
            stopped: self.engine.circuits.get(id).stopped,
        };
        self.engine.circuits.put(id, circuit);
        if let Some(until) = health.frozen_until {
            self.engine.limiter.freeze_until(id, until);
        }
    }

    /// What the circuit says, where it differs from what is stored.
    pub fn note_circuit(&self, connection: &Connection, update: &mut ConnectionUpdate) {
        let circuit = self.engine.circuits.get(connection.id);
        let health = &connection.health;
        if (health.failures_in_row, health.circuit_open_until)
            == (circuit.failures_in_row, circuit.open_until)
        {
            return;
        }
        update
            .health
            .insert("failures_in_row".to_owned(), json!(circuit.failures_in_row));
        update
            .health
            .insert("circuit_open_until".to_owned(), json!(circuit.open_until));
    }
}

/// What an operation learned goes into the connection's memory; anything but an object is nothing.
pub fn remember(learned: Option<Value>, update: &mut ConnectionUpdate) {
    if let Some(Value::Object(learned)) = learned {
        update.memory.extend(learned);
    }
}

/// True when refused credentials suspend the connection: one that observes is only told of.
pub fn suspends(connection: &Connection) -> bool {
    matches!(
        connection.state,
        ConnectionState::Active | ConnectionState::Paused
    )
}
