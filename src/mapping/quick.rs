//! Precompiled expressions: the part of a mapping that yields exactly one value from one value, evaluated without jq's iterators.
//!
//! jq builds an object by adding one-entry objects and boxes an iterator for every step; an order's mapping is mostly plain object
//! literals, paths, alternatives and native calls. [`super::precompile`] turns those into this tree, [`super::evaluate`] runs it;
//! whatever else occurs inside stays jq and is called as a closure ([`Quick::Arg`]).
//!
//! Always holds: an expression means the same as in jq, except that a field of an object literal must yield exactly one value.

use super::Val;
use super::natives::Native;
use jaq_core::ops;
use jaq_json::Map;
use std::sync::Arc;

/// A precompiled expression and how many closures it is called with.
pub(crate) struct Prepared {
    pub expression: Quick,
    pub closures: usize,
}

/// An expression.
pub(crate) enum Quick {
    /// `.`
    Input,
    /// A literal.
    Const(Val),
    /// `$connection`, `$headers`, `$context`
    Global(Global),
    /// A variable bound by [`Quick::Let`], [`Quick::EachAs`] or [`Quick::Call`]: how many bindings ago.
    Local(usize),
    /// `.a.b`
    GetInput(Box<[Val]>),
    /// `head.a.b`
    Get(Box<Quick>, Box<[Val]>),
    /// `head[index]`, both evaluated on the input.
    At(Box<Quick>, Box<Quick>),
    /// An object literal with constant keys: the object with constants in place, and the other fields by position.
    Obj(Map, Box<[(usize, Quick)]>),
    /// `[a, b]`
    List(Box<[Quick]>),
    /// `[head[] | stage | …]`
    Each(Box<Each>),
    /// `[head[] as $x | body]`
    EachAs(Box<Quick>, Box<Quick>),
    /// `(head[] | stage | …) // otherwise`, or the same of `first(…)`.
    Found {
        each: Box<Each>,
        first: bool,
        field: Box<str>,
        otherwise: Box<Quick>,
    },
    /// `a // b`
    Alt(Box<Quick>, Box<Quick>),
    /// `closure // b`, where the closure may yield nothing.
    AltArg(Closure, Box<Quick>),
    /// `a | b`
    Pipe(Box<Quick>, Box<Quick>),
    /// `a as $x | b`
    Let(Box<Quick>, Box<Quick>),
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
    /// A string with interpolations.
    Concat(Box<[Quick]>),
    /// A native function.
    Native(&'static Native, Box<[Quick]>),
    /// Anything else, run by jq.
    Arg(Closure),
}

/// An iteration: `head[] | stage | …`, with `head[]?` lenient.
pub(crate) struct Each {
    pub head: Quick,
    pub lenient: bool,
    pub stages: Box<[Stage]>,
}

/// A step of an iteration.
pub(crate) enum Stage {
    /// `select(condition)`
    Keep(Quick),
    /// Any expression.
    To(Quick),
}

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
