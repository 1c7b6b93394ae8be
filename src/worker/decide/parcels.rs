//! What a carrier tells of a parcel becomes what it means for the parcel's order.
//!
//! What always holds: the order is decided on in its own surroundings (its shop, its merchant),
//! whoever owns the carrier account; a parcel that is not ours changes nothing.

use super::{Decided, Frame, Setting, problems};
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::canonical::order::Source;
use crate::canonical::problem::Class;
use crate::canonical::tracking::{Origin, TrackingAnswer};
use crate::flow::change::{ChangeSet, Outcome};
use crate::flow::{self, CarrierFact};
use crate::worker::mapped::Failure;
use crate::worker::memory::{Kind, Memory};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Frame<'_> {
    pub(super) fn track(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        answer: TrackingAnswer,
        memory: &mut Memory,
        out: &mut Decided,
    ) {
        let Some(number) = answer.tracking_number.clone() else {
            return ignored(row, "it names no parcel");
        };
        let subject = (self.wire.connection_id, number);
        let Some(state) = memory.take(Kind::Tracking, &subject) else {
            return ignored(row, "the parcel is none of ours");
        };
        let order = state.order.meta.clone();
        let Some(own) = setting.around.setting(order.connection_id, setting.now) else {
            let failure = Failure::internal("looking for the order's shop");
            return self.fail(row, &failure, Class::BrokenContract, out);
        };
        let fact = CarrierFact::Tracked {
            connection_id: self.wire.connection_id,
            origin: match self.wire.source {
                Source::Webhook => Origin::Webhook,
                Source::File => Origin::File,
                _ => Origin::Poll,
            },
            received_at: self.wire.received_at,
            answer,
        };
        let decided = catch_unwind(AssertUnwindSafe(|| flow::fact(&own.flow(), state, fact)));
        let mut outcome: Outcome = match decided {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                return self.fail(row, &problems::refused(&error), error.class(), out);
            }
            Err(_) => {
                let failure = Failure::internal("deciding");
                return self.fail(row, &failure, Class::BrokenContract, out);
            }
        };
        // A record that is read again may be of several parcels: it tells its weightiest.
        if open(row) {
            row.disposition = outcome.disposition;
            row.reason.clone_from(&outcome.reason);
            row.subject = Some(order.id.to_string());
        }
        if let Some(state) = &outcome.state {
            memory.decided(Kind::Tracking, &subject, state);
        }
        if order.merchant_id != setting.connection.merchant_id {
            let mut own = ChangeSet::of(order.merchant_id);
            own.problems = std::mem::take(&mut outcome.problems);
            own.resolve = std::mem::take(&mut outcome.resolve);
            if !own.problems.is_empty() || !own.resolve.is_empty() {
                out.beside.push(own);
            }
        }
        out.change.take(outcome);
    }
}

/// Nothing weightier is said of the record yet.
fn open(row: &InboxRecord) -> bool {
    !matches!(row.disposition, Disposition::Applied | Disposition::Problem)
}

fn ignored(row: &mut InboxRecord, reason: &str) {
    if open(row) {
        row.disposition = Disposition::Ignored;
        row.reason = Some(reason.to_owned());
    }
}
