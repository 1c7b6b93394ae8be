//! Precompiling calls: jq's special forms, native functions, and definitions, which are called as a whole or put in place.
//!
//! Always holds: a definition is found by the names in force where the call was written; there is no recursion (the lint refuses
//! it, and a definition that is put in place does not see itself), so this ends.

use super::names::{Compiled, Meaning, Name, Names, find, with};
use super::paths::{constant_path, split_commas};
use super::precompile::{Build, pipe};
use super::quick::{Gen, Pattern, Quick};
use super::{Val, natives};
use jaq_core::load::parse::{Def, Term};
use std::rc::Rc;

/// Definitions in definitions: deeper ones stay jq.
const DEEPEST: usize = 40;

/// The pattern `$x`.
fn single() -> Pattern {
    Box::new([Box::default()])
}

impl<'s> Build<'_, 's> {
    pub(super) fn call(
        &mut self,
        name: &'s str,
        args: &[Term<&'s str>],
        term: &Term<&'s str>,
    ) -> Gen {
        if let Some(known) = find(&self.names, name, args.len()).cloned() {
            match &known.meaning {
                Meaning::Argument(arg, names) => {
                    return self.within(term, |build| {
                        build.names = names.clone();
                        build.expanding += 1;
                        build.term(arg)
                    });
                }
                Meaning::Definition { prelude: true, .. } | Meaning::Variable(_) => {}
                Meaning::Definition { def, compiled, .. } => {
                    return self.defined(&known, def, compiled.as_ref(), args, term);
                }
                Meaning::Unknown => return self.stays(term),
            }
        }
        if let Some(special) = self.special(name, args) {
            return special;
        }
        if let Some(native) = natives::find(name, args.len()) {
            return match self.ones(args) {
                Some(args) => Gen::One(Quick::Native(native, args)),
                None => self.stays(term),
            };
        }
        match find(&self.names, name, args.len()).cloned() {
            Some(known) => match &known.meaning {
                Meaning::Definition { def, compiled, .. } => {
                    self.defined(&known, def, compiled.as_ref(), args, term)
                }
                _ => self.stays(term),
            },
            None => self.stays(term),
        }
    }

    /// The forms of jq that are neither functions nor definitions, or are better not treated as such.
    fn special(&mut self, name: &str, args: &[Term<&'s str>]) -> Option<Gen> {
        Some(match (name, args) {
            ("null", []) => Gen::One(Quick::Const(Val::Null)),
            ("true", []) => Gen::One(Quick::Const(Val::Bool(true))),
            ("false", []) => Gen::One(Quick::Const(Val::Bool(false))),
            ("empty", []) => Gen::Empty,
            ("error", []) => Gen::One(Quick::Raise(Quick::Input.into())),
            ("error", [message]) => Gen::One(Quick::Raise(self.one(message)?.into())),
            ("select", [condition]) => Gen::Select(self.one(condition)?),
            ("first", [inner]) => Gen::First(self.term(inner).into()),
            ("isempty", [inner]) => Gen::One(Quick::IsEmpty(self.term(inner).into())),
            ("map", [body]) => {
                let items = pipe(items(), self.term(body));
                Gen::One(Quick::Collect(items.into()))
            }
            ("any" | "all", args) => {
                let found = match args {
                    [] => items(),
                    [condition] => pipe(items(), self.term(condition)),
                    [source, condition] => {
                        let source = self.term(source);
                        pipe(source, self.term(condition))
                    }
                    _ => return None,
                };
                Gen::One(Quick::Any(found.into(), name == "any"))
            }
            ("sort_by", [key]) => Gen::One(Quick::SortBy(self.one(key)?.into())),
            ("del", [paths]) => Gen::One(Quick::Del(members(paths)?)),
            _ => return None,
        })
    }

    fn one(&mut self, term: &Term<&'s str>) -> Option<Quick> {
        match self.term(term) {
            Gen::One(one) => Some(one),
            _ => None,
        }
    }

    fn defined(
        &mut self,
        known: &Rc<Name<'s>>,
        def: &Def<&'s str>,
        compiled: Option<&Compiled>,
        args: &[Term<&'s str>],
        term: &Term<&'s str>,
    ) -> Gen {
        let Some(compiled) = compiled else {
            return self.within(term, |build| build.expanded(known, def, args, term));
        };
        match (self.ones(args), compiled) {
            (Some(args), Compiled::One(body)) => Gen::One(Quick::Call(body.clone(), args)),
            (Some(args), Compiled::Many(body)) => Gen::Call(body.clone(), args),
            (None, _) => self.stays(term),
        }
    }

    /// The definition's body in place of the call: value parameters become variables, closure parameters stand for their argument.
    fn expanded(
        &mut self,
        known: &Rc<Name<'s>>,
        def: &Def<&'s str>,
        args: &[Term<&'s str>],
        term: &Term<&'s str>,
    ) -> Gen {
        self.expanding += 1;
        if self.expanding > DEEPEST {
            return self.stays(term);
        }
        let caller = self.names.clone();
        let mut names: Names<'s> = known.outer.clone();
        let mut values = Vec::new();
        for (param, arg) in def.args.iter().zip(args) {
            if !param.starts_with('$') {
                let meaning = Meaning::Argument(arg.clone(), caller.clone());
                names = with(&names, param, 0, meaning);
                continue;
            }
            let Some(value) = self.one(arg) else {
                return self.stays(term);
            };
            values.push(value);
            names = with(&names, param, 0, Meaning::Variable(self.depth));
            self.depth += 1;
        }
        self.names = names;
        let body = self.term(&def.body);
        values
            .into_iter()
            .rev()
            .fold(body, |body, value| match body {
                Gen::One(body) => Gen::One(Quick::Let(value.into(), single(), body.into())),
                many => Gen::Let(Gen::One(value).into(), single(), many.into()),
            })
    }
}

/// `.[]`
fn items() -> Gen {
    Gen::Each(Quick::Input, false)
}

/// The names of `.a, .b`.
fn members(paths: &Term<&str>) -> Option<Box<[Val]>> {
    let mut terms = Vec::new();
    split_commas(paths, &mut terms);
    let member = |term: &Term<&str>| match term {
        Term::Path(head, path) if matches!(**head, Term::Id) => {
            match constant_path(&path.0)?.into_vec().as_slice() {
                [name @ Val::TStr(_)] => Some(name.clone()),
                _ => None,
            }
        }
        _ => None,
    };
    terms.into_iter().map(member).collect()
}
