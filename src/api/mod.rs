//! The HTTP interface: the one actix application that `main` and the tests share.
//!
//! What always holds: every route is in [`routes::ROUTES`] and nowhere else; every error is
//! `application/problem+json`; every query of what belongs to merchants carries the caller's scope;
//! nothing waits for a provider; a POST that creates can be repeated under an `Idempotency-Key`.

pub mod auth;
pub mod body;
mod cash;
mod change;
mod command;
mod connection_change;
mod connection_write;
mod connections;
mod connectors;
mod create;
mod deliveries;
mod events;
mod fulfillment;
pub mod gate;
mod health;
mod hooks;
mod idempotency;
mod inbox;
pub use inbox::{KEPT, TOPIC};
mod label;
mod merchants;
pub mod openapi;
mod orders;
pub mod params;
mod parcels;
mod points;
pub mod problem;
pub mod problems;
pub mod reply;
pub mod route;
pub mod routes;
mod rules;
pub mod server;
mod shipments;
mod stock;
mod subscriptions;
mod targets;
mod tell;
mod text;
mod tokens;
mod tracking;
mod view;
mod words;

pub use server::server;

use crate::canonical::Timestamp;
use crate::clock::Clock;
use crate::connector::Registry;
use crate::ingress::IngressState;
use crate::store::Store;
use crate::worker::connectors::Folders;
use crate::worker::world::Worlds;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use auth::Authenticator;
use metrics_exporter_prometheus::PrometheusHandle;
use problem::{Code, Problem};
use problems::Retrier;
use route::RouteSpec;
use routes::ROUTES;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What of the settings the interface needs.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Where providers reach the gateway: `https://gateway.example`, without a slash at its end.
    pub public_url: String,
    /// The administrator's token.
    pub admin_token: Option<SecretString>,
    /// `all`, `api` or `worker`, for `/readyz`.
    pub role: String,
    /// How long a waiting reader trusts that it is woken before it looks by itself: with several
    /// nodes the event may have been appended elsewhere.
    pub poll_fallback: Duration,
}

impl ApiSettings {
    /// Ordinary settings.
    pub fn new(public_url: &str, admin_token: Option<SecretString>) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            admin_token,
            role: "all".into(),
            poll_fallback: Duration::from_secs(5),
        }
    }
}

/// Everything the handlers share. One per process.
pub struct AppState {
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// The connector folders.
    pub connectors: Arc<Registry>,
    /// Intake of webhooks.
    pub ingress: Arc<IngressState>,
    /// What decisions are told of carriers.
    pub worlds: Worlds,
    /// Maps the records of problems again.
    pub retrier: Arc<dyn Retrier>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// What of the settings the interface needs.
    pub settings: ApiSettings,
    /// Knows tokens.
    pub authenticator: Authenticator,
    /// Renders `/metrics`; none in tests.
    pub metrics: Option<PrometheusHandle>,
    stopping: watch::Sender<bool>,
}

impl AppState {
    /// The state of an application.
    pub fn new(
        store: Arc<dyn Store>,
        connectors: Arc<Registry>,
        ingress: Arc<IngressState>,
        retrier: Arc<dyn Retrier>,
        clock: Arc<dyn Clock>,
        settings: ApiSettings,
    ) -> Self {
        let folders = Arc::new(Folders::new(connectors.clone()));
        let worlds = Worlds::new(store.clone(), folders, clock.clone());
        let authenticator = Authenticator::new(settings.admin_token.as_ref());
        Self {
            store,
            connectors,
            ingress,
            worlds,
            retrier,
            clock,
            settings,
            authenticator,
            metrics: None,
            stopping: watch::Sender::new(false),
        }
    }
    /// The same with metrics to be shown.
    #[must_use]
    pub fn with_metrics(mut self, handle: PrometheusHandle) -> Self {
        self.metrics = Some(handle);
        self
    }
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
    /// Streams end and `/readyz` says no from now on.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }
    /// Returns when it is about to end.
    pub async fn stopped(&self) {
        // An error means that the state is gone, and with it whoever waits.
        let _ = self
            .stopping
            .subscribe()
            .wait_for(|stopping| *stopping)
            .await;
    }
    /// Is it about to end?
    pub fn stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}

/// What a process answers that only works.
const PROBES: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// Puts every route into an application: `App::new().configure(|cfg| configure(cfg, state))`.
pub fn configure(cfg: &mut web::ServiceConfig, state: web::Data<AppState>) {
    let only_probes = state.settings.role == "worker";
    cfg.app_data(state);
    let mut paths: Vec<&'static str> = Vec::new();
    for spec in ROUTES {
        let here = !only_probes || PROBES.contains(&spec.path);
        if here && !paths.contains(&spec.path) {
            paths.push(spec.path);
        }
    }
    for path in paths {
        cfg.service(resource(path));
    }
    cfg.default_service(web::to(no_such_route));
}

fn resource(path: &'static str) -> actix_web::Resource {
    let mut resource = web::resource(path);
    let mut allowed = Vec::new();
    for spec in ROUTES.iter().filter(|spec| spec.path == path) {
        resource = resource.route(routed(spec));
        allowed.push(spec.verb.as_str());
    }
    let allow = allowed.join(", ");
    resource.default_service(web::to(move |req: HttpRequest| {
        let answer = not_allowed(&req, &allow);
        async move { answer }
    }))
}

fn routed(spec: &'static RouteSpec) -> actix_web::Route {
    let route = (spec.handler)();
    if spec.bare {
        return route;
    }
    route.wrap(from_fn(move |req, next| gate::pass(spec, req, next)))
}

async fn no_such_route() -> HttpResponse {
    let problem = Problem::new(Code::NoSuchRoute, "no route has this path")
        .hint("GET /openapi.json describes all routes");
    hardened(&problem)
}

fn not_allowed(req: &HttpRequest, allow: &str) -> HttpResponse {
    let detail = format!("{} is not one of {allow}", req.method().as_str());
    let mut problem = Problem::new(Code::MethodNotAllowed, detail);
    problem.allow = Some(allow.to_owned());
    hardened(&problem)
}

fn hardened(problem: &Problem) -> HttpResponse {
    let mut answer = problem.error_response();
    answer.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        header::HeaderValue::from_static("nosniff"),
    );
    answer
}

#[cfg(test)]
mod tests;
