//! NATS JetStream as a subscriber: each event is published and its acknowledgement awaited.
//!
//! What always holds: an event counts as delivered when a stream has acknowledged it, also as a
//! duplicate; one connection for each server and credentials, shared by the subscriptions that use
//! it, made at the first delivery and closed with the last of them. Every connection goes to
//! addresses that the guard has passed, by number, so that a name server cannot lead it elsewhere;
//! servers that the broker tells of are not followed.

mod address;
mod credentials;
mod fault;
mod link;
mod tls;

pub use address::{Address, is_broker};
pub use credentials::Credentials;

use super::sender::{Outgoing, Sender, Verdict};
use crate::operation::guard::Lookup;
use async_nats::HeaderMap;
use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_trait::async_trait;
use link::Link;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A stream has so long to acknowledge.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What a delivery's row says of an event that is larger than the broker takes.
const TOO_LARGE: u16 = 413;

/// A server and how one is known there; credentials only as their hash.
type Key = (String, [u8; 32]);

/// Finds connections to brokers, for whoever publishes.
pub struct Brokers {
    guard: Guard,
    open: Mutex<HashMap<Key, Weak<Broker>>>,
}

/// Which addresses may be called.
#[derive(Clone)]
struct Guard {
    lookup: Arc<dyn Lookup>,
    allow_private: bool,
}

impl Brokers {
    /// Brokers whose names are looked up by `lookup`; private addresses only when allowed.
    pub fn new(lookup: Arc<dyn Lookup>, allow_private: bool) -> Self {
        let guard = Guard {
            lookup,
            allow_private,
        };
        Self {
            guard,
            open: Mutex::default(),
        }
    }

    /// The broker at this address, for these credentials (the sealed text of [`Credentials`]). It is
    /// connected to when something is to be sent.
    ///
    /// # Errors
    /// When the credentials cannot be read.
    pub fn broker(&self, at: &Address, secret: &SecretString) -> Result<Arc<Broker>, String> {
        let credentials = Credentials::unsealed(secret)?;
        let hash = Sha256::digest(secret.expose_secret().as_bytes());
        let key = (at.server(), hash.into());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, broker| broker.strong_count() > 0);
        if let Some(broker) = open.get(&key).and_then(Weak::upgrade) {
            return Ok(broker);
        }
        let broker = Arc::new(Broker {
            at: at.clone(),
            credentials,
            guard: self.guard.clone(),
            held: tokio::sync::Mutex::default(),
        });
        open.insert(key, Arc::downgrade(&broker));
        Ok(broker)
    }
}

/// One server, as one user.
pub struct Broker {
    at: Address,
    credentials: Credentials,
    guard: Guard,
    held: tokio::sync::Mutex<Held>,
}

#[derive(Default)]
struct Held {
    link: Option<Link>,
    /// When a connection could not be made last, and why.
    failed: Option<(Instant, &'static str)>,
}

impl Broker {
    /// The connection that is there, or a new one. Of many that ask at once one tries, and what it
    /// finds out is the answer to all.
    async fn link(&self) -> Result<Link, &'static str> {
        let asked = Instant::now();
        let mut held = self.held.lock().await;
        if let Some(link) = held.link.as_ref()
            && !link.is_lost()
        {
            return Ok(link.clone());
        }
        held.link = None;
        if let Some((at, why)) = held.failed
            && at >= asked
        {
            return Err(why);
        }
        match link::connect(&self.at, &self.credentials, &self.guard).await {
            Ok(link) => {
                held.link = Some(link.clone());
                Ok(link)
            }
            Err(why) => {
                held.failed = Some((Instant::now(), why));
                Err(why)
            }
        }
    }

    /// The next delivery connects anew, to wherever the name leads then.
    async fn forget(&self, link: &Link) {
        let mut held = self.held.lock().await;
        held.link.take_if(|held| held.is(link));
    }
}

#[async_trait]
impl Sender for Broker {
    /// Publishes; the target is the subject.
    async fn send(&self, outgoing: Outgoing) -> Verdict {
        let link = match self.link().await {
            Ok(link) => link,
            Err(why) => return down(why),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in outgoing.headers {
            headers.insert(name, value.as_str());
        }
        let (context, subject) = (link.context.clone(), outgoing.url);
        let publish = async move {
            let sent = context.publish_with_headers(subject, headers, outgoing.body);
            sent.await?.await
        };
        let published = tokio::select! {
            published = publish => published,
            () = link.lost() => return down("the connection to the broker was lost"),
            () = tokio::time::sleep(TIMEOUT * 2) => {
                self.forget(&link).await;
                return down("the broker takes nothing");
            }
        };
        match published {
            Ok(_) => Verdict::Delivered,
            Err(error) => self.refused(&link, &error).await,
        }
    }
}

impl Broker {
    async fn refused(&self, link: &Link, error: &PublishError) -> Verdict {
        match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => Verdict::Never {
                status: TOO_LARGE,
                why: format!(
                    "the event is larger than the broker takes ({} bytes with its headers)",
                    link.max_payload()
                ),
            },
            PublishErrorKind::StreamNotFound => down("no stream takes this subject"),
            PublishErrorKind::TimedOut => {
                self.forget(link).await;
                let why = if link.was_forbidden() {
                    "the broker does not let this user publish to this subject"
                } else {
                    "no stream acknowledged in time"
                };
                down(why)
            }
            PublishErrorKind::Other => answered(error),
            _ => {
                self.forget(link).await;
                down("the connection to the broker was lost")
            }
        }
    }
}

/// What a stream that answered with an error means: its codes are HTTP's.
fn answered(error: &PublishError) -> Verdict {
    let source = std::error::Error::source(error);
    let Some(answer) = source.and_then(|source| source.downcast_ref::<jetstream::Error>()) else {
        return down("the event could not be published");
    };
    if answer.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM {
        return Verdict::Never {
            status: TOO_LARGE,
            why: "the event is larger than the stream takes".to_owned(),
        };
    }
    match u16::try_from(answer.code()) {
        Ok(status @ 400..=499) => Verdict::Refused { status },
        _ => down(&format!(
            "the stream refuses (JetStream error {})",
            answer.error_code().0
        )),
    }
}

fn down(why: &str) -> Verdict {
    Verdict::Down {
        status: None,
        why: why.to_owned(),
        retry_after: None,
    }
}
