//! The gateway as one thing: store, intake, worker, egress and HTTP, started and stopped in order.
//!
//! What always holds: nothing listens before the store is open and migrated; on shutdown the HTTP
//! side stops taking, then the worker and egress finish what is under way, then the store closes.

pub mod demo;
pub mod rotation;
pub mod secrets;
mod stores;

pub use stores::{back_up_store, copy_store, open_store, open_store_read_only};

use crate::api::problem::{Code, Problem};
use crate::api::problems::{Retried, Retrier};
use crate::api::{self, ApiSettings, AppState};
use crate::canonical::connection::Merchant;
use crate::canonical::{AuditId, MerchantId, ProblemId, Timestamp, TokenId};
use crate::clock::{Clock, SystemClock};
use crate::connector::Registry;
use crate::egress::http::HttpSender;
use crate::egress::nats::Brokers;
use crate::egress::{Egress, EgressDeps};
use crate::flow::change::AuditEntry;
use crate::ingress::IngressState;
use crate::operation::Engine;
use crate::operation::circuit::Circuits;
use crate::operation::client::{self, ClientConfig, GuardedClient};
use crate::operation::guard::SystemLookup;
use crate::operation::limit::Limiter;
use crate::settings::{Role, Settings};
use crate::store::query::{TokenRow, TokenScope};
use crate::store::{Scope, Store, StoreError};
use crate::telemetry::trace::{self, Exporter, Traces};
use crate::worker::remap::RetryError;
use crate::worker::{Worker, WorkerDeps, WorkerHandle};
use actix_web::web;
use secrecy::SecretString;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A setting, file, address or key.
    #[error("{0}")]
    Start(String),
    /// The store.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
}

/// A running gateway.
pub struct App {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The admin's token, when this start made it: shown once.
    pub made_admin_token: Option<SecretString>,
    /// Broken connector folders, for the start message.
    pub refused_connectors: usize,
    state: web::Data<AppState>,
    server: actix_web::dev::ServerHandle,
    running: tokio::task::JoinHandle<std::io::Result<()>>,
    maintaining: tokio::task::JoinHandle<((), ())>,
    working: Option<WorkerHandle>,
    egress: Option<Egress>,
    spans: Option<Exporter>,
    store: Arc<dyn Store>,
}

impl App {
    /// Opens the store, starts what the role says and listens.
    ///
    /// # Errors
    /// When a setting does not fit, the store cannot be opened or the address is taken.
    pub async fn start(settings: &Settings) -> Result<Self, AppError> {
        Self::start_at(settings, Arc::new(SystemClock)).await
    }

    /// As [`App::start`], by another clock: for runs in compressed time.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_at(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        let (traces, spans) = trace::prepare(settings).map_err(start_error)?;
        secrets::make_data_dir(&settings.data_dir)?;
        let store = stores::open_at(settings, clock.clone())?;
        ensure_operator(&store, clock.now()).await?;
        let made_admin_token = ensure_admin(&store, settings, clock.now()).await?;
        let registry = Registry::load(settings.connectors_dir.clone());
        let registry = Arc::new(registry.keeping(settings.data_dir.join("connectors")));
        let refused_connectors = report_refused(&registry);
        let client = http_client(settings)?;
        let mut ingress = IngressState::over(store.clone(), registry.clone(), clock.clone());
        ingress.traces = traces.clone();
        let ingress = Arc::new(ingress);
        ingress.warm().await?;
        let metrics = crate::telemetry::init_metrics();
        let maintaining = {
            let (ingress, metrics) = (ingress.clone(), metrics.clone());
            tokio::spawn(async move {
                tokio::join!(ingress.maintain(), crate::telemetry::maintain(metrics))
            })
        };
        let works = settings.role != Role::Api;
        let worker = Worker::new(WorkerDeps {
            store: store.clone(),
            registry: registry.clone(),
            ingress: ingress.clone(),
            clock: clock.clone(),
            engine: engine(&client, &clock, &store, traces.clone()),
            public_url: Some(settings.public_url()),
            mapping_threads: 0,
        })
        .map_err(start_error)?;
        let spans = match spans {
            Some(spans) => Some(spans.start(collector_client()?, worker.node())),
            None => None,
        };
        let retrier = Arc::new(Retrying(worker.clone()));
        if works {
            store.join(worker.node()).await?;
        }
        let working = works.then(|| worker.start());
        let egress = works.then(|| {
            Egress::start(EgressDeps {
                store: store.clone(),
                sender: Arc::new(HttpSender::new(client)),
                brokers: Arc::new(Brokers::new(
                    Arc::new(SystemLookup),
                    settings.allow_private_targets,
                )),
                clock: clock.clone(),
                concurrency: settings.delivery_concurrency.max(1),
                traces,
            })
        });
        let mut state = AppState::new(
            store.clone(),
            registry,
            ingress,
            retrier,
            clock,
            api_settings(settings),
        );
        if let Some(handle) = metrics {
            state = state.with_metrics(handle);
        }
        let state = web::Data::new(state);
        let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let (server, addresses) =
            api::server::server(&settings.listen.to_string(), workers, state.clone()).map_err(
                |error| AppError::Start(format!("cannot listen on {}: {error}", settings.listen)),
            )?;
        let addr = addresses.first().copied().unwrap_or(settings.listen);
        let handle = server.handle();
        let running = tokio::spawn(server);
        Ok(Self {
            addr,
            made_admin_token,
            refused_connectors,
            state,
            server: handle,
            running,
            maintaining,
            working,
            egress,
            spans,
            store,
        })
    }

    /// The store, for whoever watches from inside.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Drains and closes, in order.
    pub async fn stop(self) {
        self.state.stop();
        self.server.stop(true).await;
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the HTTP server ended badly");
        }
        self.maintaining.abort();
        if let Some(working) = self.working {
            working.stop().await;
        }
        if let Some(egress) = self.egress {
            egress.stop().await;
        }
        self.state
            .ingress
            .refused
            .flush(self.store.as_ref(), self.state.now())
            .await;
        self.store.close().await;
        if let Some(spans) = self.spans {
            spans.close().await;
        }
    }
}

