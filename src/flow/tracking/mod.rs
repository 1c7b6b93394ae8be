//! What carriers tell of a parcel on its way, and what follows from it.
//!
//! What always holds: an event is stored once and as it was told, but for what lies behind the
//! beginning of a return, whose status is the way back's; where a parcel is, is read off its
//! events; what follows (hand-over, the shop's push, cash) follows from the change of that
//! reading, so that the same answer told twice does nothing.

mod effects;
pub mod ladder;
mod project;

use super::cod;
use super::draft::Draft;
use super::error::FlowError;
use super::shipping;
use crate::canonical::shipment::{Parcel, Shipment};
use crate::canonical::tracking::{
    EventPlace, MappedEvent, Origin, ParcelState, Related, TrackingAnswer, TrackingEvent,
    TrackingStatus,
};
use crate::canonical::{ConnectionId, ParcelId, ShipmentId, Timestamp, TrackingEventId};
use crate::flow::change::OrderState;
use ladder::Ladder;
use project::Reading;

/// How an answer reached us.
pub(super) struct Told {
    /// The carrier account.
    pub connection_id: ConnectionId,
    pub origin: Origin,
    pub received_at: Timestamp,
}

/// A parcel of the order.
#[derive(Clone, Copy)]
struct Place {
    shipment: ShipmentId,
    parcel: ParcelId,
}

/// Takes an answer in. `Some`: why it concerns nothing of this order, where it does not.
pub(super) fn take_in(
    draft: &mut Draft<'_>,
    told: &Told,
    answer: &TrackingAnswer,
) -> Result<Option<&'static str>, FlowError> {
    let number = answer.tracking_number.as_deref().map(str::trim);
    let Some(number) = number.filter(|number| !number.is_empty()) else {
        return Ok(Some("the answer names no parcel"));
    };
    let Some(place) = find(&draft.state, told.connection_id, number) else {
        if let Some(place) = formerly(&draft.state, number) {
            of_former(draft, told, place, answer);
            return Ok(None);
        }
        let why = "no parcel of this order has this number at this carrier account";
        return Ok(Some(why));
    };
    let fresh = store(draft, told, place, &answer.events);
    let was = effects::Before::of(&draft.state, place);
    let reading = project::read(events_of(&draft.state, place.parcel));
    settle(draft, place.shipment, number, &reading.state, answer);
    effects::follow(draft, place, &was, &reading, &fresh)?;
    cod::follow(draft, place.parcel, &reading.state, reading.delivered_once);
    if let Some(cash) = &answer.cod {
        let at = collected_at(&reading, told);
        cod::told(draft, place.shipment, place.parcel, cash, at);
    }
    ask_again(draft, place);
    Ok(None)
}

/// What is told of a label that a former request bought, and that is void: the goods travel with
/// another one, so it moves nothing. That the carrier scans it all the same is on record, and people
/// are told; cash that came with it has its account.
fn of_former(draft: &mut Draft<'_>, told: &Told, place: Place, answer: &TrackingAnswer) {
    let scans = answer.events.iter().filter(|event| event.status.scanned());
    let notes: Vec<MappedEvent> = scans
        .map(|event| MappedEvent {
            status: TrackingStatus::Info,
            ..event.clone()
        })
        .collect();
    if !store(draft, told, place, &notes).is_empty() {
        effects::scan_on_void_label(draft, place);
    }
    if let Some(cash) = &answer.cod {
        cod::told(draft, place.shipment, place.parcel, cash, told.received_at);
    }
}

/// Puts down where the parcel is; several parcels of a shipment under one number are at one place.
fn settle(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    number: &str,
    state: &ParcelState,
    answer: &TrackingAnswer,
) {
    let shipments = draft.state.shipments.iter_mut();
    let parcels = shipments
        .filter(|shipment| shipment.id == id)
        .flat_map(|shipment| &mut shipment.parcels)
        .filter(|parcel| parcel.tracking_number.as_deref() == Some(number));
    for (place, parcel) in parcels.enumerate() {
        let told = if place == 0 { &answer.related[..] } else { &[] };
        let related = merged(&parcel.tracking.related, told);
        parcel.tracking = ParcelState {
            related,
            ..state.clone()
        };
    }
}

/// Cash is collected when the parcel is delivered.
fn collected_at(reading: &Reading, told: &Told) -> Timestamp {
    let delivered = reading.state.status == TrackingStatus::Delivered;
    let since = reading.state.since.filter(|_| delivered);
    since.unwrap_or(told.received_at)
}

/// The parcel with this number, rather one whose label counts.
fn find(state: &OrderState, account: ConnectionId, number: &str) -> Option<Place> {
    let with_number = |shipment: &Shipment| {
        let parcels = shipment.parcels.iter();
        let mut same = parcels.filter(|parcel| parcel.tracking_number.as_deref() == Some(number));
        same.next().map(|parcel| Place {
            shipment: shipment.id,
            parcel: parcel.id,
        })
    };
    let of_account = || {
        state
            .shipments
            .iter()
            .filter(|shipment| shipment.connection_id == Some(account))
    };
    of_account()
        .filter(|shipment| !shipment.status.ended())
        .find_map(with_number)
        .or_else(|| of_account().find_map(with_number))
}

/// The shipment that had this number by a former request.
fn formerly(state: &OrderState, number: &str) -> Option<Place> {
    let had = |shipment: &&Shipment| {
        shipment
            .former_numbers
            .iter()
            .any(|former| former == number)
    };
    let shipment = state.shipments.iter().find(had)?;
    Some(Place {
        shipment: shipment.id,
        parcel: shipment.parcels.first()?.id,
    })
}

