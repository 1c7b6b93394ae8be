//! From parse tree to [`Gen`] and [`Quick`]: what each form of term becomes. Calls are in [`super::calls`], paths in
//! [`super::paths`], literals and patterns in [`super::literals`].
//!
//! Always holds: a term becomes a [`Quick`] only when it yields one value, or stands where exactly one value is wanted; a part that
//! stays jq sees only what jq knows (its own variables and definitions), else the whole around it stays jq.

use super::exact::{Exactness, constant_keys};
use super::names::{Compiled, Meaning, Names, find, walk, with};
use super::quick::{Closure, Gen, Global, Quick, Reduce};
use super::{natives, value, visit};
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use std::rc::Rc;
use std::sync::Arc;

/// A member of an object literal: its key and, unless it is short for the input's member, its value.
pub(super) type Entry<'s> = (Term<&'s str>, Option<Term<&'s str>>);

/// Precompiles a term. The closures are the parts that stay jq, in the order of their positions. `None` when nothing of it can be
/// precompiled.
pub(super) fn root<'s>(
    term: &Term<&'s str>,
    exactness: &Exactness,
    names: &Names<'s>,
) -> Option<(Gen, Vec<Term<&'s str>>)> {
    let mut build = Build::new(exactness, names);
    match build.term(term) {
        Gen::One(Quick::Arg(_)) | Gen::Arg(_) => None,
        _ if build.captured => None,
        expression => Some((expression, build.closures)),
    }
}

/// Precompiles a definition whose parameters are all values, when nothing of it has to stay jq.
pub(super) fn definition<'s>(
    def: &Def<&'s str>,
    exactness: &Exactness,
    names: &Names<'s>,
) -> Option<Compiled> {
    if !def.args.iter().all(|arg| arg.starts_with('$')) {
        return None;
    }
    let mut build = Build::new(exactness, names);
    def.args.iter().for_each(|arg| build.variable_named(arg));
    let body = build.term(&def.body);
    if build.captured || !build.closures.is_empty() {
        return None;
    }
    Some(match body {
        Gen::One(one) => Compiled::One(Arc::new(one)),
        many => Compiled::Many(Arc::new(many)),
    })
}

pub(super) struct Build<'b, 's> {
    pub(super) exactness: &'b Exactness,
    closures: Vec<Term<&'s str>>,
    /// The field being built, for error texts.
    pub(super) field: String,
    /// The names in force.
    pub(super) names: Names<'s>,
    /// The names that jq knows too.
    base: Names<'s>,
    /// How many variables are bound.
    pub(super) depth: usize,
    /// Definitions that are being put in place of their calls.
    pub(super) expanding: usize,
    /// A closure needs something that jq does not know.
    pub(super) captured: bool,
}

impl<'b, 's> Build<'b, 's> {
    fn new(exactness: &'b Exactness, names: &Names<'s>) -> Self {
        Self {
            exactness,
            closures: Vec::new(),
            field: String::new(),
            names: names.clone(),
            base: names.clone(),
            depth: 0,
            expanding: 0,
            captured: false,
        }
    }

    /// Binds a variable.
    pub(super) fn variable_named(&mut self, name: &'s str) {
        let position = self.depth;
        self.depth += 1;
        self.names = with(&self.names, name, 0, Meaning::Variable(position));
    }

    /// Leaves a term to jq.
    pub(super) fn stays(&mut self, term: &Term<&'s str>) -> Gen {
        let own = self.own_names();
        let mut calls_own = false;
        visit::calls(term, &mut |name| calls_own |= own.contains(&name));
        self.captured |= self.expanding > 0 || calls_own || visit::mentions(term, &own);
        self.closures.push(term.clone());
        let closure = Closure {
            position: self.closures.len() - 1,
            field: self.field.as_str().into(),
        };
        match self.exactness.term(term) {
            true => Gen::One(Quick::Arg(closure)),
            false => Gen::Arg(closure),
        }
    }

