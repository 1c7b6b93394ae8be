//! What lies on the simulated warehouse's shelves, and what it tells of it.
//!
//! What always holds: an article that was never seen lies there a hundredfold; what is taken on is
//! promised, what leaves is gone; each level has a rising number of its own, so that one that is
//! told late is known to be old.

use super::{Floor, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Pieces of an article nobody has asked for before.
const FULL: u64 = 100;

/// One article of one merchant.
#[derive(Debug, Clone, Copy)]
struct Level {
    on_hand: u64,
    reserved: u64,
}

/// All of them, by merchant and article, and how often any changed.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    levels: BTreeMap<(String, String), Level>,
    changes: u64,
}

/// What a fulfillment order asks for: pieces by article.
type Pieces = BTreeMap<String, u64>;

impl Shelf {
    /// Moves pieces of a merchant's articles; the rows to be told.
    fn moved(&mut self, merchant: &str, pieces: &Pieces, how: fn(&mut Level, u64)) -> Vec<Value> {
        let mut rows = Vec::with_capacity(pieces.len());
        for (sku, n) in pieces {
            let key = (merchant.to_owned(), sku.clone());
            let level = self.levels.entry(key).or_insert(Level {
                on_hand: FULL,
                reserved: 0,
            });
            how(level, *n);
            self.changes += 1;
            rows.push(json!({
                "sku": sku, "on_hand": level.on_hand, "reserved": level.reserved,
                "sequence": self.changes,
            }));
        }
        rows
    }
}

impl Floor {
    /// It was taken on: its pieces are promised.
    pub(super) async fn promise(&self, order: &Value) {
        self.tell_stock(order, |level, n| {
            level.reserved = level.reserved.saturating_add(n);
            // A delivery comes in before anything runs out.
            if level.reserved > level.on_hand {
                level.on_hand = level.reserved.saturating_add(FULL);
            }
        })
        .await;
    }

    /// It left.
    pub(super) async fn take_out(&self, order: &Value) {
        self.tell_stock(order, |level, n| {
            level.on_hand = level.on_hand.saturating_sub(n);
            level.reserved = level.reserved.saturating_sub(n);
        })
        .await;
    }

    async fn tell_stock(&self, order: &Value, how: fn(&mut Level, u64)) {
        let pieces = pieces(order);
        if !self.options.tells_stock || pieces.is_empty() {
            return;
        }
        let merchant = text(order, "/merchant_id");
        let rows = {
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.moved(merchant, &pieces, how)
        };
        let body = json!({"merchant_id": merchant, "levels": rows});
        if self
            .send(reqwest::Method::PUT, "/v1/stock-levels", &body)
            .await
            == Some(true)
        {
            self.counters.count(|c| &c.stock_told);
        }
    }
}

fn pieces(order: &Value) -> Pieces {
    let mut pieces = Pieces::new();
    let lines = order.get("lines").and_then(Value::as_array);
    for line in lines.into_iter().flatten() {
        let sku = text(line, "/sku");
        let n = line.get("quantity").and_then(Value::as_f64).unwrap_or(0.0);
        if !sku.is_empty() && n >= 1.0 {
            // Goods by weight count as whole pieces here.
            *pieces.entry(sku.to_owned()).or_default() += n as u64;
        }
    }
    pieces
}
