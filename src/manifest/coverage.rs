//! What a connector can do, read off its manifest: the coverage table is generated, never written.

use super::model::Manifest;
use serde::Serialize;

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
    pub cod: bool,
    pub points: bool,
    pub returns: bool,
}

/// Headings of the table, in the order of [`Coverage::flags`].
pub const HEADINGS: [&str; 10] = [
    "orders by webhook",
    "orders by poll",
    "acknowledge",
    "fulfilment push",
    "stock",
    "labels",
    "tracking",
    "COD payouts",
    "pickup points",
    "returns",
];

impl Coverage {
    /// Reads the manifest.
    pub fn of(manifest: &Manifest) -> Self {
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
            cod: operation("cod.pull") || topic("cod"),
            points: operation("points.list"),
            returns: operation("returns.pull") || operation("returns.push") || topic("return"),
        }
    }

    /// The same in the order of [`HEADINGS`].
    pub const fn flags(&self) -> [bool; 10] {
        [
            self.orders_webhook,
            self.orders_poll,
            self.acknowledge,
            self.fulfillment_push,
            self.stock,
            self.labels,
            self.tracking,
            self.cod,
            self.points,
            self.returns,
        ]
    }
}
