//! Strict readers from the wire to the mapping's value.
//!
//! Always holds: size and depth are capped before anything recurses, so that no payload can exhaust the stack; numbers keep
//! the digits that were sent; what is not exactly one well-formed document is refused with its place. Error texts carry no payload.

mod charset;
mod form;
mod json;
#[cfg(test)]
mod tests;
mod xml;

pub use charset::charset;
pub use form::form;
pub(crate) use json::NUMBER_TOKEN;
pub use json::json;
pub use xml::xml;

/// Deepest nesting that any reader accepts (the parser's own cap lies at 127).
pub const DEPTH_CAP: usize = 127;
/// Longest number text.
pub(crate) const NUMBER_LENGTH_CAP: usize = 1_000;
/// Largest decimal exponent of a number, either sign.
pub(crate) const EXPONENT_CAP: i64 = 400;

/// How much a reader accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole document.
    pub max_bytes: usize,
    /// Levels of nesting; values above [`DEPTH_CAP`] count as that.
    pub max_depth: usize,
}

impl Default for Limits {
    /// 32 MiB, 127 levels.
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            max_depth: DEPTH_CAP,
        }
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{format} {message}{}", place(*.line, *.column))]
pub struct ReadError {
    /// `json`, `xml`, `form`, `charset`.
    pub format: &'static str,
    /// What is wrong, without payload.
    pub message: String,
    /// Line from 1, or 0 where unknown.
    pub line: usize,
    /// Column from 1, or 0 where unknown.
    pub column: usize,
}

fn place(line: usize, column: usize) -> String {
    if line == 0 {
        String::new()
    } else {
        format!(" at line {line} column {column}")
    }
}

impl ReadError {
    pub(crate) fn new(format: &'static str, message: impl Into<String>) -> Self {
        Self {
            format,
            message: message.into(),
            line: 0,
            column: 0,
        }
    }

    /// An error at a byte offset of the body.
    pub(crate) fn at(
        format: &'static str,
        body: &[u8],
        offset: usize,
        message: impl Into<String>,
    ) -> Self {
        let before = body.get(..offset).unwrap_or(body);
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |newline| newline + 1);
        Self {
            format,
            message: message.into(),
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            column: before.len() - line_start + 1,
        }
    }
}

/// The body as text without a byte order mark, or why not.
pub(crate) fn utf8<'a>(
    format: &'static str,
    body: &'a [u8],
    limits: &Limits,
) -> Result<&'a str, ReadError> {
    if body.len() > limits.max_bytes {
        return Err(ReadError::new(
            format,
            format!(
                "body has {} bytes, more than the {} allowed",
                body.len(),
                limits.max_bytes
            ),
        ));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        ReadError::at(format, body, error.valid_up_to(), "body is not valid UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
