//! Sends webhooks: one after another, over real HTTP, signed by the manifest's `verify`.
//!
//! What always holds: who gets a topic, the headers and what a failure does are the folder's data; the bytes that are signed are
//! the bytes that are sent.

use super::SimError;
use super::engine::{Engine, Place};
use super::faults::Faults;
use crate::manifest::model::{Encoding, HashAlgorithm, Verify};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a program wants to be sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    /// Whom it concerns; receivers are those that registered it.
    #[serde(default)]
    pub topic: Option<String>,
    /// The JSON body.
    #[serde(default)]
    pub body: Value,
    /// Or: a receiver outright (a ping), unsigned, form-encoded.
    #[serde(default)]
    pub url: Option<String>,
    /// The ping's fields.
    #[serde(default)]
    pub form: Option<Map<String, Value>>,
    /// What `delivered` sees as its target, for pings.
    #[serde(default)]
    pub target: Value,
    /// Which delivery of this simulator it is: the same when it is sent twice.
    #[serde(skip)]
    serial: u64,
}

/// How many were sent.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sent: AtomicU64,
    accepted: AtomicU64,
    failed: AtomicU64,
    waiting: AtomicU64,
}

impl Counters {
    pub(crate) fn to_json(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({"sent": read(&self.sent), "accepted": read(&self.accepted), "failed": read(&self.failed), "waiting": read(&self.waiting)})
    }
}

/// The queue's door.
#[derive(Clone)]
pub(crate) struct Emitter {
    queue: mpsc::UnboundedSender<Webhook>,
    serial: Arc<AtomicU64>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) faults: Arc<Faults>,
    /// Rings after every change of the state or the counters.
    pub(crate) bell: Bell,
}

/// Rings; what it counts means nothing.
pub(crate) type Bell = Arc<watch::Sender<u64>>;

/// Rings a bell.
pub(crate) fn ring(bell: &Bell) {
    bell.send_modify(|n| *n = n.wrapping_add(1));
}

impl Emitter {
    /// Starts the sender.
    pub(crate) fn start(
        engine: Engine,
        verify: Option<Verify>,
    ) -> Result<(Self, tokio::task::AbortHandle), SimError> {
        let (queue, inbox) = mpsc::unbounded_channel();
        let emitter = Self {
            queue,
            serial: Arc::default(),
            counters: Arc::default(),
            faults: Arc::default(),
            bell: Arc::new(watch::channel(0).0),
        };
        let client = client().map_err(|error| SimError::Start(error.to_string()))?;
        let sender = Sender {
            engine,
            verify,
            client,
            counters: Arc::clone(&emitter.counters),
            faults: Arc::clone(&emitter.faults),
            bell: Arc::clone(&emitter.bell),
        };
        let task = tokio::spawn(sender.run(inbox)).abort_handle();
        Ok((emitter, task))
    }

    /// Puts webhooks into the queue.
    pub(crate) fn send(&self, webhooks: Vec<Webhook>) {
        for mut webhook in webhooks {
            webhook.serial = self.serial.fetch_add(1, Ordering::Relaxed) + 1;
            self.counters.waiting.fetch_add(1, Ordering::Relaxed);
            // The task ends only with the simulator.
            let _ = self.queue.send(webhook);
        }
    }
}

/// An HTTP client that follows nothing.
pub(crate) fn client() -> Result<reqwest::Client, crate::operation::client::ClientError> {
    crate::operation::client::own_client(TIMEOUT)
}

struct Sender {
    engine: Engine,
    verify: Option<Verify>,
    client: reqwest::Client,
    counters: Arc<Counters>,
    faults: Arc<Faults>,
    bell: Bell,
}

impl Sender {
    async fn run(self, mut inbox: mpsc::UnboundedReceiver<Webhook>) {
        let mut held_back: Option<Webhook> = None;
        while let Some(webhook) = inbox.recv().await {
            let fault = if webhook.url.is_none() {
                self.faults.for_webhook()
            } else {
                None
            }
            .unwrap_or_default();
            if fault.reorder_webhooks && held_back.is_none() {
                held_back = Some(webhook);
                continue;
            }
            if !fault.drop_webhooks {
                self.deliver(&webhook).await;
            }
            if fault.double_webhooks {
                self.deliver(&webhook).await;
            }
            self.done_with_one();
            if let Some(earlier) = held_back.take() {
                self.deliver(&earlier).await;
                self.done_with_one();
            }
        }
    }

