//! The one HTTP client: towards providers and towards the warehouse's webhooks.
//!
//! What always holds: redirects are never followed (an answer 301 is an answer), proxies of the
//! environment are not used, private addresses are refused ([`super::guard`]), an answer is read
//! no further than its cap (counted after decompression), a call ends by its time-out. An error
//! says whether the request may have reached the other side, because that decides whether it may
//! be repeated; it never names the URL or a body.

use super::guard::{Blocked, GuardedResolver, Lookup, SystemLookup, Unresolved, check_url};
use super::planned::PlannedRequest;
use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use reqwest::redirect::Policy;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

/// How the client is built.
#[derive(Clone)]
pub struct ClientConfig {
    /// Also call loopback and private addresses (a warehouse in the same network, development).
    pub allow_private: bool,
    /// Longest time for name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Idle connections kept per host.
    pub idle_per_host: usize,
    /// The `User-Agent` of requests that state none.
    pub user_agent: String,
    /// Resolves names; its answers are guarded.
    pub lookup: Arc<dyn Lookup>,
    /// Certificates trusted beside Mozilla's, DER.
    pub extra_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            allow_private: false,
            connect_timeout: Duration::from_secs(10),
            idle_per_host: 512,
            user_agent: concat!("crossdock/", env!("CARGO_PKG_VERSION")).to_owned(),
            lookup: Arc::new(SystemLookup),
            extra_roots: Vec::new(),
        }
    }
}

/// The client cannot be built (a bad extra certificate, no TLS).
#[derive(Debug, thiserror::Error)]
#[error("failed to build the HTTP client: {0}")]
pub struct ClientError(String);

/// What one call may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// From start to the last byte of the answer.
    pub timeout: Duration,
    /// Bytes of the answer, decompressed.
    pub max_body: usize,
}

/// What came back, whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status, redirects included.
    pub status: u16,
    /// As sent.
    pub headers: HeaderMap,
    /// Decompressed.
    pub body: Bytes,
}

/// May the other side have acted?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Nothing of the request left.
    NotSent,
    /// It left, wholly or in part, and the answer is lost.
    Maybe,
    /// It was answered, but the answer cannot be used.
    Answered,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A private address.
    #[error("{Blocked}")]
    Blocked,
    /// No such name, or the name server does not answer.
    #[error("{Unresolved}")]
    Unresolved,
    /// Refused, unreachable, or not in time.
    #[error("no connection to the host")]
    Connect,
    /// The TLS handshake failed: an invalid certificate, no common version.
    #[error("no secure connection to the host: its certificate or TLS version was not accepted")]
    Tls,
    /// The whole time is over.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke before the answer was complete")]
    Broken,
    /// The answer exceeds its cap.
    #[error("the answer is larger than allowed")]
    TooLarge,
    /// The answer's compression is damaged.
    #[error("the answer's compression cannot be decoded")]
    Undecodable,
    /// The request itself is none.
    #[error("the request is not valid HTTP")]
    Request,
}

impl Failure {
    /// Stable code for problems, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Failure::Blocked => "address_blocked",
            Failure::Unresolved => "dns",
            Failure::Connect => "connect",
            Failure::Tls => "tls",
            Failure::Timeout => "timeout",
            Failure::Broken => "connection_broken",
            Failure::TooLarge => "answer_too_large",
            Failure::Undecodable => "answer_undecodable",
            Failure::Request => "request_invalid",
        }
    }
}

/// A call without a usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct SendError {
    /// May the other side have acted?
    pub sent: Sent,
    /// Why.
    pub failure: Failure,
    /// The answer's status, when its head had arrived.
    pub status: Option<u16>,
}

/// A client for the gateway's own API and for simulators: no guard (the caller names the address, not
/// a merchant), no redirects, no proxy.
///
/// # Errors
/// When TLS cannot be set up.
pub fn own_client(timeout: Duration) -> Result<reqwest::Client, ClientError> {
    // Another part of the process may have installed it already; it is the same one.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .no_proxy()
        .build()
        .map_err(|error| ClientError(error.to_string()))
}

/// A client for an address that only the operator's settings name: no guard, no redirects, no proxy;
/// certificates are verified as for everyone else.
///
/// # Errors
/// When TLS cannot be set up.
pub fn fixed_client(timeout: Duration) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(Vec::new())?)
        .redirect(Policy::none())
        .no_proxy()
        .timeout(timeout)
        .pool_idle_timeout(IDLE)
        .build()
        .map_err(|error| ClientError(error.to_string()))
}

/// The client. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct GuardedClient {
    http: reqwest::Client,
    allow_private: bool,
}

