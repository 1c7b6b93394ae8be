//! Shipments: labels ahead of packing, reprints, voids, replacements, and what became of a request
//! whose answer was lost.
//!
//! What always holds: nothing here waits for a carrier (a label is a job); who asks to wait is told
//! at once when the label is there, and 202 when the time is up; giving out a label is recorded and
//! never buys another.

use super::body::Body;
use super::command::{Done, Target, carry_out, load};
use super::gate::Call;
use super::label;
use super::openapi::requests;
use super::parcels::{checked_parcels, named_text};
use super::problem::{Code, Problem};
use super::reply::{self, Answer, Reply};
use super::text::{name, note};
use super::view;
use crate::canonical::connection::Owner;
use crate::canonical::shipment::{LabelFormat, ShipmentStatus, ShippedLine};
use crate::canonical::{ConnectionId, FulfillmentOrderId, ShipmentId};
use crate::flow::change::OrderState;
use crate::flow::{Command, CommandAnswer, NewParcel, Resolution};
use crate::store::Scope;
use crate::store::query::{PageRequest, ShipmentFilter};
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;
use utoipa::ToSchema;

/// `GET /v1/shipments`.
pub async fn list(call: Call) -> Answer {
    let status: Option<ShipmentStatus> = call.params.word("status")?;
    let filter = ShipmentFilter {
        merchant_id: call.params.parse("merchant_id")?,
        order_id: call.params.parse("order_id")?,
        fulfillment_order_id: call.params.parse("fulfillment_order_id")?,
        connection_id: call.params.parse("connection_id")?,
        status: status.into_iter().collect(),
        shipment_ref: call.params.text("shipment_ref").map(str::to_owned),
        tracking_number: call.params.text("tracking_number").map(str::to_owned),
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call.state.store.shipments(scope, filter, page).await;
    let page = call.page_of(found)?;
    Ok(reply::raw_list(page.data.iter(), page.next.as_deref()))
}

fn shipment_id(call: &Call) -> Result<ShipmentId, Problem> {
    call.id("id", "shipment")
}

/// `GET /v1/shipments/{id}`.
pub async fn get(call: Call) -> Answer {
    let id = shipment_id(&call)?;
    let state = super::change::until_settled(|| load(&call, Target::Shipment(id))).await?;
    let shipment = view::shipment(&state, id);
    reply::ok(shipment.ok_or_else(|| Problem::not_found("shipment"))?)
}

/// A label ahead of packing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShipment {
    /// For which part.
    #[schema(value_type = String)]
    fulfillment_order_id: FulfillmentOrderId,
    /// The warehouse's own key of this shipment; a later `ship` with the same key sends it off.
    shipment_ref: String,
    /// The revision that was seen.
    #[serde(default)]
    revision: Option<u64>,
    /// What is to go in: `[{line_id, quantity}]`; all that remains when left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<requests::LineQuantity>>)]
    lines: Option<Vec<ShippedLine>>,
    /// The parcels.
    #[schema(value_type = Vec<requests::NewParcel>)]
    parcels: Vec<NewParcel>,
    /// The carrier account; as planned when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    carrier_connection_id: Option<ConnectionId>,
    /// Its service; as planned when left out.
    #[serde(default)]
    service: Option<String>,
    /// What the label is printed on.
    #[serde(default)]
    #[schema(value_type = Option<requests::LabelFormat>)]
    label_format: LabelFormat,
    /// Buy although a change request is pending; recorded.
    #[serde(default, rename = "override")]
    override_request: bool,
}

/// `POST /v1/shipments`.
pub async fn create(call: Call, body: Body<NewShipment>) -> Answer {
    let new = body.value;
    let parcels = checked_parcels(new.parcels)?;
    let log = json!({"shipment_ref": new.shipment_ref, "parcels": parcels.len(), "override": new.override_request});
    let what = Command::CreateShipment {
        id: new.fulfillment_order_id,
        revision: new.revision,
        shipment_ref: name("shipment_ref", &new.shipment_ref)?,
        lines: new.lines,
        parcels,
        service: named_text("service", new.service)?,
        carrier_connection_id: new.carrier_connection_id,
        label_format: new.label_format,
        override_request: new.override_request,
    };
    let target = Target::Part(new.fulfillment_order_id);
    let done = carry_out(&call, target, &what, "shipment.create", log).await?;
    label::answer(&call, done).await
}

async fn run(call: &Call, what: Command, action: &str, detail: Value) -> Result<Done, Problem> {
    let target = Target::Shipment(shipment_id(call)?);
    carry_out(call, target, &what, action, detail).await
}

