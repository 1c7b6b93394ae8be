//! Who watches a run: the caller, which writes down what must outlive a crash.
//!
//! What always holds: [`Observer::before_send`] has returned before the first byte leaves, so that
//! after a crash "not sent" and "outcome unknown" look different; records are handed over before
//! the step counts as done; a refusal of the observer stops the run before anything else is sent.

use super::classify::Outcome;
use super::client::Answer;
use super::planned::PlannedRequest;
use crate::canonical::{AttemptId, Timestamp};
use crate::mapping::Scope;
use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jaq_json::Val;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// Where a run goes on. `Default` is the start.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoint {
    /// The step to go on with (an index; as many as there are steps: nothing is left).
    pub step: u32,
    /// Items of that step's `for_each` that are done.
    pub item: u32,
    /// What earlier steps saved, by name.
    pub steps: Map<String, Value>,
    /// What the operation has learned about the connection so far.
    pub memory: Option<Value>,
    /// An answer of the step to go on with that could not be used: the call has happened and must
    /// not be made again, so the run begins with this answer instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<KeptAnswer>,
}

/// An answer that is kept because its call cannot be made again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptAnswer {
    /// The step's name.
    pub step: String,
    /// The item of its `for_each`.
    pub item: u32,
    /// HTTP status.
    pub status: u16,
    /// As sent; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes, base64.
    pub body: String,
}

/// Larger answers are not kept.
const KEPT_MOST: usize = 8 << 20;

impl KeptAnswer {
    /// Of this answer; none when it is too large to be kept.
    pub fn of(step: &str, item: u32, answer: &Answer) -> Option<Self> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        (answer.body.len() <= KEPT_MOST).then(|| Self {
            step: step.to_owned(),
            item,
            status: answer.status,
            headers: answer
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect(),
            body: BASE64_STANDARD.encode(&answer.body),
        })
    }

    /// The answer as it was; none when what was stored cannot be read.
    pub fn answer(&self) -> Option<Answer> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            headers.append(name, HeaderValue::try_from(value.as_str()).ok()?);
        }
        Some(Answer {
            status: self.status,
            headers,
            body: BASE64_STANDARD.decode(&self.body).ok()?.into(),
        })
    }
}

impl std::fmt::Debug for KeptAnswer {
    /// Without headers and body: an answer repeats addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptAnswer")
            .field("step", &self.step)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Checkpoint {
    /// From a job's `step` and `checkpoint`. What cannot be read is the start: steps that must not
    /// run twice are then looked up or parked by their `repeat`, as after any crash.
    pub fn read(step: u32, stored: &Value) -> Self {
        let read: Self = serde_json::from_value(stored.clone()).unwrap_or_default();
        if read.step == step {
            read
        } else {
            Self::default()
        }
    }

    /// For a job's `checkpoint`.
    pub fn json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// What an attempt came to, and where the run goes on after it: one transaction.
#[derive(Debug)]
pub struct Report<'a> {
    /// The step's name.
    pub step: &'a str,
    /// Success, an accepted class (then success too), or a failure.
    pub outcome: &'a Outcome,
    /// From the first byte sent to the last received.
    pub duration: Duration,
    /// Where the run goes on from now on; none when that did not change.
    pub checkpoint: Option<&'a Checkpoint>,
    /// The connection is frozen until then: to be stored with it.
    pub frozen_until: Option<Timestamp>,
}

/// Records that a step read.
#[derive(Debug)]
pub struct Page<'a> {
    /// The step's name.
    pub step: &'a str,
    /// The mapping that reads them.
    pub mapping: &'a str,
    /// The simple path to the list of records.
    pub records: &'a str,
    /// From 1.
    pub number: u64,
    /// In a `for_each`: which item, from 0.
    pub item: Option<u32>,
    /// The answer's bytes; or the JSON that the step composed of several answers.
    pub bytes: &'a Bytes,
    /// The same, decoded.
    pub body: &'a Val,
    /// True when the step composed it (it is JSON then, whatever the transport's format).
    pub composed: bool,
    /// What the mapping is given beside a record.
    pub scope: &'a Scope,
    /// No page follows.
    pub last: bool,
}

/// What the observer did with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageUse {
    /// Stored it: it is mapped elsewhere.
    Taken,
    /// Nothing: the run maps it and returns the records.
    Map,
    /// It read the records itself and they cannot be used: the answer counts as one that the
    /// connector's folder does not fit.
    Unusable {
        /// A stable code.
        code: String,
        /// Without values of the answer.
        message: String,
    },
}

/// The observer cannot go on: it lost its lease, the store is down. Nothing more is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run was stopped: {0}")]
pub struct Refused(pub String);

/// The caller's side of a run.
#[async_trait]
pub trait Observer: Send {
    /// A request is about to be sent: write the attempt durably, then return its id.
    async fn before_send(
        &mut self,
        step: &str,
        request: &PlannedRequest,
    ) -> Result<AttemptId, Refused>;
    /// True where a success whose answer cannot be used must never be called for again: the answer
    /// is kept in the checkpoint and read anew instead.
    fn keeps_answers(&self) -> bool {
        false
    }
    /// A kept answer is about to be read instead of sending the request of this step.
    async fn before_reuse(&mut self, _step: &str) -> Result<AttemptId, Refused> {
        Ok(AttemptId::new())
    }
    /// The attempt is over: write its outcome and the checkpoint, together.
    async fn after(&mut self, attempt: AttemptId, report: Report<'_>) -> Result<(), Refused>;
    /// A step with a mapping read records: store them (and a poll's cursor), before the next page
    /// is fetched. Called before [`Observer::after`] of the same attempt.
    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused>;
}
