//! A decision in the making: the state as read, the state as it becomes, and what goes with it.
//!
//! What always holds: rules change `state` only; versions and revisions are stamped in one place
//! ([`Draft::finish`]) by comparing the two, so that no rule can forget them and nothing that did
//! not change gets a new number.

use super::change::{NewProblem, OrderState, Outcome, ResolveProblems};
use super::error::FlowError;
use super::settings::FlowSettings;
use super::{FlowContext, events, rework};
use crate::canonical::document::StoredDocument;
use crate::canonical::fulfillment::{
    ChangeRequest, FulfillmentOrder, FulfillmentStatus, RequestState,
};
use crate::canonical::inbox::Disposition;
use crate::canonical::job::NewJob;
use crate::canonical::order::Source;
use crate::canonical::{
    ConnectionId, Field, FulfillmentOrderId, LineId, ParcelId, Quantity, ShipmentId, Timestamp,
};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// What a rule wants said in the events.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Paths whose content changed.
    pub changed: Vec<String>,
    /// Facts or an operator's wishes changed: what was refused may be wanted anew.
    pub reconsider: bool,
    /// The change is only our own push coming back: no `order.updated`.
    pub quiet: bool,
    /// The fulfillment order that the warehouse itself changed: it needs no new revision.
    pub answered: Option<FulfillmentOrderId>,
    /// More for `data` of `order.updated`.
    pub updated: Map<String, Value>,
    /// Shipments of which the channel is to be told now, whatever the setting.
    pub tell: Vec<ShipmentId>,
    /// Fulfillment orders on which a shortage was reported, with the short lines.
    pub short: Option<(FulfillmentOrderId, Value)>,
    /// Shipments of which the first scan said that the carrier has them.
    pub first_scan: Vec<ShipmentId>,
}

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub ctx: FlowContext<'a>,
    pub settings: FlowSettings,
    pub before: Option<OrderState>,
    pub state: OrderState,
    pub jobs: Vec<NewJob>,
    pub problems: Vec<NewProblem>,
    pub resolve: Vec<ResolveProblems>,
    pub documents: Vec<StoredDocument>,
    pub track: Vec<(ParcelId, Option<Timestamp>)>,
    pub notes: Notes,
    /// What fulfillment orders at work should hold of a line (shipped part included), where it is
    /// not what they hold: the warehouse is asked for it.
    pub targets: HashMap<(FulfillmentOrderId, LineId), Quantity>,
}

impl<'a> Draft<'a> {
    /// Over a stored order.
    pub fn over(ctx: &FlowContext<'a>, state: OrderState) -> Self {
        let mut draft = Self::new(ctx, state);
        draft.before = Some(draft.state.clone());
        draft
    }
    /// Over a new order.
    pub fn new(ctx: &FlowContext<'a>, state: OrderState) -> Self {
        Self {
            ctx: *ctx,
            settings: FlowSettings::read(ctx),
            before: None,
            state,
            jobs: Vec::new(),
            problems: Vec::new(),
            resolve: Vec::new(),
            documents: Vec::new(),
            track: Vec::new(),
            notes: Notes::default(),
            targets: HashMap::new(),
        }
    }
    /// Puts a job for the order's channel beside the decision. Orders that people or programs gave
    /// us are unknown to any channel: nobody is there to be told or asked.
    pub fn enqueue(&mut self, job: NewJob) {
        if !matches!(self.state.order.meta.source, Source::Api | Source::Phone) {
            self.jobs.push(job);
        }
    }
    pub const fn now(&self) -> Timestamp {
        self.ctx.now
    }
    /// The place of a fulfillment order.
    pub fn index(&self, id: FulfillmentOrderId) -> Result<usize, FlowError> {
        self.state
            .fulfillment_orders
            .iter()
            .position(|fo| fo.id == id)
            .ok_or(FlowError::NotFound("fulfillment order"))
    }
    /// A fulfillment order to change.
    pub fn fulfillment(
        &mut self,
        id: FulfillmentOrderId,
    ) -> Result<&mut FulfillmentOrder, FlowError> {
        self.state
            .fulfillment_orders
            .iter_mut()
            .find(|fo| fo.id == id)
            .ok_or(FlowError::NotFound("fulfillment order"))
    }
    /// The same fulfillment order as it was read.
    pub fn former(&self, id: FulfillmentOrderId) -> Option<&FulfillmentOrder> {
        self.before
            .as_ref()
            .and_then(|state| state.fulfillment_orders.iter().find(|fo| fo.id == id))
    }

    /// Brings everything in line with the facts, stamps what changed, and writes the events.
    pub fn finish(mut self) -> Result<Outcome, FlowError> {
        rework::rework(&mut self)?;
        let order_changed = self.stamp_order();
        let parts_changed = self.stamp_parts();
        let cash_changed = self.stamp_cash();
        let told = self
            .before
            .as_ref()
            .is_none_or(|before| before.tracking.len() != self.state.tracking.len());
        let events = events::derive(&self);
        let touched = order_changed || parts_changed || cash_changed || told;
        let acted = touched
            || !self.jobs.is_empty()
            || !self.problems.is_empty()
            || !self.documents.is_empty();
        Ok(Outcome {
            disposition: if acted {
                Disposition::Applied
            } else {
                Disposition::Unchanged
            },
            reason: None,
            state: touched.then_some(self.state),
            events,
            jobs: self.jobs,
            problems: self.problems,
            resolve: self.resolve,
            documents: self.documents,
            track: self.track,
        })
    }

