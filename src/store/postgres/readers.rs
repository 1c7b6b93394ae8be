//! Readers: a few connections that take turns, used on blocking threads.
//!
//! What always holds: a read is one snapshot of the database and never writes; a connection that
//! was lost is replaced.

use super::connect::Connector;
use super::session::Session;
use crate::store::StoreError;
use crate::store::sql::Shared;
use crate::store::sql::codec::Result;
use crate::store::sql::conn::Conn;
use crate::store::sql::reader::Reader;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// So many read at a time.
const MOST: usize = 8;

/// The pool.
pub(in crate::store) struct Readers {
    connector: Arc<Connector>,
    gate: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
}

impl Readers {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            gate: Arc::new(Semaphore::new(MOST)),
            idle: Mutex::default(),
        }
    }

    pub(in crate::store) async fn run<T, F>(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        read: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.gate)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
        let (pool, shared) = (Arc::clone(self), Arc::clone(shared));
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let session = pool.take()?;
            let result = in_one_state(&session, &shared, read);
            pool.give_back(session);
            result
        })
        .await
        .map_err(|_| StoreError::Corrupt("a read failed unexpectedly".to_owned()))?
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Session> {
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(session) if session.is_closed() => {}
                Some(session) => return Ok(session),
                None => return self.connector.session(),
            }
        }
    }

    fn give_back(&self, session: Session) {
        if !self.gate.is_closed() && !session.is_closed() {
            self.idle().push(session);
        }
    }

    /// Closes the idle connections (at the store's end).
    pub(super) fn close(&self) {
        self.gate.close();
        self.idle().clear();
    }
}

fn in_one_state<T>(
    session: &Session,
    shared: &Shared,
    read: impl FnOnce(&Reader<'_>) -> Result<T>,
) -> Result<T> {
    session.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    let result = read(&Reader::new(Conn::Postgres(session), shared));
    match &result {
        // Its end need not be waited for.
        Ok(_) => {
            session.end()?;
            session.forget();
        }
        Err(_) => session.roll_back(),
    }
    result
}
