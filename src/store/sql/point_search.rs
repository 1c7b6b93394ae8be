//! Searching pickup points by words, place and kind.
//!
//! What always holds: nothing that a caller types is syntax of an index; a search ends when it has enough, so that a common word costs no more than
//! a rare one; points that are gone are not listed and so never found.

use super::SqlStore;
use super::codec::{Filter, Result, int, limit_of, word};
use super::point_index::{self, Query};
use super::point_near::{self, Place};
use super::points::{STORED, stored};
use super::reader::Reader;
use super::value::{Value, params, params_from_iter};
use crate::canonical::Address;
use crate::canonical::point::PickupPoint;
use crate::store::query::{FoundPoint, PointFilter};

/// More words than this in a search tell nothing new.
const MOST_WORDS: usize = 8;
/// Up to so many matches are measured one by one; more are looked for around the place.
const FEW: usize = 2_000;

/// Letters that the index does not fold by itself become what people type for them.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'ά' => folded.push('α'),
            'έ' => folded.push('ε'),
            'ή' => folded.push('η'),
            'ί' | 'ϊ' | 'ΐ' => folded.push('ι'),
            'ό' => folded.push('ο'),
            'ύ' | 'ϋ' | 'ΰ' => folded.push('υ'),
            'ώ' => folded.push('ω'),
            'ς' => folded.push('σ'),
            'ё' => folded.push('е'),
            'ł' => folded.push('l'),
            'ø' => folded.push('o'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            // Zero would end a text inside the index.
            c if c.is_control() => folded.push(' '),
            c => folded.push(c),
        }
    }
    folded
}

/// A folded text without the marks on its Latin letters, for an index that does not fold them.
pub(in crate::store) fn plain(text: &str) -> String {
    let without = |c: char| {
        let found = MARKED.iter().find(|(marked, _)| marked.contains(c));
        found.map_or(c, |(_, letter)| *letter)
    };
    text.chars().map(without).collect()
}

/// Letters with marks, by the letter.
const MARKED: [(&str, char); 20] = [
    ("àáâãäåāăąǎ", 'a'),
    ("çćĉċč", 'c'),
    ("ď", 'd'),
    ("èéêëēĕėęě", 'e'),
    ("ĝğġģ", 'g'),
    ("ĥħ", 'h'),
    ("ìíîïĩīĭį", 'i'),
    ("ĵ", 'j'),
    ("ķ", 'k'),
    ("ĺļľ", 'l'),
    ("ñńņň", 'n'),
    ("òóôõöōŏőơ", 'o'),
    ("ŕŗř", 'r'),
    ("śŝşšș", 's'),
    ("ţťŧț", 't'),
    ("ùúûüũūŭůűųư", 'u'),
    ("ŵ", 'w'),
    ("ýÿŷ", 'y'),
    ("źżž", 'z'),
    ("йѝ", 'и'),
];

/// What a point is found by.
pub(in crate::store) struct Words {
    pub name: String,
    pub city: String,
    pub code: String,
    pub street: String,
    pub tags: String,
}

