//! Connectors ready to run: a folder with its jq compiled, and the catalogue of all of them.
//!
//! What always holds: a [`Connector`] exists only when its whole folder passed the lint and all its
//! jq parses; it never changes (a changed folder is a new one, with another `version`), so it may
//! be used by many threads without a lock. [`Registry`] swaps whole catalogues.

mod build;
pub mod catalogue;
mod kept;
pub mod map;
pub mod output;
pub mod records;
pub mod registry;

pub use build::Connector;
pub use catalogue::{Catalogue, Refusal};
pub use kept::NotKept;
pub use map::{Detail, Failure, MapInput, Mapped, Warning};
pub use registry::Registry;

#[cfg(test)]
mod tests;
