//! What a batch of decisions knows: states, hashes and dedupe keys as they will be once the batch
//! is written.
//!
//! What always holds: a decision sees what the decisions before it in the batch came to, so that
//! several deliveries about one order (or about several parcels of it) chain without a read between
//! them; a state whose write fails makes every later write of the same order fail too (its lock is
//! not the stored one), so that they are decided again in order.

use crate::canonical::{ConnectionId, InboxId, Order, OrderId};
use crate::flow::change::OrderState;
use std::collections::HashMap;

/// (connection, external id) of an order; (carrier account, tracking number) of a parcel.
pub type Subject = (ConnectionId, String);

/// What a delivery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Orders, by the channel's id.
    Order,
    /// Parcels, by their number.
    Tracking,
}

impl Kind {
    /// As the inbox and the content hashes name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Tracking => "tracking",
        }
    }
    /// By the name of the mapping that reads it.
    pub fn of_mapping(mapping: &str) -> Option<Self> {
        match mapping {
            "order" => Some(Self::Order),
            "tracking" => Some(Self::Tracking),
            _ => None,
        }
    }
    /// By the name of the operation that polls it.
    pub fn of_pull(operation: &str) -> Self {
        match operation.starts_with("tracking.") {
            true => Self::Tracking,
            false => Self::Order,
        }
    }
}

/// Known state of one order.
#[derive(Debug, Default)]
struct Slot {
    state: Option<OrderState>,
    /// Decisions of this batch that still need it.
    uses: usize,
}

/// What is known of each subject.
#[derive(Debug)]
struct ByKind<T> {
    orders: HashMap<Subject, T>,
    parcels: HashMap<Subject, T>,
}

impl<T> Default for ByKind<T> {
    fn default() -> Self {
        Self {
            orders: HashMap::new(),
            parcels: HashMap::new(),
        }
    }
}

impl<T> ByKind<T> {
    const fn of(&self, kind: Kind) -> &HashMap<Subject, T> {
        match kind {
            Kind::Order => &self.orders,
            Kind::Tracking => &self.parcels,
        }
    }
    const fn of_mut(&mut self, kind: Kind) -> &mut HashMap<Subject, T> {
        match kind {
            Kind::Order => &mut self.orders,
            Kind::Tracking => &mut self.parcels,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Memory {
    slots: Vec<Slot>,
    places: ByKind<usize>,
    orders: HashMap<OrderId, usize>,
    hashes: ByKind<[u8; 32]>,
    dedupe: HashMap<(ConnectionId, String, String), InboxId>,
    /// What is stored of orders like a new one, where its merchant wants that looked for.
    similar: HashMap<Subject, Vec<Order>>,
    /// New orders of this batch, when any such merchant is in it.
    fresh: Vec<Order>,
}

impl Memory {
    /// Counts one decision that will need this order or parcel.
    pub fn expect(&mut self, kind: Kind, subject: Subject) {
        let next = self.slots.len();
        let place = *self.places.of_mut(kind).entry(subject).or_insert(next);
        if place == next {
            self.slots.push(Slot::default());
        }
        if let Some(slot) = self.slots.get_mut(place) {
            slot.uses += 1;
        }
    }
    /// The orders or parcels that will be needed.
    pub fn subjects(&self, kind: Kind) -> Vec<Subject> {
        self.places.of(kind).keys().cloned().collect()
    }
    /// Puts a stored state in. One order has one place, whatever it is asked for by.
    pub fn load(&mut self, kind: Kind, subject: Subject, state: Option<OrderState>) {
        let Some(state) = state else { return };
        let Some(place) = self.places.of_mut(kind).get_mut(&subject) else {
            return;
        };
        let shared = *self.orders.entry(state.order.meta.id).or_insert(*place);
        let own = std::mem::replace(place, shared);
        if shared != own {
            let uses = self.slots.get(own).map_or(0, |slot| slot.uses);
            if let Some(slot) = self.slots.get_mut(shared) {
                slot.uses += uses;
            }
            return;
        }
        if let Some(slot) = self.slots.get_mut(own) {
            slot.state = Some(state);
        }
    }
    /// The state to decide on. Moved out at the last use, copied before.
    pub fn take(&mut self, kind: Kind, subject: &Subject) -> Option<OrderState> {
        let slot = self.slot(kind, subject)?;
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses == 0 {
            slot.state.take()
        } else {
            slot.state.clone()
        }
    }
    /// True when a parcel is one of ours.
    pub fn is_ours(&mut self, parcel: &Subject) -> bool {
        let slot = self.slot(Kind::Tracking, parcel);
        slot.is_some_and(|slot| slot.state.is_some())
    }
    fn slot(&mut self, kind: Kind, subject: &Subject) -> Option<&mut Slot> {
        let place = self.places.of(kind).get(subject)?;
        self.slots.get_mut(*place)
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
    pub fn decided(&mut self, kind: Kind, subject: &Subject, state: &OrderState) {
        if state.lock == 0 && !self.similar.is_empty() {
            self.fresh.push(state.order.clone());
        }
        if let Some(slot) = self.slot(kind, subject)
            && slot.uses > 0
        {
            slot.state = Some(OrderState {
                lock: state.lock + 1,
                ..state.clone()
            });
        }
    }
    /// The content hash that was last remembered.
    pub fn hash(&self, kind: Kind, subject: &Subject) -> Option<&[u8; 32]> {
        self.hashes.of(kind).get(subject)
    }
    /// Remembers a content hash.
    pub fn remember_hash(&mut self, kind: Kind, subject: Subject, hash: [u8; 32]) {
        self.hashes.of_mut(kind).insert(subject, hash);
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
