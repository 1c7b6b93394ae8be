//! What a batch of decisions knows: states, hashes and dedupe keys as they will be once the batch
//! is written.
//!
//! What always holds: a decision sees what the decisions before it in the batch came to, so that
//! several deliveries about one order chain without a read between them; a state whose write fails
//! makes every later write of the same order fail too (its lock is not the stored one), so that
//! they are decided again in order.

use crate::canonical::{ConnectionId, InboxId, Order};
use crate::flow::change::OrderState;
use std::collections::HashMap;

/// (connection, external id).
pub type Subject = (ConnectionId, String);

/// Known state of one order.
#[derive(Debug, Default)]
struct Slot {
    state: Option<OrderState>,
    /// Decisions of this batch that still need it.
    uses: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    slots: HashMap<Subject, Slot>,
    hashes: HashMap<Subject, [u8; 32]>,
    dedupe: HashMap<(ConnectionId, String, String), InboxId>,
    /// What is stored of orders like a new one, where its merchant wants that looked for.
    similar: HashMap<Subject, Vec<Order>>,
    /// New orders of this batch, when any such merchant is in it.
    fresh: Vec<Order>,
}

impl Memory {
    /// Counts one decision that will need this order.
    pub fn expect(&mut self, subject: Subject) {
        self.slots.entry(subject).or_default().uses += 1;
    }
    /// The orders that will be needed.
    pub fn subjects(&self) -> Vec<Subject> {
        self.slots.keys().cloned().collect()
    }
    /// Puts a stored state in.
    pub fn load(&mut self, subject: Subject, state: Option<OrderState>) {
        self.slots.entry(subject).or_default().state = state;
    }
    /// The state to decide on. Moved out at the last use, copied before.
    pub fn take(&mut self, subject: &Subject) -> Option<OrderState> {
        let slot = self.slots.get_mut(subject)?;
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 {
            slot.state.take()
        } else {
            slot.state.clone()
        }
    }
    /// Puts in what is stored of orders like a new one.
    pub fn load_similar(&mut self, subject: Subject, stored: Vec<Order>) {
        self.similar.insert(subject, stored);
    }
    /// Orders that may be the same purchase, those of this batch among them; `None` where nobody
    /// looked.
    pub fn similar(&self, subject: &Subject) -> Option<Vec<Order>> {
        let stored = self.similar.get(subject)?;
        Some(stored.iter().chain(&self.fresh).cloned().collect())
    }
    /// The state as it will be stored, for the decisions that follow.
    pub fn decided(&mut self, subject: &Subject, state: &OrderState) {
        if state.lock == 0 && !self.similar.is_empty() {
            self.fresh.push(state.order.clone());
        }
        if let Some(slot) = self.slots.get_mut(subject)
            && slot.uses > 0
        {
            slot.state = Some(OrderState {
                lock: state.lock + 1,
                ..state.clone()
            });
        }
    }
    /// The content hash that was last remembered.
    pub fn hash(&self, subject: &Subject) -> Option<&[u8; 32]> {
        self.hashes.get(subject)
    }
    /// Remembers a content hash.
    pub fn remember_hash(&mut self, subject: Subject, hash: [u8; 32]) {
        self.hashes.insert(subject, hash);
    }
    /// The record that had this dedupe key first.
    pub fn first_with(&self, connection: ConnectionId, topic: &str, key: &str) -> Option<InboxId> {
        self.dedupe
            .get(&(connection, topic.to_owned(), key.to_owned()))
            .copied()
    }
    /// Remembers who had a dedupe key first.
    pub fn remember_first(
        &mut self,
        connection: ConnectionId,
        topic: &str,
        key: &str,
        record: InboxId,
    ) {
        self.dedupe
            .entry((connection, topic.to_owned(), key.to_owned()))
            .or_insert(record);
    }
}
