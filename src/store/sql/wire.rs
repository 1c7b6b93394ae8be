//! The bytes of a row of `wire_batches`, and of a delivery before it is sealed.
//!
//! What always holds: what was encoded decodes equal; damaged bytes are an error, never a guess.

use super::codec::{Result, corrupt, micros, timestamp};
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, MerchantId, RawId, Timestamp};
use bytes::Bytes;

const HEAD_VERSION: u8 = 1;
const SOURCES: [Source; 5] = [
    Source::Webhook,
    Source::Poll,
    Source::File,
    Source::Api,
    Source::Phone,
];

/// One delivery in a batch's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Entry {
    pub raw_id: RawId,
    pub merchant_id: MerchantId,
    pub connection_id: ConnectionId,
    pub source: Source,
    pub topic: String,
    pub received_at: Timestamp,
    pub dedupe_key: Option<String>,
    /// Where its ciphertext lies in the batch's body.
    pub offset: u32,
    pub length: u32,
}

impl Entry {
    /// Its ciphertext, out of the batch's body.
    pub(in crate::store) fn of<'b>(&self, body: &'b [u8]) -> Result<&'b [u8]> {
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        body.get(start..start.saturating_add(length))
            .ok_or_else(|| corrupt("a batch's body is too short"))
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text);
}

/// Adds an entry to a head.
pub(in crate::store) fn put_entry(head: &mut Vec<u8>, entry: &Entry) {
    if head.is_empty() {
        head.push(HEAD_VERSION);
    }
    head.extend_from_slice(entry.raw_id.as_bytes());
    head.extend_from_slice(entry.merchant_id.as_bytes());
    head.extend_from_slice(entry.connection_id.as_bytes());
    let source = SOURCES.iter().position(|s| *s == entry.source);
    head.push(source.and_then(|s| u8::try_from(s).ok()).unwrap_or(0));
    head.extend_from_slice(&micros(entry.received_at).to_le_bytes());
    head.extend_from_slice(&entry.offset.to_le_bytes());
    head.extend_from_slice(&entry.length.to_le_bytes());
    put_text(head, entry.topic.as_bytes());
    head.push(u8::from(entry.dedupe_key.is_some()));
    if let Some(key) = &entry.dedupe_key {
        put_text(head, key.as_bytes());
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (found, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*found)
    }
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(found)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }
    fn text(&mut self) -> Option<String> {
        Some(std::str::from_utf8(self.bytes()?).ok()?.to_owned())
    }
    fn uuid(&mut self) -> Option<uuid::Uuid> {
        self.array().map(uuid::Uuid::from_bytes)
    }
    fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            raw_id: RawId::from_uuid(self.uuid()?),
            merchant_id: MerchantId::from_uuid(self.uuid()?),
            connection_id: ConnectionId::from_uuid(self.uuid()?),
            source: *SOURCES.get(usize::from(u8::from_le_bytes(self.array()?)))?,
            received_at: timestamp(i64::from_le_bytes(self.array()?)).ok()?,
            offset: self.u32()?,
            length: self.u32()?,
            topic: self.text()?,
            dedupe_key: match self.array()? {
                [0] => None,
                _ => Some(self.text()?),
            },
        })
    }
}

/// Reads a head.
pub(in crate::store) fn read_head(head: &[u8]) -> Result<Vec<Entry>> {
    let damaged = || corrupt("a batch's head is damaged");
    let mut cursor = Cursor(head);
    if cursor.array() != Some([HEAD_VERSION]) {
        return Err(damaged());
    }
    let mut entries = Vec::new();
    while !cursor.0.is_empty() {
        entries.push(cursor.entry().ok_or_else(damaged)?);
    }
    Ok(entries)
}

/// Headers and body as one text, to be sealed.
pub(in crate::store) fn put_content(headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let size: usize = headers.iter().map(|(n, v)| n.len() + v.len() + 8).sum();
    let mut out = Vec::with_capacity(4 + size + body.len());
    let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
    for (name, value) in headers {
        put_text(&mut out, name.as_bytes());
        put_text(&mut out, value.as_bytes());
    }
    out.extend_from_slice(body);
    out
}

/// Reads [`put_content`].
pub(in crate::store) fn read_content(content: Vec<u8>) -> Result<(Vec<(String, String)>, Bytes)> {
    let damaged = || corrupt("a stored delivery is damaged");
    let mut cursor = Cursor(&content);
    let count = cursor.u32().ok_or_else(damaged)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = cursor.text().ok_or_else(damaged)?;
        headers.push((name, cursor.text().ok_or_else(damaged)?));
    }
    let start = content.len().saturating_sub(cursor.0.len());
    Ok((headers, Bytes::from(content).slice(start..)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn entry(topic: &str, key: Option<&str>) -> Entry {
        Entry {
            raw_id: RawId::new(),
            merchant_id: MerchantId::new(),
            connection_id: ConnectionId::new(),
            source: Source::File,
            topic: topic.to_owned(),
            received_at: "2026-08-08T10:00:00.123456Z".parse().unwrap(),
            dedupe_key: key.map(str::to_owned),
            offset: 7,
            length: 3,
        }
    }

    #[test]
    fn heads_read_back_and_damage_is_told() {
        let entries = vec![entry("orders/create", Some("k")), entry("", None)];
        let mut head = Vec::new();
        entries.iter().for_each(|e| put_entry(&mut head, e));
        assert_eq!(read_head(&head).unwrap(), entries);
        assert!(read_head(&head[..head.len() - 1]).is_err());
        assert!(read_head(&[]).is_err());
        assert!(read_head(&[9]).is_err());
        assert!(entries[0].of(b"short").is_err());
        assert_eq!(entries[0].of(b"0123456abc").unwrap(), b"abc");
    }

    #[test]
    fn contents_read_back() {
        let headers = vec![
            ("x-topic".to_owned(), "ä".to_owned()),
            (String::new(), String::new()),
        ];
        let content = put_content(&headers, b"\x00body\xff");
        let (back, body) = read_content(content).unwrap();
        assert_eq!((back, &body[..]), (headers, &b"\x00body\xff"[..]));
        assert!(read_content(vec![1, 0, 0, 0, 9]).is_err());
    }
}
