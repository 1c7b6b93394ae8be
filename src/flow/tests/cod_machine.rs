//! Random stories of cash: every minor unit of what labels ask for stays accounted for.
use super::super::cod;
use super::tracking::{answer, numbered};
use super::*;
use crate::canonical::cod::{CodItem, CodStatus};
use crate::canonical::shipment::{Shipment, ShipmentStatus};
use crate::canonical::{Amount, Money, ShipmentId};
use proptest::prelude::*;
use rust_decimal::Decimal;

#[derive(Debug, Clone)]
enum Step {
    /// A label for so many hundredths of what is left, in place of that one.
    Label(u8, Option<usize>),
    Void(usize),
    /// The carrier's status of a parcel.
    Scan(usize, &'static str),
    /// It says that it collected (or remitted) so many cents more than is due.
    Cash(usize, i64, bool),
    /// The channel says that so many cents are owed.
    Owed(i64),
    Days(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let scans = prop_oneof![
        Just("in_transit"),
        Just("delivered"),
        Just("return_in_transit"),
        Just("returned"),
        Just("cancelled"),
    ];
    prop_oneof![
        3 => (1u8..=100, proptest::option::of(0usize..4)).prop_map(|(n, o)| Step::Label(n, o)),
        1 => (0usize..4).prop_map(Step::Void),
        3 => (0usize..4, scans).prop_map(|(n, s)| Step::Scan(n, s)),
        3 => (0usize..4, prop_oneof![Just(0), -3i64..4], any::<bool>())
            .prop_map(|(n, d, r)| Step::Cash(n, d, r)),
        1 => (1i64..5_000).prop_map(Step::Owed),
        1 => (1i64..9).prop_map(Step::Days),
    ]
}

struct Story {
    world: World,
    account: ConnectionId,
    minute: i64,
    revision: u32,
}

impl Story {
    fn state(&self) -> &OrderState {
        self.world.state.as_ref().unwrap()
    }
    fn time(&mut self) -> String {
        self.minute += 1;
        let start: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
        (start + jiff::SignedDuration::from_mins(self.minute)).to_string()
    }

    fn take(&mut self, step: &Step) {
        let known = self.state().shipments.len();
        match step {
            Step::Label(share, old) => self.label(*share, old.filter(|old| *old < known)),
            Step::Void(n) if *n < known => {
                let id = self.state().shipments[*n].id;
                let n = *n;
                self.world.decide(|draft| {
                    draft.state.shipments[n].status = ShipmentStatus::Voided;
                    cod::not_due(draft, id, "voided");
                });
            }
            Step::Scan(n, status) if *n < known => {
                let event = json!({ "status": status, "carrier_code": status,
                                    "occurred_at": self.time() });
                self.world
                    .told(self.account, answer(&format!("N{n}"), vec![event]));
            }
            Step::Cash(n, more, remitted) if *n < known => self.cash(*n, *more, *remitted),
            Step::Owed(cents) => {
                self.revision += 1;
                let amount = Amount::new(Decimal::new(*cents, 2)).to_string();
                let order = later(super::cod(&amount), self.revision.min(59), &[]);
                let _ = self.world.try_record(order, true);
            }
            Step::Days(days) => {
                self.world.pass(days * 24 * 60);
                self.world.settle();
            }
            _ => {}
        }
    }

    fn label(&mut self, share: u8, old: Option<usize>) {
        let state = self.state();
        let old = old.map(|old| state.shipments[old].clone());
        let old = old.filter(|old| old.replaced_by.is_none());
        let without: Vec<ShipmentId> = old.iter().map(|old| old.id).collect();
        let left = cod::left_without(state, &without);
        let n = state.shipments.len();
        let mut shipment = Shipment::draft(
            state.order.meta.id,
            state.order.meta.merchant_id,
            state.fulfillment_orders[0].id,
            format!("S{n}"),
            self.world.now,
        );
        shipment.connection_id = Some(self.account);
        shipment.status = ShipmentStatus::Purchased;
        shipment.parcels = vec![numbered(&format!("N{n}"))];
        shipment.replaces = old.as_ref().map(|old| old.id);
        shipment.cod = left.map(|left| {
            let part = left.amount.mul(Decimal::new(share.into(), 2)).unwrap();
            Money::new(part, left.currency).to_minor_unit()
        });
        let id = shipment.id;
        let outcome = self.world.decide(|draft| {
            for shipment in &mut draft.state.shipments {
                if Some(shipment.id) == old.as_ref().map(|old| old.id) {
                    shipment.replaced_by = Some(id);
                }
            }
            draft.state.shipments.push(shipment);
            cod::born(draft, id);
        });
        assert!(
            outcome.problems.is_empty(),
            "what is left is never too much"
        );
        self.within_owed(id);
    }

    /// At birth, live items take no more off the order than it owes.
    fn within_owed(&self, born: ShipmentId) {
        let state = self.state();
        let live = state.cod.iter().filter(|item| item.status.live());
        let sum = live.fold(Amount::ZERO, |sum, item| {
            sum.add(item.order_amount.amount).unwrap()
        });
        let owed = state.order.facts.cod_amount().unwrap().amount;
        let newborn = state.cod.iter().any(|item| item.shipment_id == born);
        assert!(!newborn || sum <= owed, "{sum} of {owed}");
    }

    fn cash(&mut self, n: usize, more: i64, remitted: bool) {
        let shipment = self.state().shipments[n].id;
        let item = self
            .state()
            .cod
            .iter()
            .find(|item| item.shipment_id == shipment);
        let known = item.map(|item| item.id);
        let due = item.map_or(Amount::ZERO, |item| item.due.amount);
        let amount = due.add(Amount::new(Decimal::new(more, 2))).unwrap();
        let mut told = answer(&format!("N{n}"), vec![]);
        let status = if remitted { "remitted" } else { "collected" };
        told["cod"] = json!({ "amount": eur(&amount.to_string()), "status": status });
        let told = self.world.told(self.account, told);
        let item = self
            .state()
            .cod
            .iter()
            .find(|item| item.shipment_id == shipment);
        let stray = told
            .problems
            .iter()
            .any(|problem| problem.code == "cod_without_item");
        assert_eq!(stray, known.is_none() && !amount.is_zero());
        assert!(
            amount.is_zero() || item.is_some(),
            "no cent without an account"
        );
    }

    /// Every item says where its money is, and the states add up to what was born.
    fn accounted(&self) {
        for item in &self.state().cod {
            accounted(item);
        }
        let due = |wanted: &dyn Fn(CodStatus) -> bool| {
            let items = self.state().cod.iter();
            let items = items.filter(|item| wanted(item.status));
            items.fold(Amount::ZERO, |sum, item| sum.add(item.due.amount).unwrap())
        };
        let parts = [
            due(&|s| matches!(s, CodStatus::Expected | CodStatus::Overdue)),
            due(&|s| matches!(s, CodStatus::Collected | CodStatus::Remitted)),
            due(&|s| {
                matches!(
                    s,
                    CodStatus::ShortPaid | CodStatus::OverPaid | CodStatus::Disputed
                )
            }),
            due(&|s| s == CodStatus::NotDue),
        ];
        let sum = parts
            .into_iter()
            .fold(Amount::ZERO, |a, b| a.add(b).unwrap());
        assert_eq!(
            sum,
            due(&|_| true),
            "expected + collected + disputed + not_due = born"
        );
    }
}

fn accounted(item: &CodItem) {
    use CodStatus as S;
    let collected = item.collected.map(|money| money.amount);
    let due = item.due.amount;
    match item.status {
        S::Expected | S::Overdue => assert!(collected.is_none() && item.reason.is_none()),
        S::Collected | S::Remitted => assert_eq!(collected, Some(due)),
        S::ShortPaid => assert!(collected.unwrap() < due && item.reason.is_some()),
        S::OverPaid => assert!(collected.unwrap() > due && item.reason.is_some()),
        S::Disputed => assert!(collected.is_some() && item.reason.is_some()),
        S::NotDue => assert!(collected.is_none() && item.reason.is_some()),
        other => panic!("nothing leads to {other:?} yet"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_cent_has_an_account(steps in proptest::collection::vec(step(), 1..24)) {
        let mut world = World::with(super::cod("28.00"));
        let account = world.account(json!({}));
        let mut story = Story { world, account, minute: 0, revision: 0 };
        for step in &steps {
            story.take(step);
            story.accounted();
        }
    }
}
