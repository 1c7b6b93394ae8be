//! Ids: a prefix that names the kind and a UUIDv7, each kind its own Rust type.
//!
//! What always holds: an id of one kind can never be passed where another is meant; the text form
//! is `prefix_` plus 32 lower-case hex digits; ids of one process rise with time.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {expected} id: it starts with \"{expected}_\" and goes on with a UUID")]
pub struct IdError {
    /// The prefix that was wanted, without the underscore.
    pub expected: &'static str,
}

fn parse(text: &str, prefix: &'static str) -> Result<Uuid, IdError> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|rest| Uuid::try_parse(rest).ok())
        .ok_or(IdError { expected: prefix })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        #[allow(clippy::new_without_default)] // a default id would look like a constant
        impl $name {
            /// The kind's prefix, without the underscore.
            pub const PREFIX: &'static str = $prefix;
            /// A fresh id (UUIDv7: later ids sort after earlier ones).
            pub fn new() -> Self { Self(Uuid::now_v7()) }
            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            /// The id from its 16 stored bytes; `None` when there are not 16.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> { Uuid::from_slice(bytes).ok().map(Self) }
            /// The UUID alone.
            pub const fn uuid(&self) -> Uuid { self.0 }
            /// The 16 bytes to store.
            pub const fn as_bytes(&self) -> &[u8; 16] { self.0.as_bytes() }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> { parse(text, $prefix).map(Self) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A merchant: the 3PL's client, or the operator itself.
    MerchantId = "mer";
    /// A connection: one account at one provider.
    ConnectionId = "con";
    /// An inbox record: the smallest part of a delivery that maps to one canonical object.
    InboxId = "inb";
    /// A wire delivery: one HTTP body, one polled page, one file.
    RawId = "raw";
    /// An order.
    OrderId = "ord";
    /// An order line.
    LineId = "lin";
    /// A fulfillment order.
    FulfillmentOrderId = "ful";
    /// A change request to a warehouse.
    RequestId = "req";
    /// A hold.
    HoldId = "hld";
    /// A shipment.
    ShipmentId = "shp";
    /// A parcel.
    ParcelId = "par";
    /// A tracking event.
    TrackingEventId = "trk";
    /// An item of the COD ledger.
    CodItemId = "cod";
    /// A COD remittance.
    RemittanceId = "rem";
    /// A return.
    ReturnId = "ret";
    /// An event of the log.
    EventId = "evt";
    /// A delivery of an event to a subscription.
    DeliveryId = "dlv";
    /// A problem.
    ProblemId = "prb";
    /// A subscription.
    SubscriptionId = "sub";
    /// A job.
    JobId = "job";
    /// An attempt of a job.
    AttemptId = "att";
    /// A stored document.
    DocumentId = "doc";
    /// An API token.
    TokenId = "tok";
    /// A location (a depot of the 3PL).
    LocationId = "loc";
    /// An audit entry.
    AuditId = "aud";
}

impl MerchantId {
    /// The operator: the 3PL itself, a reserved merchant that owns shared connections
    /// (DECISIONS: merchant first, never null).
    pub const OPERATOR: MerchantId = MerchantId(Uuid::from_u128(1));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_id_reads_back_and_refuses_other_kinds() {
        let id = OrderId::new();
        assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
        assert_eq!(
            id.to_string().parse::<LineId>(),
            Err(IdError { expected: "lin" })
        );
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<OrderId>(&json).unwrap(), id);
    }
}
