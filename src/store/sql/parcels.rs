//! Parcels as rows: found by number, asked for when their time comes.
//!
//! What always holds: a number is one shipment's at a carrier account, whoever writes: of the parcels
//! of a shipment that share one, the first holds it, and a unique index lets nobody else hold it; rows
//! follow the shipment that was written last, and only `track_at` is their own.

use super::SqlStore;
use super::codec::{Columns, Result, int, micros, word};
use super::conn::Conn;
use super::orders::{of_connections, snapshot};
use super::reader::Reader;
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use super::{Shared, cache::SnapshotKey, codec::from_json};
use crate::canonical::event::SnapshotKind;
use crate::canonical::shipment::{Parcel, Shipment};
use crate::canonical::{ConnectionId, MerchantId, ParcelId, Timestamp};
use crate::flow::change::OrderState;
use crate::store::StoreError;
use crate::store::query::DueParcel;

/// In `meta` while shipments of a schema without parcels wait for [`read_old`].
const UNREAD: &str = "parcels_unread";

/// Writes the parcels of a shipment; those that it no longer has go.
pub(in crate::store) fn write(conn: Conn<'_>, shipment: &Shipment) -> Result<()> {
    type Known = ([u8; 16], Option<String>, Option<[u8; 16]>, bool);
    let known = conn
        .prepare_cached(
            "SELECT id, tracking_number, connection_id, holds FROM parcels WHERE shipment_id = ?",
        )?
        .query_map(params![shipment.id.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<Vec<Known>>>()?;
    let account = shipment.connection_id.map(|id| *id.as_bytes());
    for (id, number, at, held) in known {
        let now = shipment.parcels.iter().find(|p| *p.id.as_bytes() == id);
        let keeps = now.is_some_and(|parcel| {
            at == account && parcel.tracking_number == number && holds(shipment, parcel)
        });
        if let (Some(number), Some(at)) = (number, at)
            && shipment.former_numbers.contains(&number)
        {
            former(conn, shipment, &number, at)?;
        }
        if now.is_none() {
            conn.prepare_cached("DELETE FROM parcels WHERE id = ?")?
                .run(params![id])?;
        } else if held && !keeps {
            // Let go first: another parcel of the shipment may take it.
            conn.prepare_cached("UPDATE parcels SET holds = 0 WHERE id = ?")?
                .run(params![id])?;
        }
    }
    for parcel in &shipment.parcels {
        put(conn, shipment, parcel)?;
    }
    Ok(())
}

/// Whether a parcel holds its number: it is the first of the shipment that has it. Without an
/// account (the warehouse ships) a number may repeat.
fn holds(shipment: &Shipment, parcel: &Parcel) -> bool {
    let first = shipment
        .parcels
        .iter()
        .find(|other| other.tracking_number == parcel.tracking_number);
    shipment.connection_id.is_some()
        && parcel.tracking_number.is_some()
        && first.is_some_and(|first| first.id == parcel.id)
}

/// A number that the shipment had at this account and has no more: it is still found by it.
fn former(conn: Conn<'_>, shipment: &Shipment, number: &str, account: [u8; 16]) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO former_numbers (tracking_number, connection_id, order_id, merchant_id)
         VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?
    .run(params![
        number,
        account,
        shipment.order_id.as_bytes(),
        shipment.merchant_id.as_bytes()
    ])
}

fn put(conn: Conn<'_>, shipment: &Shipment, parcel: &Parcel) -> Result<()> {
    let account = shipment.connection_id;
    if let (Some(number), Some(account)) = (&parcel.tracking_number, account) {
        not_taken(conn, shipment, parcel.id, number, account)?;
    }
    let since = parcel.tracking.since.or(shipment.purchased_at);
    conn.prepare_cached(&format!(
        "INSERT INTO parcels (id, shipment_id, order_id, merchant_id, connection_id,
           tracking_number, status, since, holds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT ({}) DO UPDATE SET shipment_id = excluded.shipment_id,
           connection_id = excluded.connection_id, tracking_number = excluded.tracking_number,
           status = excluded.status, since = excluded.since, holds = excluded.holds",
        conn.key()
    ))?
    .run(params![
        parcel.id.as_bytes(),
        shipment.id.as_bytes(),
        shipment.order_id.as_bytes(),
        shipment.merchant_id.as_bytes(),
        account.map(|id| *id.as_bytes()),
        parcel.tracking_number,
        word(&parcel.tracking.status),
        micros(since.unwrap_or(shipment.created_at)),
        holds(shipment, parcel),
    ])
}

/// Parcels of one shipment may share a number, others may not. Says so in words; two nodes at the
/// same moment are told apart by the index.
fn not_taken(
    conn: Conn<'_>,
    shipment: &Shipment,
    parcel: ParcelId,
    number: &str,
    account: ConnectionId,
) -> Result<()> {
    let taken = conn
        .prepare_cached(
            "SELECT 1 FROM parcels WHERE tracking_number = ? AND connection_id = ?
               AND shipment_id <> ?",
        )?
        .exists(params![number, account.as_bytes(), shipment.id.as_bytes()])?;
    if taken {
        return Err(StoreError::Conflict(format!(
            "the tracking number of {parcel} is another shipment's at {account}"
        )));
    }
    Ok(())
}

/// When parcels are asked for next; one that is not there is an error.
pub(in crate::store) fn track(
    ctx: &mut WriteCtx<'_>,
    next: &[(ParcelId, Option<Timestamp>)],
) -> Result<()> {
    for (id, at) in next {
        if set_track_at(ctx.conn, *id, *at)? == 0 {
            return Err(StoreError::NotFound(id.to_string()));
        }
        ctx.local.bells.jobs |= at.is_some();
    }
    Ok(())
}

fn set_track_at(conn: Conn<'_>, id: ParcelId, at: Option<Timestamp>) -> Result<usize> {
    conn.prepare_cached("UPDATE parcels SET track_at = ? WHERE id = ?")?
        .execute(params![at.map(micros), id.as_bytes()])
}

/// An erased merchant's parcels are asked for no more, and not found by number.
pub(in crate::store) fn erase(conn: Conn<'_>, merchant: MerchantId) -> Result<()> {
    for sql in [
        "UPDATE parcels SET track_at = NULL, tracking_number = NULL, holds = 0 WHERE merchant_id = ?",
        "DELETE FROM former_numbers WHERE merchant_id = ?",
    ] {
        conn.prepare_cached(sql)?
            .execute(params![merchant.as_bytes()])?;
    }
    Ok(())
}

/// Reads the parcels of shipments that an older schema stored, once; within a transaction.
pub(in crate::store) fn read_old(conn: Conn<'_>, shared: &Shared) -> Result<()> {
    let waits = conn
        .prepare_cached("SELECT 1 FROM meta WHERE name = ?")?
        .exists(params![UNREAD])?;
    if !waits {
        return Ok(());
    }
    let reader = Reader::new(conn, shared);
    let mut query = conn.prepare_cached("SELECT id, version FROM shipments ORDER BY id")?;
    let mut rows = query.query(params![])?;
    while let Some(row) = rows.next()? {
        let key = SnapshotKey::new(SnapshotKind::Shipment, row.uuid(0)?, row.number(1)?);
        // Nothing is left of those whose merchant was erased.
        if let Some(json) = snapshot(&reader, key)? {
            match write(conn, &from_json(&json)?) {
                // Older schemas did not ask; the one that was first keeps the number.
                Err(StoreError::Conflict(text)) => {
                    tracing::warn!(text, "a parcel is not found by number")
                }
                other => other?,
            }
        }
    }
    conn.prepare_cached("DELETE FROM meta WHERE name = ?")?
        .execute(params![UNREAD])?;
    Ok(())
}

impl SqlStore {
    pub(in crate::store) async fn orders_by_tracking(
        &self,
        keys: &[(ConnectionId, String)],
    ) -> Result<Vec<Option<OrderState>>> {
        let keys = keys.to_vec();
        self.read(move |reader| {
            let sql = "SELECT id FROM (SELECT coalesce(
                         (SELECT order_id FROM parcels
                          WHERE tracking_number = ?1 AND connection_id = ?2 LIMIT 1),
                         (SELECT order_id FROM former_numbers
                          WHERE tracking_number = ?1 AND connection_id = ?2)) AS id)
                       AS found WHERE id IS NOT NULL";
            of_connections(reader, sql, &keys)
        })
        .await
    }

    pub(in crate::store) async fn due_parcels(
        &self,
        connection_id: ConnectionId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueParcel>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT id, tracking_number, status, since, track_at FROM parcels
                 WHERE connection_id = ? AND track_at <= ? AND tracking_number IS NOT NULL
                 ORDER BY track_at, id LIMIT ?",
            )?;
            let mut rows = query.query(params![
                connection_id.as_bytes(),
                micros(now),
                int(limit as u64)
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(DueParcel {
                    parcel_id: ParcelId::from_uuid(row.uuid(0)?),
                    tracking_number: row.text(1)?,
                    status: row.word(2)?,
                    since: row.time(3)?,
                    track_at: row.time(4)?,
                });
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn next_parcel_at(&self) -> Result<Option<Timestamp>> {
        let things = self.things();
        self.read(move |reader| {
            let placed = match &things {
                Some(_) => format!("AND {}", reader.conn.any("c.id", "?1")),
                None => String::new(),
            };
            let args: Vec<Value> = things.into_iter().map(Value::Ids).collect();
            // One seek an account, however many parcels wait.
            let sql = format!(
                "SELECT min((SELECT p.track_at FROM parcels p
                   WHERE p.connection_id = c.id AND p.track_at IS NOT NULL
                     AND p.tracking_number IS NOT NULL
                   ORDER BY p.track_at LIMIT 1))
                 FROM connections c WHERE c.state IN ('active', 'observing') {placed}"
            );
            let next: Option<i64> = reader
                .conn
                .prepare_cached(&sql)?
                .query_row(params_from_iter(&args), |row| row.get(0))?;
            next.map(super::codec::timestamp).transpose()
        })
        .await
    }

    pub(in crate::store) async fn parcels_asked(
        &self,
        next: Vec<(ParcelId, Option<Timestamp>)>,
    ) -> Result<()> {
        if next.is_empty() {
            return Ok(());
        }
        self.write(128 * next.len(), move |ctx| {
            for (id, at) in &next {
                set_track_at(ctx.conn, *id, *at)?;
            }
            Ok(())
        })
        .await
    }
}
