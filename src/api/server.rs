//! The HTTP server around the application: caps on heads, bodies, connections and time.

use super::{AppState, configure};
use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A request's head must be here within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection is kept so long: longer than the 60 seconds of common proxies, so that it
/// is the proxy that closes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections waiting to be accepted.
const BACKLOG: u32 = 2_048;
/// Connections per worker at once; beyond it they wait in the backlog.
const MAX_CONNECTIONS: usize = 25_000;
/// Requests under way get this time when the gateway stops.
const SHUTDOWN_SECONDS: u64 = 15;

/// Binds the address and makes the server; it serves when the result is awaited. Signals are the
/// caller's: stop it by [`Server::handle`].
///
/// # Errors
/// When the address cannot be bound.
pub fn server(
    listen: &str,
    workers: usize,
    state: web::Data<AppState>,
) -> io::Result<(Server, Vec<SocketAddr>)> {
    let server = HttpServer::new(move || {
        let state = state.clone();
        App::new().configure(move |cfg| configure(cfg, state))
    })
    .workers(workers.max(1))
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .client_disconnect_timeout(Duration::from_secs(5))
    .tcp_nodelay(true)
    .backlog(BACKLOG)
    .max_connections(MAX_CONNECTIONS)
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .disable_signals()
    .bind(listen)?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}