impl Words {
    pub(in crate::store) fn of(point: &PickupPoint) -> Self {
        let address = &point.address;
        let Address {
            line1,
            line2,
            street,
            house_number,
            postal_code,
            city,
            district,
            region,
            company,
            ..
        } = address;
        let latin = |keys: &[&str]| -> Vec<Option<String>> {
            let text = |key: &&str| address.latin.get(*key)?.as_str().map(str::to_owned);
            keys.iter().map(text).collect()
        };
        let joined = |given: &[&Option<String>], keys: &[&str]| {
            let mut parts: Vec<String> = Vec::new();
            for part in given.iter().copied().cloned().chain(latin(keys)).flatten() {
                let part = fold(&part);
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            parts.join(" ")
        };
        let id = Some(point.point_id.clone());
        let wanted = Wanted {
            network: Some(point.network.clone()),
            country: address.country.clone(),
            kind: Some(word(&point.kind)),
            cod: point.cod_allowed != Some(false),
        };
        Self {
            name: joined(&[&point.name, company], &["name", "company"]),
            city: joined(&[city, district, region], &["city", "district", "region"]),
            code: joined(&[&id, postal_code], &[]),
            street: joined(
                &[line1, line2, street, house_number],
                &["line1", "line2", "street"],
            ),
            tags: wanted.tags().join(" "),
        }
    }
}

/// The filters besides words and place.
pub(in crate::store) struct Wanted {
    pub network: Option<String>,
    pub country: Option<String>,
    pub kind: Option<&'static str>,
    pub cod: bool,
}

impl Wanted {
    /// As words of the column `tags`, which no text of a point or caller is in.
    fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        if let Some(network) = &self.network {
            tags.push(format!("zn{}", hex::encode(network)));
        }
        if let Some(country) = &self.country {
            tags.push(format!("zc{}", hex::encode(country)));
        }
        if let Some(kind) = self.kind {
            tags.push(format!("zk{}", kind.replace('_', "")));
        }
        if self.cod {
            tags.push("zcod".to_owned());
        }
        tags
    }
}

/// The words of a search.
fn words_of(text: &str) -> Vec<String> {
    fold(text)
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(MOST_WORDS)
        .map(str::to_owned)
        .collect()
}

/// The point with exactly this id, if the filters let it through.
fn by_id(reader: &Reader<'_>, id: &str, wanted: &Wanted) -> Result<Vec<i64>> {
    let mut conditions = wanted.conditions();
    conditions.raw("network IN (SELECT network FROM point_networks)");
    conditions.and("point_id = ?", id.to_owned());
    let sql = format!(
        "SELECT row FROM points{} ORDER BY network",
        conditions.sql()
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let rows = query.query_map(params_from_iter(&conditions.args), |row| row.get(0))?;
    rows.collect::<Result<_>>()
}

/// Better matches first: the id, whole words of name, town and code, beginnings, then streets.
fn by_words(
    reader: &Reader<'_>,
    q: &str,
    words: &[String],
    wanted: &Wanted,
    limit: usize,
) -> Result<Vec<i64>> {
    let mut found = by_id(reader, q.trim(), wanted)?;
    let tags = wanted.tags();
    for (everywhere, beginning) in [(false, false), (false, true), (true, true)] {
        if found.len() >= limit {
            break;
        }
        // What was found before may come again.
        let query = Query {
            everywhere,
            words,
            beginning,
            tags: &tags,
        };
        for row in point_index::matches(reader.conn, &query, limit + found.len())? {
            if !found.contains(&row) {
                found.push(row);
            }
        }
    }
    found.truncate(limit);
    Ok(found)
}

impl Wanted {
    fn conditions(&self) -> Filter {
        let mut conditions = Filter::default();
        conditions.raw("gone_at IS NULL");
        self.narrow(&mut conditions);
        conditions
    }
    /// Adds what is asked of the columns of `points`.
    pub(in crate::store) fn narrow(&self, conditions: &mut Filter) {
        if let Some(network) = &self.network {
            conditions.and("network = ?", network.clone());
        }
        if let Some(country) = &self.country {
            conditions.and("country = ?", country.clone());
        }
        if let Some(kind) = self.kind {
            conditions.and("kind = ?", kind.to_owned());
        }
        if self.cod {
            conditions.raw("takes_cod = 1");
        }
    }
}

fn by_id_order(reader: &Reader<'_>, wanted: &Wanted, limit: usize) -> Result<Vec<i64>> {
    let mut conditions = wanted.conditions();
    conditions.args.push(Value::Integer(int(limit as u64)));
    let sql = format!(
        "SELECT row FROM points{} ORDER BY network, point_id LIMIT ?",
        conditions.sql()
    );
    let mut query = reader.conn.prepare_cached(&sql)?;
    let rows = query.query_map(params_from_iter(&conditions.args), |row| row.get(0))?;
    rows.collect::<Result<_>>()
}

fn place_of(reader: &Reader<'_>, row: i64) -> Result<Option<Place>> {
    Ok(reader
        .conn
        .prepare_cached("SELECT lat, lon FROM points WHERE row = ?")?
        .query_row(params![row], |row| {
            let (lat, lon): (Option<f64>, Option<f64>) = (row.get(0)?, row.get(1)?);
            Ok(lat.zip(lon).map(|(lat, lon)| Place { lat, lon }))
        })?)
}

type Measured = Vec<(i64, f64)>;

/// The nearest first; with words only those that have them.
fn by_place(
    reader: &Reader<'_>,
    center: Place,
    words: Option<&[String]>,
    wanted: &Wanted,
    limit: usize,
) -> Result<Measured> {
    let look =
        |area: &point_near::Area, most: usize| point_index::within(reader.conn, wanted, area, most);
    let Some(words) = words else {
        return point_near::nearest(center, limit, look, |_| true);
    };
    let query = Query {
        everywhere: true,
        words,
        beginning: true,
        tags: &wanted.tags(),
    };
    let rows = point_index::matches(reader.conn, &query, i64::MAX as usize)?;
    if rows.len() > FEW {
        // They are in order.
        return point_near::nearest(center, limit, look, |row| rows.binary_search(&row).is_ok());
    }
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(place) = place_of(reader, row)? {
            found.push((row, center.distance_m(place)));
        }
    }
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found.truncate(limit);
    Ok(found)
}

