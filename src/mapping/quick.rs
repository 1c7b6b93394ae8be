//! Precompiled expressions: the part of a mapping that yields exactly one value from one value, evaluated without jq's iterators.
//!
//! jq builds an object by adding one-entry objects and boxes an iterator for every step; an order's mapping is mostly plain object
//! literals, paths, alternatives and native calls. [`super::lower`] turns those into this tree; whatever else occurs inside stays
//! jq and is called as a closure ([`Quick::Arg`]).
//!
//! Always holds: an expression means the same as in jq, except that a field of an object literal must yield exactly one value.

use super::engine::{Engine, Frame};
use super::natives::Native;
use super::{MapError, Val, value};
use jaq_core::compile::TermId;
use jaq_core::{Ctx, Cv, Exn, ValT, ops};
use jaq_json::{Map, Num};

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
    /// `head.a.b`, with the head's value as start.
    Get(Box<Quick>, Box<[Val]>),
    /// `.a.b`
    GetInput(Box<[Val]>),
    /// An object literal with constant keys: the object with constants in place, and the other fields by position.
    Obj(Map, Box<[(usize, Quick)]>),
    /// `[a, b]`
    List(Box<[Quick]>),
    /// `[head[] | stage | …]`
    Each(Box<Quick>, Box<[Stage]>),
    /// `a // b`
    Alt(Box<Quick>, Box<Quick>),
    /// `closure // b`, where the closure may yield nothing.
    AltArg(Closure, Box<Quick>),
    /// `a | b`
    Pipe(Box<Quick>, Box<Quick>),
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

/// A step of [`Quick::Each`].
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

static NULL: Val = Val::Null;

/// Evaluates the program's `index`-th expression on the input of `cv`.
pub(crate) fn evaluate<'a>(index: usize, mut cv: Cv<'a, Engine>) -> Result<Val, Exn<'a, Val>> {
    let frame: &'a Frame<'a> = cv.0.data();
    let Some(prepared) = frame.quicks.get(index) else {
        return Err(Exn::from(
            frame.raise(MapError::Internal("unknown expression".to_owned())),
        ));
    };
    // jq binds closures in order, so the last one is on top.
    let mut closures: Vec<_> = (0..prepared.closures).map(|_| cv.0.pop_fun()).collect();
    closures.reverse();
    Evaluation { frame, closures }.run(&prepared.expression, &cv.1)
}

struct Evaluation<'a> {
    frame: &'a Frame<'a>,
    closures: Vec<(TermId, Ctx<'a, Engine>)>,
}

type Result1<'a> = Result<Val, Exn<'a, Val>>;

