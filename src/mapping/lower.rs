//! Lowering a program: what can be precompiled is replaced by calls to [`super::quick`] expressions; the rest stays jq.
//!
//! A root (an object literal with constant keys, a native call with exact arguments, or the whole program when it is exact) is
//! replaced by a call to a function of its own; what inside it cannot be precompiled becomes a closure argument of that call. No
//! root can stand where jq needs a path, so paths and assignments are never touched.

use super::compile::constant_variable;
use super::engine::QUICK_CAP;
use super::exact::{Exactness, constant_keys};
use super::names::{Meaning, Names, with};
use super::precompile;
use super::quick::{Gen, Prepared};
use super::{natives, visit};
use jaq_core::load::Arena;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};
use std::rc::Rc;

/// One program's lowering.
pub(super) struct Lowering<'s> {
    arena: &'s Arena,
    prepared: Vec<(&'s str, Prepared)>,
    exactness: Exactness,
    names: Names<'s>,
}

impl<'s> Lowering<'s> {
    pub(super) fn new(arena: &'s Arena) -> Self {
        Self {
            arena,
            prepared: Vec::new(),
            exactness: Exactness::default(),
            names: None,
        }
    }

    /// The precompiled expressions with the names they are called by.
    pub(super) fn finish(self) -> Vec<(&'s str, Prepared)> {
        self.prepared
    }

    /// Lowers a definition, and remembers what it yields for its callers.
    pub(super) fn definition(&mut self, def: Def<&'s str>, prelude: bool) -> Def<&'s str> {
        self.exactness.learn(def.name, &def.args, &def.body);
        let meaning = Meaning::Definition {
            compiled: precompile::definition(&def, &self.exactness, &self.names),
            def: Rc::new(def.clone()),
            prelude,
        };
        let known = with(&self.names, def.name, def.args.len(), meaning);
        // In the body, the parameters are jq's.
        for arg in def.args.iter().filter(|arg| !arg.starts_with('$')) {
            self.names = with(&self.names, arg, 0, Meaning::Unknown);
        }
        let body = self.term(def.body);
        self.names = known;
        Def { body, ..def }
    }

    /// Lowers definitions and what they are for.
    fn with_definitions(
        &mut self,
        defs: Vec<Def<&'s str>>,
        inner: impl FnOnce(&mut Self) -> Term<&'s str>,
    ) -> Term<&'s str> {
        let names = self.names.clone();
        let defs = defs
            .into_iter()
            .map(|def| self.definition(def, false))
            .collect();
        let inner = inner(self);
        self.names = names;
        Term::Def(defs, Box::new(inner))
    }

    fn boxed(&mut self, mut term: Box<Term<&'s str>>) -> Box<Term<&'s str>> {
        let taken = std::mem::take(&mut *term);
        *term = self.term(taken);
        term
    }

    fn all(&mut self, terms: Vec<Term<&'s str>>) -> Vec<Term<&'s str>> {
        terms.into_iter().map(|term| self.term(term)).collect()
    }

    /// Lowers the program's body: as a whole where that can be, since no path can be wanted of it.
    pub(super) fn main(&mut self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Def(defs, inner) => self.with_definitions(defs, |lower| lower.main(*inner)),
            term if self.has_room() => self.root(term, true),
            term => self.term(term),
        }
    }

    /// Lowers a term that jq runs.
    pub(super) fn term(&mut self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Obj(entries) if self.has_room() && constant_keys(&entries).is_some() => {
                self.root(Term::Obj(entries), false)
            }
            Term::Call(name, args) => self.call(name, args),
            other => self.parts(other),
        }
    }

