//! Fixtures of kind `mapping`: the payload's bytes, and the whole canonical output they must give.

use super::diff;
use crate::connector::Connector;
use crate::connector::map::{MapInput, map};
use crate::manifest::Finding;
use crate::manifest::fixture::Case;
use serde_json::Value;

/// Runs the case: `input.*` through its mapping, compared with `expect.json` (the whole array)
/// and `expect-problem.json` (the keys given there of the first problem).
pub(super) fn run(connector: &Connector, case: &Case) -> Result<Vec<Finding>, Finding> {
    let name = case.mapping.as_deref().unwrap_or_default();
    let case_file = case.path("case.toml");
    if connector.mapping(name).is_none() {
        return Err(Finding::of(
            &case_file,
            format!("there is no mapping `{name}`"),
        ));
    }
    let Some(body) = case.bytes("input")? else {
        return Err(Finding::of(
            &case_file,
            "there is no input.json or input.xml beside it",
        ));
    };
    let (expected, problem) = (case.json("expect")?, case.json("expect-problem")?);
    if expected.is_none() && problem.is_none() {
        return Err(Finding::of(
            &case_file,
            "there is neither expect.json nor expect-problem.json beside it",
        ));
    }
    let input = MapInput {
        settings: case.settings.clone(),
        headers: case.headers.clone(),
        records: None,
    };
    let mapped = map(connector, name, &body, &input);
    let mut findings = Vec::new();
    if let Some(expected) = expected
        && let Some(difference) = diff::first(&expected, &mapped.json())
    {
        findings.push(Finding::of(&case.path("expect.json"), difference));
    }
    match (problem, mapped.failures.first()) {
        (None, None) => {}
        (None, Some(failure)) => {
            let mut finding = Finding::of(
                &case_file,
                format!("the mapping failed: {}", failure.message),
            );
            finding.hint.clone_from(&failure.hint);
            findings.push(finding);
        }
        (Some(_), None) => {
            findings.push(Finding::of(
                &case.path("expect-problem.json"),
                "a problem was expected, the mapping succeeded",
            ));
        }
        (Some(wanted), Some(failure)) => {
            let got = serde_json::to_value(failure).unwrap_or_default();
            if let Some(difference) = first_missing(&wanted, &got) {
                findings.push(Finding::of(&case.path("expect-problem.json"), difference));
            }
        }
    }
    Ok(findings)
}

/// The first key of `wanted` that is another one in `got`.
fn first_missing(wanted: &Value, got: &Value) -> Option<String> {
    let keys = wanted.as_object()?;
    keys.iter().find_map(|(key, value)| {
        let found = got.get(key).unwrap_or(&Value::Null);
        diff::first(value, found).map(|difference| format!("{key}: {difference}"))
    })
}
