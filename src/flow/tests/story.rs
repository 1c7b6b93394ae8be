//! The makings of random stories: what a channel may say and what people may do.
use super::*;
use proptest::prelude::*;

/// One revision of the channel: what it says from its moment on.
#[derive(Debug, Clone)]
pub struct Revision {
    pub state: &'static str,
    pub paid: bool,
    pub cod: bool,
    /// Ordered and cancelled of lines a, b and c; `None`: not on the order.
    pub lines: [Option<(u32, u32)>; 3],
    pub street: u8,
    pub shape: Shape,
}
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Full,
    /// Says nothing of lines and amounts.
    Thin,
    /// Hides refunds.
    Hiding,
}

pub fn revision() -> impl Strategy<Value = Revision> {
    let line = || prop_oneof![1 => Just(None), 3 => (1u32..5, 0u32..3).prop_map(Some)];
    let state = prop_oneof![
        8 => Just("open"),
        1 => Just("on_hold"),
        1 => Just("pending_payment"),
        2 => Just("cancelled"),
        1 => Just("fulfilled"),
        1 => Just("unknown"),
    ];
    let shape =
        prop_oneof![8 => Just(Shape::Full), 1 => Just(Shape::Thin), 1 => Just(Shape::Hiding)];
    (
        state,
        prop::bool::weighted(0.9),
        any::<bool>(),
        [line(), line(), line()],
        0u8..3,
        shape,
    )
        .prop_map(|(state, paid, cod, lines, street, shape)| Revision {
            state,
            paid,
            cod,
            lines,
            street,
            shape,
        })
}

impl Revision {
    pub fn order(&self, number: usize) -> Value {
        let mut total = 0;
        let lines: Vec<Value> = ["a", "b", "c"]
            .iter()
            .zip(self.lines)
            .filter_map(|(id, quantity)| {
                let (ordered, cancelled) = quantity?;
                let cancelled = cancelled.min(ordered);
                let owed = (ordered - cancelled) * 10;
                total += owed;
                let mut line = line(id, ordered, &format!("{owed}.00"));
                line["cancelled_quantity"] = json!(cancelled);
                Some(line)
            })
            .collect();
        let payment = match (self.cod, self.paid) {
            (true, _) => {
                json!({"method": "cod", "status": "unpaid", "cod_amount": eur(&format!("{total}.00"))})
            }
            (_, true) => json!({"method": "prepaid", "status": "paid", "cod_amount": null}),
            (_, false) => json!({"method": "prepaid", "status": "unpaid", "cod_amount": null}),
        };
        let mut order = but(
            paid(),
            &[
                ("source_revision", json!(number.to_string())),
                ("channel_state", json!(self.state)),
                ("payment", payment),
                ("lines", json!(lines)),
                ("charges", json!([])),
                ("totals.total", eur(&format!("{total}.00"))),
                ("ship_to.line1", json!(format!("ul. {}", self.street))),
                ("details_missing", json!(self.shape == Shape::Hiding)),
            ],
        );
        if self.shape == Shape::Thin {
            for key in ["lines", "charges", "totals", "payment"] {
                order.as_object_mut().unwrap().remove(key);
            }
        }
        order
    }
}

#[derive(Debug, Clone)]
pub enum Step {
    /// Which revision arrives, and whether as the answer of a read.
    Record(usize, bool),
    Accept(usize),
    StaleAccept(usize),
    Ship {
        part: usize,
        partial: Option<(usize, i64)>,
        over: bool,
    },
    Short(usize, usize, i64),
    Reject(usize),
    Answer(usize, bool),
    Hold,
    Release,
    Cancel,
    Correct(u8),
    Resolve(bool),
    Connection(bool),
    Time(i64),
}

pub fn step(revisions: usize) -> impl Strategy<Value = Step> {
    let part = || 0usize..3;
    prop_oneof![
        8 => (0..revisions, prop::bool::weighted(0.2)).prop_map(|(n, read)| Step::Record(n, read)),
        4 => part().prop_map(Step::Accept),
        1 => part().prop_map(Step::StaleAccept),
        3 => (part(), prop::option::of((0usize..3, 1i64..3)), any::<bool>())
            .prop_map(|(part, partial, over)| Step::Ship { part, partial, over }),
        1 => (part(), 0usize..3, 1i64..3).prop_map(|(p, l, n)| Step::Short(p, l, n)),
        1 => part().prop_map(Step::Reject),
        4 => (part(), any::<bool>()).prop_map(|(p, yes)| Step::Answer(p, yes)),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => Just(Step::Cancel),
        1 => (0u8..4).prop_map(Step::Correct),
        1 => any::<bool>().prop_map(Step::Resolve),
        1 => any::<bool>().prop_map(Step::Connection),
        1 => (1i64..60).prop_map(Step::Time),
    ]
}

/// The command of a step; `None` when the story has nothing of that kind now.
pub fn command_of(world: &World, step: &Step, counter: usize) -> Option<Command> {
    let state = world.state.as_ref()?;
    let part = |n: usize| state.fulfillment_orders.get(n);
    Some(match step {
        Step::Accept(n) | Step::StaleAccept(n) => {
            let part = part(*n)?;
            let stale = matches!(step, Step::StaleAccept(_));
            Command::FulfillmentAccept {
                id: part.id,
                revision: part.revision - u64::from(stale),
                wms_ref: None,
            }
        }
        Step::Ship {
            part: n,
            partial,
            over,
        } => {
            part(*n)?;
            let lines = state.order.facts.lines().len();
            let partial = partial
                .filter(|(line, _)| *line < lines)
                .map(|one| vec![one]);
            let mut ship = world.ship_of(*n, &format!("S{counter}"), partial);
            if let Command::Ship {
                override_request, ..
            } = &mut ship
            {
                *override_request = *over;
            }
            ship
        }
        Step::Short(n, line, quantity) => Command::FulfillmentShort {
            id: part(*n)?.id,
            revision: part(*n)?.revision,
            lines: vec![ShortLine {
                line_id: *state.order.facts.lines().get(*line)?.id.value().unwrap(),
                quantity: qty(*quantity),
            }],
            note: None,
        },
        Step::Reject(n) => Command::FulfillmentReject {
            id: part(*n)?.id,
            revision: part(*n)?.revision,
            reason: HoldReason::Other,
            note: None,
        },
        Step::Answer(n, accept) => Command::AnswerRequest {
            fulfillment_id: part(*n)?.id,
            request_id: part(*n)?.request.as_ref()?.id,
            accept: *accept,
            revision: part(*n)?.revision,
            note: None,
        },
        Step::Hold => Command::Hold {
            reason: HoldReason::Other,
            detail: None,
        },
        Step::Release => Command::Release { reasons: None },
        Step::Cancel => Command::Cancel { reason: None },
        Step::Correct(street) => Command::Override {
            set: [("ship_to.line1".to_owned(), json!(format!("ul. {street}")))].into(),
            reason: "r".to_owned(),
        },
        Step::Resolve(ours) => Command::ResolveConflict {
            path: "ship_to.line1".to_owned(),
            choose: if *ours { Choice::Ours } else { Choice::Theirs },
        },
        _ => return None,
    })
}
