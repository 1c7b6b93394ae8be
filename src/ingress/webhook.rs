//! A provider's webhook in: the one way into the gateway for what providers push.
//!
//! What always holds: the body of a [`Delivery<Unverified>`] cannot be read; only a
//! [`Delivery<Verified>`] becomes a [`WireDelivery`]; the acknowledgement is made after the append.

use super::endpoint::{Endpoint, OpenEndpoint};
use super::tell::Arrival;
use super::verify::{Refusal, Verifier};
use super::{Headers, IngressState, MAX_BODY};
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, RawId, Timestamp};
use bytes::Bytes;
use std::marker::PhantomData;
use std::sync::Arc;

/// Nobody knows who sent it.
pub enum Unverified {}
/// The sender is proved.
pub enum Verified {}

/// A request's body and headers, and whether its sender is proved.
pub struct Delivery<'a, State> {
    headers: &'a dyn Headers,
    body: Bytes,
    state: PhantomData<State>,
}

impl<'a> Delivery<'a, Unverified> {
    /// What came over the wire.
    pub fn new(headers: &'a dyn Headers, body: Bytes) -> Self {
        Self {
            headers,
            body,
            state: PhantomData,
        }
    }
    /// How long the body is: all that may be known of it.
    pub fn len(&self) -> usize {
        self.body.len()
    }
    /// True when there is no body.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
    /// The reply, if this is one of the provider's pings.
    fn challenge(&self, endpoint: &OpenEndpoint) -> Option<Reply> {
        let challenge = endpoint
            .challenges
            .iter()
            .find(|c| c.fits(self.headers, &self.body))?;
        Some(Reply {
            status: challenge.status,
            body: challenge.reply.clone(),
            content_type: ContentType::Static("text/plain; charset=utf-8"),
            retry_after: None,
        })
    }
    /// Proves the sender.
    ///
    /// # Errors
    /// [`Refusal`]: the body is dropped unread.
    pub fn verify(self, verifier: &Verifier) -> Result<Delivery<'a, Verified>, Refusal> {
        verifier.check(self.headers, &self.body)?;
        Ok(Delivery {
            headers: self.headers,
            body: self.body,
            state: PhantomData,
        })
    }
}

impl Delivery<'_, Verified> {
    /// What is stored.
    pub fn into_wire(
        self,
        endpoint: &OpenEndpoint,
        topic_in_path: Option<&str>,
        received_at: Timestamp,
    ) -> WireDelivery {
        WireDelivery {
            id: RawId::new(),
            merchant_id: endpoint.merchant_id,
            connection_id: endpoint.connection_id,
            source: Source::Webhook,
            topic: endpoint.topic(topic_in_path, self.headers),
            received_at,
            dedupe_key: endpoint.dedupe_key(self.headers),
            headers: endpoint.kept_headers(self.headers),
            body: self.body,
        }
    }
}

/// A reply's content type, without copying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentType {
    /// One of ours.
    Static(&'static str),
    /// A manifest's.
    Shared(Arc<str>),
}

impl ContentType {
    /// As written in the header.
    pub fn as_str(&self) -> &str {
        match self {
            ContentType::Static(text) => text,
            ContentType::Shared(text) => text,
        }
    }
}

/// The answer to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Reply {
    pub status: u16,
    pub body: Bytes,
    pub content_type: ContentType,
    /// Seconds, for 503.
    pub retry_after: Option<u32>,
}

