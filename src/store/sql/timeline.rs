//! The raw material of an order's timeline.
//!
//! What always holds: ids, codes, amounts and words only, never personal data; oldest first; nothing
//! is told twice.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, blob, from_json, word};
use super::events::{self, Happened};
use super::reader::Reader;
use super::value::params;
use super::{egress, inbox_lists, jobs, orders, problems, tracking};
use crate::canonical::cod::CodItem;
use crate::canonical::event::{EventType, SnapshotKind};
use crate::canonical::tracking::TrackingEvent;
use crate::canonical::{JobId, OrderId};
use crate::flow::change::OrderState;
use crate::store::Scope;
use crate::store::query::TimelineEntry;
use serde_json::{Value, json};
use std::collections::HashSet;

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

impl SqlStore {
    pub(in crate::store) async fn timeline(
        &self,
        scope: Scope,
        id: OrderId,
    ) -> Result<Vec<TimelineEntry>> {
        self.read(move |reader| {
            let Some(state) = orders::load(reader, scope, id)? else {
                return Ok(Vec::new());
            };
            let mut all = records(reader, id)?;
            let events = events::of_order(reader, id)?;
            all.extend(on_its_way(reader, &state, &events)?);
            all.extend(happened(reader, &state, events)?);
            all.extend(work(reader, id)?);
            all.extend(people(reader, id)?);
            all.sort_by_key(|entry| entry.at);
            Ok(all)
        })
        .await
    }
}

fn records(reader: &Reader<'_>, id: OrderId) -> Result<Vec<TimelineEntry>> {
    let args = vec![id.to_string().into()];
    let found = inbox_lists::records(reader, "WHERE subject = ? ORDER BY id", args)?;
    Ok(found
        .into_iter()
        .map(|record| {
            let source = word(&record.source);
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

fn happened(
    reader: &Reader<'_>,
    state: &OrderState,
    events: Vec<Happened>,
) -> Result<Vec<TimelineEntry>> {
    let id = state.order.meta.id;
    let mut all = Vec::new();
    for event in events {
        let mut detail = json!({ "event_id": event.id, "sequence": event.sequence });
        let about = |told: &&TrackingEvent| event.about.contains(&tracking::key_of(told.id));
        if let (Some(told), Value::Object(detail)) =
            (state.tracking.iter().find(about), &mut detail)
        {
            detail.insert("parcel_id".to_owned(), json!(told.parcel_id));
            detail.insert("status".to_owned(), json!(told.status));
        }
        if let (Some(plan), Value::Object(detail)) = (plan_of(reader, &event)?, &mut detail) {
            detail.insert("carrier_plan".to_owned(), plan);
        }
        all.push(entry(event.at, "event", event.kind.as_str(), detail));
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
        let state = word(&delivery.state);
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

/// By which carrier a part was to go when it went to the warehouse, and why.
fn plan_of(reader: &Reader<'_>, event: &Happened) -> Result<Option<Value>> {
    if event.kind != EventType::FulfillmentSubmitted {
        return Ok(None);
    }
    for key in &event.about {
        let part = SnapshotKey::new(SnapshotKind::FulfillmentOrder, key.id, key.version);
        let Some(json) = orders::snapshot(reader, part)? else {
            continue;
        };
        let part: Value = from_json(&json)?;
        return Ok(part
            .get("carrier_plan")
            .filter(|plan| !plan.is_null())
            .cloned());
    }
    Ok(None)
}

/// What carriers told and what became of the cash, as far as no event of the log tells it: news that
/// moved nothing, cash that is expected or not due.
fn on_its_way(
    reader: &Reader<'_>,
    state: &OrderState,
    events: &[Happened],
) -> Result<Vec<TimelineEntry>> {
    let in_log: HashSet<SnapshotKey> = events.iter().flat_map(|e| e.about.clone()).collect();
    let mut all = Vec::new();
    for told in &state.tracking {
        if !in_log.contains(&tracking::key_of(told.id)) {
            let detail = json!({
                "tracking_id": told.id, "parcel_id": told.parcel_id, "status": told.status,
                "carrier_code": told.carrier_code, "occurred_at": told.occurred_at,
            });
            let text = format!("tracking: {}", word(&told.status));
            all.push(entry(told.received_at, "tracking", text, detail));
        }
    }
    for item in &state.cod {
        for version in 1..=item.version {
            let key = SnapshotKey::new(SnapshotKind::Cod, item.id.uuid(), version);
            if in_log.contains(&key) {
                continue;
            }
            let Some(json) = orders::snapshot(reader, key)? else {
                continue;
            };
            let then: CodItem = from_json(&json)?;
            let detail = json!({
                "cod_id": then.id, "parcel_id": then.parcel_id, "status": then.status,
                "due": then.due, "collected": then.collected,
            });
            let text = format!("cod: {}", word(&then.status));
            all.push(entry(then.updated_at, "cod", text, detail));
        }
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
        let detail: Value = from_json(row.text(3)?.as_bytes())?;
        let audit = crate::canonical::AuditId::from_uuid(row.uuid(4)?);
        let text = format!("{} by {}", row.text(2)?, row.text(1)?);
        let detail = json!({ "audit_id": audit, "detail": detail });
        all.push(entry(row.time(0)?, "audit", text, detail));
    }
    Ok(all)
}
