//! The requests of an operation without sending them: `crossdock render`, fixtures of calls out.
//!
//! What always holds: the same input renders the same text (time is given, secrets and signatures
//! are masked); nothing is sent, no credential is needed.

use super::auth::Signing;
use super::credentials::Credentials;
use super::planned::MASK;
use super::provider::{Account, Provider, context, page};
use super::request::{PlanError, Turn, plan};
use super::value::{from_json, truthy, with};
use crate::canonical::Timestamp;
use crate::connector::map::settings;
use crate::manifest::model::{Pagination, Step};
use crate::mapping::MapError;
use jaq_json::Val;
use serde_json::{Map, Value};

/// What to render.
#[derive(Debug, Clone)]
pub struct RenderInput<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The step; the first that applies, when left out.
    pub step: Option<&'a str>,
    /// The command, canonical.
    pub input: &'a Value,
    /// The non-secret form values; the form's defaults are added.
    pub settings: &'a Map<String, Value>,
    /// What earlier operations learned.
    pub memory: &'a Map<String, Value>,
    /// What earlier steps saved, by name.
    pub steps: &'a Map<String, Value>,
    /// Where the provider delivers webhooks.
    pub hook_url: Option<&'a str>,
    /// A poll's position.
    pub cursor: Option<&'a Value>,
    /// The moment.
    pub now: Timestamp,
}

/// An operation that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// No such operation; those there are.
    #[error("the connector has no operation `{0}`; it has: {1}")]
    UnknownOperation(String, String),
    /// No such step; those there are.
    #[error("the operation has no step `{0}`; it has: {1}")]
    UnknownStep(String, String),
    /// No step's `when` holds for this input.
    #[error("no step of the operation applies to this input")]
    NothingToDo,
    /// An expression failed.
    #[error("{place}: {error}")]
    Expression {
        /// Where in the manifest.
        place: String,
        /// Why.
        error: MapError,
    },
    /// The request cannot be built.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The requests of one step, masked: one, or one for each item of its `for_each`. Of a list that
/// is paged, the first page.
pub fn render(provider: &dyn Provider, input: &RenderInput<'_>) -> Result<Vec<Value>, RenderError> {
    let manifest = provider.manifest();
    let operation = manifest.operations.get(input.operation).ok_or_else(|| {
        let known: Vec<_> = manifest.operations.keys().map(String::as_str).collect();
        RenderError::UnknownOperation(input.operation.to_owned(), known.join(", "))
    })?;
    let settings = settings(manifest, input.settings);
    let account = Account {
        id: None,
        settings: &settings,
        hook_url: input.hook_url,
        memory: input.memory,
    };
    let context = context(&account, input.input, input.cursor, input.now);
    let context = with(
        &context,
        "steps",
        from_json(&Value::Object(input.steps.clone())),
    );
    let step = chosen(provider, &operation.steps, input.step, &context)?;
    let credentials: Credentials = manifest
        .credentials
        .keys()
        .map(|name| (name.clone(), MASK.to_owned().into()))
        .collect();
    let first = if let Pagination::Page { first, .. } = &step.pagination {
        *first
    } else {
        1
    };
    let context = with(&context, "page", page(first, None));
    let param = match &step.pagination {
        Pagination::Page { param, first, .. } => Some((param.clone(), first.to_string())),
        _ => None,
    };
    let turn = Turn {
        target: None,
        param,
    };
    let signing = Signing {
        now: input.now,
        nonce: MASK.to_owned(),
    };
    let contexts = items(provider, step, context)?;
    let requests = contexts.iter().map(|context| {
        let request = plan(provider, step, context, &credentials, &signing, &turn)?;
        Ok(request.masked())
    });
    requests.collect()
}

fn chosen<'s>(
    provider: &dyn Provider,
    steps: &'s [Step],
    name: Option<&str>,
    context: &Val,
) -> Result<&'s Step, RenderError> {
    if let Some(name) = name {
        let known = || {
            steps
                .iter()
                .map(|step| step.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let found = steps.iter().find(|step| step.name == name);
        return found.ok_or_else(|| RenderError::UnknownStep(name.to_owned(), known()));
    }
    for step in steps {
        let holds = match &step.when {
            None => true,
            Some(when) => truthy(&eval(provider, step, "when", when, context)?),
        };
        if holds {
            return Ok(step);
        }
    }
    Err(RenderError::NothingToDo)
}

/// The context of each request: one, or one an item.
fn items(provider: &dyn Provider, step: &Step, context: Val) -> Result<Vec<Val>, RenderError> {
    let Some(for_each) = &step.for_each else {
        return Ok(vec![context]);
    };
    match eval(provider, step, "for_each", for_each, &context)? {
        Val::Arr(items) => Ok(items
            .iter()
            .map(|item| with(&context, "item", item.clone()))
            .collect()),
        _ => Ok(Vec::new()),
    }
}

fn eval(
    provider: &dyn Provider,
    step: &Step,
    place: &str,
    expression: &str,
    context: &Val,
) -> Result<Val, RenderError> {
    provider
        .eval(expression, context)
        .map_err(|error| RenderError::Expression {
            place: format!("{}.{place}", step.name),
            error,
        })
}

#[cfg(test)]
mod tests;
