//! Running precompiled expressions ([`Quick`]); what yields several values is run by [`super::generate`].
//!
//! The recursion is as deep as the program is nested, never as deep as a payload.

use super::engine::{Engine, Frame};
use super::generate::{Stop, ended};
use super::natives::Native;
use super::quick::{Closure, Gen, Global, Quick};
use super::{MapError, Val, value};
use jaq_core::compile::TermId;
use jaq_core::{Ctx, Cv, Exn, ValT};
use jaq_json::{Map, Num};
use std::borrow::Cow;

/// The bound variables, innermost first.
pub(super) struct Env<'e> {
    pub value: Val,
    pub outer: Option<&'e Env<'e>>,
}

static NULL: Val = Val::Null;

/// Most values that one expression may yield in a place where jq wants all of them; a mapping has its own, lower bound.
const MOST: usize = 1_000_000;

/// Evaluates the program's `index`-th expression on the input of `cv`: its values, and the error that ended it.
pub(crate) fn evaluate<'a>(index: usize, mut cv: Cv<'a, Engine>) -> Vec<Result<Val, Exn<'a, Val>>> {
    let frame: &'a Frame<'a> = cv.0.data();
    let Some(prepared) = frame.quicks.get(index) else {
        return vec![Err(Exn::from(
            frame.raise(MapError::Internal("unknown expression".to_owned())),
        ))];
    };
    // jq binds closures in order, so the last one is on top.
    let mut closures: Vec<_> = (0..prepared.closures).map(|_| cv.0.pop_fun()).collect();
    closures.reverse();
    let evaluation = Evaluation { frame, closures };
    if let Gen::One(one) = &prepared.expression {
        return vec![evaluation.run(one, &cv.1, None)];
    }
    let mut values = Vec::new();
    let flow = evaluation.each(&prepared.expression, &cv.1, None, &mut |value| {
        values.push(Ok(value));
        if values.len() < MOST {
            return Ok(());
        }
        Err(Stop::Enough)
    });
    values.extend(ended(flow).err().map(Err));
    values
}

pub(super) struct Evaluation<'a> {
    frame: &'a Frame<'a>,
    closures: Vec<(TermId, Ctx<'a, Engine>)>,
}

pub(super) type Result1<'a> = Result<Val, Exn<'a, Val>>;
pub(super) type Bound<'e> = Option<&'e Env<'e>>;

