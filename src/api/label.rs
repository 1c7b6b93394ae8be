//! Waiting for a label, and choosing the document that is asked for.
//!
//! What always holds: who waits is woken by the commit that brings the label and reads the store;
//! the answer says what is true at that moment: 201 with the label, 202 while it is under way, an
//! error with the carrier's reason when it was refused.

use super::change::until_settled;
use super::command::{Done, Target, load};
use super::gate::Call;
use super::problem::{Code, FieldError, Problem};
use super::reply::{Answer, Reply};
use super::view;
use crate::canonical::document::{DocumentKind, DocumentRef};
use crate::canonical::shipment::{LabelFormat, Shipment, ShipmentStatus};
use crate::canonical::{ParcelId, ShipmentId};
use crate::flow::CommandAnswer;
use crate::flow::change::OrderState;
use base64::Engine as _;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The answer to a command that asked for a label, after waiting as long as the caller wants.
///
/// # Errors
/// `label_refused` when the carrier said no.
pub async fn answer(call: &Call, done: Done) -> Answer {
    let CommandAnswer::Shipment(id) = done.answer else {
        return Err(Problem::internal(
            "a label was asked for without a shipment",
        ));
    };
    let seconds = call.params.parse::<u64>("wait")?.unwrap_or(0);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let (changed, mut state) = (done.changed, done.state);
    loop {
        // Asked for before reading, or a label between the two would be slept through.
        let mut bell = call.state.store.wake().events();
        if seconds > 0 {
            state = until_settled(|| load(call, Target::Shipment(id))).await?;
        }
        let shipment = found(&state, id)?;
        if settled(shipment) || Instant::now() >= deadline {
            return tell(call, shipment, changed).await;
        }
        // The fallback is for commits of other nodes.
        let look = (Instant::now() + call.state.settings.poll_fallback).min(deadline);
        let _ = timeout_at(look, bell.changed()).await;
    }
}

fn found(state: &OrderState, id: ShipmentId) -> Result<&Shipment, Problem> {
    view::shipment(state, id).ok_or_else(|| Problem::internal("a command lost its shipment"))
}

/// Nothing more will come of it by itself within seconds.
fn settled(shipment: &Shipment) -> bool {
    match shipment.status {
        ShipmentStatus::Draft | ShipmentStatus::Requested => false,
        // No carrier, no label.
        _ if shipment.connection_id.is_none() => true,
        ShipmentStatus::Purchased => is_whole(shipment),
        _ => true,
    }
}

/// A label is there for all of it, or for each parcel: some carriers give the papers of a shipment one
/// after the other.
fn is_whole(shipment: &Shipment) -> bool {
    let labels = labels_of(shipment, None);
    let of_all = labels.iter().any(|label| label.parcel_id.is_none());
    let mut parcels = shipment.parcels.iter();
    of_all
        || parcels.all(|parcel| {
            let mut labels = labels.iter();
            labels.any(|label| label.parcel_id == Some(parcel.id))
        })
}

async fn tell(call: &Call, shipment: &Shipment, changed: bool) -> Answer {
    if shipment.status == ShipmentStatus::Failed {
        return Err(refused(shipment));
    }
    let ours = shipment.connection_id.is_some();
    // A void label is not for printing, whoever asks for it once more.
    let printable = ours && !shipment.voiding && shipment.status.bought();
    let waited = call.params.text("wait").is_some();
    let label = match label_of(shipment, None).filter(|_| printable && waited) {
        Some(about) => inline(call, about).await?,
        None => None,
    };
    let under_way = shipment.status.under_way()
        || (shipment.status == ShipmentStatus::Purchased && label_of(shipment, None).is_none());
    let status = match (under_way && ours, changed) {
        (true, _) => 202,
        (false, true) => 201,
        (false, false) => 200,
    };
    let mut shown = serde_json::to_value(shipment).map_err(Problem::internal)?;
    if let (Some(label), Value::Object(shown)) = (label, &mut shown) {
        shown.insert("label".to_owned(), label);
    }
    Ok(Reply::json(status, &shown)?.send())
}

