//! Checks of texts that people enter: lengths, control characters, sizes, addresses.

use super::problem::Problem;
use serde_json::{Map, Value};

/// Longest name.
const MAX_NAME: usize = 200;
/// Longest reason or note.
const MAX_NOTE: usize = 2_000;
/// Largest free object (settings), as JSON.
const MAX_OBJECT: usize = 64 << 10;

/// A name: 1 to 200 characters, no control characters, trimmed.
///
/// # Errors
/// `invalid_body` at the path.
pub fn name(path: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(Problem::body(
            path,
            "1 to 200 characters without control characters are wanted",
        ));
    }
    Ok(text.to_owned())
}

/// A note: at most 2,000 characters, line breaks allowed.
///
/// # Errors
/// `invalid_body` at the path.
pub fn note(path: &str, text: &str) -> Result<String, Problem> {
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().count() > MAX_NOTE || text.chars().any(bad) {
        return Err(Problem::body(path, "at most 2,000 characters are wanted"));
    }
    Ok(text.trim().to_owned())
}

/// A note that must say something.
///
/// # Errors
/// `invalid_body` at the path.
pub fn reason(path: &str, text: &str) -> Result<String, Problem> {
    match note(path, text)? {
        text if text.is_empty() => Err(Problem::body(path, "must say why")),
        text => Ok(text),
    }
}

/// A free object of at most 64 KiB.
///
/// # Errors
/// `invalid_body` at the path.
pub fn object_size(path: &str, object: &Map<String, Value>) -> Result<(), Problem> {
    match serde_json::to_vec(object) {
        Ok(bytes) if bytes.len() <= MAX_OBJECT => Ok(()),
        _ => Err(Problem::body(path, "more than 64 KiB")),
    }
}

/// An http or https address without credentials in it, as subscribers give it.
///
/// # Errors
/// `invalid_body` at the path.
pub fn web_address(path: &str, text: &str) -> Result<String, Problem> {
    let refuse = |message: &str| Err(Problem::body(path, message));
    if text.len() > 2_000 {
        return refuse("more than 2,000 characters");
    }
    let Ok(url) = url::Url::parse(text) else {
        return refuse("an address such as https://wms.example/hooks is wanted");
    };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return refuse("an http or https address is wanted");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("user and password do not belong into an address: deliveries are signed");
    }
    if url.fragment().is_some() {
        return refuse("an address with a # part cannot be called");
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(
            web_address("url", "https://wms.example/in?x=1").unwrap(),
            "https://wms.example/in?x=1"
        );
        for bad in [
            "",
            "wms.example",
            "ftp://wms.example",
            "file:///etc/passwd",
            "https://",
            "https://u:p@wms.example/",
            "https://wms.example/#a",
            "javascript:alert(1)",
        ] {
            assert!(web_address("url", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(name("name", " Зоомагазин ").unwrap(), "Зоомагазин");
        for bad in [String::new(), "  ".into(), "a\u{7}".into(), "x".repeat(201)] {
            assert!(name("name", &bad).is_err(), "{bad:?}");
        }
        assert!(reason("reason", " ").is_err());
        assert_eq!(note("note", "two\nlines").unwrap(), "two\nlines");
    }
}
