//! jq's own definitions and functions, less what a mapping must not have: the outside world, endless loops, lenient readers.

use super::engine::{Engine, native_funs};
use super::natives;
use jaq_core::load::parse::Def;
use jaq_core::native::Fun;
use std::collections::HashSet;
use std::sync::OnceLock;

/// What is left out of jq, with the advice that the lint gives. (Name, advice.)
pub(crate) const FORBIDDEN: &[(&str, &str)] = &[
    (
        "env",
        "a mapping sees no environment; settings are in $connection",
    ),
    ("input", "a mapping has one input, `.`"),
    ("inputs", "a mapping has one input, `.`"),
    ("input_line_number", "a mapping has one input, `.`"),
    ("debug", "run `crossdock map` to see what a mapping yields"),
    ("stderr", "run `crossdock map` to see what a mapping yields"),
    ("halt", "raise an error with error(\"text\")"),
    ("halt_error", "raise an error with error(\"text\")"),
    (
        "now",
        "a mapping gives the same output for the same input; times come from the payload or $context",
    ),
    ("localtime", "use time(format; zone)"),
    ("strflocaltime", "use time_text(format; zone)"),
    ("repeat", "endless; use map, reduce or a literal range"),
    (
        "until",
        "may be endless; use map, reduce or a literal range",
    ),
    (
        "while",
        "may be endless; use map, reduce or a literal range",
    ),
    ("combinations", "grows without bound"),
    ("get_search_list", "a mapping loads no file"),
    ("input_filename", "a mapping has one input, `.`"),
];

/// Functions of jq's interpreter that are left out silently, because only forbidden definitions use them.
const HIDDEN: &[&str] = &["debug_empty", "stderr_empty"];

/// jq's definitions that the compiler replaces by constants.
const CONSTANTS: [&str; 3] = ["null", "true", "false"];

/// Is the function one that mappings must not call with that many arguments? Then the advice.
pub(crate) fn forbidden(name: &str, arity: usize) -> Option<&'static str> {
    if name == "recurse" && arity > 0 {
        return Some(
            "may be endless; use `..` or recurse without argument, which follow the payload",
        );
    }
    FORBIDDEN
        .iter()
        .find(|(forbidden, _)| *forbidden == name)
        .map(|(_, advice)| *advice)
}

/// jq's definitions, in order.
pub(crate) fn definitions() -> &'static [Def<&'static str>] {
    static DEFINITIONS: OnceLock<Vec<Def<&'static str>>> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        let all = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        // Ours hide jq's of the same name.
        all.filter(|def| {
            !CONSTANTS.contains(&def.name) && natives::find(def.name, def.args.len()).is_none()
        })
        .filter(|def| FORBIDDEN.iter().all(|(name, _)| *name != def.name))
        .collect()
    })
}

/// jq's functions and ours; ours come first and hide jq's of the same name.
pub(crate) fn functions() -> impl Iterator<Item = Fun<Engine>> {
    let jq = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let jq = jq.filter(|(name, ..)| {
        !HIDDEN.contains(name) && FORBIDDEN.iter().all(|(forbidden, _)| forbidden != name)
    });
    native_funs().chain(jq)
}

/// Name and arity of everything that a mapping may call without defining it.
pub(crate) fn names() -> &'static HashSet<(&'static str, usize)> {
    static NAMES: OnceLock<HashSet<(&'static str, usize)>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let constants = CONSTANTS.into_iter().map(|name| (name, 0));
        let defined = definitions().iter().map(|def| (def.name, def.args.len()));
        let native = functions().map(|(name, args, _)| (name, args.len()));
        let all = constants.chain(defined).chain(native);
        all.filter(|(name, arity)| !name.starts_with('!') && forbidden(name, *arity).is_none())
            .collect()
    })
}
