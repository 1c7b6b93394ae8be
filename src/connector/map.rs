//! A payload through a mapping: decode, slice, map, check. What `crossdock map` and fixtures run.
//!
//! What always holds: one bad record never spoils the others; a failure tells record, path and
//! reason and no value of the payload.

use super::build::Connector;
use super::output::{Output, OutputError};
use super::records;
use crate::canonical::address::Address;
use crate::canonical::check::{Compared, Mismatch};
use crate::canonical::problem::Class;
use crate::canonical::{Field, OrderFacts};
use crate::manifest::model::Manifest;
use crate::mapping::{MapError, Notes, Program, ReadError, Scope, SelectError, Val, from_serde};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The mapping of error answers.
const ERROR: &str = "error";

/// What a mapping is given beside the payload.
#[derive(Debug, Clone, Default)]
pub struct MapInput {
    /// Settings of the connection (never secrets); defaults of the form are added.
    pub settings: Map<String, Value>,
    /// The delivery's headers, lower-case names.
    pub headers: BTreeMap<String, String>,
    /// Slice by this path instead of the manifest's.
    pub records: Option<String>,
}

/// One record that could not be mapped, or the whole payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Always `broken_contract` here.
    pub class: Class,
    /// A stable code.
    pub code: &'static str,
    /// Without values of the payload.
    pub message: String,
    /// Where.
    pub detail: Detail,
    /// What to do.
    pub hint: Option<String>,
}

/// Where a mapping failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Detail {
    /// Which record, from 0; null for the whole payload.
    pub index: Option<usize>,
    /// Where in the output.
    pub path: Option<String>,
}

/// Something worth knowing about a record that was mapped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    /// `totals_mismatch`, `drift`.
    pub class: Class,
    /// A stable code.
    pub code: String,
    /// In words.
    pub message: String,
    /// `{index, …}`.
    pub detail: Value,
}

/// What came of a payload.
#[derive(Debug, Clone, Default)]
pub struct Mapped {
    /// What fits, in the payload's order.
    pub outputs: Vec<Output>,
    /// What does not.
    pub failures: Vec<Failure>,
    /// What is worth knowing.
    pub warnings: Vec<Warning>,
}

impl Mapped {
    /// The outputs as one JSON array.
    pub fn json(&self) -> Value {
        self.outputs.iter().map(Output::json).collect()
    }
}

/// Maps a payload. No such mapping is the caller's mistake and a failure too.
pub fn map(connector: &Connector, mapping: &str, body: &[u8], input: &MapInput) -> Mapped {
    let mut mapped = Mapped::default();
    if let Err(failure) = into(&mut mapped, connector, mapping, body, input) {
        mapped.failures.push(failure);
    }
    mapped
}

fn into(
    mapped: &mut Mapped,
    connector: &Connector,
    mapping: &str,
    body: &[u8],
    input: &MapInput,
) -> Result<(), Failure> {
    let program = connector.mapping(mapping).ok_or_else(|| Failure {
        hint: Some(format!(
            "mappings: {}",
            connector.mapping_names().collect::<Vec<_>>().join(", ")
        )),
        ..Failure::of(
            "mapping_unknown",
            format!("{} has no mapping `{mapping}`", connector.id()),
        )
    })?;
    let manifest = connector.manifest();
    let payload = records::decode_for(manifest, mapping, body)?;
    let records = match &input.records {
        Some(path) => records::by_path(path, &payload)?,
        None => records::of_mapping(manifest, mapping, &payload)?,
    };
    let scope = Scope {
        connection: from_serde(&settings(manifest, &input.settings))?,
        headers: from_serde(&input.headers)?,
        context: Val::obj(Default::default()),
    };
    if records.is_empty() && mapping != ERROR {
        refuse_error_answer(connector, &payload, &scope)?;
    }
    for (index, record) in records.into_iter().enumerate() {
        match one(program, mapping, record.clone(), &scope) {
            Ok((outputs, notes)) => {
                note(&mut mapped.warnings, index, &notes);
                for output in outputs {
                    if let Output::Order(order, mismatches) = &output {
                        mapped.warnings.extend(foreign(index, order));
                        mapped
                            .warnings
                            .extend(mismatches.iter().filter_map(|found| mismatch(index, found)));
                    }
                    mapped.outputs.push(output);
                }
            }
            Err(failure) => mapped.failures.push(failure.at(index)),
        }
    }
    Ok(())
}

