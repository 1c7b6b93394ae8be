//! The gate around every route but the bare ones: token, scope, query, panic, headers, metrics
//! and the access log, in one place; and [`Call`], what a handler gets of all that.
//!
//! What always holds: a handler runs only for who may call its route; a panic becomes a 500 with
//! an incident id.

use super::AppState;
use super::auth::Principal;
use super::params::Params;
use super::problem::{Code, Problem};
use super::route::{Access, RouteSpec};
use super::tell::{About, Request};
use crate::store::StoreError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use futures_util::FutureExt;
use metrics::Counter;
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::str::FromStr;

/// What the gate found out, for the handler.
#[derive(Clone)]
struct Passed {
    route: &'static RouteSpec,
    principal: Principal,
    params: Params,
    about: About,
}

/// The route of a request that went through the gate.
pub fn route_of(req: &HttpRequest) -> Option<&'static RouteSpec> {
    req.extensions().get::<Passed>().map(|passed| passed.route)
}

/// A request that may be handled: who calls, with what, on which state.
#[derive(Clone)]
pub struct Call {
    /// The application.
    pub state: web::Data<AppState>,
    /// Who calls.
    pub principal: Principal,
    /// The checked query.
    pub params: Params,
    /// The route.
    pub route: &'static RouteSpec,
    /// The path as sent, for the scope of `Idempotency-Key`.
    pub path: String,
    /// `Idempotency-Key`, checked for length and characters.
    pub idempotency_key: Option<String>,
    /// `Last-Event-ID`, for streams that go on.
    pub last_event_id: Option<String>,
    /// Told which order it is about, for its trace.
    pub about: About,
    segments: Vec<(String, String)>,
}

impl Call {
    /// An id of the path.
    ///
    /// # Errors
    /// `not_found` when it is not an id of this kind: then nothing can be there.
    pub fn id<T: FromStr>(&self, name: &str, kind: &str) -> Result<T, Problem> {
        self.segment(name)
            .parse()
            .map_err(|_| Problem::not_found(kind))
    }
    /// A segment of the path, as text.
    pub fn segment(&self, name: &str) -> &str {
        self.segments
            .iter()
            .find(|(given, _)| given == name)
            .map_or("", |(_, value)| value.as_str())
    }
    /// A page that was read; a cursor that the store does not know is the caller's fault.
    ///
    /// # Errors
    /// `invalid_parameter` for the cursor, else the store's.
    pub fn page_of<T>(&self, found: Result<T, StoreError>) -> Result<T, Problem> {
        found.map_err(|error| match error {
            StoreError::NotFound(_) if self.params.text("after").is_some() => Problem::new(
                Code::InvalidParameter,
                "`after` is not a cursor of this list",
            )
            .field("after", "the `next` of the page before is wanted"),
            other => other.into(),
        })
    }
    /// Now, by the application's clock.
    pub fn now(&self) -> crate::canonical::Timestamp {
        self.state.now()
    }
}

impl FromRequest for Call {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(call_of(req))
    }
}

fn call_of(req: &HttpRequest) -> Result<Call, Problem> {
    let passed = req.extensions().get::<Passed>().cloned();
    let state = req.app_data::<web::Data<AppState>>().cloned();
    let (Some(passed), Some(state)) = (passed, state) else {
        return Err(Problem::internal("a handler was reached without the gate"));
    };
    let segments = req.match_info().iter();
    Ok(Call {
        state,
        principal: passed.principal,
        params: passed.params,
        about: passed.about,
        route: passed.route,
        path: req.path().to_owned(),
        idempotency_key: idempotency_key(req.headers())?,
        last_event_id: text_of(req.headers(), "last-event-id").map(str::to_owned),
        segments: segments
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect(),
    })
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if (1..=255).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(Problem::new(
            Code::InvalidHeader,
            "Idempotency-Key takes 1 to 255 visible ASCII characters",
        )),
    }
}

/// Lets a request through to its handler, or answers why not.
pub async fn pass(
    route: &'static RouteSpec,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let http = req.request().clone();
    let state = req.app_data::<web::Data<AppState>>().cloned();
    let traces = state.as_ref().map(|state| state.ingress.traces.clone());
    let request = Request::begin(route, traces.unwrap_or_default(), || {
        text_of(http.headers(), "traceparent").map(str::to_owned)
    });
    let answer = match admit(route, &req, request.about()).await {
        Ok(passed) => {
            req.extensions_mut().insert(passed);
            // A panic must not reach the caller as a cut connection.
            match AssertUnwindSafe(next.call(req)).catch_unwind().await {
                Ok(Ok(answer)) => answer.map_into_boxed_body(),
                Ok(Err(error)) => ServiceResponse::from_err(error, http),
                Err(_) => {
                    let problem = Problem::internal(format_args!("panic in {}", route.path));
                    ServiceResponse::new(http, problem.error_response())
                }
            }
        }
        Err(problem) => req.into_response(problem.error_response()),
    };
    let mut answer = answer;
    secure(route, answer.headers_mut());
    if let Some(state) = state {
        request.answered(answer.status().as_u16(), state.now());
    }
    Ok(answer)
}

async fn admit(
    route: &'static RouteSpec,
    req: &ServiceRequest,
    about: About,
) -> Result<Passed, Problem> {
    let principal = match route.access {
        Access::Public => Principal::nobody(),
        _ => authenticate(route, req).await?,
    };
    let params = Params::read(route, req.query_string())?;
    Ok(Passed {
        route,
        principal,
        params,
        about,
    })
}

async fn authenticate(route: &RouteSpec, req: &ServiceRequest) -> Result<Principal, Problem> {
    let state = req
        .app_data::<web::Data<AppState>>()
        .ok_or_else(|| Problem::internal("the application has no state"))?;
    let header = text_of(req.headers(), "authorization");
    let principal = state
        .authenticator
        .authenticate(state.store.as_ref(), header, state.now())
        .await?;
    if route.access.allows(principal.token_scope) {
        return Ok(principal);
    }
    Err(Problem::new(
        Code::Forbidden,
        format!(
            "this route takes tokens of scope {}",
            route.access.scopes().join(", ")
        ),
    ))
}

/// Headers that cost nothing and close doors; pages bring their own policy.
fn secure(route: &RouteSpec, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    if route.path.starts_with("/v1/") {
        set(header::CACHE_CONTROL, "no-store");
    }
}

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

fn class_of(status: u16) -> usize {
    match status {
        100..=299 => 0,
        300..=399 => 1,
        400..=499 => 2,
        _ => 3,
    }
}

fn counter(method: &'static str, route: &'static str, class: &'static str) -> Counter {
    metrics::counter!("crossdock_http_requests_total", "method" => method, "route" => route, "status" => class)
}

/// Adds one to the route's counter.
pub(super) fn count(method: &'static str, route: &'static str, status: u16) {
    if let Some(class) = CLASSES.get(class_of(status)) {
        counter(method, route, class).increment(1);
    }
}

/// The counters of one hot route, looked up once. Made at its first request, when the recorder
/// is there.
pub struct RouteCounters([Counter; 4]);

impl RouteCounters {
    /// Of a route.
    pub fn new(method: &'static str, route: &'static str) -> Self {
        Self(CLASSES.map(|class| counter(method, route, class)))
    }
    /// Adds one.
    pub fn add(&self, status: u16) {
        if let Some(counter) = self.0.get(class_of(status)) {
            counter.increment(1);
        }
    }
}
