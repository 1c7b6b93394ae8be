//! `crossdock render`: canonical input in, the exact HTTP request out, secrets masked.

use super::rehearse::{GivenAnswer, RehearseError, Rehearsed, Setup, all_steps, one_step};
use super::{BAD_PAYLOAD, FOUND, OK, Streams, find, typed_settings};
use crate::canonical::Timestamp;
use crate::connector::{Connector, Registry};
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
        other => {
            let hint = asked_for(&connector, command, &setup.input);
            hinted("request_not_built", &other.to_string(), &hint)
        }
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

/// What the operation reads of its input, and what of that is not there.
fn asked_for(connector: &Connector, command: &RenderCommand, input: &Value) -> String {
    const LEARNT: &str = "what earlier steps learn comes with --answers";
    let Some(operation) = connector.manifest().operations.get(&command.operation) else {
        return LEARNT.to_owned();
    };
    let mut texts = vec![serde_json::to_string(operation).unwrap_or_default()];
    let bodies = operation
        .steps
        .iter()
        .filter_map(|step| step.body_mapping.as_ref());
    let programs = &connector.folder().programs;
    texts.extend(bodies.filter_map(|name| programs.get(&format!("{name}.jq")).cloned()));
    let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let reads = texts.iter().flat_map(|text| text.split(".input.").skip(1));
    let mut reads: Vec<String> = reads
        .map(|rest| rest.chars().take_while(word).collect())
        .collect();
    reads.sort();
    reads.dedup();
    let missing = |key: &&String| input.get(key.as_str()).is_none_or(Value::is_null);
    let missing: Vec<&str> = reads.iter().filter(missing).map(String::as_str).collect();
    format!(
        "the canonical input is FILE (- is standard input); {} reads of it: {}; not there: {}; {LEARNT}",
        command.operation,
        named(reads.iter().map(String::as_str)),
        named(missing.into_iter())
    )
}

fn named<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<&str> = names.collect();
    match all.is_empty() {
        true => "nothing".to_owned(),
        false => all.join(", "),
    }
}

fn problem(code: &str, message: &str) -> (u8, String) {
    hinted(
        code,
        message,
        "the canonical input is FILE (- is standard input)",
    )
}

fn hinted(code: &str, message: &str, hint: &str) -> (u8, String) {
    let problem =
        json!({"class": "invalid", "code": code, "message": message, "detail": {}, "hint": hint});
    (BAD_PAYLOAD, problem.to_string())
}
