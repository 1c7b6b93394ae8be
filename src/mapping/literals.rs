//! Precompiling literals (texts, arrays, objects) and the patterns of `as`, which look like them.
//!
//! Always holds: an object literal with constant keys yields exactly one value, whatever its fields are; each field must yield one.

use super::exact::constant_keys;
use super::precompile::{Build, Entry};
use super::quick::{Gen, Pattern as Bound, Quick};
use super::{Val, value, visit};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{Pattern, Term};
use jaq_json::Map;

impl<'s> Build<'_, 's> {
    pub(super) fn object(&mut self, entries: &[Entry<'s>]) -> Quick {
        let outer = std::mem::take(&mut self.field);
        let mut template = Map::default();
        let mut fields = Vec::new();
        let keys = constant_keys(entries).unwrap_or_default();
        for (position, (name, (key, content))) in keys.into_iter().zip(entries).enumerate() {
            self.field = match outer.is_empty() {
                true => name.clone(),
                false => format!("{outer}.{name}"),
            };
            let built = match (content, key) {
                (Some(content), _) => self.quick(content),
                (None, variable @ Term::Var(_)) => self.quick(variable),
                (None, _) => Quick::GetInput(Box::new([value::text(&name)])),
            };
            let constant = match built {
                Quick::Const(constant) => constant,
                computed => {
                    fields.push((position, computed));
                    Val::Null
                }
            };
            template.insert(value::string(name), constant);
        }
        self.field = outer;
        match fields.is_empty() {
            true => Quick::Const(Val::obj(template)),
            false => Quick::Obj(template, fields.into()),
        }
    }

    /// An object literal without keys, or with computed ones.
    pub(super) fn computed(&mut self, entries: &[Entry<'s>], term: &Term<&'s str>) -> Gen {
        let mut parts = Vec::with_capacity(entries.len());
        for (key, content) in entries {
            let Some(content) = content else {
                return self.stays(term);
            };
            match (self.term(key), self.term(content)) {
                (Gen::One(key), Gen::One(content)) => parts.push((key, content)),
                _ => return self.stays(term),
            }
        }
        Gen::One(match parts.is_empty() {
            true => Quick::Const(Val::obj(Map::default())),
            false => Quick::Computed(parts.into()),
        })
    }

    pub(super) fn text(
        &mut self,
        term: &Term<&'s str>,
        parts: &[StrPart<&'s str, Term<&'s str>>],
    ) -> Gen {
        if let Some(text) = visit::constant_text(term) {
            return Gen::One(Quick::Const(value::string(text)));
        }
        let piece = |part: &StrPart<&'s str, Term<&'s str>>| match part {
            StrPart::Str(text) => Some(Quick::Const(value::text(text))),
            StrPart::Char(character) => Some(Quick::Const(value::string(character.to_string()))),
            StrPart::Term(inner) => match self.term(inner) {
                Gen::One(one) => Some(one),
                _ => None,
            },
        };
        match parts.iter().map(piece).collect() {
            Some(pieces) => Gen::One(Quick::Concat(pieces)),
            None => self.stays(term),
        }
    }

    pub(super) fn array(&mut self, inner: &Term<&'s str>) -> Quick {
        match self.term(inner) {
            Gen::One(one) => Quick::List(Box::new([one])),
            Gen::Comma(parts) if parts.iter().all(|part| matches!(part, Gen::One(_))) => {
                Quick::List(parts.into_iter().map(|part| self.only(part)).collect())
            }
            generator => Quick::Collect(generator.into()),
        }
    }

    /// The variables of a pattern, bound from here on; `None` for keys that are computed.
    pub(super) fn pattern(&mut self, pattern: &Pattern<&'s str>) -> Option<Bound> {
        let mut bound = Vec::new();
        let mut names = Vec::new();
        paths_of(pattern, &mut Vec::new(), &mut |name, path| {
            names.push(name);
            bound.push(path.to_vec().into_boxed_slice());
        })?;
        names.into_iter().for_each(|name| self.variable_named(name));
        (!bound.is_empty()).then(|| bound.into())
    }
}

/// The variables of a pattern with their paths.
fn paths_of<'s>(
    pattern: &Pattern<&'s str>,
    path: &mut Vec<Val>,
    found: &mut dyn FnMut(&'s str, &[Val]),
) -> Option<()> {
    match pattern {
        Pattern::Var(name) => found(name, path),
        Pattern::Arr(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(value::int(i64::try_from(index).ok()?));
                paths_of(item, path, found)?;
                path.pop();
            }
        }
        Pattern::Obj(entries) => {
            for (key, inner) in entries {
                // `{$a}` binds `$a` to the member `a`; its key is the variable itself.
                let key = match key {
                    Term::Var(_) => return None,
                    key => visit::constant_text(key)?,
                };
                path.push(value::string(key));
                paths_of(inner, path, found)?;
                path.pop();
            }
        }
    }
    Some(())
}
