//! Precompiled programs: what a mapping does, evaluated without jq's iterators.
//!
//! jq builds an object by adding one-entry objects and boxes an iterator for every step. [`super::precompile`] turns a parse tree
//! into these two trees: a [`Quick`] yields exactly one value, a [`Gen`] any number, pushed to whoever wants them.
//! [`super::evaluate`] and [`super::generate`] run them. Whatever they have no form for stays jq and is called as a closure.
//!
//! Always holds: an expression means the same as in jq, except that a field of an object literal must yield exactly one value.

use super::Val;
use super::natives::Native;
use jaq_core::ops;
use jaq_json::Map;
use std::sync::Arc;

/// A precompiled expression and how many closures it is called with.
pub(crate) struct Prepared {
    pub expression: Gen,
    pub closures: usize,
}

/// An expression that yields exactly one value.
pub(crate) enum Quick {
    /// `.`
    Input,
    /// A literal.
    Const(Val),
    /// `$connection`, `$headers`, `$context`
    Global(Global),
    /// A variable bound by the expression itself: how many bindings ago.
    Local(usize),
    /// `.a.b`
    GetInput(Box<[Val]>),
    /// `head.a.b`
    Get(Box<Quick>, Box<[Val]>),
    /// `head[index]`, both evaluated on the input.
    At(Box<Quick>, Box<Quick>),
    /// `head[from:to]`, all evaluated on the input.
    Slice(Box<Quick>, Option<Box<Quick>>, Option<Box<Quick>>),
    /// An object literal with constant keys: the object with constants in place, and the other fields by position.
    Obj(Map, Box<[(usize, Quick)]>),
    /// `{(a): b}`
    Computed(Box<[(Quick, Quick)]>),
    /// `[a, b]`
    List(Box<[Quick]>),
    /// `[generator]`
    Collect(Box<Gen>),
    /// A generator where exactly one value is wanted; the field that it stands in, for the error text.
    Only(Box<Gen>, Box<str>),
    /// `generator // b` where exactly one value is wanted.
    Or(Box<Gen>, Box<str>, Box<Quick>),
    /// `a // b`
    Alt(Box<Quick>, Box<Quick>),
    /// `a | b`
    Pipe(Box<Quick>, Box<Quick>),
    /// `a as $x | b`
    Let(Box<Quick>, Pattern, Box<Quick>),
    /// A definition of the library or the program, with its arguments.
    Call(Arc<Quick>, Box<[Quick]>),
    /// `if … elif … else … end`
    If(Box<[(Quick, Quick)]>, Box<Quick>),
    /// `a == b` …
    Cmp(Box<Quick>, ops::Cmp, Box<Quick>),
    /// `a and b`, `a or b`: the word that ends evaluation early.
    Logic(Box<Quick>, bool, Box<Quick>),
    /// `a + b` …, never `*`
    Math(Box<Quick>, ops::Math, Box<Quick>),
    /// `-a`
    Neg(Box<Quick>),
    /// A string with interpolations.
    Concat(Box<[Quick]>),
    /// A native function.
    Native(&'static Native, Box<[Quick]>),
    /// `reduce source as $x (init; update)`
    Reduce(Box<Reduce>),
    /// Does the generator yield something true (`any`), or something that is not (`all`)? The value at the end of the search.
    Any(Box<Gen>, bool),
    /// `isempty(generator)`
    IsEmpty(Box<Gen>),
    /// `sort_by(key)`
    SortBy(Box<Quick>),
    /// `del(.a, .b)`
    Del(Box<[Val]>),
    /// `error(message)`
    Raise(Box<Quick>),
    /// Anything else, run by jq.
    Arg(Closure),
}

/// `reduce source as pattern (init; update)`
pub(crate) struct Reduce {
    pub source: Gen,
    pub pattern: Pattern,
    pub init: Quick,
    pub update: Quick,
}

/// An expression that yields any number of values.
pub(crate) enum Gen {
    /// Exactly one.
    One(Quick),
    /// `empty`
    Empty,
    /// `a, b`
    Comma(Box<[Gen]>),
    /// `a | b`
    Pipe(Box<Gen>, Box<Gen>),
    /// `head[]`, lenient: `head[]?`
    Each(Quick, bool),
    /// `select(condition)`
    Select(Quick),
    /// `if … elif … else … end` with branches that yield any number.
    If(Box<[(Quick, Gen)]>, Box<Gen>),
    /// `a as $x | b`
    Let(Box<Gen>, Pattern, Box<Gen>),
    /// `a // b`
    Alt(Box<Gen>, Box<Gen>),
    /// `first(a)`
    First(Box<Gen>),
    /// A definition of the library or the program, with its arguments.
    Call(Arc<Gen>, Box<[Quick]>),
    /// `try a catch b`, `a?`
    Try(Box<Gen>, Option<Box<Gen>>),
    /// Anything else, run by jq.
    Arg(Closure),
}

impl Gen {
    /// Does it never yield more than one value?
    pub(super) fn at_most_one(&self) -> bool {
        match self {
            Gen::One(_) | Gen::Empty | Gen::Select(_) | Gen::First(_) => true,
            Gen::Pipe(first, second) | Gen::Let(first, _, second) | Gen::Alt(first, second) => {
                first.at_most_one() && second.at_most_one()
            }
            Gen::If(branches, otherwise) => {
                branches.iter().all(|(_, then)| then.at_most_one()) && otherwise.at_most_one()
            }
            Gen::Call(body, _) => body.at_most_one(),
            Gen::Try(..) | Gen::Comma(_) | Gen::Each(..) | Gen::Arg(_) => false,
        }
    }
}

/// The variables of `as`, each by its path into the value: `$x` has none, `[$a, $b]` has indexes, `{a: $x}` has names.
pub(crate) type Pattern = Box<[Box<[Val]>]>;

/// A variable of the run.
#[derive(Clone, Copy)]
pub(crate) enum Global {
    Connection,
    Headers,
    Context,
}

/// A closure of jq by its position, and the field whose value it is (for the error text).
pub(crate) struct Closure {
    pub position: usize,
    pub field: Box<str>,
}
