//! The strict reading of a TOML file: every error has line, column and, for a misspelt key, the
//! key that was probably meant. A word of the vocabulary that no folder uses yet is said to be so.

use super::document::Document;
use super::finding::{Finding, Place, did_you_mean};
use serde::de::DeserializeOwned;

/// Words of the vocabulary (CONNECTORS.md) that are not built yet: kinds, formats and keys.
const NOT_BUILT_YET: &[&str] = &[
    // transport
    "multipart",
    "soap",
    "graphql",
    "csv",
    "binary",
    "charset",
    // auth
    "body",
    "oauth2",
    "session",
    "sign",
    "jwt",
    "mtls",
    "all",
    "native",
    // pagination
    "offset",
    "next_url",
    "since_id",
    "time_window",
    "journal",
    "graphql_connection",
    "list_then_get",
    "batch",
    // limits, idempotency, jobs
    "quota",
    "cost",
    "spacing",
    "lanes",
    "idempotency",
    "jobs",
    "compensation",
    // verify
    "hash_concat",
    "rsa",
    "ecdsa",
    "ed25519",
    "key_by_id",
    "jws",
    "static_token",
    "standard_webhooks",
];

/// Reads a TOML text strictly.
///
/// # Errors
/// The first thing that is wrong, with its place in `file`.
pub fn strict<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Finding> {
    let document = Document::parse(text).map_err(|error| plain(file, text, &error))?;
    toml::from_str(text).map_err(|error| explain(file, &document, &error))
}

fn plain(file: &str, text: &str, error: &toml::de::Error) -> Finding {
    let place = error
        .span()
        .map_or(Place::START, |span| Place::of(text, span.start));
    Finding::at(file, place, error.message())
}

/// Turns serde's words into ours and finds the exact place.
fn explain(file: &str, document: &Document<'_>, error: &toml::de::Error) -> Finding {
    let mut finding = plain(file, document.text(), error);
    let message = error.message().to_owned();
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((word, known)) = quoted.split_first() else {
        return finding;
    };
    let offset = error.span().map_or(0, |span| span.start);
    if message.starts_with("unknown field") {
        if let Some(place) = document.key_near(offset, word) {
            (finding.line, finding.column) = (place.line, place.column);
        }
        finding.message = unknown("key", word, known);
        finding.hint = (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")));
    } else if message.starts_with("unknown variant") {
        if let Some(place) = word_place(document.text(), offset, word) {
            (finding.line, finding.column) = (place.line, place.column);
        }
        finding.message = unknown("value", word, known);
        finding.hint = (!known.is_empty()).then(|| format!("known here: {}", known.join(", ")));
    } else if message.starts_with("missing field") {
        finding.message = format!("missing key `{word}`");
    } else if message.starts_with("duplicate field") {
        finding.message = format!("key `{word}` is given twice");
    }
    finding
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    if NOT_BUILT_YET.contains(&word) {
        return format!("`{word}` is not built yet");
    }
    if let Some(meant) = did_you_mean(word, known.iter().copied()) {
        return format!("unknown {what} `{word}`: did you mean `{meant}`?");
    }
    format!("unknown {what} `{word}`")
}

/// The first quoted `word` at or after the offset: where a wrong value stands.
fn word_place(text: &str, offset: usize, word: &str) -> Option<Place> {
    let rest = text.get(offset..)?;
    let at = [format!("\"{word}\""), format!("'{word}'")]
        .iter()
        .filter_map(|w| rest.find(w))
        .min()?;
    Some(Place::of(text, offset + at))
}
