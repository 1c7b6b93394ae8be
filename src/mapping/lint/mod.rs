//! The lint on the parse tree: what could run for ever or grow without bound is refused when a mapping is loaded, with its place.
//!
//! Endless recursion would abort the whole process and cannot be caught, so there is no recursion at all: no definition may call
//! itself, directly or through another. Names are resolved here too, so that a typo is found at load time.

mod rules;
#[cfg(test)]
mod tests;

use super::library::Library;
use super::{CompileError, prelude, visit};
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::span;
use rules::closest;

/// Names with their number of arguments.
pub(crate) type Names = Vec<(String, usize)>;

/// The variables that every program has.
const GLOBALS: [&str; 3] = ["$connection", "$headers", "$context"];

/// Checks a program.
pub(crate) fn program(
    label: &str,
    source: &str,
    term: &Term<&str>,
    library: &Library,
) -> Result<(), CompileError> {
    Lint::new(label, source, library).term(term)
}

/// Checks the definitions of a library file.
pub(crate) fn definitions(
    label: &str,
    source: &str,
    defs: &[Def<&str>],
    library: &Library,
) -> Result<(), CompileError> {
    let mut lint = Lint::new(label, source, library);
    defs.iter().try_for_each(|def| lint.definition(def))
}

/// Something that can be called or read at the current place.
enum Entry<'s> {
    /// A function; `open` while its own body is being walked.
    Function {
        name: &'s str,
        arity: usize,
        open: bool,
    },
    Variable(&'s str),
    Label(&'s str),
}

struct Lint<'l, 's> {
    label: &'l str,
    source: &'s str,
    library: &'l Library,
    shared: Names,
    scope: Vec<Entry<'s>>,
    /// The nearest source text already passed, for terms that have none of their own.
    near: &'s str,
}

impl<'l, 's> Lint<'l, 's> {
    fn new(label: &'l str, source: &'s str, library: &'l Library) -> Self {
        let near = source.get(..0).unwrap_or(source);
        Self {
            label,
            source,
            library,
            shared: library.names(),
            scope: Vec::new(),
            near,
        }
    }

    fn error<T>(
        &self,
        at: &'s str,
        message: String,
        hint: impl Into<String>,
    ) -> Result<T, CompileError> {
        Err(CompileError::at(
            self.label,
            self.source,
            span(self.source, at).start,
            message,
        )
        .hint(hint))
    }

    /// The place of a term.
    fn place(&self, term: &Term<&'s str>) -> &'s str {
        visit::first_text(term).unwrap_or(self.near)
    }

    fn term(&mut self, term: &Term<&'s str>) -> Result<(), CompileError> {
        if let Term::Num(text) | Term::Var(text) | Term::Call(text, _) = term {
            self.near = text;
        }
        match term {
            Term::Var(name) => self.variable(name),
            Term::Str(Some(format), _) => {
                self.resolve(format, 0)?;
                self.children(term)
            }
            Term::Call(name, args) => {
                self.resolve(name, args.len())?;
                self.call_rules(name, args)?;
                args.iter().try_for_each(|arg| self.term(arg))
            }
            Term::Def(defs, body) => {
                let depth = self.scope.len();
                defs.iter().try_for_each(|def| self.definition(def))?;
                self.term(body)?;
                self.scope.truncate(depth);
                Ok(())
            }
            Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), right) => {
                self.term(left)?;
                self.bound(pattern, |lint| lint.term(right))
            }
            Term::BinOp(left, op, right) => {
                self.operator_rules(left, op, right)?;
                self.term(left)?;
                self.term(right)
            }
            Term::Fold(kind, source, pattern, args) => self.fold(kind, source, pattern, args),
            Term::Label(name, body) => {
                self.scope.push(Entry::Label(name));
                self.term(body)?;
                self.scope.pop();
                Ok(())
            }
            Term::Break(name)
                if !self
                    .scope
                    .iter()
                    .any(|entry| matches!(entry, Entry::Label(label) if label == name)) =>
            {
                self.error(
                    name,
                    format!("break {name} has no label"),
                    format!("put `label {name} |` before it"),
                )
            }
            Term::Obj(entries) => {
                self.no_double_keys(entries)?;
                self.children(term)
            }
            other => self.children(other),
        }
    }

    fn children(&mut self, term: &Term<&'s str>) -> Result<(), CompileError> {
        let mut parts = Vec::new();
        visit::children(term, &mut |child| parts.push(child));
        parts.into_iter().try_for_each(|part| self.term(part))
    }

    fn fold(
        &mut self,
        kind: &'s str,
        source: &Term<&'s str>,
        pattern: &Pattern<&'s str>,
        args: &[Term<&'s str>],
    ) -> Result<(), CompileError> {
        let fits = if kind == "reduce" {
            args.len() == 2
        } else {
            matches!(args.len(), 2 | 3)
        };
        if !fits {
            return self.error(
                kind,
                format!("{kind} takes (start; update)"),
                "separate them by a semicolon",
            );
        }
        self.term(source)?;
        self.bound(pattern, |lint| {
            args.iter().try_for_each(|arg| lint.term(arg))
        })
    }

    /// Walks something with a pattern's variables in scope.
    fn bound(
        &mut self,
        pattern: &Pattern<&'s str>,
        walk: impl FnOnce(&mut Self) -> Result<(), CompileError>,
    ) -> Result<(), CompileError> {
        let mut keys = Vec::new();
        visit::pattern_keys(pattern, &mut |key| keys.push(key));
        keys.into_iter().try_for_each(|key| self.term(key))?;
        let mut names = Vec::new();
        visit::pattern_vars(pattern, &mut names);
        let depth = self.scope.len();
        for name in names {
            if GLOBALS.contains(&name) {
                return self.error(
                    name,
                    format!("{name} is given and cannot be bound again"),
                    "take another name",
                );
            }
            self.scope.push(Entry::Variable(name));
        }
        walk(self)?;
        self.scope.truncate(depth);
        Ok(())
    }

    fn definition(&mut self, def: &Def<&'s str>) -> Result<(), CompileError> {
        self.near = def.name;
        self.not_taken(def.name, def.args.len())?;
        let at = self.scope.len();
        self.scope.push(Entry::Function {
            name: def.name,
            arity: def.args.len(),
            open: true,
        });
        for param in &def.args {
            if param.starts_with('$') {
                self.scope.push(Entry::Variable(param));
            } else {
                self.not_taken(param, 0)?;
                self.scope.push(Entry::Function {
                    name: param,
                    arity: 0,
                    open: false,
                });
            }
        }
        self.term(&def.body)?;
        self.scope.truncate(at + 1);
        if let Some(Entry::Function { open, .. }) = self.scope.last_mut() {
            *open = false;
        }
        Ok(())
    }

    /// A mapping must not change the meaning of a name that its readers know.
    fn not_taken(&self, name: &'s str, arity: usize) -> Result<(), CompileError> {
        let taken = prelude::names().contains(&(name, arity))
            || self
                .shared
                .iter()
                .any(|(known, known_arity)| known == name && *known_arity == arity)
            || prelude::forbidden(name, arity).is_some();
        if taken {
            return self.error(
                name,
                format!("`{name}` is the name of a function that is already there"),
                "take another name",
            );
        }
        Ok(())
    }

    fn variable(&self, name: &'s str) -> Result<(), CompileError> {
        let bound = self.scope.iter().filter_map(|entry| match entry {
            Entry::Variable(known) => Some(*known),
            _ => None,
        });
        let known: Vec<&str> = GLOBALS.into_iter().chain(bound).collect();
        if known.contains(&name) {
            return Ok(());
        }
        let hint = match name {
            "$ENV" | "$__prog_args" => {
                "a mapping sees no environment; settings are in $connection".to_owned()
            }
            _ => closest(name, known.iter().copied()).map_or_else(
                || format!("there are {}", GLOBALS.join(", ")),
                |close| format!("did you mean {close}?"),
            ),
        };
        self.error(name, format!("unknown variable {name}"), hint)
    }

    /// Finds what a call means.
    fn resolve(&self, name: &'s str, arity: usize) -> Result<(), CompileError> {
        let own = self.scope.iter().rev().find_map(|entry| match entry {
            Entry::Function {
                name: known,
                arity: known_arity,
                open,
            } if *known == name && *known_arity == arity => Some(*open),
            _ => None,
        });
        match own {
            Some(true) => {
                return self.error(
                    name,
                    format!("`{name}` calls itself"),
                    "use map, reduce or `..`; recursion cannot be bounded",
                );
            }
            Some(false) => return Ok(()),
            None => {}
        }
        if let Some(advice) = prelude::forbidden(name, arity) {
            return self.error(
                name,
                format!("`{name}` is not available in mappings"),
                advice,
            );
        }
        if prelude::names().contains(&(name, arity))
            || self
                .shared
                .iter()
                .any(|(known, known_arity)| known == name && *known_arity == arity)
        {
            return Ok(());
        }
        let known: Vec<(&str, usize)> = self.known().collect();
        let arities: Vec<String> = known
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, arity)| arity.to_string())
            .collect();
        if !arities.is_empty() {
            let message = format!(
                "`{name}` does not take {arity} argument{}",
                if arity == 1 { "" } else { "s" }
            );
            return self.error(
                name,
                message,
                format!(
                    "it takes {}; arguments are separated by a semicolon",
                    arities.join(" or ")
                ),
            );
        }
        let hint = match closest(name, known.iter().map(|(known, _)| *known)) {
            Some(close) => format!("did you mean {close}?"),
            None => "define it with def; docs/mappings.md lists those that are there".to_owned(),
        };
        self.error(name, format!("unknown function `{name}`"), hint)
    }

    fn known(&self) -> impl Iterator<Item = (&str, usize)> {
        let own = self.scope.iter().filter_map(|entry| match entry {
            Entry::Function { name, arity, .. } => Some((*name, *arity)),
            _ => None,
        });
        let shared = self
            .shared
            .iter()
            .map(|(name, arity)| (name.as_str(), *arity));
        let jq = prelude::names().iter().copied();
        own.chain(shared).chain(jq)
    }
}
