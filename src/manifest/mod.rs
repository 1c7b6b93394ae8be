//! Connector manifests: one folder of data a provider.
//!
//! What always holds: this module knows the vocabulary, never a provider. A manifest is read
//! strictly (unknown keys are errors with line, column and a suggestion); one broken folder is
//! refused with its reason and the rest go on.

pub mod coverage;
pub mod document;
pub mod finding;
pub mod fixture;
pub mod folder;
pub mod form;
pub mod lint;
pub mod model;
pub mod parse;
pub mod scalar;
pub mod schema;
pub mod submitted;
pub mod walk;

pub use finding::{Finding, Place};
pub use folder::{Folder, Source};
pub use model::Manifest;

#[cfg(test)]
mod docs_tests;
#[cfg(test)]
mod tests;
