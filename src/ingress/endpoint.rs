//! One connection, ready to receive: everything a request needs, computed once.

use super::challenge::PreparedChallenge;
use super::verify::{Verifier, former_until};
use super::{Headers, MAX_BODY};
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::manifest::model::{Topic, Webhooks};
use bytes::Bytes;
use secrecy::SecretString;
use std::collections::BTreeMap;

/// What stands behind `/hooks/{connection_id}`.
#[derive(Debug)]
pub enum Endpoint {
    /// No such connection, or its connector has no webhooks: 404.
    Unknown,
    /// The connection was deleted: 410.
    Gone,
    /// The connector's folder is not usable at the moment: 503, so that the sender repeats it.
    Broken,
    /// Takes deliveries, whether active, observing, paused or suspended (DECISIONS 16).
    Open(Box<OpenEndpoint>),
}

/// A connection that takes deliveries.
#[derive(Debug)]
pub struct OpenEndpoint {
    /// Which.
    pub connection_id: ConnectionId,
    /// Whose.
    pub merchant_id: MerchantId,
    /// The connection's version this was made of.
    pub version: u64,
    /// Largest body.
    pub max_body: usize,
    /// Requests that are no deliveries.
    pub challenges: Vec<PreparedChallenge>,
    /// The proof.
    pub verifier: Verifier,
    /// From this moment on it is to be prepared anew: a former secret ends.
    pub good_until: Option<Timestamp>,
    topic: TopicPlace,
    dedupe_header: Option<String>,
    keep_headers: Vec<String>,
    /// The acknowledgement's status.
    pub ack_status: u16,
    /// The acknowledgement's body.
    pub ack_body: Bytes,
    /// The acknowledgement's content type; shared, so that a reply copies a pointer.
    pub ack_content_type: std::sync::Arc<str>,
}

#[derive(Debug)]
enum TopicPlace {
    Header(String),
    Path,
    Fixed(String),
    /// Inside the body: read when it is mapped, since nothing is parsed before it is durable.
    Body,
}

impl Endpoint {
    /// Prepares a connection's endpoint as of `now`. `webhooks` is the connector's table.
    pub fn prepare(
        connection: &Connection,
        webhooks: &Webhooks,
        credentials: &BTreeMap<String, SecretString>,
        now: Timestamp,
    ) -> Self {
        if connection.state == ConnectionState::Deleted {
            return Endpoint::Gone;
        }
        let lower = |name: &String| name.to_ascii_lowercase();
        Endpoint::Open(Box::new(OpenEndpoint {
            connection_id: connection.id,
            merchant_id: connection.merchant_id,
            version: connection.version,
            max_body: webhooks.max_body.map_or(MAX_BODY, |s| s.0.min(MAX_BODY)),
            challenges: webhooks
                .challenges
                .iter()
                .filter_map(PreparedChallenge::prepare)
                .collect(),
            verifier: Verifier::prepare(&webhooks.verify, &connection.settings, credentials, now),
            good_until: former_until(&webhooks.verify, credentials).filter(|until| *until > now),
            topic: match &webhooks.topic {
                Topic::Header(name) => TopicPlace::Header(lower(name)),
                Topic::Path => TopicPlace::Path,
                Topic::Fixed(topic) => TopicPlace::Fixed(topic.clone()),
                Topic::Jq(_) => TopicPlace::Body,
            },
            dedupe_header: webhooks.dedupe_header.as_ref().map(lower),
            keep_headers: webhooks.keep_headers.iter().map(lower).collect(),
            ack_status: webhooks.acknowledge.status,
            ack_body: Bytes::from(webhooks.acknowledge.body.clone()),
            ack_content_type: webhooks.acknowledge.content_type.as_str().into(),
        }))
    }
}

impl Endpoint {
    /// Must it be prepared anew by now?
    pub fn is_stale(&self, now: Timestamp) -> bool {
        match self {
            Endpoint::Open(open) => open.good_until.is_some_and(|until| until <= now),
            Endpoint::Unknown | Endpoint::Gone | Endpoint::Broken => false,
        }
    }
}

impl OpenEndpoint {
    /// The topic, as far as headers and path tell it; empty when the body tells it, or nobody.
    pub fn topic(&self, in_path: Option<&str>, headers: &dyn Headers) -> String {
        match &self.topic {
            TopicPlace::Header(name) => headers.text(name).unwrap_or_default().trim().to_owned(),
            TopicPlace::Path => in_path.unwrap_or_default().to_owned(),
            TopicPlace::Fixed(topic) => topic.clone(),
            TopicPlace::Body => String::new(),
        }
    }
    /// The provider's delivery id, where the manifest says it is unique per delivery.
    pub fn dedupe_key(&self, headers: &dyn Headers) -> Option<String> {
        let name = self.dedupe_header.as_deref()?;
        let key = headers.text(name)?.trim();
        (!key.is_empty()).then(|| key.to_owned())
    }
    /// The headers that mappings may see.
    pub fn kept_headers(&self, headers: &dyn Headers) -> Vec<(String, String)> {
        self.keep_headers
            .iter()
            .filter_map(|name| {
                let value = String::from_utf8_lossy(headers.value(name)?).into_owned();
                Some((name.clone(), value))
            })
            .collect()
    }
}
