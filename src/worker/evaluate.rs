//! One order evaluated anew, and which orders need it.
//!
//! What always holds: as in [`settle`](super::settle): `flow::settle` over the stored state, so that
//! doing it twice changes nothing.

use super::apply::first;
use super::around::Known;
use super::settle::{PAGE, Settler};
use super::world::AskedPoint;
use crate::canonical::connection::Connection;
use crate::canonical::hold::Hold;
use crate::canonical::order::{Delivery, OrderStatus};
use crate::canonical::{ConnectionId, MerchantId, Order, OrderId, Quantity};
use crate::flow::change::{ChangeSet, Outcome};
use crate::flow::{self, FlowContext};
use crate::store::query::{OrderFilter, PageRequest};
use crate::store::{Scope, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A decision is tried so often against others' writes.
const TRIES: u32 = 4;

/// Orders of which something is still to be decided.
const UNDECIDED: [OrderStatus; 4] = [
    OrderStatus::Open,
    OrderStatus::Scheduled,
    OrderStatus::OnHold,
    OrderStatus::PendingPayment,
];

/// What is read of an order to know whether it is meant.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Head {
    id: OrderId,
    pub merchant_id: MerchantId,
    #[serde(default)]
    pub holds: Vec<Hold>,
    #[serde(default)]
    pub delivery: Option<Delivery>,
}

impl Settler {
    /// A connection's state or settings changed: its open orders are evaluated anew.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn connection_changed(&self, id: ConnectionId) -> Result<usize, StoreError> {
        let filter = OrderFilter {
            connection_id: Some(id),
            ..OrderFilter::default()
        };
        self.evaluate(&filter, |_| true).await
    }

    /// Evaluates the undecided orders of the filter that are meant anew; how many changed.
    ///
    /// # Errors
    /// When the store cannot be read. An order that cannot be evaluated keeps no other waiting.
    pub(super) async fn evaluate(
        &self,
        filter: &OrderFilter,
        meant: impl Fn(&Head) -> bool,
    ) -> Result<usize, StoreError> {
        let mut orders = Vec::new();
        for status in UNDECIDED {
            let filter = OrderFilter {
                status: Some(status),
                ..filter.clone()
            };
            self.order_ids(filter, &meant, &mut orders).await?;
        }
        // Oldest first: who ordered first is released first.
        orders.sort_unstable();
        let mut changed = 0;
        for order in orders {
            if self.stop.is_set() {
                break;
            }
            match self.settle(order).await {
                Ok(now) => changed += usize::from(now),
                Err(error) => tracing::warn!(%order, %error, "an order cannot be evaluated anew"),
            }
        }
        Ok(changed)
    }

    async fn order_ids(
        &self,
        filter: OrderFilter,
        meant: impl Fn(&Head) -> bool,
        ids: &mut Vec<OrderId>,
    ) -> Result<(), StoreError> {
        let mut page = PageRequest {
            limit: PAGE,
            after: None,
        };
        loop {
            let found = self
                .store
                .orders(Scope::All, filter.clone(), page.clone())
                .await?;
            let heads = found.data.iter().filter_map(|json| read(json));
            ids.extend(heads.filter(&meant).map(|head| head.id));
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
        self.settle_with(id, &BTreeMap::new()).await
    }

    /// As [`Settler::settle`], knowing what is free of some articles.
    ///
    /// # Errors
    /// As [`Settler::settle`].
    pub(super) async fn settle_with(
        &self,
        id: OrderId,
        stock: &BTreeMap<String, Quantity>,
    ) -> Result<bool, StoreError> {
        let mut tries = 0;
        loop {
            match self.settle_once(id, stock).await {
                Err(StoreError::Conflict(_)) if tries < TRIES => tries += 1,
                other => return other,
            }
        }
    }

    async fn settle_once(
        &self,
        id: OrderId,
        stock: &BTreeMap<String, Quantity>,
    ) -> Result<bool, StoreError> {
        let Some(state) = self.store.order(Scope::All, id).await? else {
            return Ok(false);
        };
        let Some(known) = self.known(state.order.meta.connection_id).await? else {
            return Ok(false);
        };
        let asked = Vec::from_iter(AskedPoint::of(&state.order.facts));
        let mut world = self.worlds.with_points(&known.merchant, &asked).await?;
        if !stock.is_empty() {
            Arc::make_mut(&mut world).stock = stock.clone();
        }
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

fn read(json: &[u8]) -> Option<Head> {
    match serde_json::from_slice(json) {
        Ok(head) => Some(head),
        Err(error) => {
            tracing::error!(%error, "a stored order cannot be read");
            None
        }
    }
}
