//! The lint of a connector folder: what the types alone cannot refuse.
//!
//! [`structure`] is what a folder must have right to be loaded at all; [`contract`] is what
//! `crossdock connector check` asks on top: README and fixtures. That jq compiles is checked one
//! layer up, where the mapping engine is known.

mod contract;
mod fields;
mod hooks;
mod references;
mod vocabulary;

pub use contract::contract;
pub use vocabulary::{OPERATIONS, READ_MAPPINGS};

use super::document::Document;
use super::finding::{Finding, Place};
use super::folder::{Folder, MANIFEST};

/// A folder under the lint: its manifest with places, and what was found.
struct Lint<'f> {
    folder: &'f Folder,
    document: Option<Document<'f>>,
    findings: Vec<Finding>,
}

impl<'f> Lint<'f> {
    fn new(folder: &'f Folder) -> Self {
        Self {
            folder,
            document: Document::parse(&folder.text).ok(),
            findings: Vec::new(),
        }
    }

    fn place(&self, path: &[&str]) -> Place {
        self.document
            .as_ref()
            .map_or(Place::START, |document| document.place(path))
    }

    /// A finding at a key of the manifest.
    fn at(&mut self, path: &[&str], message: impl Into<String>) {
        let finding = Finding::at(MANIFEST, self.place(path), message);
        self.findings.push(finding);
    }

    /// The same with advice.
    fn advise(&mut self, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        let finding = Finding::at(MANIFEST, self.place(path), message).hint(hint);
        self.findings.push(finding);
    }

    fn done(mut self) -> Vec<Finding> {
        self.findings.sort();
        self.findings.dedup();
        self.findings
    }
}

/// What keeps a folder from being loaded.
pub fn structure(folder: &Folder) -> Vec<Finding> {
    let mut lint = Lint::new(folder);
    vocabulary::check(&mut lint);
    fields::check(&mut lint);
    references::check(&mut lint);
    lint.done()
}
