//! What a batch needs to be mapped and decided, read from the store.
//!
//! What always holds: connections are read anew for every batch, so that one that was just
//! activated releases what arrives after it.

use super::apply::Applier;
use super::around::{Around, Known};
use super::mapped::{self, Content, Mapped, ToMap};
use super::memory::{Kind, Memory, Subject};
use super::world::AskedPoint;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::flow::change::OrderState;
use crate::flow::settings::duplicate_window;
use crate::flow::{self, FlowContext, Similar};
use crate::store::query::DedupeKey;
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
    ) -> Result<(Arc<Vec<ToMap>>, Around), StoreError> {
        let mut around = Around::default();
        let mut shared = HashMap::new();
        let mut items = Vec::with_capacity(wires.len());
        for wire in wires {
            let id = wire.connection_id;
            if let Entry::Vacant(vacant) = around.known.entry(id) {
                let Some(found) = self.known(id).await? else {
                    tracing::error!(connection = %id, delivery = %wire.id, "a delivery of a connection that is not stored stays pending");
                    continue;
                };
                let connector = self.connectors.of(&found.connection);
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
        Ok((Arc::new(items), around))
    }

    /// Adds a connection and its merchant.
    pub(super) async fn get_to_know(
        &self,
        around: &mut Around,
        id: ConnectionId,
    ) -> Result<(), StoreError> {
        if let Entry::Vacant(vacant) = around.known.entry(id)
            && let Some(found) = self.known(id).await?
        {
            vacant.insert(found);
        }
        Ok(())
    }

    async fn known(&self, id: ConnectionId) -> Result<Option<Known>, StoreError> {
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
        around: &mut Around,
    ) -> Result<Memory, StoreError> {
        let (mut memory, mut keys) = (Memory::default(), Vec::new());
        let mut twins: HashMap<Subject, Similar> = HashMap::new();
        let mut polled: HashMap<(ConnectionId, Kind), Vec<String>> = HashMap::new();
        for (item, mapped) in items.iter().zip(mapped) {
            let id = item.wire.connection_id;
            let Some(mapped) = mapped else { continue };
            let looking = around
                .known
                .get(&id)
                .and_then(|known| known.looks_for_twins(self.clock.now()));
            if let Some(key) = &item.wire.dedupe_key {
                keys.push(DedupeKey {
                    connection_id: id,
                    topic: mapped.topic.clone(),
                    key: key.clone(),
                });
            }
            for record in &mapped.records {
                if let Content::Parcel(answer) = &record.content
                    && let Some(number) = &answer.tracking_number
                {
                    memory.expect(Kind::Tracking, (id, number.clone()));
                }
                if let (Content::Hint, Some(order)) = (&record.content, &record.external_id) {
                    memory.expect(Kind::Order, (id, order.clone()));
                }
                if let Content::Orders(orders) = &record.content {
                    for order in orders {
                        let subject = (id, order.external_id.text().unwrap_or_default().to_owned());
                        if let Some(ctx) = &looking
                            && let Some(similar) = flow::similar_to(ctx, &order.clone().into())
                        {
                            twins.insert(subject.clone(), similar);
                        }
                        memory.expect(Kind::Order, subject);
                    }
                }
                if let (Source::Poll, Some(known_as), Some(kind)) =
                    (item.wire.source, record.known_as(), mapped.kind)
                {
                    polled.entry((id, kind)).or_default().push(known_as.clone());
                }
            }
        }
        if !keys.is_empty() {
            let firsts = self.store.dedupe_hits(&keys, self.clock.now()).await?;
            for (key, first) in keys.into_iter().zip(firsts) {
                if let Some(first) = first {
                    memory.remember_first(key.connection_id, &key.topic, &key.key, first);
                }
            }
        }
        let subjects = memory.subjects(Kind::Order);
        let states = self.store.orders_by_external(&subjects).await?;
        let parcels = self.parcels(&memory, around).await?;
        self.look_around(items, mapped, &states, around).await?;
        for (subject, state) in subjects.into_iter().zip(states) {
            if state.is_some() {
                twins.remove(&subject);
            }
            memory.load(Kind::Order, subject, state);
        }
        for (subject, state) in parcels {
            memory.load(Kind::Tracking, subject, state);
        }
        self.look_for_twins(twins, &mut memory).await?;
        for ((id, kind), known_as) in polled {
            let hashes = self
                .store
                .content_hashes(id, kind.as_str(), &known_as)
                .await?;
            for (known_as, hash) in known_as.into_iter().zip(hashes) {
                if let Some(hash) = hash {
                    memory.remember_hash(kind, (id, known_as), hash);
                }
            }
        }
        Ok(memory)
    }

    /// The orders of the parcels that a batch tells of, and what surrounds their decisions.
    async fn parcels(
        &self,
        memory: &Memory,
        around: &mut Around,
    ) -> Result<Vec<(Subject, Option<OrderState>)>, StoreError> {
        let parcels = memory.subjects(Kind::Tracking);
        if parcels.is_empty() {
            return Ok(Vec::new());
        }
        let states = self.store.orders_by_tracking(&parcels).await?;
        for state in states.iter().flatten() {
            let connection = state.order.meta.connection_id;
            self.get_to_know(around, connection).await?;
        }
        Ok(parcels.into_iter().zip(states).collect())
    }

    /// Reads the world of each merchant, with the points that its orders name. Where there are no
    /// carriers this reads nothing.
    async fn look_around(
        &self,
        items: &[ToMap],
        mapped: &[Option<Mapped>],
        states: &[Option<OrderState>],
        around: &mut Around,
    ) -> Result<(), StoreError> {
        let mut asked: HashMap<MerchantId, Vec<AskedPoint>> = HashMap::new();
        for known in around.known.values() {
            let merchant = known.merchant.id;
            if around.worlds.contains_key(&merchant) {
                continue;
            }
            let world = self.worlds.of(&known.merchant).await?;
            if !world.networks.is_empty() {
                asked.insert(merchant, Vec::new());
            }
            around.worlds.insert(merchant, world);
        }
        if asked.is_empty() {
            return Ok(());
        }
        for (item, mapped) in items.iter().zip(mapped) {
            let Some(known) = around.known.get(&item.wire.connection_id) else {
                continue;
            };
            let Some(points) = asked.get_mut(&known.merchant.id) else {
                continue;
            };
            for record in mapped.iter().flat_map(|mapped| &mapped.records) {
                if let Content::Orders(orders) = &record.content {
                    points.extend(orders.iter().filter_map(AskedPoint::of_mapped));
                }
            }
        }
        for state in states.iter().flatten() {
            if let Some(points) = asked.get_mut(&state.order.meta.merchant_id) {
                points.extend(AskedPoint::of(&state.order.facts));
            }
        }
        for known in around.known.values() {
            let merchant = known.merchant.id;
            if let Some(points) = asked.remove(&merchant).filter(|points| !points.is_empty()) {
                let world = self.worlds.with_points(&known.merchant, &points).await?;
                around.worlds.insert(merchant, world);
            }
        }
        Ok(())
    }

    /// Reads what is stored of orders like the new ones. Nothing is read where no merchant wants it.
    async fn look_for_twins(
        &self,
        twins: HashMap<Subject, Similar>,
        memory: &mut Memory,
    ) -> Result<(), StoreError> {
        if twins.is_empty() {
            return Ok(());
        }
        let (subjects, wanted): (Vec<_>, Vec<_>) = twins.into_iter().unzip();
        let stored = self.store.similar_orders(&wanted).await?;
        for (subject, similar) in subjects.into_iter().zip(stored) {
            memory.load_similar(subject, similar);
        }
        Ok(())
    }
}

impl Known {
    /// The context to look for twins of new orders in; `None` where that is not wanted.
    fn looks_for_twins(&self, now: Timestamp) -> Option<FlowContext<'_>> {
        let ctx = FlowContext {
            now,
            connection: &self.connection,
            merchant: &self.merchant,
            world: crate::flow::World::none(),
            similar: None,
        };
        (!duplicate_window(&ctx).is_zero()).then_some(ctx)
    }
}