fn start_error(error: impl std::fmt::Display) -> AppError {
    AppError::Start(error.to_string())
}

fn api_settings(settings: &Settings) -> ApiSettings {
    let mut api = ApiSettings::new(&settings.public_url(), settings.admin_token.clone());
    api.role = match settings.role {
        Role::All => "all",
        Role::Api => "api",
        Role::Worker => "worker",
    }
    .to_owned();
    api
}

fn http_client(settings: &Settings) -> Result<GuardedClient, AppError> {
    let config = ClientConfig {
        allow_private: settings.allow_private_targets,
        ..ClientConfig::default()
    };
    GuardedClient::new(config).map_err(start_error)
}

/// The collector of traces has the operator's own address.
fn collector_client() -> Result<reqwest::Client, AppError> {
    client::fixed_client(trace::TIMEOUT).map_err(start_error)
}

fn engine(
    client: &GuardedClient,
    clock: &Arc<dyn Clock>,
    store: &Arc<dyn Store>,
    traces: Traces,
) -> Engine {
    let store = store.clone();
    let owner = move |connection| store.placement().epoch(connection).unwrap_or(0);
    Engine {
        client: client.clone(),
        limiter: Arc::new(Limiter::new(clock.clone()).owned_by(Arc::new(owner))),
        circuits: Arc::new(Circuits::default()),
        clock: clock.clone(),
        traces,
    }
}

/// The worker's retry, as the API wants it.
struct Retrying(Arc<Worker>);

#[async_trait::async_trait]
impl Retrier for Retrying {
    async fn retry(&self, scope: Scope, id: ProblemId) -> Result<Retried, Problem> {
        match self.0.retry_problem(scope, id).await {
            Ok(done) => Ok(Retried {
                mended: done.mended,
                left: done.left,
            }),
            Err(RetryError::Unknown) => Err(Problem::not_found("problem")),
            Err(RetryError::Store(error)) => Err(error.into()),
            Err(error) => Err(Problem::new(Code::Rejected, error.to_string())),
        }
    }
}

fn report_refused(registry: &Registry) -> usize {
    let catalogue = registry.catalogue();
    for refusal in catalogue.refused() {
        tracing::error!(
            folder = refusal.folder,
            file = refusal.file,
            line = refusal.line,
            column = refusal.column,
            reason = refusal.message,
            "a connector folder is refused; the others go on"
        );
    }
    catalogue.refused().len()
}

/// The operator is a reserved merchant that owns shared connections.
async fn ensure_operator(store: &Arc<dyn Store>, now: Timestamp) -> Result<(), AppError> {
    if store
        .merchant(Scope::All, MerchantId::OPERATOR)
        .await?
        .is_some()
    {
        return Ok(());
    }
    let operator = Merchant {
        id: MerchantId::OPERATOR,
        name: "Operator".into(),
        timezone: "UTC".into(),
        settings: serde_json::Map::new(),
        created_at: now,
        erased_at: None,
    };
    let audit = audit(now, "merchant.create", MerchantId::OPERATOR.to_string());
    Ok(store.insert_merchant(&operator, audit, None).await?)
}

/// Without a token in the settings, the first start makes one: shown once, stored as a hash.
async fn ensure_admin(
    store: &Arc<dyn Store>,
    settings: &Settings,
    now: Timestamp,
) -> Result<Option<SecretString>, AppError> {
    if settings.admin_token.is_some() {
        return Ok(None);
    }
    let tokens = store.tokens().await?;
    if tokens
        .iter()
        .any(|token| token.scope == TokenScope::Admin && token.revoked_at.is_none())
    {
        return Ok(None);
    }
    let token = api::auth::random_secret("cdk_", true);
    let row = TokenRow {
        id: TokenId::new(),
        name: "admin".into(),
        hash: api::auth::token_hash(&token),
        scope: TokenScope::Admin,
        merchant_id: None,
        created_at: now,
        revoked_at: None,
    };
    let audit = audit(now, "token.create", row.id.to_string());
    store.insert_token(&row, audit, None).await?;
    Ok(Some(SecretString::from(token)))
}

fn audit(at: Timestamp, action: &str, subject: String) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(),
        at,
        actor: "gateway".into(),
        action: action.into(),
        subject,
        detail: json!({}),
    }
}
