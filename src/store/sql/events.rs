//! The event log: appended by the writer, rendered for the feed and subscribers.
//!
//! What always holds: the sequence rises by one in commit order, without gaps for readers; objects
//! are put into `data` as the stored text of their version, without being parsed again.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, blob, corrupt, int, micros, uint, word};
use super::conn::Conn;
use super::orders::{look_ahead, snapshot};
use super::reader::Reader;
use super::row::Row;
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use crate::canonical::event::{EventType, NewEvent, SnapshotKind};
use crate::canonical::{EventId, MerchantId, OrderId, Timestamp};
use crate::flow::change::OrderState;
use crate::store::query::{EventPage, RenderedEvent};
use crate::store::{Scope, postgres};
use bytes::Bytes;
use std::io::Write;

const COLUMNS: &str =
    "sequence, id, type, at, merchant_id, order_id, subject, cut_off_at, refs, extra";
/// A page looks at no more events than this when few of them match.
const LOOKED_AT: usize = 20_000;
/// So many at a time.
const LOOK: i64 = 256;

/// An event on its way into the log.
pub(in crate::store) struct SealedEvent {
    id: EventId,
    kind: &'static str,
    at: i64,
    merchant_id: MerchantId,
    order_id: Option<OrderId>,
    subject: String,
    cut_off_at: Option<i64>,
    refs: Vec<u8>,
    extra: String,
}

/// Appends an event when the transaction ends.
pub(in crate::store) fn append(
    ctx: &mut WriteCtx<'_>,
    event: &NewEvent,
    cut_off_at: Option<Timestamp>,
) {
    let mut refs = Vec::with_capacity(25 * event.snapshots.len());
    for of in &event.snapshots {
        refs.extend_from_slice(&SnapshotKey::new(of.kind, of.id, of.version).row());
    }
    let extra = match &event.extra {
        serde_json::Value::Object(_) => event.extra.to_string(),
        _ => "{}".to_owned(),
    };
    ctx.local.events.push(SealedEvent {
        id: event.id,
        kind: word(&event.kind),
        at: micros(event.at),
        merchant_id: event.merchant_id,
        order_id: event.order_id,
        subject: event.subject.clone(),
        cut_off_at: cut_off_at.map(micros),
        refs,
        extra,
    });
    ctx.local.bells.events = true;
}

/// Stamps the events of a transaction and appends them; yields the sequence before the first.
///
/// Nobody else appends from here to the end of the transaction: sequence rises in the order of
/// commits, so that a reader skips nothing.
pub(in crate::store) fn flush(conn: Conn<'_>, events: &[SealedEvent]) -> Result<u64> {
    if events.is_empty() {
        return Ok(0);
    }
    let base = match conn {
        Conn::Sqlite(_) => {
            let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'";
            conn.prepare_cached(last)?
                .query_row(params![], |row| row.get::<i64>(0))?
        }
        Conn::Postgres(_) => postgres::next_sequences(conn, events.len())?,
    };
    let mut insert = conn.prepare_cached(
        "INSERT INTO events (sequence, id, type, at, merchant_id, order_id, subject, cut_off_at,
           refs, extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (sequence, event) in (base.saturating_add(1)..).zip(events) {
        insert.run(params![
            sequence,
            event.id.as_bytes(),
            event.kind,
            event.at,
            event.merchant_id.as_bytes(),
            event.order_id.map(|id| *id.as_bytes()),
            event.subject,
            event.cut_off_at,
            event.refs,
            event.extra,
        ])?;
    }
    Ok(uint(base))
}

/// The earliest cut-off of what the event is about: its fulfillment order's, else its order's.
pub(in crate::store) fn cut_off_of(event: &NewEvent, states: &[OrderState]) -> Option<Timestamp> {
    let order = event.order_id?;
    let state = states.iter().find(|state| state.order.meta.id == order)?;
    let named = |id: uuid::Uuid| {
        event
            .snapshots
            .iter()
            .any(|s| s.kind == SnapshotKind::FulfillmentOrder && s.id == id)
    };
    let parts = &state.fulfillment_orders;
    let own = parts.iter().filter(|part| named(part.id.uuid()));
    own.filter_map(|part| part.cut_off_at)
        .min()
        .or_else(|| parts.iter().filter_map(|part| part.cut_off_at).min())
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        0 => "order",
        1 => "fulfillment_order",
        2 => "shipment",
        3 => "tracking",
        _ => "cod",
    }
}

/// An event as it is stored.
struct Logged {
    sequence: u64,
    id: EventId,
    kind: EventType,
    at: Timestamp,
    merchant_id: MerchantId,
    order_id: Option<OrderId>,
    subject: String,
    cut_off_at: Option<Timestamp>,
    refs: Vec<SnapshotKey>,
    extra: String,
}

impl Logged {
    fn read(row: Row<'_>) -> Result<Self> {
        let refs = row.blob(8)?.chunks(25).map(SnapshotKey::from_row);
        Ok(Self {
            sequence: row.number(0)?,
            id: EventId::from_uuid(row.uuid(1)?),
            kind: row.word(2)?,
            at: row.time(3)?,
            merchant_id: MerchantId::from_uuid(row.uuid(4)?),
            order_id: row.opt_uuid(5)?.map(OrderId::from_uuid),
            subject: row.text(6)?,
            cut_off_at: row.opt_time(7)?,
            refs: refs
                .collect::<Option<_>>()
                .ok_or_else(|| corrupt("an event's refs"))?,
            extra: row.text(9)?,
        })
    }
}

