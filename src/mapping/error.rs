//! What can go wrong with a mapping: when it is loaded ([`CompileError`]) and when it runs ([`MapError`]).
//!
//! Always holds: no error text carries a payload. Values in jq's own messages are replaced by their kind
//! ("an object"), texts are cut to [`MESSAGE_LIMIT`] characters.

use super::Val;
use std::fmt;

/// Longest error text in characters.
pub const MESSAGE_LIMIT: usize = 300;

/// A mapping that cannot be loaded: where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// Name of the program as its author knows it, such as `connector/order.jq`.
    pub label: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where we know.
    pub hint: Option<String>,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.label, self.line, self.column, self.message
        )?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CompileError {}

impl CompileError {
    /// An error at the byte `offset` of `source`.
    pub(crate) fn at(label: &str, source: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            label: label.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A mapping that failed on one input. All of them mean: this input does not fit this mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The program raised an error: by `error(…)`, by a type that does not fit, by a native function.
    #[error("{0}")]
    Failed(String),
    /// A value that the mapping requires is null or absent; names it.
    #[error("required value is missing: {0}")]
    Missing(String),
    /// Exact arithmetic would have to round or exceeds 28 digits.
    #[error("{0}")]
    Overflow(String),
    /// A field of an object literal yielded no value, or several; names it.
    #[error("{0}")]
    Field(String),
    /// An expression yielded nothing.
    #[error("the expression yielded no value")]
    NoOutput,
    /// An expression yielded more than one value.
    #[error("the expression yielded several values")]
    ManyOutputs,
    /// More outputs, text or depth than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// The program passed the lint and yet did not compile: a fault of ours.
    #[error("the mapping does not compile: {0}")]
    Compile(CompileError),
    /// A fault of the engine itself.
    #[error("the mapping engine failed: {0}")]
    Internal(String),
}

impl MapError {
    /// Stable machine word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "mapping_error",
            Self::Missing(_) => "mapping_missing",
            Self::Overflow(_) => "mapping_overflow",
            Self::Field(_) => "mapping_field",
            Self::NoOutput => "mapping_no_output",
            Self::ManyOutputs => "mapping_many_outputs",
            Self::TooLarge(_) => "mapping_too_large",
            Self::Compile(_) => "mapping_compile",
            Self::Internal(_) => "mapping_internal",
        }
    }

    /// The text for people: short, without payload.
    pub fn message(&self) -> String {
        capped(&self.to_string())
    }
}

/// Cuts a text to [`MESSAGE_LIMIT`] characters.
pub(crate) fn capped(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}

/// The text of an error of jq: what the author raised as it is, what jq composed without its values.
pub(crate) fn describe(error: jaq_json::Error) -> String {
    let text = error.to_string();
    let value = error.clone().into_val();
    // An error that equals one made of its own value was raised by `error(value)` or by a function with a text.
    if jaq_json::Error::new(value.clone()) == error {
        return match value {
            Val::TStr(raised) => capped(&String::from_utf8_lossy(&raised)),
            Val::Obj(_) => raised_object(&value),
            other => format!("error raised with {}", kind(&other)),
        };
    }
    capped(&without_values(&text))
}

/// `error({message: …})` says its message.
fn raised_object(value: &Val) -> String {
    match super::value::field(value, "message").and_then(super::value::as_str) {
        Some(message) => capped(message),
        None => "error raised with an object".to_owned(),
    }
}

/// Replaces the values in the texts that jq composes by their kinds.
fn without_values(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("cannot use ") {
        let wanted = rest.rsplit(" as ").next().unwrap_or("something else");
        return format!("cannot use {} as {wanted}", kind_of_text(rest));
    }
    if let Some(rest) = text.strip_prefix("cannot index ") {
        let key = rest.rsplit(" with ").next().unwrap_or("");
        let plain = key.len() <= 40
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-\"@#".contains(c));
        let key = if plain { key } else { kind_of_text(key) };
        return format!("cannot index {} with {key}", kind_of_text(rest));
    }
    if let Some(rest) = text.strip_prefix("cannot calculate ") {
        let operator = ["+", "-", "*", "/", "%"]
            .into_iter()
            .find(|op| rest.contains(&format!(" {op} ")));
        return format!(
            "cannot calculate {} {} …",
            kind_of_text(rest),
            operator.unwrap_or("?")
        );
    }
    if text.starts_with("invalid path expression") {
        return "invalid path expression: the left side of an assignment must be a path".to_owned();
    }
    "the mapping failed".to_owned()
}

/// The kind of the JSON value that a text starts with.
fn kind_of_text(text: &str) -> &'static str {
    match text.chars().next() {
        Some('{') => "an object",
        Some('[') => "an array",
        Some('"' | 'b') => "a string",
        Some('n') => "null",
        Some('t' | 'f') => "a boolean",
        _ => "a number",
    }
}

/// The kind of a value with its article.
pub(crate) fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::BStr(_) => "bytes",
        Val::TStr(_) => "a string",
        Val::Arr(_) => "an array",
        Val::Obj(_) => "an object",
    }
}
