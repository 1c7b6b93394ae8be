//! What a name means at a place of the parse tree, while it is precompiled: variables, closure parameters, definitions.
//!
//! Always holds: a chain of names never changes once it is made, so that a definition or a closure argument keeps the meaning that
//! its names had where it was written.

use super::quick::{Gen, Quick};
use jaq_core::load::parse::{Def, Term};
use std::rc::Rc;
use std::sync::Arc;

/// The names in force at a place, innermost first.
pub(super) type Names<'s> = Option<Rc<Name<'s>>>;

/// One name.
pub(super) struct Name<'s> {
    pub name: &'s str,
    pub arity: usize,
    pub meaning: Meaning<'s>,
    pub outer: Names<'s>,
}

/// What it stands for.
pub(super) enum Meaning<'s> {
    /// A variable that the expression binds: its position among the bindings, outermost first.
    Variable(usize),
    /// A closure parameter: the argument, and the names where it was written.
    Argument(Term<&'s str>, Names<'s>),
    /// A definition; compiled when all its parameters are values and nothing of it stays jq.
    Definition {
        def: Rc<Def<&'s str>>,
        /// jq's own.
        prelude: bool,
        compiled: Option<Compiled>,
    },
    /// Something that only jq knows: a parameter of a definition that jq runs.
    Unknown,
}

/// A definition that is called as a whole.
#[derive(Clone)]
pub(super) enum Compiled {
    One(Arc<Quick>),
    Many(Arc<Gen>),
}

/// The names with one more.
pub(super) fn with<'s>(
    outer: &Names<'s>,
    name: &'s str,
    arity: usize,
    meaning: Meaning<'s>,
) -> Names<'s> {
    Some(Rc::new(Name {
        name,
        arity,
        meaning,
        outer: outer.clone(),
    }))
}

/// The innermost meaning of a name.
pub(super) fn find<'n, 's>(
    names: &'n Names<'s>,
    name: &str,
    arity: usize,
) -> Option<&'n Rc<Name<'s>>> {
    walk(names).find(|known| known.name == name && known.arity == arity)
}

/// Every name, innermost first.
pub(super) fn walk<'n, 's>(names: &'n Names<'s>) -> impl Iterator<Item = &'n Rc<Name<'s>>> {
    std::iter::successors(names.as_ref(), |name| name.outer.as_ref())
}
