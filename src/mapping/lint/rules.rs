//! The rules that bound what a mapping can do, each with its reason.

use super::Lint;
use crate::mapping::{CompileError, visit};
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Math;
use jaq_core::path::Part;

/// Largest literal bound of a range.
const RANGE_CAP: u64 = 100_000;

impl<'s> Lint<'_, 's> {
    /// Rules on calls by name.
    pub(super) fn call_rules(
        &self,
        name: &'s str,
        args: &[Term<&'s str>],
    ) -> Result<(), CompileError> {
        match (name, args) {
            // A bound from the payload would let a payload of ten bytes ask for a billion steps.
            ("range", [from @ .., by]) if from.len() == 2 => {
                self.bounded(name, from)?;
                if !step(by) {
                    return self.error(
                        self.place(by),
                        "the step of range must be a literal other than 0".to_owned(),
                        "for example range(0; 10; 2)",
                    );
                }
                Ok(())
            }
            ("range", bounds) => self.bounded(name, bounds),
            ("limit" | "skip", [count, _]) | ("nth", [count, _]) => {
                self.bounded(name, std::slice::from_ref(count))
            }
            ("code" | "lookup", [table, _]) => self.table(table),
            _ => Ok(()),
        }
    }

    fn bounded(&self, name: &'s str, bounds: &[Term<&'s str>]) -> Result<(), CompileError> {
        match bounds.iter().find(|bound| !is_bounded(bound)) {
            None => Ok(()),
            Some(_) => self.error(
                name,
                format!(
                    "the bounds of {name} must be literal numbers up to {RANGE_CAP} or a length"
                ),
                "for example range(10) or range(.lines | length)",
            ),
        }
    }

    /// A table that a mapping names literally must exist.
    fn table(&self, table: &Term<&'s str>) -> Result<(), CompileError> {
        let Some(name) = visit::constant_text(table) else {
            return Ok(());
        };
        if self.library.has_table(&name) {
            return Ok(());
        }
        let hint = match closest(&name, self.library.table_names()) {
            Some(close) => format!("did you mean \"{close}\"?"),
            None => {
                format!("a connector's own table of this name is the file {name}.csv in its folder")
            }
        };
        self.error(
            self.place(table),
            format!("there is no table \"{name}\""),
            hint,
        )
    }

    /// Rules on operators.
    pub(super) fn operator_rules(
        &self,
        left: &Term<&'s str>,
        op: &BinaryOp<&'s str>,
        right: &Term<&'s str>,
    ) -> Result<(), CompileError> {
        match op {
            // Repeating a text by a number from the payload could ask for terabytes.
            BinaryOp::Math(Math::Mul) | BinaryOp::UpdateMath(Math::Mul) => match [left, right]
                .into_iter()
                .find(|side| matches!(side, Term::Str(..)))
            {
                Some(text) => self.error(
                    self.place(text),
                    "a text cannot be multiplied".to_owned(),
                    "write the text out, or join it from parts",
                ),
                None => Ok(()),
            },
            BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateAlt | BinaryOp::UpdateMath(_) => {
                self.assigned(left)
            }
            _ => Ok(()),
        }
    }

    /// What is assigned to must be spelled out: an index from the payload could ask for an array of any length.
    fn assigned(&self, target: &Term<&'s str>) -> Result<(), CompileError> {
        if let Term::Path(_, path) = target {
            let computed = path.0.iter().find_map(|(part, _)| match part {
                Part::Index(index) if !is_literal_key(index) => Some(index),
                _ => None,
            });
            if let Some(index) = computed {
                return self.error(
                    self.place(index),
                    "an assignment cannot use a computed index".to_owned(),
                    "build the object with `. + {($key): value}`, or change items with map",
                );
            }
        }
        let mut inner = Ok(());
        visit::children(target, &mut |child| {
            if inner.is_ok() {
                inner = self.assigned(child);
            }
        });
        inner
    }

    /// A key that is there twice is a slip: the first value would be lost silently.
    pub(super) fn no_double_keys(
        &self,
        entries: &[(Term<&'s str>, Option<Term<&'s str>>)],
    ) -> Result<(), CompileError> {
        let mut seen = Vec::new();
        for (key, value) in entries {
            let name = match (key, value) {
                (Term::Var(name), None) => name.strip_prefix('$').map(str::to_owned),
                (key, _) => visit::constant_text(key),
            };
            let Some(name) = name else { continue };
            if seen.contains(&name) {
                return self.error(
                    self.place(key),
                    format!("the key `{name}` is there twice"),
                    "remove one",
                );
            }
            seen.push(name);
        }
        Ok(())
    }
}

fn is_literal_key(index: &Term<&str>) -> bool {
    match index {
        Term::Num(_) | Term::Str(..) => true,
        Term::Neg(inner) => matches!(**inner, Term::Num(_)),
        _ => false,
    }
}

/// A number that the payload's size bounds.
fn is_bounded(bound: &Term<&str>) -> bool {
    match bound {
        Term::Num(digits) => digits
            .parse::<u64>()
            .is_ok_and(|number| number <= RANGE_CAP),
        Term::Neg(inner) => is_bounded(inner),
        Term::Call("length", args) => args.is_empty(),
        Term::BinOp(_, BinaryOp::Pipe(None), right) => is_bounded(right),
        Term::BinOp(left, BinaryOp::Math(Math::Add | Math::Sub), right) => {
            is_bounded(left) && is_bounded(right)
        }
        _ => false,
    }
}

fn step(by: &Term<&str>) -> bool {
    match by {
        Term::Num(digits) => digits.parse::<i64>().is_ok_and(|number| number != 0),
        Term::Neg(inner) => step(inner),
        _ => false,
    }
}

/// The most similar name, if one is similar enough to be a slip of the pen.
pub(super) fn closest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let close = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()?;
    (close.0 <= 1 + name.len() / 4).then_some(close.1)
}
