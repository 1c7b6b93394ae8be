//! Papers that carriers send: read, looked at, and put with the parcel that they belong to.
//!
//! What always holds: bytes that are not what they are said to be are not kept; a paper that is
//! there already is not stored again, also when the carrier printed it anew.

use crate::canonical::document::{DocumentKind, DocumentRef, MappedDocument, StoredDocument};
use crate::canonical::shipment::{Label, LabelFormat, Shipment};
use crate::canonical::{DocumentId, ParcelId, Timestamp};
use crate::flow::wire;
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// The largest paper that is kept.
const MAX_BYTES: usize = 10 * 1024 * 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a paper; `None` while they are elsewhere.
fn read(document: &MappedDocument) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(text) = document.content_base64.as_deref() else {
        return Ok(None);
    };
    if text.len() / 4 > MAX_BYTES / 2 {
        return Err("too large");
    }
    let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let content = BASE64.decode(packed).map_err(|_| "not base64")?;
    if content.len() > MAX_BYTES {
        return Err("too large");
    }
    if content.is_empty() {
        return Err("empty");
    }
    let as_said = match document.format.as_str() {
        "pdf" => content.starts_with(b"%PDF"),
        // Printers' drivers put a line of their own before the first label.
        "zpl" => [&b"^XA"[..], b"CT~~"]
            .iter()
            .any(|start| content.trim_ascii_start().starts_with(start)),
        "png" => content.starts_with(b"\x89PNG\r\n\x1a\n"),
        _ => true,
    };
    if as_said {
        Ok(Some(content))
    } else {
        Err("not the format that it is said to be")
    }
}

/// Keeps what is new of these papers. `parcel`: whose they are; `None`: the whole shipment's.
/// Yields what is wrong with those that cannot be kept.
pub(super) fn keep(
    shipment: &mut Shipment,
    parcel: Option<ParcelId>,
    told: &[MappedDocument],
    now: Timestamp,
    stored: &mut Vec<StoredDocument>,
) -> Vec<&'static str> {
    let mut wrong = Vec::new();
    let had = shipment.documents.clone();
    for (place, document) in told.iter().enumerate() {
        let content = match read(document) {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(what) => {
                wrong.push(what);
                continue;
            }
        };
        let like =
            |kind: DocumentKind, format: &str| kind == document.kind && format == document.format;
        let before = told.iter().take(place);
        let before = before
            .filter(|other| like(other.kind, &other.format) && other.content_base64.is_some())
            .count();
        let there = had
            .iter()
            .filter(|one| one.parcel_id == parcel && like(one.kind, &one.format))
            .count();
        // The n-th paper of a kind is the n-th that is there.
        if before < there {
            continue;
        }
        let about = DocumentRef {
            id: DocumentId::new(),
            kind: document.kind,
            format: document.format.clone(),
            parcel_id: parcel,
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
        };
        shipment.documents.push(about.clone());
        stored.push(StoredDocument {
            merchant_id: shipment.merchant_id,
            shipment_id: shipment.id,
            about,
            content,
            created_at: now,
        });
    }
    wrong
}

/// True when the label of each parcel can be printed: some carriers give them one by one.
pub(super) fn labelled(shipment: &Shipment) -> bool {
    let mut parcels = shipment.parcels.iter();
    !shipment.parcels.is_empty() && parcels.all(|parcel| parcel.label.is_some())
}

/// Puts at each parcel the label that is its own, in the format that the warehouse prints where
/// there is one, else the whole shipment's.
pub(super) fn hand_out(shipment: &mut Shipment) {
    let wanted = match shipment.label_format {
        LabelFormat::Pdf | LabelFormat::Zpl => wire(&shipment.label_format),
    };
    let documents = &shipment.documents;
    for parcel in &mut shipment.parcels {
        let may = |one: &&DocumentRef| {
            let its = one.parcel_id.is_none_or(|id| id == parcel.id);
            one.kind == DocumentKind::Label && its
        };
        let best = documents
            .iter()
            .filter(may)
            .min_by_key(|one| (one.format != wanted, one.parcel_id.is_none()));
        if let Some(best) = best {
            parcel.label = Some(Label {
                format: best.format.clone(),
                size: None,
                document_id: best.id,
            });
        }
    }
}