    fn done_with_one(&self) {
        self.counters.waiting.fetch_sub(1, Ordering::Relaxed);
        ring(&self.bell);
    }

    async fn deliver(&self, webhook: &Webhook) {
        let targets = match (&webhook.url, &webhook.topic) {
            (Some(url), _) => vec![(url.clone(), webhook.target.clone())],
            (None, Some(topic)) => self.targets(topic).await,
            (None, None) => Vec::new(),
        };
        for (url, target) in targets {
            let request = match &webhook.form {
                Some(form) => self
                    .client
                    .post(&url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(form_text(form)),
                None => self.signed(&url, webhook, &target).await,
            };
            let status = request
                .send()
                .await
                .ok()
                .map(|answer| answer.status().as_u16());
            self.counters.sent.fetch_add(1, Ordering::Relaxed);
            let accepted = status.is_some_and(|status| (200..300).contains(&status));
            if accepted {
                &self.counters.accepted
            } else {
                &self.counters.failed
            }
            .fetch_add(1, Ordering::Relaxed);
            let told = self
                .engine
                .change(
                    Place::Delivered,
                    json!({"topic": webhook.topic, "target": target, "status": status}),
                )
                .await;
            if let Err(error) = told {
                tracing::warn!(error, "the simulator's `delivered` failed");
            }
        }
    }

    async fn targets(&self, topic: &str) -> Vec<(String, Value)> {
        match self
            .engine
            .look(Place::Targets, json!({"topic": topic}))
            .await
        {
            Ok(Value::Array(targets)) => targets
                .into_iter()
                .filter_map(|target| Some((target.get("url")?.as_str()?.to_owned(), target)))
                .collect(),
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::warn!(error, "the simulator's `targets` failed");
                Vec::new()
            }
        }
    }

    async fn signed(
        &self,
        url: &str,
        webhook: &Webhook,
        target: &Value,
    ) -> reqwest::RequestBuilder {
        let body = webhook.body.to_string();
        let mut request = self
            .client
            .post(url)
            .header("content-type", "application/json");
        let input = json!({"topic": webhook.topic, "target": target, "delivery": webhook.serial});
        if let Ok(Value::Object(headers)) = self.engine.look(Place::Headers, input).await {
            for (name, value) in &headers {
                request = request.header(name, value.as_str().unwrap_or_default());
            }
        }
        if let (Some(verify), Some(secret)) =
            (&self.verify, target.get("secret").and_then(Value::as_str))
            && let Some((header, signature)) = sign(verify, secret, body.as_bytes())
        {
            request = request.header(header, signature);
        }
        request.body(body)
    }
}

/// Header and signature of a body, as the provider makes them; `None` when it signs nothing.
pub fn sign(verify: &Verify, secret: &str, body: &[u8]) -> Option<(String, String)> {
    let Verify::Hmac {
        algorithm,
        header,
        encoding,
        prefix,
        ..
    } = verify
    else {
        return None;
    };
    let text = digest(*algorithm, *encoding, secret, body);
    Some((
        header.clone(),
        format!("{}{text}", prefix.as_deref().unwrap_or_default()),
    ))
}

/// An HMAC as text.
pub(crate) fn digest(
    algorithm: HashAlgorithm,
    encoding: Encoding,
    secret: &str,
    message: &[u8],
) -> String {
    let digest = match algorithm {
        HashAlgorithm::Sha1 => mac::<Hmac<sha1::Sha1>>(secret, message),
        HashAlgorithm::Sha256 => mac::<Hmac<sha2::Sha256>>(secret, message),
        HashAlgorithm::Sha512 => mac::<Hmac<sha2::Sha512>>(secret, message),
    };
    match encoding {
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(digest),
        Encoding::Hex => hex::encode(digest),
    }
}

fn mac<M: Mac + KeyInit>(secret: &str, body: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    <M as KeyInit>::new_from_slice(secret.as_bytes()).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        },
    )
}

fn form_text(form: &Map<String, Value>) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        text.append_pair(name, value.as_str().unwrap_or(&value.to_string()));
    }
    text.finish()
}

/// Webhooks that a program yielded.
pub(crate) fn read(value: Option<&Value>) -> Result<Vec<Webhook>, String> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => {
            Vec::<Webhook>::deserialize(list).map_err(|error| format!("webhooks: {error}"))
        }
    }
}

/// The counters and faults as `GET /_sim/state` shows them.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    pub webhooks: Value,
    pub faults: Vec<super::faults::Fault>,
}
