//! The pickup points that a decision will ask about, read off an order.
//!
//! What always holds: an order that names no point asks for nothing.

use crate::canonical::address::{Address, Geo};
use crate::canonical::order::{PaymentMethod, PickupPointRef};
use crate::canonical::point::StoredPoint;
use crate::canonical::{MappedOrder, OrderFacts};
use crate::flow::{self, World};
use serde_json::Value;
use std::collections::BTreeMap;

/// A point that an order names, and what would do instead.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedPoint {
    /// Whose; of any network when the order does not say.
    pub network: Option<String>,
    /// Its id in the network.
    pub id: String,
    /// Where the order goes.
    pub country: Option<String>,
    /// It must take cash.
    pub cod: bool,
    geo: Option<(f64, f64)>,
    town: Option<String>,
}

impl AskedPoint {
    /// The point of an order.
    pub fn of(facts: &OrderFacts) -> Option<Self> {
        let point = facts.delivery.value()?.pickup_point.value()?;
        let cod = facts.payment.value().map(|p| p.method.or_default());
        Self::new(point, facts.ship_to.value(), cod)
    }

    /// The point of a record about an order.
    pub fn of_mapped(order: &MappedOrder) -> Option<Self> {
        let point = order.delivery.value()?.pickup_point.value()?;
        let cod = order.payment.value().map(|p| p.method.or_default());
        Self::new(point, order.ship_to.value(), cod)
    }

    /// The same order with the point of a correction (`delivery.pickup_point.id`, …).
    pub fn corrected(facts: &OrderFacts, set: &BTreeMap<String, Value>) -> Option<Self> {
        const POINT: &str = "delivery.pickup_point";
        let stored = facts.delivery.value().and_then(|d| d.pickup_point.value());
        let mut point = stored.cloned().unwrap_or_default();
        let whole = set
            .get("delivery")
            .and_then(|delivery| delivery.get("pickup_point"))
            .or_else(|| set.get(POINT));
        if let Some(whole) = whole {
            point = serde_json::from_value(whole.clone()).ok()?;
        }
        let part = |name: &str| Some(set.get(&format!("{POINT}.{name}"))?.as_str()?.to_owned());
        point.network = part("network").or(point.network);
        point.id = part("id").or(point.id);
        let cod = facts.payment.value().map(|p| p.method.or_default());
        Self::new(&point, facts.ship_to.value(), cod)
    }

    fn new(
        point: &PickupPointRef,
        ship_to: Option<&Address>,
        payment: Option<PaymentMethod>,
    ) -> Option<Self> {
        let id = point.id.clone().filter(|id| !id.is_empty())?;
        let town = ship_to.map(|to| {
            let words = [to.postal_code.as_deref(), to.city.as_deref()];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        Some(Self {
            network: point.network.clone(),
            id,
            country: ship_to.and_then(|to| to.country.clone()),
            cod: payment == Some(PaymentMethod::Cod),
            geo: ship_to.and_then(|to| degrees(to.geo.as_ref()?)),
            town: town.filter(|town| !town.trim().is_empty()),
        })
    }

    /// Under which keys it may stand in the directories that are loaded.
    pub(super) fn keys(&self, world: &World) -> Vec<(String, String)> {
        let networks = flow::networks_asked(world, self.network.as_deref());
        let key = |network: String| (network, self.id.clone());
        networks.into_iter().map(key).collect()
    }

    /// It will do as far as its row tells.
    pub(super) fn does(&self, point: &StoredPoint) -> bool {
        point.gone_at.is_none() && !(self.cod && point.point.cod_allowed == Some(false))
    }

    /// Where to look for others, best first.
    pub(super) fn places(&self, gone: Option<&StoredPoint>) -> Vec<Place> {
        let gone = gone.and_then(|gone| degrees(gone.point.geo.as_ref()?));
        let near = gone.or(self.geo).map(Place::Near);
        let town = self.town.clone().map(Place::Town);
        near.into_iter().chain(town).collect()
    }
}

/// Where to look for a point.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// Latitude and longitude.
    Near((f64, f64)),
    /// Postal code and city.
    Town(String),
}

fn degrees(geo: &Geo) -> Option<(f64, f64)> {
    Some((geo.lat.as_f64()?, geo.lon.as_f64()?))
}
