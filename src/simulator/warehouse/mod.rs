//! A simulated warehouse: hears of work by signed webhooks (Standard Webhooks) or by the feed, and answers by the API.
//!
//! What always holds: events are the bell, the API is the truth: before every answer the fulfillment order is read anew; the
//! same work heard of twice is done once; a `ship` is repeated under its own `shipment_ref`, so a lost answer ships nothing twice.

mod floor;
mod shelf;

use super::SimError;
use super::emitter::client;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::watch;

/// How far a delivery's time may be off, in seconds.
const TOLERANCE_S: u64 = 300;

/// How the warehouse behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The gateway, such as `http://127.0.0.1:8080`.
    pub gateway: String,
    /// A token with the scope of a warehouse.
    pub token: SecretString,
    /// From hearing of work to taking it on.
    pub accept_after: Duration,
    /// From taking it on to its leaving.
    pub ship_after: Duration,
    /// Every n-th has one piece too few; none when 0.
    pub short_every: u64,
    /// Every n-th is turned down; none when 0.
    pub reject_every: u64,
    /// Agrees to changes and cancellations that are asked for.
    pub agrees: bool,
    /// Reads the feed instead of waiting for webhooks.
    pub feed: bool,
    /// Tells what is on its shelves whenever that changes.
    pub tells_stock: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            gateway: String::new(),
            token: SecretString::from(String::new()),
            accept_after: Duration::from_secs(1),
            ship_after: Duration::from_secs(3),
            short_every: 0,
            reject_every: 0,
            agrees: true,
            feed: false,
            tells_stock: false,
        }
    }
}

/// A running warehouse.
pub struct Handle {
    /// Where it listens; deliveries go to any path.
    pub addr: SocketAddr,
    floor: Arc<Floor>,
    server: actix_web::dev::ServerHandle,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Handle {
    /// Believes deliveries signed with this secret (`whsec_…`), beside those trusted before.
    pub fn trust(&self, secret: &str) {
        if let Some(key) = key_of(secret) {
            self.floor
                .keys
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .push(key);
        }
    }
    /// `{received, refused, repeated, accepted, shipped, printed, handed_over, short, rejected, answered, given_up, stock_told}`.
    pub fn counters(&self) -> Value {
        self.floor.counters.to_json()
    }
    /// Waits until the counters fit; they are returned.
    pub async fn wait_for(&self, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let mut bell = self.floor.counters.bell.subscribe();
        loop {
            bell.mark_unchanged();
            let counters = self.counters();
            // The bell lives as long as the counters.
            if fits(&counters) || bell.changed().await.is_err() {
                return counters;
            }
        }
    }
    /// Stops it; work under way is left where it is.
    pub async fn stop(self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.server.stop(false).await;
    }
}

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        #[derive(Default)]
        struct Counters { $($name: AtomicU64,)* bell: watch::Sender<()> }
        impl Counters {
            fn to_json(&self) -> Value {
                json!({$(stringify!($name): self.$name.load(Ordering::Relaxed)),*})
            }
        }
    };
}
counters!(
    received,
    refused,
    repeated,
    accepted,
    shipped,
    printed,
    handed_over,
    short,
    rejected,
    answered,
    given_up,
    stock_told
);

impl Counters {
    fn count(&self, which: impl FnOnce(&Self) -> &AtomicU64) {
        which(self).fetch_add(1, Ordering::Relaxed);
        self.bell.send_replace(());
    }
}

/// What all of the warehouse shares.
struct Floor {
    options: Options,
    http: reqwest::Client,
    keys: RwLock<Vec<Vec<u8>>>,
    /// Deliveries seen, by `webhook-id`.
    seen: Mutex<HashSet<String>>,
    /// Fulfillment orders somebody works on.
    working: Mutex<HashSet<String>>,
    /// How many were begun.
    begun: AtomicU64,
    counters: Counters,
    shelf: Mutex<shelf::Shelf>,
}

/// Runs a warehouse until it is stopped.
///
/// # Errors
/// When the address is taken.
pub async fn serve(listen: SocketAddr, options: Options) -> Result<Handle, SimError> {
    let listener = std::net::TcpListener::bind(listen).map_err(SimError::Listen)?;
    let addr = listener.local_addr().map_err(SimError::Listen)?;
    let http = client().map_err(|error| SimError::Start(error.to_string()))?;
    let floor = Arc::new(Floor {
        options,
        http,
        keys: RwLock::default(),
        seen: Mutex::default(),
        working: Mutex::default(),
        begun: AtomicU64::new(0),
        shelf: Mutex::default(),
        counters: Counters::default(),
    });
    let shared = web::Data::from(Arc::clone(&floor));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .default_service(web::to(receive))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .map_err(SimError::Listen)?
    .run();
    let handle = server.handle();
    let mut tasks = vec![tokio::spawn(async move { drop(server.await) }).abort_handle()];
    if floor.options.feed {
        tasks.push(tokio::spawn(floor::read_feed(Arc::clone(&floor))).abort_handle());
    }
    Ok(Handle {
        addr,
        floor,
        server: handle,
        tasks,
    })
}

/// One delivery. 401 when nobody we trust signed it; 204 as soon as it is noted down.
async fn receive(floor: web::Data<Floor>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    if request.method() == "GET" {
        return HttpResponse::Ok().json(floor.counters.to_json());
    }
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (id, timestamp, signatures) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    );
    if !proved(&floor, id, timestamp, signatures, &body) {
        floor.counters.count(|c| &c.refused);
        return HttpResponse::Unauthorized().finish();
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    if !floor
        .seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id.to_owned())
    {
        floor.counters.count(|c| &c.repeated);
        return HttpResponse::NoContent().finish();
    }
    hear(&floor.into_inner(), &event);
    HttpResponse::NoContent().finish()
}

/// Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, several signatures with blanks between.
fn proved(floor: &Floor, id: &str, timestamp: &str, signatures: &str, body: &[u8]) -> bool {
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    if id.is_empty()
        || !timestamp
            .parse::<u64>()
            .is_ok_and(|at| at.abs_diff(now) <= TOLERANCE_S)
    {
        return false;
    }
    let keys = floor.keys.read().unwrap_or_else(PoisonError::into_inner);
    keys.iter().any(|key| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return false;
        };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        let wanted = format!(
            "v1,{}",
            base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
        );
        signatures
            .split(' ')
            .any(|given| given.as_bytes().ct_eq(wanted.as_bytes()).into())
    })
}

fn key_of(secret: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
        .ok()
}

/// Begins the work that an event tells of, unless somebody is at it.
fn hear(floor: &Arc<Floor>, event: &Value) {
    floor.counters.count(|c| &c.received);
    let submitted = text(event, "/type") == "fulfillment_order.submitted";
    let asked = text(event, "/type") == "fulfillment_order.change_requested";
    let id = text(event, "/data/fulfillment_order/id").to_owned();
    if id.is_empty() || !(submitted || asked) {
        return;
    }
    let new = floor
        .working
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id.clone());
    let floor = Arc::clone(floor);
    if asked {
        tokio::spawn(async move { floor.answer_request(&id).await });
    } else if new {
        tokio::spawn(async move {
            floor.work(&id).await;
            floor
                .working
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&id);
        });
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
