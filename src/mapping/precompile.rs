//! From parse tree to [`Quick`]: what each form of term becomes.
//!
//! Always holds: a term is precompiled only when it is exact (yields one value), or stands where exactly one value is wanted.

use super::exact::{Exactness, constant_keys};
use super::iteration::{Iteration, Step, constant_key, constant_path, iteration, split_commas};
use super::quick::{Closure, Each, Global, Quick, Stage};
use super::{Val, natives, value, visit};
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};
use jaq_json::Map;
use std::collections::HashMap;
use std::sync::Arc;

type Entry<'s> = (Term<&'s str>, Option<Term<&'s str>>);

/// Definitions that are precompiled as a whole, by name and number of arguments.
pub(super) type Inlined = HashMap<(String, usize), Arc<Quick>>;

/// Precompiles an exact term. The closures are the parts that stay jq, in the order of their positions. `None` when nothing of it
/// can be precompiled.
pub(super) fn root<'s>(
    term: &Term<&'s str>,
    exactness: &Exactness,
    inlined: &Inlined,
) -> Option<(Quick, Vec<Term<&'s str>>)> {
    let mut build = Build {
        exactness,
        inlined,
        closures: Vec::new(),
        field: String::new(),
        locals: Vec::new(),
        captured: false,
    };
    match build.quick(term) {
        Quick::Arg(_) => None,
        expression => Some((expression, build.closures)),
    }
}

/// Precompiles a definition whose parameters are all values, when nothing of it has to stay jq.
pub(super) fn definition(
    def: &Def<&str>,
    exactness: &Exactness,
    inlined: &Inlined,
) -> Option<Quick> {
    if !def.args.iter().all(|arg| arg.starts_with('$')) || !exactness.term(&def.body) {
        return None;
    }
    let locals = def.args.clone();
    let mut build = Build {
        exactness,
        inlined,
        closures: Vec::new(),
        field: String::new(),
        locals,
        captured: false,
    };
    let body = build.quick(&def.body);
    build.closures.is_empty().then_some(body)
}

struct Build<'b, 's> {
    exactness: &'b Exactness,
    inlined: &'b Inlined,
    closures: Vec<Term<&'s str>>,
    /// The field being built, for error texts.
    field: String,
    /// The variables that the expression binds itself, innermost last.
    locals: Vec<&'s str>,
    /// A closure needs one of `locals`, which jq does not know.
    captured: bool,
}

