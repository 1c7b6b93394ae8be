//! What must hold on a voyage: after every step, and when everything is answered.
use super::super::*;
use super::Voyage;
use super::steps::{Answer, Step};
use crate::canonical::ShipmentId;
use crate::canonical::shipment::{Shipment, ShipmentStatus as S};
use std::collections::HashSet;

impl Voyage {
    /// What holds after every step.
    pub(super) fn check(&self) {
        let state = self.world.state.as_ref().unwrap();
        let mut seen: HashSet<&str> = HashSet::new();
        for shipment in &state.shipments {
            for parcel in &shipment.parcels {
                seen.extend(parcel.tracking_number.as_deref());
                let related = parcel.tracking.related.iter();
                seen.extend(related.map(|other| other.tracking_number.as_str()));
            }
            seen.extend(shipment.former_numbers.iter().map(String::as_str));
        }
        let unresolved = |number: &str| !seen.contains(number);
        let numbers = self.books.valid.keys();
        let lost: Vec<_> = numbers.filter(|number| unresolved(number)).collect();
        assert!(
            lost.is_empty() || !self.books.secret.is_empty(),
            "numbers that nobody sees: {lost:?}"
        );
        let live = state.cod.iter().filter(|item| item.status.live());
        let sum = live.fold(rust_decimal::Decimal::ZERO, |sum, item| {
            sum + item.order_amount.amount.decimal()
        });
        assert!(
            sum <= self.books.most,
            "more is collected than was ever owed: {sum}"
        );
        for line in state.order.facts.lines() {
            let id = *line.id.value().unwrap();
            let shipped = state
                .fulfillment_orders
                .iter()
                .fold(Quantity::ZERO, |sum, part| {
                    sum.plus(fulfillment::shipped(state, part.id, id)).unwrap()
                });
            assert!(shipped <= qty(3), "more left than was ever ordered");
        }
    }

    /// The carrier answers everything, people resolve what is open: then every valid label is one
    /// that is wanted.
    pub(super) fn drain(&mut self) {
        for _ in 0..60 {
            if !self.books.open.is_empty() {
                self.answers(0, Answer::Bought);
            }
            let unknown: Vec<ShipmentId> = self.books.secret.keys().copied().collect();
            for id in unknown {
                self.resolve(id);
            }
            for part in 0..self.world.parts() {
                self.step(&Step::Request(part, true));
            }
            self.check();
        }
        let state = self.world.state.as_ref().unwrap();
        assert!(self.books.open.is_empty(), "{:?}", self.books.open);
        for (number, _) in self
            .books
            .valid
            .iter()
            .filter(|(n, valid)| **valid && !self.books.kept.contains(*n))
        {
            let of_it = |s: &&Shipment| {
                s.parcels
                    .iter()
                    .any(|p| p.tracking_number.as_ref() == Some(number))
            };
            let shipment = state.shipments.iter().find(of_it);
            let Some(shipment) = shipment else {
                panic!("{number} is valid and nobody's");
            };
            let part = state
                .fulfillment_orders
                .iter()
                .find(|p| p.id == shipment.fulfillment_order_id)
                .unwrap();
            let open = !matches!(
                part.status,
                FulfillmentStatus::Closed | FulfillmentStatus::Cancelled
            );
            let status = shipment.status;
            let good = matches!(
                status,
                S::Purchased | S::Printed | S::Manifested | S::HandedOver
            );
            let wanted = fulfillment::counts(shipment) || (!shipment.packed && open);
            assert!(
                good && wanted,
                "{number} is valid and unwanted: {shipment:?}"
            );
        }
    }
}
