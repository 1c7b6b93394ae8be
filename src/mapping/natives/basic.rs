//! The everyday functions.
//!
//! - `require(name)`: the input, or `mapping_missing` naming it when it is null. `warn(text)`: the input; notes a warning.
//! - `blank`: is there nothing in it: null, "" or white space, at any depth of objects and arrays.
//! - `join_text(texts; separator)`: the non-blank texts of an array, joined; null when there are none.
//! - `nonblank`: text with something in it, trimmed of nothing; null for everything else. `list`: null → `[]`, array → itself, other → `[it]`.
//! - `parse_json`, `parse_xml`, `to_xml`: documents inside texts, read as strictly as deliveries. `base64d_bytes`: text → bytes.
//! - `tonumber`, `fromjson`: as in jq, but exact and strict.

use super::{Native, Outcome, arg, failed, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::read::{self, Limits};
use crate::mapping::{MapError, Val, error, value, write};
use base64::Engine as _;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "require",
        arity: 1,
        run: require,
    },
    Native {
        name: "warn",
        arity: 1,
        run: warn,
    },
    Native {
        name: "nonblank",
        arity: 0,
        run: nonblank,
    },
    Native {
        name: "blank",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(is_blank(&input))),
    },
    Native {
        name: "join_text",
        arity: 2,
        run: join_text,
    },
    Native {
        name: "list",
        arity: 0,
        run: list,
    },
    Native {
        name: "parse_json",
        arity: 0,
        run: parse_json,
    },
    Native {
        name: "fromjson",
        arity: 0,
        run: parse_json,
    },
    Native {
        name: "parse_xml",
        arity: 0,
        run: parse_xml,
    },
    Native {
        name: "to_xml",
        arity: 0,
        run: to_xml,
    },
    Native {
        name: "base64d_bytes",
        arity: 0,
        run: base64d_bytes,
    },
    Native {
        name: "tonumber",
        arity: 0,
        run: tonumber,
    },
    Native {
        name: "!mul",
        arity: 2,
        run: multiply,
    },
];

/// jq's `*` without its `string × number`, by which a short payload could ask for terabytes.
fn multiply(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    match (arg(args, 0), arg(args, 1)) {
        (Val::Num(_), Val::Num(_)) | (Val::Obj(_), Val::Obj(_)) => (arg(args, 0).clone()
            * arg(args, 1).clone())
        .map_err(|error| MapError::Failed(error::describe(error))),
        (left, right) => failed(format!(
            "cannot calculate {} * {}",
            error::kind(left),
            error::kind(right)
        )),
    }
}

fn require(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    match input {
        Val::Null => Err(MapError::Missing(
            text_of("require", arg(args, 0))?.to_owned(),
        )),
        present => Ok(present),
    }
}

fn warn(frame: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    frame.warn(text_of("warn", arg(args, 0))?);
    Ok(input)
}

fn nonblank(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let blank = value::as_str(&input).is_none_or(|text| text.trim().is_empty());
    Ok(if blank { Val::Null } else { input })
}

fn is_blank(value: &Val) -> bool {
    match value {
        Val::Null => true,
        Val::TStr(_) => value::as_str(value).is_some_and(|text| text.trim().is_empty()),
        Val::Arr(items) => items.iter().all(is_blank),
        Val::Obj(members) => members.values().all(is_blank),
        Val::Bool(_) | Val::Num(_) | Val::BStr(_) => false,
    }
}

fn join_text(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let Val::Arr(texts) = arg(args, 0) else {
        return failed(format!(
            "join_text: expected an array of texts, found {}",
            error::kind(arg(args, 0))
        ));
    };
    let separator = text_of("join_text", arg(args, 1))?;
    let said: Vec<&str> = texts
        .iter()
        .filter_map(value::as_str)
        .filter(|text| !text.trim().is_empty())
        .collect();
    Ok(if said.is_empty() {
        Val::Null
    } else {
        value::string(said.join(separator))
    })
}

fn list(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    Ok(match input {
        Val::Null => value::array(Vec::new()),
        Val::Arr(_) => input,
        one => value::array(vec![one]),
    })
}

fn parse_json(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    read::json(
        text_of("parse_json", &input)?.as_bytes(),
        &Limits::default(),
    )
    .map_err(unreadable)
}

fn parse_xml(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    read::xml(text_of("parse_xml", &input)?.as_bytes(), &Limits::default()).map_err(unreadable)
}

fn unreadable(error: read::ReadError) -> MapError {
    MapError::Failed(format!("cannot read the text: {error}"))
}

fn to_xml(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    write::to_xml(&input).map(Val::utf8_str)
}

fn base64d_bytes(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let text: String = text_of("base64d_bytes", &input)?
        .split_ascii_whitespace()
        .collect();
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(bytes) => Ok(Val::byte_str(bytes)),
        Err(_) => failed("base64d_bytes: the text is not base64"),
    }
}

fn tonumber(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    if matches!(input, Val::Num(_)) {
        return Ok(input);
    }
    let text = text_of("tonumber", &input)?.trim();
    match read::json(text.as_bytes(), &Limits::default()) {
        Ok(number @ Val::Num(_)) => Ok(number),
        _ => failed("tonumber: the text is not a number"),
    }
}
