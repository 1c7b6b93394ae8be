//! What decisions need to know beside the order: carrier accounts, the rules that choose among
//! them, and pickup points. Read by the caller, so that flow stays without I/O.
//!
//! What always holds: an empty world is a gateway without carriers: nothing is planned, nothing is
//! checked, and no order is held for it.

use crate::canonical::connection::{Connection, ConnectionKind, ConnectionState, Contract};
use crate::canonical::order::DeliveryMode;
use crate::canonical::point::StoredPoint;
use crate::canonical::{ConnectionId, MerchantId, Quantity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

/// A carrier account, or a marketplace that issues the labels of its own orders, and what its
/// connector can do.
#[derive(Debug, Clone)]
pub struct CarrierAccount {
    /// The account.
    pub connection: Arc<Connection>,
    /// The provider's name, for people and channels.
    pub carrier_name: String,
    /// `shipment.create` is there.
    pub buys_labels: bool,
    /// `shipment.cancel` is there.
    pub voids: bool,
    /// `tracking.pull` by numbers is there (the ladder asks for each parcel).
    pub asks_by_number: bool,
    /// Its directory of points was loaded at least once.
    pub has_directory: bool,
}

impl CarrierAccount {
    /// May be used for new parcels.
    pub fn usable(&self) -> bool {
        self.buys_labels && self.connection.state == ConnectionState::Active
    }
    /// May make labels for orders of this connection: a carrier's for all, a channel's for its own.
    pub fn serves(&self, orders_of: ConnectionId) -> bool {
        self.connection.kind == ConnectionKind::Carrier || self.connection.id == orders_of
    }
    /// The contract of this merchant on it.
    pub fn contract(&self, merchant: MerchantId) -> Option<&Contract> {
        self.connection.contract(merchant)
    }
    /// A text setting of the account.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.connection.settings.get(name).and_then(Value::as_str)
    }
}

/// Which orders go with which carrier: all conditions that are given must hold; the first rule of
/// the list that fits decides. Kept under `carrier_rules` in the settings of a merchant or, for
/// all merchants, of the operator; the merchant's go first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CarrierRule {
    /// For people: shown in `carrier_plan.why`.
    pub name: Option<String>,
    /// Only this merchant's orders (in the operator's list).
    pub merchant_id: Option<MerchantId>,
    /// Only orders of this shop.
    pub shop_id: Option<ConnectionId>,
    /// One of the channel's method codes; `*` at the end stands for any rest.
    pub method_code: Vec<String>,
    /// The carrier that the channel names, without regard to case.
    pub carrier: Vec<String>,
    /// The network of the chosen pickup point.
    pub network: Vec<String>,
    /// How it is delivered.
    pub mode: Vec<DeliveryMode>,
    /// ISO 3166-1 alpha-2 of the destination.
    pub country: Vec<String>,
    /// The order's weight by its lines; unknown weights fit every bound.
    pub min_weight_g: Option<u64>,
    /// Inclusive.
    pub max_weight_g: Option<u64>,
    /// Only with (true) or without (false) cash on delivery.
    pub cod: Option<bool>,
    /// The carrier account that it goes with.
    pub connection_id: Option<ConnectionId>,
    /// Its service.
    pub service: Option<String>,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Carrier accounts that this merchant may use: its own and the operator's; and its channels
    /// that issue labels.
    pub carriers: Vec<CarrierAccount>,
    /// The merchant's rules, then the operator's. Those that cannot be read are left out.
    pub rules: Vec<CarrierRule>,
    /// Points that decisions of this call may ask about, by network and id; a point that was
    /// looked for and is not there is `None`.
    pub points: HashMap<(String, String), Option<StoredPoint>>,
    /// For a point that is unknown or gone: the nearest that fit, nearest first.
    pub proposals: HashMap<(String, String), Vec<StoredPoint>>,
    /// What of these articles is free to be promised; empty where nobody asked.
    pub stock: BTreeMap<String, Quantity>,
    /// Networks whose directory was loaded.
    pub networks: BTreeMap<String, ConnectionId>,
}

static NONE: LazyLock<World> = LazyLock::new(World::default);

impl World {
    /// A gateway without carriers.
    pub fn none() -> &'static World {
        &NONE
    }
    /// The account with this id.
    pub fn carrier(&self, id: ConnectionId) -> Option<&CarrierAccount> {
        self.carriers
            .iter()
            .find(|account| account.connection.id == id)
    }
}
