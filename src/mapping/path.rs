//! The simple path of a manifest (`records = ".orders"`): slices a delivery into records without running jq.
//!
//! Grammar: `.`, `.name`, `.a.b`, `."odd name"`, `.a[].b`; a `?` behind a name lets it be absent. What the path ends at is spread
//! when it is an array; null and "" (an empty XML element) are no records; anything else is one record.

use super::{Val, error::kind, value};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key { name: String, optional: bool },
    Each,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
    text: String,
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at character {position} of the path {text:?}")]
pub struct PathError {
    /// The path as given.
    pub text: String,
    /// Byte position, from 0.
    pub position: usize,
    /// What is wrong.
    pub message: &'static str,
}

/// Why a value cannot be sliced by a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot slice by {path:?}: {message}")]
pub struct SelectError {
    /// The path.
    pub path: String,
    /// What did not fit, without payload.
    pub message: String,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Path {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let fail = |rest: &str, message| PathError {
            text: text.to_owned(),
            position: text.len() - rest.len(),
            message,
        };
        let mut steps = Vec::new();
        let Some(mut rest) = text.strip_prefix('.') else {
            return Err(fail(text, "a path starts with a dot"));
        };
        let mut after_dot = true;
        while !rest.is_empty() {
            if let Some(tail) = rest.strip_prefix("[]") {
                steps.push(Step::Each);
                (rest, after_dot) = (tail, false);
            } else if !after_dot {
                rest = rest
                    .strip_prefix('.')
                    .ok_or_else(|| fail(rest, "expected a dot or []"))?;
                after_dot = true;
                if rest.is_empty() {
                    return Err(fail(rest, "expected a name"));
                }
            } else {
                let (name, tail) = name(rest).ok_or_else(|| fail(rest, "expected a name"))?;
                let (optional, tail) = tail
                    .strip_prefix('?')
                    .map_or((false, tail), |tail| (true, tail));
                steps.push(Step::Key { name, optional });
                (rest, after_dot) = (tail, false);
            }
        }
        Ok(Self {
            steps,
            text: text.to_owned(),
        })
    }

    fn error(&self, message: String) -> SelectError {
        SelectError {
            path: self.text.clone(),
            message,
        }
    }
}

/// A name in front of `text` and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, tail) = quoted.split_once('"')?;
        return Some((name.to_owned(), tail));
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '@' | '#' | ':' | '$');
    let end = text.find(|c| !plain(c)).unwrap_or(text.len());
    let (name, tail) = text.split_at_checked(end)?;
    (!name.is_empty()).then(|| (name.to_owned(), tail))
}

/// The records of a decoded delivery, in order.
pub fn select<'a>(value: &'a Val, path: &Path) -> Result<Vec<&'a Val>, SelectError> {
    let mut found = Vec::new();
    walk(value, &path.steps, path, &mut found)?;
    Ok(found)
}

fn walk<'a>(
    value: &'a Val,
    steps: &[Step],
    path: &Path,
    found: &mut Vec<&'a Val>,
) -> Result<(), SelectError> {
    match steps.split_first() {
        None => match value {
            Val::Arr(items) => found.extend(items.iter()),
            Val::Null => {}
            Val::TStr(text) if text.is_empty() => {}
            one => found.push(one),
        },
        Some((Step::Each, rest)) => match value {
            Val::Arr(items) => items
                .iter()
                .try_for_each(|item| walk(item, rest, path, found))?,
            Val::Null => {}
            other => return Err(path.error(format!("expected an array, found {}", kind(other)))),
        },
        Some((Step::Key { name, optional }, rest)) => match (value::field(value, name), value) {
            (Some(member), _) => walk(member, rest, path, found)?,
            (None, Val::Obj(_) | Val::Null) if *optional => {}
            (None, Val::Obj(_)) => return Err(path.error(format!("{name} is absent"))),
            (None, other) => {
                return Err(path.error(format!(
                    "expected an object with {name}, found {}",
                    kind(other)
                )));
            }
        },
    }
    Ok(())
}

/// The exact bytes of each record of a JSON body, in the order and number of [`select`].
pub fn raw_items<'a>(body: &'a [u8], path: &Path) -> Result<Vec<&'a [u8]>, SelectError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let whole: &RawValue =
        serde_json::from_slice(body).map_err(|_| path.error("body is not JSON".to_owned()))?;
    let mut found = Vec::new();
    walk_raw(whole, &path.steps, path, &mut found)?;
    Ok(found)
}

fn walk_raw<'a>(
    raw: &'a RawValue,
    steps: &[Step],
    path: &Path,
    found: &mut Vec<&'a [u8]>,
) -> Result<(), SelectError> {
    let text = raw.get();
    let items = || {
        serde_json::from_str::<Vec<&'a RawValue>>(text)
            .map_err(|_| path.error("expected an array".to_owned()))
    };
    match steps.split_first() {
        None if text.starts_with('[') => {
            found.extend(items()?.into_iter().map(|item| item.get().as_bytes()))
        }
        None if text == "null" || text == "\"\"" => {}
        None => found.push(text.as_bytes()),
        Some((Step::Each, _)) if text == "null" => {}
        Some((Step::Each, rest)) => items()?
            .into_iter()
            .try_for_each(|item| walk_raw(item, rest, path, found))?,
        Some((Step::Key { name, optional }, rest)) => {
            if text == "null" && *optional {
                return Ok(());
            }
            let member = serde_json::Deserializer::from_str(text).deserialize_map(Member(name));
            match member.map_err(|_| path.error(format!("expected an object with {name}")))? {
                Some(member) => walk_raw(member, rest, path, found)?,
                None if *optional => {}
                None => return Err(path.error(format!("{name} is absent"))),
            }
        }
    }
    Ok(())
}

/// Finds one member's raw text; of a repeated key the last, as the reader does.
struct Member<'n>(&'n str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = entries.next_key::<String>()? {
            if key == self.0 {
                found = Some(entries.next_value()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
