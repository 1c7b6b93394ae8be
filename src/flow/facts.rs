//! What carriers tell of a shipment: labels, refusals, voids, scans.
//!
//! What always holds: a fact that was taken in before changes nothing when it is told again.

use super::change::{OrderState, Outcome};
use super::draft::Draft;
use super::error::FlowError;
use super::tracking::{self, Told};
use super::{FlowContext, shipping};
use crate::canonical::document::LabelAnswer;
use crate::canonical::inbox::Disposition;
use crate::canonical::shipment::LabelFailure;
use crate::canonical::tracking::{Origin, TrackingAnswer};
use crate::canonical::{ConnectionId, ShipmentId, Timestamp};

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub enum CarrierFact {
    /// Labels were made, or papers of labels that are known came. `parcel` is the index of the
    /// parcel where the request was made for one parcel alone; else answers go to parcels in order,
    /// and one answer for several parcels is the whole shipment's.
    Labels {
        /// Of which shipment.
        shipment_id: ShipmentId,
        /// Of which parcel.
        parcel: Option<usize>,
        /// What the mapping yielded.
        labels: Vec<LabelAnswer>,
    },
    /// Every step of the request is done.
    Complete {
        /// Of which shipment.
        shipment_id: ShipmentId,
    },
    /// The request was refused: nothing (more) was bought by it.
    Failed {
        /// Of which shipment.
        shipment_id: ShipmentId,
        /// Why.
        failure: LabelFailure,
    },
    /// The answer was lost and the carrier cannot be asked: a person must say.
    Unknown {
        /// Of which shipment.
        shipment_id: ShipmentId,
        /// What happened, without personal data.
        failure: LabelFailure,
    },
    /// The label is void.
    Voided {
        /// Of which shipment.
        shipment_id: ShipmentId,
        /// How, where the carrier was not asked.
        note: Option<String>,
    },
    /// The carrier does not void it.
    VoidRefused {
        /// Of which shipment.
        shipment_id: ShipmentId,
        /// Why.
        failure: LabelFailure,
    },
    /// What the carrier tells of a parcel on its way.
    Tracked {
        /// The carrier account.
        connection_id: ConnectionId,
        /// How it reached us.
        origin: Origin,
        /// When it reached us.
        received_at: Timestamp,
        /// What it says.
        answer: TrackingAnswer,
    },
}

/// Takes a fact in. One about a number that is no parcel of this order is ignored, and says why.
///
/// # Errors
/// [`FlowError`]: nothing is changed then.
pub fn fact(
    ctx: &FlowContext<'_>,
    state: OrderState,
    fact: CarrierFact,
) -> Result<Outcome, FlowError> {
    let mut draft = Draft::over(ctx, state);
    match fact {
        CarrierFact::Tracked {
            connection_id,
            origin,
            received_at,
            answer,
        } => {
            let told = Told {
                connection_id,
                origin,
                received_at,
            };
            if let Some(reason) = tracking::take_in(&mut draft, &told, &answer)? {
                return Ok(Outcome {
                    disposition: Disposition::Ignored,
                    reason: Some(reason.to_owned()),
                    ..Outcome::default()
                });
            }
        }
        label => shipping::fact(&mut draft, label)?,
    }
    draft.finish()
}
