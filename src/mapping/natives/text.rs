//! Text.
//!
//! - `transliterate`: Greek, Cyrillic and accented Latin → ASCII; what has no ASCII form is dropped. `truncate_bytes(n)`: at most n bytes
//!   of whole characters. `strip_tags`: text without markup, white space joined. All keep null as null.
//! - `phone(country)`: E.164, or null when the text is no valid number there.

use super::{Native, Outcome, arg, failed, latin, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::{Val, value};
use jaq_json::Num;

/// Longest text that is tried as a phone number.
const PHONE_CAP: usize = 60;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "transliterate",
        arity: 0,
        run: |_, input, _| on_text("transliterate", input, latin::to_ascii),
    },
    Native {
        name: "strip_tags",
        arity: 0,
        run: |_, input, _| on_text("strip_tags", input, strip_tags),
    },
    Native {
        name: "truncate_bytes",
        arity: 1,
        run: truncate_bytes,
    },
    Native {
        name: "phone",
        arity: 1,
        run: phone,
    },
];

fn on_text(name: &str, input: Val, change: fn(&str) -> String) -> Outcome {
    match &input {
        Val::Null => Ok(Val::Null),
        _ => Ok(value::string(change(text_of(name, &input)?))),
    }
}

fn truncate_bytes(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    if matches!(input, Val::Null) {
        return Ok(Val::Null);
    }
    let text = text_of("truncate_bytes", &input)?;
    let Val::Num(Num::Int(limit @ 0..)) = arg(args, 0) else {
        return failed("truncate_bytes: expected a whole number of bytes");
    };
    let mut end = usize::try_from(*limit)
        .unwrap_or(usize::MAX)
        .min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Ok(value::text(text.get(..end).unwrap_or("")))
}

/// Removes `<…>` and comments; a `<` that opens no tag stays.
fn strip_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let opens =
            after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        let end = if after.starts_with("!--") {
            after.find("-->").map(|at| at + 3)
        } else {
            after.find('>').map(|at| at + 1)
        };
        match end.filter(|_| opens) {
            Some(end) => {
                out.push(' ');
                rest = after.get(end..).unwrap_or("");
            }
            None => {
                out.push('<');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn phone(frame: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    Ok(frame.phone(&input, arg(args, 0), || e164(&input, arg(args, 0))))
}

fn e164(input: &Val, country: &Val) -> Val {
    let Some(text) = value::as_str(input).map(str::trim) else {
        return Val::Null;
    };
    let country =
        value::as_str(country).and_then(|code| code.parse::<phonenumber::country::Id>().ok());
    if text.is_empty() || text.len() > PHONE_CAP {
        return Val::Null;
    }
    let international = text.strip_prefix("00").map(|rest| format!("+{rest}"));
    let parsed = phonenumber::parse(country, international.as_deref().unwrap_or(text));
    match parsed.ok().filter(phonenumber::is_valid) {
        Some(number) => value::string(number.format().mode(phonenumber::Mode::E164).to_string()),
        None => Val::Null,
    }
}
