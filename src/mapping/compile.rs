//! From parse tree to something that runs: keeps what the program uses of jq and the library, precompiles, and hands over to jq.

use super::engine::{Engine, quick_fun};
use super::library::Library;
use super::lower::Lowering;
use super::quick::Prepared;
use super::{CompileError, Scope, Val, prelude, syntax, visit};
use jaq_core::load::parse::{Def, Term};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Bind, Compiler, Filter, Native};
use std::collections::HashSet;

/// The name under which the program itself is compiled.
const MAIN: &str = "crossdock_main";

/// The variables of every program, in the order of [`variables`].
const VARIABLES: [&str; 6] = [
    "$connection",
    "$headers",
    "$context",
    "$!null",
    "$!true",
    "$!false",
];

/// The constant that jq spells as a call, as a variable.
pub(super) fn constant_variable(name: &str) -> Option<&'static str> {
    match name {
        "null" => Some("$!null"),
        "true" => Some("$!true"),
        "false" => Some("$!false"),
        _ => None,
    }
}

/// The values of [`VARIABLES`].
pub(super) fn variables(scope: &Scope) -> [Val; 6] {
    let Scope {
        connection,
        headers,
        context,
    } = scope;
    [
        connection.clone(),
        headers.clone(),
        context.clone(),
        Val::Null,
        Val::Bool(true),
        Val::Bool(false),
    ]
}

/// A compiled program.
pub(super) struct Compiled {
    pub filter: Filter<Engine>,
    pub quicks: Vec<Prepared>,
}

/// Compiles a linted program.
pub(super) fn compile(
    label: &str,
    source: &str,
    library: &Library,
) -> Result<Compiled, CompileError> {
    let internal = |message: String| CompileError {
        label: label.to_owned(),
        line: 1,
        column: 1,
        message,
        hint: None,
    };
    let arena = Arena::default();
    let body = syntax::program(label, source)?;
    let (defs, called) = reachable(&body, library);
    let mut lowering = Lowering::new(&arena);
    let mut defs: Vec<Def<&str>> = defs
        .into_iter()
        .map(|(def, prelude)| lowering.definition(def.clone(), prelude))
        .collect();
    defs.push(Def {
        name: MAIN,
        args: Vec::new(),
        body: lowering.main(body),
    });
    let quicks = lowering.finish();

    let modules = Loader::new(defs)
        .load(
            &arena,
            File {
                code: MAIN,
                path: (),
            },
        )
        .map_err(|_| internal("the program does not load".to_owned()))?;
    let funs =
        functions(&called, &quicks).ok_or_else(|| internal("too many expressions".to_owned()))?;
    let filter = Compiler::default()
        .with_funs(funs)
        .with_global_vars(VARIABLES)
        .compile(modules)
        .map_err(|errors| {
            let unknown = errors
                .iter()
                .flat_map(|(_, undefined)| undefined.iter())
                .next();
            internal(
                unknown.map_or("does not compile".to_owned(), |(name, kind)| {
                    format!("unknown {} {name}", kind.as_str())
                }),
            )
        })?;
    let quicks = quicks.into_iter().map(|(_, prepared)| prepared).collect();
    Ok(Compiled { filter, quicks })
}

/// A function with its name and arguments, as jq's compiler takes it.
type Function<'s> = (&'s str, Box<[Bind]>, Native<Engine>);

/// The functions that a program may call.
fn functions<'s>(
    called: &HashSet<String>,
    quicks: &[(&'s str, Prepared)],
) -> Option<Vec<Function<'s>>> {
    let mut functions: Vec<_> = prelude::functions()
        .filter(|(name, ..)| called.contains(*name) || name.starts_with('!'))
        .collect();
    for (index, (name, prepared)) in quicks.iter().enumerate() {
        let (args, run) = quick_fun(index, prepared.closures)?;
        functions.push((*name, args, run));
    }
    Some(functions)
}

/// The definitions that a program needs, in order, each with whether it is jq's own, and every name that it or they call. Definitions call only earlier ones.
fn reachable<'l>(
    body: &Term<&str>,
    library: &'l Library,
) -> (Vec<(&'l Def<&'static str>, bool)>, HashSet<String>) {
    let mut called = HashSet::new();
    let mut note = |name: &str| {
        called.insert(name.to_owned());
    };
    visit::calls(body, &mut note);
    let mut kept = Vec::new();
    let prelude = prelude::definitions().iter().map(|def| (def, true));
    let library = library.defs().iter().map(|def| (def, false));
    for (def, prelude) in prelude.chain(library).collect::<Vec<_>>().into_iter().rev() {
        if called.contains(def.name) {
            visit::calls(&def.body, &mut |name| {
                called.insert(name.to_owned());
            });
            kept.push((def, prelude));
        }
    }
    kept.reverse();
    (kept, called)
}
