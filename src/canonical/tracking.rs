//! Tracking: what carriers tell of a parcel on its way, and where the parcel is by that.
//!
//! What always holds: an event is kept as it was told and never changed; exact repeats (code, time,
//! place equal) are one event; where a parcel is ([`ParcelState`]) is a reading of its events.

use super::address::Geo;
use super::money::Money;
use super::order::wire_enum;
use super::{ParcelId, Timestamp, TrackingEventId};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// A parcel's status (docs/connectors.md, Tracking).
    TrackingStatus {
        #[default] Unknown, PreTransit, InTransit, OutForDelivery, FailedAttempt, AvailableForPickup,
        ReturnInTransit, Delivered, Returned, Cancelled, Exception, Info,
    }
}
wire_enum! {
    /// How another number belongs to this one.
    RelatedKind { Return, Redirect, Replacement, Original, #[default] Other }
}
wire_enum! {
    /// Where the collected money stands, as far as a carrier tells.
    CodFactStatus { #[default] Expected, Collected, Remitted, NotDue }
}
wire_enum! {
    /// How an event reached us.
    Origin { Webhook, #[default] Poll, File, Manual }
}

impl TrackingStatus {
    /// The group of the status; `None` for the overlay `exception` and for `info`, which move no
    /// parcel.
    pub const fn group(self) -> Option<u8> {
        match self {
            Self::Unknown => Some(0),
            Self::PreTransit => Some(1),
            Self::InTransit => Some(2),
            Self::OutForDelivery | Self::FailedAttempt | Self::AvailableForPickup => Some(3),
            Self::ReturnInTransit => Some(4),
            Self::Delivered | Self::Returned | Self::Cancelled => Some(5),
            Self::Exception | Self::Info => None,
        }
    }
    /// Nothing more is expected of the parcel.
    pub const fn terminal(self) -> bool {
        matches!(self, Self::Delivered | Self::Returned | Self::Cancelled)
    }
    /// The carrier has it, or had it.
    pub const fn scanned(self) -> bool {
        matches!(self.group(), Some(2..=4)) || matches!(self, Self::Delivered | Self::Returned)
    }
}

/// Another number of the same goods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Related {
    pub kind: RelatedKind,
    pub tracking_number: String,
}

/// Where a scan was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct EventPlace {
    pub name: Option<String>,
    pub city: Option<String>,
    pub country: Option<String>,
    pub geo: Option<Geo>,
}

/// One scan, as a mapping tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedEvent {
    /// In our words.
    pub status: TrackingStatus,
    /// Why, party-prefixed (`carrier_damaged`).
    #[serde(default)]
    pub reason: Option<String>,
    /// The code as sent, as text.
    #[serde(default)]
    pub carrier_code: Option<String>,
    /// The text as sent.
    #[serde(default)]
    pub carrier_text: Option<String>,
    /// The scan's time.
    pub occurred_at: Timestamp,
    /// Where.
    #[serde(default)]
    pub place: Option<EventPlace>,
}

/// The money to collect, as the carrier tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ParcelCod {
    pub amount: Option<Money>,
    pub status: CodFactStatus,
}

/// What a carrier tells of one parcel: an output of the mapping `tracking`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackingAnswer {
    /// What is printed on the label; null when the answer names none, never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub tracking_number: Option<String>,
    /// Numbers that belong to it.
    #[serde(default)]
    pub related: Vec<Related>,
    /// Oldest first.
    pub events: Vec<MappedEvent>,
    /// Null when there is none.
    #[serde(default)]
    pub cod: Option<ParcelCod>,
}

/// A stored tracking event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TrackingEvent {
    pub id: TrackingEventId,
    pub parcel_id: ParcelId,
    pub status: TrackingStatus,
    pub reason: Option<String>,
    pub carrier_code: Option<String>,
    pub carrier_text: Option<String>,
    pub occurred_at: Timestamp,
    pub received_at: Timestamp,
    pub place: Option<EventPlace>,
    pub origin: Origin,
}

/// Where a parcel is, read off its events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ParcelState {
    /// The newest status within the highest group reached.
    pub status: TrackingStatus,
    /// When that was, by the carrier's clock.
    pub since: Option<Timestamp>,
    /// Lost, damaged, held: the reason, until the next good scan.
    pub exception: Option<String>,
    /// When the carrier scanned it first.
    pub first_scan_at: Option<Timestamp>,
    /// A return has begun.
    pub returning: bool,
    /// Other numbers of the same goods.
    pub related: Vec<Related>,
}
