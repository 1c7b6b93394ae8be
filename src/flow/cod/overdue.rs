//! Cash that should have been collected long ago.
//!
//! What always holds: only what a carrier delivered can be overdue; a reading of the state and the
//! moment, so that looking twice changes nothing.

use super::OVERDUE;
use crate::canonical::cod::{CodItem, CodStatus};
use crate::canonical::problem::Class;
use crate::canonical::tracking::{ParcelState, TrackingStatus};
use crate::canonical::{ProblemId, Timestamp};
use crate::flow::FlowContext;
use crate::flow::change::{NewProblem, OrderState};
use crate::flow::draft::Draft;
use crate::flow::settings::cod_overdue;
use serde_json::json;

/// When evaluating this order anew ([`settle`](crate::flow::settle)) finds cash overdue: the first
/// moment at which it does; `None` while there is no such moment.
pub fn cod_overdue_at(ctx: &FlowContext<'_>, state: &OrderState) -> Option<Timestamp> {
    let items = state.cod.iter();
    items.filter_map(|item| overdue_at(ctx, state, item)).min()
}

fn overdue_at(ctx: &FlowContext<'_>, state: &OrderState, item: &CodItem) -> Option<Timestamp> {
    if item.status != CodStatus::Expected {
        return None;
    }
    let parcels = state
        .shipments
        .iter()
        .flat_map(|shipment| &shipment.parcels);
    let of_item = parcels.filter(|parcel| parcel.id == item.parcel_id);
    let tracking: Option<&ParcelState> = of_item.map(|parcel| &parcel.tracking).next();
    let delivered = tracking.filter(|parcel| parcel.status == TrackingStatus::Delivered)?;
    delivered.since?.checked_add(cod_overdue(ctx)).ok()
}

/// Keeps numbers in line with the parcels', and finds what is overdue.
pub(in crate::flow) fn reconcile(draft: &mut Draft<'_>) {
    let now = draft.now();
    let mut items = std::mem::take(&mut draft.state.cod);
    for item in &mut items {
        let parcels = draft.state.shipments.iter().flat_map(|s| &s.parcels);
        let number = parcels
            .filter(|parcel| parcel.id == item.parcel_id)
            .find_map(|parcel| parcel.tracking_number.clone());
        item.tracking_number = number.or(item.tracking_number.take());
        if overdue_at(&draft.ctx, &draft.state, item).is_some_and(|at| at <= now) {
            item.status = CodStatus::Overdue;
            draft.problems.push(problem(item));
        }
    }
    draft.state.cod = items;
}

fn problem(item: &CodItem) -> NewProblem {
    NewProblem {
        id: ProblemId::new(),
        class: Class::Ambiguous,
        code: OVERDUE.to_owned(),
        subject: item.id.to_string(),
        connection_id: Some(item.connection_id),
        message: "delivered, and the carrier has not said that it collected the cash".to_owned(),
        detail: json!({
            "order_id": item.order_id, "shipment_id": item.shipment_id, "due": item.due,
        }),
        hint: Some("ask the carrier for its record of this parcel".to_owned()),
    }
}
