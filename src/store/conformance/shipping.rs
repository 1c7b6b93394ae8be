//! Makers of shipments on their way, for the suite.

use super::support::*;
use crate::canonical::cod::{CodItem, CodPayee, CodStatus};
use crate::canonical::document::{DocumentKind, DocumentRef, StoredDocument};
use crate::canonical::event::{EventType, NewEvent, SnapshotKind, SnapshotRef};
use crate::canonical::shipment::{Parcel, Shipment, ShipmentStatus};
use crate::canonical::tracking::{Origin, ParcelState, TrackingEvent, TrackingStatus};
use crate::canonical::*;
use crate::flow::change::{ChangeSet, OrderState};
use serde_json::json;

pub fn money(amount: &str, currency: &str) -> Money {
    Money::new(amount.parse().unwrap(), currency.parse().unwrap())
}

pub fn parcel(number: Option<&str>) -> Parcel {
    Parcel {
        id: ParcelId::new(),
        tracking_number: number.map(str::to_owned),
        tracking_url: None,
        weight_g: Some(500),
        length_mm: None,
        width_mm: None,
        height_mm: None,
        sscc: None,
        label: None,
        tracking: ParcelState::default(),
    }
}

pub fn told(parcel: &Parcel, status: TrackingStatus, seconds: i64) -> TrackingEvent {
    TrackingEvent {
        id: TrackingEventId::new(),
        parcel_id: parcel.id,
        status,
        reason: None,
        carrier_code: Some("042".to_owned()),
        carrier_text: Some("παραδόθηκε σε Eleni".to_owned()),
        occurred_at: at(seconds),
        received_at: at(seconds + 5),
        place: None,
        origin: Origin::Poll,
    }
}

impl Bench {
    /// An order with one shipment of one parcel, bought at the bench's connection; not stored yet.
    pub fn shipped(&self, external: &str, number: &str) -> OrderState {
        let mut state = self.order(external);
        let part = self.part(&state, None);
        state.shipments = vec![self.bought(&state, part.id, "box", Some(number))];
        state.fulfillment_orders = vec![part];
        state
    }

    pub fn bought(
        &self,
        state: &OrderState,
        part: FulfillmentOrderId,
        key: &str,
        number: Option<&str>,
    ) -> Shipment {
        Shipment {
            connection_id: Some(self.connection.id),
            status: ShipmentStatus::Purchased,
            parcels: vec![parcel(number)],
            purchased_at: Some(at(10)),
            ..Shipment::draft(
                state.order.meta.id,
                self.merchant,
                part,
                key.to_owned(),
                at(0),
            )
        }
    }

    pub fn cod(&self, of: &Shipment, due: Money) -> CodItem {
        CodItem {
            id: CodItemId::new(),
            order_id: of.order_id,
            merchant_id: self.merchant,
            shipment_id: of.id,
            parcel_id: of.parcels[0].id,
            connection_id: self.connection.id,
            tracking_number: of.parcels[0].tracking_number.clone(),
            status: CodStatus::Expected,
            order_amount: due,
            due,
            collected: None,
            payee: CodPayee::Operator,
            collected_at: None,
            reason: None,
            created_at: at(20),
            updated_at: at(20),
            version: 1,
        }
    }

    pub fn label(&self, of: &Shipment, content: &[u8]) -> StoredDocument {
        StoredDocument {
            merchant_id: self.merchant,
            shipment_id: of.id,
            about: DocumentRef {
                id: DocumentId::new(),
                kind: DocumentKind::Label,
                format: "pdf".to_owned(),
                parcel_id: Some(of.parcels[0].id),
                bytes: content.len() as u64,
            },
            content: content.to_vec(),
            created_at: at(10),
        }
    }

    /// An event about an object, as flow makes them.
    pub fn about(
        &self,
        state: &OrderState,
        kind: EventType,
        object: (SnapshotKind, uuid::Uuid, u64),
    ) -> NewEvent {
        let shipment = &state.shipments[0];
        NewEvent {
            snapshots: vec![SnapshotRef {
                kind: object.0,
                id: object.1,
                version: object.2,
            }],
            extra: json!({
                "tracking_number": shipment.parcels[0].tracking_number,
                "shipment_id": shipment.id, "order_id": shipment.order_id,
            }),
            ..self.event(state, kind)
        }
    }

    /// Stores a state and yields it with the lock that it has then.
    pub async fn put(&self, state: OrderState) -> OrderState {
        let set = ChangeSet {
            states: vec![state.clone()],
            ..ChangeSet::of(self.merchant)
        };
        self.apply(set).await.unwrap();
        OrderState {
            lock: state.lock + 1,
            ..state
        }
    }
}
