//! Tracking: a parcel's history by its number.
//!
//! What always holds: a number may be in use at several carriers; a caller sees its own parcels
//! only; events come oldest first, as the carriers told them.

use super::change::until_settled;
use super::command::{Target, load};
use super::gate::Call;
use super::problem::Problem;
use super::reply::{self, Answer};
use crate::canonical::tracking::{ParcelState, TrackingEvent};
use crate::canonical::{ConnectionId, OrderId, ParcelId, ShipmentId};
use crate::store::query::{PageRequest, ShipmentFilter};
use serde::{Deserialize, Serialize};

/// A parcel with all that is known of its way.
#[derive(Debug, Serialize)]
struct History {
    tracking_number: String,
    tracking_url: Option<String>,
    order_id: OrderId,
    shipment_id: ShipmentId,
    parcel_id: ParcelId,
    connection_id: Option<ConnectionId>,
    carrier: Option<String>,
    state: ParcelState,
    events: Vec<TrackingEvent>,
}

/// `GET /v1/tracking/{tracking_number}`.
pub async fn get(call: Call) -> Answer {
    #[derive(Deserialize)]
    struct Head {
        id: ShipmentId,
    }
    let number = call.segment("tracking_number").to_owned();
    let filter = ShipmentFilter {
        tracking_number: Some(number.clone()),
        ..ShipmentFilter::default()
    };
    let page = PageRequest {
        limit: 50,
        after: None,
    };
    let scope = call.principal.scope();
    let found = call.state.store.shipments(scope, filter, page).await?;
    let mut histories = Vec::new();
    for json in &found.data {
        let head: Head = serde_json::from_slice(json).map_err(Problem::internal)?;
        let state = until_settled(|| load(&call, Target::Shipment(head.id))).await?;
        let shipment = state.shipments.iter().find(|s| s.id == head.id);
        let parcels = shipment.into_iter().flat_map(|shipment| {
            let parcels = shipment.parcels.iter();
            parcels.map(move |parcel| (shipment, parcel))
        });
        for (shipment, parcel) in
            parcels.filter(|(_, p)| p.tracking_number.as_deref() == Some(number.as_str()))
        {
            let mut events: Vec<TrackingEvent> = state
                .tracking
                .iter()
                .filter(|event| event.parcel_id == parcel.id)
                .cloned()
                .collect();
            events.sort_by_key(|event| event.occurred_at);
            histories.push(History {
                tracking_number: number.clone(),
                tracking_url: parcel.tracking_url.clone(),
                order_id: shipment.order_id,
                shipment_id: shipment.id,
                parcel_id: parcel.id,
                connection_id: shipment.connection_id,
                carrier: shipment.carrier.clone(),
                state: parcel.tracking.clone(),
                events,
            });
        }
    }
    if histories.is_empty() {
        return Err(Problem::not_found("parcel"));
    }
    reply::whole_list(histories)
}
