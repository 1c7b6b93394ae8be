//! A person says what became of a request whose answer was lost.
//!
//! What always holds: only a person's word ends `outcome_unknown` where the carrier cannot be
//! asked; the same word again is no other one.

use super::{
    ShipmentStatus, asked, failure, find, find_mut, labels, mended, numbers, part_of, purchase,
    request,
};
use crate::canonical::ShipmentId;
use crate::canonical::document::LabelAnswer;
use crate::flow::command::{CommandAnswer, Resolution};
use crate::flow::draft::Draft;
use crate::flow::error::FlowError;
use crate::flow::wire;

/// The carrier has it, or has it not.
pub(super) fn resolve(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    outcome: Resolution,
) -> Result<CommandAnswer, FlowError> {
    let status = find(&draft.state, id)?.status;
    if status != ShipmentStatus::OutcomeUnknown {
        return said_before(draft, id, &outcome);
    }
    match outcome {
        Resolution::Purchased { tracking_numbers } => {
            let answers = answers(draft, id, &tracking_numbers)?;
            labels::labels(draft, id, None, &answers)?;
            purchase::complete(draft, id)?;
        }
        Resolution::NotPurchased => not_purchased(draft, id)?,
    }
    mended(draft, id, &["label_outcome_unknown"]);
    Ok(CommandAnswer::Shipment(id))
}

fn said_before(
    draft: &Draft<'_>,
    id: ShipmentId,
    outcome: &Resolution,
) -> Result<CommandAnswer, FlowError> {
    let shipment = find(&draft.state, id)?;
    let same = match outcome {
        Resolution::Purchased { tracking_numbers } => {
            let known = numbers(shipment);
            let known = |number: &String| known.iter().any(|one| one == number.trim());
            !tracking_numbers.is_empty() && tracking_numbers.iter().all(known)
        }
        Resolution::NotPurchased => {
            shipment.status == ShipmentStatus::Requested && shipment.request_number > 1
        }
    };
    if same {
        return Ok(CommandAnswer::Shipment(id));
    }
    let status = wire(&shipment.status);
    Err(FlowError::illegal(format!(
        "the outcome is known: the shipment is {status}"
    )))
}

/// The numbers as the carrier would have told them: one a parcel, or one for all.
fn answers(
    draft: &Draft<'_>,
    id: ShipmentId,
    told: &[String],
) -> Result<Vec<LabelAnswer>, FlowError> {
    let shipment = find(&draft.state, id)?;
    let wrong = |what: &str| Err(FlowError::invalid("tracking_numbers", what));
    let told: Vec<&str> = told.iter().map(|number| number.trim()).collect();
    if told.is_empty() || told.iter().any(|number| number.is_empty()) {
        return wrong("the numbers on the labels: one a parcel, or one for all");
    }
    if told.len() != 1 && told.len() != shipment.parcels.len() {
        return wrong("as many as there are parcels, or one for all");
    }
    let repeated = |place: usize| told.iter().take(place).any(|n| Some(n) == told.get(place));
    if (0..told.len()).any(repeated) {
        return wrong("a number stands there twice");
    }
    let one_for_all = told.len() == 1;
    let mut parcels = shipment.parcels.iter().enumerate();
    let contradicts = parcels.any(|(place, parcel)| {
        let number = if one_for_all {
            told.first()
        } else {
            told.get(place)
        };
        let known = parcel.tracking_number.as_deref();
        !one_for_all && known.is_some() && known != number.copied()
    });
    if contradicts {
        return wrong("another number than the one that the carrier gave for this parcel");
    }
    let answer = |number: &str| LabelAnswer {
        tracking_number: Some(number.to_owned()),
        tracking_url: None,
        documents: Vec::new(),
        charges: Vec::new(),
        cod: None,
    };
    Ok(told.into_iter().map(answer).collect())
}

/// It is asked for once more; unless nobody wants it any more, or a part of it was bought, which
/// the warehouse must know.
fn not_purchased(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    if shipment.voiding || !numbers(shipment).is_empty() {
        return failure::not_bought(draft, id);
    }
    if let Some(part) = part_of(&draft.state, shipment).filter(|part| asked(part)) {
        return Err(FlowError::RequestPending {
            current: Box::new(part.clone()),
        });
    }
    find_mut(draft, id)?.failure = None;
    request::again(draft, id)
}
