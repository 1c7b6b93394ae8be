//! An operation without a network: the requests it would send, one after the other, fed with given
//! answers (one page a step). What `crossdock render` prints and fixtures of kind `call` compare.
//!
//! What always holds: requests are planned by the engine's own planner and answers are judged by
//! its own judge; secrets are masked; the first answer that is missing ends the rehearsal.

use crate::canonical::Timestamp;
use crate::connector::{Connector, map};
use crate::manifest::model::{Operation, RuleClass, Step};
use crate::mapping::{MapError, Val};
use crate::operation::auth::Signing;
use crate::operation::classify::{Judge, Outcome};
use crate::operation::client::Answer;
use crate::operation::decode::decode;
use crate::operation::paging::Pager;
use crate::operation::planned::PlannedRequest;
use crate::operation::provider::{Account, Provider, context};
use crate::operation::render::{RenderError, RenderInput, render};
use crate::operation::request::{PlanError, plan};
use crate::operation::retry;
use crate::operation::value::{field, from_json, object, text, truthy, with};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where made-up connections receive webhooks.
const HOOK_URL: &str = "https://gateway.example/hooks/con_made_up";

/// What an operation is given.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Settings; defaults of the form are added.
    pub settings: Map<String, Value>,
    /// Credentials; what is missing is taken from the form's examples.
    pub credentials: BTreeMap<String, String>,
    /// What the connection remembers.
    pub memory: Map<String, Value>,
    /// The canonical input.
    pub input: Value,
    /// The poll's position.
    pub cursor: Option<String>,
    /// What earlier steps saved, for a step on its own.
    pub steps: Map<String, Value>,
    /// `.now`.
    pub now: Timestamp,
}

/// An answer of the provider, as a file gives it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON, or a text that is taken as it is.
    #[serde(default)]
    pub body: Value,
}

/// A request that would be sent.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// The step's name.
    pub step: String,
    /// `{method, url, headers, body}`, secrets as `***`.
    pub request: Value,
}

/// How far it came.
#[derive(Debug, Clone, Default)]
pub struct Rehearsal {
    /// The requests, in order.
    pub requests: Vec<Rehearsed>,
    /// What the last answer means; `None` when there was none.
    pub outcome: Option<Outcome>,
}

/// Why an operation cannot be rehearsed.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    /// No such operation or step.
    #[error("{0}")]
    Unknown(String),
    /// A step cannot be rendered.
    #[error(transparent)]
    Render(Box<RenderError>),
    /// A request cannot be built.
    #[error("step `{0}`: {1}")]
    Plan(String, Box<PlanError>),
    /// An expression failed.
    #[error("step `{0}`, {1}: {2}")]
    Expression(String, &'static str, Box<MapError>),
}

/// One rehearsal under way.
struct Stage<'a> {
    connector: &'a Connector,
    name: &'a str,
    credentials: BTreeMap<String, SecretString>,
    signing: Signing,
    now: Timestamp,
}

/// The requests of one step (the first that applies, when left out), by the engine's own renderer;
/// one request an item of `for_each`.
///
/// # Errors
/// When there is no such step, or its request needs what earlier steps would have learned.
pub fn one_step(
    connector: &Connector,
    name: &str,
    step: Option<&str>,
    setup: &Setup,
) -> Result<Vec<Rehearsed>, RehearseError> {
    let settings = filled(connector, &setup.settings);
    let cursor = setup.cursor.clone().map(Value::String);
    let requests = render(
        connector,
        &RenderInput {
            operation: name,
            step,
            input: &setup.input,
            settings: &settings,
            memory: &setup.memory,
            steps: &setup.steps,
            hook_url: Some(HOOK_URL),
            cursor: cursor.as_ref(),
            now: setup.now,
        },
    )
    .map_err(|error| match error {
        RenderError::UnknownOperation(..) | RenderError::UnknownStep(..) => {
            RehearseError::Unknown(error.to_string())
        }
        other => RehearseError::Render(Box::new(other)),
    })?;
    let step = step.unwrap_or_default().to_owned();
    Ok(requests
        .into_iter()
        .map(|request| Rehearsed {
            step: step.clone(),
            request,
        })
        .collect())
}

/// The settings with the form's defaults; what is required and not given comes from its example.
fn filled(connector: &Connector, given: &Map<String, Value>) -> Map<String, Value> {
    let manifest = connector.manifest();
    let mut settings = map::settings(manifest, given);
    for (name, field) in &manifest.settings {
        if let (true, Some(example)) = (
            field.required && !settings.contains_key(name),
            &field.example,
        ) {
            settings.insert(name.clone(), example.clone().into());
        }
    }
    settings
}

