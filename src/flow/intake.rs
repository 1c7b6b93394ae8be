//! What a mapped record does to an order.
//!
//! What always holds: an older record changes nothing; one that says what is known already makes
//! no version and no event; nothing that a shape does not tell is lost.

use super::change::{NewProblem, OrderState, Outcome};
use super::draft::Draft;
use super::error::FlowError;
use super::findings::{check_totals, conflict, drift};
use super::operator;
use super::{
    FlowContext, RecordMeta, fulfillment, jobs, merge, overrides, paths, revision, totals,
};
use crate::canonical::inbox::Disposition;
use crate::canonical::order::{ChannelState, OrderStatus, Source};
use crate::canonical::{
    Field, InboxId, MappedOrder, Order, OrderFacts, OrderId, OrderMeta, Timestamp,
};
use std::cmp::Ordering;

/// Decides on one record: what becomes of it, and of the order that it is about (`state`: what is
/// stored under the same connection and external id).
///
/// # Errors
/// [`FlowError::BrokenContract`] when a new order lacks what it cannot be without;
/// [`FlowError::Money`] when amounts cannot be computed.
pub fn intake(
    ctx: &FlowContext<'_>,
    state: Option<OrderState>,
    mapped: MappedOrder,
    meta: &RecordMeta<'_>,
) -> Result<Outcome, FlowError> {
    match state {
        None => first(ctx, mapped, meta),
        Some(state) => known(ctx, state, mapped, meta),
    }
}

fn passed_over(disposition: Disposition, reason: &str) -> Outcome {
    Outcome {
        disposition,
        reason: Some(reason.to_owned()),
        ..Outcome::default()
    }
}

/// The keys that an order cannot be without.
pub(super) fn missing(mapped: &MappedOrder) -> Vec<String> {
    let total = mapped
        .totals
        .value()
        .and_then(|totals| totals.total.value());
    [
        (mapped.external_id.value().is_none(), "external_id"),
        (mapped.currency.value().is_none(), "currency"),
        (mapped.lines.value().is_none(), "lines"),
        (total.is_none(), "totals.total"),
        (mapped.placed_at.value().is_none(), "placed_at"),
    ]
    .into_iter()
    .filter(|(missing, _)| *missing)
    .map(|(_, path)| path.to_owned())
    .collect()
}

fn first(
    ctx: &FlowContext<'_>,
    mapped: MappedOrder,
    meta: &RecordMeta<'_>,
) -> Result<Outcome, FlowError> {
    let channel_state = mapped.channel_state.or_default();
    if channel_state == ChannelState::Draft {
        return Ok(passed_over(Disposition::Ignored, "a draft is no order yet"));
    }
    let missing = missing(&mapped);
    if !missing.is_empty() {
        return incomplete(ctx, &mapped, meta, missing);
    }
    let reads_details = wants_details(&mapped, meta);
    let drift = drift(ctx, &mapped);
    let revision_at = revision::moment(&mapped, meta);
    let facts = merge::merge(None, mapped)?;
    let about = About {
        source: meta.source,
        received_at: meta.received_at,
        revision_at,
        payload_ref: Some(meta.inbox_id),
        mapping_version: Some(meta.mapping_version.to_owned()),
    };
    let mut draft = Draft::new(ctx, new_state(ctx, facts, about));
    check_totals(&mut draft)?;
    draft.problems.extend(drift);
    if reads_details {
        ask_for_details(&mut draft);
    }
    draft.finish()
}

/// A notice about an order that is not known: a cancellation is nothing to do, a hint makes us read
/// the order, anything else is a broken contract.
fn incomplete(
    ctx: &FlowContext<'_>,
    mapped: &MappedOrder,
    meta: &RecordMeta<'_>,
    missing: Vec<String>,
) -> Result<Outcome, FlowError> {
    if mapped.channel_state.or_default() == ChannelState::Cancelled {
        let reason = "a cancellation of an order that was never received";
        return Ok(passed_over(Disposition::Ignored, reason));
    }
    match mapped.external_id.text() {
        Some(external_id) if wants_details(mapped, meta) => {
            let reason = "only a hint: the order is read from the channel";
            let mut outcome = passed_over(Disposition::Ignored, reason);
            outcome.jobs.push(jobs::orders_get(ctx, None, external_id));
            Ok(outcome)
        }
        _ => Err(FlowError::BrokenContract { missing }),
    }
}

