//! Tracking events of an order: added to, never changed.
//!
//! What always holds: they come back in the order in which they reached us; one that is stored is
//! not written again; what a carrier told is sealed.

use super::codec::{Result, int};
use super::seal::SealedObject;
use super::value::params;
use super::writer::WriteCtx;
use super::{apply::put_snapshot, cache::SnapshotKey};
use crate::canonical::event::SnapshotKind;
use crate::canonical::tracking::TrackingEvent;
use crate::canonical::{OrderId, TrackingEventId};
use std::collections::HashSet;

/// What an event's object is stored as.
pub(in crate::store) fn key_of(id: TrackingEventId) -> SnapshotKey {
    SnapshotKey::new(SnapshotKind::Tracking, id.uuid(), 1)
}

/// Adds those that are not there yet.
pub(in crate::store) fn write(
    ctx: &mut WriteCtx<'_>,
    order: OrderId,
    events: &[TrackingEvent],
    sealed: &[SealedObject],
) -> Result<()> {
    // All were written a moment ago: nothing to look for.
    if sealed.iter().all(|object| object.sealed.is_none()) {
        return Ok(());
    }
    let known = ctx
        .conn
        .prepare_cached("SELECT id FROM tracking_events WHERE order_id = ?")?
        .query_map(params![order.as_bytes()], |row| row.get(0))?
        .collect::<Result<HashSet<[u8; 16]>>>()?;
    let mut n = known.len() as u64;
    for (event, object) in events.iter().zip(sealed) {
        if object.sealed.is_none() || known.contains(event.id.as_bytes()) {
            continue;
        }
        let owner = ctx.conn.owner("?4");
        let sql = format!(
            "INSERT INTO tracking_events ({}order_id, id, n) VALUES ({}?1, ?2, ?3)",
            owner.column, owner.value
        );
        let place = int(n);
        let (order_id, id) = (order.as_bytes(), event.id.as_bytes());
        let mut args = params![order_id, id, place].to_vec();
        args.extend(ctx.conn.owner_arg(object.merchant.as_bytes()));
        ctx.conn.prepare_cached(&sql)?.execute(args)?;
        put_snapshot(ctx, object)?;
        n += 1;
    }
    Ok(())
}