/// An answer without records that the folder's own `error` mapping can read is no empty list.
fn refuse_error_answer(connector: &Connector, payload: &Val, scope: &Scope) -> Result<(), Failure> {
    let Some(program) = connector.mapping(ERROR) else {
        return Ok(());
    };
    let says = |output: &Output| matches!(output, Output::Error(e) if e.message.is_some());
    match one(program, ERROR, payload.clone(), scope) {
        Ok((outputs, _)) if outputs.iter().any(says) => Err(Failure::of(
            "error_answer",
            "the payload is an error answer, not an empty list",
        )),
        _ => Ok(()),
    }
}

/// One record: all of its outputs fit, or none counts.
fn one(
    program: &Program,
    mapping: &str,
    record: Val,
    scope: &Scope,
) -> Result<(Vec<Output>, Notes), Failure> {
    let yielded = program.run(record, scope)?;
    let outputs = yielded
        .values
        .iter()
        .map(|value| Output::check(mapping, value))
        .collect::<Result<_, _>>()?;
    Ok((outputs, yielded.notes))
}

/// The settings as a mapping sees them: what was given, the form's defaults, the manifest's zone.
pub fn settings(manifest: &Manifest, given: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = Map::new();
    if let Some(zone) = &manifest.timezone {
        settings.insert("timezone".to_owned(), zone.clone().into());
    }
    for (name, field) in &manifest.settings {
        if let Some(default) = &field.default {
            settings.insert(name.clone(), default.clone());
        }
    }
    settings.extend(given.clone());
    settings
}

fn note(warnings: &mut Vec<Warning>, index: usize, notes: &Notes) {
    warnings.extend(notes.warnings.iter().map(|text| Warning {
        class: Class::Drift,
        code: "warning".to_owned(),
        message: text.clone(),
        detail: json!({"index": index}),
    }));
    warnings.extend(notes.drift.iter().map(|drift| Warning {
        class: Class::Drift,
        code: "unknown_code".to_owned(),
        message: format!("the table {} does not know a code", drift.table),
        detail: json!({"index": index, "table": drift.table, "key": drift.key}),
    }));
}

/// Countries that are no codes: nothing downstream can read them.
fn foreign(index: usize, order: &OrderFacts) -> impl Iterator<Item = Warning> {
    let told = [("ship_to", &order.ship_to), ("bill_to", &order.bill_to)];
    let code = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase());
    let wrong = move |(at, address): (&'static str, &Field<Address>)| {
        let country = address.value()?.country.as_deref()?;
        (!code(country)).then(|| Warning {
            class: Class::BrokenContract,
            code: "country_no_code".to_owned(),
            message: format!(
                "{at}.country must be an ISO 3166-1 alpha-2 code: `country` makes one of a name"
            ),
            detail: json!({"index": index, "path": format!("{at}.country")}),
        })
    };
    told.into_iter()
        .filter_map(wrong)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Informative ones (a line's own arithmetic) are not worth a warning.
fn mismatch(index: usize, found: &Mismatch) -> Option<Warning> {
    let what = match found.compared {
        Compared::Total => "the total is not the sum of lines and charges",
        Compared::Tax => "the tax is not the sum of the tax of lines and charges",
        Compared::Line => return None,
    };
    Some(Warning {
        class: Class::TotalsMismatch,
        code: "totals_mismatch".to_owned(),
        message: format!(
            "{what}: it differs by {} {}",
            found.difference.amount, found.difference.currency
        ),
        detail: json!({
            "index": index, "compared": found.compared, "stated": found.stated,
            "computed": found.computed, "difference": found.difference,
        }),
    })
}

impl Failure {
    fn of(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            class: Class::BrokenContract,
            code,
            message,
            detail: Detail::default(),
            hint: None,
        }
    }
    fn with_path(mut self, path: &str) -> Self {
        self.detail.path = Some(path.to_owned());
        self
    }
    const fn at(mut self, index: usize) -> Self {
        self.detail.index = Some(index);
        self
    }
}
impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::of("unreadable", error.to_string())
    }
}
impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        Self {
            hint: Some("the payload is no page of records: is it an error answer?".to_owned()),
            ..Self::of("records_missing", error.to_string()).with_path(&error.path)
        }
    }
}
impl From<MapError> for Failure {
    fn from(error: MapError) -> Self {
        let failure = Self::of(error.code(), error.message());
        match &error {
            MapError::Missing(path) | MapError::Field(path) => failure.with_path(path),
            _ => failure,
        }
    }
}
impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self {
            hint: error.hint.map(str::to_owned),
            ..Self::of(error.code, error.to_string()).with_path(&error.path)
        }
    }
}
