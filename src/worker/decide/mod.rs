//! From mapped records to what is written: one change set a delivery.
//!
//! What always holds: every record gets exactly one disposition (or, for a poll's re-read, a count);
//! a record that cannot be decided becomes a problem of its own and changes nothing else; decisions
//! are made in order of arrival, over the states that the decisions before left.

mod hints;
mod parcels;
mod problems;

pub use problems::drift;

use super::around::Around;
use super::mapped::{Content, Failure, Mapped, MappedRecord, whole};
use super::memory::{Kind, Memory};
use super::reading::{self, SWEEP};
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::canonical::order::Source;
use crate::canonical::problem::Class;
use crate::canonical::{InboxId, MappedOrder, MerchantId, ProblemId, Timestamp};
use crate::flow::change::{ChangeSet, DeliveryResult, NewProblem, Outcome};
use crate::flow::{self, FlowContext, RecordMeta, World};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a decision is made in.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The delivery's connection.
    pub connection: &'a Connection,
    /// Its merchant.
    pub merchant: &'a Merchant,
    /// The merchant's carriers, rules and points.
    pub world: &'a World,
    /// Where the surroundings of other connections' orders are.
    pub around: &'a Around,
}

impl<'a> Setting<'a> {
    /// As flow wants it, before anyone looked for similar orders.
    pub(super) fn flow(&self) -> FlowContext<'a> {
        FlowContext {
            now: self.now,
            connection: self.connection,
            merchant: self.merchant,
            similar: None,
            world: self.world,
        }
    }
}

/// What is written of a delivery.
#[derive(Debug, Default)]
pub struct Decided {
    /// What it came to.
    pub change: ChangeSet,
    /// Problems of other merchants (a carrier account that several use), each under its own.
    pub beside: Vec<ChangeSet>,
}

impl Decided {
    pub(super) fn of(merchant: MerchantId) -> Self {
        Self {
            change: ChangeSet::of(merchant),
            beside: Vec::new(),
        }
    }
}

/// Decides on a delivery.
pub fn delivery(
    setting: Setting<'_>,
    wire: &WireDelivery,
    mapped: Mapped,
    memory: &mut Memory,
) -> Decided {
    let mut decided = Decided::of(setting.connection.merchant_id);
    let mut result = DeliveryResult {
        raw_id: wire.id,
        connection_id: wire.connection_id,
        received_at: wire.received_at,
        records: Vec::with_capacity(mapped.records.len()),
        unchanged: Vec::new(),
        hashes: Vec::new(),
        dedupe: None,
        found_by_sweep: 0,
    };
    if mapped.unknown_topic {
        let problem = problems::unknown_topic(wire, &mapped.topic);
        decided.change.problems.push(problem);
    }
    let frame = Frame {
        wire,
        topic: mapped.topic,
        kind: mapped.kind,
        version: mapped
            .mapping_version
            .as_deref()
            .unwrap_or_default()
            .to_owned(),
        sweep: wire.topic.ends_with(SWEEP),
        fetched: reading::fetched(wire.source, &wire.topic),
        remap: false,
    };
    let duplicate_of = duplicate(wire, &frame.topic, memory);
    for (index, record) in mapped.records.into_iter().enumerate() {
        if duplicate_of.is_none() && frame.is_reread(&record, memory) {
            result.unchanged.extend(record.known_as().cloned());
            continue;
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let mut row = frame.row(setting, InboxId::new(), index, &record);
        match duplicate_of {
            Some(first) => {
                row.disposition = Disposition::Duplicate;
                row.duplicate_of = Some(first.to_string());
            }
            None => frame.decide(setting, &mut row, record, memory, &mut decided, &mut result),
        }
        result.records.push(row);
    }
    remember_key(wire, &frame.topic, memory, &mut result);
    decided.change.delivery = Some(result);
    decided
}

/// A delivery that failed again and again (or made mapping panic): one record, one problem, nothing
/// else, so that its neighbours go on.
pub fn poison(setting: Setting<'_>, wire: &WireDelivery, failure: &Failure) -> Decided {
    let mut decided = Decided::of(setting.connection.merchant_id);
    let frame = Frame {
        wire,
        topic: wire.topic.clone(),
        kind: None,
        version: String::new(),
        sweep: false,
        fetched: false,
        remap: false,
    };
    let empty = whole(Content::Ignored(""));
    let mut row = frame.row(setting, InboxId::new(), 0, &empty);
    frame.fail(&mut row, failure, Class::BrokenContract, &mut decided);
    decided.change.delivery = Some(DeliveryResult {
        raw_id: wire.id,
        connection_id: wire.connection_id,
        received_at: wire.received_at,
        records: vec![row],
        unchanged: Vec::new(),
        hashes: Vec::new(),
        dedupe: None,
        found_by_sweep: 0,
    });
    decided
}

/// What the records of one delivery have in common.
pub(super) struct Frame<'a> {
    pub wire: &'a WireDelivery,
    pub topic: String,
    pub kind: Option<Kind>,
    pub version: String,
    pub sweep: bool,
    pub fetched: bool,
    pub remap: bool,
}

