//! Change sets that are written together on a server.
//!
//! What always holds: each is written wholly or not at all, as if it had been alone. One savepoint
//! around many costs a server one answer to wait for, not one each; where one of them fails, they are
//! written anew by halves, until the one that failed is alone.

use super::apply::{apply_set, as_conflict, write_alone};
use super::codec::Result;
use super::conn::Conn;
use super::seal::SealedSet;
use super::stock;
use super::writer::WriteCtx;
use crate::flow;
use crate::store::StoreError;

/// What came of a set: the place of its last event in this commit.
pub(in crate::store) type Written = Result<Option<u64>>;

/// Writes sets, in order.
pub(in crate::store) fn write_all(
    ctx: &mut WriteCtx<'_>,
    sets: Vec<Result<SealedSet>>,
) -> Vec<Written> {
    let mut written = Vec::with_capacity(sets.len());
    let mut ready: Vec<SealedSet> = Vec::new();
    for set in sets {
        match set {
            Ok(set) => ready.push(set),
            Err(error) => {
                write_group(ctx, &ready, &mut written);
                ready.clear();
                written.push(Err(error));
            }
        }
    }
    write_group(ctx, &ready, &mut written);
    written
}

fn write_group(ctx: &mut WriteCtx<'_>, sets: &[SealedSet], written: &mut Vec<Written>) {
    let together = matches!(ctx.conn, Conn::Postgres(_)) && sets.len() > 1;
    if !together {
        written.extend(sets.iter().map(|set| write_alone(ctx, set)));
        return;
    }
    if !ctx.conn.in_transaction() {
        let lost = || StoreError::Unavailable("the transaction was lost".to_owned());
        written.extend(sets.iter().map(|_| Err(lost())));
        return;
    }
    let before = ctx.batch.events.len();
    let places = ctx.savepoint(|ctx| {
        look_ahead(ctx, sets)?;
        let mut places = Vec::with_capacity(sets.len());
        for set in sets {
            apply_set(ctx, set).map_err(as_conflict)?;
            places.push(ctx.local.events.len());
        }
        Ok(places)
    });
    match places {
        Ok(places) => {
            let mut last = 0;
            for place in places {
                written.push(Ok((place > last).then_some((before + place) as u64)));
                last = place;
            }
        }
        Err(_) => {
            let (first, second) = sets.split_at(sets.len() / 2);
            write_group(ctx, first, written);
            write_group(ctx, second, written);
        }
    }
}

/// Asks for all of them at once what each would ask for.
fn look_ahead(ctx: &mut WriteCtx<'_>, sets: &[SealedSet]) -> Result<()> {
    let decided = sets.iter().filter_map(|set| set.set.delivery.as_ref());
    let decided: Vec<_> = decided.map(|delivery| delivery.raw_id).collect();
    ctx.inbox.take_all(ctx.conn, &mut ctx.local, &decided)?;
    let mut offered = Vec::new();
    for state in sets.iter().flat_map(|set| &set.set.states) {
        if state.lock == 0 {
            let connection = state.order.meta.connection_id;
            let skus = flow::stock::listings(&state.order).into_keys();
            offered.extend(skus.map(|sku| (connection, sku)));
        }
    }
    offered.sort_unstable();
    offered.dedup();
    stock::look_up(ctx, offered)
}
