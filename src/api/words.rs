//! The words that lists can be narrowed to and that answers are made of, each list once.
//!
//! What always holds: routes and schemas take them from here, and every one is a word of the model.

/// Of an order.
pub const ORDER_STATUS: &[&str] = &[
    "pending_payment",
    "on_hold",
    "scheduled",
    "open",
    "in_progress",
    "partially_fulfilled",
    "fulfilled",
    "closed",
    "cancelled",
];
/// Of a fulfillment order.
pub const PART_STATUS: &[&str] = &[
    "scheduled",
    "open",
    "on_hold",
    "submitted",
    "in_progress",
    "incomplete",
    "closed",
    "cancelled",
];
/// Of a connection that is not deleted.
pub const CONNECTION_STATE: &[&str] = &["observing", "active", "paused", "suspended"];
/// What became of an inbox record.
pub const DISPOSITION: &[&str] = &[
    "pending",
    "applied",
    "unchanged",
    "stale",
    "duplicate",
    "ignored",
    "problem",
];
/// Of a problem.
pub const CLASS: &[&str] = &[
    "throttled",
    "transient",
    "ambiguous",
    "auth_expired",
    "auth_broken",
    "invalid",
    "rejected",
    "conflict",
    "gone",
    "broken_contract",
    "drift",
    "totals_mismatch",
];
/// Of a job.
pub const JOB_STATE: &[&str] = &["ready", "leased", "parked", "done", "dead"];
/// Of a delivery to a subscriber.
pub const DELIVERY_STATE: &[&str] = &["waiting", "dead", "skipped", "delivered"];
/// Of a parcel, and of a tracking event.
pub const TRACKING_STATUS: &[&str] = &[
    "unknown",
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "failed_attempt",
    "available_for_pickup",
    "return_in_transit",
    "delivered",
    "returned",
    "cancelled",
    "exception",
    "info",
];
/// Of a shipment.
pub const SHIPMENT_STATUS: &[&str] = &[
    "draft",
    "requested",
    "outcome_unknown",
    "purchased",
    "printed",
    "manifested",
    "handed_over",
    "failed",
    "void_requested",
    "voided",
    "void_refused",
];
/// Of a COD item.
pub const COD_STATUS: &[&str] = &[
    "expected",
    "collected",
    "remitted",
    "settled",
    "paid_out",
    "not_due",
    "overdue",
    "short_paid",
    "over_paid",
    "disputed",
    "written_off",
];
/// Of a pickup point.
pub const POINT_KIND: &[&str] = &["locker", "parcel_shop", "post_office", "carrier_depot"];
/// What labels are printed on.
pub const LABEL_FORMAT: &[&str] = &["pdf", "zpl"];
/// How an order reached us.
pub const INBOX_SOURCE: &[&str] = &["webhook", "poll", "file", "api", "phone"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical as model;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    fn known<T: DeserializeOwned>(words: &[&str]) {
        for word in words {
            let read = serde_json::from_value::<T>(json!(word));
            assert!(read.is_ok(), "{word} is no word of the model");
        }
    }

    #[test]
    fn every_word_is_one_of_the_model() {
        known::<model::order::OrderStatus>(ORDER_STATUS);
        known::<model::fulfillment::FulfillmentStatus>(PART_STATUS);
        known::<model::connection::ConnectionState>(CONNECTION_STATE);
        known::<model::inbox::Disposition>(DISPOSITION);
        known::<model::problem::Class>(CLASS);
        known::<model::job::JobState>(JOB_STATE);
        known::<model::tracking::TrackingStatus>(TRACKING_STATUS);
        known::<model::shipment::ShipmentStatus>(SHIPMENT_STATUS);
        known::<model::cod::CodStatus>(COD_STATUS);
        known::<model::point::PointKind>(POINT_KIND);
        known::<model::shipment::LabelFormat>(LABEL_FORMAT);
        known::<model::order::Source>(INBOX_SOURCE);
    }
}
