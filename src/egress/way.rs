//! How a subscription's events go out: as signed webhooks, or to a broker; its address says which.
//!
//! What always holds: the body is the same JSON on every way, and the id that the receiver dedupes
//! by is the event's at every attempt (a replay has one of its own).

use super::nats::{Address, is_broker};
use super::plan::webhook_id;
use super::sender::{Outgoing, Sender};
use super::sign::Signer;
use super::supervisor::EgressDeps;
use crate::canonical::Timestamp;
use crate::store::query::{DeliveryRow, RenderedEvent, Subscription};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// What makes an event ready to go, and what sends it.
pub(super) struct Way {
    /// The address and the secret that it is made of.
    of: (String, SecretString),
    kind: Kind,
    sender: Arc<dyn Sender>,
}

enum Kind {
    Webhook { signer: Box<Signer> },
    Broker { prefix: String },
}

impl Way {
    /// The way of a subscription, with its unsealed secret.
    pub(super) fn of(
        deps: &EgressDeps,
        subscription: &Subscription,
        secret: &SecretString,
    ) -> Result<Self, String> {
        let of = (subscription.url.clone(), secret.clone());
        if !is_broker(&subscription.url) {
            let signer = Signer::new(secret).map_err(|error| error.to_string())?;
            let signer = Box::new(signer);
            return Ok(Self {
                of,
                kind: Kind::Webhook { signer },
                sender: deps.sender.clone(),
            });
        }
        let at = Address::parse(&subscription.url)?;
        Ok(Self {
            of,
            sender: deps.brokers.broker(&at, secret)?,
            kind: Kind::Broker { prefix: at.prefix },
        })
    }

    /// Whether it is still the way of this subscription with this secret.
    pub(super) fn is_of(&self, subscription: &Subscription, secret: &SecretString) -> bool {
        self.of.0 == subscription.url && self.of.1.expose_secret() == secret.expose_secret()
    }

    /// What sends.
    pub(super) fn sender(&self) -> Arc<dyn Sender> {
        self.sender.clone()
    }

    /// An event, or a row of it, ready to go.
    pub(super) fn outgoing(
        &self,
        event: &RenderedEvent,
        row: Option<&DeliveryRow>,
        now: Timestamp,
    ) -> Outgoing {
        let id = webhook_id(event.id, row);
        let body = body_of(event, row);
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(original) = row.and_then(|row| row.replay_of) {
            headers.push(("crossdock-replay-of", original.to_string()));
        }
        let url = match &self.kind {
            Kind::Webhook { signer } => {
                let timestamp = now.as_second();
                headers.push(("webhook-signature", signer.sign(&id, timestamp, &body)));
                headers.push(("webhook-timestamp", timestamp.to_string()));
                headers.push(("webhook-id", id));
                self.of.0.clone()
            }
            Kind::Broker { prefix } => {
                headers.push(("crossdock-sequence", event.sequence.to_string()));
                headers.push(("Nats-Msg-Id", id));
                format!("{prefix}.{}.{}", event.merchant_id, event.kind.as_str())
            }
        };
        Outgoing { url, headers, body }
    }
}

/// The event's JSON; a replay says so in its body too.
fn body_of(event: &RenderedEvent, row: Option<&DeliveryRow>) -> Bytes {
    let Some(original) = row.and_then(|row| row.replay_of) else {
        return event.json.clone();
    };
    let Some(rest) = event.json.strip_prefix(b"{") else {
        return event.json.clone();
    };
    let mut body = format!("{{\"replay_of\":\"{original}\",").into_bytes();
    body.extend_from_slice(rest);
    Bytes::from(body)
}
