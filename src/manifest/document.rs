//! A TOML text with the place of every key and value, so that a finding can point at it.

use super::finding::Place;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed TOML text that remembers where everything stands.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    root: DeValue<'a>,
}

impl<'a> Document<'a> {
    /// Parses.
    ///
    /// # Errors
    /// When the text is no TOML.
    pub fn parse(text: &'a str) -> Result<Self, toml::de::Error> {
        Ok(Self {
            text,
            root: DeValue::Table(DeTable::parse(text)?.into_inner()),
        })
    }

    /// The text.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Where the last key of the path stands; the nearest parent that is there when it is not.
    /// Items of arrays are named by their number.
    pub fn place(&self, path: &[&str]) -> Place {
        let mut at = &self.root;
        let mut span = 0..0;
        for key in path {
            let Some((key_span, value)) = step(at, key) else {
                break;
            };
            (span, at) = (key_span, value.get_ref());
        }
        Place::of(self.text, span.start)
    }

    /// The bytes of the value at the path, with its quotes.
    pub fn value_span(&self, path: &[&str]) -> Option<Range<usize>> {
        let mut at = &self.root;
        let mut span = None;
        for key in path {
            let (_, value) = step(at, key)?;
            span = Some(value.span());
            at = value.get_ref();
        }
        span
    }

    /// Where a place (line and column from 1) inside the text at the path stands in the document.
    pub fn inside(&self, path: &[&str], line: usize, column: usize) -> Place {
        let Some(span) = self.value_span(path) else {
            return self.place(path);
        };
        let raw = self.text.get(span.clone()).unwrap_or("");
        let start = Place::of(self.text, span.start);
        let block = raw.starts_with("'''") || raw.starts_with("\"\"\"");
        if !block {
            return Place {
                line: start.line,
                column: start.column + column,
            };
        }
        let body = raw.get(3..).unwrap_or("");
        let opens_with_break = body.starts_with('\n') || body.starts_with("\r\n");
        match (opens_with_break, line) {
            (true, line) => Place {
                line: start.line + line,
                column,
            },
            (false, 1) => Place {
                line: start.line,
                column: start.column + 2 + column,
            },
            (false, line) => Place {
                line: start.line + line - 1,
                column,
            },
        }
    }

    /// Where a key of this name stands directly inside the table that holds the byte `offset` (the
    /// innermost one); for errors that only know their table.
    pub fn key_near(&self, offset: usize, key: &str) -> Option<Place> {
        let mut found = None;
        search(
            &self.root,
            key,
            &mut |table: Range<usize>, key_span: Range<usize>| {
                let distance = if table.contains(&offset) {
                    0
                } else {
                    offset.abs_diff(table.start)
                };
                if found.as_ref().is_none_or(|(best, _)| distance <= *best) {
                    found = Some((distance, key_span.start));
                }
            },
        );
        found.map(|(_, start)| Place::of(self.text, start))
    }
}

/// The value under a key or item number, with the key's span (an item's own for arrays).
fn step<'v, 'i>(
    value: &'v DeValue<'i>,
    key: &str,
) -> Option<(Range<usize>, &'v Spanned<DeValue<'i>>)> {
    match value {
        DeValue::Table(table) => table
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == key)
            .map(|(name, inner)| (name.span(), inner)),
        DeValue::Array(items) => {
            let item = items.get(key.parse::<usize>().ok()?)?;
            Some((item.span(), item))
        }
        _ => None,
    }
}

fn search(value: &DeValue<'_>, wanted: &str, found: &mut impl FnMut(Range<usize>, Range<usize>)) {
    match value {
        DeValue::Table(table) => {
            for inner in table.values() {
                if let DeValue::Table(children) = inner.get_ref() {
                    report(inner.span(), children, wanted, found);
                }
                search(inner.get_ref(), wanted, found);
            }
        }
        DeValue::Array(items) => {
            for item in items.iter() {
                if let DeValue::Table(children) = item.get_ref() {
                    report(item.span(), children, wanted, found);
                }
                search(item.get_ref(), wanted, found);
            }
        }
        _ => {}
    }
}

fn report(
    span: Range<usize>,
    table: &DeTable<'_>,
    wanted: &str,
    found: &mut impl FnMut(Range<usize>, Range<usize>),
) {
    for (key, _) in table
        .iter()
        .filter(|(key, _)| key.get_ref().as_ref() == wanted)
    {
        found(span.clone(), key.span());
    }
}
