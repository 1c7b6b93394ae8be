//! Makers of merchants, deliveries, orders and change sets for the suite.

use crate::canonical::connection::{Connection, ConnectionState, Merchant};
use crate::canonical::event::{EventType, NewEvent, SnapshotKind, SnapshotRef};
use crate::canonical::fulfillment::{FulfillmentLine, FulfillmentOrder, FulfillmentStatus};
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::canonical::job::{Lane, NewJob};
use crate::canonical::order::{Customer, Delivery, OrderStatus, Source};
use crate::canonical::problem::Class;
use crate::canonical::shipment::{Shipment, ShipmentStatus};
use crate::canonical::*;
use crate::flow::change::{AuditEntry, ChangeSet, DeliveryResult, NewProblem, OrderState};
use crate::store::query::PageRequest;
use crate::store::{Applied, Store, StoreError};
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A fixed moment plus seconds.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

pub fn page(limit: usize) -> PageRequest {
    PageRequest { limit, after: None }
}

pub fn audit(subject: impl ToString) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(),
        at: at(0),
        actor: "tester".to_owned(),
        action: "test.made".to_owned(),
        subject: subject.to_string(),
        detail: json!({}),
    }
}

pub fn secrets(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretString> {
    let made = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)));
    made.collect()
}

/// A store with a merchant and a connection.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub merchant: MerchantId,
    pub connection: Connection,
}

impl Bench {
    pub async fn new(store: &Arc<dyn Store>) -> Self {
        let merchant = Merchant {
            id: MerchantId::new(),
            name: "Merchant".to_owned(),
            timezone: "Europe/Athens".to_owned(),
            settings: Map::new(),
            created_at: at(0),
            erased_at: None,
        };
        store
            .insert_merchant(&merchant, audit(merchant.id), None)
            .await
            .unwrap();
        let connection = connection(merchant.id);
        store
            .insert_connection(
                &connection,
                &secrets(&[("key", "credential-of-test")]),
                ChangeSet::of(merchant.id),
                audit(connection.id),
            )
            .await
            .unwrap();
        Self {
            store: Arc::clone(store),
            merchant: merchant.id,
            connection,
        }
    }

    pub fn delivery(&self, body: &str) -> WireDelivery {
        WireDelivery {
            id: RawId::new(),
            merchant_id: self.merchant,
            connection_id: self.connection.id,
            source: Source::Webhook,
            topic: "order.updated".to_owned(),
            received_at: at(0),
            dedupe_key: Some("delivery-key".to_owned()),
            headers: vec![("x-topic".to_owned(), "kept header".to_owned())],
            body: Bytes::from(body.to_owned()),
        }
    }

    pub async fn appended(&self, body: &str) -> WireDelivery {
        let delivery = self.delivery(body);
        self.store
            .append_inbox(vec![delivery.clone()], None)
            .await
            .unwrap();
        delivery
    }

    pub fn record(&self, of: &WireDelivery, index: u32, disposition: Disposition) -> InboxRecord {
        InboxRecord {
            id: InboxId::new(),
            merchant_id: of.merchant_id,
            connection_id: of.connection_id,
            raw_id: of.id,
            index,
            source: of.source,
            topic: of.topic.clone(),
            received_at: of.received_at,
            kind: Some("order".to_owned()),
            external_id: Some(format!("ext-{index}")),
            disposition,
            reason: None,
            subject: None,
            duplicate_of: None,
            problem_id: None,
            mapping_version: Some("v1".to_owned()),
            decided_at: Some(at(1)),
        }
    }

    /// A change set that decides a delivery.
    pub fn decided(&self, of: &WireDelivery, records: Vec<InboxRecord>) -> ChangeSet {
        ChangeSet {
            delivery: Some(DeliveryResult {
                raw_id: of.id,
                connection_id: of.connection_id,
                received_at: of.received_at,
                records,
                unchanged: Vec::new(),
                hashes: Vec::new(),
                dedupe: None,
                found_by_sweep: 0,
            }),
            ..ChangeSet::of(self.merchant)
        }
    }

    pub fn order(&self, external: &str) -> OrderState {
        let id = OrderId::new();
        let meta = json!({
            "id": id, "merchant_id": self.merchant, "connection_id": self.connection.id,
            "source": "webhook", "received_at": at(0), "updated_at": at(0), "status": "open",
            "overrides": [], "holds": [], "payload_ref": null, "mapping_version": "v1",
            "version": 1, "revision_at": at(0), "released": true,
        });
        let mut facts = OrderFacts {
            external_id: Field::Value(external.to_owned()),
            external_number: Field::Value(format!("N{external}")),
            note: Field::Value("Παρακαλώ κουδούνι".to_owned()),
            ..OrderFacts::default()
        };
        facts.customer = Field::Value(Customer {
            name: Field::Value("Eleni Papadopoulou".to_owned()),
            email: Field::Value(format!("Eleni+{external}@Example.gr")),
            phone: Field::Value("+306912345678".to_owned()),
            ..Customer::default()
        });
        OrderState {
            tracking: Vec::new(),
            cod: Vec::new(),
            order: Order {
                meta: serde_json::from_value(meta).unwrap(),
                facts,
            },
            fulfillment_orders: Vec::new(),
            shipments: Vec::new(),
            lock: 0,
        }
    }