fn shipment(state: &OrderState, id: ShipmentId) -> Option<&Shipment> {
    state.shipments.iter().find(|shipment| shipment.id == id)
}
fn parcel(state: &OrderState, place: Place) -> Option<&Parcel> {
    let parcels = &shipment(state, place.shipment)?.parcels;
    parcels.iter().find(|parcel| parcel.id == place.parcel)
}

fn events_of(state: &OrderState, parcel: ParcelId) -> impl Iterator<Item = &TrackingEvent> {
    state
        .tracking
        .iter()
        .filter(move |event| event.parcel_id == parcel)
}

/// Stores what was not told before; the statuses of what is new.
fn store(
    draft: &mut Draft<'_>,
    told: &Told,
    place: Place,
    events: &[MappedEvent],
) -> Vec<TrackingStatus> {
    let mut fresh = Vec::new();
    let mut events: Vec<&MappedEvent> = events.iter().collect();
    // Stable: equal times keep the carrier's order.
    events.sort_by_key(|event| event.occurred_at);
    for event in events {
        let status = project::on_leg(
            returning_at(&draft.state, place.parcel, event.occurred_at),
            event.status,
        );
        if repeated(&draft.state, place.parcel, event, status) {
            continue;
        }
        fresh.push(status);
        draft.state.tracking.push(TrackingEvent {
            id: TrackingEventId::new(),
            parcel_id: place.parcel,
            status,
            reason: event.reason.clone(),
            carrier_code: event.carrier_code.clone(),
            carrier_text: event.carrier_text.clone(),
            occurred_at: event.occurred_at,
            received_at: told.received_at,
            place: event.place.clone(),
            origin: told.origin,
        });
    }
    fresh
}

/// A return had begun by then, as far as is known.
fn returning_at(state: &OrderState, parcel: ParcelId, at: Timestamp) -> bool {
    events_of(state, parcel)
        .any(|stored| stored.occurred_at <= at && project::begins_return(stored.status))
}

/// Told before: code, time and place are equal (where there is no code, its text and status), and
/// it meant the same then: `status`, or what was told before the return was known. One that the
/// mended table, or the carrier's next word, gives another meaning is new and stands beside the
/// first one; one that nobody understands any more is not.
fn repeated(
    state: &OrderState,
    parcel: ParcelId,
    event: &MappedEvent,
    status: TrackingStatus,
) -> bool {
    let filled = |place: &Option<EventPlace>| {
        let place = place.clone();
        place.filter(|place| *place != EventPlace::default())
    };
    let place = filled(&event.place);
    let same = |stored: &&TrackingEvent| {
        stored.occurred_at == event.occurred_at
            && stored.carrier_code == event.carrier_code
            && (event.carrier_code.is_some() || stored.carrier_text == event.carrier_text)
            && filled(&stored.place) == place
    };
    let not_understood = event.status == TrackingStatus::Unknown;
    events_of(state, parcel)
        .filter(same)
        .any(|stored| stored.status == status || stored.status == event.status || not_understood)
}

fn merged(known: &[Related], told: &[Related]) -> Vec<Related> {
    let mut all = known.to_vec();
    for related in told {
        if !all.contains(related) {
            all.push(related.clone());
        }
    }
    all
}

/// When the parcel is asked for next, for accounts that are asked by number.
fn ask_again(draft: &mut Draft<'_>, place: Place) {
    let Some(shipment) = shipment(&draft.state, place.shipment) else {
        return;
    };
    let account = shipment
        .connection_id
        .and_then(|id| draft.ctx.world.carrier(id))
        .filter(|account| account.asks_by_number);
    let (Some(account), Some(parcel)) = (account, parcel(&draft.state, place)) else {
        return;
    };
    let next = next(
        &draft.state,
        Ladder::of(&account.connection),
        shipment,
        parcel,
        draft.now(),
    );
    draft.track.push((place.parcel, next));
}

/// Parcels of a shipment whose label was bought (or is void): each with a number gets the moment
/// at which it is asked for next.
pub(super) fn schedule(draft: &mut Draft<'_>, id: ShipmentId) {
    let places: Vec<Place> = shipment(&draft.state, id)
        .map(|shipment| {
            let parcels = shipment.parcels.iter();
            let mut asked: Vec<&str> = Vec::new();
            // Several parcels under one number are asked for once.
            let numbered = parcels.filter(|parcel| {
                let number = parcel.tracking_number.as_deref();
                let first = number.is_some_and(|number| !asked.contains(&number));
                asked.extend(number.filter(|_| first));
                first
            });
            let place = |parcel: &Parcel| Place {
                shipment: id,
                parcel: parcel.id,
            };
            numbered.map(place).collect()
        })
        .unwrap_or_default();
    for place in places {
        ask_again(draft, place);
    }
}

fn next(
    state: &OrderState,
    ladder: Ladder,
    shipment: &Shipment,
    parcel: &Parcel,
    now: Timestamp,
) -> Option<Timestamp> {
    let bought = shipment.purchased_at.unwrap_or(shipment.created_at);
    let ParcelState { status, since, .. } = parcel.tracking;
    let since = since.unwrap_or(bought);
    // A label that is void and that nobody scanned has ended when it was bought.
    let void = shipping::void_label(state, shipment);
    let ended = (void && parcel.tracking.first_scan_at.is_none()).then_some(bought);
    ladder.next(status, since, now, ended)
}