    fn stamp_order(&mut self) -> bool {
        let Some(before) = &self.before else {
            return true;
        };
        if self.state.order == before.order {
            return false;
        }
        let meta = &mut self.state.order.meta;
        meta.version = before.order.meta.version.saturating_add(1);
        meta.updated_at = self.ctx.now;
        true
    }

    fn stamp_parts(&mut self) -> bool {
        let now = self.ctx.now;
        let (before, notes) = (self.before.as_ref(), &self.notes);
        let mut changed = false;
        for fo in &mut self.state.fulfillment_orders {
            fo.supported_actions = actions(fo);
            let old = before.and_then(|s| s.fulfillment_orders.iter().find(|o| o.id == fo.id));
            let Some(old) = old else {
                changed = true;
                continue;
            };
            if fo == old {
                continue;
            }
            changed = true;
            fo.version = old.version.saturating_add(1);
            fo.updated_at = now;
            let seen = if notes.answered == Some(fo.id) {
                pending(fo) != pending(old) && pending(fo).is_some()
            } else {
                warehouse_sees(fo, old)
            };
            if seen {
                fo.revision = old.revision.saturating_add(1);
            }
        }
        for shipment in &mut self.state.shipments {
            let old = before.and_then(|s| s.shipments.iter().find(|o| o.id == shipment.id));
            match old {
                Some(old) if old == shipment => {}
                Some(old) => {
                    changed = true;
                    shipment.version = old.version.saturating_add(1);
                    shipment.updated_at = now;
                }
                None => changed = true,
            }
        }
        changed
    }

    fn stamp_cash(&mut self) -> bool {
        let (now, before) = (self.ctx.now, self.before.as_ref());
        let mut changed = false;
        for item in &mut self.state.cod {
            let old = before.and_then(|s| s.cod.iter().find(|old| old.id == item.id));
            if old == Some(item) {
                continue;
            }
            changed = true;
            if let Some(old) = old {
                item.version = old.version.saturating_add(1);
                item.updated_at = now;
            }
        }
        changed
    }
}

fn pending(fo: &FulfillmentOrder) -> Option<&ChangeRequest> {
    fo.request
        .as_ref()
        .filter(|request| request.state == RequestState::Pending)
}

/// With whom it is, as far as a warehouse can tell.
fn with_warehouse(status: FulfillmentStatus) -> u8 {
    use FulfillmentStatus as S;
    match status {
        S::Scheduled | S::Open | S::OnHold => 0,
        S::Submitted | S::InProgress | S::Incomplete | S::Closed => 1,
        S::Cancelled => 2,
    }
}

/// By whom it is to go; why is nothing that a warehouse acts on.
fn carried_by(fo: &FulfillmentOrder) -> Option<(Option<ConnectionId>, Option<&str>)> {
    let plan = fo.carrier_plan.as_ref()?;
    Some((plan.connection_id, plan.service.as_deref()))
}

/// True when a warehouse that read `old` would act differently on `new`.
fn warehouse_sees(new: &FulfillmentOrder, old: &FulfillmentOrder) -> bool {
    let lines = new.lines.len() != old.lines.len()
        || new
            .lines
            .iter()
            .zip(&old.lines)
            .any(|(a, b)| (a.line_id, &a.sku, a.quantity) != (b.line_id, &b.sku, b.quantity));
    let given = old.submitted_at.is_some();
    lines
        || new.ship_to != old.ship_to
        || new.delivery != old.delivery
        || new.cod != old.cod
        || new.ship_by != old.ship_by
        || new.request != old.request
        || carried_by(new) != carried_by(old)
        || (given && with_warehouse(new.status) != with_warehouse(old.status))
}

/// What the warehouse can answer now.
fn actions(fo: &FulfillmentOrder) -> Vec<String> {
    let mut actions: Vec<&str> = match fo.status {
        FulfillmentStatus::Submitted => vec!["accept", "ship", "short", "reject"],
        FulfillmentStatus::InProgress => vec!["ship", "short", "reject"],
        FulfillmentStatus::Incomplete if fo.lines.iter().any(|l| l.remaining.is_positive()) => {
            vec!["ship", "short"]
        }
        _ => Vec::new(),
    };
    if pending(fo).is_some() {
        actions.retain(|action| *action != "ship");
        actions.extend(["accept_request", "refuse_request"]);
    }
    actions.into_iter().map(str::to_owned).collect()
}

/// The value when there is one; both other cases are "none".
pub(super) fn known<T: Clone>(field: &Field<T>) -> Option<T> {
    field.value().cloned()
}
