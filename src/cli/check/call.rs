//! Fixtures of kind `call`: the requests of an operation, compared one by one.

use super::diff;
use crate::canonical::Timestamp;
use crate::cli::rehearse::{GivenAnswer, Rehearsal, Setup, all_steps, one_step};
use crate::connector::Connector;
use crate::manifest::Finding;
use crate::manifest::fixture::Case;
use serde_json::{Value, json};

/// Runs the case: its requests against `expect-request.json`, what the last answer of
/// `answers.json` means against `class`.
pub(super) fn run(connector: &Connector, case: &Case) -> Result<Vec<Finding>, Finding> {
    let file = case.path("case.toml");
    let name = case.operation.as_deref().unwrap_or_default();
    let answers: Vec<GivenAnswer> = match case.json("answers")? {
        None => Vec::new(),
        Some(given) => serde_json::from_value(given).map_err(|error| {
            Finding::of(
                &case.path("answers.json"),
                format!("not a list of answers: {error}"),
            )
        })?,
    };
    let setup = Setup {
        settings: case.settings.clone(),
        credentials: case.credentials.clone(),
        memory: case.memory.clone(),
        input: case.json("input")?.unwrap_or(Value::Null),
        cursor: case.cursor.clone(),
        steps: case.steps.clone(),
        now: case.now.unwrap_or(Timestamp::UNIX_EPOCH),
    };
    let rehearsal = match &case.step {
        Some(step) => one_step(connector, name, Some(step), &setup).map(|requests| Rehearsal {
            requests,
            outcome: None,
        }),
        None => all_steps(connector, name, &setup, &answers),
    };
    let rehearsal = rehearsal.map_err(|error| Finding::of(&file, error.to_string()))?;
    let expected = case
        .json("expect-request")?
        .ok_or_else(|| Finding::of(&file, "there is no expect-request.json beside it"))?;
    let mut findings = requests(case, &expected, &rehearsal);
    if let Some(wanted) = &case.class {
        let got = match &rehearsal.outcome {
            None => "unanswered",
            Some(outcome) => outcome.class.map_or("ok", |class| class.as_str()),
        };
        if wanted != got {
            findings.push(Finding::of(
                &file,
                format!("the last answer means `{got}`, expected `{wanted}`"),
            ));
        }
    }
    Ok(findings)
}

fn requests(case: &Case, expected: &Value, rehearsal: &Rehearsal) -> Vec<Finding> {
    let file = case.path("expect-request.json");
    let Some(wanted) = expected.as_array() else {
        return vec![Finding::of(&file, "must be an array of requests")];
    };
    let mut findings = Vec::new();
    for (index, (wanted, got)) in wanted.iter().zip(&rehearsal.requests).enumerate() {
        let got = comparable(wanted, &got.step, &got.request);
        if let Some(difference) = diff::first(wanted, &got) {
            findings.push(Finding::of(&file, format!("request {index}: {difference}")));
        }
    }
    if wanted.len() != rehearsal.requests.len() {
        let steps: Vec<&str> = rehearsal
            .requests
            .iter()
            .map(|request| request.step.as_str())
            .collect();
        let message = format!(
            "{} requests ({}), expected {}",
            steps.len(),
            steps.join(", "),
            wanted.len()
        );
        findings.push(Finding::of(&file, message));
    }
    findings
}

/// What was sent, less the headers that the fixture does not name.
fn comparable(wanted: &Value, step: &str, request: &Value) -> Value {
    let mut got = json!({"step": step});
    let (Some(into), Some(from)) = (got.as_object_mut(), request.as_object()) else {
        return got;
    };
    into.extend(from.clone());
    if wanted.get("step").is_none() {
        into.remove("step");
    }
    let named = wanted.get("headers").and_then(Value::as_object);
    match (
        named,
        into.get_mut("headers").and_then(Value::as_object_mut),
    ) {
        (Some(named), Some(headers)) => headers.retain(|name, _| named.contains_key(name)),
        _ => drop(into.remove("headers")),
    }
    got
}
