//! From mapped records to what is written: one change set a delivery.
//!
//! What always holds: every record gets exactly one disposition (or, for a poll's re-read, a count);
//! a record that cannot be decided becomes a problem of its own and changes nothing else; decisions
//! are made in order of arrival, over the states that the decisions before left.

use super::around::Around;
use super::mapped::{Content, Failure, Mapped, MappedRecord};
use super::memory::Memory;
use super::reading::{ORDERS_GET, SWEEP};
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::canonical::order::Source;
use crate::canonical::problem::Class;
use crate::canonical::{ConnectionId, InboxId, MappedOrder, ProblemId, Timestamp};
use crate::flow::change::{ChangeSet, DeliveryResult, NewProblem, Outcome};
use crate::flow::{self, FlowContext, FlowError, RecordMeta, World};
use crate::mapping::Drift;
use serde_json::{Value, json};
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

/// Decides on a delivery.
pub fn delivery(
    setting: Setting<'_>,
    wire: &WireDelivery,
    mapped: Mapped,
    memory: &mut Memory,
) -> ChangeSet {
    let mut change = ChangeSet::of(setting.connection.merchant_id);
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
        change.problems.push(unknown_topic(wire, &mapped.topic));
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
        fetched: wire.topic == ORDERS_GET,
        remap: false,
    };
    let duplicate_of = duplicate(wire, &frame.topic, memory);
    for (index, record) in mapped.records.into_iter().enumerate() {
        if duplicate_of.is_none() && frame.is_reread(&record, memory) {
            result.unchanged.extend(record.external_id);
            continue;
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let mut row = frame.row(setting, InboxId::new(), index, &record);
        match duplicate_of {
            Some(first) => {
                row.disposition = Disposition::Duplicate;
                row.duplicate_of = Some(first.to_string());
            }
            None => frame.decide(setting, &mut row, record, memory, &mut change, &mut result),
        }
        result.records.push(row);
    }
    remember_key(wire, &frame.topic, memory, &mut result);
    change.delivery = Some(result);
    change
}

/// A delivery that failed again and again (or made mapping panic): one record, one problem, nothing
/// else, so that its neighbours go on.
pub fn poison(setting: Setting<'_>, wire: &WireDelivery, failure: &Failure) -> ChangeSet {
    let mut change = ChangeSet::of(setting.connection.merchant_id);
    let frame = Frame {
        wire,
        topic: wire.topic.clone(),
        kind: None,
        version: String::new(),
        sweep: false,
        fetched: false,
        remap: false,
    };
    let empty = MappedRecord {
        external_id: None,
        hash: None,
        content: Content::Ignored(""),
        drift: Vec::new(),
    };
    let mut row = frame.row(setting, InboxId::new(), 0, &empty);
    frame.fail(&mut row, failure, Class::BrokenContract, &mut change);
    change.delivery = Some(DeliveryResult {
        raw_id: wire.id,
        connection_id: wire.connection_id,
        received_at: wire.received_at,
        records: vec![row],
        unchanged: Vec::new(),
        hashes: Vec::new(),
        dedupe: None,
        found_by_sweep: 0,
    });
    change
}

/// What the records of one delivery have in common.
pub(super) struct Frame<'a> {
    pub wire: &'a WireDelivery,
    pub topic: String,
    pub kind: Option<&'static str>,
    pub version: String,
    pub sweep: bool,
    pub fetched: bool,
    pub remap: bool,
}

