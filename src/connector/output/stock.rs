//! Stock as a channel has it.

use super::OutputError;
use crate::canonical::stock::StockAnswer;
use crate::mapping::{Val, shape};

/// Reads an output: one SKU at one place, and how much of it in at least one of the model's words.
pub(super) fn stock(value: &Val) -> Result<StockAnswer, OutputError> {
    let stock: StockAnswer = shape(value)?;
    let missing =
        |path: &str, message: &str| Err(OutputError::new("mapping_missing", path, message));
    if stock.sku.text().is_none_or(|sku| sku.trim().is_empty()) {
        return missing("sku", "a value is required");
    }
    let told = [
        &stock.on_hand,
        &stock.reserved,
        &stock.unavailable,
        &stock.incoming,
        &stock.available,
    ];
    if told.into_iter().all(|quantity| quantity.value().is_none()) {
        return missing("", "no quantity is told: `on_hand`, `available`, …");
    }
    Ok(stock)
}
