//! Orders that repeat others: where to look for them, and which of them outlived their cause.
//!
//! What always holds: found through the contact's keyed hashes, so that nothing is opened but what
//! may be shown to the rule; what was erased is left out.

use super::SqlStore;
use super::cache::SnapshotKey;
use super::codec::{Columns, Result, int, json_error, micros};
use super::orders::snapshot;
use super::reader::Reader;
use super::seal::ContactHashes;
use super::value::params;
use crate::canonical::event::SnapshotKind;
use crate::canonical::{Order, OrderId};
use crate::flow::Similar;

/// So many, the newest: more of one customer within one window tell nothing new.
const MOST: i64 = 20;

impl SqlStore {
    pub(in crate::store) async fn similar_orders(&self, to: &[Similar]) -> Result<Vec<Vec<Order>>> {
        let to = to.to_vec();
        self.read(move |reader| to.iter().map(|one| similar(reader, one)).collect())
            .await
    }

    pub(in crate::store) async fn outlived_duplicates(&self, limit: usize) -> Result<Vec<OrderId>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT o.id FROM orders o
                   LEFT JOIN orders t ON t.id = o.duplicate_of
                 WHERE o.duplicate_of IS NOT NULL AND (t.id IS NULL OR t.status = 'cancelled')
                   AND o.status NOT IN ('cancelled', 'closed', 'fulfilled')
                 ORDER BY o.id LIMIT ?",
            )?;
            let mut rows = query.query(params![int(limit as u64)])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(OrderId::from_uuid(row.uuid(0)?));
            }
            Ok(found)
        })
        .await
    }
}

fn similar(reader: &Reader<'_>, to: &Similar) -> Result<Vec<Order>> {
    let hashes = ContactHashes::of(reader.shared, &to.contact);
    let mut query = reader.conn.prepare_cached(
        "SELECT id, version FROM orders
           WHERE email = ?1 AND merchant_id = ?3 AND placed_at BETWEEN ?4 AND ?5
         UNION SELECT id, version FROM orders
           WHERE phone = ?2 AND merchant_id = ?3 AND placed_at BETWEEN ?4 AND ?5
         ORDER BY id DESC LIMIT ?6",
    )?;
    let mut rows = query.query(params![
        hashes.email,
        hashes.phone,
        to.merchant_id.as_bytes(),
        micros(to.from),
        micros(to.to),
        MOST,
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let key = SnapshotKey::new(SnapshotKind::Order, row.uuid(0)?, row.number(1)?);
        if let Some(json) = snapshot(reader, key)? {
            found.push(Order::from_json(&json).map_err(json_error)?);
        }
    }
    Ok(found)
}
