//! Code tables in CSV (RFC 4180): a header line, then one row a key; the first column is the key.

use super::{CompileError, Val, value};
use std::collections::HashMap;

/// Rows by key; each is an object `{column: text or null}`.
#[derive(Debug)]
pub(crate) struct Table {
    rows: HashMap<String, Val>,
}

impl Table {
    /// Reads a table. A row with another number of columns and a key that repeats are errors with their line.
    pub(crate) fn parse(label: &str, csv: &str) -> Result<Self, CompileError> {
        let mut lines = records(csv).into_iter();
        let fail = |line: usize, message: String| CompileError {
            label: label.to_owned(),
            line,
            column: 1,
            message,
            hint: None,
        };
        let Some((_, header)) = lines.next() else {
            return Err(fail(1, "a table needs a header line".to_owned()));
        };
        let columns: Vec<Val> = header
            .iter()
            .map(|column| value::text(column.trim()))
            .collect();
        let mut rows = HashMap::new();
        for (line, cells) in lines {
            if cells.len() == 1 && cells.first().is_some_and(|only| only.trim().is_empty()) {
                continue;
            }
            if cells.len() != columns.len() {
                return Err(fail(
                    line,
                    format!(
                        "row has {} columns, the header {}",
                        cells.len(),
                        columns.len()
                    ),
                ));
            }
            let Some(key) = cells.first().cloned() else {
                continue;
            };
            let row = columns.iter().cloned().zip(cells.into_iter().map(|cell| {
                if cell.is_empty() {
                    Val::Null
                } else {
                    value::string(cell)
                }
            }));
            if rows.insert(key.clone(), value::object(row)).is_some() {
                return Err(fail(line, format!("the key {key:?} is there twice")));
            }
        }
        Ok(Self { rows })
    }

    /// The row of a key.
    pub(crate) fn row(&self, key: &str) -> Option<&Val> {
        self.rows.get(key)
    }
}

/// The cells of each record with the line it starts on.
fn records(csv: &str) -> Vec<(usize, Vec<String>)> {
    let mut out = Vec::new();
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let (mut line, mut start) = (1, 1);
    let mut characters = csv
        .strip_prefix('\u{feff}')
        .unwrap_or(csv)
        .chars()
        .peekable();
    while let Some(character) = characters.next() {
        if character == '\n' {
            line += 1;
        }
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            any if quoted => cell.push(any),
            ',' => cells.push(std::mem::take(&mut cell)),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                cells.push(std::mem::take(&mut cell));
                out.push((start, std::mem::take(&mut cells)));
                start = line;
            }
            any => cell.push(any),
        }
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        out.push((start, cells));
    }
    out
}
