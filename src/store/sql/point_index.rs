//! Where points are found by words and by place: each backend has indexes of its own.
//!
//! What always holds: the index holds the points that are there and no others; nothing that a caller
//! types is syntax of it.

use super::codec::Result;
use super::conn::Conn;
use super::point_near::{Area, Place};
use super::point_search::Wanted;
use super::points::NewPoint;
use crate::store::{postgres, sqlite};

/// What is looked for by words.
pub(in crate::store) struct Query<'a> {
    /// Also in streets; else in names, towns, codes and ids.
    pub everywhere: bool,
    /// Folded; each holds a letter or a digit.
    pub words: &'a [String],
    /// The last word may be a beginning.
    pub beginning: bool,
    /// Made-up words of the other filters.
    pub tags: &'a [String],
}

/// Makes a point findable.
pub(in crate::store) fn list(conn: Conn<'_>, row: i64, point: &NewPoint) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => sqlite::point_index::list(conn, row, point),
        Conn::Postgres(_) => postgres::point_index::list(conn, row, point),
    }
}

/// Makes it so no more.
pub(in crate::store) fn unlist(conn: Conn<'_>, row: i64) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => sqlite::point_index::unlist(conn, row),
        Conn::Postgres(_) => postgres::point_index::unlist(conn, row),
    }
}

/// Rows with these words, by rising row.
pub(in crate::store) fn matches(
    conn: Conn<'_>,
    query: &Query<'_>,
    limit: usize,
) -> Result<Vec<i64>> {
    match conn {
        Conn::Sqlite(conn) => sqlite::point_index::matches(conn, query, limit),
        Conn::Postgres(_) => postgres::point_index::matches(conn, query, limit),
    }
}

/// Rows within a box, with their places; at most `most`.
pub(in crate::store) fn within(
    conn: Conn<'_>,
    wanted: &Wanted,
    area: &Area,
    most: usize,
) -> Result<Vec<(i64, Place)>> {
    match conn {
        Conn::Sqlite(_) => sqlite::point_index::within(conn, wanted, area, most),
        Conn::Postgres(_) => postgres::point_index::within(conn, wanted, area, most),
    }
}