impl Frame<'_> {
    /// A poll that read the same bytes again (DECISIONS 2). What was fetched on purpose is judged.
    fn is_reread(&self, record: &MappedRecord, memory: &Memory) -> bool {
        let (Some(id), Some(hash)) = (&record.external_id, &record.hash) else {
            return false;
        };
        self.wire.source == Source::Poll
            && !self.fetched
            && memory.hash(&(self.wire.connection_id, id.clone())) == Some(hash)
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
            kind: self.kind.map(str::to_owned),
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
        change: &mut ChangeSet,
        result: &mut DeliveryResult,
    ) {
        let hash = record.hash;
        self.judge(setting, row, record, memory, change);
        if self.sweep && row.disposition == Disposition::Applied {
            result.found_by_sweep += 1;
        }
        // A stale record is not what is known last; its hash would hide nothing, but tell a lie.
        if let (Some(id), Some(hash), false) = (
            &row.external_id,
            hash,
            row.disposition == Disposition::Stale,
        ) {
            memory.remember_hash((self.wire.connection_id, id.clone()), hash);
            result.hashes.push(("order".to_owned(), id.clone(), hash));
        }
    }

    /// Gives the record its disposition. Used for first and for later readings of it.
    pub(super) fn judge(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        record: MappedRecord,
        memory: &mut Memory,
        change: &mut ChangeSet,
    ) {
        change.problems.extend(
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
            Content::Failed(failure) => self.fail(row, &failure, Class::BrokenContract, change),
            Content::Orders(orders) => {
                for (n, order) in orders.into_iter().enumerate() {
                    self.intake(setting, row, n == 0, order, memory, change);
                }
            }
        }
    }

    fn intake(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        first: bool,
        order: MappedOrder,
        memory: &mut Memory,
        change: &mut ChangeSet,
    ) {
        let external_id = order.external_id.text().unwrap_or_default().to_owned();
        let subject = (self.wire.connection_id, external_id);
        let known = memory.take(&subject);
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
            Ok(Err(error)) => return self.fail(row, &refused(&error), error.class(), change),
            Err(_) => {
                return self.fail(
                    row,
                    &Failure::internal("deciding"),
                    Class::BrokenContract,
                    change,
                );
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
            memory.decided(&subject, state);
        }
        change.take(outcome);
    }

    /// Makes the record a problem.
    pub(super) fn fail(
        &self,
        row: &mut InboxRecord,
        failure: &Failure,
        class: Class,
        change: &mut ChangeSet,
    ) {
        let problem = NewProblem {
            id: ProblemId::new(),
            class,
            code: failure.code.clone(),
            subject: row.id.to_string(),
            connection_id: Some(self.wire.connection_id),
            message: failure.message.clone(),
            detail: detail(&failure.detail, row),
            hint: Some(failure.hint.to_owned()),
        };
        row.disposition = Disposition::Problem;
        row.reason = Some(failure.message.clone());
        row.problem_id = Some(problem.id);
        change.problems.push(problem);
    }
}

/// What a person needs to find the record: its topic, place and subject beside the failure's own.
fn detail(failure: &Value, row: &InboxRecord) -> Value {
    let mut detail = json!({
        "record": row.id,
        "topic": row.topic,
        "index": row.index,
        "external_id": row.external_id,
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut detail, failure) {
        all.extend(own.clone());
    }
    detail
}

fn refused(error: &FlowError) -> Failure {
    Failure {
        code: error.code().to_owned(),
        message: error.to_string(),
        detail: json!({ "fields": error.fields() }),
        hint: "The bytes are kept. Mend the connector's mapping so that it tells what is missing; the record is then mapped again.",
    }
}

/// Longest code that a drift problem repeats.
const CODE: usize = 80;

/// A code that no table knows.
pub(super) fn drift(connection_id: ConnectionId, drift: &Drift) -> NewProblem {
    let key: String = drift.key.chars().take(CODE).collect();
    NewProblem {
        id: ProblemId::new(),
        class: Class::Drift,
        code: "unknown_code".to_owned(),
        subject: format!("{}:{key}", drift.table),
        connection_id: Some(connection_id),
        message: format!(
            "the table {} does not know a code that the provider sends",
            drift.table
        ),
        detail: json!({ "table": drift.table, "code": key }),
        hint: Some("Add the code to the connector's table. Work goes on meanwhile.".to_owned()),
    }
}

fn unknown_topic(wire: &WireDelivery, topic: &str) -> NewProblem {
    let topic: String = topic.chars().take(CODE).collect();
    NewProblem {
        id: ProblemId::new(),
        class: Class::Drift,
        code: "unknown_topic".to_owned(),
        subject: format!("topic:{topic}"),
        connection_id: Some(wire.connection_id),
        message: "the provider sends a topic that the manifest does not name".to_owned(),
        detail: json!({ "topic": topic }),
        hint: Some("Name the topic in the connector's manifest, or ignore it there.".to_owned()),
    }
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
