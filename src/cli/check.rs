//! `crossdock connector check`: lint, jq, README and every fixture of a folder.

mod call;
pub(crate) mod diff;
mod mapping;
mod webhook;

use super::{FOUND, OK, Streams};
use crate::connector::{Connector, Registry};
use crate::manifest::fixture::{self, Case, Kind};
use crate::manifest::{Finding, Folder, Source, lint};
use std::path::Path;

/// What one folder's check came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// The folder's name.
    pub folder: String,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Fixtures that ran.
    pub ran: usize,
}

/// Checks one connector (an id or a folder), or all of them; prints each finding as
/// `folder/file:line:column: message`.
pub fn run(registry: &Registry, what: Option<&str>, streams: &mut Streams<'_>) -> u8 {
    let reports = match what {
        None => all(registry),
        Some(name) => match source(registry, name) {
            Ok(source) => vec![folder(source)],
            Err(message) => {
                streams.note(&message);
                return FOUND;
            }
        },
    };
    let mut found = false;
    for report in &reports {
        for finding in &report.findings {
            streams.line(&format!("{}/{finding}", report.folder));
        }
        found |= !report.findings.is_empty();
        let verdict = match report.findings.len() {
            0 => "ok".to_owned(),
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        };
        streams.note(&format!(
            "{}: {verdict}, {} fixtures",
            report.folder, report.ran
        ));
    }
    if found { FOUND } else { OK }
}

/// Every folder: those in use, and those that were refused.
fn all(registry: &Registry) -> Vec<Report> {
    let catalogue = registry.catalogue();
    let mut reports: Vec<Report> = catalogue
        .all()
        .map(|c| folder(c.folder().source.clone()))
        .collect();
    for refused in catalogue.refused() {
        let finding = Finding {
            file: refused.file.clone(),
            line: refused.line,
            column: refused.column,
            message: refused.message.clone(),
            hint: refused.hint.clone(),
        };
        match reports
            .iter_mut()
            .find(|report| report.folder == refused.folder)
        {
            Some(report) => report.findings.push(finding),
            None => reports.push(Report {
                folder: refused.folder.clone(),
                findings: vec![finding],
                ran: 0,
            }),
        }
    }
    reports
}

fn source(registry: &Registry, name: &str) -> Result<Source, String> {
    let path = Path::new(name);
    if path.is_dir() {
        return path
            .canonicalize()
            .map(Source::Disk)
            .map_err(|error| format!("{name}: {error}"));
    }
    let catalogue = registry.catalogue();
    if let Some(connector) = catalogue.get(name) {
        return Ok(connector.folder().source.clone());
    }
    registry
        .source(name)
        .ok_or_else(|| match super::find(registry, name) {
            Err(message) => message,
            Ok(_) => format!("there is no folder `{name}`"),
        })
}

/// Checks one folder.
pub fn folder(source: Source) -> Report {
    let name = source.name();
    let loaded = match Folder::load(source) {
        Ok(folder) => folder,
        Err(findings) => {
            return Report {
                folder: name,
                findings,
                ran: 0,
            };
        }
    };
    let mut findings = lint::contract(&loaded);
    let connector = match Connector::build(loaded) {
        Ok(connector) => connector,
        Err(more) => {
            findings.extend(more);
            return Report {
                folder: name,
                findings: in_order(findings),
                ran: 0,
            };
        }
    };
    let mut ran = 0;
    for case in fixture::all(&connector.folder().source)
        .into_iter()
        .flatten()
    {
        ran += 1;
        findings.extend(run_case(&connector, &case));
    }
    Report {
        folder: name,
        findings: in_order(findings),
        ran,
    }
}

fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort();
    findings.dedup();
    findings
}

/// Runs one fixture.
fn run_case(connector: &Connector, case: &Case) -> Vec<Finding> {
    let names = case.settings.keys();
    let unknown = names.filter_map(|name| super::known_setting(connector.manifest(), name).err());
    let unknown: Vec<Finding> = unknown
        .map(|message| Finding::of(&case.path("case.toml"), message))
        .collect();
    if !unknown.is_empty() {
        return unknown;
    }
    let run = match case.kind {
        Kind::Mapping => mapping::run(connector, case),
        Kind::Webhook => webhook::run(connector, case),
        Kind::Call => call::run(connector, case),
    };
    run.unwrap_or_else(|finding| vec![finding])
}