/// Runs the operation's steps against the given answers.
///
/// # Errors
/// When an expression fails or a request cannot be built.
pub fn all_steps(
    connector: &Connector,
    name: &str,
    setup: &Setup,
    answers: &[GivenAnswer],
) -> Result<Rehearsal, RehearseError> {
    let operation = operation(connector, name)?;
    let (stage, mut base) = stage(connector, name, setup);
    let mut answers = answers.iter();
    let mut rehearsal = Rehearsal::default();
    for step in &operation.steps {
        if let Some(when) = &step.when
            && !truthy(&stage.eval(step, "when", when, &base)?)
        {
            continue;
        }
        let mut saved = Vec::new();
        for context in stage.items(step, &base)? {
            let context = with(&context, "page", Pager::new(&step.pagination).context());
            let request = stage.plan(step, &context)?;
            rehearsal.requests.push(Rehearsed {
                step: step.name.clone(),
                request: request.masked(),
            });
            let Some(given) = answers.next() else {
                return Ok(rehearsal);
            };
            let (outcome, after) = stage.judge(step, &context, &request, given);
            let accepted = outcome.is_ok()
                || step
                    .accept
                    .iter()
                    .any(|class: &RuleClass| class.class() == outcome.class);
            rehearsal.outcome = Some(if accepted {
                Outcome::ok(outcome.status)
            } else {
                outcome
            });
            if !accepted {
                return Ok(rehearsal);
            }
            if let Some(save) = &step.save {
                saved.push(stage.eval(step, "save", save, &after)?);
            }
            if let Some(done) = &step.done_when
                && truthy(&stage.eval(step, "done_when", done, &after)?)
            {
                return Ok(rehearsal);
            }
        }
        let learned = match step.for_each {
            None => saved.pop(),
            Some(_) => Some(saved.into_iter().collect()),
        };
        if let Some(learned) = learned {
            let steps = field(&base, "steps").cloned().unwrap_or_default();
            base = with(&base, "steps", with(&steps, &step.name, learned));
        }
    }
    Ok(rehearsal)
}

fn operation<'c>(connector: &'c Connector, name: &str) -> Result<&'c Operation, RehearseError> {
    let operations = &connector.manifest().operations;
    operations.get(name).ok_or_else(|| {
        let names: Vec<&str> = operations.keys().map(String::as_str).collect();
        RehearseError::Unknown(format!(
            "{} has no operation `{name}`; it has: {}",
            connector.id(),
            names.join(", ")
        ))
    })
}

/// The stage and the context before the first answer.
fn stage<'a>(connector: &'a Connector, name: &'a str, setup: &Setup) -> (Stage<'a>, Val) {
    let manifest = connector.manifest();
    let settings = filled(connector, &setup.settings);
    let made_up = |name: &String, example: &Option<String>| {
        let given = setup.credentials.get(name).or(example.as_ref());
        SecretString::from(given.cloned().unwrap_or_else(|| "made-up".to_owned()))
    };
    let credentials = manifest
        .credentials
        .iter()
        .map(|(name, field)| (name.clone(), made_up(name, &field.example)))
        .collect();
    let account = Account {
        id: None,
        settings: &settings,
        hook_url: Some(HOOK_URL),
        memory: &setup.memory,
    };
    let cursor = setup.cursor.clone().map(Value::String);
    let base = context(&account, &setup.input, cursor.as_ref(), setup.now);
    let signing = Signing {
        now: setup.now,
        nonce: "madeup".to_owned(),
    };
    (
        Stage {
            connector,
            name,
            credentials,
            signing,
            now: setup.now,
        },
        base,
    )
}

impl Stage<'_> {
    fn eval(
        &self,
        step: &Step,
        place: &'static str,
        expr: &str,
        context: &Val,
    ) -> Result<Val, RehearseError> {
        Provider::eval(self.connector, expr, context)
            .map_err(|error| RehearseError::Expression(step.name.clone(), place, Box::new(error)))
    }

    /// The contexts of a step: one, or one an item.
    fn items(&self, step: &Step, base: &Val) -> Result<Vec<Val>, RehearseError> {
        let Some(expr) = &step.for_each else {
            return Ok(vec![base.clone()]);
        };
        match self.eval(step, "for_each", expr, base)? {
            Val::Null => Ok(Vec::new()),
            Val::Arr(items) => Ok(items
                .iter()
                .map(|item| with(base, "item", item.clone()))
                .collect()),
            _ => {
                let error = MapError::Failed("must yield an array".to_owned());
                Err(RehearseError::Expression(
                    step.name.clone(),
                    "for_each",
                    Box::new(error),
                ))
            }
        }
    }

    fn plan(&self, step: &Step, context: &Val) -> Result<PlannedRequest, RehearseError> {
        plan(
            self.connector,
            step,
            context,
            &self.credentials,
            &self.signing,
            &Pager::new(&step.pagination).turn(),
        )
        .map_err(|error| RehearseError::Plan(step.name.clone(), Box::new(error)))
    }

    /// What an answer means, and the context after it.
    fn judge(
        &self,
        step: &Step,
        context: &Val,
        request: &PlannedRequest,
        given: &GivenAnswer,
    ) -> (Outcome, Val) {
        let transport = &self.connector.manifest().transport;
        let answer = given.answer();
        let decoded = decode(
            transport.answer_format(step),
            transport.skip_prelude,
            &answer,
        );
        let headers = given
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value));
        let headers: BTreeMap<String, &String> = headers.collect();
        let sent = object([
            ("method", text(request.method.as_str())),
            ("url", text(&request.masked_url())),
        ]);
        let after = with(context, "status", from_json(&given.status.into()));
        let after = with(
            &after,
            "headers",
            object(
                headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), text(value))),
            ),
        );
        let after = with(&with(&after, "body", decoded.body.clone()), "request", sent);
        let judge = Judge {
            provider: self.connector,
            operation: self.name,
            repeatable: retry::repeatable(step.repeat, step.method),
            refreshable: false,
            now: self.now,
        };
        (judge.answer(&answer, &decoded, &after), after)
    }
}

impl GivenAnswer {
    fn answer(&self) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::try_from(name.as_str()),
                HeaderValue::try_from(value.as_str()),
            ) {
                headers.insert(name, value);
            }
        }
        let body = match &self.body {
            Value::Null => String::new(),
            Value::String(raw) => raw.clone(),
            json => json.to_string(),
        };
        Answer {
            status: self.status,
            headers,
            body: body.into(),
        }
    }
}
