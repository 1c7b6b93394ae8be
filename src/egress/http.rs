//! Webhooks over the guarded HTTP client.
//!
//! What always holds: bounded in time, redirects are not followed, private addresses are refused
//! unless allowed, the subscriber's answer is capped and not kept.

use super::sender::{Outgoing, Sender, Verdict, verdict_of};
use crate::operation::client::{Answer, Failure, GuardedClient, SendError, SendLimits};
use crate::operation::planned::PlannedRequest;
use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// A subscriber has so long to answer (Standard Webhooks: 15 to 30 s).
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read, to keep the connection.
const MAX_ANSWER: usize = 64 << 10;
/// The longest wait that a subscriber can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Sends webhooks with the gateway's one HTTP client.
#[derive(Clone)]
pub struct HttpSender(GuardedClient);

impl HttpSender {
    /// A sender over this client.
    pub const fn new(client: GuardedClient) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, outgoing: Outgoing) -> Verdict {
        let Some(request) = plan(outgoing) else {
            return down(None, "the endpoint's address is no URL");
        };
        let limits = SendLimits {
            timeout: TIMEOUT,
            max_body: MAX_ANSWER,
        };
        match self.0.send(&request, limits).await {
            Ok(answer) => verdict_of(answer.status, retry_after(&answer)),
            Err(error) => failed(&error),
        }
    }
}

fn plan(outgoing: Outgoing) -> Option<PlannedRequest> {
    let url = url::Url::parse(&outgoing.url).ok()?;
    let mut headers = HeaderMap::with_capacity(outgoing.headers.len());
    for (name, value) in outgoing.headers {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(&value).ok()?,
        );
    }
    Some(PlannedRequest::new(
        reqwest::Method::POST,
        url,
        headers,
        outgoing.body,
    ))
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds = answer
        .headers
        .get("retry-after")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// An answer too large to read was an answer all the same: its status counts.
fn failed(error: &SendError) -> Verdict {
    match (error.failure, error.status) {
        (Failure::TooLarge | Failure::Undecodable | Failure::Broken, Some(status)) => {
            verdict_of(status, None)
        }
        (failure, status) => down(status, failure.code()),
    }
}

fn down(status: Option<u16>, why: &str) -> Verdict {
    Verdict::Down {
        status,
        why: why.to_owned(),
        retry_after: None,
    }
}
