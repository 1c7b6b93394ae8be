//! What is told of each delivery that is taken in, whichever way it came.
//!
//! What always holds: a delivery's span is the first of a trace whose id is the delivery's, since its
//! order is not known yet; the order's spans point at it.

use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, RawId, Timestamp, word};
use crate::telemetry::told;
use crate::telemetry::trace::{Kind, Traces};
use tracing::field::display;

/// What may be said of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    id: RawId,
    connection: ConnectionId,
    source: Source,
    bytes: usize,
    at: Timestamp,
}

impl Arrival {
    /// Of this delivery.
    pub fn of(wire: &WireDelivery) -> Self {
        Self {
            id: wire.id,
            connection: wire.connection_id,
            source: wire.source,
            bytes: wire.body.len(),
            at: wire.received_at,
        }
    }

    /// Told after it was stored, or could not be.
    pub fn told(&self, traces: &Traces, stored: bool, now: Timestamp) {
        let span = traces.of(self.id.uuid()).map(|trace| {
            let kind = match self.source {
                Source::Webhook => Kind::Server,
                _ => Kind::Internal,
            };
            let mut span = trace.first("intake", kind, self.at);
            if !stored {
                span.fail("store_unavailable");
            }
            span
        });
        // At debug level also when it was not stored: a full disk under load would fill the log.
        told!(debug, span, now, "intake", {
            raw = display(self.id),
            connection = display(self.connection),
            source = word(&self.source),
            bytes = self.bytes,
            stored = stored,
        });
    }
}
