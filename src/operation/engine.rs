//! One request of a run: paced, planned, announced, sent, judged.
//!
//! What always holds: the permit comes first (a signature is then fresh), the observer's durable
//! word last before sending; nothing is sent after the lease less the time-out; whatever the
//! answer says about pace and health reaches limiter and circuit before anyone else may call.

use super::auth::{self, Signing};
use super::circuit::{Circuits, Passage};
use super::classify::{Judge, Outcome};
use super::client::{Answer, GuardedClient, SendError, SendLimits};
use super::credentials::Credentials;
use super::decode::{self, Decoded};
use super::limit::{LimitError, Limiter, Permit};
use super::observer::{Observer, Refused};
use super::planned::PlannedRequest;
use super::provider::Provider;
use super::request::{Turn, plan};
use super::value::{int, object, text, with};
use super::{retry, retry_after, tell};
use crate::canonical::job::Lane;
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, ConnectionId, OrderId, Timestamp};
use crate::clock::{Clock, after, before, between};
use crate::manifest::model::{Limits, Step};
use crate::telemetry::trace::{Trace, Traces};
use jaq_json::Val;
use reqwest::header::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// What all calls of a node share. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Sends.
    pub client: GuardedClient,
    /// The pace of connections.
    pub limiter: Arc<Limiter>,
    /// The health of connections.
    pub circuits: Arc<Circuits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where runs and attempts are told as spans.
    pub traces: Traces,
}

/// What stays the same for all requests of a run.
pub(super) struct Line<'a> {
    pub provider: &'a dyn Provider,
    pub operation: &'a str,
    pub lane: Lane,
    pub connection: ConnectionId,
    pub credentials: &'a Credentials,
    pub limits: &'a Limits,
    /// How many calls of the pace each of its calls is.
    pub weight: u32,
    pub send_until: Timestamp,
    /// Of which order the run is, if of one.
    pub order: Option<OrderId>,
    /// Where its attempts are told as spans.
    pub trace: Option<Trace>,
}

/// A request that was sent, and what came of it.
pub(super) struct Exchange {
    pub attempt: AttemptId,
    pub request: PlannedRequest,
    pub outcome: Outcome,
    /// The outcome is a failure that the step takes for a success.
    pub accepted: bool,
    /// None when the answer is lost.
    pub answer: Option<Answer>,
    /// The context after the answer: `.status`, `.headers`, `.body`, `.request` are there.
    pub context: Val,
    pub duration: Duration,
    pub frozen_until: Option<Timestamp>,
}

/// Why nothing was sent.
pub(super) enum Unsent {
    /// For this reason.
    Because(Outcome),
    /// The observer refused.
    Refused(Refused),
    /// The attempt was announced and then not sent.
    Announced(AttemptId, Outcome),
}

impl From<Refused> for Unsent {
    fn from(refused: Refused) -> Self {
        Unsent::Refused(refused)
    }
}

impl Engine {
    pub(super) async fn exchange(
        &self,
        line: &Line<'_>,
        step: &Step,
        context: &Val,
        turn: &Turn,
        observer: &mut dyn Observer,
    ) -> Result<Exchange, Unsent> {
        let transport = &line.provider.manifest().transport;
        let deadline = before(line.send_until, transport.timeout.0);
        let asked = self.clock.elapsed();
        let passage = self.passage(line, deadline).await;
        let waited = self.clock.elapsed().saturating_sub(asked);
        tell::waited(line, waited);
        let permit = passage.map_err(Unsent::Because)?;
        let signing = Signing::at(self.clock.now());
        let planned = plan(
            line.provider,
            step,
            context,
            line.credentials,
            &signing,
            turn,
        );
        let request = planned.map_err(|error| {
            Unsent::Because(Outcome::failed(
                error.class(),
                error.code(),
                &error.to_string(),
            ))
        })?;
        let attempt = observer.before_send(&step.name, &request).await?;
        if self.clock.now() > deadline {
            return Err(Unsent::Announced(attempt, lease_over()));
        }
        let limits = SendLimits {
            timeout: transport.timeout.0,
            max_body: transport.max_body.0,
        };
        let started = self.clock.elapsed();
        let sent = self.client.send(&request, limits).await;
        let duration = self.clock.elapsed().saturating_sub(started);
        let (outcome, answer, context) = self.judge(line, step, context, &request, sent);
        let frozen_until = self.learn(line, &outcome, answer.as_ref(), &context);
        drop(permit);
        let exchange = Exchange {
            attempt,
            request,
            outcome,
            accepted: false,
            answer,
            context,
            duration,
            frozen_until,
        };
        tell::attempt(line, &step.name, &exchange, waited, self.clock.now());
        Ok(exchange)
    }

    /// An answer that was kept, read as if it came now. Nothing is sent.
    pub(super) fn reuse(
        &self,
        line: &Line<'_>,
        step: &Step,
        context: &Val,
        attempt: AttemptId,
        answer: Answer,
    ) -> Result<Exchange, Outcome> {
        let signing = Signing::at(self.clock.now());
        let turn = Turn::default();
        let planned = plan(
            line.provider,
            step,
            context,
            line.credentials,
            &signing,
            &turn,
        );
        let request = planned
            .map_err(|error| Outcome::failed(error.class(), error.code(), &error.to_string()))?;
        let (outcome, answer, context) = self.judge(line, step, context, &request, Ok(answer));
        Ok(Exchange {
            attempt,
            request,
            outcome,
            accepted: false,
            answer,
            context,
            duration: Duration::ZERO,
            frozen_until: None,
        })
    }

