//! What the server's writers write on.
//!
//! What always holds: each has a connection of its own, made anew when it was lost; nothing is begun
//! unless the server knows that this process has the store open; after a commit the other nodes are
//! told.

use super::connect::Connector;
use super::inbox::Rows;
use super::listen;
use super::presence::Presence;
use super::session::Session;
use crate::store::StoreError;
use crate::store::sql::Shared;
use crate::store::sql::codec::Result;
use crate::store::sql::commit::Ground;
use crate::store::sql::conn::Conn;
use crate::store::sql::writer::Inbox;
use crate::store::wake::Bells;
use std::sync::Arc;

/// The thread's own.
pub(super) struct Server {
    connector: Arc<Connector>,
    /// `None`: the store was opened for reading only.
    presence: Option<Arc<Presence>>,
    session: Option<Session>,
    inbox: Rows,
}

impl Server {
    pub(super) fn new(connector: Arc<Connector>, presence: Option<Arc<Presence>>) -> Self {
        Self {
            connector,
            presence,
            session: None,
            inbox: Rows,
        }
    }
}

impl Ground for Server {
    fn begin(&mut self, _shared: &Shared) -> Result<()> {
        match &self.presence {
            Some(presence) => presence.hold()?,
            None => {
                return Err(StoreError::Unavailable(
                    "the store was opened for reading only".to_owned(),
                ));
            }
        }
        let known = self.session.take().filter(|s| !s.is_closed());
        let session = match known {
            Some(session) => session,
            None => self.connector.session()?,
        };
        // Whatever the server's default is: what was committed while a lock was waited for is seen.
        let begun = session.begin("BEGIN ISOLATION LEVEL READ COMMITTED");
        self.session = Some(session);
        begun
    }

    fn parts(&mut self) -> Result<(Conn<'_>, &mut dyn Inbox)> {
        match &self.session {
            Some(session) => Ok((Conn::Postgres(session), &mut self.inbox)),
            None => Err(StoreError::Unavailable(
                "no connection to the PostgreSQL server".to_owned(),
            )),
        }
    }

    fn abandon(&mut self) {
        if let Some(session) = &self.session {
            session.roll_back();
        }
    }

    fn tell(&mut self, bells: Bells) {
        let (Some(session), Some(text)) = (&self.session, listen::text(bells)) else {
            return;
        };
        // A hint: whoever misses it polls.
        let _ = session.plain(&self.connector.notification(&text));
        session.forget();
    }
}
