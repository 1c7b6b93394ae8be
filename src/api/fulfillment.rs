//! The warehouse's side: its work list and its answers.
//!
//! What always holds: every answer names the revision it saw (`ship` may leave it out); the same
//! `ship`, known by the warehouse's own `shipment_ref`, is one shipment however often it comes.

use super::body::Body;
use super::command::{Done, Target, carry_out};
use super::gate::Call;
use super::label;
use super::openapi::requests;
use super::orders::visible;
use super::parcels::{checked_parcels, named_text};
use super::problem::Problem;
use super::reply::{self, Answer};
use super::text::{name, note};
use super::view;
use crate::canonical::hold::HoldReason;
use crate::canonical::shipment::{LabelFormat, ShippedLine};
use crate::canonical::{ConnectionId, FulfillmentOrderId, RequestId};
use crate::flow::{Command, NewParcel, ShortLine};
use crate::store::query::{Awaiting, FulfillmentFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// `GET /v1/fulfillment-orders`.
pub async fn list(call: Call) -> Answer {
    let awaiting = call.params.words("awaiting").into_iter();
    let filter = FulfillmentFilter {
        merchant_id: call.params.parse("merchant_id")?,
        awaiting: awaiting.filter_map(awaited).collect(),
        status: call.params.word("status")?,
        location: call.params.text("location").map(str::to_owned),
        updated_after: call.params.parse("updated_after")?,
        by_cut_off: call.params.text("sort") == Some("cut_off_at"),
        order_id: call.params.parse("order_id")?,
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call
        .state
        .store
        .fulfillment_orders(scope, filter, page)
        .await;
    let page = call.page_of(found)?;
    Ok(reply::raw_list(page.data.iter(), page.next.as_deref()))
}

fn awaited(word: &str) -> Option<Awaiting> {
    match word {
        "accept" => Some(Awaiting::Accept),
        "ship" => Some(Awaiting::Ship),
        "answer" => Some(Awaiting::Answer),
        _ => None,
    }
}

fn part_id(call: &Call) -> Result<FulfillmentOrderId, Problem> {
    call.id("id", "fulfillment order")
}

/// `GET /v1/fulfillment-orders/{id}`.
pub async fn get(call: Call) -> Answer {
    let id = part_id(&call)?;
    let state = visible(&call, Target::Part(id)).await?;
    let part = view::fulfillment_order(&state, id);
    reply::ok(part.ok_or_else(|| Problem::not_found("fulfillment order"))?)
}

async fn run(call: &Call, what: Command, action: &str, detail: Value) -> Result<Done, Problem> {
    let target = Target::Part(part_id(call)?);
    carry_out(call, target, &what, action, detail).await
}

/// Answers with the fulfillment order as it is now.
async fn answered(call: &Call, what: Command, action: &str, detail: Value) -> Answer {
    let id = part_id(call)?;
    let done = run(call, what, action, detail).await?;
    let part = view::fulfillment_order(&done.state, id);
    reply::ok(part.ok_or_else(|| Problem::internal("a command lost its fulfillment order"))?)
}

/// The warehouse works on it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptPart {
    /// The revision that was seen.
    revision: u64,
    /// The warehouse's own number for it.
    #[serde(default)]
    wms_ref: Option<String>,
}

/// `POST /v1/fulfillment-orders/{id}/accept`.
pub async fn accept(call: Call, body: Body<AcceptPart>) -> Answer {
    let AcceptPart { revision, wms_ref } = body.value;
    let wms_ref = wms_ref.map(|text| name("wms_ref", &text)).transpose()?;
    let id = part_id(&call)?;
    let what = Command::FulfillmentAccept {
        id,
        revision,
        wms_ref,
    };
    answered(
        &call,
        what,
        "fulfillment_order.accept",
        json!({"revision": revision}),
    )
    .await
}

/// There is too little.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShortPart {
    /// The revision that was seen.
    revision: u64,
    /// What is missing: `[{line_id, quantity}]`.
    #[schema(value_type = Vec<requests::LineQuantity>)]
    lines: Vec<ShortLine>,
    /// In words.
    #[serde(default)]
    note: Option<String>,
}

/// `POST /v1/fulfillment-orders/{id}/short`.
pub async fn short(call: Call, body: Body<ShortPart>) -> Answer {
    let ShortPart {
        revision,
        lines,
        note: words,
    } = body.value;
    if lines.is_empty() {
        return Err(Problem::body("lines", "names no line"));
    }
    let words = words.map(|text| note("note", &text)).transpose()?;
    let id = part_id(&call)?;
    let log = json!({"revision": revision, "lines": lines.len()});
    let what = Command::FulfillmentShort {
        id,
        revision,
        lines,
        note: words,
    };
    answered(&call, what, "fulfillment_order.short", log).await
}

