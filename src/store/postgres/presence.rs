//! That this process has the store open, as the server and other processes know it.
//!
//! What always holds: who works alone keeps every other process off that writes, and is kept off by
//! any; who shares keeps off only those who want it alone. What is held goes with its connection and
//! is taken again before anything is written; a store whose master key was changed in between is not
//! written any more.

use super::connect::Connector;
use super::session::Session;
use crate::store::StoreError;
use crate::store::sql::codec::Result;
use crate::store::sql::conn::Conn;
use crate::store::sql::keys;
use crate::store::vault::MasterKey;
use std::sync::{Arc, Mutex, PoisonError};

/// See the module.
pub(super) struct Presence {
    connector: Arc<Connector>,
    alone: bool,
    master_key: MasterKey,
    held: Mutex<Option<Session>>,
}

impl Presence {
    /// Of a process with this master key; not held yet.
    pub(super) fn new(connector: Arc<Connector>, alone: bool, master_key: MasterKey) -> Self {
        Self {
            connector,
            alone,
            master_key,
            held: Mutex::new(None),
        }
    }

    /// Holds it, again when the connection was lost.
    ///
    /// # Errors
    /// `Unavailable` when another process has the store, the server cannot be reached, or the master
    /// key was changed meanwhile.
    pub(super) fn hold(&self) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|session| !session.is_closed()) {
            return Ok(());
        }
        *held = None;
        let session = self.connector.session()?;
        self.connector.mark_open(&session, self.alone)?;
        if !keys::is_sealed_with(Conn::Postgres(&session), &self.master_key)? {
            return Err(StoreError::Unavailable(
                "the master key was changed meanwhile: start anew with the one that counts"
                    .to_owned(),
            ));
        }
        *held = Some(session);
        Ok(())
    }

    /// Lets go, at the store's end.
    pub(super) fn release(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take();
    }
}
