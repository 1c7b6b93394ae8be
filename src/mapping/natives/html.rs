//! `html_decode`: character references of HTML 5 (`&amp;`, `&eacute;`, `&#8211;`, `&#xE9;`) become characters, once and in one pass;
//! what is no known reference stays as it is. Null stays null.

use super::{Native, Outcome, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::{Val, value};
use quick_xml::escape::resolve_html5_entity;

/// Longest name of a reference.
const NAME_CAP: usize = 32;

pub(super) const NATIVES: &[Native] = &[Native {
    name: "html_decode",
    arity: 0,
    run: html_decode,
}];

fn html_decode(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    if matches!(input, Val::Null) {
        return Ok(Val::Null);
    }
    let text = text_of("html_decode", &input)?;
    if !text.contains('&') {
        return Ok(input);
    }
    Ok(value::string(decode(text)))
}

fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let reference = after
            .split_once(';')
            .filter(|(name, _)| name.len() <= NAME_CAP);
        let meaning =
            reference.and_then(|(name, tail)| character(name).map(|meaning| (meaning, tail)));
        match meaning {
            Some((meaning, tail)) => {
                out.push_str(&meaning);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(str::to_owned);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
        .filter(|character| *character != '\0')
        .map(String::from)
}
