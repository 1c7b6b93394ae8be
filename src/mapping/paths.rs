//! Precompiling paths: `.a.b`, `.a[]?`, `.[$name]`, `.[2:]`.

use super::precompile::{Build, pipe};
use super::quick::{Gen, Quick};
use super::{Val, value, visit};
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part, Path};

type Step<'s> = (Part<Term<&'s str>>, Opt);

impl<'s> Build<'_, 's> {
    pub(super) fn path(
        &mut self,
        head: &Term<&'s str>,
        path: &Path<Term<&'s str>>,
        term: &Term<&'s str>,
    ) -> Gen {
        let mut built = self.term(head);
        let mut rest = path.0.as_slice();
        while !rest.is_empty() {
            let constant = rest.iter().take_while(|step| key(step).is_some()).count();
            let keys = rest.iter().map_while(key).collect();
            if constant > 0 {
                built = get(built, keys);
                rest = rest.get(constant..).unwrap_or_default();
                continue;
            }
            let Some((step, behind)) = rest.split_first() else {
                break;
            };
            built = match self.step(built, step) {
                Some(built) => built,
                None => return self.stays(term),
            };
            rest = behind;
        }
        built
    }

    /// A step that is no constant key. Indexes and bounds are evaluated on the path's input, so nothing may have fanned out before.
    fn step(&mut self, built: Gen, (part, opt): &Step<'s>) -> Option<Gen> {
        let lenient = matches!(opt, Opt::Optional);
        match (part, built) {
            (Part::Range(None, None), Gen::One(head)) => Some(Gen::Each(head, lenient)),
            (Part::Range(None, None), several) => {
                Some(pipe(several, Gen::Each(Quick::Input, lenient)))
            }
            (Part::Index(index), built) if lenient => {
                let key = constant_key_of(index)?;
                let tried = Gen::One(Quick::GetInput(Box::new([key])));
                Some(pipe(built, Gen::Try(tried.into(), None)))
            }
            (Part::Index(index), Gen::One(head)) => {
                let [index] = <[Quick; 1]>::try_from(self.ones([index])?.into_vec()).ok()?;
                Some(Gen::One(Quick::At(head.into(), index.into())))
            }
            (Part::Range(from, to), Gen::One(head)) if !lenient => {
                let bound = |build: &mut Self, bound: &Option<Term<&'s str>>| match bound {
                    None => Some(None),
                    Some(bound) => {
                        let one = build.ones([bound])?.into_iter().next()?;
                        Some(Some(Box::new(one)))
                    }
                };
                let (from, to) = (bound(self, from)?, bound(self, to)?);
                Some(Gen::One(Quick::Slice(head.into(), from, to)))
            }
            _ => None,
        }
    }
}

fn get(built: Gen, keys: Box<[Val]>) -> Gen {
    match built {
        Gen::One(Quick::Input) => Gen::One(Quick::GetInput(keys)),
        Gen::One(head) => Gen::One(Quick::Get(head.into(), keys)),
        several => pipe(several, Gen::One(Quick::GetInput(keys))),
    }
}

/// The key of a step that is a constant name or index and must be there to be followed.
fn key((part, opt): &Step<'_>) -> Option<Val> {
    match (part, opt) {
        (Part::Index(index), Opt::Essential) => constant_key_of(index),
        _ => None,
    }
}

/// The keys of a path that has no others.
pub(super) fn constant_path(parts: &[Step<'_>]) -> Option<Box<[Val]>> {
    parts.iter().map(key).collect()
}

/// The key that an index is, when it is a constant name or whole number.
fn constant_key_of(index: &Term<&str>) -> Option<Val> {
    let whole = |digits: String| {
        Some(value::number(digits))
            .filter(|number| matches!(number, Val::Num(jaq_json::Num::Int(_))))
    };
    match index {
        Term::Num(digits) => whole((*digits).to_owned()),
        Term::Neg(inner) => match &**inner {
            Term::Num(digits) => whole(format!("-{digits}")),
            _ => None,
        },
        name => visit::constant_text(name).map(value::string),
    }
}

/// The terms of `a, b, c`.
pub(super) fn split_commas<'t, 's>(term: &'t Term<&'s str>, out: &mut Vec<&'t Term<&'s str>>) {
    match term {
        Term::BinOp(left, BinaryOp::Comma, right) => {
            split_commas(left, out);
            split_commas(right, out);
        }
        other => out.push(other),
    }
}
