//! Problems: opened once, counted while open, resolved when their cause is gone.
//!
//! What always holds: one merchant has at most one open problem of a class, code and subject; its
//! opening and its end are events.

use super::SqlStore;
use super::codec::{
    Columns, Filter, Result, blob, cursor_id, cursor_of, from_json, int, limit_of, micros,
};
use super::conn::OptionalExtension;
use super::inbox_lists;
use super::row::Row;
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use crate::canonical::event::{EventType, NewEvent};
use crate::canonical::inbox::InboxRecord;
use crate::canonical::problem::{Class, Problem, ProblemStatus};
use crate::canonical::{ConnectionId, EventId, MerchantId, OrderId, ProblemId, Timestamp};
use crate::flow::change::{NewProblem, ResolveProblems};
use crate::store::Scope;
use crate::store::query::{Page, PageRequest, ProblemFilter};
use serde_json::json;

const COLUMNS: &str = "id, merchant_id, class, code, subject, connection_id, first_seen_at, \
    last_seen_at, count, message, detail, hint, status, resolved_at";

/// What opening problems came to.
#[derive(Default)]
pub(in crate::store) struct Opened {
    /// The id as given, and the id of the problem that stands for it.
    ids: Vec<(ProblemId, ProblemId)>,
    /// To be appended.
    pub events: Vec<NewEvent>,
}

impl Opened {
    /// The problem that stands for a given id: the one that was open already, when there was one.
    pub(in crate::store) fn stored(&self, id: ProblemId) -> ProblemId {
        let found = self.ids.iter().find(|(given, _)| *given == id);
        found.map_or(id, |(_, stored)| *stored)
    }
    /// The first one.
    pub(in crate::store) fn first(&self) -> Option<ProblemId> {
        self.ids.first().map(|(_, stored)| *stored)
    }
}

/// Opens problems, or counts those that are open already.
pub(in crate::store) fn open_all(
    ctx: &mut WriteCtx<'_>,
    merchant: MerchantId,
    problems: &[NewProblem],
) -> Result<Opened> {
    let mut opened = Opened::default();
    for new in problems {
        let now = ctx.now();
        let open = ctx
            .conn
            .prepare_cached(
                "UPDATE problems SET count = count + 1, last_seen_at = ?, message = ?, detail = ?,
                   hint = ?
                 WHERE merchant_id = ? AND subject = ? AND code = ? AND class = ?
                   AND status = 'open' RETURNING id",
            )?
            .query_row(
                params![
                    micros(now),
                    new.message,
                    new.detail.to_string(),
                    new.hint,
                    merchant.as_bytes(),
                    new.subject,
                    new.code,
                    new.class.as_str(),
                ],
                |row| row.get::<[u8; 16]>(0),
            )
            .optional()?;
        let stored = match open {
            Some(id) => ProblemId::from_uuid(uuid::Uuid::from_bytes(id)),
            None => {
                let problem = insert(ctx, merchant, new, now)?;
                opened
                    .events
                    .push(event_of(EventType::ProblemOpened, &problem, now));
                problem.id
            }
        };
        opened.ids.push((new.id, stored));
    }
    Ok(opened)
}

fn insert(
    ctx: &WriteCtx<'_>,
    merchant: MerchantId,
    new: &NewProblem,
    now: Timestamp,
) -> Result<Problem> {
    let problem = Problem {
        id: new.id,
        merchant_id: merchant,
        class: new.class,
        subject: new.subject.clone(),
        connection_id: new.connection_id,
        first_seen_at: now,
        last_seen_at: now,
        count: 1,
        retryable: new.class.retryable(),
        code: new.code.clone(),
        message: new.message.clone(),
        detail: new.detail.clone(),
        hint: new.hint.clone(),
        status: ProblemStatus::Open,
        resolved_at: None,
    };
    ctx.conn
        .prepare_cached(
            "INSERT INTO problems (id, merchant_id, class, code, subject, connection_id,
               first_seen_at, last_seen_at, count, message, detail, hint, status, resolved_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', NULL)",
        )?
        .execute(params![
            problem.id.as_bytes(),
            merchant.as_bytes(),
            problem.class.as_str(),
            problem.code,
            problem.subject,
            problem.connection_id.map(|id| *id.as_bytes()),
            micros(now),
            micros(now),
            int(problem.count),
            problem.message,
            problem.detail.to_string(),
            problem.hint,
        ])?;
    Ok(problem)
}

fn event_of(kind: EventType, problem: &Problem, at: Timestamp) -> NewEvent {
    NewEvent {
        id: EventId::new(),
        kind,
        at,
        merchant_id: problem.merchant_id,
        order_id: problem.subject.parse::<OrderId>().ok(),
        subject: problem.subject.clone(),
        snapshots: Vec::new(),
        extra: json!({ "problem": problem }),
    }
}

