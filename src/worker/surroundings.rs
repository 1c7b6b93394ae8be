//! What decisions are made by, beside the order's own shop: merchants' settings, carrier accounts,
//! directories of pickup points. When it changes, the orders that it concerns are evaluated anew.
//!
//! What always holds: what changed is compared with what was seen before, whoever changed it, and
//! counts as seen only when its orders were gone through; what may have changed while nobody ran is
//! made up for by what waits for it ([`waits`]).

use super::evaluate::Head;
use super::merchants;
use super::settle::Settler;
use crate::canonical::connection::{Connection, ConnectionKind, ConnectionState, Merchant};
use crate::canonical::hold::{Hold, HoldReason};
use crate::canonical::order::DeliveryMode;
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::store::query::OrderFilter;
use crate::store::{Store, StoreError};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What was seen last. See the module.
#[derive(Default)]
pub struct Surroundings {
    seen: Mutex<Option<Seen>>,
}

/// What decisions are made by, as of one moment.
#[derive(Default)]
struct Seen {
    merchants: BTreeMap<MerchantId, (String, Map<String, Value>)>,
    carriers: BTreeMap<ConnectionId, (MerchantId, u64, ConnectionState)>,
    directories: BTreeMap<(String, ConnectionId), Timestamp>,
}

/// Whose orders are to be evaluated anew.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    merchants: BTreeSet<MerchantId>,
    /// The operator's carriers and rules are everybody's.
    everybody: bool,
    /// Orders to pickup points.
    points: bool,
    /// Orders that wait for what may have changed.
    waiting: bool,
}

impl Surroundings {
    /// Looks at what changed and evaluates what that concerns; how many orders changed.
    ///
    /// # Errors
    /// When the store cannot be read; then it is done again at the next look.
    pub async fn look(
        &self,
        store: &dyn Store,
        settler: &Settler,
        connections: &[Connection],
    ) -> Result<usize, StoreError> {
        let now = Seen::read(store, connections).await?;
        let due = match &*self.seen() {
            Some(before) => before.due(&now),
            None => Due {
                waiting: true,
                ..Due::default()
            },
        };
        let changed = due.evaluate(settler).await?;
        *self.seen() = Some(now);
        Ok(changed)
    }

    /// The next look begins anew: another node looked meanwhile.
    pub fn forget(&self) {
        *self.seen() = None;
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    async fn read(store: &dyn Store, connections: &[Connection]) -> Result<Self, StoreError> {
        let of_merchant = |merchant: Merchant| {
            let decisive = (merchant.timezone, merchant.settings);
            (merchant.id, decisive)
        };
        let of_carrier = |carrier: &Connection| {
            let decisive = (carrier.merchant_id, carrier.version, carrier.state);
            (carrier.id, decisive)
        };
        let carriers = connections
            .iter()
            .filter(|connection| connection.kind == ConnectionKind::Carrier);
        let directories = store.directories().await?.into_iter();
        let mut seen = Self {
            merchants: BTreeMap::new(),
            carriers: carriers.map(of_carrier).collect(),
            directories: directories
                .map(|read| ((read.network, read.connection_id), read.loaded_at))
                .collect(),
        };
        let merchants = merchants::all(store).await?;
        seen.merchants = merchants.into_iter().map(of_merchant).collect();
        Ok(seen)
    }

    fn due(&self, now: &Self) -> Due {
        let mut due = Due::default();
        let mut whose = BTreeSet::new();
        for (id, decisive) in &now.merchants {
            // A new merchant has no orders yet.
            if self.merchants.get(id).is_some_and(|old| old != decisive) {
                whose.insert(*id);
            }
        }
        for (id, carrier) in &now.carriers {
            if self.carriers.get(id) != Some(carrier) {
                whose.insert(carrier.0);
            }
        }
        let gone = |(id, _): &(&ConnectionId, _)| !now.carriers.contains_key(id);
        let gone = self.carriers.iter().filter(gone);
        whose.extend(gone.map(|(_, carrier)| carrier.0));
        due.everybody = whose.contains(&MerchantId::OPERATOR);
        due.merchants = whose;
        due.points = self.directories != now.directories;
        due
    }
}

impl Due {
    fn concerns(&self, order: &Head) -> bool {
        let to_point = order.delivery.as_ref().is_some_and(|delivery| {
            delivery.mode.value() == Some(&DeliveryMode::PickupPoint)
                || delivery.pickup_point.value().is_some()
        });
        self.everybody
            || self.merchants.contains(&order.merchant_id)
            || (self.points && to_point)
            || (self.waiting && order.holds.iter().any(waits))
    }

    async fn evaluate(&self, settler: &Settler) -> Result<usize, StoreError> {
        let all = self.everybody || self.points || self.waiting;
        if all {
            let everybodys = OrderFilter::default();
            return settler
                .evaluate(&everybodys, |order| self.concerns(order))
                .await;
        }
        let mut changed = 0;
        for merchant in &self.merchants {
            let filter = OrderFilter {
                merchant_id: Some(*merchant),
                ..OrderFilter::default()
            };
            changed += settler.evaluate(&filter, |_| true).await?;
        }
        Ok(changed)
    }
}

/// A hold whose cause lies in the surroundings.
fn waits(hold: &Hold) -> bool {
    matches!(
        hold.reason,
        HoldReason::MethodUnmapped | HoldReason::PickupPointInvalid | HoldReason::CodCurrency
    )
}
