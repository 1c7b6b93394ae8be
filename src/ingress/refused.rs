//! Counters of refused requests: a flood of forgeries costs a few numbers a second, not rows.

use crate::canonical::{ConnectionId, Timestamp};
use crate::store::Store;
use std::collections::HashMap;
use std::sync::Mutex;

/// Refusals since the last flush, by connection and reason. Only known connections and our own
/// reasons are counted, so its size is bounded.
#[derive(Debug, Default)]
pub struct RefusedCounters {
    counts: Mutex<HashMap<(ConnectionId, &'static str), u64>>,
}

impl RefusedCounters {
    /// Counts one.
    pub fn count(&self, connection: ConnectionId, reason: &'static str) {
        metrics::counter!("crossdock_intake_total", "outcome" => "refused").increment(1);
        let mut counts = self
            .counts
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *counts.entry((connection, reason)).or_default() += 1;
    }
    /// Writes what was counted. What the store does not take now is counted again next time.
    pub async fn flush(&self, store: &dyn Store, now: Timestamp) {
        let taken = {
            let mut counts = self
                .counts
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::take(&mut *counts)
        };
        for ((connection, reason), n) in taken {
            if let Err(error) = store.count_refused(connection, now, reason, n).await {
                tracing::warn!(%connection, reason, n, %error, "refused requests not counted yet");
                let mut counts = self
                    .counts
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                *counts.entry((connection, reason)).or_default() += n;
            }
        }
    }
}