/// One event as JSON, with the objects that it refers to.
fn render(reader: &Reader<'_>, event: Logged) -> Result<RenderedEvent> {
    let Logged {
        sequence,
        id,
        kind,
        at,
        merchant_id,
        order_id,
        subject,
        cut_off_at,
        refs,
        extra,
    } = event;
    let mut out = Vec::with_capacity(4096);
    let io = |_| corrupt("an event could not be rendered");
    write!(
        out,
        "{{\"id\":\"{id}\",\"sequence\":{sequence},\"type\":\"{}\",\"timestamp\":\"{at}\",\
         \"merchant_id\":\"{merchant_id}\",\"data\":{{",
        word(&kind)
    )
    .map_err(io)?;
    let mut first = true;
    let mut with_order = false;
    for key in refs {
        let object = snapshot(reader, key)?;
        let comma = if first { "" } else { "," };
        write!(out, "{comma}\"{}\":", kind_name(key.kind)).map_err(io)?;
        out.extend_from_slice(object.as_deref().unwrap_or(b"null"));
        first = false;
        with_order |= key.kind == 0;
    }
    if let Some(order) = order_id
        && !with_order
        && !extra.contains("\"order_id\"")
    {
        let comma = if first { "" } else { "," };
        write!(out, "{comma}\"order_id\":\"{order}\"").map_err(io)?;
        first = false;
    }
    let inner = extra
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_default();
    if !inner.is_empty() {
        let comma = if first { "" } else { "," };
        write!(out, "{comma}{inner}").map_err(io)?;
    }
    out.extend_from_slice(b"}}");
    Ok(RenderedEvent {
        id,
        sequence,
        kind,
        at,
        merchant_id,
        order_id,
        ordering_key: order_id.map_or(subject, |order| order.to_string()),
        cut_off_at,
        json: Bytes::from(out),
    })
}

fn last(reader: &Reader<'_>) -> Result<u64> {
    let last: Option<i64> = reader
        .conn
        .prepare_cached("SELECT max(sequence) FROM events")?
        .query_row([], |row| row.get(0))?;
    Ok(uint(last.unwrap_or(0)))
}

fn page(
    reader: &Reader<'_>,
    scope: Scope,
    after: u64,
    limit: usize,
    types: &[&'static str],
) -> Result<EventPage> {
    let of = match scope {
        Scope::All => "",
        Scope::Merchant(_) => "merchant_id = ?3 AND ",
    };
    let sql =
        format!("SELECT {COLUMNS} FROM events WHERE {of}sequence > ?1 ORDER BY sequence LIMIT ?2");
    let mut query = reader.conn.prepare_cached(&sql)?;
    let (mut data, mut looked_at, mut next) = (Vec::new(), 0usize, after);
    while data.len() < limit && looked_at < LOOKED_AT {
        let mut args = vec![Value::Integer(int(next)), Value::Integer(LOOK)];
        if let Scope::Merchant(id) = scope {
            args.push(blob(id.uuid()));
        }
        let mut rows = query.query(params_from_iter(&args))?;
        let (mut found, mut matching) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            found += 1;
            looked_at += 1;
            next = row.number(0)?;
            if types.is_empty() || types.contains(&row.str(2)?) {
                matching.push(Logged::read(row)?);
            }
            if data.len() + matching.len() >= limit {
                break;
            }
        }
        let objects = matching.iter().flat_map(|event| event.refs.iter().copied());
        look_ahead(reader, objects.collect())?;
        for event in matching {
            data.push(render(reader, event)?);
        }
        if data.len() < limit && found < LOOK {
            // All there is was looked at, also what is other merchants'.
            next = next.max(last(reader)?);
            break;
        }
    }
    Ok(EventPage { data, next })
}

impl SqlStore {
    pub(in crate::store) async fn events(
        &self,
        scope: Scope,
        after: u64,
        limit: usize,
        types: &[EventType],
    ) -> Result<EventPage> {
        let types: Vec<&'static str> = types.iter().map(word).collect();
        let limit = limit.max(1);
        self.read(move |reader| page(reader, scope, after, limit, &types))
            .await
    }

    pub(in crate::store) async fn last_sequence(&self) -> Result<u64> {
        self.read(last).await
    }

    pub(in crate::store) async fn event(
        &self,
        scope: Scope,
        id: EventId,
    ) -> Result<Option<RenderedEvent>> {
        self.read(move |reader| {
            let sql = format!("SELECT {COLUMNS} FROM events WHERE id = ?");
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params![id.as_bytes()])?;
            let found = rows.next()?.map(Logged::read).transpose()?;
            let found = found.map(|event| render(reader, event)).transpose()?;
            Ok(found.filter(|event| scope.sees(event.merchant_id)))
        })
        .await
    }
}

/// An event of an order, for timelines.
pub(in crate::store) struct Happened {
    pub id: EventId,
    pub sequence: u64,
    pub kind: EventType,
    pub at: Timestamp,
    /// The objects in it.
    pub about: Vec<SnapshotKey>,
}

/// An order's events, without opening anything.
pub(in crate::store) fn of_order(reader: &Reader<'_>, order: OrderId) -> Result<Vec<Happened>> {
    let mut query = reader.conn.prepare_cached(
        "SELECT id, sequence, type, at, refs FROM events WHERE order_id = ? ORDER BY sequence",
    )?;
    let mut rows = query.query(params![order.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let refs = row.blob(4)?;
        found.push(Happened {
            id: EventId::from_uuid(row.uuid(0)?),
            sequence: row.number(1)?,
            kind: row.word(2)?,
            at: row.time(3)?,
            about: refs.chunks(25).filter_map(SnapshotKey::from_row).collect(),
        });
    }
    Ok(found)
}
