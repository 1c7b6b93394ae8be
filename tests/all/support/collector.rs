//! A collector of traces: takes OTLP over HTTP, reads the protobuf, remembers the spans.

use super::gateway::PATIENCE;
use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::net::SocketAddr;
use tokio::sync::watch;

/// A span, and what was said of who told it.
#[derive(Clone, Debug)]
pub struct Told {
    pub span: Span,
    pub node: String,
}

pub struct Collector {
    addr: SocketAddr,
    server: ServerHandle,
    shared: web::Data<Shared>,
}

struct Shared {
    told: watch::Sender<Vec<Told>>,
    requests: watch::Sender<usize>,
    /// The header `authorization` of the last request.
    key: watch::Sender<Option<String>>,
    /// Requests are taken and never answered.
    silent: bool,
}

impl Collector {
    pub async fn start() -> Self {
        Self::begin(false)
    }

    /// One that never answers.
    pub async fn silent() -> Self {
        Self::begin(true)
    }

    fn begin(silent: bool) -> Self {
        let shared = web::Data::new(Shared {
            told: watch::channel(Vec::new()).0,
            requests: watch::channel(0).0,
            key: watch::channel(None).0,
            silent,
        });
        let state = shared.clone();
        let server = HttpServer::new(move || {
            let state = state.clone();
            App::new()
                .app_data(state)
                .route("/v1/traces", web::post().to(take))
        });
        let server = server.workers(1).shutdown_timeout(0).disable_signals();
        let server = server.bind("127.0.0.1:0").unwrap();
        let addr = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            addr,
            server: handle,
            shared,
        }
    }

    /// The value of `CROSSDOCK_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn key(&self) -> Option<String> {
        self.shared.key.borrow().clone()
    }

    /// Waits until so many requests have come.
    pub async fn asked(&self, n: usize) {
        let mut requests = self.shared.requests.subscribe();
        let waited = tokio::time::timeout(PATIENCE, requests.wait_for(|have| *have >= n)).await;
        waited.expect("a request in time").unwrap();
    }

    /// Waits until the spans fit.
    pub async fn wait(&self, mut fits: impl FnMut(&[Told]) -> bool) -> Vec<Told> {
        let mut told = self.shared.told.subscribe();
        match tokio::time::timeout(PATIENCE, told.wait_for(|all| fits(all))).await {
            Ok(all) => all.unwrap().clone(),
            Err(_) => {
                let all = self.shared.told.borrow();
                let names: Vec<&str> = all.iter().map(|told| told.span.name.as_str()).collect();
                panic!("not these spans: {names:#?}")
            }
        }
    }

    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

async fn take(shared: web::Data<Shared>, req: HttpRequest, body: web::Bytes) -> HttpResponse {
    shared.requests.send_modify(|n| *n += 1);
    if shared.silent {
        std::future::pending::<()>().await;
    }
    let header = |name: &str| {
        req.headers()
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
    };
    assert_eq!(header("content-type").unwrap(), "application/x-protobuf");
    shared.key.send_replace(header("authorization"));
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for resource in request.resource_spans {
        let attributes = resource.resource.unwrap().attributes;
        assert_eq!(text(&attributes, "service.name").unwrap(), "crossdock");
        let node = text(&attributes, "service.instance.id").unwrap();
        let spans = resource.scope_spans.into_iter().flat_map(|s| s.spans);
        let all: Vec<Told> = spans
            .map(|span| Told {
                span,
                node: node.clone(),
            })
            .collect();
        shared.told.send_modify(|told| told.extend(all));
    }
    HttpResponse::Ok()
        .content_type("application/x-protobuf")
        .finish()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(n) => Some(n.to_string()),
        Value::BoolValue(yes) => Some(yes.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

impl Told {
    /// An attribute, as text.
    pub fn says(&self, key: &str) -> Option<String> {
        text(&self.span.attributes, key)
    }
}
