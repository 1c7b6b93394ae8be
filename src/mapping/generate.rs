//! Running precompiled generators ([`Gen`]): values are pushed, one by one, to whoever wants them.
//!
//! Always holds: what the receiver refuses ends the generator at once; an error of the receiver is never taken for one of the
//! generator (so `try` catches its own only).

use super::Val;
use super::evaluate::{Bound, Env, Evaluation, get, not_iterable};
use super::quick::{Gen, Quick};
use jaq_core::{Exn, ValT};

/// Why a generator ends before its time.
pub(super) enum Stop<'a> {
    /// An error.
    Raised(Exn<'a, Val>),
    /// Whoever receives has enough.
    Enough,
}

impl<'a> From<Exn<'a, Val>> for Stop<'a> {
    fn from(raised: Exn<'a, Val>) -> Self {
        Stop::Raised(raised)
    }
}

/// How a generator, or one value of it, went.
pub(super) type Flow<'a> = Result<(), Stop<'a>>;
/// Who receives values.
pub(super) type Sink<'s, 'a> = &'s mut dyn FnMut(Val) -> Flow<'a>;

/// The end of a search: having enough is no error.
pub(super) fn ended(flow: Flow<'_>) -> Result<(), Exn<'_, Val>> {
    match flow {
        Ok(()) | Err(Stop::Enough) => Ok(()),
        Err(Stop::Raised(error)) => Err(error),
    }
}

impl<'a> Evaluation<'a> {
    /// Pushes all that the generator yields.
    pub(super) fn each(
        &self,
        generator: &Gen,
        input: &Val,
        env: Bound<'_>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        match generator {
            Gen::One(one) => out(self.run(one, input, env)?),
            Gen::Empty => Ok(()),
            Gen::Comma(parts) => parts
                .iter()
                .try_for_each(|part| self.each(part, input, env, out)),
            Gen::Pipe(first, second) => self.piped(first, second, input, env, out),
            Gen::Each(head, lenient) => {
                self.items(head, *lenient, input, env, &mut |item| out(item.clone()))
            }
            Gen::Select(condition) => match self.holds(condition, input, env)? {
                true => out(input.clone()),
                false => Ok(()),
            },
            Gen::If(branches, otherwise) => {
                for (condition, then) in branches {
                    if self.holds(condition, input, env)? {
                        return self.each(then, input, env, out);
                    }
                }
                self.each(otherwise, input, env, out)
            }
            Gen::Let(bound, pattern, body) => self.each(bound, input, env, &mut |value| {
                self.bind(pattern, &value, env, &mut |inner| {
                    self.each(body, input, inner, out)
                })
            }),
            Gen::Alt(first, second) => self.alternative(first, second, input, env, out),
            Gen::First(inner) => match self.first(inner, input, env)? {
                Some(value) => out(value),
                None => Ok(()),
            },
            Gen::Call(body, args) => self.called(body, args, input, env, None, out),
            Gen::Try(inner, catch) => self.tried(inner, catch.as_deref(), input, env, out),
            Gen::Arg(closure) => {
                for output in self.outputs(closure, input)? {
                    out(output?)?;
                }
                Ok(())
            }
        }
    }

    /// `first | second`, without a copy of what the first only hands on.
    fn piped(
        &self,
        first: &Gen,
        second: &Gen,
        input: &Val,
        env: Bound<'_>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        match first {
            Gen::One(one) => self.each(second, &*self.see(one, input, env)?, env, out),
            Gen::Each(head, lenient) => self.items(head, *lenient, input, env, &mut |item| {
                self.each(second, item, env, out)
            }),
            Gen::Select(condition) => match self.holds(condition, input, env)? {
                true => self.each(second, input, env, out),
                false => Ok(()),
            },
            first => self.each(first, input, env, &mut |value| {
                self.each(second, &value, env, out)
            }),
        }
    }

    fn items(
        &self,
        head: &Quick,
        lenient: bool,
        input: &Val,
        env: Bound<'_>,
        out: &mut dyn FnMut(&Val) -> Flow<'a>,
    ) -> Flow<'a> {
        match &*self.see(head, input, env)? {
            Val::Arr(items) => items.iter().try_for_each(out),
            Val::Obj(members) => members.values().try_for_each(out),
            _ if lenient => Ok(()),
            other => Err(not_iterable(other.clone()).into()),
        }
    }

    /// Binds the variables of a pattern one by one, then goes on.
    pub(super) fn bind(
        &self,
        pattern: &[Box<[Val]>],
        value: &Val,
        env: Bound<'_>,
        then: &mut dyn FnMut(Bound<'_>) -> Flow<'a>,
    ) -> Flow<'a> {
        let Some((path, rest)) = pattern.split_first() else {
            return then(env);
        };
        let inner = Env {
            value: get(value, path)?,
            outer: env,
        };
        self.bind(rest, value, Some(&inner), then)
    }

    fn alternative(
        &self,
        first: &Gen,
        second: &Gen,
        input: &Val,
        env: Bound<'_>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let mut none = true;
        self.each(first, input, env, &mut |value| match value.as_bool() {
            true => {
                none = false;
                out(value)
            }
            false => Ok(()),
        })?;
        match none {
            true => self.each(second, input, env, out),
            false => Ok(()),
        }
    }

    /// The first value, if there is one.
    pub(super) fn first(
        &self,
        generator: &Gen,
        input: &Val,
        env: Bound<'_>,
    ) -> Result<Option<Val>, Exn<'a, Val>> {
        let mut found = None;
        ended(self.each(generator, input, env, &mut |value| {
            found = Some(value);
            Err(Stop::Enough)
        }))?;
        Ok(found)
    }

    /// Binds the arguments one by one, each evaluated outside of the call, then runs the body.
    fn called(
        &self,
        body: &Gen,
        args: &[Quick],
        input: &Val,
        env: Bound<'_>,
        bound: Bound<'_>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        match args.split_first() {
            None => self.each(body, input, bound, out),
            Some((arg, rest)) => {
                let inner = Env {
                    value: self.run(arg, input, env)?,
                    outer: bound,
                };
                self.called(body, rest, input, env, Some(&inner), out)
            }
        }
    }

    fn tried(
        &self,
        inner: &Gen,
        catch: Option<&Gen>,
        input: &Val,
        env: Bound<'_>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        // What the receiver answers is kept apart from what the generator raises.
        let mut received = Ok(());
        let flow = self.each(inner, input, env, &mut |value| {
            received = out(value);
            match received {
                Ok(()) => Ok(()),
                Err(_) => Err(Stop::Enough),
            }
        });
        received?;
        let Err(Stop::Raised(raised)) = flow else {
            return flow;
        };
        let error = raised.get_err().map_err(Stop::Raised)?;
        match catch {
            Some(catch) => self.each(catch, &error.into_val(), env, out),
            None => Ok(()),
        }
    }
}
