//! Holds: why something does not go on, in typed reasons that clear themselves where the gateway
//! can see the cause go.

use super::order::wire_enum;
use super::{HoldId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

wire_enum! {
    /// Why.
    HoldReason {
        AwaitingPayment, AwaitingAcceptance, AwaitingConfirmation, IncorrectAddress,
        PickupPointInvalid, SkuUnmapped, MethodUnmapped, InventoryOutOfStock, HighRiskOfFraud,
        SuspectedDuplicate, IncompleteQuickOrder, CodLimit, CodCurrency, AwaitingDetails,
        EditWindow, MerchantRequest, CustomsDataMissing, TotalsMismatch, Conflict,
        #[default] Other,
    }
}
wire_enum! {
    /// Who clears it.
    Clears { Itself, #[default] Person }
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Ours.
    pub id: HoldId,
    /// Why.
    pub reason: HoldReason,
    /// In words.
    pub detail: Option<String>,
    /// `gateway`, `channel`, `warehouse` or a token's name.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// Who clears it.
    pub clears: Clears,
    /// What would clear it, where the gateway can tell: the nearest pickup points that fit, say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Value>,
}
