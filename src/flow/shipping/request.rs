//! Asking a carrier for a label, or to void one: the jobs and their input (docs/carriers.md).
//!
//! What always holds: what is asked is the order's of now (address, point, cash) and is kept with
//! the shipment; each request has a number of its own, and its job's key with it; jobs of a
//! shipment run one after the other, and wait for no other job of the order. Their input carries an
//! address: a label cannot be bought without one.

use super::{account, find, find_mut, numbers};
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::canonical::job::{Lane, NewJob};
use crate::canonical::order::{Delivery, DeliveryMode, PickupPointRef};
use crate::canonical::shipment::{Parcel, Shipment, ShipmentStatus, ShippedLine};
use crate::canonical::{Address, Amount, Money, Order, ShipmentId};
use crate::flow::change::OrderState;
use crate::flow::cod;
use crate::flow::draft::{Draft, known};
use crate::flow::error::FlowError;
use crate::flow::fulfillment;
use crate::flow::world::CarrierAccount;
use serde_json::{Value, json};

/// So long is what we say of the contents at most.
const MAX_CONTENTS: usize = 100;
/// So much of the order's number goes into our reference.
const MAX_NUMBER: usize = 20;

/// Asks this account for the shipment's label, anew where it was asked before.
pub(super) fn ask(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    account: &CarrierAccount,
    service: Option<String>,
) -> Result<(), FlowError> {
    let cod = cash(&draft.state, find(&draft.state, id)?);
    follow_order(draft, id, cod)?;
    let due = cod
        .map(|amount| cod::due(draft, account, amount))
        .transpose()
        .map_err(|error| FlowError::invalid("cod", error.to_string()))?;
    let ship_to = known(&draft.state.order.facts.ship_to);
    let delivery = draft.state.order.facts.delivery.or_default();
    let number = known(&draft.state.order.facts.external_number)
        .or_else(|| known(&draft.state.order.facts.external_id));
    let shipment = find_mut(draft, id)?;
    shipment.connection_id = Some(account.connection.id);
    shipment.carrier = Some(account.carrier_name.clone());
    shipment.service = service;
    shipment.ship_to = ship_to;
    shipment.pickup_point = point(&delivery);
    shipment.cod = cod;
    shipment.cod_due = due;
    shipment.status = ShipmentStatus::Requested;
    shipment.request_number = shipment.request_number.saturating_add(1);
    shipment.reference = Some(reference(shipment, number.as_deref()));
    shipment.failure = None;
    shipment.void_reason = None;
    shipment.purchased_at = None;
    shipment.label_ready_at = None;
    let input = create_input(&draft.state, find(&draft.state, id)?, account);
    let job = job(draft, id, "shipment.create", input)?;
    draft.jobs.push(job);
    Ok(())
}

/// Asks for labels to be void. `mark`: beside another such wish of the same request.
pub(super) fn cancel(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    numbers: &[String],
    mark: Option<usize>,
) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    let input = json!({ "shipment": names(shipment), "tracking_numbers": numbers });
    let mut job = job(draft, id, "shipment.cancel", input)?;
    if let Some(mark) = mark {
        job.key = format!("{}:{mark}", job.key);
    }
    draft.jobs.push(job);
    Ok(())
}

fn job(draft: &Draft<'_>, id: ShipmentId, kind: &str, input: Value) -> Result<NewJob, FlowError> {
    let shipment = find(&draft.state, id)?;
    let connection_id = shipment
        .connection_id
        .ok_or_else(|| FlowError::illegal("no carrier account made its label"))?;
    Ok(NewJob {
        merchant_id: shipment.merchant_id,
        kind: kind.to_owned(),
        connection_id,
        order_id: Some(shipment.order_id),
        lane: Lane::Label,
        key: format!("{kind}:{id}:{}", shipment.request_number),
        ordering_key: id.to_string(),
        run_at: draft.now(),
        input,
    })
}

