//! Documents: labels and other papers of a shipment, kept as the carrier gave them; and the label
//! answer that brings them.
//!
//! What always holds: bytes are stored once and never changed; a reprint is no new document.

use super::line::Charge;
use super::order::wire_enum;
use super::{DocumentId, MerchantId, Money, ParcelId, ShipmentId, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// What a document is.
    DocumentKind { #[default] Label, ReturnLabel, Customs, Cod, Manifest, Other }
}

/// A document as objects refer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DocumentRef {
    pub id: DocumentId,
    pub kind: DocumentKind,
    /// `pdf`, `zpl`, `png`.
    pub format: String,
    /// Null when it is the whole shipment's.
    pub parcel_id: Option<ParcelId>,
    pub bytes: u64,
}

/// A document with its bytes.
#[derive(Clone, PartialEq)]
#[allow(missing_docs)]
pub struct StoredDocument {
    pub merchant_id: MerchantId,
    pub shipment_id: ShipmentId,
    pub about: DocumentRef,
    pub content: Vec<u8>,
    pub created_at: Timestamp,
}

impl std::fmt::Debug for StoredDocument {
    /// Without the bytes: a label shows a name and an address.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredDocument")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

/// A document as a mapping tells it: its bytes or where they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedDocument {
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
    pub documents: Vec<MappedDocument>,
    /// What it costs.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// What the carrier says that it will collect; left out when the answer does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cod: Option<Money>,
}
