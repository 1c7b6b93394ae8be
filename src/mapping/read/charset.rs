//! Bodies in the older charsets that some providers still send, turned into UTF-8.

use super::ReadError;
use encoding_rs::Encoding;

/// Decodes `body` from the charset `label` (`utf-8`, `windows-1251`, `windows-1257`, `iso-8859-7` and the other labels of the
/// WHATWG encoding standard). Bytes that have no meaning in that charset are an error, never replaced.
pub fn charset(body: &[u8], label: &str) -> Result<Vec<u8>, ReadError> {
    let encoding = Encoding::for_label(label.as_bytes())
        .ok_or_else(|| ReadError::new("charset", format!("unknown charset {label:?}")))?;
    let (text, _, malformed) = encoding.decode(body);
    if malformed {
        return Err(ReadError::new(
            "charset",
            format!("body is not valid {}", encoding.name()),
        ));
    }
    Ok(text.into_owned().into_bytes())
}