impl<'a> Evaluation<'a> {
    fn run(&self, expression: &Quick, input: &Val) -> Result1<'a> {
        match expression {
            Quick::Input => Ok(input.clone()),
            Quick::Const(value) => Ok(value.clone()),
            Quick::Global(global) => Ok(self.global(*global).clone()),
            Quick::GetInput(path) => get(input, path),
            Quick::Get(head, path) => match &**head {
                Quick::Global(global) => get(self.global(*global), path),
                head => get(&self.run(head, input)?, path),
            },
            Quick::Obj(template, fields) => self.object(template, fields, input),
            Quick::List(items) => items.iter().map(|item| self.run(item, input)).collect(),
            Quick::Each(head, stages) => self.each(head, stages, input),
            Quick::Alt(first, second) => match self.run(first, input)? {
                Val::Null | Val::Bool(false) => self.run(second, input),
                value => Ok(value),
            },
            Quick::AltArg(closure, second) => self.alternative(closure, second, input),
            Quick::Pipe(first, second) => self.run(second, &self.run(first, input)?),
            Quick::If(branches, otherwise) => {
                for (condition, then) in branches {
                    if self.run(condition, input)?.as_bool() {
                        return self.run(then, input);
                    }
                }
                self.run(otherwise, input)
            }
            Quick::Cmp(left, op, right) => {
                let (left, right) = (self.run(left, input)?, self.run(right, input)?);
                Ok(Val::Bool(op.run(&left, &right)))
            }
            Quick::Logic(left, stop, right) => {
                let left = self.run(left, input)?.as_bool();
                Ok(Val::Bool(if left == *stop {
                    left
                } else {
                    self.run(right, input)?.as_bool()
                }))
            }
            Quick::Math(left, op, right) => {
                let (left, right) = (self.run(left, input)?, self.run(right, input)?);
                let result: Result<Val, jaq_json::Error> = op.run(left, right);
                result.map_err(Exn::from)
            }
            Quick::Concat(parts) => self.concat(parts, input),
            Quick::Native(native, args) => self.native(native, args, input),
            Quick::Arg(closure) => self.only(closure, input),
        }
    }

    fn global(&self, global: Global) -> &'a Val {
        match global {
            Global::Connection => &self.frame.scope.connection,
            Global::Headers => &self.frame.scope.headers,
            Global::Context => &self.frame.scope.context,
        }
    }

    fn object(&self, template: &Map, fields: &[(usize, Quick)], input: &Val) -> Result1<'a> {
        let mut map = template.clone();
        for (position, field) in fields {
            let value = self.run(field, input)?;
            if let Some((_, slot)) = map.get_index_mut(*position) {
                *slot = value;
            }
        }
        Ok(Val::obj(map))
    }

    fn each(&self, head: &Quick, stages: &[Stage], input: &Val) -> Result1<'a> {
        let mut out = Vec::new();
        match self.run(head, input)? {
            Val::Arr(items) => {
                out.reserve(items.len());
                items
                    .iter()
                    .try_for_each(|item| self.staged(stages, item, &mut out))?;
            }
            Val::Obj(members) => members
                .values()
                .try_for_each(|member| self.staged(stages, member, &mut out))?,
            other => {
                return Err(Exn::from(jaq_json::Error::typ(
                    other,
                    "iterable (array or object)",
                )));
            }
        }
        Ok(value::array(out))
    }

    fn staged(&self, stages: &[Stage], item: &Val, out: &mut Vec<Val>) -> Result<(), Exn<'a, Val>> {
        let mut current: Option<Val> = None;
        for stage in stages {
            let input = current.as_ref().unwrap_or(item);
            match stage {
                Stage::Keep(condition) => {
                    if !self.run(condition, input)?.as_bool() {
                        return Ok(());
                    }
                }
                Stage::To(expression) => current = Some(self.run(expression, input)?),
            }
        }
        out.push(current.unwrap_or_else(|| item.clone()));
        Ok(())
    }

    fn concat(&self, parts: &[Quick], input: &Val) -> Result1<'a> {
        let mut text = Vec::new();
        for part in parts {
            match self.run(part, input)? {
                Val::TStr(bytes) | Val::BStr(bytes) => text.extend_from_slice(&bytes),
                other => text.extend_from_slice(other.to_string().as_bytes()),
            }
        }
        Ok(Val::utf8_str(text))
    }

    fn native(&self, native: &Native, args: &[Quick], input: &Val) -> Result1<'a> {
        let outcome = match args {
            [] => (native.run)(self.frame, input.clone(), &[]),
            [one] => (native.run)(self.frame, input.clone(), &[self.run(one, input)?]),
            [one, two] => (native.run)(
                self.frame,
                input.clone(),
                &[self.run(one, input)?, self.run(two, input)?],
            ),
            many => {
                let args: Vec<Val> = many
                    .iter()
                    .map(|arg| self.run(arg, input))
                    .collect::<Result<_, _>>()?;
                (native.run)(self.frame, input.clone(), &args)
            }
        };
        outcome.map_err(|fault| Exn::from(self.frame.raise(fault)))
    }

    /// Runs a closure that must yield exactly one value.
    fn only(&self, closure: &Closure, input: &Val) -> Result1<'a> {
        let mut outputs = self.outputs(closure, input)?;
        let Some(value) = outputs.next().transpose()? else {
            return Err(self.misfit(closure, "yields no value; write `// null`"));
        };
        match outputs.next() {
            None => Ok(value),
            Some(Ok(_)) => Err(self.misfit(
                closure,
                "yields several values; collect them with [ ] or take first(…)",
            )),
            Some(Err(error)) => Err(error),
        }
    }

    /// `closure // second`: the one output that is neither null nor false, else the second.
    fn alternative(&self, closure: &Closure, second: &Quick, input: &Val) -> Result1<'a> {
        let mut found = None;
        for output in self.outputs(closure, input)? {
            let value = output?;
            if value.as_bool() && found.replace(value).is_some() {
                return Err(self.misfit(
                    closure,
                    "yields several values; collect them with [ ] or take first(…)",
                ));
            }
        }
        match found {
            Some(value) => Ok(value),
            None => self.run(second, input),
        }
    }

    fn outputs(
        &self,
        closure: &Closure,
        input: &Val,
    ) -> Result<jaq_core::ValXs<'a, Val>, Exn<'a, Val>> {
        match self.closures.get(closure.position) {
            Some((term, ctx)) => Ok(term.run((ctx.clone(), input.clone()))),
            None => Err(Exn::from(
                self.frame
                    .raise(MapError::Internal("unknown closure".to_owned())),
            )),
        }
    }

    fn misfit(&self, closure: &Closure, what: &str) -> Exn<'a, Val> {
        Exn::from(self.frame.raise(MapError::Field(format!(
            "the field `{}` {what}",
            closure.field
        ))))
    }
}

/// `value.a.b`, by reference until the last step.
fn get<'a>(value: &Val, path: &[Val]) -> Result1<'a> {
    let mut current = value;
    for step in path {
        current = match (current, step) {
            (Val::Null, _) => return Ok(Val::Null),
            (Val::Obj(members), key) => members.get(key).unwrap_or(&NULL),
            (Val::Arr(items), Val::Num(Num::Int(index))) => nth(items, *index).unwrap_or(&NULL),
            (other, key) => {
                return Err(Exn::from(jaq_json::Error::index(
                    other.clone(),
                    key.clone(),
                )));
            }
        };
    }
    Ok(current.clone())
}

/// The item at an index, counted from the end when negative.
fn nth(items: &[Val], index: isize) -> Option<&Val> {
    let position = match usize::try_from(index) {
        Ok(position) => position,
        Err(_) => items.len().checked_sub(index.unsigned_abs())?,
    };
    items.get(position)
}