/// A label of ours goes where the order says now: what the warehouse packs is no other for it.
fn follow_order(
    draft: &mut Draft<'_>,
    id: ShipmentId,
    cod: Option<Money>,
) -> Result<(), FlowError> {
    let part = find(&draft.state, id)?.fulfillment_order_id;
    let ship_to = known(&draft.state.order.facts.ship_to);
    let delivery = draft.state.order.facts.delivery.or_default();
    let part = draft.fulfillment(part)?;
    if fulfillment::at_work(part) {
        part.ship_to = ship_to;
        part.delivery = delivery;
        part.cod = cod.or(part.cod);
    }
    Ok(())
}

/// The cash that goes with a shipment: what is left to collect, unless another fulfillment order
/// that is still to ship carries it.
pub(super) fn cash(state: &OrderState, shipment: &Shipment) -> Option<Money> {
    let carries = |part: &FulfillmentOrder| part.cod.is_some();
    let parts = &state.fulfillment_orders;
    let ours = |part: &&FulfillmentOrder| part.id == shipment.fulfillment_order_id;
    let here = parts.iter().find(ours).is_some_and(carries);
    let elsewhere = parts
        .iter()
        .filter(|part| !ours(part))
        .any(|part| fulfillment::live(part) && carries(part));
    if elsewhere && !here {
        return None;
    }
    let (own, replaced) = (Some(shipment.id), shipment.replaces);
    let without: Vec<ShipmentId> = own.into_iter().chain(replaced).collect();
    cod::left_without(state, &without)
}

/// The point that a label is made for.
pub(super) fn point(delivery: &Delivery) -> Option<PickupPointRef> {
    let to_point = delivery.mode.or_default() == DeliveryMode::PickupPoint;
    known(&delivery.pickup_point).filter(|_| to_point)
}

/// Our name for it at the carrier: the number that people read and the end of the shipment's id.
/// Another one where labels were bought under the last: a look-up must not find those.
fn reference(shipment: &Shipment, number: Option<&str>) -> String {
    let number: String = number
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
        .take(MAX_NUMBER)
        .collect();
    let id = shipment.id.uuid().simple().to_string();
    let tail = id.get(id.len().saturating_sub(8)..).unwrap_or(&id);
    let mut reference = if number.is_empty() {
        tail.to_owned()
    } else {
        format!("{number}-{tail}")
    };
    if !shipment.former_numbers.is_empty() {
        reference = format!("{reference}-{}", shipment.request_number);
    }
    reference
}

fn names(shipment: &Shipment) -> Value {
    json!({
        "id": shipment.id,
        "reference": shipment.reference,
        "shipment_ref": shipment.shipment_ref,
    })
}

fn create_input(state: &OrderState, shipment: &Shipment, account: &CarrierAccount) -> Value {
    let order = &state.order;
    let contract = account.contract(order.meta.merchant_id);
    let delivery = order.facts.delivery.or_default();
    // What its own channel said beside: no carrier is told that.
    let own = account.connection.id == order.meta.connection_id;
    let attributes = order.facts.attributes.value().filter(|_| own);
    let mode = match delivery.mode.or_default() {
        // Goods in a parcel are brought home.
        DeliveryMode::Digital => DeliveryMode::Home,
        mode => mode,
    };
    let mut names = names(shipment);
    if let Value::Object(names) = &mut names {
        names.insert("request_number".to_owned(), json!(shipment.request_number));
    }
    json!({
        "shipment": names,
        "order": {
            "id": order.meta.id,
            "external_id": order.facts.external_id.text(),
            "external_number": order.facts.external_number.text(),
            "currency": order.facts.currency.value(),
            "language": order.facts.customer.or_default().language.text(),
            "attributes": attributes,
        },
        "service": shipment.service,
        "mode": mode,
        "sender": contract.map(|contract| contract.sender.clone()).unwrap_or_default(),
        "return_to": contract.and_then(|contract| contract.return_to.as_ref()),
        "customer_number": contract.and_then(|contract| contract.customer_number.as_ref()),
        "receiver": receiver(order, shipment),
        "pickup_point": shipment.pickup_point,
        "instructions": delivery.instructions.text(),
        "parcels": parcels(order, shipment),
        "cod": shipment.cod_due,
        "cod_account": contract.and_then(|contract| contract.cod_account.as_ref()),
        "cod_payee": contract.map(|contract| contract.cod_payee).unwrap_or_default(),
        "insured": shipment.insured,
        "value": value(order, &shipment.lines),
        "contents": contents(order, &shipment.lines),
        "label_format": shipment.label_format,
    })
}

