//! What may happen on a voyage, and how likely it is.
use super::super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Record(Change),
    Ship {
        part: usize,
        name: usize,
        partial: Option<(usize, i64)>,
        parcels: usize,
        over: bool,
    },
    Own {
        part: usize,
        name: usize,
        partial: Option<(usize, i64)>,
    },
    Ahead {
        part: usize,
        name: usize,
        partial: Option<(usize, i64)>,
    },
    /// The carrier answers its n-th open request.
    Answers(usize, Answer),
    Resolve(usize),
    Void(usize),
    Replace(usize),
    Print(usize),
    Manifest(usize, bool),
    Accept(usize),
    Request(usize, bool),
    Short(usize, usize, i64),
    Reject(usize),
    Hold,
    Release,
    Cancel,
    Settle,
    /// A fact that no carrier would tell now.
    Rogue(usize, u8),
}
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Plain,
    Street(u8),
    Cash(u32),
    Paid,
    Fewer,
    More,
    Cancelled,
}
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Bought,
    WithoutPapers,
    InPart,
    Refused,
    /// Lost, and whether it was bought.
    Lost(bool),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let part = || 0usize..2;
    let partial = || prop::option::of((0usize..2, 1i64..3));
    let any_of = || 0usize..5;
    let change = prop_oneof![
        2 => Just(Change::Plain),
        2 => (0u8..3).prop_map(Change::Street),
        2 => (20u32..30).prop_map(Change::Cash),
        1 => Just(Change::Paid),
        1 => Just(Change::Fewer),
        1 => Just(Change::More),
        1 => Just(Change::Cancelled),
    ];
    let answer = prop_oneof![
        6 => Just(Answer::Bought),
        2 => Just(Answer::WithoutPapers),
        2 => Just(Answer::InPart),
        2 => Just(Answer::Refused),
        2 => any::<bool>().prop_map(Answer::Lost),
    ];
    prop_oneof![
        3 => change.prop_map(Step::Record),
        8 => (part(), 0usize..3, partial(), 1usize..3, prop::bool::weighted(0.2)).prop_map(
            |(part, name, partial, parcels, over)| Step::Ship { part, name, partial, parcels, over }),
        1 => (part(), 3usize..6, partial()).prop_map(|(part, name, partial)| Step::Own { part, name, partial }),
        3 => (part(), 0usize..3, partial()).prop_map(|(part, name, partial)| Step::Ahead { part, name, partial }),
        12 => (0usize..3, answer).prop_map(|(n, answer)| Step::Answers(n, answer)),
        3 => any_of().prop_map(Step::Resolve),
        3 => any_of().prop_map(Step::Void),
        4 => any_of().prop_map(Step::Replace),
        1 => any_of().prop_map(Step::Print),
        2 => (any_of(), any::<bool>()).prop_map(|(n, over)| Step::Manifest(n, over)),
        2 => part().prop_map(Step::Accept),
        3 => (part(), prop::bool::weighted(0.7)).prop_map(|(n, yes)| Step::Request(n, yes)),
        1 => (part(), 0usize..2, 1i64..2).prop_map(|(p, l, n)| Step::Short(p, l, n)),
        1 => part().prop_map(Step::Reject),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => Just(Step::Cancel),
        1 => Just(Step::Settle),
    ]
}

pub(super) fn rogue() -> impl Strategy<Value = Step> {
    let rogue = (0usize..5, 0u8..6).prop_map(|(n, what)| Step::Rogue(n, what));
    prop_oneof![3 => step(), 1 => rogue]
}

/// The command that a step is, where it is one.
pub(super) fn command_of(state: &OrderState, step: &Step) -> Option<Command> {
    let id = |n: usize| state.shipments.get(n).map(|shipment| shipment.id);
    let part = |n: usize| state.fulfillment_orders.get(n);
    Some(match step {
        Step::Void(n) => Command::VoidShipment {
            id: id(*n)?,
            reason: None,
        },
        Step::Replace(n) => Command::ReplaceShipment {
            id: id(*n)?,
            shipment_ref: None,
            parcels: None,
            service: None,
            carrier_connection_id: None,
            override_request: false,
        },
        Step::Print(n) => Command::PrintShipment { id: id(*n)? },
        Step::Manifest(n, handed_over) => Command::ManifestShipment {
            id: id(*n)?,
            handed_over: *handed_over,
        },
        Step::Accept(n) => Command::FulfillmentAccept {
            id: part(*n)?.id,
            revision: part(*n)?.revision,
            wms_ref: None,
        },
        Step::Request(n, accept) => Command::AnswerRequest {
            fulfillment_id: part(*n)?.id,
            request_id: part(*n)?.request.as_ref()?.id,
            accept: *accept,
            revision: part(*n)?.revision,
            note: None,
        },
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
        Step::Hold => Command::Hold {
            reason: HoldReason::Other,
            detail: None,
        },
        Step::Release => Command::Release { reasons: None },
        Step::Cancel => Command::Cancel { reason: None },
        _ => return None,
    })
}
