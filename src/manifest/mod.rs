//! Connector manifests: one folder of data a provider.
//!
//! What always holds: this module knows the vocabulary, never a provider. A manifest is read
//! strictly (unknown keys are errors with line, column and a suggestion); one broken folder is
//! refused with its reason and the rest go on.

pub mod form;
pub mod model;
pub mod scalar;
