//! The sums that we compute, and what does not add up (the check itself is the model's).
//!
//! What always holds: `totals.items` and `totals.charges` are ours, `total` and `tax` are the
//! channel's and stay as it states them; a difference is reported, never "fixed".

use crate::canonical::check::{Mismatch, complete_totals};
use crate::canonical::{MoneyError, OrderFacts};

/// Fills our sums and says what of total and tax does not add up; what is only informative about
/// single lines is left out.
pub(super) fn complete(facts: &mut OrderFacts) -> Result<Vec<Mismatch>, MoneyError> {
    let mut found = complete_totals(facts)?;
    found.retain(|mismatch| !mismatch.informative());
    Ok(found)
}
