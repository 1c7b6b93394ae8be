//! From the bytes of a delivery to its records: decode by format, slice by a simple path.

use crate::manifest::model::{Format, Manifest};
use crate::manifest::walk;
use crate::mapping::read::{self, Limits, ReadError};
use crate::mapping::{Path, SelectError, Val, from_serde, select};
use base64::Engine as _;

/// How many places of a body are tried as the start of its JSON behind notices of the server.
const PRELUDE_TRIES: usize = 16;

/// Decodes a payload by the transport's format.
///
/// # Errors
/// When it is not exactly one well-formed document of that format.
pub fn decode(manifest: &Manifest, body: &[u8]) -> Result<Val, ReadError> {
    let limits = Limits::default();
    match manifest.transport.format {
        Format::Json => json(body, manifest.transport.skip_prelude, &limits),
        Format::Xml => read::xml(body, &limits),
        Format::Form => read::form(body),
        Format::Binary => from_serde(&file(body, "")),
        Format::Text => from_serde(&String::from_utf8_lossy(body)),
        Format::None => Ok(Val::Null),
    }
}

/// A file as mappings see it.
pub fn file(bytes: &[u8], content_type: &str) -> serde_json::Value {
    serde_json::json!({
        "content_base64": base64::engine::general_purpose::STANDARD.encode(bytes),
        "content_type": content_type,
        "size": bytes.len(),
    })
}

fn json(body: &[u8], skip_prelude: bool, limits: &Limits) -> Result<Val, ReadError> {
    let whole = read::json(body, limits);
    if whole.is_ok() || !skip_prelude {
        return whole;
    }
    let starts = body
        .iter()
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b'{' | b'['));
    let mut candidates = starts
        .take(PRELUDE_TRIES)
        .filter_map(|(start, _)| body.get(start..));
    candidates
        .find_map(|rest| read::json(rest, limits).ok())
        .map_or(whole, Ok)
}

/// The records of a payload for a mapping, wherever it came from: tried in the order in which the
/// manifest names paths for that mapping, longest first, the first that fits; `.` when it names none.
///
/// # Errors
/// When no path fits.
pub fn of_mapping<'v>(
    manifest: &Manifest,
    mapping: &str,
    payload: &'v Val,
) -> Result<Vec<&'v Val>, SelectError> {
    let mut paths = walk::records_of(manifest, mapping);
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    let mut first_error = None;
    for path in &paths {
        match by_path(path, payload) {
            Ok(records) => return Ok(records),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) => Err(error),
        None => by_path(".", payload),
    }
}

/// The records of a payload by a path.
///
/// # Errors
/// When the text is no path or the payload does not have it.
pub fn by_path<'v>(path: &str, payload: &'v Val) -> Result<Vec<&'v Val>, SelectError> {
    let parsed = Path::parse(path).map_err(|error| SelectError {
        path: path.to_owned(),
        message: error.message.to_owned(),
    })?;
    select(payload, &parsed)
}
