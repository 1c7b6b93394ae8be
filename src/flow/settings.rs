//! The settings that steer the rules, read from a connection's and a merchant's JSON.
//!
//! | key | values | default | meaning |
//! |---|---|---|---|
//! | `location` | text | `main` | the depot that fulfils |
//! | `accept` | `auto`, `when_in_stock`, `manual` | `manual` | who answers a marketplace's order; `when_in_stock`: the gateway, when all of it is free |
//! | `refuse` | `never`, `before_deadline` | `never` | who refuses what nobody has answered; `before_deadline`: the gateway, before it expires |
//! | `refuse_minutes` | whole number, at most 120 | 30 | so long before the deadline |
//! | `refuse_reason` | a reason of ours or the channel's | `out_of_stock` | what it then says |
//! | `edit_window_minutes` | whole number | 0 | the customer may change the order so long after it arrived |
//! | `duplicate_window_minutes` | whole number | 0 | an order like another one placed at most so long before or after it waits for a person; 0: never (`flow::duplicates`) |
//! | `cod_limit` | amount as text | none | above it, cash on delivery waits for a person |
//! | `cod_currencies` | list of codes | all | others wait for a person |
//! | `require_sku` | true, false | false | a physical line without SKU waits |
//! | `hold_totals_mismatch` | true, false | false | amounts that do not add up hold prepaid orders, too |
//! | `unknown_state` | `hold`, `release` | `hold` | a new order whose status is not in the connector's table |
//! | `bundles` | `parts`, `parent` | `parts` | what of a bundle goes to the warehouse |
//! | `on_short` | `ship_rest`, `wait`, `cancel_rest`, `ask` | `ship_rest` | what becomes of a shortage |
//! | `fulfillment_push` | `label`, `handover`, `first_scan` | `handover` | when the channel is told |
//! | `labels` | `channel`, `carrier` | `channel` | who makes the labels of a channel that issues its own; `carrier`: as for any other channel |
//! | `delivery_push` | list of `out_for_delivery`, `failed_attempt`, `available_for_pickup`, `delivered`, `returned` | all but `failed_attempt` | what of a parcel's way the channel is told |
//! | `cut_off` | `HH:MM` in the merchant's time zone | none | the day's last pick-up, for orders without `deadlines.ship_by` |
//! | `cod_overdue_days` | whole number | 7 | so long after delivery cash that the carrier does not tell of is overdue |
//! | `priority` | whole number | 0 | higher goes first |
//!
//! What always holds: the connection's value goes before the merchant's; a value that cannot be
//! read counts as not set.

use super::FlowContext;
use crate::canonical::tracking::TrackingStatus;
use crate::canonical::{Amount, Currency, Timestamp};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use serde::Deserialize;
use serde_json::Value;

macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum $name { $($(#[$vmeta])* $variant),* }
    };
}
choice! {
    /// Who answers a marketplace's order.
    Accept { Auto, WhenInStock, #[default] Manual }
}
choice! {
    /// Who refuses what nobody has answered.
    Refuse { #[default] Never, BeforeDeadline }
}
choice! {
    /// What becomes of a shortage.
    OnShort { #[default] ShipRest, Wait, CancelRest, Ask }
}
choice! {
    /// When the channel is told that goods left.
    FulfillmentPush { Label, #[default] Handover, FirstScan }
}
choice! {
    /// Who makes the labels of a channel that issues its own.
    Labels { #[default] Channel, Carrier }
}
choice! {
    /// A new order whose status is not in the connector's table.
    UnknownState { #[default] Hold, Release }
}
choice! {
    /// What of a bundle goes to the warehouse.
    Bundles { #[default] Parts, Parent }
}

/// The settings of one decision, typed.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the table above
pub struct FlowSettings {
    pub location: String,
    pub accept: Accept,
    pub refuse_before: Option<SignedDuration>,
    pub refuse_reason: String,
    pub edit_window: SignedDuration,
    pub duplicate_window: SignedDuration,
    pub cod_limit: Option<Amount>,
    pub cod_currencies: Option<Vec<Currency>>,
    pub require_sku: bool,
    pub hold_totals_mismatch: bool,
    pub unknown_state: UnknownState,
    pub bundles: Bundles,
    pub on_short: OnShort,
    pub fulfillment_push: FulfillmentPush,
    pub labels: Labels,
    pub delivery_push: Vec<TrackingStatus>,
    pub cut_off: Option<Time>,
    pub timezone: TimeZone,
    pub priority: i32,
}

/// What the channel is told of a parcel's way when nothing is set.
const DELIVERY_PUSH: [TrackingStatus; 4] = [
    TrackingStatus::OutForDelivery,
    TrackingStatus::AvailableForPickup,
    TrackingStatus::Delivered,
    TrackingStatus::Returned,
];
/// The longest window: a month. Keeps time arithmetic in range.
const MAX_MINUTES: i64 = 31 * 24 * 60;

/// What is refused by the clock is refused in the last two hours, when the clock looks at it.
const MAX_REFUSE_MINUTES: i64 = 120;

impl FlowSettings {
    /// Reads them.
    pub fn read(ctx: &FlowContext<'_>) -> Self {
        let cut_off =
            typed::<String>(ctx, "cut_off").and_then(|text| Time::strptime("%H:%M", text).ok());
        Self {
            location: typed::<String>(ctx, "location")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "main".to_owned()),
            accept: typed(ctx, "accept").unwrap_or_default(),
            refuse_before: (typed(ctx, "refuse") == Some(Refuse::BeforeDeadline)).then(|| {
                let minutes = typed::<i64>(ctx, "refuse_minutes").unwrap_or(30);
                SignedDuration::from_mins(minutes.clamp(0, MAX_REFUSE_MINUTES))
            }),
            refuse_reason: typed::<String>(ctx, "refuse_reason")
                .filter(|reason| !reason.is_empty())
                .unwrap_or_else(|| "out_of_stock".to_owned()),
            edit_window: minutes(ctx, "edit_window_minutes"),
            duplicate_window: minutes(ctx, DUPLICATE_WINDOW),
            cod_limit: typed(ctx, "cod_limit"),
            cod_currencies: typed(ctx, "cod_currencies"),
            require_sku: typed(ctx, "require_sku").unwrap_or(false),
            hold_totals_mismatch: typed(ctx, "hold_totals_mismatch").unwrap_or(false),
            unknown_state: typed(ctx, "unknown_state").unwrap_or_default(),
            bundles: typed(ctx, "bundles").unwrap_or_default(),
            on_short: typed(ctx, "on_short").unwrap_or_default(),
            fulfillment_push: typed(ctx, "fulfillment_push").unwrap_or_default(),
            labels: typed(ctx, "labels").unwrap_or_default(),
            delivery_push: typed(ctx, "delivery_push").unwrap_or_else(|| DELIVERY_PUSH.to_vec()),
            cut_off,
            timezone: match cut_off {
                Some(_) => TimeZone::get(&ctx.merchant.timezone).unwrap_or(TimeZone::UTC),
                None => TimeZone::UTC,
            },
            priority: typed(ctx, "priority").unwrap_or(0),
        }
    }

    /// The next cut-off at or after this moment.
    pub fn next_cut_off(&self, from: Timestamp) -> Option<Timestamp> {
        let time = self.cut_off?;
        let local = from.to_zoned(self.timezone.clone());
        let at = |date: jiff::civil::Date| {
            date.to_datetime(time)
                .to_zoned(self.timezone.clone())
                .ok()
                .map(|zoned| zoned.timestamp())
        };
        let today = at(local.date())?;
        if today >= from {
            return Some(today);
        }
        at(local.date().checked_add(1.day()).ok()?)
    }
}

/// Whether these settings of a connection or merchant say `accept: when_in_stock`.
pub fn accepts_when_in_stock(settings: &serde_json::Map<String, Value>) -> bool {
    let set = settings.get("accept").map(Accept::deserialize);
    matches!(set, Some(Ok(Accept::WhenInStock)))
}

/// The name of the setting.
const DUPLICATE_WINDOW: &str = "duplicate_window_minutes";

/// How far apart two orders may be placed that count as one purchase; zero: nothing is looked for.
pub fn duplicate_window(ctx: &FlowContext<'_>) -> SignedDuration {
    minutes(ctx, DUPLICATE_WINDOW)
}

/// How long after delivery the carrier has to tell of the cash.
pub fn cod_overdue(ctx: &FlowContext<'_>) -> SignedDuration {
    let days = typed::<i64>(ctx, "cod_overdue_days").unwrap_or(7);
    SignedDuration::from_hours(days.clamp(0, 365) * 24)
}

fn minutes(ctx: &FlowContext<'_>, key: &str) -> SignedDuration {
    let minutes = typed::<i64>(ctx, key).unwrap_or(0);
    SignedDuration::from_mins(minutes.clamp(0, MAX_MINUTES))
}

fn typed<T: serde::de::DeserializeOwned>(ctx: &FlowContext<'_>, key: &str) -> Option<T> {
    let read = |value: &Value| T::deserialize(value).ok();
    ctx.connection
        .settings
        .get(key)
        .and_then(read)
        .or_else(|| ctx.merchant.settings.get(key).and_then(read))
}
