//! Orders: the strict twin of the canonical facts, what every order must tell, and the sums.

use super::OutputError;
use crate::canonical::check::{Mismatch, complete_totals};
use crate::canonical::{Field, MappedOrder, OrderFacts};
use crate::mapping::{Val, shape};

/// Reads an output of the mapping `order`: its facts with `totals.items` and `totals.charges`
/// computed, and what does not add up (which is kept, never an error).
///
/// # Errors
/// When it is no order, has no `external_id`, a line without quantity, or amounts that cannot be
/// added.
pub fn order(value: &Val) -> Result<(OrderFacts, Vec<Mismatch>), OutputError> {
    let mapped: MappedOrder = shape(value)?;
    let mut facts = OrderFacts::from(mapped);
    required(&facts)?;
    let mismatches = complete_totals(&mut facts)
        .map_err(|error| OutputError::new("amounts", "totals", error.to_string()))?;
    Ok((facts, mismatches))
}

fn required(facts: &OrderFacts) -> Result<(), OutputError> {
    let missing = |path: String, hint| OutputError {
        hint: Some(hint),
        ..OutputError::new("mapping_missing", path, "a value is required")
    };
    if facts
        .external_id
        .text()
        .is_none_or(|id| id.trim().is_empty())
    {
        return Err(missing(
            "external_id".to_owned(),
            "without the channel's id nothing can be stored: is this an order?",
        ));
    }
    for (index, line) in facts.lines().iter().enumerate() {
        if !matches!(line.quantity, Field::Value(_)) {
            return Err(missing(
                format!("lines[{index}].quantity"),
                "a line without quantity is never guessed to be 1",
            ));
        }
    }
    Ok(())
}
