//! Recognising forms of the parse tree that are precompiled: constant paths, and iterations `path[] | select(…) | …`.

use super::exact::Exactness;
use super::{Val, value, visit};
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part};

/// `start.before[] | stages`
pub(super) struct Iteration<'t, 's> {
    pub start: &'t Term<&'s str>,
    pub before: Box<[Val]>,
    /// `[]?`
    pub lenient: bool,
    pub stages: Vec<Step<'t, 's>>,
}

/// A step behind the iteration.
pub(super) enum Step<'t, 's> {
    /// `select(condition)`
    Keep(&'t Term<&'s str>),
    /// `values`
    Present,
    /// The path behind `[]`.
    Get(Box<[Val]>),
    /// An exact term.
    To(&'t Term<&'s str>),
}

/// The iteration that a term is, if all behind its one `[]` is selecting or exact.
pub(super) fn iteration<'t, 's>(
    exactness: &Exactness,
    term: &'t Term<&'s str>,
) -> Option<Iteration<'t, 's>> {
    let (head, body) = match term {
        Term::BinOp(head, BinaryOp::Pipe(None), body) => (&**head, Some(&**body)),
        other => (other, None),
    };
    let Term::Path(start, path) = head else {
        return None;
    };
    let at = path
        .0
        .iter()
        .position(|(part, _)| matches!(part, Part::Range(None, None)))?;
    let (before, rest) = path.0.split_at_checked(at)?;
    let ((_, opt), behind) = rest.split_first()?;
    let (before, behind) = (constant_path(before)?, constant_path(behind)?);
    if !exactness.term(start) {
        return None;
    }
    let mut stages = Vec::new();
    if !behind.is_empty() {
        stages.push(Step::Get(behind));
    }
    if let Some(body) = body {
        stages.extend(self::stages(exactness, body)?);
    }
    Some(Iteration {
        start,
        before,
        lenient: matches!(opt, Opt::Optional),
        stages,
    })
}

/// The steps of `a | select(b) | c` when each is a selection by an exact condition or exact itself.
pub(super) fn stages<'t, 's>(
    exactness: &Exactness,
    body: &'t Term<&'s str>,
) -> Option<Vec<Step<'t, 's>>> {
    let mut terms = Vec::new();
    split_pipes(body, &mut terms);
    let step = |term: &'t Term<&'s str>| match term {
        Term::Call("select", args) => match args.as_slice() {
            [condition] if exactness.term(condition) => Some(Step::Keep(condition)),
            _ => None,
        },
        Term::Call("values", args) if args.is_empty() => Some(Step::Present),
        other => exactness.term(other).then_some(Step::To(other)),
    };
    terms.into_iter().map(step).collect()
}

fn split_pipes<'t, 's>(term: &'t Term<&'s str>, out: &mut Vec<&'t Term<&'s str>>) {
    match term {
        Term::BinOp(left, BinaryOp::Pipe(None), right) => {
            split_pipes(left, out);
            split_pipes(right, out);
        }
        other => out.push(other),
    }
}

/// The keys of a path of constant names and indexes, all of which must be there to be followed.
pub(super) fn constant_path(parts: &[(Part<Term<&str>>, Opt)]) -> Option<Box<[Val]>> {
    let key = |(part, opt): &(Part<Term<&str>>, Opt)| {
        constant_key(part).filter(|_| matches!(opt, Opt::Essential))
    };
    parts.iter().map(key).collect()
}

/// The key of a part that is a constant name or index.
pub(super) fn constant_key(part: &Part<Term<&str>>) -> Option<Val> {
    let whole = |digits: String| {
        Some(value::number(digits))
            .filter(|number| matches!(number, Val::Num(jaq_json::Num::Int(_))))
    };
    match part {
        Part::Index(Term::Num(digits)) => whole((*digits).to_owned()),
        Part::Index(Term::Neg(inner)) => match &**inner {
            Term::Num(digits) => whole(format!("-{digits}")),
            _ => None,
        },
        Part::Index(name) => visit::constant_text(name).map(value::string),
        Part::Range(..) => None,
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
