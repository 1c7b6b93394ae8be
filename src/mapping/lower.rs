//! Precompiling: object literals and native calls of the parse tree become [`Quick`] expressions; the rest stays jq.
//!
//! A root (an object literal with constant keys, or a native call with exact arguments) is replaced by a call to a function of its
//! own; what inside it is not exact becomes a closure argument of that call. Neither can stand where jq needs a path, so paths and
//! assignments are never touched.

use super::compile::constant_variable;
use super::engine::QUICK_CAP;
use super::exact::{Exactness, constant_keys};
use super::quick::{Closure, Global, Prepared, Quick, Stage};
use super::{Val, natives, value, visit};
use jaq_core::load::Arena;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Opt, Part, Path};
use jaq_json::Map;

type Entries<'s> = Vec<(Term<&'s str>, Option<Term<&'s str>>)>;

/// One program's lowering.
pub(super) struct Lowering<'s> {
    arena: &'s Arena,
    prepared: Vec<(&'s str, Prepared)>,
    exactness: Exactness,
}

/// The closures of a root, and the field that is being lowered.
struct Root<'s> {
    closures: Vec<Term<&'s str>>,
    field: String,
}

impl<'s> Lowering<'s> {
    pub(super) fn new(arena: &'s Arena) -> Self {
        Self {
            arena,
            prepared: Vec::new(),
            exactness: Exactness::default(),
        }
    }

    /// The precompiled expressions with the names they are called by.
    pub(super) fn finish(self) -> Vec<(&'s str, Prepared)> {
        self.prepared
    }

