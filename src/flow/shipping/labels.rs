//! The carrier's labels: numbers, links, papers and prices, each put where it belongs.
//!
//! What always holds: an answer told twice is one answer; a number is never lost, also one that
//! nobody expects; a paper that cannot be read leaves the purchase as it is.

use super::{documents, find, find_mut, numbers, problem, purchase};
use crate::canonical::document::LabelAnswer;
use crate::canonical::problem::Class;
use crate::canonical::shipment::{Parcel, Shipment};
use crate::canonical::tracking::{Related, RelatedKind};
use crate::canonical::{Money, ShipmentId};
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;

/// Takes in the answers of one request. `parcel`: all of them are this parcel's.
pub(super) fn labels(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    parcel: Option<usize>,
    labels: &[LabelAnswer],
) -> Result<(), FlowError> {
    let before = find(&draft.state, id)?.clone();
    let mut wrong = Vec::new();
    for (place, label) in labels.iter().enumerate() {
        let now = draft.now();
        let mut stored = std::mem::take(&mut draft.documents);
        let shipment = find_mut(draft, id)?;
        let whose = whose(shipment, parcel, place, labels.len(), label);
        let new = number(shipment, &whose, label);
        charge(shipment, label, new);
        // As it will be read when it is told again: the number says whose it is.
        let whose = self::whose(shipment, parcel, place, labels.len(), label);
        let parcel = whose.one(shipment);
        let unread = documents::keep(shipment, parcel, &label.documents, now, &mut stored);
        wrong.extend(unread);
        documents::hand_out(shipment);
        draft.documents = stored;
    }
    let fresh = *find(&draft.state, id)? != before;
    if fresh {
        compare_cash(draft, id, parcel, labels)?;
    }
    for what in wrong {
        let message = format!("a paper of the label cannot be kept: {what}");
        let failure = super::failure(Class::BrokenContract, "document_unreadable", &message);
        let hint = "the label is bought: print it at the carrier, and mend the connector's mapping";
        problem(draft, id, "label_document_unreadable", &failure, hint);
    }
    purchase::follow(draft, id, &before)
}

/// To which parcels an answer belongs.
enum Whose {
    All,
    Place(usize),
    /// More answers than parcels.
    Nobody,
}

impl Whose {
    fn one(&self, shipment: &Shipment) -> Option<crate::canonical::ParcelId> {
        match (self, shipment.parcels.as_slice()) {
            (Self::Place(place), parcels) => parcels.get(*place).map(|parcel| parcel.id),
            (Self::All, [only]) => Some(only.id),
            _ => None,
        }
    }
}

fn whose(
    shipment: &Shipment,
    parcel: Option<usize>,
    place: usize,
    answers: usize,
    label: &LabelAnswer,
) -> Whose {
    let count = shipment.parcels.len();
    if let Some(place) = parcel {
        return if place < count {
            Whose::Place(place)
        } else {
            Whose::Nobody
        };
    }
    if label.tracking_number.is_some() {
        let same = |parcel: &Parcel| parcel.tracking_number == label.tracking_number;
        let mut known = shipment.parcels.iter().enumerate().filter(|(_, p)| same(p));
        match (known.next(), known.next()) {
            (Some((place, _)), None) => return Whose::Place(place),
            (Some(_), Some(_)) => return Whose::All,
            (None, _) => {}
        }
    }
    if answers == 1 {
        Whose::All
    } else if place < count {
        Whose::Place(place)
    } else {
        Whose::Nobody
    }
}

/// Puts the number and the link down. True when the number is new.
fn number(shipment: &mut Shipment, whose: &Whose, label: &LabelAnswer) -> bool {
    let Some(number) = filled(label.tracking_number.as_deref()) else {
        link(shipment, whose, label);
        return false;
    };
    let had = numbers(shipment);
    let related = |parcel: &Parcel| {
        let mut related = parcel.tracking.related.iter();
        related.any(|other| other.tracking_number == number)
    };
    let known = had.contains(&number)
        || shipment.former_numbers.contains(&number)
        || shipment.parcels.iter().any(related);
    for (place, parcel) in shipment.parcels.iter_mut().enumerate() {
        let its = match whose {
            Whose::All => true,
            Whose::Place(one) => *one == place,
            Whose::Nobody => false,
        };
        if its && parcel.tracking_number.is_none() && !shipment.former_numbers.contains(&number) {
            parcel.tracking_number = Some(number.clone());
        }
    }
    link(shipment, whose, label);
    // A number that has no parcel to be on: it is paid for, and must be seen.
    if !known
        && !numbers(shipment).contains(&number)
        && let Some(parcel) = shipment.parcels.last_mut()
    {
        parcel.tracking.related.push(Related {
            kind: RelatedKind::Other,
            tracking_number: number,
        });
    }
    !known
}

fn link(shipment: &mut Shipment, whose: &Whose, label: &LabelAnswer) {
    let Some(url) = filled(label.tracking_url.as_deref()) else {
        return;
    };
    for (place, parcel) in shipment.parcels.iter_mut().enumerate() {
        let its = match whose {
            Whose::All => true,
            Whose::Place(one) => *one == place,
            Whose::Nobody => false,
        };
        let same = label.tracking_number.is_none()
            || parcel.tracking_number.as_deref()
                == filled(label.tracking_number.as_deref()).as_deref();
        if its && same && parcel.tracking_url.is_none() {
            parcel.tracking_url = Some(url.clone());
        }
    }
}

fn filled(text: Option<&str>) -> Option<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

/// Prices of a label that is new, or that were not told with it.
fn charge(shipment: &mut Shipment, label: &LabelAnswer, new: bool) {
    for charge in &label.charges {
        if new || !shipment.charges.contains(charge) {
            shipment.charges.push(charge.clone());
        }
    }
}

/// What stands on the label must be what was asked.
fn compare_cash(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    parcel: Option<usize>,
    labels: &[LabelAnswer],
) -> Result<(), FlowError> {
    let asked = find(&draft.state, id)?.cod_due;
    let told: Vec<Money> = labels.iter().filter_map(|label| label.cod).collect();
    let Some(first) = told.first().copied() else {
        return Ok(());
    };
    let sum = told
        .iter()
        .skip(1)
        .try_fold(first, |sum, more| sum.add(*more));
    let zero = |money: Money| money.amount.is_zero();
    let as_asked = match (sum, asked) {
        // Only the first parcel carries the cash.
        (Ok(sum), _) if parcel.is_some_and(|place| place > 0) => zero(sum),
        (Ok(sum), Some(asked)) => sum == asked,
        (Ok(sum), None) => zero(sum),
        (Err(_), _) => false,
    };
    if !as_asked {
        let message = "the carrier will collect another amount than it was asked to";
        let failure = super::failure(Class::TotalsMismatch, "cod_amount_differs", message);
        let hint = "replace the label before the parcel leaves, or settle the difference";
        problem(draft, id, "cod_amount_differs", &failure, hint);
    }
    Ok(())
}
