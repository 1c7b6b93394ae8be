//! The order: what the channel says ([`OrderFacts`]) and what we keep beside it ([`OrderMeta`]).
//!
//! What always holds: a mapping yields [`MappedOrder`] only (unknown keys refused, none of our
//! bookkeeping); flow merges it over the stored facts; `status` is derived, never set by hand.
//! The stored form, the API form and the form in events are one JSON: meta and facts side by side.

use super::field::fields;
use super::line::{Charge, Line};
use super::{
    Address, Amount, ConnectionId, Currency, InboxId, MerchantId, Money, OrderId, Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum $name { $($(#[$vmeta])* $variant),* }
    };
}
pub(crate) use wire_enum;

pub use super::acceptance::{AcceptanceKind, AcceptanceState};
pub use super::correction::Override;

wire_enum! {
    /// What sort of order.
    OrderKind { #[default] Standard, Quick, Wholesale, Replacement }
}
wire_enum! {
    /// How it reached us first.
    Source { #[default] Webhook, Poll, File, Api, Phone }
}
wire_enum! {
    /// Derived from facts, never set by hand.
    OrderStatus { PendingPayment, OnHold, Scheduled, #[default] Open, InProgress, PartiallyFulfilled, Fulfilled, Closed, Cancelled }
}
wire_enum! {
    /// The channel's status in our words: a fact, not the status.
    ChannelState { Draft, PendingPayment, OnHold, Open, PartiallyFulfilled, Fulfilled, Cancelled, #[default] Unknown }
}
wire_enum! {
    /// Who fulfils.
    FulfilledBy { #[default] Merchant, Channel }
}
wire_enum! {
    /// How the goods reach the customer.
    DeliveryMode { #[default] Home, PickupPoint, Collect, Digital }
}
wire_enum! {
    /// How it is paid.
    PaymentMethod { Prepaid, Cod, OnAccount, #[default] Unknown }
}
wire_enum! {
    /// How far the payment is.
    PaymentStatus { Unpaid, Authorized, Paid, PartiallyRefunded, Refunded, #[default] Unknown }
}

fields! {
    /// Who buys.
    #[serde(deny_unknown_fields)]
    pub struct Customer {
        /// The channel's id of the customer.
        external_id: String,
        /// Full name.
        name: String,
        /// Company.
        company: String,
        /// E-mail, unchanged (marketplace aliases must reach the carrier as they are).
        email: String,
        /// E.164.
        phone: String,
        /// As the channel sent it.
        phone_raw: String,
        /// BCP 47.
        language: String,
        /// VAT or other tax number.
        tax_id: String,
    }
}

/// A locker or office.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PickupPointRef {
    /// Whose network.
    pub network: Option<String>,
    /// The network's id of the point.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// A span of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
}

fields! {
    /// How the goods are to be delivered.
    #[serde(deny_unknown_fields)]
    pub struct Delivery {
        /// The channel's code of the method.
        method_code: String,
        /// The channel's title of the method.
        method_title: String,
        /// Home, pickup point, collected at the shop, digital.
        mode: DeliveryMode,
        /// Carrier that the channel names.
        carrier: String,
        /// Service that the channel names.
        service: String,
        /// The chosen point.
        pickup_point: PickupPointRef,
        /// The chosen window.
        window: Window,
        /// Words for the driver.
        instructions: String,
    }
}

fields! {
    /// How it is paid.
    #[serde(deny_unknown_fields)]
    pub struct Payment {
        /// Prepaid, COD, on account.
        method: PaymentMethod,
        /// The channel's code.
        method_code: String,
        /// The channel's title.
        method_title: String,
        /// How far it is.
        status: PaymentStatus,
        /// What is left to collect at the door; null when nothing.
        cod_amount: Money,
    }
}

fields! {
    /// What the customer owes now, cancelled parts left out.
    #[serde(deny_unknown_fields)]
    pub struct Totals {
        /// Sum of the lines; computed by us.
        items: Money,
        /// Sum of the charges; computed by us.
        charges: Money,
        /// Informative: already inside lines and charges.
        discount: Money,
        /// How much of the total is tax, as the channel states it.
        tax: Money,
        /// As the channel states it.
        total: Money,
    }
}

fields! {
    /// A marketplace's duties.
    #[serde(deny_unknown_fields)]
    pub struct Deadlines {
        /// Answer by.
        accept_by: Timestamp,
        /// Hand over by.
        ship_by: Timestamp,
        /// Deliver by.
        deliver_by: Timestamp,
        /// The customer may cancel until.
        cancel_until: Timestamp,
    }
}

fields! {
    /// Whether the channel wants an answer.
    #[serde(deny_unknown_fields)]
    pub struct Acceptance {
        /// How far it is.
        state: AcceptanceState,
        /// What it wants to hear. A receipt is given by itself once the order is stored.
        kind: AcceptanceKind,
        /// What can be answered, in the channel's words.
        options: Value,
    }
}

macro_rules! order_facts {
    ($($(#[$doc:meta])* $field:ident : $ty:ty $(=> $nested:ident)?),* $(,)?) => {
        fields! {
            /// What the channel says of an order. Keys left out keep what is stored.
            pub struct OrderFacts { $($(#[$doc])* $field : $ty $(=> $nested)?),* }
        }
        /// The strict twin of [`OrderFacts`]: what a mapping may yield; unknown keys are errors.
        #[derive(Debug, Clone, PartialEq, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct MappedOrder { $($(#[$doc])* #[serde(default)] pub $field: super::Field<$ty>),* }
        impl From<MappedOrder> for OrderFacts {
            fn from(mapped: MappedOrder) -> Self { Self { $($field: mapped.$field),* } }
        }
    };
}

order_facts! {
    /// The channel's id, unique within the connection.
    external_id: String,
    /// The number people read.
    external_number: String,
    /// What sort of order.
    kind: OrderKind,
    /// When the customer placed it, by the channel's clock.
    placed_at: Timestamp,
    /// The channel's last change, by its clock (bookkeeping: no content).
    source_updated_at: Timestamp,
    /// The channel's own revision or sequence number (bookkeeping: no content).
    source_revision: String,
    /// The currency in which the customer pays.
    currency: Currency,
    /// Who buys.
    customer: Customer => nested,
    /// Where it goes; null when both addresses of the channel are empty.
    ship_to: Address,
    /// Who pays.
    bill_to: Address,
    /// How it is to be delivered.
    delivery: Delivery => nested,
    /// How it is paid.
    payment: Payment => nested,
    /// What is bought.
    lines: Vec<Line>,
    /// Shipping, fees, discounts not spread over lines.
    charges: Vec<Charge>,
    /// What is owed.
    totals: Totals => nested,
    /// A marketplace's duties.
    deadlines: Deadlines => nested,
    /// Whether the channel wants an answer.
    acceptance: Acceptance => nested,
    /// The channel's status in our words.
    channel_state: ChannelState,
    /// The channel's own word.
    channel_status: String,
    /// Who fulfils.
    fulfilled_by: FulfilledBy,
    /// The customer's words.
    note: String,
    /// The shop's words for the warehouse.
    internal_note: String,
    /// Labels of the channel.
    tags: Vec<String>,
    /// Anything else worth keeping.
    attributes: Map<String, Value>,
    /// A channel's test order: visible, never released.
    test: bool,
    /// True when the payload hides something that must be read before the order may be released
    /// (refunded lines, say): hold `awaiting_details` until a shape tells `false`.
    details_missing: bool,
}

impl OrderFacts {
    /// Keys that say when or in which revision, not what: two revisions that differ only here are
    /// the same content (DECISIONS 4).
    pub const BOOKKEEPING: &'static [&'static str] = &["source_updated_at", "source_revision"];

    /// The keys whose content differs.
    pub fn content_changes(&self, older: &Self) -> Vec<&'static str> {
        let mut keys = self.changed_keys(older);
        keys.retain(|key| !Self::BOOKKEEPING.contains(key));
        keys
    }
    /// The channel state, `unknown` when the mapping says nothing.
    pub fn channel_state(&self) -> ChannelState {
        self.channel_state.or_default()
    }
    /// The lines, none when unknown.
    pub fn lines(&self) -> &[Line] {
        self.lines.value().map_or(&[], Vec::as_slice)
    }
    /// The charges, none when unknown.
    pub fn charges(&self) -> &[Charge] {
        self.charges.value().map_or(&[], Vec::as_slice)
    }
    /// What is left to collect at the door, if anything.
    pub fn cod_amount(&self) -> Option<Money> {
        self.payment
            .value()
            .and_then(|p| p.cod_amount.value().copied())
    }
    /// The total that the channel states.
    pub fn stated_total(&self) -> Option<Money> {
        self.totals.value().and_then(|t| t.total.value().copied())
    }
    /// Zero in the order's currency.
    pub fn zero(&self) -> Option<Money> {
        self.currency
            .value()
            .map(|currency| Money::new(Amount::ZERO, *currency))
    }
}

/// What we keep beside the channel's facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderMeta {
    /// Ours.
    pub id: OrderId,
    /// Whose.
    pub merchant_id: MerchantId,
    /// From where.
    pub connection_id: ConnectionId,
    /// How it reached us first.
    pub source: Source,
    /// When it reached us first.
    pub received_at: Timestamp,
    /// When we last changed it.
    pub updated_at: Timestamp,
    /// Derived from facts.
    pub status: OrderStatus,
    /// The operator's corrections.
    pub overrides: Vec<Override>,
    /// Holds on the order (before and beside its fulfillment orders).
    pub holds: Vec<super::hold::Hold>,
    /// The newest inbox record that changed it.
    pub payload_ref: Option<InboxId>,
    /// The mapping's content hash.
    pub mapping_version: Option<String>,
    /// Our revision number, from 1.
    pub version: u64,
    /// When the stored revision was made (DECISIONS 4); else when it was asked for or arrived.
    pub revision_at: Timestamp,
    /// `closed_elsewhere` and the like: why a closed or cancelled order ended.
    #[serde(default)]
    pub closed_reason: Option<String>,
    /// The earlier order that this one repeats: the cause of the hold `suspected_duplicate`.
    #[serde(default)]
    pub duplicate_of: Option<OrderId>,
    /// What we said to a marketplace that waits for an answer.
    #[serde(default)]
    pub answer: Option<super::acceptance::Answer>,
    /// When its personal data was taken out, because its time was over.
    #[serde(default)]
    pub erased_at: Option<Timestamp>,
    /// True once it may go to the warehouse by itself (connection active, placed after `release_from`).
    pub released: bool,
}

/// A stored order. Its JSON has meta and facts side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Order {
    /// Ours.
    #[serde(flatten)]
    pub meta: OrderMeta,
    /// The channel's, with the operator's corrections laid over.
    #[serde(flatten)]
    pub facts: OrderFacts,
}

impl Order {
    /// Reads the stored JSON. Two passes instead of `flatten`, which cannot read exact numbers.
    ///
    /// # Errors
    /// When the text is not an order's JSON.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self {
            meta: serde_json::from_slice(json)?,
            facts: serde_json::from_slice(json)?,
        })
    }
    /// The JSON that is stored, shown and sent.
    ///
    /// # Errors
    /// Never in practice; kept so that callers need no panic.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        Self::from_json(raw.get().as_bytes()).map_err(serde::de::Error::custom)
    }
}
