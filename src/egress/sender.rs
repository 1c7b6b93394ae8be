//! What sends an event, and what the answer means.
//!
//! What always holds: only the status decides (bodies of subscribers are not read beyond a cap and
//! never logged); the verdict tells an endpoint that is down from an event that it refuses.

use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

/// An event ready to go.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to: an address, or a broker's subject.
    pub url: String,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature` and the like.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON.
    pub body: Bytes,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// 2xx, or a stream's acknowledgement.
    Delivered,
    /// The endpoint refuses this event (4xx, 500, 3xx): others may pass.
    Refused {
        /// HTTP status.
        status: u16,
    },
    /// The endpoint is down or overloaded (no connection, time-out, 429, 502, 503, 504).
    Down {
        /// HTTP status, if it answered.
        status: Option<u16>,
        /// In a few words.
        why: String,
        /// What it asked for.
        retry_after: Option<Duration>,
    },
    /// This event can never pass, whatever is tried: it is given up at once.
    Never {
        /// The HTTP status that says the same.
        status: u16,
        /// In a few words.
        why: String,
    },
    /// 410: the subscriber does not want any more.
    Gone,
}

/// Sends one event.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// One attempt, bounded in time by the implementation.
    async fn send(&self, outgoing: Outgoing) -> Verdict;
}

/// True for what says that the endpoint as a whole is down or overloaded: no answer, or one of
/// these.
pub const fn means_down(status: Option<u16>) -> bool {
    matches!(status, None | Some(429 | 502..=504))
}

/// What an HTTP status means to a delivery.
pub fn verdict_of(status: u16, retry_after: Option<Duration>) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        _ if means_down(Some(status)) => Verdict::Down {
            status: Some(status),
            why: format!("answered {status}"),
            retry_after,
        },
        _ => Verdict::Refused { status },
    }
}
