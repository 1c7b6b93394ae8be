//! Functions of jq over objects, arrays and kinds, as native ones: the same meaning, without jq's iterators.
//!
//! `keys`, `keys_unsorted`, `to_entries`, `from_entries`, `add`, `contains`, `isnumber`, `isstring`, `isarray`, `isobject`, `isboolean`,
//! and `capture_of_match`, of which jq makes `capture` and `sub`.

use super::{Native, Outcome, arg, failed};
use crate::mapping::engine::Frame;
use crate::mapping::{MapError, Val, error, value};
use jaq_core::ValT;
use jaq_json::Map;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "keys",
        arity: 0,
        run: |_, input, _| {
            let mut keys = keys(input)?;
            keys.sort();
            Ok(value::array(keys))
        },
    },
    Native {
        name: "keys_unsorted",
        arity: 0,
        run: |_, input, _| keys(input).map(value::array),
    },
    Native {
        name: "to_entries",
        arity: 0,
        run: to_entries,
    },
    Native {
        name: "from_entries",
        arity: 0,
        run: from_entries,
    },
    Native {
        name: "capture_of_match",
        arity: 0,
        run: capture_of_match,
    },
    Native {
        name: "add",
        arity: 0,
        run: add,
    },
    Native {
        name: "contains",
        arity: 1,
        run: |_, input, args| Ok(Val::Bool(contains(&input, arg(args, 0)))),
    },
    Native {
        name: "isnumber",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(matches!(input, Val::Num(_)))),
    },
    Native {
        name: "isstring",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(matches!(input, Val::TStr(_) | Val::BStr(_)))),
    },
    Native {
        name: "isarray",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(matches!(input, Val::Arr(_)))),
    },
    Native {
        name: "isobject",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(matches!(input, Val::Obj(_)))),
    },
    Native {
        name: "isboolean",
        arity: 0,
        run: |_, input, _| Ok(Val::Bool(matches!(input, Val::Bool(_)))),
    },
];

fn plain(error: jaq_json::Error) -> MapError {
    MapError::Failed(error::describe(error))
}

fn keys(input: Val) -> Result<Vec<Val>, MapError> {
    let keys = input.key_values().map(|pair| pair.map(|(key, _)| key));
    keys.collect::<Result<_, _>>().map_err(plain)
}

fn to_entries(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let names = (value::text("key"), value::text("value"));
    let entry = |pair: Result<(Val, Val), jaq_json::Error>| {
        let (key, content) = pair.map_err(plain)?;
        Ok(value::object([
            (names.0.clone(), key),
            (names.1.clone(), content),
        ]))
    };
    input.key_values().map(entry).collect()
}

fn from_entries(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let (key, content) = (value::text("key"), value::text("value"));
    let mut map = Map::default();
    let mut put = |entry: &Val| match entry {
        Val::Obj(entry) => {
            let member = |name| entry.get(name).cloned().unwrap_or_default();
            map.insert(member(&key), member(&content));
            Ok(())
        }
        Val::Null => {
            map.insert(Val::Null, Val::Null);
            Ok(())
        }
        other => Err(plain(jaq_json::Error::index(other.clone(), key.clone()))),
    };
    match &input {
        Val::Arr(entries) => entries.iter().try_for_each(&mut put)?,
        Val::Obj(entries) => entries.values().try_for_each(&mut put)?,
        other => {
            return Err(plain(jaq_json::Error::typ(
                other.clone(),
                "iterable (array or object)",
            )));
        }
    }
    Ok(Val::obj(map))
}

/// The named groups of one match, as jq's `capture` yields them.
fn capture_of_match(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let Val::Arr(groups) = &input else {
        return failed(format!("capture: found {}", error::kind(&input)));
    };
    let mut map = Map::default();
    for group in groups.iter() {
        if let Some(name) = value::field(group, "name") {
            let text = value::field(group, "string").cloned().unwrap_or_default();
            map.insert(name.clone(), text);
        }
    }
    Ok(Val::obj(map))
}

fn add(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let mut sum = Val::Null;
    for item in input.values() {
        sum = (sum + item.map_err(plain)?).map_err(plain)?;
    }
    Ok(sum)
}

fn contains(whole: &Val, part: &Val) -> bool {
    match (whole, part) {
        (Val::BStr(whole), Val::BStr(part)) | (Val::TStr(whole), Val::TStr(part)) => {
            part.is_empty() || whole.windows(part.len()).any(|found| found == &***part)
        }
        (Val::Arr(whole), Val::Arr(part)) => part
            .iter()
            .all(|part| whole.iter().any(|whole| contains(whole, part))),
        (Val::Obj(whole), Val::Obj(part)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part))),
        _ => whole == part,
    }
}
