//! The functions that mappings have beyond jq: exact money, time, places, code tables, text. All are pure: one value in, arguments
//! in, one value or an error out. The module of each group documents its functions.
//!
//! Always holds: no float touches money; no function reads the clock, the environment or a file; work is bounded by input size.

mod basic;
mod codes;
pub(crate) mod country;
mod html;
mod jq;
mod latin;
mod money;
mod objects;
mod regex;
#[cfg(test)]
mod tests;
mod text;
mod time;

use super::engine::Frame;
use super::{MapError, Val};
use std::sync::OnceLock;

/// What a native function yields.
pub(crate) type Outcome = Result<Val, MapError>;

/// One native function.
pub(crate) struct Native {
    /// Its name in jq.
    pub name: &'static str,
    /// How many arguments it takes beside its input.
    pub arity: usize,
    /// What it does with (surroundings, input, arguments).
    pub run: fn(&Frame<'_>, Val, &[Val]) -> Outcome,
}

/// All native functions; the index of one never changes while the process lives.
pub(crate) fn all() -> &'static [&'static Native] {
    static ALL: OnceLock<Vec<&'static Native>> = OnceLock::new();
    ALL.get_or_init(|| {
        let groups: [&'static [Native]; 10] = [
            basic::NATIVES,
            codes::NATIVES,
            country::NATIVES,
            html::NATIVES,
            jq::NATIVES,
            money::NATIVES,
            objects::NATIVES,
            regex::NATIVES,
            text::NATIVES,
            time::NATIVES,
        ];
        groups.into_iter().flatten().collect()
    })
}

/// The native function of that name and number of arguments.
pub(crate) fn find(name: &str, arity: usize) -> Option<&'static Native> {
    all()
        .iter()
        .copied()
        .find(|native| native.name == name && native.arity == arity)
}

/// The `index`-th argument; jq gives exactly as many as the arity says.
fn arg(args: &[Val], index: usize) -> &Val {
    args.get(index).unwrap_or(&Val::Null)
}

/// An error of a function.
fn failed<T>(message: impl Into<String>) -> Result<T, MapError> {
    Err(MapError::Failed(message.into()))
}

/// A text argument or input, or an error that names the function.
fn text_of<'v>(name: &str, value: &'v Val) -> Result<&'v str, MapError> {
    super::value::as_str(value).ok_or_else(|| {
        MapError::Failed(format!(
            "{name}: expected a text, found {}",
            super::error::kind(value)
        ))
    })
}
