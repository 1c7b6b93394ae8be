//! Duties that are near: what must be handed over, what a marketplace wants to have answered.
//!
//! What always holds: each warning is given once, whatever restarts; an order whose time to answer
//! has passed is read from the channel once, since what became of it is the channel's to say.

use super::apply::first;
use super::settle::{PAGE, Settler};
use crate::canonical::event::{EventType, NewEvent, SnapshotKind, SnapshotRef};
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus};
use crate::canonical::{EventId, Order, OrderId, Timestamp};
use crate::clock::{after, before};
use crate::flow::change::ChangeSet;
use crate::flow::{self, FlowContext, World, jobs};
use crate::store::query::{FulfillmentFilter, OrderFilter, PageRequest};
use crate::store::{Scope, StoreError};
use serde_json::json;
use std::time::Duration;

/// So long before a duty people are warned.
const WARN_BEFORE: Duration = Duration::from_secs(2 * 3_600);
/// The channel has so long to end what nobody answered, before it is asked.
const GRACE: Duration = Duration::from_secs(60);
/// Parts that are still to be handed over.
const LIVE: [FulfillmentStatus; 6] = [
    FulfillmentStatus::Submitted,
    FulfillmentStatus::InProgress,
    FulfillmentStatus::Incomplete,
    FulfillmentStatus::Open,
    FulfillmentStatus::OnHold,
    FulfillmentStatus::Scheduled,
];

impl Settler {
    /// Goes through parts, as long as `look` says true.
    pub(super) async fn each_part(
        &self,
        filter: FulfillmentFilter,
        mut look: impl FnMut(FulfillmentOrder) -> bool,
    ) -> Result<(), StoreError> {
        let mut page = PageRequest {
            limit: PAGE,
            after: None,
        };
        loop {
            let found = self
                .store
                .fulfillment_orders(Scope::All, filter.clone(), page.clone())
                .await?;
            for json in &found.data {
                match serde_json::from_slice(json) {
                    Ok(part) => {
                        if !look(part) {
                            return Ok(());
                        }
                    }
                    Err(error) => {
                        tracing::error!(%error, "a stored fulfillment order cannot be read")
                    }
                }
            }
            match found.next {
                Some(after) if !self.stop.is_set() => page.after = Some(after),
                _ => return Ok(()),
            }
        }
    }

    /// Warns of duties that are near, once each; what a marketplace wants to have answered is looked at.
    pub(super) async fn deadlines(&self) -> Result<(), StoreError> {
        self.to_ship().await?;
        self.to_answer().await
    }

    async fn to_ship(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let until = after(now, WARN_BEFORE);
        let mut near: Vec<(OrderId, Timestamp)> = Vec::new();
        for status in LIVE {
            let filter = FulfillmentFilter {
                status: Some(status),
                by_cut_off: true,
                ..FulfillmentFilter::default()
            };
            self.each_part(filter, |part| {
                // Sorted by cut-off, which is never after `ship_by`.
                let Some(first) = part.cut_off_at.or(part.ship_by) else {
                    return false;
                };
                let remains = part.lines.iter().any(|line| line.remaining.is_positive());
                if let Some(ship_by) = part.ship_by.filter(|at| *at <= until && *at > now)
                    && remains
                {
                    near.push((part.order_id, ship_by));
                }
                first <= until
            })
            .await?;
        }
        for (order, at) in near {
            self.warn_once(order, "ship_by", at).await?;
        }
        Ok(())
    }

    /// Orders that a marketplace wants to have answered soon: people are warned, settings may say
    /// no, and what is past its time is read.
    async fn to_answer(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let filter = OrderFilter {
            answer_until: Some(after(now, WARN_BEFORE)),
            ..OrderFilter::default()
        };
        let mut page = PageRequest {
            limit: PAGE,
            after: None,
        };
        loop {
            let found = self.store.orders(Scope::All, filter.clone(), page);
            let found = found.await?;
            for json in &found.data {
                match Order::from_json(json) {
                    Ok(order) => self.unanswered(&order, now).await?,
                    Err(error) => tracing::error!(%error, "a stored order cannot be read"),
                }
            }
            match found.next {
                Some(next) if !self.stop.is_set() => {
                    page = PageRequest {
                        limit: PAGE,
                        after: Some(next),
                    };
                }
                _ => return Ok(()),
            }
        }
    }

    async fn unanswered(&self, order: &Order, now: Timestamp) -> Result<(), StoreError> {
        let id = order.meta.id;
        let Some(Some(by)) = order.answer_by() else {
            return Ok(());
        };
        if by <= now {
            return match by <= before(now, GRACE) {
                true => self.read_once(order, by).await,
                false => Ok(()),
            };
        }
        self.warn_once(id, "accept_by", by).await?;
        let Some(known) = self.known(order.meta.connection_id).await? else {
            return Ok(());
        };
        let ctx = FlowContext {
            now,
            connection: &known.connection,
            merchant: &known.merchant,
            similar: None,
            world: &World::default(),
        };
        if flow::answer_due(&ctx, order) {
            self.settle(id).await?;
        }
        Ok(())
    }

    /// What became of it is the channel's to say: it is asked once.
    async fn read_once(&self, order: &Order, by: Timestamp) -> Result<(), StoreError> {
        let key = format!("answer_passed:{}:{by}", order.meta.id);
        let Some(once) = self.once(&key).await? else {
            return Ok(());
        };
        let Some(known) = self.known(order.meta.connection_id).await? else {
            return Ok(());
        };
        let ctx = FlowContext {
            now: self.clock.now(),
            connection: &known.connection,
            merchant: &known.merchant,
            similar: None,
            world: &World::default(),
        };
        let mut change = ChangeSet::of(order.meta.merchant_id);
        let external_id = order.facts.external_id.text().unwrap_or_default();
        let job = jobs::orders_get(&ctx, Some(order.meta.id), external_id);
        change.jobs.push(job);
        change.idempotency = Some(once);
        first(self.store.apply(vec![change]).await?)
    }

    async fn warn_once(
        &self,
        order: OrderId,
        deadline: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = match deadline {
            // As it was called when there was no other.
            "ship_by" => format!("deadline_near:{order}:{at}"),
            other => format!("deadline_near:{order}:{other}:{at}"),
        };
        let Some(once) = self.once(&key).await? else {
            return Ok(());
        };
        let Some(state) = self.store.order(Scope::All, order).await? else {
            return Ok(());
        };
        let meta = &state.order.meta;
        let mut change = ChangeSet::of(meta.merchant_id);
        change.events.push(NewEvent {
            id: EventId::new(),
            kind: EventType::OrderDeadlineNear,
            at: self.clock.now(),
            merchant_id: meta.merchant_id,
            order_id: Some(order),
            subject: order.to_string(),
            snapshots: vec![SnapshotRef {
                kind: SnapshotKind::Order,
                id: order.uuid(),
                version: meta.version,
            }],
            extra: json!({ "deadline": deadline, "at": at }),
        });
        change.idempotency = Some(once);
        first(self.store.apply(vec![change]).await?)
    }
}
