//! Marketplace orders that are accepted when the warehouse has all of it (`accept: when_in_stock`).
//!
//! What always holds: the oldest order is looked at first; what is promised already and may not be in
//! the warehouse's figures yet is taken off before, so that one piece is not promised twice; too
//! little is promised rather than too much: then a person answers, or the deadline does.

use super::settle::{PAGE, Settler};
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus};
use crate::canonical::{MerchantId, Order, OrderId, Quantity};
use crate::flow::{self, FlowContext, World};
use crate::store::query::{FulfillmentFilter, OrderFilter, PageRequest};
use crate::store::{Scope, StoreError};
use std::collections::BTreeMap;

/// Parts that the warehouse has not taken on: whether its figures know of them is not known.
const NOT_TAKEN_ON: [FulfillmentStatus; 4] = [
    FulfillmentStatus::Scheduled,
    FulfillmentStatus::Open,
    FulfillmentStatus::OnHold,
    FulfillmentStatus::Submitted,
];

/// Quantities by article.
type Pieces = BTreeMap<String, Quantity>;

/// An order that waits, and what it asks for.
type Waiting = (OrderId, Pieces);

impl Settler {
    /// Answers those whose time has come; how many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn accept_what_is_in_stock(&self) -> Result<usize, StoreError> {
        let mut accepted = 0;
        for (merchant, (waiting, mut promised)) in self.waiting_for_stock().await? {
            self.promised(merchant, &mut promised).await?;
            for (order, asked) in waiting {
                let skus: Vec<String> = asked.keys().cloned().collect();
                let levels = self.store.stock_of(merchant, &skus).await?;
                let mut free = Pieces::new();
                for (sku, levels) in skus.into_iter().zip(levels) {
                    if levels.is_empty() {
                        continue;
                    }
                    let mut all = levels.iter().map(|level| level.available);
                    let sum = all.try_fold(Quantity::ZERO, Quantity::plus);
                    let taken = promised.get(&sku).copied().unwrap_or_default();
                    if let Some(left) = sum.and_then(|sum| sum.minus(taken)) {
                        free.insert(sku, left);
                    }
                }
                if !flow::stock::covers(&free, &asked) {
                    continue;
                }
                if self.settle_with(order, &free).await? {
                    accepted += 1;
                    add(&mut promised, &asked);
                }
            }
        }
        Ok(accepted)
    }

    /// Orders that wait for their goods, oldest first, by merchant; and what was promised to those
    /// of which the channel has not heard yet.
    async fn waiting_for_stock(
        &self,
    ) -> Result<BTreeMap<MerchantId, (Vec<Waiting>, Pieces)>, StoreError> {
        let mut by_merchant: BTreeMap<MerchantId, (Vec<Waiting>, Pieces)> = BTreeMap::new();
        for order in self.unanswered_orders().await? {
            let Some(known) = self.known(order.meta.connection_id).await? else {
                continue;
            };
            let ctx = FlowContext {
                now: self.clock.now(),
                connection: &known.connection,
                merchant: &known.merchant,
                similar: None,
                world: World::none(),
            };
            let of = by_merchant.entry(order.meta.merchant_id).or_default();
            if let Some(asked) = flow::awaits_stock(&ctx, &order) {
                of.0.push((order.meta.id, asked));
            } else if order
                .meta
                .answer
                .as_ref()
                .is_some_and(|answer| answer.accept)
            {
                let settings = flow::settings::FlowSettings::read(&ctx);
                let asked = flow::stock::asked(&settings, &order).unwrap_or_default();
                add(&mut of.1, &asked);
            }
        }
        by_merchant.retain(|_, (waiting, _)| !waiting.is_empty());
        for (waiting, _) in by_merchant.values_mut() {
            waiting.sort_unstable_by_key(|(id, _)| *id);
        }
        Ok(by_merchant)
    }

    async fn unanswered_orders(&self) -> Result<Vec<Order>, StoreError> {
        let filter = OrderFilter {
            awaiting_answer: true,
            ..OrderFilter::default()
        };
        let mut page = PageRequest {
            limit: PAGE,
            after: None,
        };
        let mut orders = Vec::new();
        loop {
            let found = self.store.orders(Scope::All, filter.clone(), page).await?;
            for json in &found.data {
                match Order::from_json(json) {
                    Ok(order) => orders.push(order),
                    Err(error) => tracing::error!(%error, "a stored order cannot be read"),
                }
            }
            match found.next {
                Some(next) => {
                    page = PageRequest {
                        limit: PAGE,
                        after: Some(next),
                    };
                }
                None => return Ok(orders),
            }
        }
    }

    /// Adds what parts ask for that the warehouse has not taken on.
    async fn promised(&self, merchant: MerchantId, sum: &mut Pieces) -> Result<(), StoreError> {
        for status in NOT_TAKEN_ON {
            let filter = FulfillmentFilter {
                merchant_id: Some(merchant),
                status: Some(status),
                ..FulfillmentFilter::default()
            };
            self.each_part(filter, |part: FulfillmentOrder| {
                for line in part.lines {
                    if let Some(sku) = line.sku {
                        add(sum, &Pieces::from([(sku, line.remaining)]));
                    }
                }
                true
            })
            .await?;
        }
        Ok(())
    }
}

fn add(sum: &mut Pieces, more: &Pieces) {
    for (sku, n) in more {
        let all = sum.entry(sku.clone()).or_default();
        // What does not fit any more stays as large as it is: nothing more is promised.
        *all = all.plus(*n).unwrap_or(*all);
    }
}
