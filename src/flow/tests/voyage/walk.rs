//! One step of a voyage.
use super::super::*;
use super::Voyage;
use super::steps::{Change, Step, command_of};

impl Voyage {
    pub(super) fn step(&mut self, step: &Step) {
        let state = self.world.state.clone().unwrap();
        let id = |n: usize| state.shipments.get(n).map(|shipment| shipment.id);
        match step {
            Step::Record(change) => self.record(*change),
            Step::Answers(n, answer) => self.answers(*n, *answer),
            Step::Settle => {
                let outcome = self.world.settle();
                self.take(outcome);
            }
            Step::Rogue(n, what) => {
                if let Some(id) = id(*n) {
                    self.rogue(id, *what);
                }
            }
            Step::Resolve(n) => {
                if let Some(id) = id(*n) {
                    self.resolve(id);
                }
            }
            other => {
                let what = self.packs(other).or_else(|| command_of(&state, other));
                if let Some(what) = what {
                    self.run(what);
                }
            }
        }
    }

    /// What the warehouse packs, or wants a label for; `None` for any other step.
    fn packs(&self, step: &Step) -> Option<Command> {
        let state = self.world.state.as_ref().unwrap();
        let parts = state.fulfillment_orders.len();
        let lines = state.order.facts.lines().len();
        let partial = |partial: &Option<(usize, i64)>| {
            partial
                .filter(|(line, _)| *line < lines)
                .map(|one| vec![one])
        };
        match step {
            Step::Ship {
                part,
                name,
                partial: some,
                parcels,
                over,
            } if *part < parts => {
                let mut what =
                    self.world
                        .label_of(*part, &format!("S{name}"), partial(some), *parcels);
                if let Command::Ship {
                    override_request, ..
                } = &mut what
                {
                    *override_request = *over;
                }
                Some(what)
            }
            Step::Own {
                part,
                name,
                partial: some,
            } if *part < parts => {
                let world = &self.world;
                Some(world.ship_of(*part, &format!("S{name}"), partial(some)))
            }
            Step::Ahead {
                part,
                name,
                partial: some,
            } if *part < parts => {
                let world = &self.world;
                Some(world.ahead_of(*part, &format!("S{name}"), partial(some)))
            }
            _ => None,
        }
    }

    pub(super) fn record(&mut self, change: Change) {
        self.minute += 1;
        let total = |amount: u32| format!("{amount}.00");
        let order = match change {
            Change::Plain => cod("28.00"),
            Change::Street(n) => but(
                cod("28.00"),
                &[("ship_to.line1", json!(format!("ul. {n}")))],
            ),
            Change::Cash(amount) => cod(&total(amount)),
            Change::Paid => paid(),
            Change::Fewer => but(cod("28.00"), &[("lines.0.cancelled_quantity", json!(1))]),
            Change::More => but(cod("28.00"), &[("lines.0.quantity", json!(3))]),
            Change::Cancelled => but(cod("28.00"), &[("channel_state", json!("cancelled"))]),
        };
        if let Change::Cash(amount) = change {
            self.books.most = self.books.most.max(amount.into());
        }
        let time = START.replace(
            "10:00:00",
            &format!("{:02}:{:02}:00", 10 + self.minute / 60, self.minute % 60),
        );
        let outcome = self
            .world
            .record(but(order, &[("source_updated_at", json!(time))]));
        self.take(outcome);
    }
}
