//! Stock levels and listings: their rows and their order of changes.
//!
//! What always holds: a level is judged over the row that it replaces, in the transaction that
//! writes it; places rise by one with each change and belong to one row each.

use super::SqlStore;
use super::apply::put_audit;
use super::codec::{
    Columns, Filter, Result, bad_cursor, from_json, int, limit_of, micros, to_json_text,
};
use super::conn::{Conn, OptionalExtension};
use super::events;
use super::reader::Reader;
use super::value::{ToArg, params, params_from_iter};
use super::writer::WriteCtx;
use crate::canonical::event::{EventType, NewEvent};
use crate::canonical::stock::StockLevel;
use crate::canonical::{ConnectionId, EventId, MerchantId};
use crate::flow::change::AuditEntry;
use crate::flow::stock::{Told, told};
use crate::store::Scope;
use crate::store::query::{ChangedStock, Page, PageRequest, StockChanges, StockFilter, StockPut};
use serde_json::json;

impl SqlStore {
    pub(in crate::store) async fn put_stock(
        &self,
        merchant: MerchantId,
        levels: Vec<StockLevel>,
        audit: AuditEntry,
    ) -> Result<Vec<StockPut>> {
        let bytes = levels.len().saturating_mul(512);
        self.write(bytes, move |ctx| {
            let mut put = Vec::with_capacity(levels.len());
            for level in levels {
                put.push(put_level(ctx, merchant, level)?);
            }
            put_audit(ctx.conn, &audit)?;
            Ok(put)
        })
        .await
    }

