//! Answers: from bytes to a value, by the format that is due.
//!
//! What always holds: an answer without a body is null in every format; what does not decode is
//! null with a reason, never a guess; the strict readers of [`crate::mapping::read`] do the work.

use super::client::Answer;
use crate::connector::records::{file, json};
use crate::manifest::model::Format;
use crate::mapping::{from_serde, read};
use jaq_json::Val;
use reqwest::header::CONTENT_TYPE;

/// A decoded answer.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The body; null when there is none or it cannot be read.
    pub body: Val,
    /// Why it cannot be read.
    pub fault: Option<Fault>,
}

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A web page stands where data was due: a firewall, a login or maintenance page.
    Html,
    /// Not the format that was due; says what is wrong, without payload.
    Malformed(String),
}

/// Decodes an answer.
pub fn decode(format: Format, skip_prelude: bool, answer: &Answer) -> Decoded {
    let limits = read::Limits {
        max_bytes: usize::MAX,
        ..read::Limits::default()
    };
    let bytes: &[u8] = &answer.body;
    if format == Format::None || bytes.iter().all(u8::is_ascii_whitespace) {
        return Decoded {
            body: Val::Null,
            fault: None,
        };
    }
    let read = match format {
        Format::Json => json(bytes, skip_prelude, &limits),
        Format::Form => match media_type(answer) {
            "application/json" => read::json(bytes, &limits),
            "application/x-www-form-urlencoded" => read::form(bytes),
            _ => Ok(text(bytes)),
        },
        // A web page instead of a file is a fault, never a label.
        Format::Binary if is_html(answer) => return page(),
        // One that is well-formed, too.
        Format::Xml if begins_as_html(bytes) => return page(),
        Format::Xml => read::xml(bytes, &limits),
        Format::Binary => from_serde(&file(bytes, media_type(answer))),
        Format::Text | Format::None => Ok(text(bytes)),
    };
    match read {
        Ok(body) => Decoded { body, fault: None },
        Err(_) if is_html(answer) => page(),
        Err(error) => Decoded {
            body: Val::Null,
            fault: Some(Fault::Malformed(error.to_string())),
        },
    }
}

fn text(bytes: &[u8]) -> Val {
    super::value::text(&String::from_utf8_lossy(bytes))
}

fn media_type(answer: &Answer) -> &str {
    let value = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

/// True for a web page, by its type or by how it begins.
fn is_html(answer: &Answer) -> bool {
    if media_type(answer).eq_ignore_ascii_case("text/html") {
        return true;
    }
    begins_as_html(&answer.body)
}

fn begins_as_html(body: &[u8]) -> bool {
    let head: Vec<u8> = body
        .iter()
        .copied()
        .skip_while(u8::is_ascii_whitespace)
        .take(14)
        .collect();
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

const fn page() -> Decoded {
    Decoded {
        body: Val::Null,
        fault: Some(Fault::Html),
    }
}
