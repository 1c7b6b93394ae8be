//! Cash on delivery that a carrier should have told of: looked at every hour.
//!
//! What always holds: as in [`settle`](super::settle): the decision is `flow::settle` over the stored
//! state, which says it once, because an item that is overdue is not expected any more.

use super::settle::{PAGE, Settler};
use crate::canonical::cod::CodStatus;
use crate::canonical::{OrderId, Timestamp};
use crate::flow::{FlowContext, World, cod_overdue_at};
use crate::store::query::{CodFilter, PageRequest};
use crate::store::{Scope, StoreError};
use std::collections::BTreeSet;

impl Settler {
    /// Orders whose expected cash is overdue by now are evaluated anew.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn overdue_cash(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for order in self.orders_with_expected_cash().await? {
            if self.stop.is_set() {
                break;
            }
            // One order that cannot be written now holds up no other, nor the clean-up after them.
            if self.overdue_at(order).await?.is_some_and(|at| at <= now)
                && let Err(error) = self.settle(order).await
            {
                tracing::warn!(%order, %error, "overdue cash is looked at again in an hour");
            }
        }
        Ok(())
    }

    async fn overdue_at(&self, order: OrderId) -> Result<Option<Timestamp>, StoreError> {
        let Some(state) = self.store.order(Scope::All, order).await? else {
            return Ok(None);
        };
        let Some(known) = self.known(state.order.meta.connection_id).await? else {
            return Ok(None);
        };
        let ctx = FlowContext {
            now: self.clock.now(),
            connection: &known.connection,
            merchant: &known.merchant,
            world: World::none(),
            similar: None,
        };
        Ok(cod_overdue_at(&ctx, &state))
    }

    async fn orders_with_expected_cash(&self) -> Result<BTreeSet<OrderId>, StoreError> {
        #[derive(serde::Deserialize)]
        struct Head {
            order_id: OrderId,
        }
        let filter = CodFilter {
            status: Some(CodStatus::Expected),
            ..CodFilter::default()
        };
        let mut after = None;
        let mut orders = BTreeSet::new();
        loop {
            let page = PageRequest { limit: PAGE, after };
            let found = self
                .store
                .cod_items(Scope::All, filter.clone(), page)
                .await?;
            for json in &found.data {
                match serde_json::from_slice(json) {
                    Ok(Head { order_id }) => {
                        orders.insert(order_id);
                    }
                    Err(error) => tracing::error!(%error, "a stored COD item cannot be read"),
                }
            }
            after = found.next;
            if after.is_none() || self.stop.is_set() {
                return Ok(orders);
            }
        }
    }
}
