//! A small world around the pure decisions: it stores what they yield as the store would, and
//! checks after every step what must always hold.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod carrier;
mod channel;
mod checks;
mod cod;
mod cod_machine;
mod duplicates;
mod handshake;
mod holds;
mod intake;
mod labels;
mod machine;
mod marketplace;
mod news;
mod overrides;
mod papers;
mod plan;
mod points;
mod released;
mod replacing;
mod requests;
mod ship;
mod splits;
mod stock;
mod story;
mod tracking;
mod tracking_machine;
mod unknown;
mod voiding;
mod voyage;

use super::change::{OrderState, Outcome};
use super::*;
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus, RequestState};
use crate::canonical::hold::HoldReason;
use crate::canonical::inbox::Disposition;
use crate::canonical::order::OrderStatus;
use crate::canonical::shipment::ShippedLine;
use crate::canonical::{ConnectionId, FulfillmentOrderId, InboxId, LineId, MerchantId, Quantity};
use serde_json::{Value, json};

/// The moment at which every story begins.
pub const START: &str = "2026-11-20T10:00:00Z";

pub struct World {
    pub connection: Connection,
    pub merchant: Merchant,
    pub now: Timestamp,
    pub state: Option<OrderState>,
    /// The last record's id, for mapping it again.
    pub last_record: InboxId,
    /// What was found of orders like this one.
    pub similar: Option<Vec<crate::canonical::Order>>,
    /// Carrier accounts, rules and points.
    pub around: crate::flow::World,
}