impl<'a> Evaluation<'a> {
    /// The value of an expression, by reference where it is there already: a copy of a text costs an allocation.
    pub(super) fn see<'v>(
        &self,
        expression: &'v Quick,
        input: &'v Val,
        env: Bound<'v>,
    ) -> Result<Cow<'v, Val>, Exn<'a, Val>>
    where
        'a: 'v,
    {
        match expression {
            Quick::Input => Ok(Cow::Borrowed(input)),
            Quick::Const(value) => Ok(Cow::Borrowed(value)),
            Quick::Global(global) => Ok(Cow::Borrowed(self.global(*global))),
            Quick::Local(depth) => Ok(Cow::Borrowed(local(env, *depth))),
            Quick::GetInput(path) => look(input, path).map(Cow::Borrowed),
            Quick::Get(head, path) => match self.see(head, input, env)? {
                Cow::Borrowed(head) => look(head, path).map(Cow::Borrowed),
                Cow::Owned(head) => get(&head, path).map(Cow::Owned),
            },
            Quick::Alt(first, second) => match self.see(first, input, env)? {
                value if value.as_bool() => Ok(value),
                _ => self.see(second, input, env),
            },
            Quick::Pipe(first, second) => match self.see(first, input, env)? {
                Cow::Borrowed(value) => self.see(second, value, env),
                Cow::Owned(value) => self.run(second, &value, env).map(Cow::Owned),
            },
            Quick::If(branches, otherwise) => {
                for (condition, then) in branches {
                    if self.holds(condition, input, env)? {
                        return self.see(then, input, env);
                    }
                }
                self.see(otherwise, input, env)
            }
            other => self.made(other, input, env).map(Cow::Owned),
        }
    }

    /// The value of an expression.
    pub(super) fn run(&self, expression: &Quick, input: &Val, env: Bound<'_>) -> Result1<'a> {
        self.see(expression, input, env).map(Cow::into_owned)
    }

    /// Is its value neither null nor false?
    pub(super) fn holds(
        &self,
        expression: &Quick,
        input: &Val,
        env: Bound<'_>,
    ) -> Result<bool, Exn<'a, Val>> {
        Ok(self.see(expression, input, env)?.as_bool())
    }

    /// The forms that make a value.
    fn made(&self, expression: &Quick, input: &Val, env: Bound<'_>) -> Result1<'a> {
        match expression {
            Quick::At(head, index) => self.at(head, index, input, env),
            Quick::Obj(template, fields) => self.object(template, fields, input, env),
            Quick::List(items) => items
                .iter()
                .map(|item| self.run(item, input, env))
                .collect(),
            Quick::Collect(generator) => {
                let mut out = Vec::new();
                ended(self.each(generator, input, env, &mut |value| {
                    out.push(value);
                    Ok(())
                }))?;
                Ok(value::array(out))
            }
            other => self.control(other, input, env),
        }
    }

    /// The forms that branch, compute or call.
    fn control(&self, expression: &Quick, input: &Val, env: Bound<'_>) -> Result1<'a> {
        match expression {
            Quick::Let(bound, pattern, body) => self.bound(bound, pattern, body, input, env),
            Quick::Call(body, args) => self.call(body, args, input, env, None),
            Quick::Cmp(left, op, right) => {
                let (left, right) = (self.see(left, input, env)?, self.see(right, input, env)?);
                Ok(Val::Bool(op.run(&*left, &*right)))
            }
            Quick::Logic(left, stop, right) => {
                let left = self.holds(left, input, env)?;
                Ok(Val::Bool(match left == *stop {
                    true => left,
                    false => self.holds(right, input, env)?,
                }))
            }
            Quick::Math(left, op, right) => {
                let (left, right) = (self.run(left, input, env)?, self.run(right, input, env)?);
                let result: Result<Val, jaq_json::Error> = op.run(left, right);
                result.map_err(Exn::from)
            }
            Quick::Concat(parts) => self.concat(parts, input, env),
            Quick::Native(native, args) => self.native(native, args, input, env),
            Quick::Neg(inner) => Ok((-self.run(inner, input, env)?)?),
            other => self.searched(other, input, env),
        }
    }

    fn bound(
        &self,
        bound: &Quick,
        pattern: &[Box<[Val]>],
        body: &Quick,
        input: &Val,
        env: Bound<'_>,
    ) -> Result1<'a> {
        let value = self.see(bound, input, env)?;
        // `as $x` is nearly all there is.
        if let [path] = pattern {
            let value = match path.is_empty() {
                true => value.into_owned(),
                false => get(&value, path)?,
            };
            return self.run(body, input, Some(&Env { value, outer: env }));
        }
        let mut result = Ok(Val::Null);
        ended(self.bind(pattern, &value, env, &mut |inner| {
            result = self.run(body, input, inner);
            Ok(())
        }))?;
        result
    }

    fn global(&self, global: Global) -> &'a Val {
        match global {
            Global::Connection => &self.frame.scope.connection,
            Global::Headers => &self.frame.scope.headers,
            Global::Context => &self.frame.scope.context,
        }
    }

    fn at(&self, expression: &Quick, index: &Quick, input: &Val, env: Bound<'_>) -> Result1<'a> {
        let index = self.see(index, input, env)?;
        let head = self.see(expression, input, env)?;
        match (&*head, &*index) {
            // Looked up in place; the rest has more to it.
            (Val::Obj(members), Val::TStr(_)) => {
                Ok(members.get(&*index).cloned().unwrap_or_default())
            }
            (Val::Obj(members), _) if matches!(expression, Quick::Const(_)) => {
                Ok(members.get(&*index).cloned().unwrap_or_default())
            }
            _ => Ok(head.into_owned().index(&index)?),
        }
    }

    fn object(
        &self,
        template: &Map,
        fields: &[(usize, Quick)],
        input: &Val,
        env: Bound<'_>,
    ) -> Result1<'a> {
        let mut map = template.clone();
        for (position, field) in fields {
            let value = self.run(field, input, env)?;
            if let Some((_, slot)) = map.get_index_mut(*position) {
                *slot = value;
            }
        }
        Ok(Val::obj(map))
    }

    /// Binds the arguments one by one, each evaluated outside of the call, then runs the body.
    fn call(
        &self,
        body: &Quick,
        args: &[Quick],
        input: &Val,
        env: Bound<'_>,
        bound: Bound<'_>,
    ) -> Result1<'a> {
        match args.split_first() {
            None => self.run(body, input, bound),
            Some((arg, rest)) => {
                let inner = Env {
                    value: self.run(arg, input, env)?,
                    outer: bound,
                };
                self.call(body, rest, input, env, Some(&inner))
            }
        }
    }

    fn concat(&self, parts: &[Quick], input: &Val, env: Bound<'_>) -> Result1<'a> {
        let mut text = Vec::new();
        for part in parts {
            match &*self.see(part, input, env)? {
                Val::TStr(bytes) | Val::BStr(bytes) => text.extend_from_slice(bytes),
                other => text.extend_from_slice(other.to_string().as_bytes()),
            }
        }
        Ok(Val::utf8_str(text))
    }

    fn native(&self, native: &Native, args: &[Quick], input: &Val, env: Bound<'_>) -> Result1<'a> {
        let arg = |arg| self.run(arg, input, env);
        let outcome = match args {
            [] => (native.run)(self.frame, input.clone(), &[]),
            [one] => (native.run)(self.frame, input.clone(), &[arg(one)?]),
            [one, two] => (native.run)(self.frame, input.clone(), &[arg(one)?, arg(two)?]),
            many => {
                let args: Vec<Val> = many.iter().map(arg).collect::<Result<_, _>>()?;
                (native.run)(self.frame, input.clone(), &args)
            }
        };
        outcome.map_err(|fault| Exn::from(self.frame.raise(fault)))
    }

    pub(super) fn outputs(
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

    pub(super) fn misfit(&self, field: &str, what: &str) -> Exn<'a, Val> {
        let subject = if field.is_empty() {
            "the expression".to_owned()
        } else {
            format!("the field `{field}`")
        };
        Exn::from(
            self.frame
                .raise(MapError::Field(format!("{subject} {what}"))),
        )
    }
}

pub(super) fn not_iterable<'a>(value: Val) -> Exn<'a, Val> {
    Exn::from(jaq_json::Error::typ(value, "iterable (array or object)"))
}

/// The variable bound `depth` bindings ago.
fn local<'e>(env: Bound<'e>, depth: usize) -> &'e Val {
    let mut current = env;
    for _ in 0..depth {
        current = current.and_then(|env| env.outer);
    }
    current.map_or(&NULL, |env| &env.value)
}

/// `value.a.b`
pub(super) fn get<'a>(value: &Val, path: &[Val]) -> Result1<'a> {
    look(value, path).cloned()
}

/// `value.a.b`, by reference.
fn look<'v, 'a>(value: &'v Val, path: &[Val]) -> Result<&'v Val, Exn<'a, Val>> {
    let mut current = value;
    for step in path {
        current = match (current, step) {
            (Val::Null, _) => return Ok(&NULL),
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
    Ok(current)
}

/// The item at an index, counted from the end when negative.
fn nth(items: &[Val], index: isize) -> Option<&Val> {
    let position = match usize::try_from(index) {
        Ok(position) => position,
        Err(_) => items.len().checked_sub(index.unsigned_abs())?,
    };
    items.get(position)
}
