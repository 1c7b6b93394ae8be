//! Points by words and by place in the server's store: the built-in text search and geometry.
//!
//! What always holds: words are cut at everything that is no letter or digit before they go in, on
//! both sides, so that none of them is syntax.

use crate::store::sql::codec::{Filter, Result, int};
use crate::store::sql::conn::Conn;
use crate::store::sql::point_index::Query;
use crate::store::sql::point_near::{Area, Place};
use crate::store::sql::point_search::{Wanted, plain};
use crate::store::sql::points::NewPoint;
use crate::store::sql::value::{Value, params, params_from_iter};

fn parts(text: &str) -> impl Iterator<Item = String> {
    plain(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

pub(in crate::store) fn list(conn: Conn<'_>, row: i64, point: &NewPoint) -> Result<()> {
    let words = &point.words;
    let named = [&words.name, &words.city, &words.code];
    let mut all: Vec<String> = named
        .into_iter()
        .flat_map(|text| parts(text))
        .map(|word| format!("n{word}"))
        .collect();
    all.extend(parts(&words.street).map(|word| format!("s{word}")));
    all.extend(words.tags.split(' ').map(str::to_owned));
    conn.prepare_cached(
        "INSERT INTO point_words (row, words)
         VALUES (?, array_to_tsvector(string_to_array(?, ' ')))
         ON CONFLICT (row) DO UPDATE SET words = excluded.words",
    )?
    .run(params![row, all.join(" ")])
}

pub(in crate::store) fn unlist(conn: Conn<'_>, row: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM point_words WHERE row = ?")?
        .run(params![row])
}

/// A query of the text search: all words, the last one as a beginning.
fn expression(query: &Query<'_>) -> String {
    let words: Vec<String> = query.words.iter().flat_map(|word| parts(word)).collect();
    let last = words.len().saturating_sub(1);
    let mut all: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(at, word)| {
            let star = if query.beginning && at == last {
                ":*"
            } else {
                ""
            };
            if query.everywhere {
                format!("('n{word}'{star} | 's{word}'{star})")
            } else {
                format!("'n{word}'{star}")
            }
        })
        .collect();
    all.extend(query.tags.iter().map(|tag| format!("'{tag}'")));
    all.join(" & ")
}

pub(in crate::store) fn matches(
    conn: Conn<'_>,
    query: &Query<'_>,
    limit: usize,
) -> Result<Vec<i64>> {
    conn.prepare_cached(
        "SELECT row FROM point_words WHERE words @@ CAST(CAST(? AS text) AS tsquery)
         ORDER BY row LIMIT ?",
    )?
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
    conditions.raw("gone_at IS NULL");
    conditions.raw("lat IS NOT NULL");
    conditions.raw("point(lon, lat) <@ box(point(?, ?), point(?, ?))");
    for degrees in [area.west, area.south, area.east, area.north] {
        conditions.args.push(Value::Real(degrees));
    }
    wanted.narrow(&mut conditions);
    conditions.args.push(Value::Integer(int(most as u64)));
    let sql = format!(
        "SELECT row, lat, lon FROM points{} LIMIT ?",
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
    use super::*;

    #[test]
    fn a_word_is_never_syntax() {
        let words = ["near(a)".to_owned(), "o'b|x:*".to_owned()];
        let query = Query {
            everywhere: false,
            words: &words,
            beginning: true,
            tags: &["zcod".to_owned()],
        };
        assert_eq!(
            expression(&query),
            "'nnear' & 'na' & 'no' & 'nb' & 'nx':* & 'zcod'"
        );
    }
}
