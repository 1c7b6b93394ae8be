//! Lockers and offices of a carrier's directory.
//!
//! What always holds: `point_id` is what the carrier's create call wants; times are local; a
//! directory is no personal data.

use super::Address;
use super::address::Geo;
use super::order::wire_enum;
use super::{ConnectionId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// What a point is.
    PointKind { #[default] Locker, ParcelShop, PostOffice, CarrierDepot }
}

/// When it is open, local time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Monday is 1, Sunday 7.
    pub day: u8,
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`.
    pub to: String,
}

/// An output of the mapping `points`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickupPoint {
    /// Whose.
    pub network: String,
    /// What the create call wants.
    pub point_id: String,
    /// What it is.
    pub kind: PointKind,
    /// Its name.
    pub name: Option<String>,
    /// Where.
    pub address: Address,
    /// Null when unknown; 0,0 is unknown.
    #[serde(default)]
    pub geo: Option<Geo>,
    /// Local times.
    #[serde(default)]
    pub opening: Vec<Opening>,
    /// Grams.
    #[serde(default)]
    pub max_weight_g: Option<serde_json::Number>,
    /// Millimetres, as the provider bounds them.
    #[serde(default)]
    pub max_size_mm: Option<Value>,
    /// Null when the row is silent.
    #[serde(default)]
    pub cod_allowed: Option<bool>,
    /// First day.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// Last day.
    #[serde(default)]
    pub valid_to: Option<String>,
}

/// A point as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPoint {
    /// As the directory has it.
    pub point: PickupPoint,
    /// The account whose directory it was read from.
    pub connection_id: ConnectionId,
    /// When a complete reading of the directory did not have it any more.
    pub gone_at: Option<Timestamp>,
}
