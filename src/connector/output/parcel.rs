//! Tracking and label answers of carriers, one a parcel.

use super::OutputError;
use crate::canonical::document::{LabelAnswer, MappedDocument};
use crate::canonical::tracking::TrackingAnswer;
use crate::mapping::{Val, shape};

/// Reads an output of `tracking`: events oldest first, equal times in the mapping's order.
pub(super) fn tracking(value: &Val) -> Result<TrackingAnswer, OutputError> {
    let mut answer: TrackingAnswer = shape(value)?;
    answer.events.sort_by_key(|event| event.occurred_at);
    Ok(answer)
}

/// Reads an output of `label`: each document has its bytes or its address.
pub(super) fn label(value: &Val) -> Result<LabelAnswer, OutputError> {
    let answer: LabelAnswer = shape(value)?;
    let odd =
        |document: &MappedDocument| document.content_base64.is_some() == document.url.is_some();
    match answer.documents.iter().position(odd) {
        Some(index) => Err(OutputError::new(
            "output_shape",
            format!("documents[{index}]"),
            "exactly one of content_base64 and url is required",
        )),
        None => Ok(answer),
    }
}
