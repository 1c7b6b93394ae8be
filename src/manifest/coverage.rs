//! What a connector can do, read off its manifest: the coverage table is generated, never written.

use super::model::Manifest;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a connector can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Coverage {
    pub orders_webhook: bool,
    pub orders_poll: bool,
    pub acknowledge: bool,
    pub fulfillment_push: bool,
    pub stock: bool,
    pub labels: bool,
    pub tracking: bool,
    /// Labels are bought with cash to be collected.
    pub cod_labels: bool,
    /// Tracking tells of the cash of a parcel.
    pub cod_tracking: bool,
    /// Payouts are read: what the carrier hands over for many parcels.
    pub cod_payouts: bool,
    pub points: bool,
    pub returns: bool,
}

/// Headings of the table, in the order of [`Coverage::flags`].
pub const HEADINGS: [&str; 12] = [
    "orders by webhook",
    "orders by poll",
    "acknowledge",
    "fulfilment push",
    "stock",
    "labels",
    "tracking",
    "COD on labels",
    "COD in tracking",
    "COD payouts",
    "pickup points",
    "returns",
];

impl Coverage {
    /// Reads the manifest; of the folder's programs (`shipment.jq`) only whether cash is in them.
    pub fn of(manifest: &Manifest, programs: &BTreeMap<String, String>) -> Self {
        let told = |operation: &str, fits: fn(&str) -> bool| {
            let steps = manifest.operations.get(operation).map(|found| &found.steps);
            let mut steps = steps.into_iter().flatten();
            steps.any(|step| {
                let files = [&step.body_mapping, &step.mapping].into_iter().flatten();
                let mut texts = files.filter_map(|name| programs.get(&format!("{name}.jq")));
                texts.any(|text| fits(text))
            })
        };
        let operation = |name: &str| manifest.operations.contains_key(name);
        let hinted = manifest
            .webhooks
            .iter()
            .flat_map(|webhooks| webhooks.topics.values())
            .any(|rule| rule.refetch);
        let topic = |mapping: &str| {
            manifest
                .webhooks
                .iter()
                .flat_map(|webhooks| webhooks.topics.values())
                .any(|rule| rule.mapping.as_deref() == Some(mapping))
        };
        Self {
            orders_webhook: topic("order") || hinted,
            orders_poll: manifest
                .operations
                .get("orders.pull")
                .is_some_and(|pull| pull.poll.is_some()),
            acknowledge: operation("orders.ack"),
            fulfillment_push: operation("fulfillment.push"),
            stock: operation("stock.push") || operation("stock.pull"),
            labels: operation("shipment.create") || operation("label.fetch"),
            tracking: operation("tracking.pull") || topic("tracking"),
            cod_labels: told("shipment.create", asks_cash),
            cod_tracking: told("tracking.pull", tells_cash),
            cod_payouts: operation("cod.pull") || topic("cod"),
            points: operation("points.list"),
            returns: operation("returns.pull") || operation("returns.push") || topic("return"),
        }
    }

    /// The same in the order of [`HEADINGS`].
    pub const fn flags(&self) -> [bool; 12] {
        [
            self.orders_webhook,
            self.orders_poll,
            self.acknowledge,
            self.fulfillment_push,
            self.stock,
            self.labels,
            self.tracking,
            self.cod_labels,
            self.cod_tracking,
            self.cod_payouts,
            self.points,
            self.returns,
        ]
    }
}

/// A request's program looks at the cash to be collected (`.cod`, not `.code`).
fn asks_cash(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(".cod")
        .skip(1)
        .any(|rest| !rest.starts_with(word))
}

/// A mapping of scans yields cash, not only `cod: null`.
fn tells_cash(text: &str) -> bool {
    let told = text.split("cod:").skip(1);
    told.map(str::trim_start)
        .any(|rest| !rest.starts_with("null"))
}
