//! Walking jq's parse tree.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::path::Part;

/// Calls `f` with every direct part of a term (definitions' bodies and pattern keys included).
pub(super) fn children<'t, 's>(term: &'t Term<&'s str>, f: &mut dyn FnMut(&'t Term<&'s str>)) {
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Arr(None)
        | Term::Break(_)
        | Term::Var(_) => {}
        Term::Str(_, parts) => parts.iter().for_each(|part| {
            if let StrPart::Term(inner) = part {
                f(inner);
            }
        }),
        Term::Arr(Some(inner)) | Term::Neg(inner) | Term::Label(_, inner) => f(inner),
        Term::Obj(entries) => entries.iter().for_each(|(key, value)| {
            f(key);
            value.iter().for_each(&mut *f);
        }),
        Term::BinOp(left, op, right) => {
            f(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                pattern_keys(pattern, f);
            }
            f(right);
        }
        Term::Fold(_, source, pattern, args) => {
            f(source);
            pattern_keys(pattern, f);
            args.iter().for_each(f);
        }
        Term::TryCatch(inner, catch) => {
            f(inner);
            catch.iter().for_each(|catch| f(catch));
        }
        Term::IfThenElse(branches, otherwise) => {
            branches.iter().for_each(|(condition, then)| {
                f(condition);
                f(then);
            });
            otherwise.iter().for_each(|otherwise| f(otherwise));
        }
        Term::Def(defs, inner) => {
            defs.iter().for_each(|def| f(&def.body));
            f(inner);
        }
        Term::Call(_, args) => args.iter().for_each(f),
        Term::Path(head, path) => {
            f(head);
            path.0.iter().for_each(|(part, _)| match part {
                Part::Index(index) => f(index),
                Part::Range(from, to) => from.iter().chain(to).for_each(&mut *f),
            });
        }
    }
}

/// The keys inside a pattern such as `{a: $x, (f): $y}`.
pub(super) fn pattern_keys<'t, 's>(
    pattern: &'t Pattern<&'s str>,
    f: &mut dyn FnMut(&'t Term<&'s str>),
) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|item| pattern_keys(item, f)),
        Pattern::Obj(entries) => entries.iter().for_each(|(key, inner)| {
            f(key);
            pattern_keys(inner, f);
        }),
    }
}

/// The variables that a pattern binds.
pub(super) fn pattern_vars<'s>(pattern: &Pattern<&'s str>, out: &mut Vec<&'s str>) {
    match pattern {
        Pattern::Var(name) => out.push(name),
        Pattern::Arr(items) => items.iter().for_each(|item| pattern_vars(item, out)),
        Pattern::Obj(entries) => entries
            .iter()
            .for_each(|(_, inner)| pattern_vars(inner, out)),
    }
}

/// Every function name that a term calls, at any depth.
pub(super) fn calls<'s>(term: &Term<&'s str>, note: &mut dyn FnMut(&'s str)) {
    match term {
        Term::Call(name, _) | Term::Str(Some(name), _) => note(name),
        _ => {}
    }
    children(term, &mut |child| calls(child, note));
}

/// Does the term read one of the variables, at any depth?
pub(super) fn mentions(term: &Term<&str>, names: &[&str]) -> bool {
    if let Term::Var(name) = term
        && names.contains(name)
    {
        return true;
    }
    let mut found = false;
    children(term, &mut |child| found = found || mentions(child, names));
    found
}

/// The constant text of a term, if it is one.
pub(super) fn constant_text(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else {
        return None;
    };
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(piece) => text.push_str(piece),
            StrPart::Char(character) => text.push(*character),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}

/// The first piece of source text in a term, for its place.
pub(super) fn first_text<'s>(term: &Term<&'s str>) -> Option<&'s str> {
    match term {
        Term::Num(text) | Term::Var(text) | Term::Break(text) | Term::Label(text, _) => Some(text),
        Term::Call(text, _) | Term::Str(Some(text), _) | Term::Fold(text, ..) => Some(text),
        Term::Str(None, parts) if matches!(parts.first(), Some(StrPart::Str(_))) => {
            match parts.first() {
                Some(StrPart::Str(text)) => Some(text),
                _ => None,
            }
        }
        _ => {
            let mut found = None;
            children(term, &mut |child| {
                found = found.or_else(|| first_text(child))
            });
            found
        }
    }
}
