//! The pickup point that an order names, against the directories that are loaded.
//!
//! What always holds: a point of a directory that is not loaded, or that nobody looked for, is not
//! judged; what is proposed instead comes from the same network.

use super::super::draft::Draft;
use super::super::fulfillment;
use super::super::world::World;
use super::holds::Cause;
use super::plan::{self, Verdict};
use crate::canonical::address::Geo;
use crate::canonical::hold::{Hold, HoldReason};
use crate::canonical::order::{DeliveryMode, PickupPointRef};
use crate::canonical::point::{PickupPoint, StoredPoint};
use crate::canonical::{Order, Timestamp};
use jiff::civil::Date;
use serde_json::{Map, Value, json};

/// The detail of an order to a point that names none.
pub(super) const UNNAMED: &str = "no pickup point is named";
/// So many are proposed.
const PROPOSALS: usize = 3;

/// What looking the point up comes to.
pub(super) enum Look {
    /// There is nothing to look up, or nothing is wrong.
    Fine,
    /// Nobody has looked: what was found before stays.
    Unasked,
    /// It will not do.
    Wrong(Cause),
}

/// Looks the order's point up.
pub(super) fn look(draft: &Draft<'_>) -> Look {
    let order = &draft.state.order;
    let delivery = order.facts.delivery.or_default();
    let to_point = delivery.mode.or_default() == DeliveryMode::PickupPoint;
    let Some(point) = delivery.pickup_point.value().filter(|_| to_point) else {
        return Look::Fine;
    };
    let Some(id) = point.id.as_deref().filter(|id| !id.trim().is_empty()) else {
        return Look::Fine;
    };
    let world = draft.ctx.world;
    let networks = networks(draft, point);
    let keys = networks
        .iter()
        .map(|network| (network.clone(), id.to_owned()));
    let asked: Vec<((String, String), Option<&StoredPoint>)> = keys
        .filter_map(|key| {
            let found = world.points.get(&key)?.as_ref();
            Some((key, found))
        })
        .collect();
    if asked.is_empty() {
        return if networks.is_empty() {
            Look::Fine
        } else {
            Look::Unasked
        };
    }
    let known = asked.iter().find(|(_, found)| found.is_some());
    let Some((key, found)) = known.or_else(|| asked.first()) else {
        return Look::Fine;
    };
    match fault(draft, *found) {
        None => Look::Fine,
        Some(detail) => Look::Wrong(Cause {
            proposals: proposals(world, key, *found, order),
            ..Cause::new(HoldReason::PickupPointInvalid, detail)
        }),
    }
}

/// A hold that says what was found when somebody looked.
pub(super) fn found_before(hold: &Hold) -> bool {
    hold.reason == HoldReason::PickupPointInvalid && hold.detail.as_deref() != Some(UNNAMED)
}

/// The named network where its directory is loaded, else those of the planned account.
fn networks(draft: &Draft<'_>, point: &PickupPointRef) -> Vec<String> {
    let world = draft.ctx.world;
    let named = point.network.as_deref();
    if let Some(named) = named.and_then(|network| plan::loaded(world, network)) {
        return vec![named];
    }
    let parts = draft.state.fulfillment_orders.iter();
    let mut networks = Vec::new();
    for part in parts.filter(|part| fulfillment::live(part)) {
        let planned = if fulfillment::mutable(part) {
            match plan::decide(draft, part) {
                Verdict::Planned(plan) => plan.connection_id,
                Verdict::Unplanned | Verdict::Unmapped(_) => None,
            }
        } else {
            part.carrier_plan
                .as_ref()
                .and_then(|plan| plan.connection_id)
        };
        if let Some(account) = planned.and_then(|id| world.carrier(id)) {
            networks.extend(plan::networks_of(world, account));
        }
    }
    networks.sort();
    networks.dedup();
    networks
}

/// What is wrong with it for this order.
fn fault(draft: &Draft<'_>, found: Option<&StoredPoint>) -> Option<String> {
    let Some(stored) = found else {
        return Some("the carrier's directory has no such point".to_owned());
    };
    let point = &stored.point;
    if stored.gone_at.is_some() {
        return Some("the point is gone from the carrier's directory".to_owned());
    }
    if let Some(closed) = closed(point, draft.now()) {
        return Some(closed);
    }
    let order = &draft.state.order;
    if point.cod_allowed == Some(false) && fulfillment::cod_due(order).is_some() {
        return Some("the point takes no cash on delivery".to_owned());
    }
    let most = point
        .max_weight_g
        .as_ref()
        .and_then(serde_json::Number::as_f64)?;
    let parts = draft.state.fulfillment_orders.iter();
    let heaviest = parts
        .filter(|part| fulfillment::live(part))
        .map(|part| plan::known_weight(&order.facts, &part.lines))
        .max()?;
    // Grams of a parcel are far below what a float holds exactly.
    (heaviest as f64 > most)
        .then(|| format!("the goods weigh {heaviest} g, the point takes {most} g"))
}

fn closed(point: &PickupPoint, now: Timestamp) -> Option<String> {
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |text: &Option<String>| text.as_deref()?.get(..10)?.parse::<Date>().ok();
    if let Some(first) = day(&point.valid_from).filter(|first| *first > today) {
        return Some(format!("the point opens on {first}"));
    }
    let last = day(&point.valid_to).filter(|last| *last < today)?;
    Some(format!("the point has been closed since {last}"))
}

/// What would do instead, nearest first.
fn proposals(
    world: &World,
    key: &(String, String),
    found: Option<&StoredPoint>,
    order: &Order,
) -> Vec<Value> {
    let here = found
        .and_then(|stored| stored.point.geo.as_ref())
        .or_else(|| order.facts.ship_to.value()?.geo.as_ref());
    let others = world.proposals.get(key).map_or(&[][..], Vec::as_slice);
    others
        .iter()
        .filter(|other| other.gone_at.is_none() && other.point.point_id != key.1)
        .take(PROPOSALS)
        .map(|other| proposal(&other.point, here))
        .collect()
}

fn proposal(point: &PickupPoint, here: Option<&Geo>) -> Value {
    let address = match json!(point.address) {
        Value::Object(parts) => parts
            .into_iter()
            .filter(|(_, part)| !part.is_null())
            .collect::<Map<_, _>>(),
        _ => Map::new(),
    };
    let mut proposal = json!({
        "network": point.network, "point_id": point.point_id, "kind": point.kind,
        "name": point.name, "address": address,
    });
    let distance = here.zip(point.geo.as_ref()).and_then(|(a, b)| metres(a, b));
    if let (Some(metres), Value::Object(proposal)) = (distance, &mut proposal) {
        proposal.insert("distance_m".to_owned(), json!(metres));
    }
    proposal
}

/// Along the great circle.
fn metres(a: &Geo, b: &Geo) -> Option<u64> {
    const EARTH_M: f64 = 6_371_000.0;
    let radians = |number: &serde_json::Number| Some(number.as_f64()?.to_radians());
    let (lat_a, lat_b) = (radians(&a.lat)?, radians(&b.lat)?);
    let (lat, lon) = (lat_b - lat_a, radians(&b.lon)? - radians(&a.lon)?);
    let half = (lat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (lon / 2.0).sin().powi(2);
    let distance = 2.0 * EARTH_M * half.clamp(0.0, 1.0).sqrt().asin();
    distance.is_finite().then_some(distance.round() as u64)
}