/// The warehouse cannot work on it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectPart {
    /// The revision that was seen.
    revision: u64,
    /// A hold reason of the model; `other` when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    reason: HoldReason,
    /// In words.
    #[serde(default)]
    note: Option<String>,
}

/// `POST /v1/fulfillment-orders/{id}/reject`.
pub async fn reject(call: Call, body: Body<RejectPart>) -> Answer {
    let RejectPart {
        revision,
        reason,
        note: words,
    } = body.value;
    let words = words.map(|text| note("note", &text)).transpose()?;
    let id = part_id(&call)?;
    let log = json!({"revision": revision, "reason": reason});
    let what = Command::FulfillmentReject {
        id,
        revision,
        reason,
        note: words,
    };
    answered(&call, what, "fulfillment_order.reject", log).await
}

/// The answer to a change request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The revision that was seen.
    revision: u64,
    /// In words.
    #[serde(default)]
    note: Option<String>,
}

/// `POST /v1/fulfillment-orders/{id}/requests/{rid}/accept`.
pub async fn request_accept(call: Call, body: Body<AnswerRequest>) -> Answer {
    answer_request(&call, body.value, true).await
}

/// `POST /v1/fulfillment-orders/{id}/requests/{rid}/refuse`.
pub async fn request_refuse(call: Call, body: Body<AnswerRequest>) -> Answer {
    answer_request(&call, body.value, false).await
}

async fn answer_request(call: &Call, answer: AnswerRequest, accept: bool) -> Answer {
    let request_id: RequestId = call.id("rid", "change request")?;
    let words = answer.note.map(|text| note("note", &text)).transpose()?;
    let what = Command::AnswerRequest {
        fulfillment_id: part_id(call)?,
        request_id,
        accept,
        revision: answer.revision,
        note: words,
    };
    let action = if accept {
        "fulfillment_order.request_accept"
    } else {
        "fulfillment_order.request_refuse"
    };
    answered(call, what, action, json!({"request_id": request_id})).await
}

/// It left.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipPart {
    /// The warehouse's own key of this shipment: the same key again is the same shipment.
    shipment_ref: String,
    /// The revision that was seen.
    #[serde(default)]
    revision: Option<u64>,
    /// What is inside: `[{line_id, quantity}]`; all that remains when left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<requests::LineQuantity>>)]
    lines: Option<Vec<ShippedLine>>,
    /// The parcels, with their tracking numbers.
    #[serde(default)]
    #[schema(value_type = Vec<requests::NewParcel>)]
    parcels: Vec<NewParcel>,
    /// Who carries it, as people call it.
    #[serde(default)]
    carrier: Option<String>,
    /// The carrier's service.
    #[serde(default)]
    service: Option<String>,
    /// The carrier account to buy a label from; as planned when left out and no parcel has a
    /// tracking number of its own.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    carrier_connection_id: Option<ConnectionId>,
    /// What the label is printed on.
    #[serde(default)]
    #[schema(value_type = Option<requests::LabelFormat>)]
    label_format: LabelFormat,
    /// Ship although a change request is pending; recorded.
    #[serde(default, rename = "override")]
    override_request: bool,
}

/// `POST /v1/fulfillment-orders/{id}/ship`.
pub async fn ship(call: Call, body: Body<ShipPart>) -> Answer {
    let ship = checked(body.value)?;
    let log = json!({
        "shipment_ref": ship.shipment_ref,
        "parcels": ship.parcels.len(),
        "override": ship.override_request,
    });
    let what = Command::Ship {
        carrier_connection_id: ship.carrier_connection_id,
        label_format: ship.label_format,
        id: part_id(&call)?,
        revision: ship.revision,
        shipment_ref: ship.shipment_ref,
        lines: ship.lines,
        parcels: ship.parcels,
        carrier: ship.carrier,
        service: ship.service,
        override_request: ship.override_request,
    };
    let done = run(&call, what, "fulfillment_order.ship", log).await?;
    label::answer(&call, done).await
}

fn checked(mut ship: ShipPart) -> Result<ShipPart, Problem> {
    ship.shipment_ref = name("shipment_ref", &ship.shipment_ref)?;
    ship.parcels = checked_parcels(ship.parcels)?;
    ship.carrier = named_text("carrier", ship.carrier)?;
    ship.service = named_text("service", ship.service)?;
    Ok(ship)
}
