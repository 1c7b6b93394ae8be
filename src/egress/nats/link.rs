//! One connection to a broker.
//!
//! What always holds: it goes to addresses that the guard has passed; once lost it stays lost for
//! us, and the next delivery makes another, so that the plan's back-off is the only one.

use super::fault::Fault;
use super::{Address, Credentials, Guard, TIMEOUT, tls};
use crate::operation::guard::is_public;
use async_nats::jetstream::{Context, ContextBuilder};
use async_nats::{Event, ServerAddr, ServerError};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// A connection that is silent for so long is asked; silent twice more, it is lost.
const PING_EVERY: Duration = Duration::from_secs(10);
/// TCP, TLS and the broker's greeting, of one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A connection that was made.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) context: Context,
    client: async_nats::Client,
    lost: watch::Receiver<bool>,
    forbidden: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Whether both are the same connection.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.lost.same_channel(&other.lost)
    }

    /// Returns when it is lost.
    pub(super) async fn lost(&self) {
        let _ = self.lost.clone().wait_for(|lost| *lost).await;
    }

    /// Bytes that the broker takes at most, with headers.
    pub(super) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// Whether the broker has said, since this was asked last, that something may not be published.
    pub(super) fn was_forbidden(&self) -> bool {
        self.forbidden.swap(false, Ordering::Relaxed)
    }
}

/// Connects to the first address that can be; what went wrong is said in words without secrets.
pub(super) async fn connect(
    at: &Address,
    credentials: &Credentials,
    guard: &Guard,
) -> Result<Link, &'static str> {
    let mut told = None;
    for address in guard.addresses(&at.host).await? {
        match connect_to(at, address, credentials).await? {
            Ok(link) => return Ok(link),
            Err(fault) => told = told.max(Some(fault)),
        }
    }
    Err(told.map_or("no connection to the broker", |fault: Fault| fault.why))
}

/// Connects to one address; the outer error is one of all addresses.
async fn connect_to(
    at: &Address,
    address: IpAddr,
    credentials: &Credentials,
) -> Result<Result<Link, Fault>, &'static str> {
    let server = server(at, address)?;
    let (told, lost) = watch::channel(false);
    let forbidden = Arc::new(AtomicBool::new(false));
    let flag = forbidden.clone();
    let options = credentials
        .options()?
        .name("crossdock")
        .require_tls(at.tls)
        .tls_client_config(tls::config(&at.host)?)
        .ignore_discovered_servers()
        // Once more by itself, then it ends (0 would be for ever); for us it is lost at once.
        .max_reconnects(1)
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(TIMEOUT))
        .ping_interval(PING_EVERY)
        .event_callback(move |event| {
            match event {
                Event::Disconnected | Event::Closed => {
                    told.send_replace(true);
                }
                Event::ServerError(ServerError::Other(text))
                    if text.to_ascii_lowercase().contains("permissions violation") =>
                {
                    flag.store(true, Ordering::Relaxed);
                }
                _ => {}
            }
            std::future::ready(())
        });
    Ok(match options.connect(server).await {
        Ok(client) => Ok(Link {
            context: ContextBuilder::new().timeout(TIMEOUT).build(client.clone()),
            client,
            lost,
            forbidden,
        }),
        Err(error) => Err(Fault::of(&error)),
    })
}

fn server(at: &Address, address: IpAddr) -> Result<ServerAddr, &'static str> {
    let host = address.to_string();
    let server = Address { host, ..at.clone() }.server();
    server.parse().map_err(|_| "the broker's address is no URL")
}

impl Guard {
    /// The addresses of a host that may be called.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, &'static str> {
        let mut found = match host.parse() {
            Ok(literal) => vec![literal],
            Err(_) => {
                let looked = self.lookup.lookup(host).await;
                looked.map_err(|_| "the broker's name cannot be resolved")?
            }
        };
        if found.is_empty() {
            return Err("the broker's name cannot be resolved");
        }
        found.retain(|address| self.allow_private || is_public(*address));
        found.truncate(MAX_ADDRESSES);
        if found.is_empty() {
            return Err("blocked: the broker's address is not a public one");
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use async_trait::async_trait;

    struct Names(Vec<IpAddr>);

    #[async_trait]
    impl crate::operation::guard::Lookup for Names {
        async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    #[tokio::test]
    async fn only_addresses_that_may_be_called_are_connected_to() {
        let inside: IpAddr = "10.0.0.7".parse().unwrap();
        let outside: IpAddr = "2606:4700:4700::1111".parse().unwrap();
        let guard = |allow_private| Guard {
            lookup: Arc::new(Names(vec![inside, outside])),
            allow_private,
        };
        let strict = guard(false);
        assert_eq!(strict.addresses("broker.example").await, Ok(vec![outside]));
        for literal in ["127.0.0.1", "::1", "169.254.169.254"] {
            assert!(
                strict
                    .addresses(literal)
                    .await
                    .unwrap_err()
                    .starts_with("blocked")
            );
        }
        let all = guard(true).addresses("broker.example").await.unwrap();
        let at = Address::parse("tls://broker.example/wh").unwrap();
        let servers: Vec<String> = all
            .iter()
            .map(|address| server(&at, *address).unwrap())
            .map(|server| format!("{}:{}", server.host(), server.port()))
            .collect();
        assert_eq!(servers.len(), 2);
        assert_eq!(servers.first().map(String::as_str), Some("10.0.0.7:4222"));
    }
}
