//! Lists of orders and fulfillment orders, as the stored JSON of each.
//!
//! What always holds: a list is filtered and paged on index columns; only what is shown is opened.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{
    Columns, Filter, NO_CUT_OFF, Result, bad_cursor, blob, cursor_id, cursor_of, int, limit_of,
    micros, word,
};
use super::orders::snapshot;
use super::reader::Reader;
use super::seal::{WorkColumns, contact_hash};
use super::value::{Value, params_from_iter};
use crate::canonical::event::SnapshotKind;
use crate::store::Scope;
use crate::store::query::{Awaiting, FulfillmentFilter, OrderFilter, Page, PageRequest};
use bytes::Bytes;
use uuid::Uuid;

impl SqlStore {
    pub(in crate::store) async fn orders(
        &self,
        scope: Scope,
        filter: OrderFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>> {
        self.read(move |reader| {
            let conditions = order_conditions(reader, scope, filter);
            newest_first(reader, "orders", SnapshotKind::Order, conditions, &page)
        })
        .await
    }

    pub(in crate::store) async fn fulfillment_orders(
        &self,
        scope: Scope,
        filter: FulfillmentFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>> {
        self.read(move |reader| {
            let by_cut_off = filter.by_cut_off;
            let mut conditions = work_conditions(scope, filter);
            if let Some(after) = page.after.as_deref() {
                let (cut_off, id) = work_cursor(after)?;
                if by_cut_off {
                    conditions.raw("(cut_off_at, id) > (?, ?)");
                    conditions.args.push(Value::Integer(cut_off));
                    conditions.args.push(blob(id));
                } else {
                    conditions.and("id > ?", blob(id));
                }
            }
            let limit = limit_of(page.limit);
            conditions.args.push(Value::Integer(int(limit as u64)));
            let order = if by_cut_off { "cut_off_at, id" } else { "id" };
            let sql = format!(
                "SELECT id, version, cut_off_at FROM fulfillment_orders{} ORDER BY {order} LIMIT ?",
                conditions.sql()
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(&conditions.args))?;
            let mut data = Vec::new();
            let (mut last, mut seen) = (None, 0usize);
            while let Some(row) = rows.next()? {
                let (id, cut_off) = (row.uuid(0)?, row.get::<i64>(2)?);
                seen += 1;
                last = Some(format!("{cut_off}.{}", cursor_of(id)));
                let key = SnapshotKey::new(SnapshotKind::FulfillmentOrder, id, row.number(1)?);
                data.extend(snapshot(reader, key)?);
            }
            let next = last.filter(|_| seen == limit);
            Ok(Page { data, next })
        })
        .await
    }
}

/// A page of objects by falling id, as the stored JSON of each; `conditions` has all but the page.
pub(in crate::store) fn newest_first(
    reader: &Reader<'_>,
    table: &str,
    kind: SnapshotKind,
    mut conditions: Filter,
    page: &PageRequest,
) -> Result<Page<Bytes>> {
    if let Some(after) = cursor_id(page.after.as_deref())? {
        conditions.and("id < ?", blob(after));
    }
    let limit = limit_of(page.limit);
    conditions.args.push(Value::Integer(int(limit as u64)));
    let sql = format!(
        "SELECT id, version FROM {table}{} ORDER BY id DESC LIMIT ?",
        conditions.sql()
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&conditions.args))?;
    let mut data = Vec::new();
    let (mut last, mut seen) = (None, 0usize);
    while let Some(row) = rows.next()? {
        let id = row.uuid(0)?;
        seen += 1;
        last = Some(cursor_of(id));
        // What was erased is not shown.
        data.extend(snapshot(
            reader,
            SnapshotKey::new(kind, id, row.number(1)?),
        )?);
    }
    let next = last.filter(|_| seen == limit);
    Ok(Page { data, next })
}

fn order_conditions(reader: &Reader<'_>, scope: Scope, filter: OrderFilter) -> Filter {
    let mut conditions = Filter::seen_by(scope, filter.merchant_id);
    if let Some(connection) = filter.connection_id {
        conditions.and("connection_id = ?", blob(connection.uuid()));
    }
    if let Some(status) = filter.status {
        conditions.and("status = ?", word(&status).to_owned());
    }
    if let Some(external_id) = filter.external_id {
        conditions.and("external_id = ?", external_id);
    }
    if filter.awaiting_answer || filter.answer_until.is_some() {
        conditions.raw("answer_by IS NOT NULL");
    }
    if let Some(until) = filter.answer_until {
        conditions.and("answer_by <= ?", micros(until));
    }
    if let Some(q) = filter
        .q
        .map(|q| q.trim().to_owned())
        .filter(|q| !q.is_empty())
    {
        let end = format!("{q}\u{10FFFF}");
        conditions.raw(
            "id IN (SELECT id FROM orders WHERE number >= ? AND number < ?
                    UNION SELECT id FROM orders WHERE external_id >= ? AND external_id < ?
                    UNION SELECT id FROM orders WHERE email = ?
                    UNION SELECT id FROM orders WHERE phone = ?)",
        );
        let hash = contact_hash(reader.shared, &q).map_or(Value::Null, Value::Integer);
        let texts = [q.clone(), end.clone(), q, end];
        conditions.args.extend(texts.into_iter().map(Value::Text));
        conditions.args.extend([hash.clone(), hash]);
    }
    conditions
}

fn work_conditions(scope: Scope, filter: FulfillmentFilter) -> Filter {
    let mut conditions = Filter::seen_by(scope, filter.merchant_id);
    if let Some(order) = filter.order_id {
        conditions.and("order_id = ?", blob(order.uuid()));
    }
    if let Some(status) = filter.status {
        conditions.and("status = ?", word(&status).to_owned());
        if WorkColumns::is_active(status) {
            // What is done is by far the most: the index of the rest is enough to look at.
            conditions.raw("active = 1");
        }
    }
    if let Some(location) = filter.location {
        conditions.and("location = ?", location);
    }
    if let Some(after) = filter.updated_after {
        conditions.and("updated_at > ?", micros(after));
    }
    if !filter.awaiting.is_empty() {
        let any: Vec<&str> = filter
            .awaiting
            .iter()
            .map(|awaiting| match awaiting {
                Awaiting::Accept => "status = 'submitted'",
                Awaiting::Ship => "(status IN ('in_progress', 'incomplete') AND remaining = 1)",
                Awaiting::Answer => "request_pending = 1",
            })
            .collect();
        conditions.raw("active = 1");
        conditions.raw(&format!("({})", any.join(" OR ")));
    }
    conditions
}

/// `cut_off.id`
fn work_cursor(after: &str) -> Result<(i64, Uuid)> {
    let (cut_off, id) = after.split_once('.').ok_or_else(bad_cursor)?;
    let cut_off = cut_off.parse().unwrap_or(NO_CUT_OFF);
    Ok((cut_off, Uuid::try_parse(id).map_err(|_| bad_cursor())?))
}
