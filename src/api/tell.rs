//! What is told of each request: a log event, the numbers, and, where a command was about an order, a
//! span in that order's trace.
//!
//! What always holds: route pattern, status and time, never paths, bodies or tokens; reading leaves no
//! span.

use super::gate::count;
use super::route::{RouteSpec, Verb};
use crate::canonical::{OrderId, Timestamp};
use crate::clock::before;
use crate::telemetry::told;
use crate::telemetry::trace::{Kind, Span, Traces};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tracing::field::display;

/// What a request turns out to be about. Clones are one; where nobody listens there is nothing.
#[derive(Clone, Default)]
pub struct About(Option<Arc<OnceLock<Subject>>>);

#[derive(Clone, Copy)]
struct Subject {
    order: OrderId,
    /// The request made it.
    new: bool,
}

impl About {
    /// It is this order.
    pub fn order(&self, order: OrderId) {
        self.is(order, false);
    }
    /// It made this order.
    pub fn new_order(&self, order: OrderId) {
        self.is(order, true);
    }
    fn is(&self, order: OrderId, new: bool) {
        if let Some(subject) = &self.0 {
            subject.get_or_init(|| Subject { order, new });
        }
    }
    fn subject(&self) -> Option<Subject> {
        self.0.as_ref()?.get().copied()
    }
}

/// A request that is being answered.
pub(super) struct Request {
    route: &'static RouteSpec,
    traces: Traces,
    start: Instant,
    about: About,
    /// The caller's span, as it names it.
    caller: Option<String>,
}

impl Request {
    /// One that came in; the header is read only for what is traced.
    pub(super) fn begin(
        route: &'static RouteSpec,
        traces: Traces,
        caller: impl FnOnce() -> Option<String>,
    ) -> Self {
        let follow = traces.is_on() && !matches!(route.verb, Verb::Get);
        Self {
            route,
            traces,
            start: Instant::now(),
            about: About(follow.then(Arc::default)),
            caller: if follow { caller() } else { None },
        }
    }

    /// What the handler says it on.
    pub(super) fn about(&self) -> About {
        self.about.clone()
    }

    /// Told when it has been answered.
    pub(super) fn answered(self, status: u16, now: Timestamp) {
        let (verb, path) = (self.route.verb.as_str(), self.route.path);
        let took = self.start.elapsed();
        count(verb, path, status);
        metrics::histogram!("crossdock_http_seconds", "route" => path).record(took.as_secs_f64());
        let subject = self.about.subject();
        let span = subject.and_then(|subject| self.span(subject, status, before(now, took), now));
        told!(debug, span, now, "request", {
            order = subject.map(|subject| display(subject.order)),
            method = verb,
            route = path,
            status = status,
            duration_ms = took.as_secs_f64() * 1_000.0,
        });
    }

    fn span(&self, about: Subject, status: u16, start: Timestamp, now: Timestamp) -> Option<Span> {
        let trace = self.traces.of(about.order.uuid())?;
        if about.new && status < 400 {
            let mut root = trace.first("order", Kind::Internal, start);
            root.set("order", &display(about.order));
            root.end(now);
        }
        let name = format!("{} {}", self.route.verb.as_str(), self.route.path);
        let mut span = trace.span(&name, Kind::Server, start);
        if let Some(caller) = &self.caller {
            span.link_caller(caller);
        }
        if status >= 500 {
            span.fail(&status.to_string());
        }
        Some(span)
    }
}
