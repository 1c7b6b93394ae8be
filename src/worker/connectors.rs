//! What the worker needs of the loaded connector folders.

use crate::canonical::connection::Connection;
use crate::connector::{Connector, Registry};
use crate::operation::Provider;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One loaded connector.
#[derive(Clone)]
pub struct Loaded {
    /// Its manifest and jq.
    pub provider: Arc<dyn Provider>,
    /// Its content hash: which mapping made an order.
    pub version: Arc<str>,
}

/// The loaded folders.
pub trait Connectors: Send + Sync {
    /// A connector; `None` when its folder is missing or refused at the moment.
    fn get(&self, id: &str) -> Option<Loaded>;
    /// The connector of a connection, in the version that it keeps to.
    fn of(&self, connection: &Connection) -> Option<Loaded>;
    /// Loads folders anew that were changed on disk; the ids of those that are usable and have
    /// another version than at the last call.
    fn reload_if_changed(&self) -> Vec<String>;
}

/// The registry's connectors.
pub struct Folders {
    registry: Arc<Registry>,
    versions: Mutex<BTreeMap<String, String>>,
}

impl Folders {
    /// The connectors of this registry.
    pub fn new(registry: Arc<Registry>) -> Self {
        let versions = Mutex::new(versions(&registry));
        Self { registry, versions }
    }
}

fn loaded(connector: Arc<Connector>) -> Loaded {
    let version = connector.version().into();
    Loaded {
        provider: connector,
        version,
    }
}

fn versions(registry: &Registry) -> BTreeMap<String, String> {
    let catalogue = registry.catalogue();
    catalogue
        .all()
        .map(|c| (c.id().to_owned(), c.version().to_owned()))
        .collect()
}

impl Connectors for Folders {
    fn get(&self, id: &str) -> Option<Loaded> {
        self.registry.get(id).map(loaded)
    }

    fn of(&self, connection: &Connection) -> Option<Loaded> {
        let version = connection.connector_version.as_deref();
        let found = self.registry.get_version(&connection.connector, version);
        found.map(loaded)
    }

    fn reload_if_changed(&self) -> Vec<String> {
        // Whoever else reloaded the registry, the versions tell.
        self.registry.reload_if_changed();
        let mut known = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let now = versions(&self.registry);
        let changed = now
            .iter()
            .filter(|(id, version)| known.get(*id) != Some(version));
        let changed = changed.map(|(id, _)| id.clone()).collect();
        *known = now;
        changed
    }
}
