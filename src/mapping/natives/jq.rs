//! Functions of jq that mappings use most, as native ones: the same meaning, without jq's iterators.
//!
//! `type`, `not`, `tostring`, `length`, `startswith`, `endswith`, `ltrimstr`, `rtrimstr`, `ascii_downcase`, `ascii_upcase`, `trim`, `has`,
//! `split(separator)`, `join(separator)` (null is an empty text, as jq's manual says).

use super::{Native, Outcome, arg, failed, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::{Val, error::kind, value};
use jaq_json::Num;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "type",
        arity: 0,
        run: |_, input, _| Ok(value::text(kind_word(&input))),
    },
    Native {
        name: "not",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(matches!(input, Val::Null | Val::Bool(false)))),
    },
    Native {
        name: "tostring",
        arity: 0,
        run: |_, input, _| Ok(tostring(input)),
    },
    Native {
        name: "length",
        arity: 0,
        run: length,
    },
    Native {
        name: "startswith",
        arity: 1,
        run: |_, input, args| {
            compare("startswith", &input, args, |text, part| {
                text.starts_with(part)
            })
        },
    },
    Native {
        name: "endswith",
        arity: 1,
        run: |_, input, args| compare("endswith", &input, args, |text, part| text.ends_with(part)),
    },
    Native {
        name: "ltrimstr",
        arity: 1,
        run: |_, input, args| {
            Ok(without(input, arg(args, 0), |text, part| {
                text.strip_prefix(part)
            }))
        },
    },
    Native {
        name: "rtrimstr",
        arity: 1,
        run: |_, input, args| {
            Ok(without(input, arg(args, 0), |text, part| {
                text.strip_suffix(part)
            }))
        },
    },
    Native {
        name: "ascii_downcase",
        arity: 0,
        run: |_, input, _| {
            Ok(value::string(
                text_of("ascii_downcase", &input)?.to_ascii_lowercase(),
            ))
        },
    },
    Native {
        name: "ascii_upcase",
        arity: 0,
        run: |_, input, _| {
            Ok(value::string(
                text_of("ascii_upcase", &input)?.to_ascii_uppercase(),
            ))
        },
    },
    Native {
        name: "trim",
        arity: 0,
        run: |_, input, _| Ok(value::text(text_of("trim", &input)?.trim())),
    },
    Native {
        name: "has",
        arity: 1,
        run: has,
    },
    Native {
        name: "split",
        arity: 1,
        run: split,
    },
    Native {
        name: "join",
        arity: 1,
        run: join,
    },
];

fn kind_word(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "boolean",
        Val::Num(_) => "number",
        Val::BStr(_) | Val::TStr(_) => "string",
        Val::Arr(_) => "array",
        Val::Obj(_) => "object",
    }
}

fn tostring(input: Val) -> Val {
    match input {
        Val::TStr(_) => input,
        Val::BStr(bytes) => Val::TStr(bytes),
        Val::Num(number) => value::string(number.to_string()),
        other => Val::utf8_str(crate::mapping::to_json(&other)),
    }
}

fn length(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let count = match &input {
        Val::Null => 0,
        Val::TStr(_) => text_of("length", &input)?.chars().count(),
        Val::BStr(bytes) => bytes.len(),
        Val::Arr(items) => items.len(),
        Val::Obj(members) => members.len(),
        Val::Num(Num::Int(number)) => {
            return Ok(Val::Num(Num::from_integral(number.unsigned_abs())));
        }
        Val::Num(number) if number.to_string().starts_with('-') => {
            return (-input).or_else(|_| failed("length: not a number"));
        }
        Val::Num(_) => return Ok(input),
        Val::Bool(_) => return failed("a boolean has no length"),
    };
    Ok(Val::from(count))
}

fn compare(name: &str, input: &Val, args: &[Val], test: fn(&str, &str) -> bool) -> Outcome {
    Ok(Val::Bool(test(
        text_of(name, input)?,
        text_of(name, arg(args, 0))?,
    )))
}

/// The text without a part; anything that is no text stays as it is.
fn without(input: Val, part: &Val, strip: for<'t> fn(&'t str, &str) -> Option<&'t str>) -> Val {
    let stripped = match (value::as_str(&input), value::as_str(part)) {
        (Some(text), Some(part)) => strip(text, part).map(value::text),
        _ => None,
    };
    stripped.unwrap_or(input)
}

fn has(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    match (&input, arg(args, 0)) {
        (Val::Obj(members), key @ Val::TStr(_)) => Ok(Val::Bool(members.contains_key(key))),
        (Val::Arr(items), Val::Num(Num::Int(index))) => Ok(Val::Bool(
            usize::try_from(*index).is_ok_and(|index| index < items.len()),
        )),
        (input, key) => failed(format!(
            "cannot check whether {} has {}",
            kind(input),
            kind(key)
        )),
    }
}

fn split(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    let (text, separator) = (text_of("split", &input)?, text_of("split", arg(args, 0))?);
    Ok(match (text, separator) {
        ("", _) => value::array(Vec::new()),
        (text, "") => text
            .chars()
            .map(|character| value::string(character.to_string()))
            .collect(),
        (text, separator) => text.split(separator).map(value::text).collect(),
    })
}

fn join(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    let Val::Arr(items) = &input else {
        return failed(format!("join: expected an array, found {}", kind(&input)));
    };
    let separator = text_of("join", arg(args, 0))?;
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        match (item, value::scalar_text(item)) {
            (Val::Null, _) => {}
            (_, Some(text)) => joined.push_str(&text),
            (other, None) => return failed(format!("join: {} cannot be a text", kind(other))),
        }
    }
    Ok(value::string(joined))
}
