//! Bodies: from what an expression yields to bytes, by format.
//!
//! What always holds: JSON keeps the digits of numbers; a form is flat; nothing is guessed: a
//! value that does not fit the format is an error that names the place, not the value.

use super::join::{self, encode};
use super::value::{kind, scalar};
use crate::manifest::model::Format;
use crate::mapping;
use bytes::Bytes;
use jaq_json::Val;

/// A value that does not fit its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body does not fit its format: {0}")]
pub struct EncodeError(String);

/// The `Content-Type` of a body; none when there is no body.
pub const fn content_type(format: Format) -> Option<&'static str> {
    match format {
        Format::Json => Some("application/json"),
        Format::Form => Some("application/x-www-form-urlencoded"),
        Format::Xml => Some("application/xml; charset=utf-8"),
        Format::Text => Some("text/plain; charset=utf-8"),
        Format::Binary | Format::None => None,
    }
}

/// The `Accept` of a request whose answer is due in this format.
pub const fn accept(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json",
        Format::Xml => "application/xml, text/xml",
        Format::Form | Format::Text | Format::Binary | Format::None => "*/*",
    }
}

/// The bytes of a body.
pub fn body(format: Format, value: &Val) -> Result<Bytes, EncodeError> {
    match format {
        Format::Json => Ok(mapping::to_json(value).into()),
        Format::Form => form(value),
        Format::Xml => mapping::to_xml(value)
            .map(Bytes::from)
            .map_err(|error| EncodeError(error.to_string())),
        Format::Text => match scalar(value) {
            Some(text) => Ok(text.into_owned().into()),
            None => Err(EncodeError(format!("a text is due, it is {}", kind(value)))),
        },
        Format::Binary | Format::None => Err(EncodeError("the step has no body format".to_owned())),
    }
}

fn form(value: &Val) -> Result<Bytes, EncodeError> {
    let pairs = join::pairs(value)
        .map_err(|error| EncodeError(error.to_string().replace("the query", "the form")))?;
    let encoded: Vec<_> = pairs
        .iter()
        .map(|(name, text)| format!("{}={}", encode(name), encode(text)))
        .collect();
    Ok(encoded.join("&").into())
}
