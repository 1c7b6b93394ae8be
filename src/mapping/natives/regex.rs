//! Regular expressions: jq's own building blocks `matches`, `split_matches` and `split_` (of which jq makes `capture`, `match`,
//! `scan`, `sub`, `gsub`, `splits`), and `test`, over expressions that are compiled once a process.
//!
//! jq compiles an expression each time it is used and walks it without an automaton; an order's mapping uses some thirty.
//!
//! Always holds: `\d`, `\w`, `\s` and `\b` mean ASCII, as they do in jq's interpreter; time is linear in text and expression.

use super::{Native, Outcome, arg, failed, text_of};
use crate::mapping::{MapError, Val, value};
use regex::bytes::{Captures, Regex, RegexBuilder};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// Expressions that are kept. Some are put together from data (`"^\($country)"`), so there is a bound.
const KEPT: usize = 512;
/// Longest that one compiled expression, or the automaton that a thread builds of it, may grow.
const SIZE: usize = 1 << 20;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "test",
        arity: 1,
        run: |_, input, args| test(&input, arg(args, 0), ""),
    },
    Native {
        name: "test",
        arity: 2,
        run: |_, input, args| test(&input, arg(args, 0), text_of("test", arg(args, 1))?),
    },
    Native {
        name: "matches",
        arity: 2,
        run: |_, input, args| parts(&input, args, false, true),
    },
    Native {
        name: "split_matches",
        arity: 2,
        run: |_, input, args| parts(&input, args, true, true),
    },
    Native {
        name: "split_",
        arity: 2,
        run: |_, input, args| parts(&input, args, true, false),
    },
];

type Known = HashMap<String, HashMap<String, Arc<Regex>>>;

/// Compiled expressions by flags and text; shared, since a clone begins with empty automata.
static COMPILED: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

fn compiled(pattern: &str, flags: &str) -> Result<Arc<Regex>, MapError> {
    let known = COMPILED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known.get(flags).and_then(|known| known.get(pattern)) {
        return Ok(regex.clone());
    }
    drop(known);
    let regex = Arc::new(compile(pattern, flags)?);
    let mut known = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    if known.values().map(HashMap::len).sum::<usize>() >= KEPT {
        known.clear();
    }
    let of_flags = known.entry(flags.to_owned()).or_default();
    of_flags.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

fn compile(pattern: &str, flags: &str) -> Result<Regex, MapError> {
    let mut builder = RegexBuilder::new(&in_ascii(pattern));
    builder.size_limit(SIZE).dfa_size_limit(SIZE);
    for flag in flags.chars() {
        match flag {
            'g' | 'n' => {}
            'i' => drop(builder.case_insensitive(true)),
            'm' => drop(builder.multi_line(true)),
            's' => drop(builder.dot_matches_new_line(true)),
            'l' => drop(builder.swap_greed(true)),
            'x' => drop(builder.ignore_whitespace(true)),
            'p' => drop(builder.multi_line(true).dot_matches_new_line(true)),
            other => return failed(format!("invalid regex flag: {other}")),
        }
    }
    builder
        .build()
        .or_else(|error| failed(format!("invalid regex: {error}")))
}

/// The expression with its classes of characters spelt out in ASCII.
fn in_ascii(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('s') => out.push_str(r"[\t\n\x0B\x0C\r\x20]"),
            Some('S') => out.push_str(r"[^\t\n\x0B\x0C\r\x20]"),
            Some('b') => out.push_str(r"(?-u:\b)"),
            Some('B') => out.push_str(r"(?-u:\B)"),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

fn bytes_of<'v>(name: &str, value: &'v Val) -> Result<&'v [u8], MapError> {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => Ok(bytes),
        other => text_of(name, other).map(str::as_bytes),
    }
}

fn test(input: &Val, pattern: &Val, flags: &str) -> Outcome {
    let regex = compiled(text_of("test", pattern)?, flags)?;
    let text = bytes_of("test", input)?;
    let found = match flags.contains('n') {
        true => regex.find_iter(text).any(|found| !found.is_empty()),
        false => regex.is_match(text),
    };
    Ok(Val::Bool(found))
}

/// The texts between the matches, the matches, or both, in order.
fn parts(input: &Val, args: &[Val], between: bool, matches: bool) -> Outcome {
    let flags = text_of("match", arg(args, 1))?;
    let regex = compiled(text_of("match", arg(args, 0))?, flags)?;
    let text = bytes_of("match", input)?;
    let (global, filled) = (flags.contains('g'), flags.contains('n'));
    let (mut out, mut last) = (Vec::new(), 0);
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { break };
        if filled && whole.is_empty() {
            continue;
        }
        if between {
            out.push(piece(input, text, last, whole.start()));
            last = whole.end();
        }
        if matches {
            out.push(groups(input, text, &regex, &captures));
        }
        if !global {
            break;
        }
    }
    if between {
        out.push(piece(input, text, last, text.len()));
    }
    Ok(value::array(out))
}

/// A part of the input, sharing its bytes.
fn piece(input: &Val, text: &[u8], start: usize, end: usize) -> Val {
    let part = text.get(start..end).unwrap_or_default();
    match input {
        Val::TStr(bytes) => Val::utf8_str(bytes.slice_ref(part)),
        Val::BStr(bytes) => Val::byte_str(bytes.slice_ref(part)),
        _ => Val::Null,
    }
}

/// One match: an object for the whole and for each group that took part.
fn groups(input: &Val, text: &[u8], regex: &Regex, captures: &Captures<'_>) -> Val {
    let count = |bytes: &[u8]| {
        let characters = String::from_utf8_lossy(bytes).chars().count();
        value::int(i64::try_from(characters).unwrap_or(i64::MAX))
    };
    let group = |(found, name): (Option<regex::bytes::Match<'_>>, Option<&str>)| {
        let found = found?;
        let before = text.get(..found.start()).unwrap_or_default();
        let mut fields = vec![
            (value::text("offset"), count(before)),
            (value::text("length"), count(found.as_bytes())),
            (
                value::text("string"),
                piece(input, text, found.start(), found.end()),
            ),
        ];
        fields.extend(name.map(|name| (value::text("name"), value::text(name))));
        Some(value::object(fields))
    };
    let groups = captures.iter().zip(regex.capture_names());
    value::array(groups.filter_map(group).collect())
}