/// Resolves open problems of these subjects; yields the events that tell so.
pub(in crate::store) fn resolve_all(
    ctx: &mut WriteCtx<'_>,
    merchant: MerchantId,
    resolve: &[ResolveProblems],
) -> Result<Vec<NewEvent>> {
    let mut events = Vec::new();
    for what in resolve {
        let now = ctx.now();
        let sql = format!(
            "UPDATE problems SET status = 'resolved', resolved_at = ?
             WHERE merchant_id = ? AND subject = ? AND code = coalesce(?, code)
               AND status = 'open' RETURNING {COLUMNS}"
        );
        let mut update = ctx.conn.prepare_cached(&sql)?;
        let mut rows = update.query(params![
            micros(now),
            merchant.as_bytes(),
            what.subject,
            what.code
        ])?;
        while let Some(row) = rows.next()? {
            events.push(event_of(EventType::ProblemResolved, &read(row)?, now));
        }
    }
    Ok(events)
}

fn read(row: Row<'_>) -> Result<Problem> {
    let class: Class = row.word(2)?;
    Ok(Problem {
        id: ProblemId::from_uuid(row.uuid(0)?),
        merchant_id: MerchantId::from_uuid(row.uuid(1)?),
        class,
        code: row.text(3)?,
        subject: row.text(4)?,
        connection_id: row.opt_uuid(5)?.map(ConnectionId::from_uuid),
        first_seen_at: row.time(6)?,
        last_seen_at: row.time(7)?,
        count: row.number(8)?,
        retryable: class.retryable(),
        message: row.text(9)?,
        detail: from_json(row.text(10)?.as_bytes())?,
        hint: row.opt_text(11)?,
        status: row.word(12)?,
        resolved_at: row.opt_time(13)?,
    })
}

impl SqlStore {
    pub(in crate::store) async fn problems(
        &self,
        scope: Scope,
        filter: ProblemFilter,
        page: PageRequest,
    ) -> Result<Page<Problem>> {
        self.read(move |reader| {
            let mut conditions = Filter::default();
            if let Scope::Merchant(merchant) = scope {
                conditions.and("merchant_id = ?", blob(merchant.uuid()));
            }
            if let Some(status) = filter.status {
                conditions.and("status = ?", super::codec::word(&status).to_owned());
            }
            if let Some(class) = filter.class {
                conditions.and("class = ?", class.as_str().to_owned());
            }
            if let Some(connection) = filter.connection_id {
                conditions.and("connection_id = ?", blob(connection.uuid()));
            }
            if let Some(subject) = filter.subject {
                conditions.and("subject = ?", subject);
            }
            if let Some(after) = cursor_id(page.after.as_deref())? {
                conditions.and("id < ?", blob(after));
            }
            let limit = limit_of(page.limit);
            conditions.args.push(Value::Integer(int(limit as u64)));
            let sql = format!(
                "SELECT {COLUMNS} FROM problems{} ORDER BY id DESC LIMIT ?",
                conditions.sql()
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(&conditions.args))?;
            let mut data = Vec::new();
            while let Some(row) = rows.next()? {
                data.push(read(row)?);
            }
            let next = (data.len() == limit).then(|| data.last().map(|p| cursor_of(p.id.uuid())));
            Ok(Page {
                data,
                next: next.flatten(),
            })
        })
        .await
    }

    pub(in crate::store) async fn problem(
        &self,
        scope: Scope,
        id: ProblemId,
    ) -> Result<Option<Problem>> {
        self.read(move |reader| {
            let sql = format!("SELECT {COLUMNS} FROM problems WHERE id = ?");
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params![id.as_bytes()])?;
            let found = rows.next()?.map(read).transpose()?;
            Ok(found.filter(|problem| scope.sees(problem.merchant_id)))
        })
        .await
    }

    pub(in crate::store) async fn open_problems(&self) -> Result<Vec<(Class, u64)>> {
        self.read(|reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT class, count(*) FROM problems WHERE status = 'open' GROUP BY class",
            )?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((row.word(0)?, row.number(1)?));
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn records_of_problem(
        &self,
        id: ProblemId,
    ) -> Result<Vec<InboxRecord>> {
        self.read(move |reader| {
            inbox_lists::records(
                reader,
                "WHERE problem_id = ? AND disposition = 'problem' ORDER BY id",
                vec![blob(id.uuid())],
            )
        })
        .await
    }
}

/// Problems about a subject, for timelines.
pub(in crate::store) fn of_subject(
    reader: &super::reader::Reader<'_>,
    subject: &str,
) -> Result<Vec<Problem>> {
    let sql = format!("SELECT {COLUMNS} FROM problems WHERE subject = ? ORDER BY id");
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params![subject])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}
