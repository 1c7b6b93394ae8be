//! Sends finished spans to the collector: OTLP over HTTP, protobuf, many spans a request.
//!
//! What always holds: nobody but this task waits for the collector; a collector that is down or slow
//! costs the spans that do not fit into the queue, and each of them is counted; the end takes
//! [`LAST`] at most. Errors name no address and no header.

use super::span::attribute;
use super::{Attribute, count, proto};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

/// Spans of one request.
const MOST: usize = 512;
/// So long spans are gathered for one request.
const LINGER: Duration = Duration::from_millis(500);
/// The collector has so long to answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// A request is tried so often while the collector is down.
const TRIES: u32 = 5;
/// The pause before the second try; the others are twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest wait that the collector can ask for.
const LONGEST: Duration = Duration::from_secs(30);
/// What is left when the gateway stops is sent within this time, or counted as lost.
const LAST: Duration = Duration::from_secs(3);
/// Bytes of an answer that are looked at.
const MAX_ANSWER: usize = 64 << 10;

/// A queue whose spans nobody sends yet.
pub struct Waiting {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) spans: mpsc::Receiver<proto::Span>,
}

/// Sends spans until it is closed.
pub struct Exporter {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Waiting {
    /// Sends from now on, in the name of this node.
    pub fn start(self, client: reqwest::Client, node: &str) -> Exporter {
        let (stop, stopped) = oneshot::channel();
        let mut headers = self.headers;
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(CONTENT_TYPE, protobuf);
        let sending = Sending {
            client,
            url: self.url,
            headers,
            resource: resource(node),
            down: false,
        };
        let task = tokio::spawn(sending.run(self.spans, stopped));
        Exporter { stop, task }
    }
}

impl Exporter {
    /// Sends what is left, within [`LAST`], and ends.
    pub async fn close(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "sending traces ended badly");
        }
    }
}

