//! Statements of one row, as statements of many: rows that wait to be inserted together, and questions
//! that are asked at once.
//!
//! What always holds: rows of one statement are inserted in the order in which they were given, those
//! of different statements in the order in which the first row of each was given; nothing that names
//! a table for which rows wait reaches the server before them; no statement writes one row twice.

use super::encode::stored;
use crate::store::sql::value::Value;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use tokio_postgres::Statement;
use tokio_postgres::types::{Kind, Type};

/// So many rows are inserted at once, at most.
const ROWS: usize = 1024;

/// A statement that was prepared, and what may be done with it.
pub(super) struct Known {
    /// Its text.
    pub sql: String,
    pub statement: Statement,
    /// All names in it, among them those of tables.
    names: HashSet<String>,
    bulk: Option<Bulk>,
    each: OnceLock<Statement>,
}

/// An insert of one row, as an insert of many.
struct Bulk {
    many: Many,
    prepared: OnceLock<Statement>,
}

/// See [`of_many`].
#[derive(Debug, PartialEq, Eq)]
struct Many {
    table: String,
    sql: String,
    /// The parameters that say which row is updated when there is one: the server refuses to write
    /// one twice in one statement. Empty where none is updated.
    key: Vec<usize>,
}

impl Known {
    /// `sql` with its marks numbered.
    pub(super) fn new(sql: &str, statement: Statement) -> Self {
        let names = names(sql).map(str::to_owned).collect();
        let bulk = of_many(sql, statement.params()).map(|many| Bulk {
            many,
            prepared: OnceLock::new(),
        });
        Self {
            sql: sql.to_owned(),
            statement,
            names,
            bulk,
            each: OnceLock::new(),
        }
    }
    /// The question for many sets of arguments, once it was prepared.
    pub(super) fn for_each(&self) -> Option<&Statement> {
        self.each.get()
    }
    pub(super) fn prepared_for_each(&self, statement: Statement) {
        let _ = self.each.set(statement);
    }
    /// Whether its rows may wait for others.
    pub(super) const fn gathers(&self) -> bool {
        self.bulk.is_some()
    }
    /// The text of the statement for many rows; `None` once it is prepared, and where there is none.
    pub(super) fn unprepared(&self) -> Option<&str> {
        let bulk = self.bulk.as_ref()?;
        bulk.prepared.get().is_none().then_some(&*bulk.many.sql)
    }
    pub(super) fn prepared(&self, statement: Statement) {
        if let Some(bulk) = &self.bulk {
            let _ = bulk.prepared.set(statement);
        }
    }
    /// What says which row is written, which one statement may do only once; `None` where no row is
    /// updated. Texts are told apart as the server stores them.
    pub(super) fn key_of(&self, row: &[Value]) -> Option<Vec<u8>> {
        let key = self.bulk.as_ref().map(|bulk| &bulk.many.key)?;
        let mut text = Vec::with_capacity(64);
        for value in key.iter().filter_map(|at| row.get(*at)) {
            match value {
                Value::Null | Value::Ids(_) => text.push(0),
                Value::Integer(n) => text.extend(n.to_be_bytes()),
                Value::Real(n) => text.extend(n.to_be_bytes()),
                Value::Text(value) => text.extend(stored(value).as_bytes()),
                Value::Blob(bytes) => text.extend(bytes),
            }
            text.push(0xff);
        }
        (!key.is_empty()).then_some(text)
    }
    /// The statement for many rows.
    pub(super) fn for_many(&self) -> Option<&Statement> {
        self.bulk.as_ref()?.prepared.get()
    }
}

