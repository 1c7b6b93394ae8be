//! What a batch needs to be mapped and decided, read from the store.
//!
//! What always holds: connections are read anew for every batch, so that one that was just
//! activated releases what arrives after it.

use super::apply::{Applier, Known};
use super::mapped::{self, Content, Mapped, ToMap};
use super::memory::Memory;
use crate::canonical::ConnectionId;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::store::{Scope, StoreError};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

impl Applier {
    /// Adds what mapping needs. Read anew for every batch, so that a connection that was just
    /// activated releases what arrives after it.
    pub(super) async fn prepare(
        &self,
        wires: Vec<WireDelivery>,
    ) -> Result<(Arc<Vec<ToMap>>, HashMap<ConnectionId, Known>), StoreError> {
        let mut known: HashMap<ConnectionId, Known> = HashMap::new();
        let mut shared = HashMap::new();
        let mut items = Vec::with_capacity(wires.len());
        for wire in wires {
            let id = wire.connection_id;
            if let Entry::Vacant(vacant) = known.entry(id) {
                let Some(found) = self.known(id).await? else {
                    tracing::error!(connection = %id, delivery = %wire.id, "a delivery of a connection that is not stored stays pending");
                    continue;
                };
                let connector = self.connectors.get(&found.connection.connector);
                let settings = Arc::new(mapped::settings(&found.connection, connector.as_ref()));
                shared.insert(id, (settings, connector));
                vacant.insert(found);
            }
            if let Some((settings, connector)) = shared.get(&id) {
                items.push(ToMap {
                    wire,
                    settings: settings.clone(),
                    connector: connector.clone(),
                });
            }
        }
        Ok((Arc::new(items), known))
    }

    pub(super) async fn known(&self, id: ConnectionId) -> Result<Option<Known>, StoreError> {
        let Some(connection) = self.store.connection(Scope::All, id).await? else {
            return Ok(None);
        };
        let merchant = self
            .store
            .merchant(Scope::All, connection.merchant_id)
            .await?;
        Ok(merchant.map(|merchant| Known {
            connection,
            merchant,
        }))
    }

    /// Reads what the decisions of a batch need.
    pub(super) async fn remember(
        &self,
        items: &[ToMap],
        mapped: &[Option<Mapped>],
    ) -> Result<Memory, StoreError> {
        let mut memory = Memory::default();
        let mut polled: HashMap<ConnectionId, Vec<String>> = HashMap::new();
        for (item, mapped) in items.iter().zip(mapped) {
            let id = item.wire.connection_id;
            let Some(mapped) = mapped else { continue };
            if let Some(key) = &item.wire.dedupe_key {
                let at = self.clock.now();
                if let Some(first) = self.store.dedupe_hit(id, &mapped.topic, key, at).await? {
                    memory.remember_first(id, &mapped.topic, key, first);
                }
            }
            for record in &mapped.records {
                if let Content::Orders(orders) = &record.content {
                    for order in orders {
                        memory
                            .expect((id, order.external_id.text().unwrap_or_default().to_owned()));
                    }
                }
                if let (Source::Poll, Some(external_id)) = (item.wire.source, &record.external_id) {
                    polled.entry(id).or_default().push(external_id.clone());
                }
            }
        }
        let subjects = memory.subjects();
        let states = self.store.orders_by_external(&subjects).await?;
        for (subject, state) in subjects.into_iter().zip(states) {
            memory.load(subject, state);
        }
        for (id, external_ids) in polled {
            let hashes = self
                .store
                .content_hashes(id, "order", &external_ids)
                .await?;
            for (external_id, hash) in external_ids.into_iter().zip(hashes) {
                if let Some(hash) = hash {
                    memory.remember_hash((id, external_id), hash);
                }
            }
        }
        Ok(memory)
    }
}
