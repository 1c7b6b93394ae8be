//! What intake finds wrong and reports: amounts, contradicted corrections, unknown statuses.
//!
//! What always holds: a finding never stops an order from being stored; texts name fields and
//! codes, no personal data.

use super::change::{NewProblem, ResolveProblems};
use super::draft::Draft;
use super::error::FlowError;
use super::operator::CONFLICT;
use super::rules::holds;
use super::{FlowContext, totals};
use crate::canonical::hold::{Clears, Hold, HoldReason};
use crate::canonical::order::ChannelState;
use crate::canonical::problem::Class;
use crate::canonical::{HoldId, MappedOrder, ProblemId};
use serde_json::json;

/// The channel changed what an operator corrected: someone chooses, and nothing leaves before.
pub(super) fn conflict(draft: &mut Draft<'_>, path: &str) {
    let now = draft.now();
    let meta = &mut draft.state.order.meta;
    let there = meta
        .holds
        .iter()
        .any(|hold| hold.reason == HoldReason::Conflict && hold.detail.as_deref() == Some(path));
    if !there {
        meta.holds.push(Hold {
            id: HoldId::new(),
            reason: HoldReason::Conflict,
            detail: Some(path.to_owned()),
            placed_by: holds::GATEWAY.to_owned(),
            placed_at: now,
            clears: Clears::Person,
            proposals: Vec::new(),
        });
    }
    draft.problems.push(NewProblem {
        id: ProblemId::new(),
        class: Class::Conflict,
        code: CONFLICT.to_owned(),
        subject: meta.id.to_string(),
        connection_id: Some(meta.connection_id),
        message: format!("the channel changed {path}, which an operator had corrected"),
        detail: json!({ "path": path }),
        hint: Some("choose whose value counts".to_owned()),
    });
}

/// Computes our sums and reports what does not add up, once for as long as it lasts.
pub(super) fn check_totals(draft: &mut Draft<'_>) -> Result<(), FlowError> {
    const CODE: &str = "totals_mismatch";
    let mut found = totals::complete(&mut draft.state.order.facts)?;
    if draft.state.order.facts.details_missing.or_default() {
        // What is not read yet cannot add up.
        found.clear();
    }
    let meta = &draft.state.order.meta;
    let subject = meta.id.to_string();
    let before = match &draft.before {
        Some(before) => totals::complete(&mut before.order.facts.clone())?,
        None => Vec::new(),
    };
    if found.is_empty() && !before.is_empty() {
        draft.resolve.push(ResolveProblems {
            subject,
            code: Some(CODE.to_owned()),
        });
    } else if found != before {
        let differences: Vec<_> = found
            .iter()
            .map(|mismatch| json!({ "of": mismatch.compared, "difference": mismatch.difference }))
            .collect();
        draft.problems.push(NewProblem {
            id: ProblemId::new(),
            class: Class::TotalsMismatch,
            code: CODE.to_owned(),
            subject,
            connection_id: Some(meta.connection_id),
            message: "lines and charges do not add up to what the channel states".to_owned(),
            detail: json!({ "differences": differences }),
            hint: None,
        });
    }
    Ok(())
}

/// A status that the connector's table does not know: work goes on, and it is counted.
pub(super) fn drift(ctx: &FlowContext<'_>, mapped: &MappedOrder) -> Option<NewProblem> {
    if mapped.channel_state.value() != Some(&ChannelState::Unknown) {
        return None;
    }
    let raw = mapped.channel_status.text().unwrap_or("(none)");
    Some(NewProblem {
        id: ProblemId::new(),
        class: Class::Drift,
        code: "unknown_channel_state".to_owned(),
        subject: format!("channel_status:{raw}"),
        connection_id: Some(ctx.connection.id),
        message: "the channel uses a status that the connector does not know".to_owned(),
        detail: json!({ "channel_status": raw }),
        hint: Some("add it to the connector's table of statuses".to_owned()),
    })
}
