//! Why a value does not fit a Rust type: the place is kept, the content is not, since it may be personal data.

use super::error::capped;
use serde::de::{self, Unexpected};
use std::fmt;

/// The times that the model has.
const MOMENT: &str = "a time with zone, e.g. 2026-11-25T08:00:00Z";

/// Where and why a value does not fit a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct ShapeError {
    /// `lines[2].total.amount`; empty for the value itself.
    pub path: String,
    /// What does not fit.
    pub message: String,
}

/// The error on its way out, collecting the path from the inside.
#[derive(Debug)]
pub(super) struct Misfit {
    message: String,
    /// Innermost step first.
    steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Misfit {
    pub(super) fn new(message: String) -> Self {
        Self {
            message,
            steps: Vec::new(),
        }
    }

    pub(super) fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(super) fn into_shape_error(self) -> ShapeError {
        let mut path = String::new();
        for step in self.steps.into_iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path = key,
                Step::Key(key) => path.push_str(&format!(".{key}")),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        ShapeError {
            path: capped(&path),
            message: capped(&self.message),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // The library of times speaks of its grammar and repeats the text; what is wanted is this.
        if std::any::type_name::<T>().starts_with("jiff::") {
            return Self::new(format!("expected {MOMENT}"));
        }
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!(
            "expected {expected}, found {}",
            without_content(found)
        ))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!(
            "expected {expected}, found another value of {}",
            without_content(found)
        ))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        // A code may be shown, a sentence may be personal data.
        let code = found.len() <= 32
            && found
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        let found = if code {
            format!("`{found}`")
        } else {
            "a text".to_owned()
        };
        Self::new(format!(
            "expected one of {}, found {found}",
            expected.join(", ")
        ))
    }
}

fn without_content(found: Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a number",
        Unexpected::Float(_) => "a decimal number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq | Unexpected::TupleVariant => "an array",
        Unexpected::Map | Unexpected::StructVariant => "an object",
        _ => "something else",
    }
}
