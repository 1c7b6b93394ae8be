//! Pickup points: read from carriers' directories again and again, written where they changed.
//!
//! What always holds: a point is one row by network and id; what a reading brings as it was stored
//! is only noted as seen; the search tables hold the points that are there and no others; a reading
//! without points makes none go.

use super::SqlStore;
use super::codec::{Columns, Result, blob, from_json, int, micros, to_json, word};
use super::conn::{Conn, OptionalExtension};
use super::point_index;
use super::point_search::Words;
use super::reader::Reader;
use super::row::Row;
use super::value::{Value, params, params_from_iter};
use super::writer::WriteCtx;
use crate::canonical::point::{PickupPoint, StoredPoint};
use crate::canonical::{ConnectionId, Timestamp};
use crate::store::StoreError;
use crate::store::query::{Directory, DirectoryChange};
use sha2::{Digest, Sha256};

/// So many points share a write, so that others' commits do not wait long.
const PIECE: usize = 500;
/// Rises when points are to be listed for search in another way: then all are written anew.
const LISTED_AS: u8 = 1;

/// A point, ready to be written.
pub(in crate::store) struct NewPoint {
    pub network: String,
    point_id: String,
    pub country: Option<String>,
    kind: &'static str,
    takes_cod: bool,
    pub place: Option<(f64, f64)>,
    hash: [u8; 16],
    data: Vec<u8>,
    pub words: Words,
}

impl NewPoint {
    pub(in crate::store) fn of(point: &PickupPoint) -> Result<Self> {
        let data = to_json(point)?;
        let digest = Sha256::new()
            .chain_update([LISTED_AS])
            .chain_update(&data)
            .finalize();
        let mut hash = [0; 16];
        hash.iter_mut()
            .zip(digest)
            .for_each(|(to, from)| *to = from);
        Ok(Self {
            network: point.network.clone(),
            point_id: point.point_id.clone(),
            country: point.address.country.clone(),
            kind: word(&point.kind),
            takes_cod: point.cod_allowed != Some(false),
            place: point.geo.as_ref().and_then(|geo| {
                let (lat, lon) = (geo.lat.as_f64()?, geo.lon.as_f64()?);
                let on_earth = lat.abs() <= 90.0 && lon.abs() <= 180.0;
                (on_earth && (lat, lon) != (0.0, 0.0)).then_some((lat, lon))
            }),
            hash,
            data,
            words: Words::of(point),
        })
    }
}

/// Notes a network that has points.
fn note_network(conn: Conn<'_>, network: &str) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO point_networks (network) VALUES (?) ON CONFLICT (network) DO NOTHING",
    )?
    .execute(params![network])?;
    Ok(())
}

/// Writes a point where it is not as it was; yields its row.
fn put(conn: Conn<'_>, point: &NewPoint) -> Result<i64> {
    let known = conn
        .prepare_cached(
            "SELECT row, hash, gone_at IS NULL FROM points WHERE network = ? AND point_id = ?",
        )?
        .query_row(params![point.network, point.point_id], |row| {
            Ok((
                row.get::<i64>(0)?,
                row.get::<[u8; 16]>(1)?,
                row.get::<bool>(2)?,
            ))
        })
        .optional()?;
    if let Some((row, hash, there)) = known {
        if there && hash == point.hash {
            return Ok(row);
        }
        if there {
            point_index::unlist(conn, row)?;
        }
    }
    let row: i64 = conn
        .prepare_cached(
            "INSERT INTO points (network, point_id, country, kind, takes_cod, lat, lon, hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (network, point_id) DO UPDATE SET country = excluded.country,
               kind = excluded.kind, takes_cod = excluded.takes_cod, lat = excluded.lat,
               lon = excluded.lon, hash = excluded.hash, gone_at = NULL
             RETURNING row",
        )?
        .query_row(
            params![
                point.network,
                point.point_id,
                point.country,
                point.kind,
                point.takes_cod,
                point.place.map(|(lat, _)| lat),
                point.place.map(|(_, lon)| lon),
                point.hash,
            ],
            |row| row.get(0),
        )?;
    let data = std::str::from_utf8(&point.data).unwrap_or_default();
    conn.prepare_cached(
        "INSERT INTO point_data (row, data) VALUES (?, ?)
         ON CONFLICT (row) DO UPDATE SET data = excluded.data",
    )?
    .run(params![row, data])?;
    note_network(conn, &point.network)?;
    point_index::list(conn, row, point)?;
    Ok(row)
}

fn put_all(
    ctx: &WriteCtx<'_>,
    connection: ConnectionId,
    reading: u64,
    points: &[NewPoint],
) -> Result<()> {
    for point in points {
        let row = put(ctx.conn, point)?;
        ctx.conn
            .prepare_cached(
                "INSERT INTO point_seen (row, connection_id, reading) VALUES (?, ?, ?)
                 ON CONFLICT (row) DO UPDATE SET connection_id = excluded.connection_id,
                   reading = excluded.reading",
            )?
            .run(params![row, connection.as_bytes(), int(reading)])?;
    }
    Ok(())
}

/// What a reading had by network, and the rows of its account that it did not have.
type Read = (Vec<(String, u64)>, Vec<i64>);

