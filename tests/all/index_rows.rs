//! Real payloads against what people read out of them: every row of `INDEX-*.csv` whose connector is here. The payloads belong
//! to others and are not in this repository, so the test looks for them beside it (`CROSSDOCK_SAMPLES`) and passes without.

use crossdock::canonical::problem::Class;
use crossdock::connector::Registry;
use crossdock::connector::map::{MapInput, map};
use serde_json::Value;
use std::path::PathBuf;

fn samples() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    let folder = std::env::var_os("CROSSDOCK_SAMPLES").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Rows of CSV; the last column is JSON with doubled quotes.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let (mut quoted, mut chars) = (false, csv.chars().peekable());
    while let Some(c) = chars.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                row.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\n' if !quoted => rows.push(vec![String::new()]),
            '\r' if !quoted => {}
            other => row.last_mut().unwrap().push(other),
        }
    }
    rows.retain(|row| row.len() > 1);
    rows
}

/// The value at a dotted path as text; `#` is a length.
fn at(value: &Value, path: &str) -> String {
    let mut value = value;
    for step in path.split('.') {
        let found = match (step, value) {
            ("#", Value::Array(items)) => return items.len().to_string(),
            (step, Value::Array(items)) => step
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index)),
            (step, Value::Object(object)) => object.get(step),
            _ => None,
        };
        match found {
            Some(found) => value = found,
            None => return "(nothing there)".to_owned(),
        }
    }
    text(value)
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// What a row says beside the paths: `_mismatch` (amounts that do not add up), `_error`.
fn flag(expect: &Value, name: &str) -> bool {
    expect.get(name) == Some(&Value::Bool(true))
}

#[test]
fn every_row_of_the_index_maps_as_people_read_it() {
    let Some(samples) = samples() else { return };
    let registry = Registry::load(None);
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for index in ["INDEX-shops.csv", "INDEX-couriers.csv"] {
        let Ok(csv) = std::fs::read_to_string(samples.join(index)) else {
            continue;
        };
        for row in rows(&csv).into_iter().skip(1) {
            let [id, mapping, file, expect] = row.as_slice() else {
                panic!("{index}: a row has four columns")
            };
            let Some(connector) = registry.catalogue().get(id) else {
                continue;
            };
            tried += 1;
            let body = std::fs::read(samples.join(file)).unwrap();
            let mapped = map(&connector, mapping, &body, &MapInput::default());
            let expect: Value = serde_json::from_str(expect).unwrap();
            if connector.mapping(mapping).is_none() {
                wrong.push(format!("{file}: {id} has no mapping {mapping}"));
                continue;
            }
            // An error answer given to a mapping of data must fail and yield nothing.
            if flag(&expect, "_error") {
                if mapped.failures.is_empty() || !mapped.outputs.is_empty() {
                    wrong.push(format!("{file}: {mapping} takes an error answer for data"));
                }
                continue;
            }
            wrong.extend(
                mapped
                    .failures
                    .iter()
                    .map(|failure| format!("{file}: {}", failure.message)),
            );
            let mismatch = mapped
                .warnings
                .iter()
                .any(|warning| warning.class == Class::TotalsMismatch);
            let wanted = flag(&expect, "_mismatch");
            if mismatch != wanted {
                wrong.push(format!("{file}: totals_mismatch is {mismatch}"));
            }
            let outputs = mapped.json();
            for (path, value) in expect
                .as_object()
                .unwrap()
                .iter()
                .filter(|(path, _)| !path.starts_with('_'))
            {
                let found = at(&outputs, path);
                if found != text(value) {
                    wrong.push(format!("{file}: {path} is {found}, not {}", text(value)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 0, "no row has a connector here");
}