    /// Lowers a definition, and remembers what it yields for its callers.
    pub(super) fn definition(&mut self, def: Def<&'s str>) -> Def<&'s str> {
        self.exactness.learn(def.name, &def.args, &def.body);
        Def {
            body: self.term(def.body),
            ..def
        }
    }

    fn boxed(&mut self, term: Box<Term<&'s str>>) -> Box<Term<&'s str>> {
        Box::new(self.term(*term))
    }

    fn all(&mut self, terms: Vec<Term<&'s str>>) -> Vec<Term<&'s str>> {
        terms.into_iter().map(|term| self.term(term)).collect()
    }

    /// Lowers a term that jq runs.
    pub(super) fn term(&mut self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Obj(entries) if self.has_room() && constant_keys(&entries).is_some() => {
                self.root(Term::Obj(entries))
            }
            Term::Obj(entries) => Term::Obj(
                entries
                    .into_iter()
                    .map(|(key, value)| (self.key(key), value.map(|value| self.term(value))))
                    .collect(),
            ),
            Term::Call(name, args) => self.call(name, args),
            Term::BinOp(left, op, right) => self.binary(left, op, right),
            Term::Str(format, parts) => Term::Str(
                format,
                parts
                    .into_iter()
                    .map(|part| match part {
                        StrPart::Term(inner) => StrPart::Term(self.term(inner)),
                        plain => plain,
                    })
                    .collect(),
            ),
            Term::Arr(Some(inner)) => Term::Arr(Some(self.boxed(inner))),
            Term::Neg(inner) => Term::Neg(self.boxed(inner)),
            Term::Label(name, inner) => Term::Label(name, self.boxed(inner)),
            Term::Fold(kind, source, pattern, args) => Term::Fold(
                kind,
                self.boxed(source),
                self.pattern(pattern),
                self.all(args),
            ),
            Term::TryCatch(inner, catch) => {
                Term::TryCatch(self.boxed(inner), catch.map(|catch| self.boxed(catch)))
            }
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches
                    .into_iter()
                    .map(|(condition, then)| (self.term(condition), self.term(then)))
                    .collect();
                Term::IfThenElse(branches, otherwise.map(|otherwise| self.boxed(otherwise)))
            }
            Term::Def(defs, inner) => {
                let defs = defs.into_iter().map(|def| self.definition(def)).collect();
                Term::Def(defs, self.boxed(inner))
            }
            Term::Path(head, path) => {
                let head = self.boxed(head);
                Term::Path(
                    head,
                    Path(
                        path.0
                            .into_iter()
                            .map(|(part, opt)| (self.part(part), opt))
                            .collect(),
                    ),
                )
            }
            plain @ (Term::Id
            | Term::Recurse
            | Term::Num(_)
            | Term::Arr(None)
            | Term::Break(_)
            | Term::Var(_)) => plain,
        }
    }

    /// A key stays a constant text; only a computed one is lowered.
    fn key(&mut self, key: Term<&'s str>) -> Term<&'s str> {
        if visit::constant_text(&key).is_some() {
            key
        } else {
            self.term(key)
        }
    }

    fn part(&mut self, part: Part<Term<&'s str>>) -> Part<Term<&'s str>> {
        match part {
            Part::Index(index) => Part::Index(self.key(index)),
            Part::Range(from, to) => {
                Part::Range(from.map(|from| self.term(from)), to.map(|to| self.term(to)))
            }
        }
    }

    fn pattern(&mut self, pattern: Pattern<&'s str>) -> Pattern<&'s str> {
        match pattern {
            Pattern::Var(name) => Pattern::Var(name),
            Pattern::Arr(items) => {
                Pattern::Arr(items.into_iter().map(|item| self.pattern(item)).collect())
            }
            Pattern::Obj(entries) => Pattern::Obj(
                entries
                    .into_iter()
                    .map(|(key, inner)| (self.key(key), self.pattern(inner)))
                    .collect(),
            ),
        }
    }

    fn call(&mut self, name: &'s str, args: Vec<Term<&'s str>>) -> Term<&'s str> {
        if let (Some(variable), true) = (constant_variable(name), args.is_empty()) {
            return Term::Var(variable);
        }
        let native = natives::find(name, args.len()).is_some()
            && args.iter().all(|arg| self.exactness.term(arg));
        if native && self.has_room() {
            return self.root(Term::Call(name, args));
        }
        Term::Call(name, self.all(args))
    }

    fn binary(
        &mut self,
        left: Box<Term<&'s str>>,
        op: BinaryOp<&'s str>,
        right: Box<Term<&'s str>>,
    ) -> Term<&'s str> {
        match op {
            BinaryOp::Math(Math::Mul) => self.call("!mul", vec![*left, *right]),
            // `l *= r` is `r as $x | l |= . * $x`.
            BinaryOp::UpdateMath(Math::Mul) => {
                let product = Term::Call("!mul", vec![Term::Id, Term::Var("$!factor")]);
                let update = Term::BinOp(self.boxed(left), BinaryOp::Update, Box::new(product));
                let bound = BinaryOp::Pipe(Some(Pattern::Var("$!factor")));
                Term::BinOp(self.boxed(right), bound, Box::new(update))
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let (left, pattern) = (self.boxed(left), self.pattern(pattern));
                Term::BinOp(left, BinaryOp::Pipe(Some(pattern)), self.boxed(right))
            }
            op => {
                let left = self.boxed(left);
                Term::BinOp(left, op, self.boxed(right))
            }
        }
    }

    /// A program with more roots than pointers leaves the rest to jq.
    fn has_room(&self) -> bool {
        self.prepared.len() < QUICK_CAP
    }

    /// Replaces an exact term by a call to its precompiled form.
    fn root(&mut self, term: Term<&'s str>) -> Term<&'s str> {
        let mut root = Root {
            closures: Vec::new(),
            field: String::new(),
        };
        // Closures may hold roots of their own, so the number is taken before they are lowered.
        let index = self.prepared.len();
        let name: &str = self.arena.alloc(format!("!q{index}"));
        self.prepared.push((
            name,
            Prepared {
                expression: Quick::Input,
                closures: 0,
            },
        ));
        let expression = self.quick(term, &mut root);
        if let Some((_, prepared)) = self.prepared.get_mut(index) {
            *prepared = Prepared {
                expression,
                closures: root.closures.len(),
            };
        }
        Term::Call(name, root.closures)
    }

    fn closure(&mut self, term: Term<&'s str>, root: &mut Root<'s>) -> Closure {
        let position = root.closures.len();
        root.closures.push(Term::Id);
        let lowered = self.term(term);
        if let Some(slot) = root.closures.get_mut(position) {
            *slot = lowered;
        }
        Closure {
            position,
            field: root.field.as_str().into(),
        }
    }

    fn boxed_quick(&mut self, term: Term<&'s str>, root: &mut Root<'s>) -> Box<Quick> {
        Box::new(self.quick(term, root))
    }

    fn quicks(&mut self, terms: Vec<Term<&'s str>>, root: &mut Root<'s>) -> Box<[Quick]> {
        terms
            .into_iter()
            .map(|term| self.quick(term, root))
            .collect()
    }

    /// Precompiles a term of which exactly one value is wanted.
    fn quick(&mut self, term: Term<&'s str>, root: &mut Root<'s>) -> Quick {
        if !self.exactness.term(&term) {
            return match term {
                Term::BinOp(first, BinaryOp::Alt, second) if self.exactness.term(&second) => {
                    let first = self.closure(*first, root);
                    Quick::AltArg(first, self.boxed_quick(*second, root))
                }
                other => Quick::Arg(self.closure(other, root)),
            };
        }
        match term {
            Term::Id => Quick::Input,
            Term::Num(digits) => Quick::Const(value::number(digits.to_owned())),
            Term::Arr(None) => Quick::Const(value::array(Vec::new())),
            Term::Arr(Some(inner)) => self.array(*inner, root),
            Term::Obj(entries) if constant_keys(&entries).is_some() => self.object(entries, root),
            Term::Str(None, parts) => self.text(parts, root),
            Term::Var(name) => match global(name) {
                Some(global) => Quick::Global(global),
                None => Quick::Arg(self.closure(Term::Var(name), root)),
            },
            Term::BinOp(left, op, right) => self.quick_binary(*left, op, *right, root),
            Term::IfThenElse(branches, otherwise) => {
                let branches = branches
                    .into_iter()
                    .map(|(condition, then)| (self.quick(condition, root), self.quick(then, root)))
                    .collect();
                let otherwise =
                    otherwise.map_or(Quick::Input, |otherwise| self.quick(*otherwise, root));
                Quick::If(branches, Box::new(otherwise))
            }
            Term::Call(name, args) => self.quick_call(name, args, root),
            Term::Path(head, path) => self.path(*head, path, root),
            other => Quick::Arg(self.closure(other, root)),
        }
    }

    fn quick_call(
        &mut self,
        name: &'s str,
        mut args: Vec<Term<&'s str>>,
        root: &mut Root<'s>,
    ) -> Quick {
        match (name, args.len()) {
            ("null", 0) => return Quick::Const(Val::Null),
            ("true", 0) => return Quick::Const(Val::Bool(true)),
            ("false", 0) => return Quick::Const(Val::Bool(false)),
            ("map", 1) => {
                if let Some(stages) = args.pop_if(|_| true).map(|body| self.stages(body)) {
                    return match stages {
                        Ok(stages) => {
                            Quick::Each(Box::new(Quick::Input), self.quick_stages(stages, root))
                        }
                        Err(body) => Quick::Arg(self.closure(Term::Call("map", vec![body]), root)),
                    };
                }
            }
            _ => {}
        }
        match natives::find(name, args.len()) {
            Some(native) => Quick::Native(native, self.quicks(args, root)),
            None => Quick::Arg(self.closure(Term::Call(name, args), root)),
        }
    }

    fn quick_binary(
        &mut self,
        left: Term<&'s str>,
        op: BinaryOp<&'s str>,
        right: Term<&'s str>,
        root: &mut Root<'s>,
    ) -> Quick {
        match op {
            BinaryOp::Pipe(None) => {
                Quick::Pipe(self.boxed_quick(left, root), self.boxed_quick(right, root))
            }
            BinaryOp::Alt => {
                Quick::Alt(self.boxed_quick(left, root), self.boxed_quick(right, root))
            }
            BinaryOp::Cmp(op) => Quick::Cmp(
                self.boxed_quick(left, root),
                op,
                self.boxed_quick(right, root),
            ),
            BinaryOp::And => Quick::Logic(
                self.boxed_quick(left, root),
                false,
                self.boxed_quick(right, root),
            ),
            BinaryOp::Or => Quick::Logic(
                self.boxed_quick(left, root),
                true,
                self.boxed_quick(right, root),
            ),
            BinaryOp::Math(Math::Mul) => self.quick_call("!mul", vec![left, right], root),
            BinaryOp::Math(op) => Quick::Math(
                self.boxed_quick(left, root),
                op,
                self.boxed_quick(right, root),
            ),
            op => Quick::Arg(self.closure(Term::BinOp(Box::new(left), op, Box::new(right)), root)),
        }
    }

    fn object(&mut self, entries: Entries<'s>, root: &mut Root<'s>) -> Quick {
        let keys = constant_keys(&entries).unwrap_or_default();
        let outer = std::mem::take(&mut root.field);
        let mut template = Map::default();
        let mut fields = Vec::new();
        for (position, (name, (key, content))) in keys.into_iter().zip(entries).enumerate() {
            root.field = if outer.is_empty() {
                name.clone()
            } else {
                format!("{outer}.{name}")
            };
            let content = content.unwrap_or_else(|| match key {
                Term::Var(variable) => Term::Var(variable),
                key => Term::Path(
                    Box::new(Term::Id),
                    Path(vec![(Part::Index(key), Opt::Essential)]),
                ),
            });
            let constant = match self.quick(content, root) {
                Quick::Const(constant) => constant,
                computed => {
                    fields.push((position, computed));
                    Val::Null
                }
            };
            template.insert(value::string(name), constant);
        }
        root.field = outer;
        if fields.is_empty() {
            Quick::Const(Val::obj(template))
        } else {
            Quick::Obj(template, fields.into())
        }
    }

    fn text(&mut self, parts: Vec<StrPart<&'s str, Term<&'s str>>>, root: &mut Root<'s>) -> Quick {
        let term = Term::Str(None, parts);
        if let Some(text) = visit::constant_text(&term) {
            return Quick::Const(value::string(text));
        }
        let Term::Str(_, parts) = term else {
            return Quick::Const(Val::Null);
        };
        Quick::Concat(
            parts
                .into_iter()
                .map(|part| match part {
                    StrPart::Str(text) => Quick::Const(value::text(text)),
                    StrPart::Char(character) => Quick::Const(value::string(character.to_string())),
                    StrPart::Term(inner) => self.quick(inner, root),
                })
                .collect(),
        )
    }

    /// `[a, b]`, `[path[] | stage | …]`, or else left to jq.
    fn array(&mut self, inner: Term<&'s str>, root: &mut Root<'s>) -> Quick {
        if commas_exact(&self.exactness, &inner) {
            let mut items = Vec::new();
            split_commas(inner, &mut items);
            return Quick::List(self.quicks(items, root));
        }
        let (head, body) = match inner {
            Term::BinOp(head, BinaryOp::Pipe(None), body) => (*head, *body),
            other => (other, Term::Id),
        };
        match (iterated(&self.exactness, &head), self.stages(body)) {
            (true, Ok(stages)) => {
                let Term::Path(start, mut path) = head else {
                    return Quick::Const(Val::Null);
                };
                path.0.pop();
                let head = if path.0.is_empty() {
                    self.quick(*start, root)
                } else {
                    self.quick(Term::Path(start, path), root)
                };
                Quick::Each(Box::new(head), self.quick_stages(stages, root))
            }
            (_, stages) => {
                let body = stages.map_or_else(|body| body, rejoin);
                let inner = Term::BinOp(Box::new(head), BinaryOp::Pipe(None), Box::new(body));
                Quick::Arg(self.closure(Term::Arr(Some(Box::new(inner))), root))
            }
        }
    }

    /// The steps of `a | select(b) | c` when each is a select of an exact condition or exact itself.
    fn stages(&self, body: Term<&'s str>) -> Result<Vec<Term<&'s str>>, Term<&'s str>> {
        let mut steps = Vec::new();
        split_pipes(body, &mut steps);
        let fits = |step: &Term<&str>| match step {
            Term::Call("select", args) => {
                args.iter().all(|condition| self.exactness.term(condition))
            }
            other => self.exactness.term(other),
        };
        if steps.iter().all(fits) {
            Ok(steps)
        } else {
            Err(rejoin(steps))
        }
    }

    fn quick_stages(&mut self, steps: Vec<Term<&'s str>>, root: &mut Root<'s>) -> Box<[Stage]> {
        steps
            .into_iter()
            .map(|step| match step {
                Term::Call("select", mut args) if args.len() == 1 => {
                    Stage::Keep(self.quick(args.pop().unwrap_or(Term::Id), root))
                }
                other => Stage::To(self.quick(other, root)),
            })
            .collect()
    }

    fn path(
        &mut self,
        head: Term<&'s str>,
        path: Path<Term<&'s str>>,
        root: &mut Root<'s>,
    ) -> Quick {
        let Some(keys) = constant_path(&path) else {
            return Quick::Arg(self.closure(Term::Path(Box::new(head), path), root));
        };
        match self.quick(head, root) {
            Quick::Input => Quick::GetInput(keys),
            head => Quick::Get(Box::new(head), keys),
        }
    }
}

fn global(name: &str) -> Option<Global> {
    match name {
        "$connection" => Some(Global::Connection),
        "$headers" => Some(Global::Headers),
        "$context" => Some(Global::Context),
        _ => None,
    }
}

/// The keys of a path of constant names and indexes.
fn constant_path(path: &Path<Term<&str>>) -> Option<Box<[Val]>> {
    let key = |(part, _): &(Part<Term<&str>>, Opt)| match part {
        Part::Index(Term::Num(digits)) => Some(value::number((*digits).to_owned())).filter(is_int),
        Part::Index(Term::Neg(inner)) => match &**inner {
            Term::Num(digits) => Some(value::number(format!("-{digits}"))).filter(is_int),
            _ => None,
        },
        Part::Index(name) => visit::constant_text(name).map(value::string),
        Part::Range(..) => None,
    };
    path.0.iter().map(key).collect()
}

fn is_int(number: &Val) -> bool {
    matches!(number, Val::Num(jaq_json::Num::Int(_)))
}

/// Is the term `exact[]`?
fn iterated(exactness: &Exactness, head: &Term<&str>) -> bool {
    let Term::Path(start, path) = head else {
        return false;
    };
    let Some(((Part::Range(None, None), Opt::Essential), before)) = path.0.split_last() else {
        return false;
    };
    exactness.term(start)
        && constant_path(&Path(before.to_vec())).is_some()
        && before.iter().all(|(_, opt)| matches!(opt, Opt::Essential))
}

fn commas_exact(exactness: &Exactness, term: &Term<&str>) -> bool {
    match term {
        Term::BinOp(left, BinaryOp::Comma, right) => {
            commas_exact(exactness, left) && commas_exact(exactness, right)
        }
        other => exactness.term(other),
    }
}

fn split_commas<'s>(term: Term<&'s str>, out: &mut Vec<Term<&'s str>>) {
    match term {
        Term::BinOp(left, BinaryOp::Comma, right) => {
            split_commas(*left, out);
            split_commas(*right, out);
        }
        other => out.push(other),
    }
}

fn split_pipes<'s>(term: Term<&'s str>, out: &mut Vec<Term<&'s str>>) {
    match term {
        Term::BinOp(left, BinaryOp::Pipe(None), right) => {
            split_pipes(*left, out);
            split_pipes(*right, out);
        }
        other => out.push(other),
    }
}

fn rejoin(steps: Vec<Term<&str>>) -> Term<&str> {
    let joined = steps
        .into_iter()
        .rev()
        .reduce(|right, left| Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right)));
    joined.unwrap_or(Term::Id)
}
