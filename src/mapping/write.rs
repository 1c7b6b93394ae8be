//! Writers from the mapping's value to the wire: compact JSON with verbatim numbers, and XML as [`super::read::xml`] reads it.

use super::{MapError, Val, error::kind, value};
use jaq_json::Num;

/// Compact JSON. Numbers are written as they were read (`19.90` stays `19.90`); NaN and infinities, which only arithmetic can
/// make, become `null`; bytes that are not UTF-8 become the replacement character; a key that is no string becomes its text.
pub fn to_json(value: &Val) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_json(&mut out, value);
    out
}

fn write_json(out: &mut Vec<u8>, value: &Val) {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(Num::Float(float)) if !float.is_finite() => out.extend_from_slice(b"null"),
        Val::Num(Num::Dec(digits)) => out.extend_from_slice(digits.as_bytes()),
        Val::Num(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Val::BStr(bytes) | Val::TStr(bytes) => write_text(out, bytes),
        Val::Arr(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json(out, item);
            }
            out.push(b']');
        }
        Val::Obj(map) => {
            out.push(b'{');
            for (index, (key, member)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match key {
                    Val::BStr(bytes) | Val::TStr(bytes) => write_text(out, bytes),
                    other => write_text(out, &to_json(other)),
                }
                out.push(b':');
                write_json(out, member);
            }
            out.push(b'}');
        }
    }
}

fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(plain) = rest
        .iter()
        .position(|b| *b < 0x20 || *b == b'"' || *b == b'\\')
    {
        let (head, tail) = rest.split_at(plain);
        out.extend_from_slice(head);
        let Some((special, tail)) = tail.split_first() else {
            break;
        };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// An XML document from `{root: …}`: `@name` members are attributes, `#text` is text, an array repeats its element, null is an
/// empty element. Element names may carry a prefix (`soap:Body`). Refuses anything else than one root and names that XML forbids.
pub fn to_xml(value: &Val) -> Result<Vec<u8>, MapError> {
    let Val::Obj(map) = value else {
        return Err(MapError::Failed(format!(
            "to_xml needs an object with one root element, got {}",
            kind(value)
        )));
    };
    let mut members = map.iter();
    let (Some((name, content)), None) = (members.next(), members.next()) else {
        return Err(MapError::Failed(format!(
            "to_xml needs an object with one root element, got {} members",
            map.len()
        )));
    };
    if matches!(content, Val::Arr(_)) {
        return Err(MapError::Failed(
            "to_xml: the root element cannot be an array".to_owned(),
        ));
    }
    let mut out = r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned();
    write_element(&mut out, name, content)?;
    Ok(out.into_bytes())
}

fn write_element(out: &mut String, name: &Val, content: &Val) -> Result<(), MapError> {
    let name = checked_name(name)?;
    let members = match content {
        Val::Arr(items) => {
            for item in items.iter() {
                if matches!(item, Val::Arr(_)) {
                    return Err(MapError::Failed(
                        "to_xml: an array inside an array has no element name".to_owned(),
                    ));
                }
                write_element(out, &value::text(name), item)?;
            }
            return Ok(());
        }
        Val::Obj(members) => members,
        scalar => {
            let text = scalar_xml(scalar)?;
            if text.is_empty() {
                out.push_str(&format!("<{name}/>"));
            } else {
                out.push_str(&format!("<{name}>{}</{name}>", escaped(&text)?));
            }
            return Ok(());
        }
    };
    out.push('<');
    out.push_str(name);
    for (key, attribute) in members.iter() {
        if let Some(key) = value::as_str(key).and_then(|key| key.strip_prefix('@')) {
            let key = checked_name(&value::text(key))?.to_owned();
            out.push_str(&format!(" {key}=\"{}\"", escaped(&scalar_xml(attribute)?)?));
        }
    }
    out.push('>');
    for (key, member) in members.iter() {
        match value::as_str(key) {
            Some("#text") => out.push_str(&escaped(&scalar_xml(member)?)?),
            Some(attribute) if attribute.starts_with('@') => {}
            _ => write_element(out, key, member)?,
        }
    }
    out.push_str(&format!("</{name}>"));
    Ok(())
}

fn scalar_xml(scalar: &Val) -> Result<String, MapError> {
    match scalar {
        Val::Null => Ok(String::new()),
        _ => value::scalar_text(scalar)
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| MapError::Failed(format!("to_xml: {} cannot be a text", kind(scalar)))),
    }
}

fn checked_name(name: &Val) -> Result<&str, MapError> {
    let valid = |name: &&str| {
        let mut characters = name.chars();
        characters
            .next()
            .is_some_and(|c| c.is_alphabetic() || c == '_')
            && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
    };
    value::as_str(name)
        .filter(valid)
        .ok_or_else(|| MapError::Failed("to_xml: a key is not a valid XML name".to_owned()))
}

fn escaped(text: &str) -> Result<String, MapError> {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(character))),
            control if control < ' ' || control == '\u{fffe}' || control == '\u{ffff}' => {
                return Err(MapError::Failed(
                    "to_xml: a text holds a character that XML forbids".to_owned(),
                ));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}
