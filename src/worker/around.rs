//! What stands around the decisions of a batch: connections, their merchants, and what each
//! merchant's world is.
//!
//! What always holds: it is read before the first decision, so that deciding needs no I/O.

use super::decide::Setting;
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::flow::World;
use std::collections::HashMap;
use std::sync::Arc;

/// A connection and its merchant as they are now.
pub struct Known {
    /// The connection.
    pub connection: Connection,
    /// Its merchant.
    pub merchant: Merchant,
}

/// See the module.
#[derive(Default)]
pub struct Around {
    pub(super) known: HashMap<ConnectionId, Known>,
    pub(super) worlds: HashMap<MerchantId, Arc<World>>,
}

impl Around {
    /// What a decision about this connection's data is made in; `None` when it is not known.
    pub fn setting(&self, id: ConnectionId, now: Timestamp) -> Option<Setting<'_>> {
        let known = self.known.get(&id)?;
        let world = self.worlds.get(&known.merchant.id);
        Some(Setting {
            now,
            connection: &known.connection,
            merchant: &known.merchant,
            world: world.map_or(World::none(), Arc::as_ref),
            around: self,
        })
    }
}
