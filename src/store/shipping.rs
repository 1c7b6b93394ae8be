//! The store's part about parcels: shipments, tracking, cash, directories of pickup points.
//!
//! What always holds: as of [`Store`](super::Store), of which it is a part.

use super::query::*;
use super::{Scope, StoreError};
use crate::canonical::document::StoredDocument;
use crate::canonical::point::{PickupPoint, StoredPoint};
use crate::canonical::{ConnectionId, DocumentId, ParcelId, ShipmentId, Timestamp};
use crate::flow::change::OrderState;
use async_trait::async_trait;
use bytes::Bytes;

/// See the module.
#[async_trait]
pub trait ShippingStore {
    // ── shipments, tracking, cash ──────────────────────────────────────────────────────────────
    /// The order of a shipment.
    async fn order_of_shipment(
        &self,
        scope: Scope,
        id: ShipmentId,
    ) -> Result<Option<OrderState>, StoreError>;
    /// The orders whose parcels have these numbers at these carrier accounts (or had them by a
    /// former request), in the order asked.
    async fn orders_by_tracking(
        &self,
        keys: &[(ConnectionId, String)],
    ) -> Result<Vec<Option<OrderState>>, StoreError>;
    /// Shipments, newest first, as the API shows them.
    async fn shipments(
        &self,
        scope: Scope,
        filter: ShipmentFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>, StoreError>;
    /// A document with its bytes.
    async fn document(
        &self,
        scope: Scope,
        id: DocumentId,
    ) -> Result<Option<StoredDocument>, StoreError>;
    /// Parcels of a carrier account that have a number and whose tracking is due, longest due first.
    async fn due_parcels(
        &self,
        connection_id: ConnectionId,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueParcel>, StoreError>;
    /// When the next parcel of an account that may be asked (active or observing) is due, if any is.
    async fn next_parcel_at(&self) -> Result<Option<Timestamp>, StoreError>;
    /// They were asked for: when each is next (`None`: not any more). Those that are gone are passed
    /// over.
    async fn parcels_asked(
        &self,
        next: Vec<(ParcelId, Option<Timestamp>)>,
    ) -> Result<(), StoreError>;
    /// COD items, newest first, as the API shows them.
    async fn cod_items(
        &self,
        scope: Scope,
        filter: CodFilter,
        page: PageRequest,
    ) -> Result<Page<Bytes>, StoreError>;
    /// The COD ledger in sums.
    async fn cod_statement(
        &self,
        scope: Scope,
        filter: CodFilter,
    ) -> Result<Vec<CodSum>, StoreError>;

    // ── pickup points ─────────────────────────────────────────────────────────────────────────
    /// Stores points of a reading of an account's directory (`reading` rises from one to the next).
    /// A point is one by network and id: of two accounts with one network the newest reading wins.
    /// What is as it was stored costs next to nothing. Not one commit: a reading that broke off is
    /// simply read anew, under another number.
    async fn put_points(
        &self,
        connection_id: ConnectionId,
        reading: u64,
        points: Vec<PickupPoint>,
    ) -> Result<(), StoreError>;
    /// The reading is complete: points that this account's directory had last, and this reading did
    /// not, are gone. An empty reading (`seen` is 0) marks nothing: it is no news but a failure.
    async fn finish_points(
        &self,
        connection_id: ConnectionId,
        reading: u64,
        at: Timestamp,
    ) -> Result<DirectoryChange, StoreError>;
    /// Searches points that are there; nothing in the text is syntax.
    async fn points(&self, filter: PointFilter) -> Result<Vec<FoundPoint>, StoreError>;
    /// Points by network and id, gone ones too, in the order asked.
    async fn points_by_id(
        &self,
        keys: &[(String, String)],
    ) -> Result<Vec<Option<StoredPoint>>, StoreError>;
    /// The directories that were loaded.
    async fn directories(&self) -> Result<Vec<Directory>, StoreError>;
}
