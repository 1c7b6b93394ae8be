//! Cash on delivery: one item a parcel that carries it, from the label to the shop's account.
//!
//! What always holds: an item is born when its label is purchased; its amounts never change; live
//! items of an order never sum to more than is left to collect; every state it leaves behind says
//! where the money is.

use super::order::wire_enum;
use super::{CodItemId, ConnectionId, MerchantId, Money, OrderId, ParcelId, ShipmentId, Timestamp};
use serde::{Deserialize, Serialize};

wire_enum! {
    /// Where the money is.
    CodStatus {
        #[default] Expected, Collected, Remitted, Settled, PaidOut, NotDue, Overdue, ShortPaid,
        OverPaid, Disputed, WrittenOff,
    }
}
wire_enum! {
    /// To whom the carrier pays.
    CodPayee { #[default] Operator, Merchant }
}

impl CodStatus {
    /// Still to come, collected or on its way: counts against what is left to collect.
    pub const fn live(self) -> bool {
        !matches!(self, Self::NotDue | Self::WrittenOff)
    }
}

/// One amount to be collected with one parcel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CodItem {
    pub id: CodItemId,
    pub order_id: OrderId,
    pub merchant_id: MerchantId,
    pub shipment_id: ShipmentId,
    pub parcel_id: ParcelId,
    /// The carrier account that collects.
    pub connection_id: ConnectionId,
    pub tracking_number: Option<String>,
    pub status: CodStatus,
    /// What it takes off the order, in the order's currency.
    pub order_amount: Money,
    /// What the carrier is to collect, in the currency in which it does.
    pub due: Money,
    /// What it says that it collected.
    pub collected: Option<Money>,
    pub payee: CodPayee,
    pub collected_at: Option<Timestamp>,
    /// Why it is not due, disputed or written off.
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// From 1.
    pub version: u64,
}