impl Reply {
    fn problem(status: u16, body: &'static str) -> Self {
        Self {
            status,
            body: Bytes::from_static(body.as_bytes()),
            content_type: ContentType::Static("application/problem+json"),
            retry_after: (status == 503).then_some(5),
        }
    }
    /// 404.
    pub fn unknown() -> Self {
        Self::problem(
            404,
            r#"{"type":"urn:crossdock:problem:connection_unknown","title":"No such hook","status":404,"code":"connection_unknown","detail":"no connection takes deliveries at this address"}"#,
        )
    }
    /// 413.
    pub fn too_large() -> Self {
        Self::problem(
            413,
            r#"{"type":"urn:crossdock:problem:body_too_large","title":"The body is larger than this hook takes","status":413,"code":"body_too_large","detail":"send less in one delivery"}"#,
        )
    }
    fn gone() -> Self {
        Self::problem(
            410,
            r#"{"type":"urn:crossdock:problem:connection_deleted","title":"This connection was deleted","status":410,"code":"connection_deleted","detail":"take this address out of your settings"}"#,
        )
    }
    fn unproved() -> Self {
        Self::problem(
            401,
            r#"{"type":"urn:crossdock:problem:signature_invalid","title":"The signature is missing or not this body's","status":401,"code":"signature_invalid","detail":"sign the body with the secret of this connection"}"#,
        )
    }
    fn stranger() -> Self {
        Self::problem(
            403,
            r#"{"type":"urn:crossdock:problem:sender_unknown","title":"This sender is not known here","status":403,"code":"sender_unknown","detail":"deliveries are taken from the addresses of the connection only"}"#,
        )
    }
    /// What an unproved sender is told.
    pub fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stranger => Self::stranger(),
            _ => Self::unproved(),
        }
    }
    fn later() -> Self {
        Self::problem(
            503,
            r#"{"type":"urn:crossdock:problem:store_unavailable","title":"It cannot be stored now; send it again","status":503,"code":"store_unavailable","detail":"nothing was kept of this delivery"}"#,
        )
    }
}

/// Takes one request. The reply says exactly what holds: a 2xx means that the bytes are durable
/// (or that it was a ping, which is not stored).
pub async fn receive(
    state: &IngressState,
    connection_id: ConnectionId,
    topic_in_path: Option<&str>,
    headers: &dyn Headers,
    body: Bytes,
) -> Reply {
    let began = std::time::Instant::now();
    let endpoint = match state.endpoint(connection_id).await {
        Ok(endpoint) => endpoint,
        Err(error) => {
            tracing::warn!(connection = %connection_id, %error, "a hook's connection could not be read");
            return Reply::later();
        }
    };
    let open = match endpoint.as_ref() {
        Endpoint::Unknown => return Reply::unknown(),
        Endpoint::Gone => {
            state.refused.count(connection_id, "deleted");
            return Reply::gone();
        }
        Endpoint::Broken => return Reply::later(),
        Endpoint::Open(open) => open,
    };
    let delivery = Delivery::new(headers, body);
    if delivery.len() > open.max_body.min(MAX_BODY) {
        state.refused.count(connection_id, "too_large");
        return Reply::too_large();
    }
    if let Some(reply) = delivery.challenge(open) {
        metrics::counter!("crossdock_intake_total", "outcome" => "challenge").increment(1);
        return reply;
    }
    let delivery = match delivery.verify(&open.verifier) {
        Ok(delivery) => delivery,
        Err(refusal) => {
            state.refused.count(connection_id, refusal.reason());
            return Reply::refused(refusal);
        }
    };
    let wire = delivery.into_wire(open, topic_in_path, state.now());
    let reply = store(state, open, wire).await;
    metrics::histogram!("crossdock_intake_seconds").record(began.elapsed().as_secs_f64());
    reply
}

async fn store(state: &IngressState, open: &OpenEndpoint, wire: WireDelivery) -> Reply {
    let arrival = Arrival::of(&wire);
    let stored = state.store.append_inbox(vec![wire], None).await;
    arrival.told(&state.traces, stored.is_ok(), state.now());
    match stored {
        Ok(()) => {
            metrics::counter!("crossdock_intake_total", "outcome" => "accepted").increment(1);
            Reply {
                status: open.ack_status,
                body: open.ack_body.clone(),
                content_type: ContentType::Shared(open.ack_content_type.clone()),
                retry_after: None,
            }
        }
        Err(error) => {
            // Said once per request at debug level: a full disk under load would fill the log.
            tracing::debug!(connection = %open.connection_id, %error, "not stored");
            metrics::counter!("crossdock_intake_total", "outcome" => "unavailable").increment(1);
            Reply::later()
        }
    }
}
