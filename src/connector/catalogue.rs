//! All connectors at one moment. Immutable; a change on disk makes a new one.

use super::build::Connector;
use crate::manifest::{Finding, Folder, Source};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that is wrong with a folder that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The folder's name.
    pub folder: String,
    /// The file inside it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do, where we know.
    pub hint: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            folder,
            file,
            line,
            column,
            message,
            hint,
        } = self;
        write!(f, "{folder}/{file}:{line}:{column}: {message}")?;
        match hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl Refusal {
    pub(super) fn of(folder: &str, finding: Finding) -> Self {
        let Finding {
            file,
            line,
            column,
            message,
            hint,
        } = finding;
        Self {
            folder: folder.to_owned(),
            file,
            line,
            column,
            message,
            hint,
        }
    }
}

/// The connectors that can be used, and what was refused.
#[derive(Debug, Default)]
pub struct Catalogue {
    connectors: BTreeMap<String, Arc<Connector>>,
    refused: Vec<Refusal>,
}

impl Catalogue {
    /// A connector by its id.
    pub fn get(&self, id: &str) -> Option<Arc<Connector>> {
        self.connectors.get(id).cloned()
    }
    /// All connectors, by id.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Connector>> {
        self.connectors.values()
    }
    /// Everything that is wrong with the folders that were refused.
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// Adds a folder, over one of the same name. A refused folder takes the place of the built-in
    /// one too: running with other mappings than the operator wants is worse than waiting. `good`
    /// is what ran until now under that name: it goes on while the new one is mended.
    pub(super) fn add(&mut self, source: Source, good: Option<Arc<Connector>>) {
        let name = source.name();
        match Folder::load(source).and_then(Connector::build) {
            Ok(connector) => drop(self.connectors.insert(name, Arc::new(connector))),
            Err(findings) => {
                self.refused.extend(
                    findings
                        .into_iter()
                        .map(|finding| Refusal::of(&name, finding)),
                );
                match good {
                    Some(good) => drop(self.connectors.insert(name, good)),
                    None => drop(self.connectors.remove(&name)),
                }
            }
        }
    }

    /// Puts a ready connector in.
    pub(super) fn put(&mut self, connector: Arc<Connector>) {
        self.connectors.insert(connector.id().to_owned(), connector);
    }
    pub(super) fn refuse(&mut self, refusals: impl IntoIterator<Item = Refusal>) {
        self.refused.extend(refusals);
    }
}
