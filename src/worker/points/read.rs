//! The pages of a directory: rows become points on the mapping pool, points go to the store.
//!
//! What always holds: one row that cannot be read costs itself only, and is counted; what is kept of
//! it is where it broke, never what it held.

use crate::canonical::point::PickupPoint;
use crate::canonical::{AttemptId, ConnectionId, Timestamp};
use crate::connector::output::Output;
use crate::connector::records;
use crate::mapping::{Scope, Val};
use crate::operation::{Observer, Page, PageUse, PlannedRequest, Refused, Report};
use crate::worker::connectors::Loaded;
use crate::worker::work::Work;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;

/// Rows that one thread maps at a time, and points of one write.
const PIECE: usize = 500;

/// Rows that could not be read.
#[derive(Debug, Default)]
pub(super) struct Unread {
    pub count: u64,
    /// Where the first of them broke.
    pub first: Value,
}

/// One reading.
pub(super) struct Rows {
    work: Arc<Work>,
    id: ConnectionId,
    connector: Loaded,
    /// Rises from one reading to the next.
    pub reading: u64,
    /// Points that were stored.
    pub put: u64,
    pub unread: Unread,
}

struct Piece {
    rows: Vec<Val>,
    mapping: String,
    scope: Scope,
    connector: Loaded,
}

impl Rows {
    pub(super) fn new(
        work: Arc<Work>,
        id: ConnectionId,
        connector: Loaded,
        now: Timestamp,
    ) -> Self {
        Self {
            work,
            id,
            connector,
            reading: u64::try_from(now.as_microsecond()).unwrap_or_default(),
            put: 0,
            unread: Unread::default(),
        }
    }
}

#[async_trait]
impl Observer for Rows {
    async fn before_send(&mut self, _: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.work.may_send(self.id)?;
        match self.work.stop.is_set() {
            true => Err(Refused("the node stops".to_owned())),
            false => Ok(AttemptId::new()),
        }
    }

    async fn after(&mut self, _: AttemptId, _: Report<'_>) -> Result<(), Refused> {
        Ok(())
    }

    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        let rows = match records::by_path(page.records, page.body) {
            Ok(rows) => rows,
            Err(error) => {
                return Ok(PageUse::Unusable {
                    code: "records_missing".to_owned(),
                    message: error.to_string(),
                });
            }
        };
        let pieces = rows.chunks(PIECE).map(|rows| Piece {
            rows: rows.iter().copied().cloned().collect(),
            mapping: page.mapping.to_owned(),
            scope: page.scope.clone(),
            connector: self.connector.clone(),
        });
        let pieces: Vec<Piece> = pieces.collect();
        let sizes: Vec<usize> = pieces.iter().map(|piece| piece.rows.len()).collect();
        let mapped = self.work.pool.map(Arc::new(pieces), read).await;
        for (size, piece) in sizes.into_iter().zip(mapped) {
            let panicked = || vec![Err(json!({ "code": "mapping_panicked" })); size];
            let mut points = Vec::with_capacity(size);
            for row in piece.unwrap_or_else(panicked) {
                match row {
                    Ok(found) => points.extend(found),
                    Err(place) => {
                        if self.unread.count == 0 {
                            self.unread.first = place;
                        }
                        self.unread.count += 1;
                    }
                }
            }
            self.put += points.len() as u64;
            let put = self.work.store.put_points(self.id, self.reading, points);
            put.await.map_err(|error| Refused(error.to_string()))?;
        }
        Ok(PageUse::Taken)
    }
}

/// The points of each row, or where it broke.
fn read(piece: &Piece) -> Vec<Result<Vec<PickupPoint>, Value>> {
    let provider = piece.connector.provider.as_ref();
    let networks = networks(provider.manifest());
    let one = |row: &Val| {
        let yielded = provider
            .map(&piece.mapping, row.clone(), &piece.scope)
            .map_err(|error| json!({ "code": error.code(), "message": error.to_string() }))?;
        let mut points = Vec::with_capacity(1);
        for value in &yielded.values {
            match Output::check(&piece.mapping, value) {
                Ok(Output::Point(point)) if networks.contains(&point.network.as_str()) => {
                    points.push(*point);
                }
                Ok(_) => {
                    let message = "the point's network is none of the manifest's `networks`";
                    return Err(json!({ "code": "points_network", "message": message }));
                }
                Err(error) => {
                    return Err(
                        json!({ "code": error.code, "path": error.path, "message": error.message }),
                    );
                }
            }
        }
        Ok(points)
    };
    piece.rows.iter().map(one).collect()
}

/// The networks whose points a directory may hold.
fn networks(manifest: &crate::manifest::model::Manifest) -> Vec<&str> {
    let declared = manifest
        .operations
        .get(crate::worker::reading::POINTS_LIST)
        .map(|operation| &operation.networks)
        .filter(|networks| !networks.is_empty());
    match declared {
        Some(networks) => networks.iter().map(String::as_str).collect(),
        None => vec![manifest.id.as_str()],
    }
}
