//! Connections to the server: where it is, how it is proved, and what all of them have in common.
//!
//! What always holds: a certificate is verified wherever TLS is used, against the public authorities
//! or those of `sslrootcert`; errors never name the password; a commit is answered after the server
//! has written it to its disk, whatever the server's or the role's default is. All that is shared by
//! the nodes of one store (locks, calls) is of its schema: two stores may live in one database.

use super::session::Session;
use crate::store::StoreError;
use crate::store::sql::codec::Result;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

/// Numbers of locks: of the store that is in the schema.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Locks {
    /// Held while the schema is changed.
    pub schema: i64,
    /// Held from the append of events to the end of the transaction.
    pub events: i64,
    /// Held from the append of deliveries to the end of the transaction.
    pub inbox: i64,
    /// Held by each process that writes the store, as long as it runs: by one that works alone so
    /// that it is the only one, else shared.
    pub alone: i64,
}

impl Locks {
    fn of(schema: &str) -> Self {
        let number = |what: &str| {
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{what} {schema}").as_bytes());
            // Half of a hash.
            i64::from_be_bytes(*id.as_bytes().first_chunk().unwrap_or(&[0; 8]))
        };
        Self {
            schema: number("crossdock schema"),
            events: number("crossdock events"),
            inbox: number("crossdock inbox"),
            alone: number("crossdock alone"),
        }
    }
}

/// What all connections have in common. A commit is to be on the server's disk: `off` would answer
/// before it is there. The others are left as they are set: `local` waits for this disk, the rest for
/// a standby too. A server that ends idle sessions would end the one that is held all along.
const SET: &str = "SET statement_timeout = '60s'; SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '120s'; SET idle_session_timeout = 0;
    SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') = 'off'";

type TlsStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Makes connections.
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    runtime: Handle,
    node: String,
    schema: String,
}

fn refused(what: &str) -> StoreError {
    StoreError::NotFound(format!("the store URL: {what}"))
}

/// Takes out of a URL what the client does not know: `sslrootcert`, and the modes that verify (we
/// always do).
fn split(url: &str) -> (String, Option<String>) {
    let Some((head, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut root = None;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslrootcert", path)) => {
                let path = percent_encoding::percent_decode_str(path);
                root = Some(path.decode_utf8_lossy().into_owned());
            }
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(pair),
        }
    }
    (format!("{head}?{}", kept.join("&")), root)
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn tls(root: Option<&str>) -> Result<MakeRustlsConnect> {
    let mut roots = rustls::RootCertStore::empty();
    match root {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unread = || refused(&format!("sslrootcert {path} cannot be read"));
            let found = CertificateDer::pem_file_iter(Path::new(path)).map_err(|_| unread())?;
            for one in found {
                roots
                    .add(one.map_err(|_| unread())?)
                    .map_err(|_| unread())?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| refused("TLS cannot be set up"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

impl Connector {
    /// Reads a URL. Blocks while it asks the server for its schema.
    pub(super) fn new(url: &str, runtime: Handle) -> Result<Self> {
        let (url, root) = split(url);
        let mut config: Config = url
            .parse()
            // The text of the error may quote the URL.
            .map_err(|_| refused("it is not one of PostgreSQL"))?;
        if !url.contains("sslmode=") && config.get_hosts().iter().all(is_here) {
            config.ssl_mode(SslMode::Disable);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_application_name().is_none() {
            config.application_name("crossdock");
        }
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(30));
        let mut connector = Self {
            config,
            tls: tls(root.as_deref())?,
            runtime,
            node: Uuid::now_v7().simple().to_string(),
            schema: String::new(),
        };
        connector.schema = connector.runtime.block_on(connector.read_schema())?;
        Ok(connector)
    }

    async fn read_schema(&self) -> Result<String> {
        let client = self.client().await?;
        let row = client.query_one("SELECT current_schema()::text", &[]).await;
        let schema: Option<String> = row?.try_get(0)?;
        schema.ok_or_else(|| refused("its search_path names no schema that exists"))
    }

    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }
    /// This process, as its calls are signed.
    pub(super) fn node(&self) -> &str {
        &self.node
    }
    fn channel(&self) -> String {
        let of = Uuid::new_v5(&Uuid::NAMESPACE_OID, self.schema.as_bytes());
        format!("crossdock_{}", of.simple())
    }
    /// The statement that calls the other nodes.
    pub(super) fn notification(&self, letters: &str) -> String {
        format!("NOTIFY {}, '{} {letters}'", self.channel(), self.node)
    }
    /// The statement that hears them.
    pub(super) fn listening(&self) -> String {
        format!("LISTEN {}", self.channel())
    }

    /// A connection, and what drives it.
    pub(super) async fn raw(&self) -> Result<(Client, Connection<Socket, TlsStream>)> {
        self.config
            .connect(self.tls.clone())
            .await
            .map_err(|error| match StoreError::from(error) {
                StoreError::Unavailable(text) => StoreError::Unavailable(text),
                StoreError::Conflict(text)
                | StoreError::Exists(text)
                | StoreError::NotFound(text)
                | StoreError::Corrupt(text) => {
                    StoreError::Unavailable(format!("no connection: {text}"))
                }
            })
    }

    async fn client(&self) -> Result<Client> {
        let (client, connection) = self.raw().await?;
        self.runtime.spawn(async move {
            if let Err(error) = connection.await {
                let error = StoreError::from(error);
                tracing::warn!(%error, "a connection to the PostgreSQL server was lost");
            }
        });
        client.batch_execute(SET).await?;
        Ok(client)
    }

    /// A connection to be used from a thread that may wait.
    pub(super) fn session(&self) -> Result<Session> {
        let client = self.runtime.block_on(self.client())?;
        let locks = Locks::of(&self.schema);
        Ok(Session::new(client, self.runtime.clone(), locks))
    }

    /// Marks the store as open, as long as the connection lives: for one who wants it alone, or
    /// beside others who do not. A process that just ended may take a moment to be gone.
    pub(super) fn mark_open(&self, session: &Session, alone: bool) -> Result<()> {
        session.batch("SET lock_timeout = '1500ms'")?;
        let lock = session.locks().alone;
        let how = if alone {
            "SELECT pg_advisory_lock(?)"
        } else {
            "SELECT pg_advisory_lock_shared(?)"
        };
        let locked = session
            .prepare(how)?
            .query(&[crate::store::sql::value::Arg::Int(lock)]);
        match locked {
            Ok(_) => session.batch("SET lock_timeout = '20s'"),
            // The lock's time was over.
            Err(StoreError::Unavailable(text)) if text.contains("55P03") => Err(
                StoreError::Unavailable("another server has this database open".to_owned()),
            ),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_does_not_know_is_taken_out() {
        let (url, root) = split("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fca.pem&a=b");
        assert_eq!(url, "postgres://h/d?sslmode=require&a=b");
        assert_eq!(root.as_deref(), Some("/ca.pem"));
        assert_eq!(split("postgres://h/d"), ("postgres://h/d".to_owned(), None));
    }
}
