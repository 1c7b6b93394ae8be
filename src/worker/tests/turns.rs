//! Fairness among connections where more waits than one commit takes, and an inbox that is deep.

use super::support::{House, SECRET, audit, house, new_connection, order, secrets, sign};
use crate::canonical::connection::{ConnectionState, Merchant};
use crate::canonical::event::EventType;
use crate::canonical::inbox::{Disposition, WireDelivery};
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, MerchantId, RawId};
use crate::clock::Clock;
use crate::flow::change::ChangeSet;
use crate::ingress::receive;
use crate::store::Scope;
use bytes::Bytes;

impl House {
    /// A merchant more, with a shop.
    async fn neighbour(&self) -> (MerchantId, ConnectionId) {
        let merchant = Merchant {
            id: MerchantId::new(),
            name: "Neighbour".into(),
            ..self.merchant.clone()
        };
        self.store
            .insert_merchant(&merchant, audit(), None)
            .await
            .unwrap();
        let shop = new_connection(
            merchant.id,
            "http://other.invalid",
            ConnectionState::Active,
            self.clock.now(),
        );
        let credentials = secrets(&[("token", "ts_123456789"), ("webhook_secret", SECRET)]);
        let change = ChangeSet::of(merchant.id);
        self.store
            .insert_connection(&shop, &credentials, change, audit())
            .await
            .unwrap();
        (merchant.id, shop.id)
    }

    /// Deliveries of the house's own shop, as if they had come by webhook.
    async fn flood(&self, bodies: impl Iterator<Item = Bytes>) {
        let wires = bodies.map(|body| WireDelivery {
            id: RawId::new(),
            merchant_id: self.merchant.id,
            connection_id: self.connection,
            source: Source::Webhook,
            topic: "order.changed".into(),
            received_at: self.clock.now(),
            dedupe_key: None,
            headers: vec![],
            body,
        });
        let wires: Vec<_> = wires.collect();
        for some in wires.chunks(100) {
            self.store.append_inbox(some.to_vec(), None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_flood_does_not_put_the_neighbours_behind_it() {
    let house = house().await;
    let (neighbour, shop) = house.neighbour().await;
    // 700 of one shop, two revisions of each order one after the other; then one of another shop.
    let revision = |n: u32| order(n / 2, 1 + n % 2, "new").to_string().into();
    house.flood((0..700).map(revision)).await;
    let body = order(1, 1, "new").to_string().into_bytes();
    let headers = vec![
        ("x-shop-topic".to_owned(), "order.changed".to_owned()),
        ("x-shop-signature".to_owned(), sign(SECRET, &body)),
    ];
    let reply = receive(&house.ingress, shop, None, &headers, body.into()).await;
    assert_eq!(reply.status, 202);
    assert_eq!(house.apply().await, 701);

    let received = [EventType::OrderReceived];
    let page = house.store.events(Scope::All, 0, 500, &received).await;
    let events = page.unwrap().data;
    assert_eq!(events.len(), 351);
    let told = events.iter().position(|e| e.merchant_id == neighbour);
    assert!(
        told.is_some_and(|n| n < 256),
        "in the first commit: {told:?}"
    );
    // Each connection's own order is that of arrival: nothing was found to be stale.
    assert!(
        house
            .dispositions()
            .await
            .iter()
            .all(|d| matches!(d, Disposition::Applied | Disposition::Unchanged))
    );
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_deep_inbox_takes_more() {
    let house = house().await;
    // More than the writer's queue would hold; nothing works on them.
    house
        .flood((0..10_000).map(|_| Bytes::from_static(b"{}")))
        .await;
    let reply = house.hook("order.changed", &order(1, 1, "new")).await;
    assert_eq!((reply.status, reply.retry_after), (202, None));
    let health = house.store.health().await.unwrap();
    assert_eq!(health.pending_deliveries, 10_001);
}
