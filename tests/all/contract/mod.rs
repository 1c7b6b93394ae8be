//! The contract that every connector passes, made from the manifests and fixtures of whichever
//! folders there are: no connector is named here.
//!
//! Lint, README, forms and fixtures are `connector check` (see `conformance`). Here: what happens to
//! payloads that are not as documented, to webhooks that nobody signed or that were cut off, to
//! versions of an order in the wrong order, to answers that say no, and to calls whose answer is
//! lost on its way.

mod answers;
mod hooks;
mod house;
mod late;
mod lost;
pub(crate) mod mutate;
mod payloads;
mod plays;
mod prose;
mod stage;

use crossdock::connector::{Connector, Registry};
use crossdock::manifest::fixture::{self, Case, Kind};
use std::sync::Arc;

/// Every built-in connector.
pub(crate) fn connectors() -> Vec<Arc<Connector>> {
    Registry::load(None).catalogue().all().cloned().collect()
}

/// The fixtures of a kind.
pub(crate) fn cases(connector: &Connector, kind: Kind) -> Vec<Case> {
    let all = fixture::all(&connector.folder().source);
    let all = all.into_iter().map(|case| case.unwrap());
    all.filter(|case| case.kind == kind).collect()
}
