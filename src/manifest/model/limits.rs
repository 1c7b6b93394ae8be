//! How often we may call, and how failed calls are repeated.

use crate::manifest::scalar::{Expr, Span};
use serde::{Deserialize, Serialize};

/// How often we may call, per connection.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls a second on average (may be below one).
    pub rate_per_second: f64,
    /// Calls at once after a pause.
    pub burst: u32,
    /// Calls under way at once.
    pub concurrency: u32,
    /// Headers that tell what is left: when `remaining` is 0, wait until `reset`.
    pub headers: Option<LimitHeaders>,
    /// A budget of points that answers tell.
    pub cost: Option<LimitCost>,
}
impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_second: 2.0,
            burst: 4,
            concurrency: 2,
            headers: None,
            cost: None,
        }
    }
}

/// Where a provider tells what is left. `Retry-After` is always obeyed and needs no entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LimitHeaders {
    pub remaining: String,
    #[serde(default)]
    pub reset: Option<String>,
    #[serde(default)]
    pub reset_as: ResetAs,
}

/// A budget of points that refills steadily, where calls cost more or less of it. Below `needed`
/// the next call waits until the budget is there.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitCost {
    /// jq over the answer → points left; null when it does not tell.
    pub available: Expr,
    /// jq over the answer → points that come back in a second.
    pub restored_per_second: Expr,
    /// What the dearest call takes.
    pub needed: f64,
}

/// How a reset header is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ResetAs {
    #[default]
    Seconds,
    EpochS,
    EpochMs,
    Date,
}

/// How failed calls are repeated: data, with jitter.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Waits before the 2nd, 3rd, … attempt; after the last the job is parked with a problem.
    pub schedule: Vec<Span>,
    /// Each wait is multiplied by a random factor in 1 ± jitter.
    pub jitter: f64,
    /// So many transient failures in a row open the circuit of the connection.
    pub circuit_after: u32,
    /// … for this long; then one call probes.
    pub circuit_for: Span,
}
impl Default for Retry {
    fn default() -> Self {
        let seconds = [
            2, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400,
        ];
        Self {
            schedule: seconds.into_iter().map(Span::secs).collect(),
            jitter: 0.2,
            circuit_after: 5,
            circuit_for: Span::secs(30),
        }
    }
}
