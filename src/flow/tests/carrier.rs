//! A carrier beside the world: its account, its answers, and what must always hold of labels.
use super::*;
use crate::canonical::connection::{ConnectionState, Contract};
use crate::canonical::document::{DocumentKind, LabelAnswer, MappedDocument};
use crate::canonical::problem::Class;
use crate::canonical::shipment::{LabelFailure, LabelFormat, Shipment, ShipmentStatus};
use crate::canonical::{Money, ShipmentId};
use crate::flow::world::CarrierAccount;
use std::sync::Arc;

/// `%PDF-1.4` and `^XA^XZ`.
pub const PDF: &str = "JVBERi0xLjQ=";
pub const ZPL: &str = "XlhBXlha";

/// An account of the operator with a contract for everybody.
pub fn account(change: impl FnOnce(&mut CarrierAccount)) -> CarrierAccount {
    let connection: Connection = serde_json::from_value(json!({
        "id": ConnectionId::new(), "merchant_id": MerchantId::new(), "connector": "a-carrier",
        "name": "carrier", "kind": "carrier", "owner": "operator", "settings": {},
        "contracts": { "default": {
            "sender": {"name": "Depot", "city": "Sofia", "country": "BG"},
            "cod_payee": "operator", "cod_account": "CD-1", "services": ["standard", "express"],
        }},
        "state": "active", "release_from": null, "health": {}, "memory": {},
        "credentials_set": [], "created_at": START, "updated_at": START, "version": 1, "epoch": 1,
    }))
    .unwrap();
    let mut account = CarrierAccount {
        connection: Arc::new(connection),
        carrier_name: "A Carrier".to_owned(),
        buys_labels: true,
        voids: true,
        asks_by_number: true,
        has_directory: false,
    };
    change(&mut account);
    account
}

/// A world with this order and one carrier account.
pub fn with_carrier(order: Value) -> World {
    with_account(order, account(|_| {}))
}
pub fn with_account(order: Value, account: CarrierAccount) -> World {
    let mut world = World::with(order);
    world.around.carriers.push(account);
    world
}

pub fn paused(account: &mut CarrierAccount) {
    Arc::make_mut(&mut account.connection).state = ConnectionState::Paused;
}
pub fn without_contract(account: &mut CarrierAccount) {
    Arc::make_mut(&mut account.connection).contracts.clear();
}
pub fn contract(account: &mut CarrierAccount, change: impl FnOnce(&mut Contract)) {
    let contracts = &mut Arc::make_mut(&mut account.connection).contracts;
    change(contracts.get_mut("default").unwrap());
}

pub fn pdf() -> MappedDocument {
    document("pdf", PDF)
}
pub fn document(format: &str, base64: &str) -> MappedDocument {
    MappedDocument {
        kind: DocumentKind::Label,
        format: format.to_owned(),
        content_base64: Some(base64.to_owned()),
        url: None,
    }
}
pub fn label(number: &str, documents: Vec<MappedDocument>) -> LabelAnswer {
    LabelAnswer {
        tracking_number: Some(number.to_owned()),
        tracking_url: Some(format!("https://carrier.example/{number}")),
        documents,
        charges: vec![],
        cod: None,
    }
}
pub fn refusal(class: Class) -> LabelFailure {
    LabelFailure {
        class,
        code: "E7".to_owned(),
        message: "the postal code is refused".to_owned(),
        fields: vec!["receiver.postal_code".to_owned()],
    }
}
pub fn money(amount: &str) -> Money {
    Money::new(amount.parse().unwrap(), "EUR".parse().unwrap())
}
pub fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.problems.iter().map(|p| p.code.as_str()).collect()
}
pub fn mended(outcome: &Outcome) -> Vec<&str> {
    let codes = outcome.resolve.iter().filter_map(|r| r.code.as_deref());
    codes.collect()
}