    /// Lowers the parts of a term that stays.
    fn parts(&mut self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Obj(entries) => Term::Obj(
                entries
                    .into_iter()
                    .map(|(key, value)| (self.key(key), value.map(|value| self.term(value))))
                    .collect(),
            ),
            Term::Call(name, args) => Term::Call(name, self.all(args)),
            Term::BinOp(left, op, right) => self.binary(left, op, right),
            Term::Str(format, parts) => Term::Str(format, self.pieces(parts)),
            Term::Arr(Some(inner)) => Term::Arr(Some(self.boxed(inner))),
            Term::Neg(inner) => Term::Neg(self.boxed(inner)),
            Term::Label(name, inner) => Term::Label(name, self.boxed(inner)),
            Term::Fold(kind, source, pattern, args) => Term::Fold(
                kind,
                self.boxed(source),
                self.pattern(pattern),
                self.all(args),
            ),
            Term::TryCatch(inner, catch) => {
                Term::TryCatch(self.boxed(inner), catch.map(|catch| self.boxed(catch)))
            }
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches
                    .into_iter()
                    .map(|(condition, then)| (self.term(condition), self.term(then)))
                    .collect();
                Term::IfThenElse(branches, otherwise.map(|otherwise| self.boxed(otherwise)))
            }
            Term::Def(defs, inner) => self.with_definitions(defs, |lower| lower.term(*inner)),
            Term::Path(head, path) => {
                let head = self.boxed(head);
                Term::Path(
                    head,
                    Path(
                        path.0
                            .into_iter()
                            .map(|(part, opt)| (self.part(part), opt))
                            .collect(),
                    ),
                )
            }
            plain @ (Term::Id
            | Term::Recurse
            | Term::Num(_)
            | Term::Arr(None)
            | Term::Break(_)
            | Term::Var(_)) => plain,
        }
    }

    fn pieces(
        &mut self,
        parts: Vec<StrPart<&'s str, Term<&'s str>>>,
    ) -> Vec<StrPart<&'s str, Term<&'s str>>> {
        let lowered = parts.into_iter().map(|part| match part {
            StrPart::Term(inner) => StrPart::Term(self.term(inner)),
            plain => plain,
        });
        lowered.collect()
    }

    /// A key stays a constant text; only a computed one is lowered.
    fn key(&mut self, key: Term<&'s str>) -> Term<&'s str> {
        if visit::constant_text(&key).is_some() {
            key
        } else {
            self.term(key)
        }
    }

    fn part(&mut self, part: Part<Term<&'s str>>) -> Part<Term<&'s str>> {
        match part {
            Part::Index(index) => Part::Index(self.key(index)),
            Part::Range(from, to) => {
                Part::Range(from.map(|from| self.term(from)), to.map(|to| self.term(to)))
            }
        }
    }

    fn pattern(&mut self, pattern: Pattern<&'s str>) -> Pattern<&'s str> {
        match pattern {
            Pattern::Var(name) => Pattern::Var(name),
            Pattern::Arr(items) => {
                Pattern::Arr(items.into_iter().map(|item| self.pattern(item)).collect())
            }
            Pattern::Obj(entries) => Pattern::Obj(
                entries
                    .into_iter()
                    .map(|(key, inner)| (self.key(key), self.pattern(inner)))
                    .collect(),
            ),
        }
    }

    fn call(&mut self, name: &'s str, args: Vec<Term<&'s str>>) -> Term<&'s str> {
        if let (Some(variable), true) = (constant_variable(name), args.is_empty()) {
            return Term::Var(variable);
        }
        let native = natives::find(name, args.len()).is_some()
            && args.iter().all(|arg| self.exactness.term(arg));
        if native && self.has_room() {
            return self.root(Term::Call(name, args), false);
        }
        Term::Call(name, self.all(args))
    }

    fn binary(
        &mut self,
        left: Box<Term<&'s str>>,
        op: BinaryOp<&'s str>,
        right: Box<Term<&'s str>>,
    ) -> Term<&'s str> {
        match op {
            BinaryOp::Math(Math::Mul) => self.call("!mul", vec![*left, *right]),
            // `l *= r` is `r as $x | l |= . * $x`.
            BinaryOp::UpdateMath(Math::Mul) => {
                let product = Term::Call("!mul", vec![Term::Id, Term::Var("$!factor")]);
                let update = Term::BinOp(self.boxed(left), BinaryOp::Update, Box::new(product));
                let bound = BinaryOp::Pipe(Some(Pattern::Var("$!factor")));
                Term::BinOp(self.boxed(right), bound, Box::new(update))
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let (left, pattern) = (self.boxed(left), self.pattern(pattern));
                Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), self.boxed(right))
            }
            op => {
                let left = self.boxed(left);
                Term::BinOp(left, op, self.boxed(right))
            }
        }
    }

    /// A program with more roots than pointers leaves the rest to jq.
    fn has_room(&self) -> bool {
        self.prepared.len() < QUICK_CAP
    }

    /// Replaces a term by a call to its precompiled form, if there is one; unless it may yield several, one that yields exactly
    /// one value.
    fn root(&mut self, term: Term<&'s str>, several: bool) -> Term<&'s str> {
        let found = precompile::root(&term, &self.exactness, &self.names)
            .filter(|(expression, _)| several || matches!(expression, Gen::One(_)));
        let Some((expression, closures)) = found else {
            return match several {
                true => self.term(term),
                false => self.parts(term),
            };
        };
        let name: &str = self.arena.alloc(format!("!q{}", self.prepared.len()));
        self.prepared.push((
            name,
            Prepared {
                expression,
                closures: closures.len(),
            },
        ));
        Term::Call(name, self.all(closures))
    }
}
