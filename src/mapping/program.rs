//! One mapping or expression: parsed and linted when it is made, compiled at its first use, run by many threads.

use super::compile::{self, Compiled};
use super::engine::{Engine, Frame};
use super::library::Library;
use super::{CompileError, MapError, Val, lint, syntax};
use jaq_core::{Ctx, Vars};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// Most outputs of one run.
const OUTPUT_CAP: usize = 100_000;

/// A program. A clone costs a reference count.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    label: String,
    source: String,
    library: Library,
    compiled: OnceLock<Result<Compiled, CompileError>>,
}

/// The variables that a program sees: `$connection` (settings, never secrets), `$headers`, `$context`.
#[derive(Clone, Default, Debug)]
pub struct Scope {
    /// The connection's settings.
    pub connection: Val,
    /// The delivery's headers.
    pub headers: Val,
    /// What else the caller tells.
    pub context: Val,
}

/// What a run yields.
#[derive(Debug, Default)]
pub struct Yield {
    /// All outputs, in order.
    pub values: Vec<Val>,
    /// What the run wants people to know.
    pub notes: Notes,
}

/// What a run wants people to know.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notes {
    /// Texts of `warn(…)`.
    pub warnings: Vec<String>,
    /// Codes that a table did not know, by `code(…)`.
    pub drift: Vec<Drift>,
}

/// A code that a table does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Drift {
    /// The table's name.
    pub table: String,
    /// The unknown code.
    pub key: String,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("label", &self.inner.label)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// Parses and lints a program. `label` names it in errors, such as `connector/order.jq`.
    pub fn new(label: &str, source: &str, library: &Library) -> Result<Self, CompileError> {
        let term = syntax::program(label, source)?;
        lint::program(label, source, &term, library)?;
        let (label, source, library) = (label.to_owned(), source.to_owned(), library.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                label,
                source,
                library,
                compiled: OnceLock::new(),
            }),
        })
    }

    /// The name it was made with.
    pub fn label(&self) -> &str {
        &self.inner.label
    }

    /// Runs a mapping: all outputs and notes.
    pub fn run(&self, input: Val, scope: &Scope) -> Result<Yield, MapError> {
        self.guarded(|compiled| {
            let mut values = Vec::new();
            let notes = self.each(compiled, input, scope, |value| {
                if values.len() >= OUTPUT_CAP {
                    return Err(MapError::TooLarge(format!(
                        "the mapping yields more than {OUTPUT_CAP} values"
                    )));
                }
                values.push(value);
                Ok(())
            })?;
            Ok(Yield { values, notes })
        })
    }

    /// Runs an expression: exactly one output, else an error. Its notes are dropped.
    pub fn run_one(&self, input: Val, scope: &Scope) -> Result<Val, MapError> {
        self.guarded(|compiled| {
            let mut only = None;
            self.each(compiled, input, scope, |value| match only.replace(value) {
                None => Ok(()),
                Some(_) => Err(MapError::ManyOutputs),
            })?;
            only.ok_or(MapError::NoOutput)
        })
    }

    /// Compiles if nobody did, and turns a panic inside jq into an error: one payload never takes a worker down.
    fn guarded<T>(
        &self,
        run: impl FnOnce(&Compiled) -> Result<T, MapError>,
    ) -> Result<T, MapError> {
        let inner = &*self.inner;
        let compiled = inner
            .compiled
            .get_or_init(|| compile::compile(&inner.label, &inner.source, &inner.library));
        let compiled = compiled
            .as_ref()
            .map_err(|error| MapError::Compile(error.clone()))?;
        catch_unwind(AssertUnwindSafe(|| run(compiled)))
            .unwrap_or_else(|_| Err(MapError::Internal("the interpreter panicked".to_owned())))
    }

    fn each(
        &self,
        compiled: &Compiled,
        input: Val,
        scope: &Scope,
        mut take: impl FnMut(Val) -> Result<(), MapError>,
    ) -> Result<super::Notes, MapError> {
        let frame = Frame::new(
            &compiled.filter.lut,
            &self.inner.library,
            &compiled.quicks,
            scope,
        );
        let vars = Vars::new(compile::variables(scope));
        for output in compiled
            .filter
            .id
            .run((Ctx::<Engine>::new(&frame, vars), input))
        {
            match output {
                Ok(value) => take(value)?,
                Err(exception) => {
                    return Err(match exception.get_err() {
                        Ok(raised) => frame.ended_by(raised),
                        Err(_) => MapError::Internal("control flow left the mapping".to_owned()),
                    });
                }
            }
        }
        Ok(frame.take_notes())
    }
}