    /// A permit, and the circuit's leave to use it.
    async fn passage(&self, line: &Line<'_>, deadline: Timestamp) -> Result<Permit, Outcome> {
        let acquired = self
            .limiter
            .acquire(line.connection, line.lane, line.limits, deadline)
            .await;
        let now = self.clock.now();
        let permit = acquired.map_err(|error| {
            let wait = match error {
                LimitError::Frozen(until) => between(now, until),
                LimitError::Busy => Duration::from_secs(1),
            };
            paused("limit_wait", &error.to_string(), wait)
        })?;
        permit.counts_for(line.weight);
        if now > deadline {
            return Err(lease_over());
        }
        match self
            .circuits
            .ask(line.connection, &line.provider.manifest().retry, now)
        {
            Passage::Go | Passage::Probe => Ok(permit),
            Passage::Wait(until) => {
                let why =
                    "the provider has failed several times in a row and is left alone for a while";
                Err(paused("circuit_open", why, between(now, until)))
            }
            Passage::Stopped => {
                let why = "the provider refused the credentials; they must be mended first";
                Err(Outcome::failed(
                    Class::AuthBroken,
                    "credentials_refused",
                    why,
                ))
            }
        }
    }

    fn judge(
        &self,
        line: &Line<'_>,
        step: &Step,
        context: &Val,
        request: &PlannedRequest,
        sent: Result<Answer, SendError>,
    ) -> (Outcome, Option<Answer>, Val) {
        let manifest = line.provider.manifest();
        let judge = Judge {
            provider: line.provider,
            operation: line.operation,
            repeatable: retry::repeatable(step.repeat, step.method),
            refreshable: manifest
                .auth
                .iter()
                .any(|entry| auth::refreshable(&entry.kind)),
            now: self.clock.now(),
        };
        match sent {
            Ok(answer) => {
                let format = manifest.transport.answer_format(step);
                let decoded = decode::decode(format, manifest.transport.skip_prelude, &answer);
                let context = answered(
                    context,
                    request,
                    Some(answer.status),
                    &answer.headers,
                    &decoded,
                );
                (
                    judge.answer(&answer, &decoded, &context),
                    Some(answer),
                    context,
                )
            }
            Err(error) => {
                let nothing = Decoded {
                    body: Val::Null,
                    fault: None,
                };
                let context = answered(context, request, error.status, &HeaderMap::new(), &nothing);
                (judge.lost(&error), None, context)
            }
        }
    }

    /// Pace and health after an answer. Returns until when the connection is frozen, if it is.
    fn learn(
        &self,
        line: &Line<'_>,
        outcome: &Outcome,
        answer: Option<&Answer>,
        context: &Val,
    ) -> Option<Timestamp> {
        let now = self.clock.now();
        let manifest = line.provider.manifest();
        let told = match outcome.class {
            Some(Class::Throttled) => Some(outcome.retry_after.unwrap_or(retry::THROTTLED)),
            Some(Class::Transient | Class::Ambiguous) => outcome.retry_after,
            _ => None,
        };
        let told = told.map(|wait| after(now, wait));
        let headers = line.limits.headers.as_ref().zip(answer);
        let used_up = headers
            .and_then(|(rule, answer)| retry_after::from_limit_headers(rule, &answer.headers, now));
        let cost = line.limits.cost.as_ref().filter(|_| answer.is_some());
        let short = cost.and_then(|cost| retry_after::from_cost(cost, line.provider, context));
        let short = short.map(|wait| after(now, wait));
        if let Some(until) = told.max(used_up).max(short) {
            self.limiter.freeze_until(line.connection, until);
        }
        self.circuits
            .note(line.connection, &manifest.retry, outcome, now);
        self.limiter.frozen_until(line.connection)
    }
}

/// The context after an answer.
fn answered(
    context: &Val,
    request: &PlannedRequest,
    status: Option<u16>,
    headers: &HeaderMap,
    decoded: &Decoded,
) -> Val {
    let described = object([
        ("method", text(request.method.as_str())),
        ("url", text(&request.masked_url())),
    ]);
    let context = with(
        context,
        "status",
        status.map_or(Val::Null, |status| int(status.into())),
    );
    let context = with(&context, "headers", self::headers(headers));
    let context = with(&context, "request", described);
    with(&context, "body", decoded.body.clone())
}

/// Headers as expressions see them: lower-case names, repeated ones joined.
pub(super) fn headers(headers: &HeaderMap) -> Val {
    object(headers.keys().map(|name| {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()))
            .collect();
        (name.as_str(), text(&values.join(", ")))
    }))
}

/// Not now, and no attempt is spent.
fn paused(code: &str, message: &str, wait: Duration) -> Outcome {
    Outcome {
        retry_after: Some(wait),
        ..Outcome::failed(Class::Throttled, code, message)
    }
}

fn lease_over() -> Outcome {
    paused(
        "lease_over",
        "too little is left of the lease to wait for an answer",
        Duration::from_secs(1),
    )
}
