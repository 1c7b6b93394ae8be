//! What is asked of shipments, parcels, cash and pickup points, and what is answered.

use crate::canonical::cod::CodStatus;
use crate::canonical::point::{PointKind, StoredPoint};
use crate::canonical::shipment::ShipmentStatus;
use crate::canonical::tracking::TrackingStatus;
use crate::canonical::{
    ConnectionId, FulfillmentOrderId, MerchantId, Money, OrderId, ParcelId, Timestamp,
};
use serde::{Deserialize, Serialize};
/// Which shipments, newest first.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct ShipmentFilter {
    pub merchant_id: Option<MerchantId>,
    pub order_id: Option<OrderId>,
    pub fulfillment_order_id: Option<FulfillmentOrderId>,
    pub connection_id: Option<ConnectionId>,
    pub status: Vec<ShipmentStatus>,
    pub shipment_ref: Option<String>,
    /// The parcel with this number.
    pub tracking_number: Option<String>,
}

/// A parcel whose tracking is to be asked for.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct DueParcel {
    pub parcel_id: ParcelId,
    pub tracking_number: String,
    pub status: TrackingStatus,
    /// When it got that status, by the carrier's clock; when the label was bought, before any scan.
    pub since: Timestamp,
    /// When it was to be asked for.
    pub track_at: Timestamp,
}

/// Which COD items, newest first.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct CodFilter {
    pub merchant_id: Option<MerchantId>,
    pub connection_id: Option<ConnectionId>,
    pub order_id: Option<OrderId>,
    pub status: Option<CodStatus>,
}

/// One line of the statement: the items of a carrier account, merchant and currency in one state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CodSum {
    pub connection_id: ConnectionId,
    pub merchant_id: MerchantId,
    pub status: CodStatus,
    pub count: u64,
    /// Sum of `due`.
    pub due: Money,
    /// Sum of `collected`, where it is in the same currency.
    pub collected: Money,
}

/// Which pickup points. With `near` the nearest first, else by relevance or id.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct PointFilter {
    pub network: Option<String>,
    pub country: Option<String>,
    /// Words of name, street, city, postal code or id; the last may be a beginning.
    pub q: Option<String>,
    /// Latitude and longitude in degrees.
    pub near: Option<(f64, f64)>,
    pub kind: Option<PointKind>,
    /// Only those that take cash on delivery (or do not say that they do not).
    pub cod: bool,
    pub limit: usize,
}

/// A point that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundPoint {
    /// As the directory has it.
    pub point: StoredPoint,
    /// From `near`, along the great circle.
    pub distance_m: Option<u64>,
}

/// A directory of points as it was last loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Directory {
    pub network: String,
    pub connection_id: ConnectionId,
    /// Points that are there.
    pub points: u64,
    pub loaded_at: Timestamp,
}

/// What a complete reading of a directory changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DirectoryChange {
    pub seen: u64,
    pub gone: u64,
}
