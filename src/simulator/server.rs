//! The HTTP side: finds the route, breaks what a fault asks for, proves the caller, runs the program, sends its webhooks.

use super::SimError;
use super::asked::Asked;
use super::auth::Callers;
use super::emitter::{self, Emitter};
use super::engine::{Engine, Place};
use super::faults::Fault;
use super::graphql::Query;
use super::routes::{Limit, Route, Simulator};
use crate::manifest::model::Method;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::Server, http::StatusCode, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Largest request.
const BODY_CAP: usize = 16 << 20;

/// What all requests share.
pub(crate) struct Shared {
    data: Simulator,
    engine: Engine,
    emitter: Emitter,
    callers: Callers,
    counters: Mutex<BTreeMap<String, u64>>,
    bucket: Mutex<(f64, Instant)>,
}

impl Shared {
    pub(crate) fn new(data: Simulator, engine: Engine, emitter: Emitter, callers: Callers) -> Self {
        let full = data.file.limit.as_ref().map_or(0.0, |limit| limit.burst);
        Self {
            data,
            engine,
            emitter,
            callers,
            counters: Mutex::default(),
            bucket: Mutex::new((full, Instant::now())),
        }
    }

    pub(crate) const fn data(&self) -> &Simulator {
        &self.data
    }

    fn count(&self, what: String) {
        *self
            .counters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(what)
            .or_default() += 1;
    }

    /// Takes one call out of the bucket; false when it is empty.
    fn within(&self, limit: &Limit) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        bucket.0 = (bucket.0 + now.duration_since(bucket.1).as_secs_f64() * limit.per_second)
            .min(limit.burst);
        bucket.1 = now;
        if bucket.0 < 1.0 {
            return false;
        }
        bucket.0 -= 1.0;
        true
    }
}

/// Binds the address and makes the server.
pub(crate) fn listen(
    shared: Arc<Shared>,
    address: SocketAddr,
    workers: usize,
) -> Result<(Server, SocketAddr), SimError> {
    let listener = std::net::TcpListener::bind(address).map_err(SimError::Listen)?;
    let bound = listener.local_addr().map_err(SimError::Listen)?;
    let shared = web::Data::from(shared);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .default_service(web::to(handle))
    })
    .workers(workers.max(1))
    .disable_signals()
    .listen(listener)
    .map_err(SimError::Listen)?
    .run();
    Ok((server, bound))
}

/// Makes orders by themselves, evenly over the minute.
pub(crate) fn generate(shared: Arc<Shared>, per_minute: u32) -> tokio::task::AbortHandle {
    let pause = Duration::from_secs(60) / per_minute.max(1);
    let task = async move {
        let mut ticks = tokio::time::interval(pause);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(name) = shared.data.file.generator.clone() else {
                return;
            };
            let input = json!({"request": {"method": "POST", "params": {}, "query": {}, "headers": {}, "body": {"count": 1}}});
            if let Err(error) = act(&shared, Place::Route(name), input).await {
                tracing::warn!(error, "the simulator's generator failed");
            }
        }
    };
    tokio::spawn(task).abort_handle()
}

async fn handle(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let body = match payload.to_bytes_limited(BODY_CAP).await {
        Ok(Ok(body)) => body,
        _ => return HttpResponse::BadRequest().finish(),
    };
    let asked = Asked::of(&request, body);
    let response = if asked.path.starts_with("/_sim/") {
        control(&shared, asked).await
    } else {
        provider(&shared, asked).await
    };
    shared.count(format!("status.{}", response.status().as_u16()));
    response
}

