//! One order evaluated anew, and which orders need it.
//!
//! What always holds: as in [`settle`](super::settle): `flow::settle` over the stored state, so that
//! doing it twice changes nothing.

use super::apply::first;
use super::around::Known;
use super::settle::{PAGE, Settler};
use super::world::AskedPoint;
use crate::canonical::connection::Connection;
use crate::canonical::order::OrderStatus;
use crate::canonical::{ConnectionId, Order, OrderId};
use crate::flow::change::{ChangeSet, Outcome};
use crate::flow::{self, FlowContext};
use crate::store::query::{OrderFilter, PageRequest};
use crate::store::{Scope, StoreError};

/// A decision is tried so often against others' writes.
const TRIES: u32 = 4;

impl Settler {
    /// A connection's state or settings changed: its open orders are evaluated anew.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn connection_changed(&self, id: ConnectionId) -> Result<usize, StoreError> {
        let open = [
            OrderStatus::Open,
            OrderStatus::Scheduled,
            OrderStatus::OnHold,
            OrderStatus::PendingPayment,
        ];
        let mut orders = Vec::new();
        for status in open {
            let filter = OrderFilter {
                connection_id: Some(id),
                status: Some(status),
                ..OrderFilter::default()
            };
            self.order_ids(filter, &mut orders).await?;
        }
        // Oldest first: who ordered first is released first.
        orders.reverse();
        let mut changed = 0;
        for order in orders {
            if self.stop.is_set() {
                break;
            }
            changed += usize::from(self.settle(order).await?);
        }
        Ok(changed)
    }

    async fn order_ids(
        &self,
        filter: OrderFilter,
        ids: &mut Vec<OrderId>,
    ) -> Result<(), StoreError> {
        #[derive(serde::Deserialize)]
        struct Head {
            id: OrderId,
        }
        let mut page = PageRequest {
            limit: PAGE,
            after: None,
        };
        loop {
            let found = self
                .store
                .orders(Scope::All, filter.clone(), page.clone())
                .await?;
            ids.extend(found.data.iter().filter_map(|json| {
                serde_json::from_slice::<Head>(json)
                    .ok()
                    .map(|head| head.id)
            }));
            match found.next {
                Some(after) => page.after = Some(after),
                None => return Ok(()),
            }
        }
    }

    /// Evaluates one order anew; true when something changed.
    ///
    /// # Errors
    /// When the store cannot do it, also after several tries against others' writes.
    pub async fn settle(&self, id: OrderId) -> Result<bool, StoreError> {
        let mut tries = 0;
        loop {
            match self.settle_once(id).await {
                Err(StoreError::Conflict(_)) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    async fn settle_once(&self, id: OrderId) -> Result<bool, StoreError> {
        let Some(state) = self.store.order(Scope::All, id).await? else {
            return Ok(false);
        };
        let Some(known) = self.known(state.order.meta.connection_id).await? else {
            return Ok(false);
        };
        let asked = Vec::from_iter(AskedPoint::of(&state.order.facts));
        let world = self.worlds.with_points(&known.merchant, &asked).await?;
        let mut ctx = FlowContext {
            now: self.clock.now(),
            connection: &known.connection,
            merchant: &known.merchant,
            world: &world,
            similar: None,
        };
        let similar = self.similar(&ctx, &state.order).await?;
        ctx.similar = similar.as_deref();
        let outcome: Outcome = flow::settle(&ctx, state);
        if outcome.state.is_none() && outcome.events.is_empty() && outcome.jobs.is_empty() {
            return Ok(false);
        }
        let mut change = ChangeSet::of(known.connection.merchant_id);
        change.take(outcome);
        first(self.store.apply(vec![change]).await?)?;
        Ok(true)
    }

    /// Orders like one that was found to repeat another, that other among them.
    async fn similar(
        &self,
        ctx: &FlowContext<'_>,
        order: &Order,
    ) -> Result<Option<Vec<Order>>, StoreError> {
        let Some(twin) = order.meta.duplicate_of else {
            return Ok(None);
        };
        let wanted = Vec::from_iter(flow::similar_to(ctx, &order.facts));
        let found = self.store.similar_orders(&wanted).await?;
        let mut similar: Vec<Order> = found.into_iter().flatten().collect();
        if similar.iter().all(|other| other.meta.id != twin) {
            let twin = self.store.order(Scope::All, twin).await?;
            similar.extend(twin.map(|state| state.order));
        }
        Ok(Some(similar))
    }

    /// Orders that waited as a repetition of one that is cancelled now.
    pub(super) async fn duplicates(&self) -> Result<(), StoreError> {
        for order in self.store.outlived_duplicates(PAGE).await? {
            if let Err(error) = self.settle(order).await {
                tracing::warn!(%order, %error, "a suspected duplicate cannot be evaluated");
            }
        }
        Ok(())
    }

    pub(super) async fn known(&self, id: ConnectionId) -> Result<Option<Known>, StoreError> {
        let Some(connection): Option<Connection> = self.store.connection(Scope::All, id).await?
        else {
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
}
