//! The COD ledger's items: their rows, lists and sums.
//!
//! What always holds: amounts are stored as units of a power of ten and summed as whole numbers,
//! never as floats; an amount that does not fit is refused.

use super::SqlStore;
use super::codec::{Columns, Filter, Result, blob, corrupt, int, word};
use super::conn::Conn;
use super::orders_lists::newest_first;
use super::reader::Reader;
use super::row::Row;
use super::value::{params, params_from_iter};
use crate::canonical::cod::{CodItem, CodStatus};
use crate::canonical::event::SnapshotKind;
use crate::canonical::money::{Amount, Currency};
use crate::canonical::{ConnectionId, MerchantId, Money};
use crate::store::query::{CodFilter, CodSum, Page, PageRequest};
use crate::store::{Scope, StoreError};
use bytes::Bytes;
use rust_decimal::Decimal;

/// Units and scale: 12.30 is (1230, 2).
fn units(amount: Amount) -> Result<(i64, u32)> {
    let decimal = amount.decimal();
    let fits = |d: Decimal| Some((i64::try_from(d.mantissa()).ok()?, d.scale()));
    fits(decimal)
        .or_else(|| fits(decimal.normalize()))
        .ok_or_else(|| StoreError::Conflict("a COD amount is too large to be stored".to_owned()))
}

fn amount(units: i64, scale: u32) -> Result<Amount> {
    Decimal::try_from_i128_with_scale(units.into(), scale)
        .map(Amount::new)
        .map_err(|_| corrupt("a COD amount"))
}

/// Writes an item's row.
pub(in crate::store) fn write(conn: Conn<'_>, item: &CodItem) -> Result<()> {
    let (due, due_scale) = units(item.due.amount)?;
    let collected = item
        .collected
        .filter(|money| money.currency == item.due.currency)
        .map(|money| units(money.amount))
        .transpose()?;
    conn.prepare_cached(&format!(
        "INSERT INTO cod_items (id, order_id, merchant_id, connection_id, status, currency, due,
           due_scale, collected, collected_scale, version)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT ({}) DO UPDATE SET status = excluded.status, currency = excluded.currency,
           due = excluded.due, due_scale = excluded.due_scale, collected = excluded.collected,
           collected_scale = excluded.collected_scale, version = excluded.version",
        conn.key()
    ))?
    .run(params![
        item.id.as_bytes(),
        item.order_id.as_bytes(),
        item.merchant_id.as_bytes(),
        item.connection_id.as_bytes(),
        word(&item.status),
        item.due.currency.as_str(),
        due,
        due_scale,
        collected.map(|(units, _)| units),
        collected.map(|(_, scale)| scale),
        int(item.version),
    ])
}

fn conditions(scope: Scope, filter: CodFilter) -> Filter {
    let mut conditions = Filter::seen_by(scope, filter.merchant_id);
    if let Some(connection) = filter.connection_id {
        conditions.and("connection_id = ?", blob(connection.uuid()));
    }
    if let Some(order) = filter.order_id {
        conditions.and("order_id = ?", blob(order.uuid()));
    }
    if let Some(status) = filter.status {
        conditions.and("status = ?", word(&status).to_owned());
    }
    conditions
}

/// A group of items whose amounts have one scale.
fn sum_of(row: Row<'_>) -> Result<CodSum> {
    let currency: Currency = row.text(3)?.parse().map_err(|_| corrupt("a currency"))?;
    let due = amount(row.get(7)?, row.get(4)?)?;
    let collected = match row.get::<Option<u32>>(5)? {
        Some(scale) => amount(row.get(8)?, scale)?,
        None => Amount::ZERO,
    };
    Ok(CodSum {
        connection_id: ConnectionId::from_uuid(row.uuid(0)?),
        merchant_id: MerchantId::from_uuid(row.uuid(1)?),
        status: row.word::<CodStatus>(2)?,
        count: row.number(6)?,
        due: Money::new(due, currency),
        collected: Money::new(collected, currency),
    })
}

fn statement(reader: &Reader<'_>, conditions: Filter) -> Result<Vec<CodSum>> {
    let sql = format!(
        "SELECT connection_id, merchant_id, status, currency, due_scale, collected_scale, count(*),
           CAST(sum(due) AS BIGINT), CAST(sum(collected) AS BIGINT)
         FROM cod_items{}
         GROUP BY connection_id, merchant_id, currency, status, due_scale, collected_scale
         ORDER BY connection_id, merchant_id, currency, status",
        conditions.sql()
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&conditions.args))?;
    let mut sums: Vec<CodSum> = Vec::new();
    let too_large = |_| corrupt("a COD sum that is too large");
    while let Some(row) = rows.next()? {
        let more = sum_of(row)?;
        let same = sums.last_mut().filter(|sum| {
            (
                sum.connection_id,
                sum.merchant_id,
                sum.status,
                sum.due.currency,
            ) == (
                more.connection_id,
                more.merchant_id,
                more.status,
                more.due.currency,
            )
        });
        match same {
            Some(sum) => {
                sum.count += more.count;
                sum.due = sum.due.add(more.due).map_err(too_large)?;
                sum.collected = sum.collected.add(more.collected).map_err(too_large)?;
            }
            None => sums.push(more),
        }
    }
    Ok(sums)
}

impl SqlStore {
    pub(in crate::store) async fn cod_items(
        &self,
        scope: Scope,
        filter: CodFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>> {
        self.read(move |reader| {
            let conditions = conditions(scope, filter);
            newest_first(reader, "cod_items", SnapshotKind::Cod, conditions, &page)
        })
        .await
    }

    pub(in crate::store) async fn cod_statement(
        &self,
        scope: Scope,
        filter: CodFilter,
    ) -> Result<Vec<CodSum>> {
        self.read(move |reader| statement(reader, conditions(scope, filter)))
            .await
    }
}
