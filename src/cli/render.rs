//! `crossdock render`: canonical input in, the exact HTTP request out, secrets masked.

use super::rehearse::{GivenAnswer, RehearseError, Rehearsed, Setup, all_steps, one_step};
use super::{BAD_PAYLOAD, FOUND, OK, Streams, find, typed_settings};
use crate::canonical::Timestamp;
use crate::connector::Registry;
use serde_json::{Value, json};

/// What the command line said.
#[derive(Debug, Clone)]
pub struct RenderCommand {
    /// Id or folder.
    pub connector: String,
    /// The operation's name.
    pub operation: String,
    /// The canonical input; empty is null.
    pub input: Vec<u8>,
    /// `--step`: this one; else the first that applies.
    pub step: Option<String>,
    /// `--answers`: run all steps against these (a JSON array of `{status, headers, body}`).
    pub answers: Option<Vec<u8>>,
    /// `--set`.
    pub settings: Vec<(String, String)>,
    /// `--cursor`.
    pub cursor: Option<String>,
    /// The moment of the call.
    pub now: Timestamp,
}

/// Prints one request as an object; with answers, or for a step that runs once an item, an array.
pub fn run(registry: &Registry, command: RenderCommand, streams: &mut Streams<'_>) -> u8 {
    match rendered(registry, &command) {
        Ok(requests) => {
            streams.line(&serde_json::to_string_pretty(&requests).unwrap_or_default());
            OK
        }
        Err((code, message)) => {
            streams.note(&message);
            code
        }
    }
}

fn rendered(registry: &Registry, command: &RenderCommand) -> Result<Value, (u8, String)> {
    let wrong = |message: String| (FOUND, message);
    let connector = find(registry, &command.connector).map_err(wrong)?;
    let settings = typed_settings(connector.manifest(), &command.settings).map_err(wrong)?;
    let input = match command.input.trim_ascii() {
        b"" => Value::Null,
        text => serde_json::from_slice(text)
            .map_err(|e| problem("input_unreadable", &format!("the input is no JSON: {e}")))?,
    };
    let setup = Setup {
        settings,
        credentials: Default::default(),
        memory: Default::default(),
        input,
        cursor: command.cursor.clone(),
        steps: Default::default(),
        now: command.now,
    };
    let failed = |error: RehearseError| match error {
        RehearseError::Unknown(message) => wrong(message),
        other => problem("request_not_built", &other.to_string()),
    };
    let shown = |rehearsed: &Rehearsed| {
        let mut request = json!({"step": rehearsed.step});
        if let (Some(into), Some(from)) = (request.as_object_mut(), rehearsed.request.as_object()) {
            into.extend(from.clone());
        }
        request
    };
    if let Some(answers) = &command.answers {
        let answers: Vec<GivenAnswer> = serde_json::from_slice(answers)
            .map_err(|e| wrong(format!("--answers is no array of answers: {e}")))?;
        let rehearsal =
            all_steps(&connector, &command.operation, &setup, &answers).map_err(failed)?;
        return Ok(rehearsal.requests.iter().map(shown).collect());
    }
    let requests = one_step(
        &connector,
        &command.operation,
        command.step.as_deref(),
        &setup,
    )
    .map_err(failed)?;
    match requests.as_slice() {
        [only] => Ok(only.request.clone()),
        several => Ok(several.iter().map(|each| each.request.clone()).collect()),
    }
}

fn problem(code: &str, message: &str) -> (u8, String) {
    let hint = "where a value is missing: the canonical input is FILE (- is standard input), what earlier steps learn comes with --answers";
    let problem =
        json!({"class": "invalid", "code": code, "message": message, "detail": {}, "hint": hint});
    (BAD_PAYLOAD, problem.to_string())
}