/// Who speaks: this program, in this version, on this node.
fn resource(node: &str) -> Resource {
    let told = [
        ("service.name", "crossdock"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", node),
    ];
    let told = told.into_iter();
    Resource {
        attributes: told
            .filter_map(|(key, value)| Some(attribute(key, value.value()?)))
            .collect(),
        ..Resource::default()
    }
}

struct Sending {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    resource: Resource,
    /// The last word of the log was that the collector takes nothing.
    down: bool,
}

/// What became of one request.
enum Posted {
    /// Taken, but for so many spans.
    Taken(u64),
    /// Not now; perhaps after this time.
    NotNow(&'static str, Option<Duration>),
    /// Never.
    Refused(u16),
}

impl Sending {
    async fn run(
        mut self,
        mut spans: mpsc::Receiver<proto::Span>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let mut batch = Vec::new();
        loop {
            // What a stop cuts off is still in `batch`.
            let round = async {
                let more = gather(&mut spans, &mut batch).await;
                self.deliver(&mut batch).await;
                more
            };
            tokio::select! {
                _ = &mut stopped => break,
                more = round => if !more { return },
            }
        }
        spans.close();
        let rest = async {
            loop {
                if self.send(&mut batch).await.is_err() {
                    return;
                }
                let room = MOST - batch.len().min(MOST);
                if spans.recv_many(&mut batch, room).await == 0 {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(LAST, rest).await;
        lose(&mut batch, spans.len());
    }

    /// Sends a batch; it is empty afterwards, whatever became of it.
    async fn deliver(&mut self, batch: &mut Vec<proto::Span>) {
        let mut pause = PAUSE;
        for n in 1..=TRIES {
            let Err(asked) = self.send(batch).await else {
                return;
            };
            if n < TRIES {
                let spread = rand::random_range(0.75..1.25);
                let wait = asked.map_or(pause.mul_f64(spread), |asked| asked.min(LONGEST));
                tokio::time::sleep(wait).await;
                pause *= 2;
            }
        }
        lose(batch, 0);
    }

    /// One request. The batch is empty afterwards, but for an error: not now, perhaps after a time.
    async fn send(&mut self, batch: &mut Vec<proto::Span>) -> Result<(), Option<Duration>> {
        if batch.is_empty() {
            return Ok(());
        }
        let spans = batch.len() as u64;
        match self.post(encode(&self.resource, batch)).await {
            Posted::Taken(rejected) => {
                let rejected = rejected.min(spans);
                count("sent", spans - rejected);
                if rejected > 0 {
                    count("refused", rejected);
                    tracing::warn!(rejected, "the collector did not take some spans");
                }
                if std::mem::take(&mut self.down) {
                    tracing::info!("the collector takes traces again");
                }
            }
            Posted::NotNow(why, asked) => {
                if !std::mem::replace(&mut self.down, true) {
                    tracing::warn!(
                        why,
                        "the collector takes no traces now; what does not fit into the queue is lost"
                    );
                }
                return Err(asked);
            }
            Posted::Refused(status) => {
                count("refused", spans);
                if !std::mem::replace(&mut self.down, true) {
                    tracing::warn!(status, "the collector refuses traces");
                }
            }
        }
        batch.clear();
        Ok(())
    }

    async fn post(&self, body: Bytes) -> Posted {
        let request = self.client.post(self.url.clone());
        let sent = request.headers(self.headers.clone()).body(body).send();
        let answer = match sent.await {
            Ok(answer) => answer,
            Err(error) if error.is_timeout() => return Posted::NotNow("no answer in time", None),
            Err(error) if error.is_connect() => return Posted::NotNow("no connection", None),
            Err(_) => return Posted::NotNow("the connection broke", None),
        };
        let status = answer.status().as_u16();
        let asked = retry_after(answer.headers());
        match status {
            200..=299 => match read(answer).await {
                Some(body) => Posted::Taken(rejected(&body)),
                None => Posted::Taken(0),
            },
            429 => Posted::NotNow("429", asked),
            502 => Posted::NotNow("502", asked),
            503 => Posted::NotNow("503", asked),
            504 => Posted::NotNow("504", asked),
            _ => Posted::Refused(status),
        }
    }
}

/// Waits for spans, then a little for more. False when nobody can bring any more.
async fn gather(spans: &mut mpsc::Receiver<proto::Span>, batch: &mut Vec<proto::Span>) -> bool {
    if batch.is_empty() && spans.recv_many(batch, MOST).await == 0 {
        return false;
    }
    let until = Instant::now() + LINGER;
    while let Some(room) = MOST.checked_sub(batch.len()).filter(|room| *room > 0) {
        match tokio::time::timeout_at(until, spans.recv_many(batch, room)).await {
            Ok(0) => return false,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    true
}

/// Counts what is given up: the batch, and so many others.
fn lose(batch: &mut Vec<proto::Span>, others: usize) {
    let lost = (batch.len() + others) as u64;
    if lost > 0 {
        count("unsent", lost);
        tracing::warn!(
            spans = lost,
            "spans were given up: the collector did not take them"
        );
    }
    batch.clear();
}

fn encode(resource: &Resource, spans: &[proto::Span]) -> Bytes {
    let scope = InstrumentationScope {
        name: "crossdock".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![proto::ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![proto::ScopeSpans {
                scope: Some(scope),
                spans: spans.to_vec(),
                ..proto::ScopeSpans::default()
            }],
            ..proto::ResourceSpans::default()
        }],
    };
    request.encode_to_vec().into()
}

/// The answer's body, if it is small and comes whole.
async fn read(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// How many spans a collector that took the request did not take.
fn rejected(body: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(body).unwrap_or_default();
    let partly = answer.partial_success.unwrap_or_default();
    u64::try_from(partly.rejected_spans).unwrap_or_default()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    seconds.parse().ok().map(Duration::from_secs)
}
