//! Addresses, kept byte for byte as the channel sent them.
//!
//! What always holds: an address is replaced whole, never mixed from two revisions; a splitter
//! that fills `street` and `house_number` leaves `line1` and `line2` untouched.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A postal address with its addressee.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // the names are MODEL.md's and say what they hold
pub struct Address {
    pub name: Option<String>,
    pub company: Option<String>,
    pub line1: Option<String>,
    pub line2: Option<String>,
    pub street: Option<String>,
    pub house_number: Option<String>,
    pub postal_code: Option<String>,
    pub city: Option<String>,
    pub district: Option<String>,
    /// ISO 3166-2 where known, else the channel's text.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// E.164 where the raw text parses.
    pub phone: Option<String>,
    /// The phone as the channel sent it.
    pub phone_raw: Option<String>,
    pub email: Option<String>,
    /// Degrees; null when unknown.
    pub geo: Option<Geo>,
    /// A transliterated copy for carriers that need it; the original stays.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub latin: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<AddressCheck>,
}

/// A place on the map, in degrees (WGS 84). Numbers are kept digit for digit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geo {
    /// Latitude.
    pub lat: serde_json::Number,
    /// Longitude.
    pub lon: serde_json::Number,
}

/// What an address check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressCheck {
    /// The finding.
    pub status: AddressStatus,
    /// In words.
    #[serde(default)]
    pub detail: Option<String>,
}

/// The finding of an address check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum AddressStatus {
    Unchecked,
    Ok,
    Corrected,
    Ambiguous,
    Invalid,
}