impl World {
    pub fn carrier(&self) -> ConnectionId {
        self.around.carriers[0].connection.id
    }
    pub fn shipment(&self, n: usize) -> &Shipment {
        &self.state.as_ref().unwrap().shipments[n]
    }
    pub fn shipments(&self) -> usize {
        self.state.as_ref().unwrap().shipments.len()
    }
    pub fn standing(&self, n: usize) -> ShipmentStatus {
        self.shipment(n).status
    }
    /// `ship` by our label, with so many parcels.
    pub fn label_of(
        &self,
        n: usize,
        reference: &str,
        lines: Option<Vec<(usize, i64)>>,
        parcels: usize,
    ) -> Command {
        let mut what = self.ship_of(n, reference, lines);
        let account = self.carrier();
        if let Command::Ship {
            parcels: new,
            carrier_connection_id,
            carrier,
            ..
        } = &mut what
        {
            *new = vec![
                NewParcel {
                    weight_g: Some(500),
                    ..NewParcel::default()
                };
                parcels
            ];
            *carrier_connection_id = Some(account);
            *carrier = None;
        }
        what
    }
    pub fn buy(&mut self, reference: &str, lines: Option<Vec<(usize, i64)>>) -> Outcome {
        let what = self.label_of(0, reference, lines, 1);
        self.run(what)
    }
    pub fn ahead_of(&self, n: usize, reference: &str, lines: Option<Vec<(usize, i64)>>) -> Command {
        let Command::Ship { id, lines, .. } = self.ship_of(n, reference, lines) else {
            unreachable!()
        };
        Command::CreateShipment {
            id,
            revision: None,
            shipment_ref: reference.to_owned(),
            lines,
            parcels: vec![NewParcel {
                weight_g: Some(400),
                ..NewParcel::default()
            }],
            service: None,
            carrier_connection_id: Some(self.carrier()),
            label_format: LabelFormat::Pdf,
            override_request: false,
        }
    }
    pub fn replace_of(&self, n: usize) -> Command {
        Command::ReplaceShipment {
            id: self.shipment(n).id,
            shipment_ref: None,
            parcels: None,
            service: None,
            carrier_connection_id: None,
            override_request: false,
        }
    }
    pub fn void(&mut self, n: usize) -> Outcome {
        let id = self.shipment(n).id;
        self.run(Command::VoidShipment {
            id,
            reason: Some("packed wrong".to_owned()),
        })
    }
    pub fn try_fact(&mut self, fact: CarrierFact) -> Result<Outcome, FlowError> {
        self.now += jiff::SignedDuration::from_secs(1);
        let state = self.state.clone().unwrap();
        let outcome = super::fact(&self.ctx(), state, fact.clone())?;
        let outcome = self.keep(outcome);
        self.check_labels();
        let again = super::fact(&self.ctx(), self.state.clone().unwrap(), fact).unwrap();
        assert!(again.state.is_none(), "a fact told twice is one fact");
        assert!(again.events.is_empty() && again.jobs.is_empty());
        assert!(again.documents.is_empty() && again.track.is_empty());
        Ok(outcome)
    }
    pub fn fact(&mut self, fact: CarrierFact) -> Outcome {
        self.try_fact(fact).unwrap()
    }
    pub fn id(&self, n: usize) -> ShipmentId {
        self.shipment(n).id
    }
    pub fn labels(&mut self, n: usize, labels: Vec<LabelAnswer>) -> Outcome {
        let shipment_id = self.id(n);
        self.fact(CarrierFact::Labels {
            shipment_id,
            parcel: None,
            labels,
        })
    }
    pub fn complete(&mut self, n: usize) -> Outcome {
        let shipment_id = self.id(n);
        self.fact(CarrierFact::Complete { shipment_id })
    }
    pub fn failed(&mut self, n: usize, class: Class) -> Outcome {
        let shipment_id = self.id(n);
        self.fact(CarrierFact::Failed {
            shipment_id,
            failure: refusal(class),
        })
    }
    pub fn lost(&mut self, n: usize) -> Outcome {
        let shipment_id = self.id(n);
        self.fact(CarrierFact::Unknown {
            shipment_id,
            failure: refusal(Class::Transient),
        })
    }
    pub fn voided(&mut self, n: usize) -> Outcome {
        let shipment_id = self.id(n);
        self.fact(CarrierFact::Voided {
            shipment_id,
            note: None,
        })
    }
    pub fn void_refused(&mut self, n: usize) -> Outcome {
        let shipment_id = self.id(n);
        self.fact(CarrierFact::VoidRefused {
            shipment_id,
            failure: refusal(Class::Rejected),
        })
    }

    /// What must hold of labels in every state.
    pub fn check_labels(&self) {
        let state = self.state.as_ref().unwrap();
        for shipment in &state.shipments {
            let alike = |other: &&Shipment| {
                other.fulfillment_order_id == shipment.fulfillment_order_id
                    && other.shipment_ref == shipment.shipment_ref
            };
            assert_eq!(
                state.shipments.iter().filter(alike).count(),
                1,
                "one shipment a reference"
            );
            if shipment.status == ShipmentStatus::VoidRequested {
                assert!(shipment.voiding);
            }
            if let Some(by) = shipment.replaced_by {
                let new = state.shipments.iter().find(|s| s.id == by).unwrap();
                assert_eq!(new.replaces, Some(shipment.id));
                assert_ne!(new.status, ShipmentStatus::Failed, "then the old one stays");
            }
        }
        let live = state.cod.iter().filter(|item| item.status.live());
        let live = live.fold(rust_decimal::Decimal::ZERO, |sum, item| {
            sum + item.order_amount.amount.decimal()
        });
        assert!(live >= rust_decimal::Decimal::ZERO);
        for item in state.cod.iter().filter(|item| item.status.live()) {
            let shipment = state
                .shipments
                .iter()
                .find(|s| s.id == item.shipment_id)
                .unwrap();
            assert!(
                shipment.status.bought(),
                "cash of a label that is not there: {:?}",
                shipment.status
            );
        }
    }
}
