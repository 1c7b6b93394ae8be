//! Simulated providers and a simulated warehouse, for tests, demos and load runs.
//!
//! A provider's simulator is data: `simulator/routes.toml` and `simulator/lib.jq` of its folder. One server runs them all:
//!
//! - [`routes`] reads the data, [`engine`] runs it (one thread owns the state, so two requests never interleave),
//! - [`auth`] proves callers by the manifest's own `auth`, [`server`] speaks HTTP, [`faults`] breaks things on demand,
//! - [`emitter`] sends webhooks, signed by the manifest's own `verify`, over real HTTP,
//! - [`warehouse`] is a WMS that receives signed deliveries and answers by the API.
//!
//! What always holds: no simulator invents a call that its provider does not have, except below `/_sim/`; nothing here runs in
//! a gateway that serves real shops.

mod asked;
pub mod auth;
pub mod emitter;
mod engine;
pub mod faults;
mod graphql;
pub mod routes;
mod server;
pub mod warehouse;

use crate::clock::{Clock, SystemClock};
use crate::manifest::folder::Folder;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The folder has none, or it is broken: file and reason.
    #[error("{0}")]
    Data(String),
    /// The address cannot be listened on.
    #[error("cannot listen: {0}")]
    Listen(std::io::Error),
    /// The state thread or the HTTP client cannot be made.
    #[error("cannot start: {0}")]
    Start(String),
}

/// How a simulator behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the made-up data begins with: the same seed gives the same orders.
    pub seed: u64,
    /// Credentials that callers must use; those of `routes.toml` when left out.
    pub credentials: BTreeMap<String, String>,
    /// What the folder's programs see as `.options` (features that a shop may have).
    pub options: Map<String, Value>,
    /// Orders made each minute by themselves; none when 0.
    pub orders_per_minute: u32,
    /// Worker threads of the HTTP server.
    pub workers: usize,
    /// The provider's time.
    pub clock: SimClock,
}

/// The clock of simulated parties: the system's, or one that a test moves.
#[derive(Clone)]
pub struct SimClock(pub Arc<dyn Clock>);

impl Default for SimClock {
    fn default() -> Self {
        Self(Arc::new(SystemClock))
    }
}

impl std::fmt::Debug for SimClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SimClock").field(&self.0.now()).finish()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            credentials: BTreeMap::new(),
            options: Map::new(),
            orders_per_minute: 0,
            workers: 1,
            clock: SimClock::default(),
        }
    }
}

/// A running simulator. It stops when [`Handle::stop`] is called; dropping the handle leaves it running.
#[derive(Debug)]
pub struct Handle {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The credentials that callers must use.
    pub credentials: BTreeMap<String, String>,
    /// What a connection to it must have set.
    pub settings: Map<String, Value>,
    server: actix_web::dev::ServerHandle,
    tasks: Vec<tokio::task::AbortHandle>,
    bell: emitter::Bell,
}

impl Handle {
    /// `http://address`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
    /// Rings after every change of its state, its counters or its queue of webhooks.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.bell.subscribe()
    }
    /// Stops it; connections under way are cut.
    pub async fn stop(self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.server.stop(false).await;
    }
}

/// Runs a folder's simulator until it is stopped.
///
/// # Errors
/// When the folder's data is broken or the address is taken.
pub async fn serve(
    folder: &Folder,
    listen: SocketAddr,
    options: Options,
) -> Result<Handle, SimError> {
    let data = routes::Simulator::load(folder)?;
    let mut credentials = data.file.credentials.clone();
    credentials.extend(options.credentials.clone());
    let engine = engine::Engine::start(&data, &options)?;
    let verify = folder
        .manifest
        .webhooks
        .as_ref()
        .map(|webhooks| webhooks.verify.clone());
    let (emitter, emitting) = emitter::Emitter::start(engine.clone(), verify)?;
    let bell = Arc::clone(&emitter.bell);
    let callers = auth::Callers::new(
        &folder.manifest,
        credentials.clone(),
        engine.library(),
        options.clock.clone(),
    )?;
    let shared = Arc::new(server::Shared::new(data, engine, emitter, callers));
    let mut tasks = vec![emitting];
    let (server, addr) = server::listen(Arc::clone(&shared), listen, options.workers)?;
    let handle = server.handle();
    let settings = settings(&shared.data().file, addr);
    tasks.push(tokio::spawn(async move { drop(server.await) }).abort_handle());
    if options.orders_per_minute > 0 {
        tasks.push(server::generate(shared, options.orders_per_minute));
    }
    Ok(Handle {
        addr,
        credentials,
        settings,
        server: handle,
        tasks,
        bell,
    })
}

fn settings(file: &routes::RoutesFile, addr: SocketAddr) -> Map<String, Value> {
    let url = format!("http://{addr}");
    let mut all = Map::from_iter([("base_url".to_owned(), Value::String(url.clone()))]);
    for (name, text) in &file.settings {
        all.insert(name.clone(), Value::String(text.replace("{url}", &url)));
    }
    all
}

/// How a demo plugs in what this folder simulates.
///
/// # Errors
/// When the folder's data is broken.
pub fn demo(folder: &Folder) -> Result<routes::Demo, SimError> {
    Ok(routes::Simulator::load(folder)?.file.demo)
}