/// Idle connections are dropped sooner than web servers commonly drop them (5 s): a connection
/// that is closed while a request is being written makes the outcome of that request unknown.
const IDLE: Duration = Duration::from_secs(4);

impl GuardedClient {
    /// Builds the client.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let resolver = GuardedResolver::new(config.lookup.clone(), config.allow_private);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(config.extra_roots)?)
            .dns_resolver(resolver)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .gzip(true)
            .user_agent(config.user_agent)
            .connect_timeout(config.connect_timeout)
            .pool_max_idle_per_host(config.idle_per_host)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(60))
            .http2_adaptive_window(true)
            .build()
            .map_err(|error| ClientError(error.to_string()))?;
        Ok(Self {
            http,
            allow_private: config.allow_private,
        })
    }

    /// Sends one request and reads the whole answer. Any status is an answer.
    pub async fn send(
        &self,
        request: &PlannedRequest,
        limits: SendLimits,
    ) -> Result<Answer, SendError> {
        let not_sent = |failure| SendError {
            sent: Sent::NotSent,
            failure,
            status: None,
        };
        check_url(&request.url, self.allow_private)
            .map_err(|Blocked| not_sent(Failure::Blocked))?;
        let mut call = reqwest::Request::new(request.method.clone(), request.url.clone());
        call.headers_mut().clone_from(&request.headers);
        if !request.body.is_empty() || request.method != reqwest::Method::GET {
            *call.body_mut() = Some(request.body.clone().into());
        }
        *call.timeout_mut() = Some(limits.timeout);
        let response = self
            .http
            .execute(call)
            .await
            .map_err(|error| before_answer(&error))?;
        read(response, limits.max_body).await
    }
}

/// Mozilla's roots and the operator's own, verified by ring.
fn tls(
    extra_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
) -> Result<rustls::ClientConfig, ClientError> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for root in extra_roots {
        roots
            .add(root)
            .map_err(|error| ClientError(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn read(mut response: reqwest::Response, max_body: usize) -> Result<Answer, SendError> {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let too_large = SendError {
        sent: Sent::Answered,
        failure: Failure::TooLarge,
        status: Some(status),
    };
    if !headers.contains_key(CONTENT_ENCODING) && stated_length(&headers) > max_body {
        return Err(too_large);
    }
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| amid_answer(&error, status))?
    {
        let so_far = first.len().max(rest.len());
        if chunk.len() > max_body.saturating_sub(so_far) {
            return Err(too_large);
        }
        // Most answers are one chunk: that one is not copied.
        if first.is_empty() && rest.is_empty() {
            first = chunk;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&chunk);
        }
    }
    let body = if rest.is_empty() {
        first
    } else {
        rest.freeze()
    };
    Ok(Answer {
        status,
        headers,
        body,
    })
}

fn stated_length(headers: &HeaderMap) -> usize {
    let text = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    text.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The error before the answer's head: not connected means not sent.
fn before_answer(error: &reqwest::Error) -> SendError {
    let (sent, failure) = if error.is_builder() {
        (Sent::NotSent, Failure::Request)
    } else if error.is_connect() {
        (Sent::NotSent, connect_failure(error))
    } else if error.is_timeout() {
        (Sent::Maybe, Failure::Timeout)
    } else {
        (Sent::Maybe, Failure::Broken)
    };
    SendError {
        sent,
        failure,
        status: None,
    }
}

fn connect_failure(error: &reqwest::Error) -> Failure {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<Blocked>() {
            return Failure::Blocked;
        }
        if inner.is::<Unresolved>() {
            return Failure::Unresolved;
        }
        if is_tls(inner) {
            return Failure::Tls;
        }
        cause = inner.source();
    }
    Failure::Connect
}

/// TLS errors come wrapped in I/O errors, which do not name them as their source.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut io = error.downcast_ref::<std::io::Error>();
    while let Some(within) = io.and_then(std::io::Error::get_ref) {
        if within.is::<rustls::Error>() {
            return true;
        }
        io = within.downcast_ref::<std::io::Error>();
    }
    error.is::<rustls::Error>()
}

/// The error while the body was read: only damaged compression counts as answered, since
/// everything else may be a broken connection.
fn amid_answer(error: &reqwest::Error, status: u16) -> SendError {
    let (sent, failure) = if error.is_timeout() {
        (Sent::Maybe, Failure::Timeout)
    } else if damaged(error) {
        (Sent::Answered, Failure::Undecodable)
    } else {
        (Sent::Maybe, Failure::Broken)
    };
    SendError {
        sent,
        failure,
        status: Some(status),
    }
}

fn damaged(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if io.is_some_and(|e| {
            matches!(
                e.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput
            )
        }) {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[cfg(test)]
mod tests;