/// Answers with the shipment as it is now.
fn shown(done: &Done) -> Answer {
    let CommandAnswer::Shipment(id) = done.answer else {
        return Err(Problem::internal("a shipment's command lost it"));
    };
    let shipment = view::shipment(&done.state, id);
    reply::ok(shipment.ok_or_else(|| Problem::internal("a command lost its shipment"))?)
}

/// The label is not needed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidShipment {
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /v1/shipments/{id}/void`.
pub async fn void(call: Call, body: Body<VoidShipment>) -> Answer {
    let reason = body.value.reason.map(|text| note("reason", &text));
    let what = Command::VoidShipment {
        id: shipment_id(&call)?,
        reason: reason.transpose()?,
    };
    shown(&run(&call, what, "shipment.void", json!({})).await?)
}

/// Another label in its place. What is left out stays as it is; address and point are the order's
/// of now.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceShipment {
    /// The warehouse's key of the new one; made from the old one's when left out.
    #[serde(default)]
    shipment_ref: Option<String>,
    /// The parcels.
    #[serde(default)]
    #[schema(value_type = Option<Vec<requests::NewParcel>>)]
    parcels: Option<Vec<NewParcel>>,
    /// Another carrier account.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    carrier_connection_id: Option<ConnectionId>,
    /// Another service.
    #[serde(default)]
    service: Option<String>,
    /// Buy although a change request is pending; recorded.
    #[serde(default, rename = "override")]
    override_request: bool,
}

/// `POST /v1/shipments/{id}/replace`.
pub async fn replace(call: Call, body: Body<ReplaceShipment>) -> Answer {
    let new = body.value;
    let parcels = new.parcels.map(checked_parcels).transpose()?;
    let log = json!({"parcels": parcels.as_ref().map(Vec::len), "carrier_connection_id": new.carrier_connection_id, "override": new.override_request});
    let what = Command::ReplaceShipment {
        id: shipment_id(&call)?,
        shipment_ref: named_text("shipment_ref", new.shipment_ref)?,
        parcels,
        service: named_text("service", new.service)?,
        carrier_connection_id: new.carrier_connection_id,
        override_request: new.override_request,
    };
    let done = run(&call, what, "shipment.replace", log).await?;
    label::answer(&call, done).await
}

/// What became of a request whose answer was lost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveShipment {
    /// `purchased` or `not_purchased`.
    #[schema(value_type = requests::LabelOutcome)]
    outcome: Outcome,
    /// For `purchased`: what is printed on the label.
    #[serde(default)]
    tracking_number: Option<String>,
    /// For `purchased` with several parcels: one number a parcel, in their order.
    #[serde(default)]
    tracking_numbers: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Purchased,
    NotPurchased,
}

/// `POST /v1/shipments/{id}/resolve`.
pub async fn resolve(call: Call, body: Body<ResolveShipment>) -> Answer {
    let ResolveShipment {
        outcome,
        tracking_number,
        tracking_numbers,
    } = body.value;
    let given = tracking_numbers.unwrap_or_default().into_iter();
    let numbers: Vec<String> = given.chain(tracking_number).collect();
    let resolution = match outcome {
        Outcome::Purchased if numbers.is_empty() => {
            return Err(Problem::body(
                "tracking_number",
                "a purchased label has a number: it is printed on it",
            ));
        }
        Outcome::Purchased => Resolution::Purchased {
            tracking_numbers: numbers
                .iter()
                .map(|number| name("tracking_number", number))
                .collect::<Result<_, _>>()?,
        },
        Outcome::NotPurchased if !numbers.is_empty() => {
            return Err(Problem::body(
                "tracking_number",
                "a label that was not purchased has none",
            ));
        }
        Outcome::NotPurchased => Resolution::NotPurchased,
    };
    let log = json!({"outcome": if numbers.is_empty() { "not_purchased" } else { "purchased" }, "tracking_numbers": numbers});
    let what = Command::ResolveShipment {
        id: shipment_id(&call)?,
        outcome: resolution,
    };
    shown(&run(&call, what, "shipment.resolve", log).await?)
}

/// `GET /v1/shipments/{id}/label`: the bytes, as the carrier gave them. To those who print it is
/// recorded as printed, and a void label is refused.
pub async fn label(call: Call) -> Answer {
    let id = shipment_id(&call)?;
    let state = super::change::until_settled(|| load(&call, Target::Shipment(id))).await?;
    let shipment = view::shipment(&state, id).ok_or_else(|| Problem::not_found("shipment"))?;
    let about = label::wanted(&call, shipment)?;
    let found = call
        .state
        .store
        .document(call.principal.scope(), about.id)
        .await?;
    let document = found.ok_or_else(|| Problem::not_found("label: it is past its retention"))?;
    if call.principal.prints() {
        let what = Command::PrintShipment { id };
        run(&call, what, "shipment.print", json!({})).await?;
    }
    let name = format!("inline; filename=\"{}.{}\"", shipment.id, about.format);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, label::media_type(&about.format)))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .body(document.content))
}

/// The list that goes with the carrier.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewManifest {
    /// The carrier account.
    #[schema(value_type = String)]
    carrier_connection_id: ConnectionId,
    /// Only these; all that are packed and not on a list yet when left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    shipment_ids: Option<Vec<ShipmentId>>,
    /// The carrier has them.
    #[serde(default)]
    handed_over: bool,
}

/// So many shipments one list has at most.
const MAX_MANIFEST: usize = 2_000;

/// `POST /v1/manifests`.
pub async fn manifest(call: Call, body: Body<NewManifest>) -> Answer {
    let new = body.value;
    visible_account(&call, new.carrier_connection_id).await?;
    let ids = match new.shipment_ids {
        Some(ids) => ids,
        None => packed(&call, new.carrier_connection_id).await?,
    };
    if ids.len() > MAX_MANIFEST {
        return Err(Problem::body(
            "shipment_ids",
            format!("more than {MAX_MANIFEST} shipments: make several lists"),
        ));
    }
    let mut seen = HashSet::new();
    let (mut listed, mut refused) = (Vec::new(), Vec::new());
    for id in ids.into_iter().filter(|id| seen.insert(*id)) {
        match list_one(&call, id, new.carrier_connection_id, new.handed_over).await {
            Ok(status) => listed.push(json!({"shipment_id": id, "status": status})),
            Err(problem) if problem.code.status() < 500 => refused.push(
                json!({"shipment_id": id, "code": problem.code.as_str(), "detail": problem.detail}),
            ),
            Err(problem) => return Err(problem),
        }
    }
    let answer = json!({"carrier_connection_id": new.carrier_connection_id, "shipments": listed, "refused": refused});
    Ok(Reply::json(201, &answer)?.send())
}

/// The account is there, and the caller's or the operator's.
async fn visible_account(call: &Call, id: ConnectionId) -> Result<(), Problem> {
    let found = call.state.store.connection(Scope::All, id).await?;
    let own = call.principal.merchant();
    let seen = found.is_some_and(|account| {
        account.owner == Owner::Operator || own.is_none_or(|id| id == account.merchant_id)
    });
    let what = "there is no such carrier account";
    seen.then_some(())
        .ok_or_else(|| Problem::body("carrier_connection_id", what))
}

/// Puts one on the list, if this carrier takes it.
async fn list_one(
    call: &Call,
    id: ShipmentId,
    account: ConnectionId,
    handed_over: bool,
) -> Result<ShipmentStatus, Problem> {
    let of = |state: &OrderState| view::shipment(state, id).cloned();
    let state = super::change::until_settled(|| load(call, Target::Shipment(id))).await?;
    let shipment = of(&state).ok_or_else(|| Problem::not_found("shipment"))?;
    // A shipment keeps its account once it has a label: what was looked at still holds below.
    if shipment.connection_id != Some(account) {
        let detail = "it goes with another carrier account";
        return Err(Problem::new(Code::InvalidState, detail));
    }
    let what = Command::ManifestShipment { id, handed_over };
    let log = json!({"handed_over": handed_over});
    let done = carry_out(call, Target::Shipment(id), &what, "shipment.manifest", log).await?;
    let listed = of(&done.state).ok_or_else(|| Problem::internal("a command lost its shipment"))?;
    Ok(listed.status)
}

/// What is packed and waits for this carrier.
async fn packed(call: &Call, connection: ConnectionId) -> Result<Vec<ShipmentId>, Problem> {
    #[derive(Deserialize)]
    struct Head {
        id: ShipmentId,
        packed: bool,
    }
    let filter = ShipmentFilter {
        connection_id: Some(connection),
        status: vec![
            ShipmentStatus::Purchased,
            ShipmentStatus::Printed,
            ShipmentStatus::Manifested,
        ],
        ..ShipmentFilter::default()
    };
    let mut page = PageRequest {
        limit: 500,
        after: None,
    };
    let mut found = Vec::new();
    loop {
        let scope = call.principal.scope();
        let next = call
            .state
            .store
            .shipments(scope, filter.clone(), page.clone())
            .await?;
        for json in &next.data {
            let head: Head = serde_json::from_slice(json).map_err(Problem::internal)?;
            if head.packed {
                found.push(head.id);
            }
        }
        match next.next {
            Some(after) if found.len() <= MAX_MANIFEST => page.after = Some(after),
            _ => return Ok(found),
        }
    }
}
