//! Stored orders without their way through HTTP and mapping: each is decided by the same function,
//! and written by the same calls of the store, as the pipeline does it; so its rows, indexes, keyed
//! hashes and ciphertexts are those of an order that came by webhook.

use crate::orders;
use crossdock::canonical::connection::{Connection, Merchant};
use crossdock::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crossdock::canonical::order::Source;
use crossdock::canonical::{ConnectionId, Field, InboxId, MappedOrder, RawId, Timestamp};
use crossdock::connector::Registry;
use crossdock::flow::change::{ChangeSet, DeliveryResult};
use crossdock::flow::{self, FlowContext, RecordMeta, World};
use crossdock::store::{Scope, Store};
use crossdock::worker::connectors::{Connectors, Folders};
use crossdock::worker::mapped::{self, Content, ToMap};
use futures_util::stream::{self, StreamExt};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Orders of one call.
const CHUNK: usize = 500;
/// They came within so many hours before now, evenly.
const HOURS: f64 = 72.0;

struct Filler {
    store: Arc<dyn Store>,
    connection: Connection,
    merchant: Merchant,
    /// An order of each made-up buyer, mapped.
    mapped: Vec<MappedOrder>,
    version: String,
    began: Timestamp,
    orders: Range<usize>,
}

/// Stores these orders of this shop; yields the seconds that it took.
pub async fn fill(store: &Arc<dyn Store>, shop: ConnectionId, orders: Range<usize>) -> f64 {
    let filler = Arc::new(Filler::new(store, shop, orders.clone()).await);
    let started = Instant::now();
    let chunks = orders.clone().step_by(CHUNK).map(|first| {
        let (filler, last) = (filler.clone(), (first + CHUNK).min(orders.end));
        tokio::spawn(async move { filler.chunk(first..last).await })
    });
    // The writer always has something to do; the orders of a chunk go in together.
    let mut written = stream::iter(chunks).buffered(4);
    while let Some(done) = written.next().await {
        done.expect("a chunk");
    }
    started.elapsed().as_secs_f64()
}

impl Filler {
    async fn new(store: &Arc<dyn Store>, shop: ConnectionId, orders: Range<usize>) -> Self {
        let connection = store.connection(Scope::All, shop).await.expect("read");
        let connection = connection.expect("the shop");
        let merchant = store.merchant(Scope::All, connection.merchant_id).await;
        let merchant = merchant.expect("read").expect("the merchant");
        let folders = Folders::new(Arc::new(Registry::load(None)));
        let connector = folders.of(&connection).expect("the connector");
        let version = connector.version.to_string();
        let settings = Arc::new(mapped::settings(&connection, Some(&connector)));
        let began = Timestamp::now() - Duration::from_secs_f64(HOURS * 3_600.0);
        let mut filler = Self {
            store: store.clone(),
            connection,
            merchant,
            mapped: Vec::new(),
            version,
            began,
            orders,
        };
        for n in orders::KINDS..2 * orders::KINDS {
            let job = ToMap {
                wire: filler.wire(n),
                settings: settings.clone(),
                connector: Some(connector.clone()),
            };
            let mut records = mapped::map(&job, &|bytes| store.content_hash(bytes)).records;
            match records.remove(0).content {
                Content::Orders(mut orders) => filler.mapped.push(orders.remove(0)),
                other => panic!("{other:?}"),
            }
        }
        filler
    }

    fn wire(&self, n: usize) -> WireDelivery {
        let part = n.saturating_sub(self.orders.start) as f64 / self.orders.len().max(1) as f64;
        WireDelivery {
            id: RawId::new(),
            merchant_id: self.merchant.id,
            connection_id: self.connection.id,
            source: Source::Webhook,
            topic: "order.created".to_owned(),
            received_at: self.began + Duration::from_secs_f64(HOURS * 3_600.0 * part),
            dedupe_key: None,
            headers: Vec::new(),
            body: orders::order(n).into(),
        }
    }

    async fn chunk(&self, orders: Range<usize>) {
        let (mut wires, mut changes) = (Vec::new(), Vec::new());
        for n in orders {
            let wire = self.wire(n);
            changes.push(self.decided(n, &wire));
            wires.push(wire);
        }
        self.store.append_inbox(wires, None).await.expect("append");
        for result in self.store.apply(changes).await.expect("apply") {
            result.expect("stored");
        }
    }

    fn decided(&self, n: usize, wire: &WireDelivery) -> ChangeSet {
        let id = n.to_string();
        let mut order = self.mapped[n % orders::KINDS].clone();
        order.external_id = Field::Value(id.clone());
        order.external_number = Field::Value(id.clone());
        if let Field::Value(customer) = &mut order.customer {
            customer.email = Field::Value(orders::email(n));
        }
        let mut record = InboxRecord {
            id: InboxId::new(),
            merchant_id: wire.merchant_id,
            connection_id: wire.connection_id,
            raw_id: wire.id,
            index: 0,
            source: wire.source,
            topic: wire.topic.clone(),
            received_at: wire.received_at,
            kind: Some("order".to_owned()),
            external_id: Some(id.clone()),
            disposition: Disposition::Ignored,
            reason: None,
            subject: None,
            duplicate_of: None,
            problem_id: None,
            mapping_version: Some(self.version.clone()),
            decided_at: Some(wire.received_at),
        };
        let context = FlowContext {
            now: wire.received_at,
            connection: &self.connection,
            merchant: &self.merchant,
            similar: None,
            world: World::none(),
        };
        let meta = RecordMeta {
            inbox_id: record.id,
            source: wire.source,
            received_at: wire.received_at,
            mapping_version: &self.version,
            sweep: false,
            fetched: false,
            remap: false,
        };
        let outcome = flow::intake(&context, None, order, &meta).expect("decided");
        record.disposition = outcome.disposition;
        let state = outcome.state.as_ref().expect("a new order");
        record.subject = Some(state.order.meta.id.to_string());
        let hash = self.store.content_hash(&wire.body);
        let mut change = ChangeSet::of(self.merchant.id);
        change.take(outcome);
        change.delivery = Some(DeliveryResult {
            raw_id: wire.id,
            connection_id: wire.connection_id,
            received_at: wire.received_at,
            records: vec![record],
            unchanged: Vec::new(),
            hashes: vec![("order".to_owned(), id, hash)],
            dedupe: None,
            found_by_sweep: 0,
        });
        change
    }
}