fn what_was_read(reader: &Reader<'_>, connection: ConnectionId, reading: u64) -> Result<Read> {
    let args = [blob(connection.uuid()), Value::Integer(int(reading))];
    let args = params_from_iter(&args);
    let mut query = reader.conn.prepare_cached(
        "SELECT p.network, count(*) FROM point_seen s JOIN points p USING (row)
         WHERE s.connection_id = ? AND s.reading = ? GROUP BY p.network",
    )?;
    let mut rows = query.query(&args)?;
    let mut seen = Vec::new();
    while let Some(row) = rows.next()? {
        seen.push((row.text(0)?, row.number(1)?));
    }
    let unseen = reader
        .conn
        .prepare_cached(
            "SELECT s.row FROM point_seen s JOIN points p USING (row)
             WHERE s.connection_id = ? AND s.reading < ? AND p.gone_at IS NULL",
        )?
        .query_map(&args, |row| row.get(0))?
        .collect::<Result<Vec<i64>>>()?;
    Ok((seen, unseen))
}

/// Marks a point as gone, unless another reading had it in the meantime.
fn mark_gone(
    conn: Conn<'_>,
    row: i64,
    connection: ConnectionId,
    reading: u64,
    at: Timestamp,
) -> Result<u64> {
    let marked = conn
        .prepare_cached(
            "UPDATE points SET gone_at = ?1 WHERE row = ?2 AND gone_at IS NULL AND EXISTS (
               SELECT 1 FROM point_seen
               WHERE row = ?2 AND connection_id = ?3 AND reading < ?4)",
        )?
        .execute(params![
            micros(at),
            row,
            connection.as_bytes(),
            int(reading)
        ])?;
    if marked == 0 {
        return Ok(0);
    }
    point_index::unlist(conn, row)?;
    Ok(1)
}

/// The columns of [`stored`], of `points p`.
pub(in crate::store) const STORED: &str = "(SELECT data FROM point_data d WHERE d.row = p.row),
     (SELECT connection_id FROM point_seen s WHERE s.row = p.row), p.gone_at";

/// Reads a point.
pub(in crate::store) fn stored(row: Row<'_>) -> Result<StoredPoint> {
    Ok(StoredPoint {
        point: from_json(row.text(0)?.as_bytes())?,
        connection_id: ConnectionId::from_uuid(row.uuid(1)?),
        gone_at: row.opt_time(2)?,
    })
}

impl SqlStore {
    pub(in crate::store) async fn put_points(
        &self,
        connection: ConnectionId,
        reading: u64,
        points: Vec<PickupPoint>,
    ) -> Result<()> {
        let prepare = move || points.iter().map(NewPoint::of).collect::<Result<Vec<_>>>();
        let mut rest = tokio::task::spawn_blocking(prepare)
            .await
            .map_err(|_| StoreError::Corrupt("points failed unexpectedly".to_owned()))??;
        while !rest.is_empty() {
            let piece: Vec<NewPoint> = rest.drain(..rest.len().min(PIECE)).collect();
            let bytes = piece.iter().map(|point| point.data.len()).sum();
            self.write(bytes, move |ctx| put_all(ctx, connection, reading, &piece))
                .await?;
        }
        Ok(())
    }

    pub(in crate::store) async fn finish_points(
        &self,
        connection: ConnectionId,
        reading: u64,
        at: Timestamp,
    ) -> Result<DirectoryChange> {
        let (seen, unseen) = self
            .read(move |reader| what_was_read(reader, connection, reading))
            .await?;
        let mut change = DirectoryChange {
            seen: seen.iter().map(|(_, n)| n).sum(),
            gone: 0,
        };
        if change.seen == 0 {
            return Ok(change);
        }
        for piece in unseen.chunks(PIECE) {
            let piece = piece.to_vec();
            change.gone += self
                .write(64 * piece.len(), move |ctx| {
                    piece.into_iter().try_fold(0, |gone, row| {
                        Ok(gone + mark_gone(ctx.conn, row, connection, reading, at)?)
                    })
                })
                .await?;
        }
        self.write(256, move |ctx| {
            ctx.conn
                .prepare_cached("DELETE FROM directories WHERE connection_id = ?")?
                .execute(params![connection.as_bytes()])?;
            for (network, points) in &seen {
                ctx.conn
                    .prepare_cached(
                        "INSERT INTO directories (connection_id, network, points, loaded_at)
                         VALUES (?, ?, ?, ?)",
                    )?
                    .execute(params![
                        connection.as_bytes(),
                        network,
                        int(*points),
                        micros(at)
                    ])?;
            }
            ctx.local.bells.setup = true;
            Ok(())
        })
        .await?;
        Ok(change)
    }

    pub(in crate::store) async fn points_by_id(
        &self,
        keys: &[(String, String)],
    ) -> Result<Vec<Option<StoredPoint>>> {
        let keys = keys.to_vec();
        self.read(move |reader| {
            let sql = format!("SELECT {STORED} FROM points p WHERE network = ? AND point_id = ?");
            let mut query = reader.conn.prepare_cached(&sql)?;
            let mut found = Vec::with_capacity(keys.len());
            for (network, id) in keys {
                let mut rows = query.query(params![network, id])?;
                found.push(rows.next()?.map(stored).transpose()?);
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn directories(&self) -> Result<Vec<Directory>> {
        self.read(|reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT network, connection_id, points, loaded_at FROM directories
                 ORDER BY network, connection_id",
            )?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Directory {
                    network: row.text(0)?,
                    connection_id: ConnectionId::from_uuid(row.uuid(1)?),
                    points: row.number(2)?,
                    loaded_at: row.time(3)?,
                });
            }
            Ok(found)
        })
        .await
    }
}
