//! Points by words and by place in the embedded store: a full-text index and a tree of boxes.
//!
//! What always holds: a word goes in as a quoted text.

use crate::store::sql::codec::{Filter, Result, int};
use crate::store::sql::conn::Conn;
use crate::store::sql::point_index::Query;
use crate::store::sql::point_near::{Area, Place};
use crate::store::sql::point_search::Wanted;
use crate::store::sql::points::NewPoint;
use crate::store::sql::value::{Value, params, params_from_iter};
use rusqlite::Connection;

/// A country's number in the index of places; `None` for what is no code.
fn country_number(country: &str) -> Option<i64> {
    match country.as_bytes() {
        [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => {
            Some(i64::from(a - b'A') * 26 + i64::from(b - b'A') + 1)
        }
        _ => None,
    }
}

/// A network's number in the index of places, if it has points.
fn network_number(conn: Conn<'_>, network: &str) -> Result<Option<i64>> {
    let mut query = conn.prepare_cached("SELECT number FROM point_networks WHERE network = ?")?;
    let mut rows = query.query(params![network])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

pub(in crate::store) fn list(conn: &Connection, row: i64, point: &NewPoint) -> Result<()> {
    let conn = Conn::Sqlite(conn);
    let words = &point.words;
    conn.prepare_cached(
        "INSERT INTO point_words (rowid, name, city, code, street, tags) VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row,
        words.name,
        words.city,
        words.code,
        words.street,
        words.tags
    ])?;
    if let Some((lat, lon)) = point.place {
        let network = network_number(conn, &point.network)?.unwrap_or(0);
        let country = point.country.as_deref().and_then(country_number);
        conn.prepare_cached(
            "INSERT INTO point_places (row, lat0, lat1, lon0, lon1, network0, network1, country0,
               country1) VALUES (?1, ?2, ?2, ?3, ?3, ?4, ?4, ?5, ?5)",
        )?
        .execute(params![row, lat, lon, network, country.unwrap_or(0)])?;
    }
    Ok(())
}

pub(in crate::store) fn unlist(conn: &Connection, row: i64) -> Result<()> {
    let conn = Conn::Sqlite(conn);
    conn.prepare_cached("DELETE FROM point_words WHERE rowid = ?")?
        .execute(params![row])?;
    conn.prepare_cached("DELETE FROM point_places WHERE row = ?")?
        .execute(params![row])?;
    Ok(())
}

const EVERYWHERE: &str = "name city code street";
const BY_NAME: &str = "name city code";

fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

/// A query for the full-text index: all words in these columns, the last one as a beginning.
fn expression(query: &Query<'_>) -> String {
    let star = if query.beginning { "*" } else { "" };
    let columns = if query.everywhere {
        EVERYWHERE
    } else {
        BY_NAME
    };
    let words: Vec<String> = query.words.iter().map(|word| quoted(word)).collect();
    let mut expression = format!("{{{columns}}} : ({}{star})", words.join(" AND "));
    if !query.tags.is_empty() {
        expression.push_str(&format!(" AND tags : ({})", query.tags.join(" AND ")));
    }
    expression
}

pub(in crate::store) fn matches(
    conn: &Connection,
    query: &Query<'_>,
    limit: usize,
) -> Result<Vec<i64>> {
    let conn = Conn::Sqlite(conn);
    // The index yields them in order.
    conn.prepare_cached("SELECT rowid FROM point_words WHERE point_words MATCH ? LIMIT ?")?
        .query_map(params![expression(query), int(limit as u64)], |row| {
            row.get(0)
        })?
        .collect()
}

pub(in crate::store) fn within(
    conn: Conn<'_>,
    wanted: &Wanted,
    area: &Area,
    most: usize,
) -> Result<Vec<(i64, Place)>> {
    let mut conditions = Filter::default();
    conditions.and("b.lat1 >= ?", area.south);
    conditions.and("b.lat0 <= ?", area.north);
    conditions.and("b.lon1 >= ?", area.west);
    conditions.and("b.lon0 <= ?", area.east);
    if let Some(network) = &wanted.network {
        let number = network_number(conn, network)?.unwrap_or(-1);
        conditions.and("b.network1 >= ?", number);
        conditions.and("b.network0 <= ?", number);
    }
    if let Some(country) = &wanted.country {
        let number = country_number(country).unwrap_or(-1);
        conditions.and("b.country1 >= ?", number);
        conditions.and("b.country0 <= ?", number);
    }
    if let Some(kind) = wanted.kind {
        conditions.and("p.kind = ?", kind.to_owned());
    }
    if wanted.cod {
        conditions.raw("p.takes_cod = 1");
    }
    conditions.args.push(Value::Integer(int(most as u64)));
    // CROSS JOIN: the box first, whatever the planner thinks.
    let sql = format!(
        "SELECT p.row, p.lat, p.lon FROM point_places b CROSS JOIN points p ON p.row = b.row{} LIMIT ?",
        conditions.sql()
    );
    conn.prepare_cached(&sql)?
        .query_map(params_from_iter(&conditions.args), |row| {
            let (lat, lon) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, Place { lat, lon }))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_word_is_never_syntax() {
        assert_eq!(super::quoted("\"or\""), "\"\"\"or\"\"\"");
        assert_eq!(super::quoted("near(a)"), "\"near(a)\"");
    }
}