impl<'s> Build<'_, 's> {
    fn closure(&mut self, term: &Term<&'s str>) -> Closure {
        self.captured |= visit::mentions(term, &self.locals);
        self.closures.push(term.clone());
        Closure {
            position: self.closures.len() - 1,
            field: self.field.as_str().into(),
        }
    }

    fn arg(&mut self, term: &Term<&'s str>) -> Quick {
        Quick::Arg(self.closure(term))
    }

    fn boxed(&mut self, term: &Term<&'s str>) -> Box<Quick> {
        Box::new(self.quick(term))
    }

    fn all(&mut self, terms: &[Term<&'s str>]) -> Box<[Quick]> {
        terms.iter().map(|term| self.quick(term)).collect()
    }

    /// Precompiles a term of which exactly one value is wanted.
    fn quick(&mut self, term: &Term<&'s str>) -> Quick {
        if !self.exactness.term(term) {
            return match term {
                Term::BinOp(first, BinaryOp::Alt, second) if self.exactness.term(second) => {
                    self.alternative(first, second)
                }
                other => self.arg(other),
            };
        }
        match term {
            Term::Id => Quick::Input,
            Term::Num(digits) => Quick::Const(value::number((*digits).to_owned())),
            Term::Arr(None) => Quick::Const(value::array(Vec::new())),
            Term::Arr(Some(inner)) => self.array(inner, term),
            Term::Obj(entries) if constant_keys(entries).is_some() => self.object(entries),
            Term::Str(None, parts) => self.text(term, parts),
            Term::Var(name) => self.variable(name, term),
            Term::BinOp(left, op, right) => self.binary(left, op, right, term),
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches
                    .iter()
                    .map(|(condition, then)| (self.quick(condition), self.quick(then)))
                    .collect();
                let otherwise = otherwise
                    .as_ref()
                    .map_or(Quick::Input, |otherwise| self.quick(otherwise));
                Quick::If(branches, Box::new(otherwise))
            }
            Term::Call(name, args) => self.call(name, args, term),
            Term::Path(head, path) => self.path(head, path, term),
            other => self.arg(other),
        }
    }

    fn variable(&mut self, name: &str, term: &Term<&'s str>) -> Quick {
        if let Some(depth) = self.locals.iter().rev().position(|local| *local == name) {
            return Quick::Local(depth);
        }
        match name {
            "$connection" => Quick::Global(Global::Connection),
            "$headers" => Quick::Global(Global::Headers),
            "$context" => Quick::Global(Global::Context),
            _ => self.arg(term),
        }
    }

    fn call(&mut self, name: &str, args: &[Term<&'s str>], term: &Term<&'s str>) -> Quick {
        match (name, args) {
            ("null", []) => return Quick::Const(Val::Null),
            ("true", []) => return Quick::Const(Val::Bool(true)),
            ("false", []) => return Quick::Const(Val::Bool(false)),
            ("map", [body]) => {
                return match super::iteration::stages(self.exactness, body) {
                    Some(stages) => {
                        let stages = self.stages(&stages);
                        Quick::Each(Box::new(Each {
                            head: Quick::Input,
                            lenient: false,
                            stages,
                        }))
                    }
                    None => self.arg(term),
                };
            }
            _ => {}
        }
        if let Some(native) = natives::find(name, args.len()) {
            return Quick::Native(native, self.all(args));
        }
        match self.inlined.get(&(name.to_owned(), args.len())).cloned() {
            Some(body) => Quick::Call(body, self.all(args)),
            None => self.arg(term),
        }
    }

    fn binary(
        &mut self,
        left: &Term<&'s str>,
        op: &BinaryOp<&'s str>,
        right: &Term<&'s str>,
        term: &Term<&'s str>,
    ) -> Quick {
        match op {
            BinaryOp::Pipe(None) => Quick::Pipe(self.boxed(left), self.boxed(right)),
            BinaryOp::Pipe(Some(Pattern::Var(name))) => {
                let bound = self.boxed(left);
                self.bound(name, term, |build| Quick::Let(bound, build.boxed(right)))
            }
            BinaryOp::Alt => Quick::Alt(self.boxed(left), self.boxed(right)),
            BinaryOp::Cmp(op) => Quick::Cmp(self.boxed(left), *op, self.boxed(right)),
            BinaryOp::And => Quick::Logic(self.boxed(left), false, self.boxed(right)),
            BinaryOp::Or => Quick::Logic(self.boxed(left), true, self.boxed(right)),
            BinaryOp::Math(Math::Mul) => match natives::find("!mul", 2) {
                Some(native) => {
                    Quick::Native(native, Box::new([self.quick(left), self.quick(right)]))
                }
                None => self.arg(term),
            },
            BinaryOp::Math(op) => Quick::Math(self.boxed(left), *op, self.boxed(right)),
            _ => self.arg(term),
        }
    }

    /// Builds something in which `name` is bound; when a closure would need it, the whole term stays jq.
    fn bound(
        &mut self,
        name: &'s str,
        whole: &Term<&'s str>,
        build: impl FnOnce(&mut Self) -> Quick,
    ) -> Quick {
        let (closures, captured) = (self.closures.len(), self.captured);
        self.locals.push(name);
        self.captured = false;
        let built = build(self);
        self.locals.pop();
        if !std::mem::replace(&mut self.captured, captured) {
            return built;
        }
        // What was built before this term keeps its closures.
        self.closures.truncate(closures);
        self.arg(whole)
    }

    fn object(&mut self, entries: &[Entry<'s>]) -> Quick {
        let outer = std::mem::take(&mut self.field);
        let mut template = Map::default();
        let mut fields = Vec::new();
        for (position, (name, (key, content))) in constant_keys(entries)
            .unwrap_or_default()
            .into_iter()
            .zip(entries)
            .enumerate()
        {
            self.field = if outer.is_empty() {
                name.clone()
            } else {
                format!("{outer}.{name}")
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
        if fields.is_empty() {
            Quick::Const(Val::obj(template))
        } else {
            Quick::Obj(template, fields.into())
        }
    }

    fn text(&mut self, term: &Term<&'s str>, parts: &[StrPart<&'s str, Term<&'s str>>]) -> Quick {
        if let Some(text) = visit::constant_text(term) {
            return Quick::Const(value::string(text));
        }
        let part = |build: &mut Self, part: &StrPart<&'s str, Term<&'s str>>| match part {
            StrPart::Str(text) => Quick::Const(value::text(text)),
            StrPart::Char(character) => Quick::Const(value::string(character.to_string())),
            StrPart::Term(inner) => build.quick(inner),
        };
        Quick::Concat(parts.iter().map(|piece| part(self, piece)).collect())
    }

    /// `[a, b]`, `[path[] | stage | …]`, `[path[] as $x | body]`; else it stays jq.
    fn array(&mut self, inner: &Term<&'s str>, term: &Term<&'s str>) -> Quick {
        let mut items = Vec::new();
        split_commas(inner, &mut items);
        if items.iter().all(|item| self.exactness.term(item)) {
            return Quick::List(items.into_iter().map(|item| self.quick(item)).collect());
        }
        if let Some(iteration) = iteration(self.exactness, inner) {
            return Quick::Each(Box::new(self.each(&iteration)));
        }
        if let Term::BinOp(head, BinaryOp::Pipe(Some(Pattern::Var(name))), body) = inner
            && let Some(Iteration {
                start,
                before,
                lenient: false,
                stages,
            }) = iteration(self.exactness, head)
            && stages.is_empty()
            && self.exactness.term(body)
        {
            let head = Box::new(self.get(start, before));
            return self.bound(name, term, |build| Quick::EachAs(head, build.boxed(body)));
        }
        self.arg(term)
    }

    fn each(&mut self, iteration: &Iteration<'_, 's>) -> Each {
        let head = self.get(iteration.start, iteration.before.clone());
        Each {
            head,
            lenient: iteration.lenient,
            stages: self.stages(&iteration.stages),
        }
    }

    fn stages(&mut self, stages: &[Step<'_, 's>]) -> Box<[Stage]> {
        let stage = |build: &mut Self, step: &Step<'_, 's>| match step {
            Step::Keep(condition) => Stage::Keep(build.quick(condition)),
            Step::Present => Stage::Keep(Quick::Cmp(
                Box::new(Quick::Input),
                jaq_core::ops::Cmp::Ne,
                Box::new(Quick::Const(Val::Null)),
            )),
            Step::Get(keys) => Stage::To(Quick::GetInput(keys.clone())),
            Step::To(expression) => Stage::To(build.quick(expression)),
        };
        stages.iter().map(|step| stage(self, step)).collect()
    }

    /// `first // second` where `first` may yield nothing.
    fn alternative(&mut self, first: &Term<&'s str>, second: &Term<&'s str>) -> Quick {
        let (only_first, source) = match first {
            Term::Call("first", args) if args.len() == 1 => (true, args.first().unwrap_or(first)),
            other => (false, other),
        };
        match iteration(self.exactness, source) {
            Some(iteration) => {
                let each = Box::new(self.each(&iteration));
                Quick::Found {
                    each,
                    first: only_first,
                    field: self.field.as_str().into(),
                    otherwise: self.boxed(second),
                }
            }
            None => {
                let first = self.closure(first);
                Quick::AltArg(first, self.boxed(second))
            }
        }
    }

    fn get(&mut self, start: &Term<&'s str>, keys: Box<[Val]>) -> Quick {
        match self.quick(start) {
            head if keys.is_empty() => head,
            Quick::Input => Quick::GetInput(keys),
            head => Quick::Get(Box::new(head), keys),
        }
    }

    /// A path of names and indexes; computed ones are looked up one by one.
    fn path(
        &mut self,
        head: &Term<&'s str>,
        path: &Path<Term<&'s str>>,
        term: &Term<&'s str>,
    ) -> Quick {
        if let Some(keys) = constant_path(&path.0) {
            return self.get(head, keys);
        }
        let mut built = self.quick(head);
        for (part, _) in &path.0 {
            built = match (constant_key(part), part) {
                (Some(key), _) => Quick::Get(Box::new(built), Box::new([key])),
                (None, Part::Index(index)) => Quick::At(Box::new(built), self.boxed(index)),
                (None, Part::Range(..)) => return self.arg(term),
            };
        }
        built
    }
}