impl Frame<'_> {
    /// A poll that read the same bytes again (DECISIONS 2). What was fetched on purpose is judged.
    fn is_reread(&self, record: &MappedRecord, memory: &mut Memory) -> bool {
        let (Some(id), Some(hash), Some(kind)) = (record.known_as(), &record.hash, self.kind)
        else {
            return false;
        };
        if self.wire.source != Source::Poll || self.fetched {
            return false;
        }
        let ours = self.is_ours(record, memory);
        memory.hash(kind, &(self.wire.connection_id, id.clone())) == Some(&marked(*hash, ours))
    }

    /// False for a parcel that no label of ours made (so far).
    fn is_ours(&self, record: &MappedRecord, memory: &mut Memory) -> bool {
        let Content::Parcel(answer) = &record.content else {
            return true;
        };
        let number = answer.tracking_number.clone();
        number.is_some_and(|number| memory.is_ours(&(self.wire.connection_id, number)))
    }

    fn row(
        &self,
        setting: Setting<'_>,
        id: InboxId,
        index: u32,
        record: &MappedRecord,
    ) -> InboxRecord {
        InboxRecord {
            id,
            merchant_id: setting.connection.merchant_id,
            connection_id: self.wire.connection_id,
            raw_id: self.wire.id,
            index,
            source: self.wire.source,
            topic: self.topic.clone(),
            received_at: self.wire.received_at,
            kind: self.kind.map(|kind| kind.as_str().to_owned()),
            external_id: record.external_id.clone(),
            disposition: Disposition::Ignored,
            reason: None,
            subject: None,
            duplicate_of: None,
            problem_id: None,
            mapping_version: (!self.version.is_empty()).then(|| self.version.clone()),
            decided_at: Some(setting.now),
        }
    }

    /// Decides on one record and notes what follows from it.
    fn decide(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        record: MappedRecord,
        memory: &mut Memory,
        decided: &mut Decided,
        result: &mut DeliveryResult,
    ) {
        let ours = self.is_ours(&record, memory);
        // What a carrier calls us with is another shape than what it is polled for.
        let compared = self.kind != Some(Kind::Tracking) || self.wire.source == Source::Poll;
        let hash = record.hash.filter(|_| compared);
        let known_as = record.known_as.clone();
        self.judge(setting, row, record, memory, decided);
        if self.sweep && row.disposition == Disposition::Applied {
            result.found_by_sweep += 1;
        }
        // A stale record is not what is known last; its hash would hide nothing, but tell a lie.
        if let (Some(id), Some(hash), Some(kind), false) = (
            known_as.as_ref().or(row.external_id.as_ref()),
            hash,
            self.kind,
            row.disposition == Disposition::Stale,
        ) {
            let hash = marked(hash, ours);
            memory.remember_hash(kind, (self.wire.connection_id, id.clone()), hash);
            let kind = kind.as_str().to_owned();
            result.hashes.push((kind, id.clone(), hash));
        }
    }

    /// Gives the record its disposition. Used for first and for later readings of it.
    pub(super) fn judge(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        record: MappedRecord,
        memory: &mut Memory,
        decided: &mut Decided,
    ) {
        decided.change.problems.extend(
            record
                .drift
                .iter()
                .map(|d| drift(self.wire.connection_id, d)),
        );
        match record.content {
            Content::Ignored(reason) => {
                row.disposition = Disposition::Ignored;
                row.reason = Some(reason.to_owned());
            }
            Content::Failed(failure) => self.fail(row, &failure, Class::BrokenContract, decided),
            Content::Hint => self.refetch(setting, row, memory, decided),
            Content::Orders(orders) => {
                for (n, order) in orders.into_iter().enumerate() {
                    self.intake(setting, row, n == 0, order, memory, decided);
                }
            }
            Content::Parcel(answer) => self.track(setting, row, *answer, memory, decided),
        }
    }

    fn intake(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        first: bool,
        order: MappedOrder,
        memory: &mut Memory,
        out: &mut Decided,
    ) {
        let external_id = order.external_id.text().unwrap_or_default().to_owned();
        let subject = (self.wire.connection_id, external_id);
        let known = memory.take(Kind::Order, &subject);
        let similar = memory.similar(&subject);
        let ctx = FlowContext {
            similar: similar.as_deref(),
            ..setting.flow()
        };
        let known_id = known.as_ref().map(|state| state.order.meta.id.to_string());
        let meta = RecordMeta {
            inbox_id: row.id,
            source: self.wire.source,
            received_at: self.wire.received_at,
            mapping_version: &self.version,
            sweep: self.sweep,
            fetched: self.fetched,
            remap: self.remap,
        };
        let decided = catch_unwind(AssertUnwindSafe(|| flow::intake(&ctx, known, order, &meta)));
        let outcome: Outcome = match decided {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                return self.fail(row, &problems::refused(&error), error.class(), out);
            }
            Err(_) => {
                let failure = Failure::internal("deciding");
                return self.fail(row, &failure, Class::BrokenContract, out);
            }
        };
        // The record tells its weightiest part: with several orders in it, one that applied.
        if first || outcome.disposition == Disposition::Applied {
            row.disposition = outcome.disposition;
            row.reason.clone_from(&outcome.reason);
            row.subject = match &outcome.state {
                Some(state) => Some(state.order.meta.id.to_string()),
                None => known_id,
            };
            if row.disposition == Disposition::Problem {
                row.problem_id = outcome.problems.first().map(|problem| problem.id);
            }
        }
        if let Some(state) = &outcome.state {
            memory.decided(Kind::Order, &subject, state);
        }
        out.change.take(outcome);
    }

    /// Makes the record a problem.
    pub(super) fn fail(
        &self,
        row: &mut InboxRecord,
        failure: &Failure,
        class: Class,
        out: &mut Decided,
    ) {
        let problem = NewProblem {
            id: ProblemId::new(),
            class,
            code: failure.code.clone(),
            subject: row.id.to_string(),
            connection_id: Some(self.wire.connection_id),
            message: failure.message.clone(),
            detail: problems::detail(&failure.detail, row),
            hint: Some(failure.hint.to_owned()),
        };
        row.disposition = Disposition::Problem;
        row.reason = Some(failure.message.clone());
        row.problem_id = Some(problem.id);
        out.change.problems.push(problem);
    }
}

/// The hash of what is of no parcel of ours is another one: should the parcel become ours, the same
/// news is news.
fn marked(mut hash: [u8; 32], ours: bool) -> [u8; 32] {
    if !ours {
        hash.iter_mut().for_each(|byte| *byte = !*byte);
    }
    hash
}

fn duplicate(wire: &WireDelivery, topic: &str, memory: &Memory) -> Option<InboxId> {
    memory.first_with(wire.connection_id, topic, wire.dedupe_key.as_deref()?)
}

fn remember_key(
    wire: &WireDelivery,
    topic: &str,
    memory: &mut Memory,
    result: &mut DeliveryResult,
) {
    let Some(key) = wire.dedupe_key.as_deref() else {
        return;
    };
    let Some(first) = result.records.first() else {
        return;
    };
    if first.disposition != Disposition::Duplicate {
        memory.remember_first(wire.connection_id, topic, key, first.id);
        result.dedupe = Some((topic.to_owned(), key.to_owned(), first.id));
    }
}