/// Where a new order comes from.
pub(super) struct About {
    pub source: Source,
    pub received_at: Timestamp,
    pub revision_at: Timestamp,
    pub payload_ref: Option<InboxId>,
    pub mapping_version: Option<String>,
}

/// A new order, nothing decided yet.
pub(super) fn new_state(ctx: &FlowContext<'_>, facts: OrderFacts, about: About) -> OrderState {
    let meta = OrderMeta {
        id: OrderId::new(),
        merchant_id: ctx.connection.merchant_id,
        connection_id: ctx.connection.id,
        source: about.source,
        received_at: about.received_at,
        updated_at: ctx.now,
        status: OrderStatus::Open,
        overrides: Vec::new(),
        holds: Vec::new(),
        payload_ref: about.payload_ref,
        mapping_version: about.mapping_version,
        version: 1,
        revision_at: about.revision_at,
        closed_reason: None,
        duplicate_of: None,
        answer: None,
        erased_at: None,
        released: false,
    };
    OrderState {
        order: Order { meta, facts },
        fulfillment_orders: Vec::new(),
        shipments: Vec::new(),
        tracking: Vec::new(),
        cod: Vec::new(),
        lock: 0,
    }
}

fn known(
    ctx: &FlowContext<'_>,
    state: OrderState,
    mut mapped: MappedOrder,
    meta: &RecordMeta<'_>,
) -> Result<Outcome, FlowError> {
    if state.order.meta.erased_at.is_some() {
        return Ok(passed_over(
            Disposition::Ignored,
            "the order has ended and its personal data is not kept any more",
        ));
    }
    let newest = state.order.meta.payload_ref == Some(meta.inbox_id);
    let age = revision::compare(&state.order, &mapped, meta);
    let again = meta.remap && newest;
    if meta.remap && !newest && age != Ordering::Greater {
        return Ok(passed_over(
            Disposition::Stale,
            "a newer record of this order counts",
        ));
    }
    if age == Ordering::Less && !again {
        return Ok(passed_over(Disposition::Stale, "older than what is known"));
    }
    let equal = age == Ordering::Equal || again;
    let details = soften(&state.order.facts, &mut mapped, equal);
    let reads_details = details && wants_details(&mapped, meta);
    let drift = drift(ctx, &mapped);
    if mapped.channel_state.value() == Some(&ChannelState::Unknown) {
        // What our side does stays; the channel's own word is kept in channel_status.
        mapped.channel_state = Field::Absent;
    }
    let revision_at = revision::moment(&mapped, meta);
    let base = channel_facts(&state.order)?;
    let (newer, reread) = newer_facts(&base, mapped)?;
    let keys = newer.content_changes(&base);
    if keys.is_empty() {
        return Ok(unchanged(state, newer, age, revision_at, meta, drift));
    }
    let mut draft = Draft::over(ctx, state);
    take_over(&mut draft, newer, &base, &keys)?;
    let order_meta = &mut draft.state.order.meta;
    order_meta.revision_at = revision_at.max(order_meta.revision_at);
    order_meta.payload_ref = Some(meta.inbox_id);
    order_meta.mapping_version = Some(meta.mapping_version.to_owned());
    check_totals(&mut draft)?;
    draft.problems.extend(drift);
    let unsure = equal && !again && !meta.fetched;
    if unsure || reads_details || (reread && !meta.fetched) {
        ask_for_details(&mut draft);
    }
    draft.finish()
}

/// What a revision that hides details may change: not lines, charges and totals. Details of the
/// very same revision that were read before are not missing. True when they are.
fn soften(stored: &OrderFacts, mapped: &mut MappedOrder, equal: bool) -> bool {
    if !mapped.details_missing.or_default() {
        if mapped.lines.is_absent() {
            // A shape without lines cannot tell that their details are known.
            mapped.details_missing = Field::Absent;
        }
        return false;
    }
    mapped.lines = Field::Absent;
    mapped.charges = Field::Absent;
    mapped.totals = Field::Absent;
    if equal && !stored.details_missing.or_default() {
        mapped.details_missing = Field::Absent;
        return false;
    }
    true
}

