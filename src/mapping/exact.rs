//! Which terms yield exactly one value (or an error), judged by their form: only those may be precompiled.

use super::{natives, visit};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};
use std::collections::HashSet;

/// Functions of jq that yield exactly one value whatever their closures yield. (Name, arity.)
const ONE_VALUE: &[(&str, usize)] = &[
    ("null", 0),
    ("true", 0),
    ("false", 0),
    ("tostring", 0),
    ("length", 0),
    ("utf8bytelength", 0),
    ("keys", 0),
    ("keys_unsorted", 0),
    ("to_entries", 0),
    ("from_entries", 0),
    ("add", 0),
    ("add", 1),
    ("any", 0),
    ("any", 1),
    ("any", 2),
    ("all", 0),
    ("all", 1),
    ("all", 2),
    ("map", 1),
    ("sort", 0),
    ("sort_by", 1),
    ("group_by", 1),
    ("unique", 0),
    ("unique_by", 1),
    ("min", 0),
    ("max", 0),
    ("min_by", 1),
    ("max_by", 1),
    ("reverse", 0),
    ("first", 0),
    ("last", 0),
    ("ascii_downcase", 0),
    ("ascii_upcase", 0),
    ("trim", 0),
    ("ltrim", 0),
    ("rtrim", 0),
    ("tojson", 0),
    ("explode", 0),
    ("implode", 0),
    ("floor", 0),
    ("ceil", 0),
    ("round", 0),
    ("abs", 0),
    ("flatten", 0),
    ("transpose", 0),
    ("isempty", 1),
    ("with_entries", 1),
    ("isnumber", 0),
    ("isstring", 0),
    ("isarray", 0),
    ("isobject", 0),
    ("isboolean", 0),
    ("@text", 0),
    ("@json", 0),
    ("@uri", 0),
    ("@html", 0),
    ("@base64", 0),
    ("@base64d", 0),
    ("toarray", 0),
];

/// Functions of jq that yield exactly one value when their arguments do.
const ONE_VALUE_OF_ARGUMENTS: &[(&str, usize)] = &[
    ("startswith", 1),
    ("endswith", 1),
    ("ltrimstr", 1),
    ("rtrimstr", 1),
    ("has", 1),
    ("contains", 1),
    ("inside", 1),
    ("in", 1),
    ("join", 1),
    ("split", 1),
    ("split", 2),
    ("test", 1),
    ("test", 2),
    ("indices", 1),
    ("index", 1),
    ("rindex", 1),
    ("sub", 2),
    ("sub", 3),
    ("gsub", 2),
    ("gsub", 3),
    ("nth", 1),
    ("flatten", 1),
];

/// What the program's own definitions yield, learnt as they are lowered.
#[derive(Default)]
pub(super) struct Exactness {
    exact: HashSet<(String, usize)>,
    /// Names that somewhere mean something else; never trusted.
    doubtful: HashSet<(String, usize)>,
}

impl Exactness {
    /// Learns about a definition before its callers are lowered.
    pub(super) fn learn(&mut self, name: &str, params: &[&str], body: &Term<&str>) {
        for param in params.iter().filter(|param| !param.starts_with('$')) {
            self.doubt(param, 0);
        }
        let plain = params.iter().all(|param| param.starts_with('$'));
        if plain && self.term(body) && !self.doubtful.contains(&(name.to_owned(), params.len())) {
            self.exact.insert((name.to_owned(), params.len()));
        } else {
            self.doubt(name, params.len());
        }
    }

    fn doubt(&mut self, name: &str, arity: usize) {
        self.exact.remove(&(name.to_owned(), arity));
        self.doubtful.insert((name.to_owned(), arity));
    }

    /// Does the term yield exactly one value or an error?
    pub(super) fn term(&self, term: &Term<&str>) -> bool {
        match term {
            Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(_) => true,
            Term::Recurse
            | Term::Label(..)
            | Term::Break(_)
            | Term::TryCatch(..)
            | Term::Def(..) => false,
            Term::Str(format, parts) => {
                format.is_none_or(|format| self.call(format, &[]))
                    && parts.iter().all(|part| match part {
                        StrPart::Term(inner) => self.term(inner),
                        StrPart::Str(_) | StrPart::Char(_) => true,
                    })
            }
            // A literal with constant keys is precompiled, and then exact whatever its fields are.
            Term::Obj(entries) => {
                constant_keys(entries).is_some()
                    || entries.iter().all(|(key, value)| {
                        self.term(key) && value.as_ref().is_none_or(|value| self.term(value))
                    })
            }
            Term::Neg(inner) => self.term(inner),
            Term::BinOp(left, op, right) => self.binary(left, op, right),
            Term::Fold(kind, _, _, args) => {
                *kind == "reduce" && args.iter().all(|arg| self.term(arg))
            }
            Term::IfThenElse(branches, otherwise) => {
                branches
                    .iter()
                    .all(|(condition, then)| self.term(condition) && self.term(then))
                    && otherwise
                        .as_ref()
                        .is_none_or(|otherwise| self.term(otherwise))
            }
            Term::Call(name, args) => self.call(name, args),
            Term::Path(head, path) => {
                self.term(head)
                    && path.0.iter().all(|(part, opt)| {
                        matches!(opt, Opt::Essential)
                            && match part {
                                Part::Index(index) => self.term(index),
                                Part::Range(None, None) => false,
                                Part::Range(from, to) => {
                                    from.iter().chain(to).all(|bound| self.term(bound))
                                }
                            }
                    })
            }
        }
    }

    fn binary(&self, left: &Term<&str>, op: &BinaryOp<&str>, right: &Term<&str>) -> bool {
        match op {
            BinaryOp::Comma => false,
            // The path on the left may fan out; the output is one.
            BinaryOp::Update => true,
            BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => self.term(right),
            BinaryOp::Pipe(Some(pattern)) => {
                let mut keys_exact = true;
                visit::pattern_keys(pattern, &mut |key| keys_exact &= self.term(key));
                keys_exact && self.term(left) && self.term(right)
            }
            BinaryOp::Pipe(None)
            | BinaryOp::Alt
            | BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Math(_)
            | BinaryOp::Cmp(_) => self.term(left) && self.term(right),
        }
    }

    fn call(&self, name: &str, args: &[Term<&str>]) -> bool {
        let key = |(known, arity): &(&str, usize)| *known == name && *arity == args.len();
        let args_exact = || args.iter().all(|arg| self.term(arg));
        if self.doubtful.contains(&(name.to_owned(), args.len())) {
            return false;
        }
        ONE_VALUE.iter().any(key)
            || (ONE_VALUE_OF_ARGUMENTS.iter().any(key) && args_exact())
            || (natives::find(name, args.len()).is_some() && args_exact())
            || (self.exact.contains(&(name.to_owned(), args.len())) && args_exact())
    }
}

/// The keys of an object literal when all are constant and none repeats.
pub(super) fn constant_keys(entries: &[(Term<&str>, Option<Term<&str>>)]) -> Option<Vec<String>> {
    let mut keys = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let key = match (key, value) {
            (Term::Var(name), None) => name.strip_prefix('$')?.to_owned(),
            (key, _) => visit::constant_text(key)?,
        };
        if keys.contains(&key) {
            return None;
        }
        keys.push(key);
    }
    (!keys.is_empty()).then_some(keys)
}
