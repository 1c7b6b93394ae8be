//! Mappings: jq programs that turn a provider's payload into the canonical model, and back.
//!
//! - [`read`] decodes bytes strictly into jq's value, [`select()`] slices a delivery into records, [`Program`] maps one record,
//!   [`shape()`] reads the output as a Rust type, [`to_json`] and [`to_xml`] write what leaves.
//! - [`Library`] holds what mappings share: functions in `mappings/lib`, code tables in `mappings/tables`.
//!
//! Always holds: a mapping sees only its input, `$connection`, `$headers`, `$context` and the library; it cannot loop without bound
//! (a lint on the parse tree), read a clock, a file or the environment; money is exact (native functions, never jq's floats); the
//! same input gives the same output. Connector authors are trusted not to be hostile, payloads are not.

mod calls;
mod compile;
mod engine;
mod error;
mod evaluate;
mod exact;
mod generate;
mod library;
mod lint;
mod literals;
mod lower;
mod misfit;
mod names;
mod natives;
mod path;
mod paths;
mod precompile;
mod prelude;
mod program;
mod quick;
#[cfg(test)]
mod quick_tests;
pub mod read;
mod search;
mod shape;
#[cfg(test)]
mod shape_tests;
mod syntax;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod visit;
mod write;

pub use error::{CompileError, MapError};
pub use jaq_json::Val;
pub use library::Library;
pub use misfit::ShapeError;
pub use path::{Path, PathError, SelectError, raw_items, select};
pub use program::{Drift, Notes, Program, Scope, Yield};
pub use read::{Limits, ReadError};
pub use shape::shape;
pub use write::{to_json, to_xml};

/// Any serializable value as the mapping's value; numbers keep the digits that their JSON text has.
pub fn from_serde<T: serde::Serialize>(value: &T) -> Result<Val, ReadError> {
    let text = serde_json::to_vec(value)
        .map_err(|_| ReadError::new("json", "the value cannot be serialized"))?;
    read::json(
        &text,
        &Limits {
            max_bytes: usize::MAX,
            ..Limits::default()
        },
    )
}
