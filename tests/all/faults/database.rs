//! The server that is stopped and killed while everything goes on.

use crate::support::database::Database as Server;
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(Clone)]
pub struct Database(Arc<Server>);

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// As an operator stops it.
    Fast,
    /// It aborts everything and recovers when it starts.
    Immediate,
    /// `kill -9` of its main process.
    Killed,
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

impl Database {
    pub async fn start() -> Self {
        Self(Arc::new(blocking(Server::start).await))
    }

    /// Its address; everything goes through a proxy to there.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// The store's URL at this address.
    pub fn url(&self, addr: SocketAddr) -> String {
        format!("postgres://postgres@{addr}/postgres")
    }

    /// Ends and starts again.
    pub async fn again(&self, end: End) {
        let server = self.0.clone();
        blocking(move || {
            match end {
                End::Fast => server.stop(),
                End::Immediate => server.cut(),
                End::Killed => server.kill(),
            }
            server.begin("");
        })
        .await;
    }
}
