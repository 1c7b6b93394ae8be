//! The sweep of channels that have no list: every order that is known and not final is read anew
//! now and then, because providers drop webhooks.
//!
//! What always holds: nothing is read here; a job an order is enqueued, and one that waits already
//! stays one; when that was last done is stored, so that a restart does not begin anew.

use super::apply::first;
use super::reading::{ORDERS_GET, SWEEP};
use super::settle::{PAGE, Settler};
use crate::canonical::connection::{Connection, ConnectionState, Merchant};
use crate::canonical::order::OrderStatus;
use crate::canonical::{Order, Timestamp};
use crate::clock::after;
use crate::flow::change::ChangeSet;
use crate::flow::{FlowContext, World, jobs};
use crate::store::query::{OrderFilter, PageRequest};
use crate::store::{CursorWrite, Scope, StoreError};
use std::time::Duration;

/// What may still become something else by the channel's word.
const OPEN: [OrderStatus; 6] = [
    OrderStatus::PendingPayment,
    OrderStatus::OnHold,
    OrderStatus::Scheduled,
    OrderStatus::Open,
    OrderStatus::InProgress,
    OrderStatus::PartiallyFulfilled,
];

impl Settler {
    /// Asks for the orders of every connection whose time has come.
    pub(super) async fn reread(&self) -> Result<(), StoreError> {
        for connection in self.store.connections(Scope::All).await? {
            let receives = matches!(
                connection.state,
                ConnectionState::Active | ConnectionState::Observing
            );
            if let (true, Some(every)) = (receives, self.worlds.rereads(&connection)) {
                self.reread_of(&connection, every).await?;
            }
        }
        Ok(())
    }

    async fn reread_of(&self, connection: &Connection, every: Duration) -> Result<(), StoreError> {
        let (now, name) = (self.clock.now(), format!("{ORDERS_GET}{SWEEP}"));
        let last = self.store.cursor(connection.id, &name).await?;
        let last: Option<Timestamp> = last.and_then(|text| text.parse().ok());
        if last.is_some_and(|last| after(last, every) > now) {
            return Ok(());
        }
        // The first look begins the count: what just arrived was just read.
        let merchant = match last {
            Some(_) => {
                let merchant = self.store.merchant(Scope::All, connection.merchant_id);
                merchant.await?
            }
            None => None,
        };
        if let Some(merchant) = merchant {
            for status in OPEN {
                self.ask_for(connection, &merchant, status).await?;
            }
        }
        let cursor = CursorWrite {
            connection_id: connection.id,
            name,
            value: now.to_string(),
        };
        self.store.append_inbox(Vec::new(), Some(cursor)).await
    }

    /// Asks for the orders of a connection in this state.
    async fn ask_for(
        &self,
        connection: &Connection,
        merchant: &Merchant,
        status: OrderStatus,
    ) -> Result<(), StoreError> {
        let mut page = PageRequest {
            limit: PAGE,
            after: None,
        };
        let ctx = FlowContext {
            now: self.clock.now(),
            connection,
            merchant,
            similar: None,
            world: &World::default(),
        };
        loop {
            let filter = OrderFilter {
                connection_id: Some(connection.id),
                status: Some(status),
                ..OrderFilter::default()
            };
            let found = self.store.orders(Scope::All, filter, page.clone()).await?;
            let mut change = ChangeSet::of(connection.merchant_id);
            for json in &found.data {
                match Order::from_json(json) {
                    Ok(order) => {
                        let external_id = order.facts.external_id.text().unwrap_or_default();
                        let job = jobs::orders_get(&ctx, Some(order.meta.id), external_id);
                        change.jobs.push(job);
                    }
                    Err(error) => tracing::error!(%error, "a stored order cannot be read"),
                }
            }
            if !change.jobs.is_empty() {
                first(self.store.apply(vec![change]).await?)?;
            }
            match found.next {
                Some(after) if !self.stop.is_set() => page.after = Some(after),
                _ => return Ok(()),
            }
        }
    }
}