/// The address, with the customer's name, phone and e-mail where it has none.
fn receiver(order: &Order, shipment: &Shipment) -> Address {
    let customer = order.facts.customer.or_default();
    let mut receiver = shipment.ship_to.clone().unwrap_or_default();
    receiver.name = receiver.name.or_else(|| known(&customer.name));
    receiver.email = receiver.email.or_else(|| known(&customer.email));
    if receiver.phone.is_none() && receiver.phone_raw.is_none() {
        receiver.phone = known(&customer.phone);
        receiver.phone_raw = known(&customer.phone_raw);
    }
    receiver
}

fn parcels(order: &Order, shipment: &Shipment) -> Vec<Value> {
    let single = shipment.parcels.len() == 1;
    let one = |(place, parcel): (usize, &Parcel)| {
        let number = place.saturating_add(1);
        let reference = shipment.reference.as_deref().unwrap_or_default();
        let weight = parcel
            .weight_g
            .or_else(|| weight(order, &shipment.lines).filter(|_| single));
        json!({
            "id": parcel.id,
            "number": number,
            "reference": if single { reference.to_owned() } else { format!("{reference}-{number}") },
            "weight_g": weight,
            "length_mm": parcel.length_mm,
            "width_mm": parcel.width_mm,
            "height_mm": parcel.height_mm,
        })
    };
    shipment.parcels.iter().enumerate().map(one).collect()
}

/// What the goods weigh, where the channel tells it of each; whole grams, rounded up.
fn weight(order: &Order, lines: &[ShippedLine]) -> Option<u64> {
    let mut sum = rust_decimal::Decimal::ZERO;
    for inside in lines {
        let line = fact(order, inside)?;
        let each = line.weight_g.value()?.decimal();
        sum = sum.checked_add(each.checked_mul(inside.quantity.decimal())?)?;
    }
    u64::try_from(sum.ceil()).ok().filter(|grams| *grams > 0)
}

fn fact<'o>(order: &'o Order, inside: &ShippedLine) -> Option<&'o crate::canonical::line::Line> {
    let id = Some(&inside.line_id);
    let lines = order.facts.lines();
    lines.iter().find(|line| line.id.value() == id)
}

/// What the customer pays for the goods inside.
fn value(order: &Order, lines: &[ShippedLine]) -> Option<Money> {
    let mut sum = order.facts.zero()?;
    for inside in lines {
        let line = fact(order, inside)?;
        let total = line.total.value()?;
        let share = inside
            .quantity
            .decimal()
            .checked_div(line.wanted().decimal())
            .unwrap_or_default()
            .min(rust_decimal::Decimal::ONE);
        let part = Money::new(total.amount.mul(share).ok()?, total.currency);
        sum = sum.add(part).ok()?;
    }
    Some(Money::new(sum.amount.max(Amount::ZERO), sum.currency).to_minor_unit())
}

/// What is inside, in words: names, or SKUs where there are none.
fn contents(order: &Order, lines: &[ShippedLine]) -> String {
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|inside| fact(order, inside))
        .filter_map(|line| line.name.text().or(line.sku.text()))
        .collect();
    names.join(", ").chars().take(MAX_CONTENTS).collect()
}

/// Asks for the same shipment's label once more, from the same account.
pub(super) fn again(draft: &mut Draft<'_>, id: ShipmentId) -> Result<(), FlowError> {
    let shipment = find(&draft.state, id)?;
    let (connection_id, service) = (shipment.connection_id, shipment.service.clone());
    let connection_id = connection_id.ok_or(FlowError::NotFound("carrier account"))?;
    let account = account::usable(draft, connection_id)?;
    ask(draft, id, account, service)
}

/// Makes room for another request: what a former one had bought stays visible as former numbers.
pub(super) fn clear(shipment: &mut Shipment) {
    for number in numbers(shipment) {
        if !shipment.former_numbers.contains(&number) {
            shipment.former_numbers.push(number);
        }
    }
    for parcel in &mut shipment.parcels {
        parcel.tracking_number = None;
        parcel.tracking_url = None;
        parcel.label = None;
    }
    shipment.documents.clear();
    shipment.charges.clear();
}