/// The words of a statement.
fn names(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(|c: char| c != '_' && !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// An insert of as many rows as its arrays have, after one of a row of plain values.
fn of_many(sql: &str, params: &[Type]) -> Option<Many> {
    let table = names(sql.strip_prefix("INSERT INTO ")?).next()?.to_owned();
    let (head, row) = sql.split_once("VALUES (")?;
    let end = closing(row)?;
    let (row, tail) = (row.get(..end)?, row.get(end + 1..)?);
    if params.is_empty() || tail.contains('$') || tail.contains("RETURNING") {
        return None;
    }
    let key = match tail.contains("DO UPDATE") {
        true => key_of(head, row, tail)?,
        false => Vec::new(),
    };
    let (arrays, columns) = arrays(params)?;
    let row = row.replace('$', "given.p");
    let sql = format!("{head}SELECT {row} FROM unnest({arrays}) AS given({columns}){tail}");
    Some(Many { table, sql, key })
}

/// A question for as many sets of arguments as its arrays have: the columns of what is found, and behind
/// them which set it is of, from 1. `None` for what is no question with plain values.
pub(super) fn of_each(sql: &str, params: &[Type]) -> Option<String> {
    if params.is_empty() || !sql.starts_with("SELECT ") || sql.contains("FOR UPDATE") {
        return None;
    }
    let (arrays, columns) = arrays(params)?;
    let question = sql.replace('$', "given.p");
    Some(format!(
        "SELECT found.*, given.n FROM unnest({arrays}) WITH ORDINALITY AS given({columns}, n),
         LATERAL ({question}) AS found"
    ))
}

/// An array for each parameter, and the name of the column that it becomes.
fn arrays(params: &[Type]) -> Option<(String, String)> {
    let mut arrays = Vec::with_capacity(params.len());
    let mut columns = Vec::with_capacity(params.len());
    for (n, ty) in (1..).zip(params) {
        if matches!(ty.kind(), Kind::Array(_)) {
            return None;
        }
        arrays.push(format!("${n}::{}[]", ty.name()));
        columns.push(format!("p{n}"));
    }
    Some((arrays.join(", "), columns.join(", ")))
}

/// The parameters that make the columns of the conflict.
fn key_of(head: &str, row: &str, tail: &str) -> Option<Vec<usize>> {
    let inner = |text: &str, after: &str| {
        let (_, rest) = text.split_once(after)?;
        Some(rest.get(..closing(rest)?)?.to_owned())
    };
    let columns = inner(head, "(")?;
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    let values = listed(row);
    let conflict = inner(tail, "ON CONFLICT (")?;
    let mut key = Vec::new();
    for column in conflict.split(',').map(str::trim) {
        let at = columns.iter().position(|c| *c == column)?;
        for mark in values.get(at)?.split('$').skip(1) {
            let end = mark
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(mark.len());
            key.push(mark.get(..end)?.parse::<usize>().ok()?.checked_sub(1)?);
        }
    }
    key.sort_unstable();
    key.dedup();
    (!key.is_empty()).then_some(key)
}

/// What stands between the commas that are in no bracket.
fn listed(row: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in row.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.extend(row.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    found.extend(row.get(from..));
    found
}

/// Where the bracket is closed that was opened before this.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Rows by statement.
#[derive(Default)]
pub(super) struct Waiting {
    inserts: Vec<Gathered>,
    rows: usize,
}

/// The rows of one statement.
pub(super) struct Gathered {
    pub known: Arc<Known>,
    pub rows: Vec<Vec<Value>>,
    /// Which rows are written by them.
    keys: HashSet<Vec<u8>>,
}

/// An array a column.
pub(super) fn columns<T>(rows: Vec<Vec<T>>) -> Vec<Vec<T>> {
    let width = rows.first().map_or(0, Vec::len);
    let mut columns: Vec<Vec<T>> = Vec::new();
    columns.resize_with(width, || Vec::with_capacity(rows.len()));
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns
}

impl Waiting {
    /// Whether rows wait for a table that a statement names.
    pub(super) fn concern(&self, known: &Known) -> bool {
        let named = |g: &Gathered| {
            let table = g.known.bulk.as_ref().map(|bulk| &bulk.many.table);
            table.is_some_and(|table| known.names.contains(table))
        };
        self.inserts.iter().any(named)
    }
    /// Whether a row of this, with this key, cannot wait with what waits already: it names the table of
    /// others, or would be written a second time.
    pub(super) fn refuse(&self, known: &Arc<Known>, key: Option<&Vec<u8>>) -> bool {
        self.inserts.iter().any(|g| {
            if !Arc::ptr_eq(&g.known, known) {
                let table = g.known.bulk.as_ref().map(|bulk| &bulk.many.table);
                return table.is_some_and(|table| known.names.contains(table));
            }
            key.is_some_and(|key| g.keys.contains(key))
        })
    }
    /// One more; `true` when there are as many as may wait.
    pub(super) fn push(
        &mut self,
        known: &Arc<Known>,
        key: Option<Vec<u8>>,
        row: Vec<Value>,
    ) -> bool {
        let same = |g: &&mut Gathered| Arc::ptr_eq(&g.known, known);
        match self.inserts.iter_mut().find(same) {
            Some(gathered) => {
                gathered.keys.extend(key);
                gathered.rows.push(row);
            }
            None => self.inserts.push(Gathered {
                known: Arc::clone(known),
                rows: vec![row],
                keys: key.into_iter().collect(),
            }),
        }
        self.rows += 1;
        self.rows >= ROWS
    }
    /// Everything, in order.
    pub(super) fn take(&mut self) -> Vec<Gathered> {
        self.rows = 0;
        std::mem::take(&mut self.inserts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const OWNER: &str = "coalesce((SELECT m FROM b WHERE id = $2), 'none')";

    #[test]
    fn an_insert_of_one_row_becomes_one_of_many() {
        let found = of_many(
            &format!("INSERT INTO a (x, y, z) VALUES ({OWNER}, $1, 0)\n ON CONFLICT DO NOTHING"),
            &[Type::INT8, Type::UUID],
        );
        let owner = OWNER.replace('$', "given.p");
        let many = Many {
            table: "a".to_owned(),
            sql: format!(
                "INSERT INTO a (x, y, z) SELECT {owner}, given.p1, 0 \
                 FROM unnest($1::int8[], $2::uuid[]) AS given(p1, p2)\n ON CONFLICT DO NOTHING"
            ),
            key: Vec::new(),
        };
        assert_eq!(found, Some(many));
    }

    #[test]
    fn what_may_be_written_once_only_is_known() {
        let sql = format!(
            "INSERT INTO a AS t (x, y, z, u) VALUES ({OWNER}, $1, $3, $4)
             ON CONFLICT (x, z) DO UPDATE SET y = excluded.y"
        );
        let params = [Type::INT8, Type::UUID, Type::TEXT, Type::TEXT];
        assert_eq!(of_many(&sql, &params).unwrap().key, [1, 2]);
        let unknown = sql.replace("(x, z)", "(x, v)");
        assert_eq!(of_many(&unknown, &params), None);
    }

    #[test]
    fn a_question_becomes_one_for_many() {
        let found = of_each(
            "SELECT x FROM a WHERE y = $1 AND z = $2",
            &[Type::INT8, Type::UUID],
        );
        let sql = "SELECT found.*, given.n FROM unnest($1::int8[], $2::uuid[]) WITH ORDINALITY \
                   AS given(p1, p2, n),
         LATERAL (SELECT x FROM a WHERE y = given.p1 AND z = given.p2) AS found";
        assert_eq!(found.as_deref(), Some(sql));
    }

    #[test]
    fn what_cannot_be_one_of_many_stays_alone() {
        let text = [Type::TEXT];
        for sql in [
            "UPDATE a SET x = $1",
            "INSERT INTO a (x) SELECT $1",
            "INSERT INTO a (x) VALUES ($1) RETURNING id",
            "INSERT INTO a (x) VALUES ($1) ON CONFLICT (x) DO UPDATE SET y = 1 WHERE a.z < $1",
        ] {
            assert_eq!(of_many(sql, &text), None, "{sql}");
        }
        for sql in [
            "DELETE FROM a WHERE x = $1",
            "SELECT x FROM a WHERE x = $1 FOR UPDATE",
        ] {
            assert_eq!(of_each(sql, &text), None, "{sql}");
        }
        assert_eq!(
            of_each("SELECT x FROM a WHERE x = ANY($1)", &[Type::TEXT_ARRAY]),
            None
        );
        let one = "INSERT INTO a (x) VALUES ($1)";
        assert_eq!(of_many(one, &[Type::TEXT_ARRAY]), None);
        assert!(of_many(one, &text).is_some());
    }
}