fn wants_details(mapped: &MappedOrder, meta: &RecordMeta<'_>) -> bool {
    mapped.details_missing.or_default() && !meta.fetched
}

fn ask_for_details(draft: &mut Draft<'_>) {
    let order = &draft.state.order;
    let job = jobs::orders_get(&draft.ctx, Some(order.meta.id), jobs::external_id(order));
    draft.enqueue(job);
}

/// The stored facts without the operator's corrections.
fn channel_facts(order: &Order) -> Result<OrderFacts, FlowError> {
    let mut base = overrides::restore(&order.facts, &order.meta.overrides)?;
    if overrides::any(&order.meta.overrides) {
        totals::complete(&mut base)?;
    }
    Ok(base)
}

/// The newer facts over the stored ones. The second: lines must be read anew, because an order that
/// was cancelled as a whole came back in a shape without lines.
fn newer_facts(base: &OrderFacts, mapped: MappedOrder) -> Result<(OrderFacts, bool), FlowError> {
    let told_lines = !mapped.lines.is_absent();
    let mut newer = merge::merge(Some(base), mapped)?;
    let (was, is) = (base.channel_state(), newer.channel_state());
    let cancelled = ChannelState::Cancelled;
    let reread = was == cancelled && is != cancelled && !told_lines;
    if reread {
        newer.details_missing = Field::Value(true);
    }
    totals::complete(&mut newer)?;
    Ok((newer, reread))
}

/// Nothing new: only which revision is the newest is kept, without a version or an event.
fn unchanged(
    mut state: OrderState,
    newer: OrderFacts,
    age: Ordering,
    revision_at: Timestamp,
    meta: &RecordMeta<'_>,
    drift: Option<NewProblem>,
) -> Outcome {
    let mut outcome = passed_over(Disposition::Unchanged, "says what is known already");
    outcome.problems.extend(drift);
    if age == Ordering::Greater {
        let order = &mut state.order;
        order.facts.source_updated_at = newer.source_updated_at;
        order.facts.source_revision = newer.source_revision;
        order.meta.revision_at = revision_at.max(order.meta.revision_at);
        order.meta.payload_ref = Some(meta.inbox_id);
        outcome.state = Some(state);
    }
    outcome
}

/// Lays the corrections over the newer facts and notes what that changes.
fn take_over(
    draft: &mut Draft<'_>,
    newer: OrderFacts,
    base: &OrderFacts,
    keys: &[&str],
) -> Result<(), FlowError> {
    let told: Vec<&str> = keys
        .iter()
        .copied()
        .filter(|key| *key != "details_missing")
        .collect();
    draft.notes.changed = paths::changed(&newer, base, &told);
    draft.notes.reconsider = true;
    draft.notes.quiet = echo(draft, &newer, &told);
    let meta = &mut draft.state.order.meta;
    let conflicts = overrides::rebase(&mut meta.overrides, &newer)?;
    draft.state.order.facts = overrides::apply(newer, &draft.state.order.meta.overrides)?;
    for path in conflicts {
        conflict(draft, &path);
    }
    operator::drop_settled_conflicts(draft);
    Ok(())
}

/// True when only what we pushed ourselves comes back: the channel's status after our shipment,
/// or the whole of an order that we cancelled there.
fn echo(draft: &Draft<'_>, newer: &OrderFacts, keys: &[&str]) -> bool {
    let status_only = keys
        .iter()
        .all(|key| matches!(*key, "channel_state" | "channel_status" | "attributes"));
    let order = &draft.state.order;
    let shipped = draft
        .state
        .shipments
        .iter()
        .any(|shipment| fulfillment::counts(shipment) || fulfillment::issued(order, shipment));
    let told = |state| newer.channel_state() == state;
    let of_shipment = status_only
        && shipped
        && (told(ChannelState::Fulfilled) || told(ChannelState::PartiallyFulfilled));
    let meta = &draft.state.order.meta;
    let of_cancel = told(ChannelState::Cancelled)
        && meta.status == OrderStatus::Cancelled
        && overrides::is_cancelled(&meta.overrides);
    of_shipment || of_cancel
}
