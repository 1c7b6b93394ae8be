//! `crossdock connectors`: what each connector can do, read off the manifests.

use super::{OK, Streams};
use crate::connector::{Connector, Registry};
use crate::manifest::coverage::{Coverage, HEADINGS};
use serde_json::json;
use std::sync::Arc;

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For a terminal.
    Table,
    /// For README files.
    Markdown,
    /// For programs.
    Json,
    /// Lines of manifest and jq.
    Stats,
}

/// Prints the table; what was refused goes to `err`.
pub fn run(registry: &Registry, style: Style, streams: &mut Streams<'_>) -> u8 {
    let catalogue = registry.catalogue();
    let connectors: Vec<&Arc<Connector>> = catalogue.all().collect();
    match style {
        Style::Table => grid(&table(&connectors), streams),
        Style::Markdown => markdown(&table(&connectors), streams),
        Style::Stats => grid(&stats(&connectors), streams),
        Style::Json => {
            let data: Vec<_> = connectors
                .iter()
                .map(|connector| as_json(connector))
                .collect();
            let all = json!({"connectors": data, "refused": catalogue.refused()});
            streams.line(&serde_json::to_string_pretty(&all).unwrap_or_default());
        }
    }
    for refused in catalogue.refused() {
        streams.note(&format!("refused: {refused}"));
    }
    OK
}

fn as_json(connector: &Connector) -> serde_json::Value {
    let manifest = connector.manifest();
    let (manifest_lines, jq_lines) = lines(connector);
    json!({
        "id": manifest.id, "name": manifest.name, "kind": manifest.kind, "summary": manifest.summary,
        "version": connector.version(),
        "operations": manifest.operations.keys().collect::<Vec<_>>(),
        "topics": manifest.webhooks.iter().flat_map(|webhooks| webhooks.topics.keys()).collect::<Vec<_>>(),
        "can": Coverage::of(manifest, &connector.folder().programs),
        "lines": {"manifest": manifest_lines, "jq": jq_lines},
    })
}

fn table(connectors: &[&Arc<Connector>]) -> Vec<Vec<String>> {
    let head = ["connector", "kind"]
        .into_iter()
        .chain(HEADINGS)
        .map(str::to_owned)
        .collect();
    let rows = connectors.iter().map(|connector| {
        let manifest = connector.manifest();
        let kind = format!("{:?}", manifest.kind).to_lowercase();
        let flags = Coverage::of(manifest, &connector.folder().programs)
            .flags()
            .map(|can| if can { "yes" } else { "–" }.to_owned());
        [manifest.name.clone(), kind]
            .into_iter()
            .chain(flags)
            .collect()
    });
    std::iter::once(head).chain(rows).collect()
}

/// Lines of the manifest and of all jq that are neither blank nor only a comment.
fn lines(connector: &Connector) -> (usize, usize) {
    let count = |text: &str| {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count()
    };
    let folder = connector.folder();
    (
        count(&folder.text),
        folder.programs.values().map(|source| count(source)).sum(),
    )
}

fn stats(connectors: &[&Arc<Connector>]) -> Vec<Vec<String>> {
    let counted: Vec<(usize, usize)> = connectors
        .iter()
        .map(|connector| lines(connector))
        .collect();
    let row = |name: &str, (manifest, jq): (usize, usize)| {
        vec![
            name.to_owned(),
            manifest.to_string(),
            jq.to_string(),
            (manifest + jq).to_string(),
        ]
    };
    let mut rows = vec![
        ["connector", "manifest lines", "jq lines", "together"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(
        connectors
            .iter()
            .zip(&counted)
            .map(|(connector, count)| row(connector.id(), *count)),
    );
    if !counted.is_empty() {
        let of = |pick: fn(&(usize, usize)) -> usize| median(counted.iter().map(pick).collect());
        let together = of(|(manifest, jq)| manifest + jq);
        rows.push(vec![
            "median".into(),
            of(|c| c.0).to_string(),
            of(|c| c.1).to_string(),
            together.to_string(),
        ]);
    }
    rows
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    let upper = numbers.get(numbers.len() / 2).copied().unwrap_or(0);
    match numbers.len() {
        0 => 0,
        n if n % 2 == 1 => upper,
        n => numbers
            .get(n / 2 - 1)
            .map_or(upper, |lower| (lower + upper) / 2),
    }
}

/// Columns as wide as their widest cell.
fn grid(rows: &[Vec<String>], streams: &mut Streams<'_>) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        streams.line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn markdown(rows: &[Vec<String>], streams: &mut Streams<'_>) {
    for (index, row) in rows.iter().enumerate() {
        streams.line(&format!("| {} |", row.join(" | ")));
        if index == 0 {
            streams.line(&format!("|{}", "---|".repeat(row.len())));
        }
    }
}
