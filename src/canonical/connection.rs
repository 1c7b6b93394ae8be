//! Merchants and connections.
//!
//! What always holds: credentials are write-only and never part of these types; an `observing`
//! connection changes nothing at the provider and releases nothing.

use super::cod::CodPayee;
use super::order::wire_enum;
use super::{Address, ConnectionId, MerchantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The 3PL's client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Merchant {
    pub id: MerchantId,
    pub name: String,
    /// IANA name.
    pub timezone: String,
    pub settings: Map<String, Value>,
    pub created_at: Timestamp,
    /// Since then nothing that was sealed for it opens, and nothing is begun for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

wire_enum! {
    /// What stands on the other side.
    ConnectionKind { #[default] Shop, Marketplace, Carrier, Wms }
}
wire_enum! {
    /// Whose account it is.
    Owner { #[default] Merchant, Operator }
}
wire_enum! {
    /// What may happen. See MODEL.md.
    ConnectionState { #[default] Observing, Active, Paused, Suspended, Deleted }
}

/// What was agreed with a carrier for one merchant on a shared account.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contract {
    /// From whom parcels come.
    pub sender: Address,
    /// Where they go when they come back; the sender when left out.
    pub return_to: Option<Address>,
    /// To whom the carrier pays the cash.
    pub cod_payee: CodPayee,
    /// The carrier's number of the agreement, or the bank account, for the cash.
    pub cod_account: Option<String>,
    /// The merchant's own customer number at the carrier, where it has one.
    pub customer_number: Option<String>,
    /// Services that may be used; any when empty.
    pub services: Vec<String>,
}

/// The key of the contract that counts for merchants without one of their own.
pub const DEFAULT_CONTRACT: &str = "default";

/// One account at one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Connection {
    pub id: ConnectionId,
    pub merchant_id: MerchantId,
    /// The connector folder's id.
    pub connector: String,
    /// The folder's version that it keeps to; null: whichever is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector_version: Option<String>,
    pub name: String,
    pub kind: ConnectionKind,
    pub owner: Owner,
    /// The non-secret form values.
    pub settings: Map<String, Value>,
    /// For carriers: by merchant id, or [`DEFAULT_CONTRACT`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contracts: BTreeMap<String, Contract>,
    pub state: ConnectionState,
    /// Orders placed before it are never released by themselves; null while observing.
    pub release_from: Option<Timestamp>,
    pub health: Health,
    /// What the gateway has learned of the provider (ways of fulfilment it has, webhook ids).
    pub memory: Map<String, Value>,
    /// Names of the credentials that are set (never their values).
    pub credentials_set: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Our revision number, from 1.
    pub version: u64,
    /// Rises when another node takes the connection over.
    pub epoch: u64,
}

impl Connection {
    /// The contract of a merchant on this account.
    pub fn contract(&self, merchant: MerchantId) -> Option<&Contract> {
        self.contracts
            .get(&merchant.to_string())
            .or_else(|| self.contracts.get(DEFAULT_CONTRACT))
    }
}

/// How a connection is doing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Health {
    pub last_received_at: Option<Timestamp>,
    pub last_poll_at: Option<Timestamp>,
    pub last_check_at: Option<Timestamp>,
    pub check: Option<CheckResult>,
    pub failures_in_row: u32,
    /// Circuit open until then: no call is sent.
    pub circuit_open_until: Option<Timestamp>,
    /// The provider said to wait (Retry-After): no call before it, also after a restart.
    pub frozen_until: Option<Timestamp>,
    /// Why it is suspended, in words.
    pub suspended_reason: Option<String>,
    /// Orders that only the sweep found: what the provider's webhooks lost.
    pub found_by_sweep: u64,
}

/// The answer of the last connection check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CheckResult {
    pub ok: bool,
    pub message: String,
}