impl World {
    /// A world whose connection is active, with these settings.
    pub fn new(settings: Value) -> Self {
        let merchant_id = MerchantId::new();
        let connection = serde_json::from_value(json!({
            "id": ConnectionId::new(), "merchant_id": merchant_id, "connector": "a-shop",
            "name": "shop", "kind": "shop", "owner": "merchant", "settings": settings,
            "state": "active", "release_from": "2026-11-01T00:00:00Z", "health": {},
            "memory": {}, "credentials_set": [], "created_at": START, "updated_at": START,
            "version": 1, "epoch": 1,
        }))
        .unwrap();
        let merchant = serde_json::from_value(json!({
            "id": merchant_id, "name": "Merchant", "timezone": "Europe/Sofia",
            "settings": {}, "created_at": START,
        }))
        .unwrap();
        Self {
            connection,
            merchant,
            now: START.parse().unwrap(),
            state: None,
            last_record: InboxId::new(),
            similar: None,
            around: crate::flow::World::default(),
        }
    }
    pub fn active() -> Self {
        Self::new(json!({}))
    }
    /// An active world with this order in it.
    pub fn with(order: Value) -> Self {
        let mut world = Self::active();
        assert_eq!(world.record(order).disposition, Disposition::Applied);
        world
    }
    pub fn ctx(&self) -> FlowContext<'_> {
        FlowContext {
            now: self.now,
            connection: &self.connection,
            merchant: &self.merchant,
            similar: self.similar.as_deref(),
            world: &self.around,
        }
    }
    pub fn pass(&mut self, minutes: i64) {
        self.now += jiff::SignedDuration::from_mins(minutes);
    }
    pub fn try_record(&mut self, order: Value, fetched: bool) -> Result<Outcome, FlowError> {
        self.now += jiff::SignedDuration::from_secs(1);
        let id = InboxId::new();
        let meta = RecordMeta {
            inbox_id: id,
            source: crate::canonical::order::Source::Webhook,
            received_at: self.now,
            mapping_version: "m1",
            sweep: false,
            fetched,
            remap: false,
        };
        let mapped = serde_json::from_value(order).unwrap();
        let outcome = super::intake(&self.ctx(), self.state.clone(), mapped, &meta)?;
        self.last_record = id;
        Ok(self.keep(outcome))
    }
    pub fn record(&mut self, order: Value) -> Outcome {
        self.try_record(order, false).unwrap()
    }
    pub fn fetched(&mut self, order: Value) -> Outcome {
        self.try_record(order, true).unwrap()
    }
    pub fn try_run(&mut self, what: Command) -> Result<(Outcome, CommandAnswer), FlowError> {
        self.now += jiff::SignedDuration::from_secs(1);
        let state = self.state.clone().unwrap();
        let (outcome, answer) = super::command(&self.ctx(), state, what, "tester")?;
        Ok((self.keep(outcome), answer))
    }
    pub fn run(&mut self, what: Command) -> Outcome {
        self.try_run(what).unwrap().0
    }
    pub fn settle(&mut self) -> Outcome {
        let outcome = super::settle(&self.ctx(), self.state.clone().unwrap());
        self.keep(outcome)
    }

    /// A change that a decision makes, without the command or fact that leads to it.
    fn decide(&mut self, change: impl FnOnce(&mut super::draft::Draft<'_>)) -> Outcome {
        let state = self.state.clone().unwrap();
        let outcome = {
            let ctx = self.ctx();
            let mut draft = super::draft::Draft::over(&ctx, state);
            change(&mut draft);
            draft.finish().unwrap()
        };
        self.keep(outcome)
    }

    /// Stores what a decision yields, as the store would.
    fn keep(&mut self, outcome: Outcome) -> Outcome {
        if let Some(new) = &outcome.state {
            assert_eq!(new.lock, self.state.as_ref().map_or(0, |old| old.lock));
            checks::numbers(self.state.as_ref(), new);
            checks::events(new, &outcome.events);
            let json = new.order.to_json().unwrap();
            let order = crate::canonical::Order::from_json(&json).unwrap();
            assert_eq!(order, new.order, "an order reads back as it was written");
            let mut stored = new.clone();
            stored.lock += 1;
            self.state = Some(stored);
        } else {
            assert!(outcome.events.is_empty(), "no event without a change");
        }
        self.check_state();
        outcome
    }

    /// What holds after every step whatever.
    fn check_state(&self) {
        let Some(state) = &self.state else { return };
        let again = super::settle(&self.ctx(), state.clone());
        assert_eq!(
            again.disposition,
            Disposition::Unchanged,
            "settled is settled"
        );
        assert!(again.state.is_none() && again.events.is_empty() && again.jobs.is_empty());
        for part in &state.fulfillment_orders {
            for line in &part.lines {
                assert!(line.remaining <= line.quantity);
                let shipped = fulfillment::shipped(state, part.id, line.line_id);
                assert!(
                    shipped.plus(line.remaining).unwrap() <= line.quantity,
                    "over-shipped"
                );
            }
            if part.status == FulfillmentStatus::Submitted {
                assert!(state.order.meta.released && state.order.meta.holds.is_empty());
            }
            if matches!(
                part.status,
                FulfillmentStatus::Closed | FulfillmentStatus::Cancelled
            ) {
                assert!(!fulfillment::remains(part));
                let pending = part.request.as_ref().map(|request| request.state);
                assert_ne!(pending, Some(RequestState::Pending));
            }
        }
    }

    pub fn order(&self) -> &crate::canonical::Order {
        &self.state.as_ref().unwrap().order
    }
    pub fn status(&self) -> OrderStatus {
        self.order().meta.status
    }
    pub fn part(&self) -> &FulfillmentOrder {
        self.nth(0)
    }
    pub fn nth(&self, n: usize) -> &FulfillmentOrder {
        &self.state.as_ref().unwrap().fulfillment_orders[n]
    }
    pub fn parts(&self) -> usize {
        self.state.as_ref().unwrap().fulfillment_orders.len()
    }
    pub fn line(&self, n: usize) -> LineId {
        *self.order().facts.lines()[n].id.value().unwrap()
    }
    pub fn holds(&self) -> Vec<HoldReason> {
        self.order()
            .meta
            .holds
            .iter()
            .map(|hold| hold.reason)
            .collect()
    }
    pub fn accept(&mut self) -> Outcome {
        let (id, revision) = (self.part().id, self.part().revision);
        self.run(Command::FulfillmentAccept {
            id,
            revision,
            wms_ref: Some("W1".to_owned()),
        })
    }
    pub fn answer(&mut self, accept: bool) -> Outcome {
        let part = self.part();
        let request = part.request.as_ref().expect("a request");
        let what = Command::AnswerRequest {
            fulfillment_id: part.id,
            request_id: request.id,
            accept,
            revision: part.revision,
            note: None,
        };
        self.run(what)
    }
    pub fn ship_of(&self, n: usize, reference: &str, lines: Option<Vec<(usize, i64)>>) -> Command {
        Command::Ship {
            carrier_connection_id: None,
            label_format: crate::canonical::shipment::LabelFormat::Pdf,
            id: self.nth(n).id,
            revision: None,
            shipment_ref: reference.to_owned(),
            lines: lines.map(|lines| {
                let one = |(line, n): (usize, i64)| ShippedLine {
                    line_id: self.line(line),
                    quantity: qty(n),
                };
                lines.into_iter().map(one).collect()
            }),
            parcels: vec![NewParcel {
                weight_g: Some(500),
                tracking_number: Some(format!("T-{reference}")),
                ..NewParcel::default()
            }],
            carrier: Some("carrier".to_owned()),
            service: None,
            override_request: false,
        }
    }
    pub fn ship(&mut self, reference: &str, lines: Option<Vec<(usize, i64)>>) -> Outcome {
        let what = self.ship_of(0, reference, lines);
        self.run(what)
    }
    pub fn request_state(&self) -> Option<RequestState> {
        self.part().request.as_ref().map(|request| request.state)
    }
}

