//! `POST /hooks/{connection_id}`: a provider's webhook in. The hot path.
//!
//! What always holds: nothing here but reading the body under its cap and handing it to
//! [`ingress`](crate::ingress); no token, no log line, no allocation that can be left out.

use super::AppState;
use super::body::read;
use super::gate::RouteCounters;
use super::problem::Code;
use crate::canonical::ConnectionId;
use crate::ingress::{MAX_BODY, Reply, Sent, receive};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use std::sync::LazyLock;

/// The route, for metrics.
const ROUTE: &str = "/hooks/{connection_id}";

/// Looked up once: the registry's look-up is felt at tens of thousands of requests a second.
static COUNTERS: LazyLock<RouteCounters> = LazyLock::new(|| RouteCounters::new("POST", ROUTE));

/// Takes a webhook.
pub async fn hook(
    state: web::Data<AppState>,
    req: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let answer = take(&state, &req, payload).await;
    COUNTERS.add(answer.status().as_u16());
    answer
}

async fn take(state: &AppState, req: &HttpRequest, payload: web::Payload) -> HttpResponse {
    let path = req.match_info();
    let id = path.get("connection_id").unwrap_or_default();
    let Ok(id) = id.parse::<ConnectionId>() else {
        return send(Reply::unknown());
    };
    let body = match read(payload, MAX_BODY).await {
        Ok(body) => body,
        Err(problem) if problem.code == Code::BodyTooLarge => {
            state.ingress.refused.count(id, "too_large");
            return send(Reply::too_large());
        }
        Err(problem) => return problem.error_response(),
    };
    let topic = path.get("topic");
    let sent = Sent {
        headers: req.headers(),
        peer: req.peer_addr().map(|address| address.ip()),
    };
    send(receive(&state.ingress, id, topic, &sent, body).await)
}

fn send(reply: Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut answer = HttpResponse::build(status);
    if let Some(seconds) = reply.retry_after {
        answer.insert_header((header::RETRY_AFTER, seconds));
    }
    answer
        .insert_header((header::CONTENT_TYPE, reply.content_type.as_str()))
        .body(reply.body)
}
