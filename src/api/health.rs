//! Running it: probes, metrics, the OpenAPI document and its page.

use super::AppState;
use super::gate::Call;
use super::openapi;
use super::problem::{Code, Problem};
use super::reply::{self, Answer};
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;
use std::sync::{Arc, OnceLock};
use utoipa_swagger_ui::Config;

/// `GET /healthz`: the process answers. The cheapest route there is.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body("ok")
}

/// `GET /readyz`: it can take and keep deliveries.
pub async fn ready(call: Call) -> Answer {
    let state = &call.state;
    if state.stopping() {
        return Err(Problem::new(Code::NotReady, "the gateway is stopping"));
    }
    let health = state.store.health().await.map_err(|error| {
        tracing::warn!(%error, "not ready: the store");
        Problem::new(Code::NotReady, "the store cannot be reached")
    })?;
    if health
        .free_bytes
        .is_some_and(|free| free < health.min_free_bytes)
    {
        return Err(Problem::new(Code::NotReady, "the disk is full"));
    }
    if health.writer_queue_limit > 0 && health.writer_queue >= health.writer_queue_limit {
        return Err(Problem::new(Code::NotReady, "the store's queue is full"));
    }
    reply::ok(&json!({
        "status": "ready",
        "role": state.settings.role,
        "version": env!("CARGO_PKG_VERSION"),
        "store": health,
    }))
}

/// `GET /metrics`, in the text format of Prometheus.
pub async fn metrics(state: web::Data<AppState>, _call: Call) -> HttpResponse {
    let text = state.metrics.as_ref().map(|handle| handle.render());
    HttpResponse::Ok()
        .insert_header((
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        ))
        .body(text.unwrap_or_default())
}

/// `GET /openapi.json`.
pub async fn document(_call: Call) -> HttpResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| openapi::document().to_string());
    HttpResponse::Ok()
        .content_type("application/json")
        .body(text.as_str())
}

/// `GET /docs`: the page's files have relative names.
pub async fn to_docs(_call: Call) -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, "/docs/"))
        .finish()
}

/// `GET /docs/…`: the page that shows the OpenAPI document.
pub async fn docs(call: Call) -> Answer {
    let config = Arc::new(Config::from("/openapi.json").persist_authorization(false));
    let found = utoipa_swagger_ui::serve(call.segment("file"), config);
    let file = found
        .ok()
        .flatten()
        .ok_or_else(|| Problem::not_found("page"))?;
    let mut answer = HttpResponse::Ok();
    if file.gzpipped {
        answer.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(answer
        .content_type(file.content_type)
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
        ))
        .body(file.bytes.to_vec()))
}
