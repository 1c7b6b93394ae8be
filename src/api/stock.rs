//! Stock levels: told by the warehouse, read by everybody whose they are.
//!
//! What always holds: a request is taken whole or not at all: a row that does not fit is a fault of
//! the program that sent it, and half a batch would hide it; a row that is older than what is known
//! is no fault and changes nothing; what each row came to is in the answer.

use super::body::Body;
use super::change::audit;
use super::gate::Call;
use super::merchants::is_served;
use super::problem::{FieldError, Problem};
use super::reply::{self, Answer};
use crate::canonical::stock::StockLevel;
use crate::canonical::{MerchantId, Quantity, Timestamp};
use crate::flow::stock::{Told, available};
use crate::store::query::StockFilter;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Rows of one request.
const MOST: usize = 1_000;
/// Digits behind the point that a quantity may have.
const SCALE: u32 = 6;
/// More of one article lies nowhere.
const LARGEST: i64 = 1_000_000_000;

/// What the warehouse has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockLevels {
    /// Whose; the token's own when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    merchant_id: Option<MerchantId>,
    /// At most 1,000 rows, each article and place once.
    levels: Vec<NewStockLevel>,
}

/// How much of an article lies at a place. Quantities are numbers from 0 on, with at most six digits
/// behind the point.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStockLevel {
    /// The merchant's article.
    sku: String,
    /// The place; `main` when left out.
    #[serde(default)]
    location: Option<String>,
    /// What lies there, promised or not.
    #[schema(value_type = f64)]
    on_hand: Quantity,
    /// What of it is promised to orders.
    #[serde(default)]
    #[schema(value_type = f64)]
    reserved: Quantity,
    /// What of it cannot be sold.
    #[serde(default)]
    #[schema(value_type = f64)]
    unavailable: Quantity,
    /// What of it is kept back.
    #[serde(default)]
    #[schema(value_type = f64)]
    buffer: Quantity,
    /// What is on its way.
    #[serde(default)]
    #[schema(value_type = f64)]
    incoming: Quantity,
    /// When it was so; the request's moment when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// Your own rising number of the change: decides what is newer where both have one.
    #[serde(default)]
    sequence: Option<u64>,
}

/// What one row came to.
#[derive(Debug, Serialize)]
struct Row {
    outcome: Told,
    stock_level: StockLevel,
}

/// `PUT /v1/stock-levels`.
pub async fn put(call: Call, body: Body<StockLevels>) -> Answer {
    let merchant = call.principal.act_for(body.value.merchant_id)?;
    if !is_served(&call, merchant).await? {
        return Err(Problem::not_found("merchant"));
    }
    let levels = levels(merchant, body.value.levels, call.now())?;
    let detail = json!({ "rows": levels.len() });
    let audit = audit(&call, "stock.put", &merchant.to_string(), detail);
    let put = call.state.store.put_stock(merchant, levels, audit).await?;
    let rows = put.into_iter().map(|put| Row {
        outcome: put.told,
        stock_level: put.level,
    });
    reply::whole_list(rows.collect())
}

/// `GET /v1/stock-levels`.
pub async fn list(call: Call) -> Answer {
    let filter = StockFilter {
        merchant_id: call.params.parse("merchant_id")?,
        sku: call.params.text("sku").map(str::to_owned),
        location: call.params.text("location").map(str::to_owned),
        updated_after: call.params.parse("updated_after")?,
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call.state.store.stock_levels(scope, filter, page).await;
    reply::list(&call.page_of(found)?)
}

fn levels(
    merchant: MerchantId,
    rows: Vec<NewStockLevel>,
    now: Timestamp,
) -> Result<Vec<StockLevel>, Problem> {
    if rows.is_empty() || rows.len() > MOST {
        return Err(Problem::body("levels", "1 to 1,000 rows are wanted"));
    }
    let mut unfit = Vec::new();
    let mut seen = BTreeSet::new();
    let mut levels = Vec::with_capacity(rows.len());
    for (place, row) in rows.into_iter().enumerate() {
        let path = |name: &str| format!("levels.{place}.{name}");
        let location = row.location.as_deref().unwrap_or("main");
        for (name, text) in [("sku", row.sku.as_str()), ("location", location)] {
            let long = text.chars().count() > 200 || text.chars().any(char::is_control);
            if text.trim() != text || text.is_empty() || long {
                let wanted = "1 to 200 characters without control characters or spaces around them";
                unfit.push(FieldError::new(path(name), wanted));
            }
        }
        for (name, quantity) in [
            ("on_hand", row.on_hand),
            ("reserved", row.reserved),
            ("unavailable", row.unavailable),
            ("buffer", row.buffer),
            ("incoming", row.incoming),
        ] {
            let decimal = quantity.decimal();
            let fits = !quantity.is_negative()
                && decimal.normalize().scale() <= SCALE
                && decimal <= Decimal::from(LARGEST);
            if !fits {
                let wanted =
                    "a number from 0 to 1000000000 with at most six digits behind the point";
                unfit.push(FieldError::new(path(name), wanted));
            }
        }
        if !seen.insert((row.sku.clone(), location.to_owned())) {
            unfit.push(FieldError::new(
                path("sku"),
                "this article and place stand twice in the request",
            ));
        }
        let Some(available) = available(row.on_hand, row.reserved, row.unavailable, row.buffer)
        else {
            continue;
        };
        levels.push(StockLevel {
            merchant_id: merchant,
            location: location.to_owned(),
            sku: row.sku,
            on_hand: row.on_hand,
            reserved: row.reserved,
            unavailable: row.unavailable,
            buffer: row.buffer,
            incoming: row.incoming,
            available,
            as_of: row.as_of.unwrap_or(now),
            sequence: row.sequence,
            updated_at: now,
        });
    }
    match unfit.is_empty() {
        true => Ok(levels),
        false => Err(Problem::fields(unfit)),
    }
}
