//! Random voyages: a carrier that answers in any order, refuses, loses answers and buys in part; a
//! channel, a warehouse and operators that go on meanwhile. The carrier keeps its own books: no
//! request is sent twice, none of its labels is unknown to us, none is valid that nobody wants.
mod books;
mod carrier;
mod steps;
mod walk;

use super::carrier::*;
use super::*;
use crate::canonical::ShipmentId;
use crate::canonical::job::NewJob;
use crate::canonical::shipment::Shipment;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use steps::{rogue, step};

/// The carrier's own books.
#[derive(Default)]
struct Books {
    open: Vec<NewJob>,
    keys: HashSet<String>,
    /// Every number that it told us, and whether it is valid.
    valid: BTreeMap<String, bool>,
    /// What it bought though we know nothing of it: by shipment.
    secret: BTreeMap<ShipmentId, bool>,
    /// Its labels that it did not void.
    kept: HashSet<String>,
    counter: usize,
    most: rust_decimal::Decimal,
    pushed: HashSet<String>,
}

struct Voyage {
    world: World,
    books: Books,
    minute: u32,
    /// The carrier has said what cannot be.
    rogue: bool,
}

impl Voyage {
    fn new(voids: bool) -> Self {
        let mut world = with_account(cod("28.00"), account(|a| a.voids = voids));
        world
            .connection
            .settings
            .insert("fulfillment_push".to_owned(), json!("label"));
        let books = Books {
            most: 28.into(),
            ..Books::default()
        };
        Self {
            world,
            books,
            minute: 1,
            rogue: false,
        }
    }
    fn take(&mut self, outcome: Outcome) {
        for job in outcome.jobs {
            if job.kind == "fulfillment.push" {
                assert!(
                    self.books.pushed.insert(job.key.clone()),
                    "the channel is told once"
                );
            }
            if job.kind == "shipment.create" {
                assert!(
                    self.books.keys.insert(job.key.clone()),
                    "asked twice: {}",
                    job.key
                );
            }
            if job.kind.starts_with("shipment.") {
                let twice = self.books.open.iter().any(|open| open.key == job.key);
                assert!(self.rogue || !twice, "dropped: {}", job.key);
                if !twice {
                    self.books.open.push(job);
                }
            }
        }
        self.world.check_labels();
    }
    fn run(&mut self, what: Command) -> bool {
        match self.world.try_run(what.clone()) {
            Ok((outcome, _)) => {
                self.take(outcome);
                let print = matches!(what, Command::PrintShipment { .. });
                let same = matches!(
                    what,
                    Command::Ship { .. }
                        | Command::CreateShipment { .. }
                        | Command::VoidShipment { .. }
                        | Command::ReplaceShipment { .. }
                        | Command::ManifestShipment { .. }
                );
                if same && !print {
                    let (again, _) = crate::flow::command(
                        &self.world.ctx(),
                        self.world.state.clone().unwrap(),
                        what,
                        "tester",
                    )
                    .unwrap();
                    assert!(
                        again.state.is_none() && again.jobs.is_empty(),
                        "told twice is told once"
                    );
                }
                true
            }
            Err(_) => false,
        }
    }
    fn fact(&mut self, fact: CarrierFact) {
        let outcome = self.world.fact(fact);
        self.take(outcome);
    }
    fn number(&mut self) -> String {
        self.books.counter += 1;
        let number = format!("N{}", self.books.counter);
        self.books.valid.insert(number.clone(), true);
        number
    }
    fn find(&self, id: ShipmentId) -> &Shipment {
        let shipments = &self.world.state.as_ref().unwrap().shipments;
        shipments.iter().find(|s| s.id == id).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_carrier_that_answers_truly(
        steps in prop::collection::vec(step(), 1..50),
        voids in prop::bool::weighted(0.8),
    ) {
        let mut voyage = Voyage::new(voids);
        for step in &steps {
            voyage.step(step);
            voyage.check();
        }
        if voids {
            voyage.drain();
        }
    }

    #[test]
    fn a_carrier_that_says_anything(steps in prop::collection::vec(rogue(), 1..50)) {
        let mut voyage = Voyage::new(true);
        for step in &steps {
            voyage.step(step);
            voyage.check();
        }
    }
}
