//! Orders that people or programs give us directly (`POST /v1/orders`).
//!
//! What always holds: the same rules as for a channel's orders; what only a channel can know
//! (its id, its clock) is filled in by us.

use super::change::{OrderState, Outcome};
use super::draft::Draft;
use super::error::FlowError;
use super::findings::check_totals;
use super::intake::{About, missing, new_state};
use super::{FlowContext, merge, totals};
use crate::canonical::order::{ChannelState, Source, Totals};
use crate::canonical::{Field, MappedOrder, OrderId};
use serde_json::json;

/// Creates an order. Without `external_id` it gets one of ours, without `placed_at` it is placed
/// now, without `totals.total` the total is the sum of lines and charges.
///
/// # Errors
/// [`FlowError::Invalid`] with the fields that are missing or wrong.
pub fn create(
    ctx: &FlowContext<'_>,
    mut new: MappedOrder,
    source: Source,
    actor: &str,
) -> Result<(OrderState, Outcome), FlowError> {
    fill(ctx, &mut new)?;
    let fields: Vec<String> = missing(&new);
    if !fields.is_empty() {
        return Err(FlowError::Invalid {
            fields: fields
                .into_iter()
                .map(|path| (path, "is required".to_owned()))
                .collect(),
        });
    }
    let facts = merge::merge(None, new).map_err(as_input)?;
    let about = About {
        source,
        received_at: ctx.now,
        revision_at: ctx.now,
        payload_ref: None,
        mapping_version: None,
    };
    let mut draft = Draft::new(ctx, new_state(ctx, facts, about));
    draft
        .notes
        .updated
        .insert("created_by".to_owned(), json!(actor));
    check_totals(&mut draft).map_err(as_input)?;
    let outcome = draft.finish()?;
    let state = outcome
        .state
        .clone()
        .ok_or_else(|| FlowError::Corrupt("a new order without state".to_owned()))?;
    Ok((state, outcome))
}

/// What a record would make a broken contract is a wrong input here.
fn as_input(error: FlowError) -> FlowError {
    match error {
        FlowError::BrokenContract { .. } => FlowError::Invalid {
            fields: error
                .fields()
                .into_keys()
                .map(|path| (path, "is required".to_owned()))
                .collect(),
        },
        FlowError::Money(error) => FlowError::invalid("totals", error.to_string()),
        other => other,
    }
}

fn fill(ctx: &FlowContext<'_>, new: &mut MappedOrder) -> Result<(), FlowError> {
    if new.external_id.value().is_none() {
        new.external_id = Field::Value(OrderId::new().to_string());
    }
    if new.placed_at.value().is_none() {
        new.placed_at = Field::Value(ctx.now);
    }
    if new.channel_state.value().is_none() {
        new.channel_state = Field::Value(ChannelState::Open);
    }
    if new.charges.is_absent() {
        new.charges = Field::Value(Vec::new());
    }
    let stated = new.totals.value().and_then(|totals| totals.total.value());
    if stated.is_none() && new.currency.value().is_some() && new.lines.value().is_some() {
        new.totals = Field::Value(sums(new)?);
    }
    Ok(())
}

/// The totals as lines and charges give them.
fn sums(new: &MappedOrder) -> Result<Totals, FlowError> {
    let mut facts: crate::canonical::OrderFacts = new.clone().into();
    facts.totals = Field::Value(new.totals.or_default());
    totals::complete(&mut facts).map_err(|error| FlowError::invalid("lines", error.to_string()))?;
    let mut totals = facts.totals.or_default();
    if let (Some(items), Some(charges)) = (totals.items.value(), totals.charges.value()) {
        let total = items
            .add(*charges)
            .map_err(|error| FlowError::invalid("totals", error.to_string()))?;
        totals.total = Field::Value(total);
    }
    Ok(totals)
}