/// A call of the provider's own API.
async fn provider(shared: &Shared, mut asked: Asked) -> HttpResponse {
    let Some((route, params)) = find(shared, &shared.data.file.routes, &asked).await else {
        shared.count("request.(missing)".to_owned());
        return look(shared, Place::Missing, asked.request).await;
    };
    shared.count(format!("request.{}", route.name));
    let fault = shared
        .emitter
        .faults
        .for_call(&route.name)
        .unwrap_or_default();
    if let Some(wait) = fault.latency_ms {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    if let Some(status) = fault.status {
        return answer(&json!({"status": status, "headers": fault.headers, "body": fault.body}));
    }
    if shared
        .data
        .file
        .limit
        .as_ref()
        .is_some_and(|limit| !shared.within(limit))
    {
        return look(shared, Place::Limited, asked.request).await;
    }
    if route.auth && !shared.callers.accept(&asked.call) {
        return look(shared, Place::Refused, asked.request).await;
    }
    put(&mut asked.request, "params", json!(params));
    let done = act(
        shared,
        Place::Route(route.name.clone()),
        json!({"request": asked.request}),
    )
    .await;
    if fault.drop_answer {
        return cut();
    }
    let selected = done.map(|mut response| {
        if let (Some(query), Some(body)) = (&asked.graphql, response.get_mut("body")) {
            query.select(body);
        }
        response
    });
    selected.map_or_else(|error| failed(&error), |response| answer(&response))
}

/// A call below `/_sim/`.
async fn control(shared: &Shared, mut asked: Asked) -> HttpResponse {
    match (asked.call.method.as_str(), asked.path.as_str()) {
        ("GET", "/_sim/state") => state(shared).await,
        ("DELETE", "/_sim/faults") => {
            shared.emitter.faults.clear();
            HttpResponse::NoContent().finish()
        }
        ("POST", "/_sim/faults") => match serde_json::from_slice::<Fault>(&asked.body) {
            Ok(fault) => {
                shared.emitter.faults.add(fault);
                HttpResponse::NoContent().finish()
            }
            Err(error) => HttpResponse::BadRequest().json(json!({"error": error.to_string()})),
        },
        _ => {
            let Some((route, params)) = find(shared, &shared.data.file.control, &asked).await
            else {
                return HttpResponse::NotFound().json(json!({"error": "no such control"}));
            };
            put(&mut asked.request, "params", json!(params));
            let done = act(
                shared,
                Place::Route(route.name.clone()),
                json!({"request": asked.request}),
            )
            .await;
            done.map_or_else(|error| failed(&error), |response| answer(&response))
        }
    }
}

async fn state(shared: &Shared) -> HttpResponse {
    let shown = emitter::Shown {
        webhooks: shared.emitter.counters.to_json(),
        faults: shared.emitter.faults.list(),
    };
    let counters = shared
        .counters
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    match shared.engine.state().await {
        Ok(state) => HttpResponse::Ok().json(json!({"counters": counters, "webhooks": shown.webhooks, "faults": shown.faults, "state": state})),
        Err(error) => failed(&error),
    }
}

/// The first route that fits and exists.
async fn find<'r>(
    shared: &Shared,
    routes: &'r [Route],
    asked: &Asked,
) -> Option<(&'r Route, BTreeMap<String, String>)> {
    for route in routes
        .iter()
        .filter(|route| method_name(route.method) == asked.call.method)
    {
        let Some(params) = route.fits(&asked.path, &asked.call.query) else {
            continue;
        };
        let field = asked.graphql.as_ref().and_then(Query::field);
        if route.graphql.is_some() && route.graphql.as_deref() != field {
            continue;
        }
        let exists = match &route.when {
            None => true,
            Some(_) => {
                shared
                    .engine
                    .look(Place::When(route.name.clone()), json!({}))
                    .await
                    == Ok(Value::Bool(true))
            }
        };
        if exists {
            return Some((route, params));
        }
    }
    None
}

/// Runs a program and sends its webhooks; its response.
async fn act(shared: &Shared, place: Place, input: Value) -> Result<Value, String> {
    let outcome = shared.engine.change(place, input).await?;
    shared.emitter.send(emitter::read(outcome.get("webhooks"))?);
    emitter::ring(&shared.emitter.bell);
    Ok(outcome
        .get("response")
        .cloned()
        .unwrap_or_else(|| json!({})))
}

async fn look(shared: &Shared, place: Place, request: Value) -> HttpResponse {
    shared
        .engine
        .look(place, json!({"request": request}))
        .await
        .map_or_else(|error| failed(&error), |response| answer(&response))
}

/// `{status?, headers?, body?}` as an answer; a body that is a text with a content type of its own is sent as it is.
fn answer(response: &Value) -> HttpResponse {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default)]
        status: Option<u16>,
        #[serde(default)]
        headers: Map<String, Value>,
        #[serde(default)]
        body: Option<Value>,
    }
    let Ok(Response {
        status,
        headers,
        body,
    }) = Response::deserialize(response)
    else {
        return failed("a response is {status, headers, body}");
    };
    let status = status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::OK);
    let mut built = HttpResponse::build(status);
    let own_type = headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("content-type"));
    for (name, value) in &headers {
        built.insert_header((
            name.as_str(),
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        ));
    }
    match body {
        None => built.finish(),
        Some(Value::String(text)) if own_type => built.body(text),
        Some(body) => built.json(body),
    }
}

/// Breaks the connection in the middle of an answer.
fn cut() -> HttpResponse {
    let broken = futures_util::stream::once(async {
        Err::<web::Bytes, _>(std::io::Error::other("cut by a fault"))
    });
    HttpResponse::Ok().streaming(broken)
}

fn failed(error: &str) -> HttpResponse {
    HttpResponse::InternalServerError().json(json!({"simulator_error": error}))
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

const fn method_name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}
