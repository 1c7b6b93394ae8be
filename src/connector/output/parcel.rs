//! Tracking and label answers of carriers, one a parcel.

use super::OutputError;
use crate::canonical::address::Geo;
use crate::canonical::line::Charge;
use crate::canonical::{Money, Timestamp};
use crate::mapping::{Val, shape};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($word:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum $name { $($word),* }
    };
}

words! {
    /// A parcel's status (MODEL.md, Tracking event).
    TrackingStatus {
        Unknown, PreTransit, InTransit, OutForDelivery, FailedAttempt, AvailableForPickup,
        ReturnInTransit, Delivered, Returned, Cancelled, Exception, Info,
    }
}
words! {
    /// How another number belongs to this one.
    RelatedKind { Return, Redirect, Replacement, Original, Other }
}
words! {
    /// Where the collected money stands, as far as a carrier tells.
    CodStatus { Expected, Collected, Remitted, NotDue }
}
words! {
    /// What a document is.
    DocumentKind { Label, ReturnLabel, Customs, Cod, Manifest, Other }
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
    pub status: CodStatus,
}

/// An output of the mapping `tracking`.
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

impl TrackingAnswer {
    /// Reads an output: events oldest first, equal times in the mapping's order.
    pub(super) fn check(value: &Val) -> Result<Self, OutputError> {
        let mut answer: Self = shape(value)?;
        answer.events.sort_by_key(|event| event.occurred_at);
        Ok(answer)
    }
}

/// A document of a parcel: its bytes or where they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// `pdf`, `zpl`, `png`.
    pub format: String,
    /// The bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
    /// Or where to fetch them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// An output of the mapping `label`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelAnswer {
    /// Null while the carrier has not given one, never left out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub tracking_number: Option<String>,
    /// Where the customer follows it.
    #[serde(default)]
    pub tracking_url: Option<String>,
    /// Empty while there is no file.
    #[serde(default)]
    pub documents: Vec<Document>,
    /// What it costs.
    #[serde(default)]
    pub charges: Vec<Charge>,
}

impl LabelAnswer {
    /// Reads an output: each document has its bytes or its address.
    pub(super) fn check(value: &Val) -> Result<Self, OutputError> {
        let answer: Self = shape(value)?;
        let odd = |document: &Document| document.content_base64.is_some() == document.url.is_some();
        match answer.documents.iter().position(odd) {
            Some(index) => Err(OutputError::new(
                "output_shape",
                format!("documents[{index}]"),
                "exactly one of content_base64 and url is required",
            )),
            None => Ok(answer),
        }
    }
}
