//! The raw material of an order's timeline.
//!
//! What always holds: ids, codes and words only, never personal data; oldest first.

use super::SqliteStore;
use super::codec::{Columns, Result, blob};
use super::reader::Reader;
use super::{egress, events, inbox_lists, jobs, orders, problems};
use crate::canonical::{JobId, OrderId};
use crate::store::Scope;
use crate::store::query::TimelineEntry;
use rusqlite::params;
use serde_json::{Value, json};

fn entry(
    at: crate::canonical::Timestamp,
    kind: &str,
    text: String,
    detail: Value,
) -> TimelineEntry {
    TimelineEntry {
        at,
        kind: kind.to_owned(),
        text,
        detail,
    }
}

impl SqliteStore {
    pub(super) async fn timeline(&self, scope: Scope, id: OrderId) -> Result<Vec<TimelineEntry>> {
        self.read(move |reader| {
            if orders::load(reader, scope, id)?.is_none() {
                return Ok(Vec::new());
            }
            let mut all = records(reader, id)?;
            all.extend(happened(reader, id)?);
            all.extend(work(reader, id)?);
            all.extend(people(reader, id)?);
            all.sort_by_key(|entry| entry.at);
            Ok(all)
        })
        .await
    }
}

fn records(reader: &Reader<'_>, id: OrderId) -> Result<Vec<TimelineEntry>> {
    let args = vec![rusqlite::types::Value::Text(id.to_string())];
    let found = inbox_lists::records(reader, "WHERE subject = ? ORDER BY id", args)?;
    Ok(found
        .into_iter()
        .map(|record| {
            let source = super::codec::word(&record.source);
            entry(
                record.received_at,
                "received",
                format!(
                    "{} by {source} {}",
                    record.disposition.as_str(),
                    record.topic
                ),
                json!({
                    "record_id": record.id, "disposition": record.disposition,
                    "reason": record.reason, "mapping_version": record.mapping_version,
                    "decided_at": record.decided_at,
                }),
            )
        })
        .collect())
}

fn happened(reader: &Reader<'_>, id: OrderId) -> Result<Vec<TimelineEntry>> {
    let mut all = Vec::new();
    for (event, sequence, kind, at) in events::of_order(reader, id)? {
        let detail = json!({ "event_id": event, "sequence": sequence });
        all.push(entry(at, "event", kind.as_str(), detail));
    }
    for problem in problems::of_subject(reader, &id.to_string())? {
        let detail = json!({
            "problem_id": problem.id, "class": problem.class, "code": problem.code,
            "status": problem.status, "count": problem.count, "resolved_at": problem.resolved_at,
        });
        all.push(entry(
            problem.first_seen_at,
            "problem",
            problem.message,
            detail,
        ));
    }
    for delivery in egress::of_ordering_key(reader, &id.to_string())? {
        let state = super::codec::word(&delivery.state);
        let detail = json!({
            "delivery_id": delivery.id, "event_id": delivery.event_id,
            "subscription_id": delivery.subscription_id, "attempts": delivery.attempts,
            "next_at": delivery.next_at, "last_status": delivery.last_status,
            "last_error": delivery.last_error,
        });
        let text = format!("delivery of event {} is {state}", delivery.event_id);
        all.push(entry(delivery.first_at, "delivery", text, detail));
    }
    Ok(all)
}

fn work(reader: &Reader<'_>, id: OrderId) -> Result<Vec<TimelineEntry>> {
    let mut query = reader.conn.prepare_cached(
        "SELECT id, kind, state, attempts, created_at, done_at, problem_id FROM jobs
         WHERE order_id = ? ORDER BY id",
    )?;
    let mut rows = query.query(params![blob(id.uuid())])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let job = JobId::from_uuid(row.uuid(0)?);
        let (kind, state) = (row.text(1)?, row.text(2)?);
        let problem = row.opt_uuid(6)?.map(crate::canonical::ProblemId::from_uuid);
        let detail = json!({
            "job_id": job, "state": state, "attempts": row.number(3)?,
            "done_at": row.opt_time(5)?, "problem_id": problem,
        });
        all.push(entry(
            row.time(4)?,
            "job",
            format!("{kind}: {state}"),
            detail,
        ));
        for attempt in jobs::attempts_of(reader, job)? {
            let outcome = match (attempt.class, attempt.status) {
                (Some(class), _) => class.as_str().to_owned(),
                (None, Some(status)) => format!("answered {status}"),
                (None, None) => "under way".to_owned(),
            };
            let text = format!("{kind}, attempt {}: {outcome}", attempt.n);
            let detail = json!({
                "job_id": job, "attempt_id": attempt.id, "step": attempt.step,
                "sent_at": attempt.sent_at, "class": attempt.class, "reason": attempt.reason,
                "status": attempt.status, "duration_ms": attempt.duration_ms,
                "next_at": attempt.next_at,
            });
            all.push(entry(attempt.started_at, "attempt", text, detail));
        }
    }
    Ok(all)
}

fn people(reader: &Reader<'_>, id: OrderId) -> Result<Vec<TimelineEntry>> {
    let mut query = reader.conn.prepare_cached(
        "SELECT at, actor, action, detail, id FROM audit WHERE subject = ? ORDER BY id",
    )?;
    let mut rows = query.query(params![id.to_string()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let detail: Value = super::codec::from_json(row.text(3)?.as_bytes())?;
        let audit = crate::canonical::AuditId::from_uuid(row.uuid(4)?);
        let text = format!("{} by {}", row.text(2)?, row.text(1)?);
        let detail = json!({ "audit_id": audit, "detail": detail });
        all.push(entry(row.time(0)?, "audit", text, detail));
    }
    Ok(all)
}
