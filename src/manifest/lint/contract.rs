//! What `crossdock connector check` asks beyond what loading needs: a README that says how to get
//! credentials, and a fixture for everything that is declared.

use crate::manifest::document::Document;
use crate::manifest::finding::{Finding, Place};
use crate::manifest::fixture::{self, Case, Kind, Outcome};
use crate::manifest::folder::{Folder, MANIFEST};
use crate::manifest::form::FieldType;
use crate::manifest::walk::{self, TextKind};
use std::collections::BTreeSet;

/// README and fixtures. What is wrong with a fixture itself is among the findings too.
pub fn contract(folder: &Folder) -> Vec<Finding> {
    let mut findings = Vec::new();
    readme(folder, &mut findings);
    form(folder, &mut findings);
    let mut cases = Vec::new();
    for case in fixture::all(&folder.source) {
        match case {
            Ok(case) => cases.push(case),
            Err(finding) => findings.push(finding),
        }
    }
    missing(folder, &cases, &mut findings);
    findings
}

fn readme(folder: &Folder, findings: &mut Vec<Finding>) {
    match folder.source.text("README.md") {
        Err(finding) => findings.push(
            finding.hint("say how an operator gets the credentials, what is supported, quirks"),
        ),
        Ok(text) => {
            let said = text.to_lowercase();
            for name in folder
                .manifest
                .credentials
                .values()
                .map(|field| &field.label)
            {
                if !said.contains(&name.to_lowercase()) {
                    findings.push(
                        Finding::of(
                            "README.md",
                            format!("the credential “{name}” is not explained"),
                        )
                        .hint("say where an operator finds it, by its label"),
                    );
                }
            }
        }
    }
}

/// Texts say their form and show an example.
fn form(folder: &Folder, findings: &mut Vec<Finding>) {
    let document = Document::parse(&folder.text).ok();
    let manifest = &folder.manifest;
    for (group, fields) in [
        ("settings", &manifest.settings),
        ("credentials", &manifest.credentials),
    ] {
        for (name, field) in fields {
            let wanted: &[(&str, bool)] = match field.kind {
                FieldType::Text => &[
                    ("pattern", field.pattern.is_none()),
                    ("example", field.example.is_none()),
                ],
                FieldType::Url => &[("example", field.example.is_none())],
                _ => &[],
            };
            for (key, _) in wanted.iter().filter(|(_, missing)| *missing) {
                let place = document
                    .as_ref()
                    .map_or(Place::START, |document| document.place(&[group, name]));
                findings.push(Finding::at(
                    MANIFEST,
                    place,
                    format!("the field `{name}` has no `{key}`"),
                ));
            }
        }
    }
}

fn missing(folder: &Folder, cases: &[Case], findings: &mut Vec<Finding>) {
    let manifest = &folder.manifest;
    let document = Document::parse(&folder.text).ok();
    let mut say = |path: &[&str], message: String| {
        let place = document.as_ref().map_or(Place::START, |d| d.place(path));
        findings.push(Finding::at(MANIFEST, place, message));
    };
    for name in manifest.operations.keys() {
        if !cases
            .iter()
            .any(|case| case.kind == Kind::Call && case.operation.as_deref() == Some(name))
        {
            say(
                &["operations", name],
                format!("no fixture of kind `call` for `{name}`"),
            );
        }
    }
    let mut asked = BTreeSet::new();
    for text in walk::texts(manifest)
        .iter()
        .filter(|text| text.kind == TextKind::Mapping)
    {
        let is_body = text.path.last().is_some_and(|key| key == "body_mapping");
        let covered = cases
            .iter()
            .any(|case| case.mapping.as_deref() == Some(text.text));
        if !is_body && !covered && asked.insert(text.text) {
            let path: Vec<&str> = text.path.iter().map(String::as_str).collect();
            say(
                &path,
                format!("no fixture of kind `mapping` for `{}`", text.text),
            );
        }
    }
    if manifest.webhooks.is_some() {
        for (outcome, word) in [
            (Outcome::Accepted, "accepted"),
            (Outcome::Refused, "refused"),
        ] {
            if !cases
                .iter()
                .any(|case| case.kind == Kind::Webhook && case.outcome == Some(outcome))
            {
                say(
                    &["webhooks"],
                    format!("no fixture of kind `webhook` with the outcome `{word}`"),
                );
            }
        }
    }
}
