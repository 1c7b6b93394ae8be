//! Running the expressions that look through what a generator yields, and the rare ones.

use super::Val;
use super::evaluate::{Bound, Evaluation, Result1};
use super::generate::{Stop, ended};
use super::quick::{Closure, Gen, Quick, Reduce};
use jaq_core::path::Opt;
use jaq_core::{Exn, ValT, ValX};
use jaq_json::Map;

const SEVERAL: &str = "yields several values; collect them with [ ] or take first(…)";
const NONE: &str = "yields no value; write `// null`";

impl<'a> Evaluation<'a> {
    /// The forms that look through what a generator yields, and the rare ones.
    pub(super) fn searched(&self, expression: &Quick, input: &Val, env: Bound<'_>) -> Result1<'a> {
        match expression {
            Quick::Only(generator, field) => self.only(generator, field, input, env),
            Quick::Or(generator, field, otherwise) => {
                match self.truthy(generator, field, input, env)? {
                    Some(value) => Ok(value),
                    None => self.run(otherwise, input, env),
                }
            }
            Quick::Reduce(reduce) => self.reduce(reduce, input, env),
            Quick::Any(generator, wanted) => {
                let mut found = false;
                ended(self.each(generator, input, env, &mut |value| {
                    found = value.as_bool() == *wanted;
                    if found { Err(Stop::Enough) } else { Ok(()) }
                }))?;
                Ok(Val::Bool(found == *wanted))
            }
            Quick::IsEmpty(generator) => {
                Ok(Val::Bool(self.first(generator, input, env)?.is_none()))
            }
            Quick::Slice(head, from, to) => {
                let bound = |bound: &Option<Box<Quick>>| {
                    let bound = bound.as_ref();
                    bound.map(|bound| self.run(bound, input, env)).transpose()
                };
                let (from, to) = (bound(from)?, bound(to)?);
                let head = self.run(head, input, env)?;
                Ok(head.range(from.as_ref()..to.as_ref())?)
            }
            Quick::Computed(parts) => {
                let part = |(key, content): &(Quick, Quick)| {
                    Ok((self.run(key, input, env)?, self.run(content, input, env)?))
                };
                let parts: Result<Map, Exn<'a, Val>> = parts.iter().map(part).collect();
                parts.map(Val::obj)
            }
            Quick::SortBy(key) => self.sorted(key, input, env),
            Quick::Del(names) => names.iter().try_fold(input.clone(), |left, name| {
                left.map_index(name, Opt::Essential, |_| {
                    std::iter::empty::<ValX<'a, Val>>()
                })
            }),
            Quick::Raise(message) => {
                let message = self.run(message, input, env)?;
                Err(Exn::from(jaq_json::Error::new(message)))
            }
            Quick::Arg(closure) => self.only_of(closure, input),
            plain => self.run(plain, input, env),
        }
    }

    fn reduce(&self, reduce: &Reduce, input: &Val, env: Bound<'_>) -> Result1<'a> {
        let mut state = self.run(&reduce.init, input, env)?;
        ended(self.each(&reduce.source, input, env, &mut |value| {
            self.bind(&reduce.pattern, &value, env, &mut |inner| {
                state = self.run(&reduce.update, &state, inner)?;
                Ok(())
            })
        }))?;
        Ok(state)
    }

    fn sorted(&self, key: &Quick, input: &Val, env: Bound<'_>) -> Result1<'a> {
        let Val::Arr(items) = input else {
            return Err(Exn::from(jaq_json::Error::typ(input.clone(), "array")));
        };
        let keyed = |item: &Val| Ok((self.run(key, item, env)?, item.clone()));
        let mut keyed: Vec<(Val, Val)> = items
            .iter()
            .map(keyed)
            .collect::<Result<_, Exn<'a, Val>>>()?;
        keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }

    /// The one value of a generator.
    fn only(&self, generator: &Gen, field: &str, input: &Val, env: Bound<'_>) -> Result1<'a> {
        let mut only = None;
        ended(self.each(
            generator,
            input,
            env,
            &mut |value| match only.replace(value) {
                None => Ok(()),
                Some(_) => Err(Stop::Raised(self.misfit(field, SEVERAL))),
            },
        ))?;
        only.ok_or_else(|| self.misfit(field, NONE))
    }

    /// The one value of a closure.
    fn only_of(&self, closure: &Closure, input: &Val) -> Result1<'a> {
        let mut outputs = self.outputs(closure, input)?;
        let Some(value) = outputs.next().transpose()? else {
            return Err(self.misfit(&closure.field, NONE));
        };
        match outputs.next() {
            None => Ok(value),
            Some(Ok(_)) => Err(self.misfit(&closure.field, SEVERAL)),
            Some(Err(error)) => Err(error),
        }
    }

    /// The one value of a generator that is neither null nor false.
    fn truthy(
        &self,
        generator: &Gen,
        field: &str,
        input: &Val,
        env: Bound<'_>,
    ) -> Result<Option<Val>, Exn<'a, Val>> {
        let mut found = None;
        ended(self.each(generator, input, env, &mut |value| {
            if value.as_bool() && found.replace(value).is_some() {
                return Err(Stop::Raised(self.misfit(field, SEVERAL)));
            }
            Ok(())
        }))?;
        Ok(found)
    }
}
