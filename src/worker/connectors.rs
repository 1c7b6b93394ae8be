//! What the worker needs of the loaded connector folders.

use crate::operation::Provider;
use std::sync::Arc;

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
    /// Loads folders anew that were changed on disk; the ids of those that are usable and have
    /// another version than before.
    fn reload_if_changed(&self) -> Vec<String>;
}