    pub fn part(&self, of: &OrderState, cut_off: Option<i64>) -> FulfillmentOrder {
        FulfillmentOrder {
            id: FulfillmentOrderId::new(),
            order_id: of.order.meta.id,
            merchant_id: self.merchant,
            location: "ath".to_owned(),
            status: FulfillmentStatus::Submitted,
            revision: 1,
            version: 1,
            holds: Vec::new(),
            request: None,
            fulfill_at: None,
            ship_by: None,
            cut_off_at: cut_off.map(at),
            priority: 0,
            lines: vec![FulfillmentLine {
                line_id: LineId::new(),
                sku: Some("SKU".to_owned()),
                channel_sku: None,
                name: None,
                quantity: Quantity::ONE,
                remaining: Quantity::ONE,
            }],
            ship_to: None,
            delivery: Delivery::default(),
            cod: None,
            carrier_plan: None,
            wms_ref: None,
            supported_actions: vec!["accept".to_owned()],
            created_at: at(0),
            updated_at: at(0),
            submitted_at: Some(at(0)),
        }
    }

    pub fn shipment(&self, of: &OrderState, part: &FulfillmentOrder, key: &str) -> Shipment {
        Shipment {
            carrier: Some("carrier".to_owned()),
            status: ShipmentStatus::Requested,
            ..Shipment::draft(
                of.order.meta.id,
                self.merchant,
                part.id,
                key.to_owned(),
                at(0),
            )
        }
    }

    pub fn event(&self, of: &OrderState, kind: EventType) -> NewEvent {
        NewEvent {
            id: EventId::new(),
            kind,
            at: at(2),
            merchant_id: self.merchant,
            order_id: Some(of.order.meta.id),
            subject: of.order.meta.id.to_string(),
            snapshots: vec![SnapshotRef {
                kind: SnapshotKind::Order,
                id: of.order.meta.id.uuid(),
                version: of.order.meta.version,
            }],
            extra: json!({"changed": ["note"]}),
        }
    }

    pub fn job(&self, kind: &str, key: &str, ordering_key: &str, lane: Lane) -> NewJob {
        NewJob {
            merchant_id: self.merchant,
            kind: kind.to_owned(),
            connection_id: self.connection.id,
            order_id: None,
            lane,
            key: key.to_owned(),
            ordering_key: ordering_key.to_owned(),
            run_at: at(0),
            input: json!({"for": "input-of-test"}),
        }
    }

    pub fn problem(&self, code: &str, subject: &str) -> NewProblem {
        NewProblem {
            id: ProblemId::new(),
            class: Class::BrokenContract,
            code: code.to_owned(),
            subject: subject.to_owned(),
            connection_id: Some(self.connection.id),
            message: "a field is missing".to_owned(),
            detail: json!({"path": "lines"}),
            hint: None,
        }
    }

    /// Applies one set.
    pub async fn apply(&self, set: ChangeSet) -> Result<Applied, StoreError> {
        self.store.apply(vec![set]).await.unwrap().remove(0)
    }

    /// Stores an order with an event.
    pub async fn stored(&self, external: &str) -> OrderState {
        let state = self.order(external);
        let set = ChangeSet {
            events: vec![self.event(&state, EventType::OrderReceived)],
            states: vec![state.clone()],
            ..ChangeSet::of(self.merchant)
        };
        self.apply(set).await.unwrap();
        OrderState { lock: 1, ..state }
    }
}

pub fn connection(merchant: MerchantId) -> Connection {
    serde_json::from_value::<Connection>(json!({
        "id": ConnectionId::new(), "merchant_id": merchant, "connector": "demo",
        "name": "Shop", "kind": "shop", "owner": "merchant",
        "settings": {"base_url": "https://shop.example"}, "state": ConnectionState::Active,
        "release_from": null, "health": {}, "memory": {}, "credentials_set": [],
        "created_at": at(0), "updated_at": at(0), "version": 1, "epoch": 1,
    }))
    .unwrap()
}

/// The next version of an order, over the lock that is stored.
pub fn changed(state: &OrderState, note: &str) -> OrderState {
    let mut next = state.clone();
    next.order.facts.note = Field::Value(note.to_owned());
    next.order.meta.version += 1;
    next
}

pub fn with_status(mut state: OrderState, status: OrderStatus) -> OrderState {
    state.order.meta.status = status;
    state
}

pub fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}
