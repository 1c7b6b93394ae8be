//! A gateway's API over a store in a temporary folder, and ways to ask it.

use crate::api::problem::{Code, Problem};
use crate::api::problems::{Retried, Retrier};
use crate::api::{ApiSettings, AppState, configure};
use crate::canonical::ProblemId;
use crate::canonical::connection::Connection;
use crate::clock::{Clock, TestClock};
use crate::connector::Registry;
use crate::ingress::{IngressState, Webhooked};
use crate::store::vault::MasterKey;
use crate::store::{Scope, Store, StoreOptions, open};
use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, web};
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub const ADMIN: &str = "admin-token-of-the-tests";
pub const SECRET: &str = "made-up-secret";

/// Nothing is mapped here: the worker's tests do that.
struct NoRetrier(Arc<AtomicBool>);
#[async_trait]
impl Retrier for NoRetrier {
    async fn retry(&self, _: Scope, _: ProblemId) -> Result<Retried, Problem> {
        match self.0.load(Ordering::SeqCst) {
            true => Ok(Retried { mended: 1, left: 0 }),
            false => Err(Problem::new(Code::Rejected, "nothing to retry")),
        }
    }
}

pub struct House {
    pub state: web::Data<AppState>,
    pub store: Arc<dyn Store>,
    /// Whether problems are mended when they are tried again.
    pub mends: Arc<AtomicBool>,
    _dir: TempDir,
}

/// An answer, read.
#[derive(Debug)]
pub struct Told {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.bytes)))
    }
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{text}");
        self
    }
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let told = self.is(status);
        assert_eq!(told.code(), code);
        assert_eq!(
            told.header("content-type"),
            Some("application/problem+json")
        );
        told
    }
}

pub fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::at("2026-11-23T08:00:00Z".parse().unwrap()));
    let mut options = StoreOptions::new(MasterKey::generate());
    options.min_free_mb = 0;
    let url = format!("sqlite://{}", dir.path().join("t.db").display());
    let store = open(&url, options).unwrap();
    let folders = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/connectors"
    ));
    let registry = Registry::load(Some(folders));
    let registry = Arc::new(registry.keeping(dir.path().join("kept")));
    let (known, now) = (registry.clone(), clock.clone());
    let lookup = move |connection: &Connection| match known.get(&connection.connector) {
        Some(connector) => match connector.manifest().webhooks.clone() {
            Some(webhooks) => Webhooked::Yes(Arc::new(webhooks)),
            None => Webhooked::No,
        },
        None => Webhooked::Broken,
    };
    let ingress = IngressState::new(store.clone(), Box::new(lookup), Box::new(move || now.now()));
    let admin = Some(SecretString::from(ADMIN));
    let mut settings = ApiSettings::new("https://gateway.example/", admin);
    settings.poll_fallback = Duration::from_secs(5);
    let mends = Arc::new(AtomicBool::new(false));
    let state = AppState::new(
        store.clone(),
        registry,
        Arc::new(ingress),
        Arc::new(NoRetrier(mends.clone())),
        clock.clone(),
        settings,
    );
    House {
        state: web::Data::new(state),
        store,
        mends,
        _dir: dir,
    }
}

impl House {
    pub async fn send(&self, request: TestRequest) -> Told {
        let state = self.state.clone();
        let app = init_service(App::new().configure(|cfg| configure(cfg, state))).await;
        let answer = call_service(&app, request.to_request()).await;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = to_bytes(answer.into_body()).await.unwrap().to_vec();
        Told {
            status,
            headers,
            bytes,
        }
    }
    pub async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Told {
        self.send(request(token, method, path, body)).await
    }
    pub async fn get(&self, path: &str) -> Told {
        self.ask(ADMIN, "GET", path, None).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Told {
        self.ask(ADMIN, "POST", path, Some(body)).await
    }
    pub async fn patch(&self, path: &str, body: Value) -> Told {
        self.ask(ADMIN, "PATCH", path, Some(body)).await
    }

    /// A merchant's id.
    pub async fn merchant(&self, name: &str) -> String {
        let told = self
            .post("/v1/merchants", json!({"name": name}))
            .await
            .is(201);
        text(&told.json()["id"])
    }
    /// A token.
    pub async fn token(&self, scope: &str, merchant: Option<&str>) -> String {
        let body = json!({"name": format!("a {scope}"), "scope": scope, "merchant_id": merchant});
        text(&self.post("/v1/tokens", body).await.is(201).json()["token"])
    }
    /// An active connection's id.
    pub async fn connection(&self, merchant: &str) -> String {
        let told = self
            .post("/v1/connections", connection(merchant, "active"))
            .await
            .is(201);
        text(&told.json()["id"])
    }
    /// A paid order, and its id.
    pub async fn order(&self, connection: &str, number: &str) -> Value {
        self.post("/v1/orders", order(connection, number))
            .await
            .is(201)
            .json()
    }
}

pub fn request(token: &str, method: &str, path: &str, body: Option<Value>) -> TestRequest {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = TestRequest::default().method(method).uri(path);
    if !token.is_empty() {
        request = request.insert_header(("Authorization", format!("Bearer {token}")));
    }
    match body {
        Some(body) => request.set_json(body),
        None => request,
    }
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

pub fn connection(merchant: &str, state: &str) -> Value {
    json!({
        "merchant_id": merchant,
        "connector": "paperbird",
        "name": "The shop",
        "settings": {"base_url": "https://shop.paperbird.example"},
        "credentials": {"token": "pb_0123456789", "webhook_secret": SECRET},
        "state": state,
    })
}

pub fn order(connection: &str, number: &str) -> Value {
    json!({
        "connection_id": connection,
        "source": "phone",
        "order": {
            "external_id": number,
            "external_number": number,
            "currency": "EUR",
            "customer": {"name": "Ζωή Παπαδοπούλου", "email": "zoe@example.com"},
            "ship_to": {
                "name": "Ζωή Παπαδοπούλου", "line1": "Ερμού 1", "postal_code": "10563",
                "city": "Αθήνα", "country": "GR",
            },
            "payment": {"method": "prepaid", "status": "paid"},
            "lines": [{
                "external_id": "1", "sku": "BIRD-1", "name": "Paper bird", "quantity": 2,
                "unit_price": {"amount": "19.90", "currency": "EUR"},
                "total": {"amount": "39.80", "currency": "EUR"},
            }],
            "charges": [],
        },
    })
}