/// The bytes beside the shipment, so that the packer's screen needs no second call.
async fn inline(call: &Call, about: &DocumentRef) -> Result<Option<Value>, Problem> {
    let found = call
        .state
        .store
        .document(call.principal.scope(), about.id)
        .await?;
    Ok(found.map(|document| {
        let content = base64::engine::general_purpose::STANDARD.encode(&document.content);
        json!({"document_id": about.id, "format": about.format, "content_base64": content})
    }))
}

fn refused(shipment: &Shipment) -> Problem {
    let Some(failure) = &shipment.failure else {
        return Problem::new(Code::LabelRefused, "the carrier made no label");
    };
    let mut problem = Problem::new(
        Code::LabelRefused,
        format!("{}: {}", failure.code, failure.message),
    )
    .hint(match shipment.replaces {
        Some(_) => "the label that was to be replaced stays valid; correct what the carrier names, then replace it again",
        None => "correct what the carrier names, then send the same request with the same shipment_ref again",
    });
    problem.fields = failure
        .fields
        .iter()
        .map(|field| FieldError::new(field.clone(), "refused by the carrier"))
        .collect();
    match serde_json::to_value(shipment) {
        Ok(current) => problem.current(current),
        Err(_) => problem,
    }
}

/// The labels of a parcel, or of the shipment, the one to print first: its own before the whole
/// shipment's (the whole shipment's first where no parcel is asked for), and of those the format
/// that the warehouse prints.
fn labels_of(shipment: &Shipment, parcel: Option<ParcelId>) -> Vec<&DocumentRef> {
    let printed = match shipment.label_format {
        LabelFormat::Pdf => "pdf",
        LabelFormat::Zpl => "zpl",
    };
    let whose = |one: &DocumentRef| parcel.is_none() || [None, parcel].contains(&one.parcel_id);
    let mut labels: Vec<&DocumentRef> = shipment
        .documents
        .iter()
        .filter(|one| matches!(one.kind, DocumentKind::Label | DocumentKind::ReturnLabel))
        .filter(|one| whose(one))
        .collect();
    labels.sort_by_key(|one| (one.parcel_id != parcel, one.format != printed));
    labels
}

/// The label to print.
fn label_of(shipment: &Shipment, parcel: Option<ParcelId>) -> Option<&DocumentRef> {
    labels_of(shipment, parcel).first().copied()
}

/// The document that the query asks for.
///
/// # Errors
/// `not_found` when there is none in that format or of that parcel.
pub fn wanted<'s>(call: &Call, shipment: &'s Shipment) -> Result<&'s DocumentRef, Problem> {
    let parcel: Option<ParcelId> = call.params.parse("parcel_id")?;
    if let Some(id) = parcel
        && !shipment.parcels.iter().any(|parcel| parcel.id == id)
    {
        return Err(Problem::not_found("parcel"));
    }
    let labels = labels_of(shipment, parcel);
    let Some(first) = labels.first() else {
        let status = serde_json::to_value(shipment.status).unwrap_or_default();
        let hint = format!("the shipment is {}", status.as_str().unwrap_or_default());
        return Err(Problem::not_found("label yet").hint(hint));
    };
    let Some(format) = call.params.text("format") else {
        return Ok(first);
    };
    labels
        .iter()
        .find(|one| one.format == format)
        .copied()
        .ok_or_else(|| {
            let hint = format!("the carrier gave it as {}", first.format);
            Problem::not_found("label in this format").hint(hint)
        })
}

/// The media type of a label's format.
pub fn media_type(format: &str) -> &'static str {
    match format {
        "pdf" => "application/pdf",
        "png" => "image/png",
        "zpl" => "application/vnd.zebra.zpl",
        _ => "application/octet-stream",
    }
}