    pub(in crate::store) async fn stock_levels(
        &self,
        scope: Scope,
        filter: StockFilter,
        page: PageRequest,
    ) -> Result<Page<StockLevel>> {
        let after: Option<i64> = match page.after.as_deref() {
            Some(after) => Some(after.parse().map_err(|_| bad_cursor())?),
            None => None,
        };
        self.read(move |reader| {
            let mut conditions = Filter::seen_by(scope, filter.merchant_id);
            if let Some(sku) = filter.sku {
                conditions.and("sku = ?", sku);
            }
            if let Some(location) = filter.location {
                conditions.and("location = ?", location);
            }
            if let Some(at) = filter.updated_after {
                conditions.and("updated_at > ?", micros(at));
            }
            if let Some(after) = after {
                conditions.and("place > ?", after);
            }
            let limit = limit_of(page.limit);
            let sql = format!(
                "SELECT place, data FROM stock_levels{} ORDER BY place LIMIT {}",
                conditions.sql(),
                limit + 1
            );
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(&conditions.args))?;
            let (mut data, mut last) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                if data.len() == limit {
                    return Ok(Page {
                        data,
                        next: Some(last.to_string()),
                    });
                }
                last = row.number(0)?;
                data.push(from_json(row.text(1)?.as_bytes())?);
            }
            Ok(Page { data, next: None })
        })
        .await
    }

    pub(in crate::store) async fn stock_of(
        &self,
        merchant: MerchantId,
        skus: &[String],
    ) -> Result<Vec<Vec<StockLevel>>> {
        let skus = skus.to_vec();
        self.read(move |reader| {
            skus.iter()
                .map(|sku| levels_of(reader, merchant, sku))
                .collect()
        })
        .await
    }

    pub(in crate::store) async fn stock_place(&self) -> Result<u64> {
        self.read(|reader| {
            let mut query = reader
                .conn
                .prepare_cached("SELECT place FROM stock_places")?;
            let mut rows = query.query([])?;
            rows.next()?.map_or(Ok(0), |row| row.number(0))
        })
        .await
    }

    pub(in crate::store) async fn stock_changes(
        &self,
        of: StockChanges,
    ) -> Result<Vec<ChangedStock>> {
        self.read(move |reader| {
            let owner = reader.conn.owner("?1");
            let mut query = reader.conn.prepare_cached(&format!(
                "WITH changed(sku) AS (
                   SELECT sku FROM stock_levels WHERE merchant_id = ?1 AND place > ?3
                   UNION SELECT sku FROM listings WHERE {0}connection_id = ?2 AND place > ?3),
                 placed AS (
                   SELECT c.sku, l.external_id,
                     (SELECT CASE WHEN max(s.place) > coalesce(l.place, 0) THEN max(s.place)
                                  WHEN max(s.place) IS NOT NULL THEN l.place END
                      FROM stock_levels s
                      WHERE s.merchant_id = ?1 AND s.sku = c.sku) AS place
                   FROM changed c LEFT JOIN listings l ON l.connection_id = ?2 AND l.sku = c.sku
                   WHERE NOT ?4 OR l.sku IS NOT NULL)
                 SELECT sku, external_id, place FROM placed WHERE place IS NOT NULL
                 ORDER BY place, sku LIMIT ?5",
                owner.is
            ))?;
            let mut rows = query.query(params![
                of.merchant_id.as_bytes(),
                of.connection_id.as_bytes(),
                int(of.after),
                of.listed,
                int(of.limit as u64),
            ])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let sku = row.text(0)?;
                found.push(ChangedStock {
                    place: row.number(2)?,
                    external_id: row.opt_text(1)?,
                    levels: levels_of(reader, of.merchant_id, &sku)?,
                    sku,
                });
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn note_listings(
        &self,
        connection: ConnectionId,
        listings: Vec<(String, Option<String>)>,
        again: bool,
    ) -> Result<()> {
        self.write(listings.len().saturating_mul(128), move |ctx| {
            let all = listings.iter().map(|(sku, _)| (connection, sku.clone()));
            look_up(ctx, all.collect())?;
            for (sku, external_id) in listings {
                list(ctx, connection, &sku, external_id.as_deref(), again)?;
            }
            Ok(())
        })
        .await
    }
}

fn put_level(
    ctx: &mut WriteCtx<'_>,
    merchant: MerchantId,
    mut level: StockLevel,
) -> Result<StockPut> {
    let stored: Option<String> = ctx
        .conn
        .prepare_cached(
            "SELECT data FROM stock_levels WHERE merchant_id = ? AND sku = ? AND location = ?",
        )?
        .query_row(
            params![merchant.as_bytes(), level.sku, level.location],
            |row| row.get(0),
        )
        .optional()?;
    let stored: Option<StockLevel> = stored.map(|data| from_json(data.as_bytes())).transpose()?;
    let told = told(stored.as_ref(), &level);
    match (told, stored) {
        (Told::Stale, Some(stored)) => {
            return Ok(StockPut {
                told,
                level: stored,
            });
        }
        (Told::Unchanged, Some(stored)) => {
            // No change, and no place: only by what it was told last.
            level.updated_at = stored.updated_at;
            ctx.conn
                .prepare_cached(
                    "UPDATE stock_levels SET data = ?4
                     WHERE merchant_id = ?1 AND sku = ?2 AND location = ?3",
                )?
                .execute(params![
                    merchant.as_bytes(),
                    level.sku,
                    level.location,
                    to_json_text(&level)?
                ])?;
            return Ok(StockPut { told, level });
        }
        _ => {}
    }
    let place = next_place(ctx.conn)?;
    ctx.conn
        .prepare_cached(
            "INSERT INTO stock_levels
               (merchant_id, sku, location, place, updated_at, data) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (merchant_id, sku, location) DO UPDATE SET place = excluded.place,
               updated_at = excluded.updated_at, data = excluded.data",
        )?
        .execute(params![
            merchant.as_bytes(),
            level.sku,
            level.location,
            place,
            micros(level.updated_at),
            to_json_text(&level)?,
        ])?;
    let event = NewEvent {
        id: EventId::new(),
        kind: EventType::StockChanged,
        at: level.updated_at,
        merchant_id: merchant,
        order_id: None,
        subject: format!("{merchant}/{}/{}", level.location, level.sku),
        snapshots: Vec::new(),
        extra: json!({ "stock_level": level }),
    };
    events::append(ctx, &event, None);
    Ok(StockPut { told, level })
}

/// What a channel is known to sell.
pub(in crate::store) fn list(
    ctx: &mut WriteCtx<'_>,
    connection: ConnectionId,
    sku: &str,
    external_id: Option<&str>,
    again: bool,
) -> Result<()> {
    let key = (connection, sku.to_owned());
    if !ctx.local.listed.contains_key(&key) {
        look_up(ctx, vec![key.clone()])?;
    }
    let known = ctx.local.listed.entry(key).or_default();
    let news = match known {
        None => true,
        Some(known) => external_id.is_some() && known.as_deref() != external_id,
    };
    if news || again {
        let given = external_id.map(str::to_owned);
        *known = Some(given.or_else(|| known.take().flatten()));
        put_listing(ctx.conn, connection, sku, external_id)?;
    }
    Ok(())
}

/// Notes which of these channels sell which of these articles, for [`list`].
pub(in crate::store) fn look_up(
    ctx: &mut WriteCtx<'_>,
    offered: Vec<(ConnectionId, String)>,
) -> Result<()> {
    let sql = format!(
        "SELECT external_id FROM listings WHERE {}connection_id = ?1 AND sku = ?2",
        ctx.conn.owner_of_connection("?1").is
    );
    let each: Vec<_> = offered
        .iter()
        .map(|(connection, sku)| vec![connection.as_bytes().arg(), sku.arg()])
        .collect();
    let mut query = ctx.conn.prepare_cached(&sql)?;
    let found: Vec<Option<Option<String>>> = query.first_of_each(&each, |row| row.get(0))?;
    ctx.local.listed.extend(offered.into_iter().zip(found));
    Ok(())
}

fn put_listing(
    conn: Conn<'_>,
    connection: ConnectionId,
    sku: &str,
    external_id: Option<&str>,
) -> Result<()> {
    let owner = conn.owner_of_connection("?1");
    let place = next_place(conn)?;
    conn.prepare_cached(&format!(
        "INSERT INTO listings ({0}connection_id, sku, external_id, place)
         VALUES ({1}?1, ?2, ?3, ?4)
         ON CONFLICT ({0}connection_id, sku) DO UPDATE
           SET external_id = coalesce(excluded.external_id, listings.external_id),
             place = excluded.place",
        owner.column, owner.value
    ))?
    .run(params![connection.as_bytes(), sku, external_id, place])
}

fn next_place(conn: Conn<'_>) -> Result<i64> {
    let mut next =
        conn.prepare_cached("UPDATE stock_places SET place = place + 1 RETURNING place")?;
    Ok(next.query_row([], |row| row.get(0))?)
}

fn levels_of(reader: &Reader<'_>, merchant: MerchantId, sku: &str) -> Result<Vec<StockLevel>> {
    let mut query = reader.conn.prepare_cached(
        "SELECT data FROM stock_levels WHERE merchant_id = ? AND sku = ? ORDER BY location",
    )?;
    let mut rows = query.query(params![merchant.as_bytes(), sku])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(from_json(row.text(0)?.as_bytes())?);
    }
    Ok(found)
}