    /// The names that jq does not know.
    fn own_names(&self) -> Vec<&'s str> {
        let base = self.base.as_ref().map(Rc::as_ptr);
        walk(&self.names)
            .take_while(|name| Some(Rc::as_ptr(name)) != base)
            .map(|name| name.name)
            .collect()
    }

    /// Builds something with names of its own; when a closure would need one of them, the whole term stays jq.
    pub(super) fn within(
        &mut self,
        whole: &Term<&'s str>,
        build: impl FnOnce(&mut Self) -> Gen,
    ) -> Gen {
        let (names, depth, expanding) = (self.names.clone(), self.depth, self.expanding);
        let (closures, captured) = (self.closures.len(), std::mem::take(&mut self.captured));
        let built = build(self);
        (self.names, self.depth, self.expanding) = (names, depth, expanding);
        if !std::mem::replace(&mut self.captured, captured) {
            return built;
        }
        // What was built before this term keeps its closures.
        self.closures.truncate(closures);
        self.stays(whole)
    }

    /// Precompiles a term of which exactly one value is wanted.
    pub(super) fn quick(&mut self, term: &Term<&'s str>) -> Quick {
        // The one place where a generator may yield nothing, or values that do not count.
        if let Term::BinOp(first, BinaryOp::Alt, second) = term {
            let (first, second) = (self.term(first), self.term(second));
            return match (first, second) {
                (Gen::One(first), Gen::One(second)) => Quick::Alt(first.into(), second.into()),
                (first, Gen::One(second)) => {
                    Quick::Or(first.into(), self.field.as_str().into(), second.into())
                }
                (first, second) => self.only(Gen::Alt(first.into(), second.into())),
            };
        }
        let built = self.term(term);
        self.only(built)
    }

    pub(super) fn only(&self, generator: Gen) -> Quick {
        match generator {
            Gen::One(one) => one,
            Gen::Arg(closure) => Quick::Arg(closure),
            several => Quick::Only(several.into(), self.field.as_str().into()),
        }
    }

    /// Precompiles terms that must yield one value each; `None` when one does not.
    pub(super) fn ones<'t>(
        &mut self,
        terms: impl IntoIterator<Item = &'t Term<&'s str>>,
    ) -> Option<Box<[Quick]>>
    where
        's: 't,
    {
        let one = |term| match self.term(term) {
            Gen::One(one) => Some(one),
            _ => None,
        };
        terms.into_iter().map(one).collect()
    }

    /// Precompiles a term.
    pub(super) fn term(&mut self, term: &Term<&'s str>) -> Gen {
        match term {
            Term::Id => Gen::One(Quick::Input),
            Term::Num(digits) => Gen::One(Quick::Const(value::number((*digits).to_owned()))),
            Term::Arr(None) => Gen::One(Quick::Const(value::array(Vec::new()))),
            Term::Arr(Some(inner)) => Gen::One(self.array(inner)),
            Term::Obj(entries) if constant_keys(entries).is_some() => {
                Gen::One(self.object(entries))
            }
            Term::Obj(entries) => self.computed(entries, term),
            Term::Str(None, parts) => self.text(term, parts),
            Term::Var(name) => self.variable(name, term),
            Term::Neg(inner) => match self.term(inner) {
                Gen::One(inner) => Gen::One(Quick::Neg(inner.into())),
                _ => self.stays(term),
            },
            Term::BinOp(left, op, right) => self.binary(left, op, right, term),
            Term::IfThenElse(branches, otherwise) => {
                self.branches(branches, otherwise.as_deref(), term)
            }
            Term::TryCatch(inner, catch) => {
                let inner = self.term(inner);
                let catch = catch.as_ref().map(|catch| self.term(catch).into());
                Gen::Try(inner.into(), catch)
            }
            Term::Fold("reduce", source, pattern, args) => self.reduce(source, pattern, args, term),
            Term::Def(defs, inner) => self.within(term, |build| {
                for def in defs {
                    build.define(def);
                }
                build.term(inner)
            }),
            Term::Call(name, args) => self.call(name, args, term),
            Term::Path(head, path) => self.path(head, path, term),
            other => self.stays(other),
        }
    }

    fn define(&mut self, def: &Def<&'s str>) {
        let meaning = Meaning::Definition {
            def: Rc::new(def.clone()),
            prelude: false,
            compiled: None,
        };
        self.names = with(&self.names, def.name, def.args.len(), meaning);
    }

    fn variable(&mut self, name: &str, term: &Term<&'s str>) -> Gen {
        match find(&self.names, name, 0).map(|known| &known.meaning) {
            Some(Meaning::Variable(position)) => {
                return Gen::One(Quick::Local(self.depth - 1 - position));
            }
            Some(_) => return self.stays(term),
            None => {}
        }
        Gen::One(Quick::Global(match name {
            "$connection" => Global::Connection,
            "$headers" => Global::Headers,
            "$context" => Global::Context,
            _ => return self.stays(term),
        }))
    }

    fn branches(
        &mut self,
        branches: &[(Term<&'s str>, Term<&'s str>)],
        otherwise: Option<&Term<&'s str>>,
        term: &Term<&'s str>,
    ) -> Gen {
        let Some(conditions) = self.ones(branches.iter().map(|(condition, _)| condition)) else {
            return self.stays(term);
        };
        let mut thens: Vec<Gen> = branches.iter().map(|(_, then)| self.term(then)).collect();
        thens.push(otherwise.map_or(Gen::One(Quick::Input), |otherwise| self.term(otherwise)));
        let exact = thens.iter().all(|then| matches!(then, Gen::One(_)));
        let Some(otherwise) = thens.pop() else {
            return self.stays(term);
        };
        let branches = conditions.into_iter().zip(thens);
        if !exact {
            return Gen::If(branches.collect(), otherwise.into());
        }
        let branches = branches.map(|(condition, then)| (condition, self.only(then)));
        let branches = branches.collect();
        Gen::One(Quick::If(branches, self.only(otherwise).into()))
    }

    fn binary(
        &mut self,
        left: &Term<&'s str>,
        op: &BinaryOp<&'s str>,
        right: &Term<&'s str>,
        term: &Term<&'s str>,
    ) -> Gen {
        match op {
            BinaryOp::Pipe(None) => {
                let first = self.term(left);
                let second = self.term(right);
                pipe(first, second)
            }
            BinaryOp::Pipe(Some(pattern)) => self.within(term, |build| {
                let bound = build.term(left);
                let Some(pattern) = build.pattern(pattern) else {
                    return build.stays(term);
                };
                match (bound, build.term(right)) {
                    (Gen::One(bound), Gen::One(body)) => {
                        Gen::One(Quick::Let(bound.into(), pattern, body.into()))
                    }
                    (bound, body) => Gen::Let(bound.into(), pattern, body.into()),
                }
            }),
            BinaryOp::Comma => match (self.term(left), self.term(right)) {
                (left, Gen::Comma(rest)) => Gen::Comma(std::iter::once(left).chain(rest).collect()),
                (left, right) => Gen::Comma(Box::new([left, right])),
            },
            BinaryOp::Alt => match (self.term(left), self.term(right)) {
                (Gen::One(left), Gen::One(right)) => {
                    Gen::One(Quick::Alt(left.into(), right.into()))
                }
                (left, Gen::One(right)) if left.at_most_one() => {
                    let field = self.field.as_str().into();
                    Gen::One(Quick::Or(left.into(), field, right.into()))
                }
                (left, right) => Gen::Alt(left.into(), right.into()),
            },
            op => {
                let Some(both) = self.ones([left, right]) else {
                    return self.stays(term);
                };
                self.operation(both, op, term)
            }
        }
    }

    fn operation(
        &mut self,
        both: Box<[Quick]>,
        op: &BinaryOp<&'s str>,
        term: &Term<&'s str>,
    ) -> Gen {
        if let (BinaryOp::Math(Math::Mul), Some(native)) = (op, natives::find("!mul", 2)) {
            return Gen::One(Quick::Native(native, both));
        }
        let mut both = both.into_iter().map(Box::new);
        let (Some(left), Some(right)) = (both.next(), both.next()) else {
            return self.stays(term);
        };
        Gen::One(match op {
            BinaryOp::Cmp(op) => Quick::Cmp(left, *op, right),
            BinaryOp::And => Quick::Logic(left, false, right),
            BinaryOp::Or => Quick::Logic(left, true, right),
            BinaryOp::Math(op) => Quick::Math(left, *op, right),
            _ => return self.stays(term),
        })
    }

    fn reduce(
        &mut self,
        source: &Term<&'s str>,
        pattern: &Pattern<&'s str>,
        args: &[Term<&'s str>],
        term: &Term<&'s str>,
    ) -> Gen {
        let [init, update] = args else {
            return self.stays(term);
        };
        self.within(term, |build| {
            let source = build.term(source);
            let init = build.term(init);
            let pattern = build.pattern(pattern);
            match (init, pattern, build.term(update)) {
                (Gen::One(init), Some(pattern), Gen::One(update)) => {
                    Gen::One(Quick::Reduce(Box::new(Reduce {
                        source,
                        pattern,
                        init,
                        update,
                    })))
                }
                _ => build.stays(term),
            }
        })
    }
}

/// `a | b`
pub(super) fn pipe(first: Gen, second: Gen) -> Gen {
    match (first, second) {
        (Gen::One(Quick::Input), second) => second,
        (first, Gen::One(Quick::Input)) => first,
        (Gen::One(first), Gen::One(second)) => Gen::One(Quick::Pipe(first.into(), second.into())),
        (first, second) => Gen::Pipe(first.into(), second.into()),
    }
}