fn search(reader: &Reader<'_>, filter: PointFilter) -> Result<Vec<FoundPoint>> {
    let limit = limit_of(filter.limit);
    let wanted = Wanted {
        network: filter.network,
        country: filter.country.map(|country| country.to_ascii_uppercase()),
        kind: filter.kind.as_ref().map(word),
        cod: filter.cod,
    };
    let q = filter.q.filter(|q| !q.trim().is_empty());
    let words = q.as_deref().map(words_of);
    // Signs alone are on no point.
    if words.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    if filter
        .near
        .is_some_and(|(lat, lon)| !(lat.is_finite() && lon.is_finite()))
    {
        return Ok(Vec::new());
    }
    let plain = |rows: Vec<i64>| rows.into_iter().map(|row| (row, None)).collect();
    let rows: Vec<(i64, Option<f64>)> = match (filter.near, &words, q.as_deref()) {
        (Some((lat, lon)), words, _) => {
            let center = Place {
                lat: lat.clamp(-90.0, 90.0),
                lon: (lon + 180.0).rem_euclid(360.0) - 180.0,
            };
            let found = by_place(reader, center, words.as_deref(), &wanted, limit)?;
            found
                .into_iter()
                .map(|(row, far)| (row, Some(far)))
                .collect()
        }
        (None, Some(words), Some(q)) => plain(by_words(reader, q, words, &wanted, limit)?),
        _ => plain(by_id_order(reader, &wanted, limit)?),
    };
    let sql = format!("SELECT {STORED} FROM points p WHERE p.row = ?");
    let mut query = reader.conn.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(rows.len());
    for (row, far) in rows {
        let mut rows = query.query(params![row])?;
        if let Some(row) = rows.next()? {
            found.push(FoundPoint {
                point: stored(row)?,
                distance_m: far.map(|metres| metres.round() as u64),
            });
        }
    }
    Ok(found)
}

impl SqlStore {
    pub(in crate::store) async fn points(&self, filter: PointFilter) -> Result<Vec<FoundPoint>> {
        self.read(move |reader| search(reader, filter)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_are_folded() {
        assert_eq!(
            words_of("Rīga \"OR\" NEAR(a)"),
            ["rīga", "\"or\"", "near(a)"]
        );
        assert_eq!(words_of(" -- ** \u{0} "), Vec::<String>::new());
        assert_eq!(words_of("Καλαμάτα"), ["καλαματα"]);
        assert_eq!(words_of("a b c d e f g h i j").len(), MOST_WORDS);
    }
}