pub fn qty(n: i64) -> Quantity {
    Quantity::new(n.into())
}

pub fn kinds(outcome: &Outcome) -> Vec<String> {
    outcome
        .events
        .iter()
        .map(|event| event.kind.as_str())
        .collect()
}
pub fn jobs(outcome: &Outcome) -> Vec<&str> {
    outcome.jobs.iter().map(|job| job.kind.as_str()).collect()
}
pub fn eur(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

/// A paid order of two of A at 10.00 and one of B at 5.00, with 3.00 for shipping.
pub fn paid() -> Value {
    json!({
        "external_id": "1001", "external_number": "#1001", "placed_at": "2026-11-20T09:00:00Z",
        "source_updated_at": "2026-11-20T09:00:00Z", "currency": "EUR",
        "customer": {"name": "Иван Петров", "email": "i@example.com"},
        "ship_to": {"name": "Иван Петров", "line1": "ul. Shipka 1", "city": "Sofia",
                    "postal_code": "1000", "country": "BG"},
        "delivery": {"mode": "home"},
        "payment": {"method": "prepaid", "status": "paid", "cod_amount": null},
        "lines": [line("a", 2, "20.00"), line("b", 1, "5.00")],
        "charges": [{"kind": "shipping", "total": eur("3.00")}],
        "totals": {"total": eur("28.00")},
        "channel_state": "open", "channel_status": "processing",
    })
}
pub fn line(id: &str, quantity: u32, total: &str) -> Value {
    json!({"external_id": id, "sku": id.to_uppercase(), "name": id, "quantity": quantity,
           "total": eur(total)})
}
/// The order with other values at dotted paths.
pub fn but(mut order: Value, changes: &[(&str, Value)]) -> Value {
    for (path, value) in changes {
        assert!(paths::set(&mut order, path, value.clone()));
    }
    order
}
/// The same order, so many minutes later.
pub fn later(order: Value, minutes: u32, changes: &[(&str, Value)]) -> Value {
    let time = format!("2026-11-20T09:{minutes:02}:00Z");
    but(but(order, &[("source_updated_at", json!(time))]), changes)
}
pub fn cod(amount: &str) -> Value {
    but(
        paid(),
        &[(
            "payment",
            json!({"method": "cod", "status": "unpaid", "cod_amount": eur(amount)}),
        )],
    )
}
