//! Answers that say no, to every step of every operation: each gets the class by which it is tried
//! again, parked or told to a person, and a purchase whose answer is lost is never taken for one
//! that failed.

use super::{cases, connectors};
use crossdock::canonical::Timestamp;
use crossdock::canonical::problem::Class;
use crossdock::cli::rehearse::{GivenAnswer, Rehearsal, Setup, all_steps};
use crossdock::connector::Connector;
use crossdock::manifest::fixture::{Case, Kind};
use crossdock::manifest::model::Step;
use crossdock::operation::retry;
use serde_json::{Value, json};

fn setup(case: &Case) -> Setup {
    Setup {
        settings: case.settings.clone(),
        credentials: case.credentials.clone(),
        memory: case.memory.clone(),
        input: case.json("input").unwrap().unwrap_or(Value::Null),
        cursor: case.cursor.clone(),
        steps: case.steps.clone(),
        now: case.now.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn given(status: u16, headers: Value, body: Value) -> GivenAnswer {
    serde_json::from_value(json!({"status": status, "headers": headers, "body": body})).unwrap()
}

/// What each answer may mean, to a step that may be repeated and to one that may not.
pub(super) fn refusals() -> Vec<(
    &'static str,
    GivenAnswer,
    &'static [Class],
    &'static [Class],
)> {
    use Class::{
        Ambiguous, AuthBroken, AuthExpired, BrokenContract, Rejected, Throttled, Transient,
    };
    let html = json!({"content-type": "text/html"});
    let page = json!("<html><body>Maintenance</body></html>");
    let plain = json!({"content-type": "application/json"});
    vec![
        (
            "429",
            given(429, plain.clone(), json!({})),
            &[Throttled],
            &[Throttled],
        ),
        (
            "429 with Retry-After",
            given(429, json!({"retry-after": "7"}), json!({})),
            &[Throttled],
            &[Throttled],
        ),
        (
            "401",
            given(401, plain.clone(), json!({})),
            &[AuthBroken, AuthExpired],
            &[AuthBroken, AuthExpired],
        ),
        (
            "403",
            given(403, plain.clone(), json!({})),
            &[AuthBroken, Rejected, Throttled, Transient],
            &[AuthBroken, Rejected, Throttled, Transient, Ambiguous],
        ),
        (
            "500",
            given(500, plain, json!({})),
            &[Transient],
            &[Ambiguous, Transient],
        ),
        (
            "502 with a page",
            given(502, html.clone(), page.clone()),
            &[Transient],
            &[Ambiguous, Transient],
        ),
        (
            "a page instead of an answer",
            given(200, html, page),
            &[Transient, BrokenContract, AuthBroken, Rejected],
            &[Ambiguous, BrokenContract, Transient, AuthBroken, Rejected],
        ),
    ]
}

/// What this answer may mean to this step.
pub(super) fn may_mean(what: &str, step: &Step) -> &'static [Class] {
    let mut all = refusals().into_iter();
    let (_, _, repeated, once) = all.find(|(name, ..)| *name == what).unwrap();
    match retry::repeatable(step.repeat, step.method) {
        true => repeated,
        false => once,
    }
}

fn step_of<'c>(connector: &'c Connector, operation: &str, name: &str) -> &'c Step {
    let steps = &connector.manifest().operations[operation].steps;
    steps.iter().find(|step| step.name == name).unwrap()
}

#[test]
fn every_refusal_of_every_step_has_its_class() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for connector in connectors() {
        for case in cases(&connector, Kind::Call) {
            let Some(operation) = case.operation.clone().filter(|_| case.step.is_none()) else {
                continue;
            };
            let answers: Vec<GivenAnswer> = case
                .json("answers")
                .unwrap()
                .map_or_else(Vec::new, |given| serde_json::from_value(given).unwrap());
            let setup = setup(&case);
            for n in 0..=answers.len() {
                for (what, answer, ..) in refusals() {
                    let mut before = answers[..n].to_vec();
                    before.push(answer);
                    let Ok(Rehearsal { requests, outcome }) =
                        all_steps(&connector, &operation, &setup, &before)
                    else {
                        continue;
                    };
                    // The answers before it may have ended the operation.
                    if requests.len() != n + 1 {
                        continue;
                    }
                    let step = step_of(&connector, &operation, &requests[n].step);
                    let repeatable = retry::repeatable(step.repeat, step.method);
                    let may = may_mean(what, step);
                    let class = outcome.and_then(|outcome| outcome.class);
                    let accepted = class.is_none()
                        && step
                            .accept
                            .iter()
                            .any(|a| may.contains(&a.class().unwrap_or(Class::Transient)));
                    // A page where no records are read may be the answer (a label's file, say).
                    let any_answer = what.starts_with("a page") && class.is_none();
                    tried += 1;
                    if !accepted && !any_answer && !class.is_some_and(|class| may.contains(&class))
                    {
                        wrong.push(format!(
                            "{}/{} step {} ({}): {what} means {class:?}, may be {may:?}",
                            connector.id(),
                            case.name,
                            step.name,
                            if repeatable { "repeatable" } else { "once" },
                        ));
                    }
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(tried > 100, "{tried} tried");
}

#[test]
fn every_operation_has_a_fixture_that_shows_what_is_sent() {
    let mut missing = Vec::new();
    for connector in connectors() {
        let shown: Vec<String> = cases(&connector, Kind::Call)
            .into_iter()
            .filter_map(|case| case.operation)
            .collect();
        for name in connector.manifest().operations.keys() {
            if !shown.contains(name) {
                missing.push(format!("{}: {name}", connector.id()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
