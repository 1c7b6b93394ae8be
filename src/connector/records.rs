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
    decode_as(manifest, manifest.transport.format, body)
}

/// Decodes a payload for a mapping that came from nobody knows which step or topic: by what its
/// first byte says, where the provider speaks that format at all; else by the mapping's users.
///
/// # Errors
/// When it is not exactly one well-formed document of that format.
pub fn decode_for(manifest: &Manifest, mapping: &str, body: &[u8]) -> Result<Val, ReadError> {
    let evident = evident(body).filter(|format| walk::formats(manifest).contains(format));
    let format = evident.unwrap_or_else(|| {
        let own = walk::formats_of(manifest, mapping);
        let plain = |format: &&Format| !matches!(format, Format::Json | Format::Xml);
        let format = own.iter().find(plain).or(own.first());
        format.copied().unwrap_or(manifest.transport.format)
    });
    decode_as(manifest, format, body)
}

/// What the first byte that is not blank says of a document.
fn evident(body: &[u8]) -> Option<Format> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.iter().find(|byte| !byte.is_ascii_whitespace())? {
        b'<' => Some(Format::Xml),
        b'{' | b'[' => Some(Format::Json),
        _ => None,
    }
}

/// Decodes a payload of a known format.
///
/// # Errors
/// When it is not exactly one well-formed document of that format.
pub fn decode_as(manifest: &Manifest, format: Format, body: &[u8]) -> Result<Val, ReadError> {
    let limits = Limits::default();
    match format {
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

/// JSON, if need be behind notices that the server printed before it.
///
/// # Errors
/// When it is not exactly one well-formed document.
pub fn json(body: &[u8], skip_prelude: bool, limits: &Limits) -> Result<Val, ReadError> {
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
    paths.retain(|(_, beside)| beside.is_none_or(|key| has(payload, key)));
    paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    let mut first_error = None;
    for (path, _) in &paths {
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

/// An object with this key.
fn has(payload: &Val, key: &str) -> bool {
    by_path(&format!(".{key}"), payload).is_ok()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::json;

    fn manifest(steps: &str) -> Manifest {
        let head = "id = \"x\"\nname = \"X\"\nkind = \"carrier\"\nsummary = \"x\"\ndocs = \"x\"\n";
        let step =
            |line: &str| format!("{{ name = \"s\", method = \"GET\", path = '\"/\"', {line} }}");
        let steps: Vec<String> = steps.lines().map(step).collect();
        let text = format!("{head}[operations.\"a\"]\nsteps = [{}]\n", steps.join(", "));
        toml::from_str(&text).unwrap()
    }

    fn read(steps: &str, mapping: &str, body: &str) -> Result<serde_json::Value, &'static str> {
        let read = decode_for(&manifest(steps), mapping, body.as_bytes());
        let text = read.map(|val| crate::mapping::to_json(&val));
        text.map(|text| serde_json::from_slice(&text).unwrap())
            .map_err(|error| error.format)
    }

    #[test]
    fn what_a_payload_begins_with_says_its_format_where_the_provider_speaks_it() {
        let both = "mapping = \"label\"\nmapping = \"tracking\", format = \"xml\"";
        let xml = Ok(json!({"a": {"b": "1"}}));
        assert_eq!(read(both, "label", "\u{feff}\n <a><b>1</b></a>"), xml);
        assert_eq!(read(both, "tracking", "<a><b>1</b></a>"), xml);
        assert_eq!(read(both, "error", "<a><b>1</b></a>"), xml);
        assert_eq!(read(both, "tracking", " [1]"), Ok(json!([1])));
        assert_eq!(read(both, "tracking", "plain"), Err("xml"));
        assert_eq!(read(both, "label", "plain"), Err("json"));
        assert_eq!(read("mapping = \"label\"", "label", "<a/>"), Err("json"));
    }

    #[test]
    fn what_is_evidently_neither_is_read_as_the_mapping_s_file() {
        let steps = "mapping = \"label\"\nmapping = \"label\", format = \"binary\"";
        let file = read(steps, "label", "%PDF-1.4").unwrap();
        assert_eq!(file["size"], json!(8));
        assert_eq!(read(steps, "label", "{}"), Ok(json!({})));
    }
}
