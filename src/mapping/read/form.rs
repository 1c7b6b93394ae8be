//! `application/x-www-form-urlencoded` bodies: an object of texts; a key that repeats holds an array in order.

use super::{Limits, ReadError, utf8};
use crate::mapping::{Val, value};
use jaq_json::{Map, Rc};
use percent_encoding::percent_decode_str;

/// Most fields of a form.
const FIELD_CAP: usize = 10_000;

/// Reads a form. Keys are kept as sent (`items[0][sku]` is one key).
pub fn form(body: &[u8]) -> Result<Val, ReadError> {
    let text = utf8("form", body, &Limits::default())?;
    let mut fields = Map::default();
    for (index, pair) in text.trim_end_matches(['\r', '\n']).split('&').enumerate() {
        if index >= FIELD_CAP {
            return Err(ReadError::new(
                "form",
                format!("more than {FIELD_CAP} fields"),
            ));
        }
        if pair.is_empty() {
            continue;
        }
        let (key, content) = pair.split_once('=').unwrap_or((pair, ""));
        insert(&mut fields, decoded(key)?, decoded(content)?);
    }
    Ok(Val::obj(fields))
}

fn insert(fields: &mut Map, key: Val, content: Val) {
    match fields.get_mut(&key) {
        None => {
            fields.insert(key, content);
        }
        Some(Val::Arr(items)) => Rc::make_mut(items).push(content),
        Some(first) => *first = value::array(vec![std::mem::take(first), content]),
    }
}

fn decoded(part: &str) -> Result<Val, ReadError> {
    let spaced = part.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    let text = text.map_err(|_| ReadError::new("form", "a field is not valid UTF-8"))?;
    Ok(value::text(&text))
}
